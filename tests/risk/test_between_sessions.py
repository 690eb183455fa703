"""What a careful trader wants when the profile, the settings or the account change while positions are open."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from brokers.budget_file import load, save
from risk.cash_buffer import CashBuffer
from risk.drawdown_halt import DrawdownHalt
from risk.exposure_budget import ExposureBudget
from risk.rebalancer import Rebalancer
from risk.weekly_budget import WeeklyBudget
from tests.risk.helpers import book, market, module, position, proposal

TUESDAY, WEDNESDAY = date(2024, 3, 5), date(2024, 3, 6)
MARKS = {"NVDA": 100.0, "AMD": 100.0, "TSLA": 100.0}


@pytest.fixture
def bill() -> WeeklyBudget:
    """Two positions of 10,000 each, opened on Tuesday."""
    return WeeklyBudget(TUESDAY).opened("NVDA", 10_000, TUESDAY).opened("AMD", 10_000, TUESDAY)


def holding(equity: float, cash: float, bill: WeeklyBudget, day: date = WEDNESDAY):
    state = book(position("NVDA", 100), position("AMD", 100), equity=equity, cash=cash)
    return replace(state, budget=bill.deployed(day), session_open_equity=equity)


def left(state, **settings) -> float:
    wish = proposal("TSLA", quantity=100)
    return module(ExposureBudget, **settings).review(wish, state, market(MARKS)).after


def test_another_profile_reads_the_same_bill(bill, tmp_path):
    """What was spent under one profile is spent under the next: switching frees nothing."""
    path = tmp_path / "weekly_budget.json"
    save(path, bill, "account")
    after_restart = load(path, "account", WEDNESDAY)
    state = holding(100_000, 80_000, after_restart)
    assert left(state) == 100
    assert left(state, week_frac=0.25, day_frac=0.2) == 50
    assert left(state, week_frac=0.2, day_frac=0.2) == 0


def test_a_tighter_setting_sells_nothing_and_lets_nothing_in(bill):
    state = holding(100_000, 80_000, bill)
    assert left(state, week_frac=0.1, day_frac=0.1) == 0
    assert module(CashBuffer, buffer_frac=0.9).review(proposal("TSLA", quantity=100), state, market(MARKS)).after == 0
    assert module(ExposureBudget, week_frac=0.1, day_frac=0.1).manage(state, market(MARKS)) == []


def test_a_day_s_places_stay_taken_over_a_restart(bill, tmp_path):
    path = tmp_path / "weekly_budget.json"
    save(path, bill.closed("NVDA", TUESDAY), "account")
    same_day = holding(100_000, 90_000, load(path, "account", TUESDAY), TUESDAY)
    assert left(same_day) == 0
    assert left(holding(100_000, 90_000, load(path, "account", WEDNESDAY))) == 100


def test_an_account_halved_overnight_opens_nothing_and_trims_what_has_become_too_heavy(bill):
    """The bill is in dollars: against half the equity it fills the week, and 10% positions weigh 20%."""
    state = holding(50_000, 30_000, bill)
    assert left(state) == 0
    trims = module(Rebalancer).manage(state, market(MARKS))
    assert [(t.symbol, t.quantity) for t in trims] == [("NVDA", 25), ("AMD", 25)]


def test_the_halt_measures_from_the_new_opening(bill):
    """Overnight is over: what was lost or withdrawn then is no loss of this session."""
    state = holding(50_000, 30_000, bill)
    wish = proposal("TSLA", quantity=10)
    assert module(DrawdownHalt).review(wish, state, market(MARKS)).code == "OK"
    assert module(DrawdownHalt).review(wish, replace(state, equity=48_499.0), market(MARKS)).refused
