"""Which candidates take a place, in which order, from when on, and what a start tells of a poor fit."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from brokers.record import RunRecord
from config import Refusal, load
from risk.brackets import FixedBracket
from risk.cash_sweep import CashSweep
from risk.equity_sizer import SizingConfig
from risk.model import Verdict, bound_by
from risk.sector_cap import SectorCap
from strategies.combined import CombinedStrategy
from strategies.parameters import refuse_former_attributes
from strategies.pipeline import Selection
from strategies.run_notes import absent_symbols, fit_of_rules
from tests.risk.helpers import book, market, module, position
from tests.strategies.stated import SELECTION, Stated, pipeline, snapshot, taken, told

ONLY_A_PLUS = replace(SELECTION, only_a_plus=True)


def priced(**prices):
    return market(prices, {"atr_14": {s: p * 0.02 for s, p in prices.items()}})


def test_what_is_too_dear_for_one_lot_takes_no_place_among_the_watched():
    # 10% of 1,500 USD buys none of the six best.
    prices = dict.fromkeys("BCDEFG", 400.0) | {"A": 50.0}
    scores = dict.fromkeys("BCDEFG", 90.0) | {"A": 61.0}
    plan = pipeline(Stated(**scores), universe="ABCDEFG").decide(priced(**prices), book(equity=1_500.0))
    assert taken(plan) == ["A"]
    assert all(told(plan)[s].startswith("EQUITY_SIZER: 0 shares") for s in "BCDEFG")


def test_what_is_too_dear_takes_no_part_of_the_scan_s_budget():
    on = priced(A=50.0, B=50.0, C=50_000.0)
    plan = pipeline(Stated(A=80.0, B=80.0, C=99.0), universe="ABC").decide(on, book())
    assert {p.symbol: (p.rank, p.batch) for p in plan.entries} == {"A": (1, 2), "B": (2, 2)}


def test_of_equal_scores_more_traded_goes_first_then_the_cheaper_lot_then_the_alphabet():
    on = priced(A=10.0, B=40.0, C=20.0, D=20.0)
    four = Selection(60, 70, 5, 4)
    rules = pipeline(Stated(A=80.0, B=80.0, C=80.0, D=80.0), universe="ABCD", selection=four)
    assert taken(rules.decide(on, book())) == ["B", "C", "D", "A"], "one share traded of each"
    on._columns["volume"] = on._columns["volume"] * 0
    assert [c.symbol for c in rules.candidates(on, book())] == ["A", "C", "D", "B"]


def test_only_a_plus_enters_nothing_below_it_and_gives_it_no_place():
    plan = pipeline(Stated(A=69.9, B=70.0, C=65.0), selection=ONLY_A_PLUS).decide(snapshot(), book())
    assert taken(plan) == ["B"]
    assert told(plan)["A"] == "A_PLUS: score 69.9, at least 70"
    assert taken(pipeline(Stated(A=69.9, B=70.0, C=65.0)).decide(snapshot(), book())) == ["B", "A"]


def session(bars, at):
    """The third five-minute bar of a session has closed, or another one; decided at ``at``."""
    on = market({"A": [100.0]}, {"atr_14": {"A": 2.0}, "session_bar": {"A": bars}}, closes=[at - timedelta(seconds=5)])
    on.time = at
    return on


OPEN = datetime(2024, 3, 4, 14, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("bars", "at", "least", "enters"),
    [
        (78, OPEN + timedelta(seconds=5), 3, True),
        (1, OPEN + timedelta(minutes=5, seconds=5), 3, False),
        (2, OPEN + timedelta(minutes=10, seconds=5), 3, False),
        (3, OPEN + timedelta(minutes=15, seconds=5), 3, True),
        (1, OPEN + timedelta(minutes=5, seconds=5), 0, True),
    ],
)
def test_entries_wait_for_the_session_s_own_bars(bars, at, least, enters):
    rules = pipeline(Stated(A=90.0), selection=replace(SELECTION, min_session_bars=least), universe="A")
    rules.intraday = True
    assert bool(rules.decide(session(bars, at), replace(book(), time=at)).entries) is enters
    rules.intraday = False
    assert rules.decide(session(bars, at), replace(book(), time=at)).entries, "daily bars are sessions"


def test_bars_of_the_day_before_are_none_of_the_session():
    on = market({"A": [100.0]}, {"atr_14": {"A": 2.0}, "session_bar": {"A": 78}}, closes=[OPEN - timedelta(hours=17)])
    on.time = OPEN
    rules = pipeline(Stated(A=90.0), selection=replace(SELECTION, min_session_bars=3), universe="A")
    rules.intraday = True
    assert not on.in_its_session
    assert rules.decide(on, replace(book(), time=OPEN)).entries == ()
    assert "session_bar" in rules.needs()


def test_a_fixed_stop_is_no_nearer_than_the_least_multiple_of_atr():
    def stop(atr, **settings):
        terms = FixedBracket(FixedBracket.Config(**settings)).terms(snapshot(), "A", "buy", 100.0, atr, 2.5)
        return terms and terms.at(100.0)[0]

    assert (stop(4.0), stop(4.0, min_stop_atr=1.0), stop(4.0, min_stop_atr=2.0)) == (95, 95, 92)
    assert stop(float("nan")) == 95 and stop(float("nan"), min_stop_atr=1.0) is None
    assert stop(60.0, min_stop_atr=2.0) is None, "a level at or below zero cannot be"


def fit(prices, equity=100_000.0, chain=(), **more):
    return fit_of_rules(pipeline(Stated(), chain=chain, universe=tuple(prices), **more), priced(**prices), equity)


def test_a_cap_below_the_cheapest_lot_is_told():
    assert fit({"A": 160.0, "B": 900.0}, equity=1_500.0) == (
        "nothing can be bought: 10% of 1,500 USD is 150.00, and the cheapest lot, of A, costs 160.00; add cheaper "
        "symbols or raise sizing.max_notional_frac",
    )  # fmt: skip
    assert fit({"A": 100.0, "B": 900.0}, equity=1_500.0) == (
        "too dear for one lot at 150.00 USD a position, and never entered: B",
    )


def test_a_notional_above_the_cap_is_told():
    assert fit({"A": 100.0}, sizing=SizingConfig(notional_usd=9_000.0)) == ()
    assert fit({"A": 100.0}, sizing=SizingConfig(notional_usd=20_000.0)) == (
        "no entry has the 20,000.00 USD of sizing.notional_usd: sizing.max_notional_frac allows 10% of 100,000 USD, "
        "10,000.00",
    )


def test_missing_funds_of_the_sweep_are_not_told_as_symbols_that_are_watched():
    swept = pipeline(Stated(), universe="AB", chain=(module(CashSweep),))
    funds = swept.chain[0].cash_funds
    missing, notes = absent_symbols(funds, swept)
    assert missing == () and notes == (
        f"no bars of {', '.join(funds)}, in which cash_sweep parks cash: idle cash stays cash",
    )
    assert len(funds) > 1
    assert absent_symbols(funds[:1], swept)[1] == (f"no bars of {funds[0]}, in which cash_sweep parks cash",)
    assert absent_symbols(funds, pipeline(Stated(), universe="AB")) == ((), ())


def test_a_fixed_stop_inside_one_atr_is_told():
    on = market({"A": 100.0, "B": 100.0}, {"atr_14": {"A": 16.0, "B": 2.0}})
    (told_of,) = fit_of_rules(pipeline(Stated(), universe="AB"), on, 100_000.0)
    assert told_of.startswith("the fixed stop of 5.0% lies inside one ATR of A (0.3 ATR): an ordinary bar stops them")


def test_a_universe_that_the_sector_cap_keeps_small_is_told():
    cap = (module(SectorCap),)
    (told_of,) = fit(dict.fromkeys("ABCDEF", 50.0), chain=cap)
    assert told_of == (
        "under the sector cap (at most 3 positions in one sector, and 40% of all positions, counted, not weighed by "
        "value) this universe of 6 symbols in 1 sectors can hold 2 positions at a time"
    )
    labels = dict(zip("ABCDEF", "wwxxyz", strict=True))
    on = market(dict.fromkeys("ABCDEF", 50.0), {"atr_14": dict.fromkeys("ABCDEF", 1.0)}, sectors=labels)
    assert fit_of_rules(pipeline(Stated(), chain=cap, universe="ABCDEF"), on, 100_000.0) == ()


@pytest.mark.parametrize(
    ("name", "value", "told_of"),
    [
        ("STOP_LOSS_PCT", 0.02, "Mine.STOP_LOSS_PCT: is not read; set exits.models.fixed.stop_frac through parameters"),
        ("RISK_FRAC", 0.01, "set sizing.risk_frac"),
        ("MAX_POSITIONS", 3, "set gate.max_open_positions"),
    ],
)  # fmt: skip
def test_class_attributes_that_were_settings_are_refused(name, value, told_of):
    mine = type("Mine", (CombinedStrategy,), {name: value, "COLOURS": ("red",), "_private": 1})
    with pytest.raises(Refusal) as refused:
        refuse_former_attributes(mine, CombinedStrategy)
    assert told_of in str(refused.value)
    refuse_former_attributes(type("Own", (CombinedStrategy,), {"COLOURS": ("red",)}), CombinedStrategy)


def test_the_record_counts_which_cap_decided():
    cap = module(SectorCap, max_positions=1)
    on = snapshot(sectors={"A": "tech", "B": "tech", "C": "energy"})
    plan = pipeline(Stated(A=95.0, B=90.0, C=85.0), chain=(cap,)).decide(on, book(position("D", 10)))
    record = RunRecord(decisions=list(plan.decisions))
    assert record.bound_by() == {
        "equity_sizer: notional": {"refused": 0, "sized": 2}, "sector_cap": {"refused": 1, "sized": 0}
    }  # fmt: skip
    assert Verdict("m", "WORD: reading 1/2", 1, 0).word == "WORD"
    assert Verdict("m", "WORD: reading 1/2", 1, 0).detail == "reading 1/2"


def test_a_hedge_within_both_caps_is_bound_by_none_of_them():
    of_its_own = Verdict("equity_sizer", "OK", 50, 50, {"by_risk": 300.0, "by_notional": 61.0})
    at_the_risk = Verdict("equity_sizer", "OK", 40, 40, {"by_risk": 40.0, "by_notional": 61.0})
    assert (bound_by([of_its_own]), bound_by([at_the_risk])) == ("", "equity_sizer: risk")


def test_profile_swing_takes_only_a_plus_and_every_profile_waits_for_bars():
    assert load("swing").selection.only_a_plus and not load("active").selection.only_a_plus
    assert load("intraday").selection.min_session_bars == 3
