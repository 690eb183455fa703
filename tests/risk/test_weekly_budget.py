"""What counts as deployed: tables by day, and against a naive recount from the events."""

from __future__ import annotations

import math
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk.model import DeployedBudget
from risk.weekly_budget import Charge, WeeklyBudget

MONDAY = date(2024, 3, 4)
TUESDAY, WEDNESDAY, THURSDAY, FRIDAY = (MONDAY + timedelta(days=k) for k in range(1, 5))
NEXT_MONDAY = MONDAY + timedelta(days=7)
EMPTY = WeeklyBudget(MONDAY)


def counts(budget: WeeklyBudget, day: date) -> tuple[float, int, float, int]:
    spent = budget.deployed(day)
    assert spent.day == day
    return spent.day_usd, spent.day_positions, spent.week_usd, spent.week_positions


def test_nothing_was_deployed():
    assert EMPTY.deployed(MONDAY) == DeployedBudget(MONDAY)


def test_the_day_stays_spent_and_the_week_frees_what_closes():
    budget = EMPTY.opened("A", 10_000, MONDAY).opened("B", 8_000, MONDAY)
    assert counts(budget, MONDAY) == (18_000, 2, 18_000, 2)
    assert counts(budget.closed("A", MONDAY), MONDAY) == (18_000, 2, 8_000, 2)


def test_what_monday_leaves_is_there_on_friday():
    budget = EMPTY.opened("A", 10_000, MONDAY)
    assert counts(budget, FRIDAY) == (0, 0, 10_000, 1)
    assert counts(budget.opened("B", 5_000, FRIDAY), FRIDAY) == (5_000, 1, 15_000, 2)


def test_a_position_opened_again_is_a_new_one():
    budget = EMPTY.opened("A", 10_000, MONDAY).closed("A", MONDAY).opened("A", 9_000, MONDAY)
    assert counts(budget, MONDAY) == (19_000, 2, 9_000, 2)


def test_fills_of_one_entry_and_additions_are_one_position():
    budget = EMPTY.opened("A", 6_000, MONDAY).opened("A", 4_000, MONDAY)
    assert counts(budget, MONDAY) == (10_000, 1, 10_000, 1)
    assert counts(budget.opened("A", 1_000, TUESDAY), TUESDAY) == (1_000, 0, 11_000, 1)


def test_two_halves_free_what_the_whole_would_have_freed():
    half = EMPTY.opened("A", 10_000, MONDAY).reduced("A", 5_000, TUESDAY)
    assert counts(half, TUESDAY) == (0, 0, 5_000, 1)
    assert counts(half.closed("A", TUESDAY), TUESDAY) == (0, 0, 0, 1)
    assert counts(half.reduced("A", 6_000, TUESDAY), TUESDAY) == (0, 0, 0, 1)


def test_a_part_sold_on_the_day_does_not_free_the_day():
    assert counts(EMPTY.opened("A", 10_000, MONDAY).reduced("A", 5_000, MONDAY), MONDAY) == (10_000, 1, 5_000, 1)


def test_a_week_that_ended_flat_is_forgotten():
    budget = EMPTY.opened("A", 10_000, MONDAY).closed("A", FRIDAY)
    assert counts(budget, FRIDAY) == (0, 0, 0, 1)
    assert counts(budget, NEXT_MONDAY) == (0, 0, 0, 0)


def test_what_is_still_open_stays_charged_to_the_new_week():
    budget = EMPTY.opened("A", 10_000, MONDAY).opened("B", 8_000, FRIDAY).closed("A", FRIDAY)
    assert counts(budget, NEXT_MONDAY) == (0, 0, 8_000, 1)
    closed = budget.closed("B", NEXT_MONDAY)
    assert counts(closed, NEXT_MONDAY) == (0, 0, 0, 1)
    assert counts(closed, NEXT_MONDAY + timedelta(days=7)) == (0, 0, 0, 0)


