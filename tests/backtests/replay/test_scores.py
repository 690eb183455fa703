"""Scores of a whole table at once are the scores of bar by bar, and only where a signal promises so."""

from __future__ import annotations

import numpy as np
import pytest

from backtests.replay.engine import replay
from backtests.replay.scores import TableEnsemble, scored_at_once
from config import load
from config.errors import Refusal
from market.features import FeatureTable
from strategies.ensemble import Ensemble
from strategies.registry import SIGNALS, build_pipeline
from strategies.signals.mean_reversion import MeanReversion
from tests.backtests.replay.tables import grid_of, table_on


class Ranked(MeanReversion):
    """Reads all symbols together, so that its scores are of one bar only."""

    def scores(self, market):
        own = super().scores(market)
        return np.where(own == np.nanmax(own, initial=-1.0), own, np.nan)


def test_a_subclass_with_scores_of_its_own_makes_no_promise():
    config = MeanReversion.Config()
    assert scored_at_once(MeanReversion(config)) and not scored_at_once(Ranked(config))
    plain = [name for name in SIGNALS.places() if not vars(SIGNALS.get(name, "test")).get("elementwise")]
    assert plain == ["pairs", "pairs_short"], "their scores compare one symbol with another"


@pytest.mark.parametrize("quorum", [1, 2])
@pytest.mark.parametrize("min_score", [0.0, 62.0])
def test_candidates_are_those_of_every_bar(quorum, min_score):
    table = table_on(grid_of("5 minutes with holes"))
    settings = load(
        "intraday",
        overrides={
            "universe.symbols": list(table.symbols), "universe.benchmark": "AAA",
            "signals.ensemble.quorum": quorum, "signals.modules.mean_reversion.oversold_rsi": 45.0,
        },
    )  # fmt: skip
    pipeline = build_pipeline(settings)
    features = FeatureTable(table, pipeline.needs(), {})
    eligible = np.array([True, True, False])
    plain = Ensemble(pipeline.signals, pipeline.ensemble.config, min_score)
    at_once = TableEnsemble(plain, features, eligible)
    held = {"BBB"}.__contains__
    found = 0
    for row in range(-1, len(table)):
        market = features.market_at_row(row, table.opens_at[max(row, 0)])
        usable = eligible & market.values("usable").astype(bool)
        expected = plain.candidates(market, usable, held)
        assert at_once.candidates(market, usable, held) == expected
        found += len(expected)
    assert found > 10


class Loud(MeanReversion):
    """Scores twice what the built-in signal does."""

    elementwise = True

    def scores(self, market):
        return 2 * super().scores(market)


def test_a_score_above_a_hundred_is_refused_of_a_whole_table_too():
    table = table_on(grid_of("5 minutes with holes"))
    features = FeatureTable(table, [*MeanReversion(MeanReversion.Config()).needs()], {})
    loud = Ensemble([Loud(MeanReversion.Config(oversold_rsi=45.0))], load("bench").signals.ensemble, 60.0)
    with pytest.raises(Refusal, match=r"signal mean_reversion: gives [ABC]{3} a score of 1\d\d.*; give 50"):
        TableEnsemble(loud, features, np.ones(3, dtype=bool))


def test_a_brief_run_enters_the_same_and_records_less():
    table = table_on(grid_of("extended"))
    settings = load(
        "bench",
        overrides={
            "universe.symbols": list(table.symbols), "universe.benchmark": "AAA", "universe.sectors": {},
            "signals.modules.mean_reversion.oversold_rsi": 45.0, "selection.execute": 1,
        },
    )  # fmt: skip
    full, brief = (
        replay(settings, table, table.opens_at[0], table.opens_at[-1], brief=b).record for b in (False, True)
    )
    assert full.orders == brief.orders and full.trades == brief.trades and full.equity == brief.equity
    assert 0 < len(brief.decisions) < len(full.decisions)


def test_features_are_computed_once_for_many_runs():
    table = table_on(grid_of("hours"))
    settings = load("bench", overrides={"universe.symbols": list(table.symbols), "universe.benchmark": "AAA"})
    columns: dict[str, np.ndarray] = {}
    first = replay(settings, table, table.opens_at[0], table.opens_at[-1], columns=columns)
    known = dict(columns)
    second = replay(settings, table, table.opens_at[0], table.opens_at[-1], columns=columns)
    assert known and all(columns[name] is known[name] for name in known)
    assert first.record.equity == second.record.equity
