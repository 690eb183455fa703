from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from market.bar_tables import to_table
from market.features import FeatureTable
from risk.trend_confirmation import TrendConfirmation
from strategies.signals.momentum import Momentum
from tests.risk.helpers import book, market, module, proposal

nan = np.nan


def confirmed(fast, slow, **wish):
    on = market({"NVDA": 100.0}, {"higher_ema_9": {"NVDA": fast}, "higher_ema_21": {"NVDA": slow}})
    return module(TrendConfirmation).review(proposal(**wish), book(), on)


@pytest.mark.parametrize(
    ("fast", "slow", "side", "passes"),
    [
        (101.0, 100.0, "buy", True),
        (100.0, 100.0, "buy", True),
        (99.99, 100.0, "buy", False),
        (99.0, 100.0, "sell_short", True),
        (100.0, 100.0, "sell_short", True),
        (100.01, 100.0, "sell_short", False),
        (100.0, nan, "buy", False),
        (nan, nan, "buy", False),
        (nan, nan, "sell_short", False),
    ],
)
def test_the_trend_one_timeframe_up_must_agree(fast, slow, side, passes):
    assert confirmed(fast, slow, side=side).after == (10 if passes else 0)


def test_a_refusal_tells_both_readings():
    verdict = confirmed(98.5, 100.25)
    assert verdict.code == "TREND_CONFIRMATION: EMA 9 98.50, EMA 21 100.25 one timeframe up"
    assert verdict.inputs == {"higher_ema_9": 98.5, "higher_ema_21": 100.25}
    assert confirmed(98.5, nan).code == "TREND_CONFIRMATION: no EMA 21 one timeframe up yet"


def test_a_hedge_is_bought_against_the_trend():
    assert confirmed(98.5, 100.25, role="hedge").code == "OK"


def test_a_symbol_that_is_not_in_the_data_is_refused():
    assert confirmed(101.0, 100.0, symbol="XYZ").refused


def test_it_asks_for_its_own_periods():
    rule = module(TrendConfirmation, fast_bars=5, slow_bars=13)
    assert rule.needs() == ("higher_ema_5", "higher_ema_13")
    with pytest.raises(ValidationError):
        module(TrendConfirmation, fast_bars=21)


@pytest.mark.shared
@pytest.mark.parametrize("file", ["daily_universe", "bars_5min"])
def test_on_real_breakouts_it_refuses_some_and_not_most(shared_data: Path, file):
    frame = pd.read_parquet(shared_data / f"{file}.parquet")
    bars = to_table(frame, sorted(frame["symbol"].unique()), file).head(4000)
    signal, rule, state = Momentum(Momentum.Config()), module(TrendConfirmation), book()
    found = FeatureTable(bars, [*signal.needs(), *rule.needs()], {})
    refused = []
    for row in range(400, len(bars)):
        on = found.market_at_row(row, bars.closes_at[row])
        wishes = (proposal(bars.symbols[k]) for k in np.flatnonzero(np.isfinite(signal.scores(on))))
        refused += [rule.review(wish, state, on).refused for wish in wishes]
    assert 0.15 < np.mean(refused) < 0.45
