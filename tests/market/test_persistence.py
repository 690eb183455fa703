"""The regime by topology: order in returns is seen, their size is not, and nothing later is read."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest

from backtests.checks.lookahead import check
from backtests.replay.engine import replay
from backtests.research.search.trials import settings_with
from config.errors import Refusal
from market import feature_registry
from market.feature_registry import Entry
from market.features import FeatureTable
from market.persistence import longest_loop
from tests.backtests.replay.tables import table_on
from tests.backtests.research.lab import context

RULE = {"when": "rsi_14 < 50 and persistence_14 > 0.2", "score": 80.0}


def prices(returns) -> np.ndarray:
    return np.exp(np.cumsum(np.asarray(returns)))[:, np.newaxis]


def test_a_cycle_draws_a_loop_and_noise_hardly_one():
    cycle = prices(0.01 * np.sin(np.arange(60) * 2 * np.pi / 12))
    noise = [prices(np.random.default_rng(seed).normal(0, 0.01, 41)) for seed in range(5)]
    last = [longest_loop(closes, 40)[-1, 0] for closes in noise]
    assert longest_loop(cycle, 40)[-1, 0] > 1.0
    assert np.isfinite(last).all() and min(last) >= 0 and max(last) < longest_loop(cycle, 40)[-1, 0]


def test_the_size_of_moves_does_not_matter():
    returns = np.random.default_rng(2).normal(0, 0.01, 40)
    one, ten = longest_loop(prices(returns), 30), longest_loop(prices(10 * returns), 30)
    assert one[-1, 0] == pytest.approx(ten[-1, 0], rel=1e-4)
    assert np.isnan(one[:30]).all() and np.isfinite(one[30:]).all()
    assert longest_loop(np.full((20, 1), 5.0), 12)[-1, 0] == 0.0


def test_later_bars_change_no_value():
    table = table_on(pd.bdate_range("2022-01-03", periods=40))
    whole, part = (FeatureTable(t, ["persistence_14"], {}).columns["persistence_14"] for t in (table, table.head(30)))
    np.testing.assert_array_equal(whole[:30], part)


def test_too_short_a_window_and_a_missing_library_are_refused(monkeypatch):
    with pytest.raises(Refusal, match="at least persistence_12"):
        longest_loop(prices(np.ones(20)), 5)
    monkeypatch.setitem(sys.modules, "ripser", None)
    with pytest.raises(Refusal, match="extra topology"):
        longest_loop(prices(np.ones(20)), 12)


@pytest.mark.parametrize("leaking", [False, True])
def test_the_look_ahead_check_covers_it(leaking, monkeypatch):
    made = context(
        table_on(pd.bdate_range("2022-01-03", periods=70)),
        **{"signals.enabled": ["looped"], "signals.rules": {"looped": RULE}},
    )
    if leaking:
        honest = feature_registry._REGISTRY["persistence"]

        def later(own, bars):
            values = honest.compute(own, bars)
            return np.vstack([values[2:], values[-2:]])

        planted = Entry(honest.form, later, honest.first, honest.settled, 1, False, False)
        monkeypatch.setitem(feature_registry._REGISTRY, "persistence", planted)
    settings = settings_with(made.settings, {})

    def run(table):
        return replay(settings, table, made.start, min(made.end, table.opens_at[-1]))

    report = check(run, made.table, made.start, made.end, cuts=1)
    assert report.clean is not leaking and report.features > 100
