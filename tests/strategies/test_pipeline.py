"""From snapshot and book to plan: who is looked at, who is taken, in which order, and when."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.errors import Refusal
from config.values.markets import NEW_YORK_ZONE
from risk.brackets import AtrBracket
from risk.cash_buffer import CashBuffer
from risk.inverse_hedge import InverseHedge
from risk.model import Barred
from risk.sector_cap import SectorCap
from strategies.pipeline import Selection
from tests.risk.helpers import NOW, book, market, module, position, proposal
from tests.strategies.stated import SYMBOLS, Adjusts, Intraday, Other, Stated, pipeline, sell, snapshot, taken, told


def test_the_threshold_is_reached_at_sixty():
    plan = pipeline(Stated(A=60.0, B=59.99)).decide(snapshot(), book())
    assert taken(plan) == ["A"]
    assert [d.proposal.symbol for d in plan.decisions] == ["A"]


def test_what_the_desk_bars_takes_no_place_from_others():
    scores = dict(zip("ABCDEFG", (71.0, 72.0, 73.0, 74.0, 75.0, 76.0, 77.0), strict=True))
    close = snapshot().value("close", "G")
    known = replace(book(), barred=(Barred("G", "its bar is wrong", close), Barred("F", "ours were sold")))
    plan = pipeline(Stated(**scores)).decide(snapshot(), known)
    assert taken(plan) == ["E", "D"]
    codes = told(plan)
    assert (codes["G"], codes["F"]) == ("DESK_BARRED: its bar is wrong", "DESK_BARRED: ours were sold")
    # The five that are watched are those that may be entered, and another close is another bar.
    assert all("WATCH_LIST" not in code for code in codes.values())
    other = replace(known, barred=(Barred("G", "its bar is wrong", close + 1),))
    assert taken(pipeline(Stated(**scores)).decide(snapshot(), other)) == ["G", "F"]


def test_five_are_watched_and_the_best_two_taken():
    scores = dict(zip("ABCDEFG", (71.0, 72.0, 73.0, 74.0, 75.0, 76.0, 77.0), strict=True))
    plan = pipeline(Stated(**scores)).decide(snapshot(), book())
    assert taken(plan) == ["G", "F"]
    assert [d.proposal.symbol for d in plan.decisions] == list("GFEDCBA")
    codes = told(plan)
    assert all(codes[s] == "EXECUTE_LIMIT: 2 of 2 taken in this scan" for s in "EDC")
    assert (codes["B"], codes["A"]) == ("WATCH_LIST: place 6 of 5", "WATCH_LIST: place 7 of 5")
    assert [d.outcome for d in plan.decisions[2:]] == ["refused"] * 5


def test_ties_are_broken_by_symbol():
    plan = pipeline(Stated(C=80.0, A=80.0, B=80.0)).decide(snapshot(tuple("CBA")), book())
    assert taken(plan) == ["A", "B"]


def test_the_highest_score_speaks_for_a_symbol():
    plan = pipeline(Stated(A=70.0, B=90.0), Other(A=80.0, B=85.0)).decide(snapshot(), book())
    assert [(p.symbol, p.signal, p.score) for p in plan.entries] == [("B", "stated", 90.0), ("A", "other", 80.0)]


def test_what_is_held_or_on_its_way_is_not_proposed():
    state = book(position("A", 10), pending=[proposal("B")])
    plan = pipeline(Stated(A=90.0, B=90.0, C=80.0)).decide(snapshot(), state)
    assert taken(plan) == ["C"]
    assert told(plan).keys() == {"C"}


def test_gauges_funds_and_the_benchmark_are_not_entered():
    hedge = module(InverseHedge)
    rules = pipeline(Stated(A=80.0, SPY=95.0, AAPL=95.0, SH=95.0), chain=(hedge,), universe=("A",))
    seen = snapshot(("A", "SPY", "AAPL", "SH"))
    assert taken(rules.decide(seen, book())) == ["A"]
    assert set(rules.symbols()) == {"A", *hedge.symbols()}


def test_a_symbol_without_a_sane_newest_bar_is_not_entered_whatever_its_signal_says():
    plan = pipeline(Stated(A=90.0, B=80.0)).decide(snapshot(unusable=("A",)), book())
    assert told(plan).keys() == {"B"}


def test_nothing_is_decided_before_the_first_bar_has_closed():
    plan = pipeline(Stated(A=90.0)).decide(snapshot(row=-1), book())
    assert (plan.entries, plan.decisions, plan.adjustments) == ((), (), ())


def test_an_entry_that_no_bracket_can_protect_is_not_made():
    on = market({"A": 100.0, "B": 100.0}, {"atr_14": {"A": 60.0, "B": 2.0}})
    assert taken(pipeline(Stated(A=90.0, B=80.0), bracket=AtrBracket).decide(on, book())) == ["B"]


def test_daily_bars_switch_intraday_signals_off():
    rules = pipeline(Intraday(A=95.0), Stated(B=80.0))
    assert rules.keep_daily_signals() == ["intraday"]
    assert taken(rules.decide(snapshot(), book())) == ["B"]
    assert pipeline(Stated(B=80.0)).keep_daily_signals() == []


def test_daily_bars_and_nothing_but_intraday_signals_are_refused():
    with pytest.raises(Refusal, match=r"signals\.enabled: intraday needs intraday bars"):
        pipeline(Intraday(A=95.0)).keep_daily_signals()


@pytest.mark.parametrize(
    ("utc", "enters"),
    [("14:25", False), ("14:30", True), ("14:31", True), ("14:35", False), ("19:55", True)],
)
def test_entries_wait_for_a_scan_window_and_exits_do_not(utc, enters):
    rules = pipeline(Stated(A=90.0), chain=(Adjusts(sell("exit", "B")),), windows=("10:30", "15:55"))
    # July: New York is four hours behind, so these are 10:25 to 15:55 there.
    state = replace(book(position("B", 10)), time=datetime.fromisoformat(f"2024-07-01T{utc}+00:00").astimezone(UTC))
    rules.window_minutes = 5
    plan = rules.decide(snapshot(), state)
    assert bool(plan.entries) is enters
    assert plan.adjustments == (sell("exit", "B"),)


@pytest.mark.parametrize(("window", "reached"), [("23:50", (0, 12)), ("23:42", (23, 42)), ("00:05", (0, 12))])
def test_a_window_near_midnight_is_reached_on_either_side_of_it(window, reached):
    rules = pipeline(Stated(A=90.0), windows=(window,))
    rules.window_minutes = 30
    times = [(hour, minute) for hour in range(24) for minute in (12, 42)]
    assert [t for t in times if rules.entries_now(datetime(2026, 3, 4, *t, tzinfo=NEW_YORK_ZONE))] == [reached]


def test_windows_mean_nothing_on_daily_bars():
    assert taken(pipeline(Stated(A=90.0), windows=("03:00",)).decide(snapshot(), book())) == ["A"]


def test_the_snapshot_must_hold_what_every_part_reads():
    rules = pipeline(Stated(), chain=(module(InverseHedge, rsi_bars=7),))
    assert rules.needs() == ["atr_14", "rsi_7"]


@given(
    st.dictionaries(st.sampled_from(SYMBOLS), st.floats(0, 100)),
    st.sets(st.sampled_from(SYMBOLS), max_size=3),
    st.floats(1, 2_000),
    st.floats(5_000, 1e6),
    st.integers(1, 5),
)
@settings(deadline=None)
def test_no_plan_takes_more_than_it_may(scores, held, price, equity, execute):
    selection = Selection(min_score=60, a_plus_score=70, watch_list=5, execute=execute)
    rules = pipeline(
        Stated(**scores), chain=(module(CashBuffer), module(SectorCap)), selection=selection
    )  # fmt: skip
    on = snapshot(price=price, sectors=dict.fromkeys("ABCD", "one") | dict.fromkeys("EFGH", "two"))

    def state():
        return book(*(position(s, 1, price) for s in held), equity=equity)

    used = state()
    plan = rules.decide(on, used)
    assert repr(plan) == repr(rules.decide(on, state()))
    assert len(plan.entries) <= execute
    assert not held & set(taken(plan))
    order = [(-p.score, p.symbol) for p in plan.entries]
    assert order == sorted(order)
    assert all(p.score >= 60 and 0 < p.notional <= 0.10 * equity * (1 + 1e-9) for p in plan.entries)
    assert sum(p.notional for p in plan.entries) <= 0.85 * equity * (1 + 1e-9)
    assert used.time == NOW and used.cash == equity
    for decision in plan.decisions:
        sizes = [v.after for v in decision.verdicts]
        assert sizes == sorted(sizes, reverse=True)
        assert (decision.proposal in plan.entries) is (decision.final_quantity > 0)
