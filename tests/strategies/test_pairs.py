"""Pairs that keep together are found and no others, and nothing of a later bar is read."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from backtests.checks.lookahead import check
from backtests.replay.engine import ReplayRun
from backtests.research.search.trials import settings_with
from backtests.run_result import RunResult
from market.bars import BarTable
from market.features import FeatureTable
from strategies.signals.pairs import Pairs, PairsShort, cointegrated
from tests.backtests.replay.tables import table_on
from tests.backtests.research.lab import context

BARS = 420
SETTINGS = {"bars": 120, "select_days": 28, "same_sector": False, "entry_z": 1.5, "full_z": 3.0, "broken_z": 6.0}


def with_closes(table: BarTable, closes: np.ndarray) -> BarTable:
    return replace(table, open=closes, high=closes * 1.004, low=closes * 0.996, close=closes)


def paired(seed: int = 3, bars: int = BARS) -> BarTable:
    """AAA and BBB keep together, CCC walks by itself."""
    rng = np.random.default_rng(seed)
    table = table_on(pd.bdate_range("2022-01-03", periods=bars), seed)
    walk, alone = rng.normal(0, 0.012, (2, bars)).cumsum(axis=1)
    spread = np.zeros(bars)
    for k in range(1, bars):
        spread[k] = 0.5 * spread[k - 1] + rng.normal(0, 0.02)
    return with_closes(table, np.exp(np.column_stack([4 + 0.8 * walk + spread, 4 + walk, 4 + alone])))


def at(table: BarTable, row: int, kind=Pairs, **changes):
    signal = kind(kind.Config.model_validate({**SETTINGS, **changes}))
    return signal, FeatureTable(table, signal.needs(), {}).market_at(table.opens_at[row])


def test_a_pair_is_found_in_either_order_and_noise_is_not():
    table = paired()
    (pair,) = cointegrated(table.close[:250], ["", "", ""], 0.05)
    assert {pair.y, pair.x} == {0, 1} and pair.beta > 0 and pair.p_value <= 0.05
    (turned,) = cointegrated(table.close[:250, ::-1], ["", "", ""], 0.05)
    assert {turned.y, turned.x} == {1, 2} and turned.p_value == pytest.approx(pair.p_value)
    assert cointegrated(table.close[:250], ["a", "b", "b"], 0.05) == []


def test_the_correction_keeps_chance_pairs_away():
    found = 0
    for seed in range(12):
        walks = np.exp(4 + np.random.default_rng(seed).normal(0, 0.012, (250, 6)).cumsum(axis=0))
        found += bool(cointegrated(walks, [""] * 6, 0.05))
    assert found <= 2


def test_a_hole_or_a_price_that_stands_still_is_no_pair():
    closes = paired().close[:250].copy()
    closes[100, 0] = np.nan
    assert cointegrated(closes, ["", "", ""], 0.05) == []
    closes[:, 0] = 50.0
    assert cointegrated(closes, ["", "", ""], 0.05) == []


def test_what_is_behind_is_bought_and_what_is_ahead_sold_short():
    table, fired = paired(), {Pairs: 0, PairsShort: 0}
    for row in range(200, 232):
        scores = {}
        for kind in (Pairs, PairsShort):
            signal, seen = at(table, row, kind)
            scores[kind] = signal.scores(seen)
            for k in np.flatnonzero(np.isfinite(scores[kind])):
                assert 50 <= scores[kind][k] <= 100 and k in (0, 1)
                assert "deviations from" in signal.reason(seen, seen.symbols[k])
                fired[kind] += 1
        assert not (np.isfinite(scores[Pairs]) & np.isfinite(scores[PairsShort])).any()
    assert fired[Pairs] > 2 and fired[Pairs] == fired[PairsShort]
    signal, seen = at(table, 300)
    assert "no other symbol" in signal.lacks(seen, "CCC")


def test_a_pair_that_broke_says_nothing():
    table = paired()
    far = table.close.copy()
    far[300:, 0] *= 0.5
    signal, seen = at(with_closes(table, far), 302)
    assert signal.pairs(seen) and not np.isfinite(signal.scores(seen)).any()


def test_without_the_history_nothing_is_paired():
    signal, seen = at(paired(), 60)
    assert signal.pairs(seen) == () and not np.isfinite(signal.scores(seen)).any()


class Peeking(Pairs):
    """Reads how far behind a symbol will be a month later."""

    def _behind(self, market):
        closes = market._columns["close"]
        later = closes[min(len(closes) - 1, market.row + 20)]
        found = np.full(len(market.symbols), np.nan)
        for pair in self.pairs(market):
            for k in (pair.y, pair.x):
                found[k] = np.fmax(found[k], self._distance(pair, k, later))
        return found


@pytest.fixture(scope="module")
def made():
    sets = {f"signals.modules.pairs.{name}": value for name, value in SETTINGS.items()}
    return context(paired(), **{"signals.enabled": ["pairs"], **sets})


def run_with(made, kind):
    def run(table):
        settings = settings_with(made.settings, {})
        run = ReplayRun(settings, table, made.start, min(made.end, table.opens_at[-1]))
        ensemble = run.pipeline.ensemble
        if kind is not Pairs:
            for signal in ensemble.signals:
                signal.__class__ = kind
        run.run()
        return RunResult(run.record, table, run, 0.0, "")

    return run


@pytest.mark.parametrize(("kind", "clean"), [(Pairs, True), (Peeking, False)])
def test_the_look_ahead_check_covers_it(made, kind, clean):
    report = check(run_with(made, kind), made.table, made.table.opens_at[250], made.end, cuts=2)
    assert report.clean is clean and report.decisions > 5
