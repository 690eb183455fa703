"""The limits of day and week at their edges, and: no life of a book lets more through."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from risk.exposure_budget import ExposureBudget
from risk.model import DeployedBudget
from risk.weekly_budget import WeeklyBudget
from tests.risk.helpers import book, market, module, position, proposal

MARKET = market({"NVDA": 100.0})
DAY = date(2024, 3, 4)


def with_budget(state, day_usd=0.0, day_positions=0, week_usd=0.0, week_positions=0):
    return replace(state, budget=DeployedBudget(DAY, day_usd, day_positions, week_usd, week_positions))


def judge(quantity, spent, *, settings=None, pending=(), **changes):
    state = with_budget(book(pending=pending), *spent)
    return module(ExposureBudget, **settings or {}).review(proposal(quantity=quantity, **changes), state, MARKET)


@pytest.mark.parametrize(
    ("spent", "wanted", "after"),
    [
        ((0, 0, 0, 0), 100, 100),
        ((0, 0, 0, 0), 250, 200),  # the day's 20%
        ((10_000, 1, 10_000, 1), 100, 100),  # to the dollar
        ((10_000, 1, 10_000, 1), 101, 100),
        ((17_000, 1, 17_000, 1), 100, 30),  # exactly 3% of equity
        ((17_001, 1, 17_001, 1), 100, 0),
        ((17_001, 1, 17_001, 1), 29, 29),  # small from the start, and it fits
        ((20_000, 1, 20_000, 1), 100, 0),
        ((25_000, 1, 25_000, 1), 100, 0),
        ((5_000, 2, 5_000, 2), 100, 0),  # the day's second position was the last
        ((0, 0, 30_000, 3), 200, 100),  # the week's 40%
        ((0, 0, 38_000, 4), 100, 0),
        ((0, 0, 5_000, 7), 100, 100),
        ((0, 0, 5_000, 9), 100, 100),
        ((0, 0, 5_000, 10), 100, 0),
    ],
)
def test_the_rule(spent, wanted, after):
    assert judge(wanted, spent).after == after


@pytest.mark.parametrize(
    ("spent", "wanted", "code"),
    [
        ((0, 0, 0, 0), 100, "OK"),
        ((20_000, 2, 20_000, 10), 100, "EXPOSURE_BUDGET: day 2/2 positions"),
        ((0, 0, 0, 10), 100, "EXPOSURE_BUDGET: week 10/10 positions"),
        ((0, 0, 0, 7), 100, "OK"),
        ((0, 0, 0, 8), 100, "EXPOSURE_BUDGET: week 8/10 positions"),
        ((0, 0, 0, 9), 100, "EXPOSURE_BUDGET: week 9/10 positions"),
        ((15_000, 1, 15_000, 1), 100, "EXPOSURE_BUDGET: day 15000.00 of 20000.00 USD deployed, 50 of 100 fit"),
        (
            (0, 0, 35_000, 8),
            100,
            "EXPOSURE_BUDGET: week 35000.00 of 40000.00 USD deployed, 50 of 100 fit, week 8/10 positions",
        ),
        (
            (19_000, 1, 19_000, 1),
            100,
            "EXPOSURE_BUDGET: day 19000.00 of 20000.00 USD deployed, what fits is below 3.0% of equity",
        ),
    ],
)
def test_codes(spent, wanted, code):
    assert judge(wanted, spent).code == code


def test_after_a_close_each_limit_says_what_it_still_counts():
    bill = WeeklyBudget(DAY).opened("NVDA", 10_000, DAY).opened("AMD", 9_607.71, DAY)
    bill = bill.closed("NVDA", DAY).closed("AMD", DAY)
    state = replace(book(), budget=bill.deployed(DAY))
    used = {limit.name: limit.used for limit in module(ExposureBudget).limits(state, MARKET)}
    assert used == {
        "deployed today (closed included)": 19_607.71,
        "deployed and still held": 0.0,
        "opened today (closed included)": 2,
        "held at some time this week": 2,
    }


def test_the_warning_is_among_the_inputs():
    assert judge(100, (0, 0, 0, 8)).inputs["warning"] is True
    assert "warning" not in judge(100, (0, 0, 0, 7)).inputs


def test_a_book_without_a_budget_refuses():
    verdict = module(ExposureBudget).review(proposal(), book(), MARKET)
    assert verdict.refused
    assert verdict.code == "EXPOSURE_BUDGET: no budget known"


def test_entries_on_their_way_count_for_day_and_week():
    assert judge(150, (0, 0, 0, 0), pending=[proposal("AMD", 100)]).after == 100
    assert judge(150, (0, 0, 30_000, 3), pending=[proposal("AMD", 50)]).after == 50
    assert judge(100, (0, 0, 0, 0), pending=[proposal("AMD", 10), proposal("MU", 10)]).refused
    assert judge(100, (0, 0, 0, 9), pending=[proposal("AMD", 10)]).code == "EXPOSURE_BUDGET: week 10/10 positions"
    # What this one would replace is no rival of it.
    assert judge(150, (0, 0, 0, 0), pending=[proposal("NVDA", 100)]).after == 150


def test_an_entry_that_is_partly_filled_is_one_position():
    state = with_budget(book(position("AMD", 5), pending=[proposal("AMD", 95)]), 500, 1, 500, 1)
    verdict = module(ExposureBudget).review(proposal(quantity=150), state, MARKET)
    assert verdict.after == 100
    assert verdict.inputs["day_positions"] == 1


def test_hedges_count_and_are_held_to_it():
    assert judge(100, (0, 0, 0, 0), pending=[proposal("SH", 150, role="hedge")]).after == 50
    assert judge(100, (10_000, 2, 10_000, 2), role="hedge").refused
    assert judge(300, (0, 0, 0, 0), role="hedge").after == 200


@pytest.mark.parametrize("equity", [0.0, -1.0, math.nan, math.inf])
def test_no_equity_no_entries(equity):
    state = with_budget(book(equity=equity))
    assert module(ExposureBudget).review(proposal(), state, MARKET).refused


@pytest.mark.parametrize(
    ("settings", "spent", "after"),
    [
        ({"day_frac": 0.30}, (0, 0, 0, 0), 300),
        ({"day_positions": 3}, (1_000, 2, 1_000, 2), 190),
        ({"week_frac": 0.50}, (0, 0, 39_000, 4), 110),
        ({"week_positions_max": 11}, (0, 0, 1_000, 10), 200),
        ({"min_position_frac": 0.01}, (0, 0, 39_000, 4), 10),
        ({"lot": 150}, (0, 0, 0, 0), 150),
    ],
)
def test_every_setting_has_an_effect(settings, spent, after):
    assert judge(300, spent, settings=settings).after == after
    assert judge(300, spent).after != after


def test_the_warning_level_has_an_effect():
    assert "warning" in judge(100, (0, 0, 0, 5), settings={"week_positions_warn": 5}).inputs


@pytest.mark.parametrize(
    "settings",
    [
        {"day_frac": 0.5},
        {"day_frac": 20},
        {"min_position_frac": 0.25},
        {"week_positions_warn": 11},
        {"day_positions": 11},
        {"day_positions": 0},
    ],
)
def test_impossible_settings_are_refused(settings):
    with pytest.raises(ValidationError):
        module(ExposureBudget, **settings)


SYMBOLS = [f"S{k}" for k in range(14)]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["enter", "enter", "enter", "fill", "close", "halve", "next"]),
        st.sampled_from(SYMBOLS),
        st.integers(1, 400),
        st.sampled_from(["entry", "entry", "hedge"]),
    ),
    max_size=80,
)


@given(STEPS, st.sampled_from([20_000.0, 99_999.99, 100_000.0, 1e6]), st.sampled_from([3.1, 50.0, 333.33]))
def test_no_life_of_a_book_lets_more_through(steps, equity, price):
    """Entries, fills, partial and full exits and new sessions in any order, with the budget as the desk keeps it."""
    rule, day = module(ExposureBudget), DAY
    budget, state = WeeklyBudget(DAY), book(equity=equity)
    # Entry notional by symbol, and what was sent, by the day on which it was.
    held: dict[str, float] = {}
    filled: dict[date, list[float]] = {}
    week_of_open: dict[str, date] = {}
    for kind, symbol, quantity, role in steps:
        if kind == "enter" and not state.held(symbol):
            state = replace(state, budget=budget.deployed(day))
            wish = proposal(symbol, quantity, price, role=role)
            verdict = rule.review(wish, state, MARKET)
            if not verdict.refused:
                state = state.accepting(wish.resized(verdict.after))
        elif kind == "fill" and state.pending:
            for name, entry in list(state.pending.items()):
                budget = budget.opened(name, entry.notional, day)
                positions = {**state.positions, name: position(name, entry.quantity, price)}
                waiting = {s: p for s, p in state.pending.items() if s != name}
                state = replace(state, positions=positions, pending=waiting)
                held[name], week_of_open[name] = entry.notional, day
                filled.setdefault(day, []).append(entry.notional)
        elif kind == "close" and symbol in held:
            budget = budget.closed(symbol, day)
            del held[symbol]
            state = replace(state, positions={s: p for s, p in state.positions.items() if s != symbol})
        elif kind == "halve" and symbol in held:
            held[symbol] /= 2
            budget = budget.reduced(symbol, held[symbol], day)
        elif kind == "next":
            day += timedelta(days=1 + quantity % 3)
            budget = budget.rolled(day)
        today = filled.get(day, []) + [p.notional for p in state.pending.values()]
        slack = 1e-9 * equity + 1e-6
        assert sum(today) <= 0.20 * equity + slack
        assert len(today) <= 2
        assert sum(held.values()) + state.promised_cash <= 0.40 * equity + slack
        begins = day - timedelta(days=day.weekday())
        opened_this_week = sum(len(n) for d, n in filled.items() if d >= begins)
        carried = sum(week_of_open[s] < begins for s in held)
        assert opened_this_week + carried + len(state.pending) <= 10
