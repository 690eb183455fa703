"""What the screens say of a symbol agrees with what the pipeline decides."""

from collections import Counter
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from backtests.data.data_sets import load_data
from config import load
from market.features import FeatureTable
from risk.model import Book, DeployedBudget, Plan
from strategies.readings import limits, readings
from strategies.registry import build_pipeline

ALL = ["signals.enabled=[mean_reversion, momentum, trend]", "signals.rules={dip: {when: rsi_14 < 25}}",
       "signals.enabled+=dip", "risk.chain-=inverse_hedge"]  # fmt: skip


@pytest.fixture(scope="module")
def scene():
    settings = load("active", (), ALL)
    pipeline = build_pipeline(settings)
    data = load_data(
        "embedded", list(pipeline.symbols()), None, None, intraday=False, seed=0, traded=settings.universe.traded
    )
    return pipeline, FeatureTable(data.table, pipeline.needs(), settings.universe.sectors)


def book_at(when: pd.Timestamp) -> Book:
    budget = DeployedBudget(when.date())
    return Book(when, 100_000.0, 100_000.0, session_open_equity=100_000.0, equity_peak=100_000.0, budget=budget)


def test_readings_agree_with_decisions_at_many_moments(scene):
    pipeline, features = scene
    seen: Counter[str] = Counter()
    opens = features.bars.opens_at
    for row in range(260, len(opens), 97):
        when = opens[row]
        market, book = features.market_at(when), book_at(when)
        plan = pipeline.decide(market, book)
        before = plan
        found = {r.symbol: r for r in readings(pipeline, features, market, plan, book)}
        assert plan is before
        fired = {s.name: s.scores(market) for s in pipeline.signals}
        for symbol, reading in found.items():
            seen[reading.status] += 1
            k = market.index[symbol]
            silent = not any(np.isfinite(scores[k]) for scores in fired.values())
            if reading.status == "silent":
                assert silent and reading.text.count("needs") >= 1, reading
                for signal in pipeline.signals:
                    assert f"{signal.name}: " in reading.text
            if reading.status == "decided":
                assert symbol in {d.proposal.symbol for d in plan.decisions}
            if reading.status in ("weak", "blocked"):
                assert not silent
            if reading.allowed is not None:
                assert reading.allowed >= 0
                # A size that is allowed is one that the whole chain lets through, sizing's caps among it.
                assert reading.allowed * reading.close <= pipeline.sizing.max_notional_frac * book.equity + 1e-6
    assert seen["silent"] > 50 and seen["decided"] > 10 and seen["weak"] > 0, seen


def test_what_a_signal_lacks_is_what_keeps_it_silent(scene):
    """Of the RSI's line alone: the number that it names is the market's, and above what it needs."""
    pipeline, features = scene
    signal = next(s for s in pipeline.signals if s.name == "mean_reversion")
    market = features.market_at(features.bars.opens_at[1_000])
    checked = 0
    for k, symbol in enumerate(market.symbols):
        if market.usable(symbol) and not np.isfinite(signal.scores(market)[k]):
            rsi = market.value("rsi_14", symbol)
            assert signal.lacks(market, symbol) == f"RSI(14) {rsi:.1f}, needs below 30"
            assert rsi >= 30
            checked += 1
    assert checked >= 3


def test_what_is_left_of_the_limits_is_what_the_chain_lets_through(scene):
    """The budget of the day as the rule judges it: what ``limits`` calls left is what an entry may still have."""
    pipeline, features = scene
    when = features.bars.opens_at[1_000]
    market = features.market_at(when)
    spent = DeployedBudget(when.date(), 15_000.0, 1, 15_000.0, 1)
    book = Book(when, 100_000.0, 85_000.0, session_open_equity=100_000.0, equity_peak=100_000.0, budget=spent)
    left = {(x.module, x.name): x.left for x in limits(pipeline, book, market)}
    assert left["exposure_budget", "deployed today (closed included)"] == pytest.approx(5_000)
    assert left["exposure_budget", "opened today (closed included)"] == 1
    assert left["cash_buffer", "spent of what the buffer leaves"] == pytest.approx(70_000)
    symbol = next(s for s in sorted(pipeline.universe) if market.usable(s))
    decision = pipeline.hypothetical(market, book, symbol)
    assert decision is not None and decision.final_quantity * market.mark(symbol) <= 5_000
    halted = book_at(when + timedelta(0))
    down = Book(when, 96_000.0, 96_000.0, session_open_equity=100_000.0, equity_peak=100_000.0, budget=halted.budget)
    assert pipeline.hypothetical(market, down, symbol).final_quantity == 0
    (lost,) = [x for x in limits(pipeline, down, market) if x.module == "drawdown_halt"]
    assert (lost.used, lost.most, lost.left, lost.halts) == (4_000, 3_000, 0, True)


def test_no_stop_is_said_to_be_impossible_where_one_can_be_set(scene):
    """At the end of a run nothing is decided with the last bar, which says nothing of stops."""
    pipeline, features = scene
    found = Counter()
    for row in range(260, len(features.bars.opens_at), 97):
        when = features.bars.opens_at[row]
        market = features.market_at(when)
        for reading in readings(pipeline, features, market, Plan(when), None):
            if reading.status == "blocked":
                found["nothing was decided" in reading.text] += 1
                assert "no stop" not in reading.text
    assert found[True] > 10 and not found[False]