def test_ten_positions_stop_a_week_only_while_they_are_open_or_it_lasts():
    budget = EMPTY
    for k in range(10):
        budget = budget.opened(f"S{k}", 3_000, MONDAY + timedelta(days=k // 2))
    assert counts(budget, FRIDAY) == (6_000, 2, 30_000, 10)
    for k in range(10):
        budget = budget.closed(f"S{k}", NEXT_MONDAY)
    assert counts(budget, NEXT_MONDAY)[3] == 10
    assert counts(budget, NEXT_MONDAY + timedelta(days=7)) == (0, 0, 0, 0)


def test_a_week_ends_with_its_last_session_across_the_year():
    budget = WeeklyBudget(date(2024, 12, 30)).opened("A", 5_000, date(2024, 12, 30)).closed("A", date(2025, 1, 2))
    assert counts(budget, date(2025, 1, 3))[3] == 1
    assert counts(budget, date(2025, 1, 6))[3] == 0


def test_fills_booked_late():
    opened = EMPTY.rolled(TUESDAY).opened("A", 10_000, MONDAY)
    assert counts(opened, TUESDAY) == (0, 0, 10_000, 1)
    # Friday's close, found on Monday: the new week has nothing to do with it.
    late = EMPTY.opened("A", 10_000, FRIDAY).rolled(NEXT_MONDAY).closed("A", FRIDAY)
    assert counts(late, NEXT_MONDAY) == (0, 0, 0, 0)


def test_an_unknown_symbol_frees_nothing():
    budget = EMPTY.opened("A", 10_000, MONDAY)
    assert budget.closed("B", MONDAY) == budget.reduced("B", 1_000, MONDAY) == budget
    assert budget.closed("A", MONDAY).closed("A", MONDAY) == budget.closed("A", MONDAY)


def test_sessions_only_go_forward():
    with pytest.raises(ValueError, match="cannot go back"):
        EMPTY.deployed(MONDAY - timedelta(days=1))
    assert EMPTY.rolled(MONDAY) is EMPTY


@pytest.mark.parametrize("usd", [0, -1, math.nan, math.inf])
def test_amounts_are_amounts(usd):
    with pytest.raises(ValueError, match="not an amount"):
        EMPTY.opened("A", usd, MONDAY)
    with pytest.raises(ValueError, match="not an amount"):
        EMPTY.reduced("A", usd, MONDAY)


@pytest.mark.parametrize(
    "build",
    [
        lambda: WeeklyBudget(MONDAY, -1),
        lambda: WeeklyBudget(MONDAY, math.nan),
        lambda: WeeklyBudget(MONDAY, 0, (Charge("A", MONDAY, 1), Charge("A", MONDAY, 1))),
        lambda: WeeklyBudget(MONDAY, 0, (Charge("A", TUESDAY, 1),)),
        lambda: WeeklyBudget(MONDAY, 0, (Charge("A", MONDAY, 0, TUESDAY),)),
        lambda: Charge("A", MONDAY, -1),
        lambda: Charge("A", MONDAY, math.inf),
        lambda: Charge("A", TUESDAY, 0, MONDAY),
        lambda: Charge("A", MONDAY, 1, MONDAY),
    ],
)
def test_an_impossible_bill_cannot_be_made(build):
    with pytest.raises(ValueError):
        build()


SYMBOLS = st.sampled_from("ABCD")
STEPS = st.lists(
    st.tuples(st.sampled_from(["open", "close", "reduce", "roll"]), SYMBOLS, st.integers(1, 20_000), st.integers(0, 3)),
    max_size=40,
)


@given(STEPS)
def test_the_sums_are_those_of_a_recount_from_the_events(steps):
    budget, day = EMPTY, MONDAY
    # Every position that ever was: symbol, opened, remaining, closed; and every dollar opened, by day.
    positions: list[list] = []
    spent: dict[date, float] = {}
    for kind, symbol, usd, days in steps:
        mine = next((p for p in positions if p[0] == symbol and p[3] is None), None)
        if kind == "open":
            budget = budget.opened(symbol, usd, day)
            spent[day] = spent.get(day, 0) + usd
            if mine is None:
                positions.append([symbol, day, usd, None])
            else:
                mine[2] += usd
        elif kind == "close":
            budget = budget.closed(symbol, day)
            if mine is not None:
                mine[2:] = 0, day
        elif kind == "reduce":
            budget = budget.reduced(symbol, usd, day)
            if mine is not None:
                mine[2] = max(0, mine[2] - usd)
        else:
            day += timedelta(days=days)
            budget = budget.rolled(day)
        begins = day - timedelta(days=day.weekday())
        week = [p for p in positions if p[3] is None or p[3] >= begins]
        today = sum(p[1] == day for p in positions)
        assert counts(budget, day) == (spent.get(day, 0), today, sum(p[2] for p in week), len(week))
