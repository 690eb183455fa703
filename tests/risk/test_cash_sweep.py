"""Idle cash in T-bill funds."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from config import load
from config.errors import Refusal
from risk.cash_sweep import CashSweep
from risk.model import ClosedTrade, Plan
from risk.policy_gate import AccountState, GateCode, OrderRequest, check
from strategies.parking import Parking
from tests.risk.helpers import NOW, book, market, module, position, proposal

ON = market({"BIL": 100.0, "SGOV": 50.0, "NVDA": 10.0})
SWEEP = module(CashSweep, funds=["BIL", "SGOV"], spare_frac=0.02, min_park_frac=0.05, haircut_frac=0.0)
GATE = load(overrides={"risk.chain": ["cash_buffer", "cash_sweep"]}).policy_gate


@pytest.fixture
def parking():
    return Parking([SWEEP], GATE)


def bought(plan):
    return [(p.symbol, p.quantity) for p in plan.entries]


def test_idle_cash_above_buffer_and_spare_is_parked(parking):
    plan = parking.funded(Plan(NOW), book(), ON)
    # 15% are the gate's, 2% the spare.
    assert bought(plan) == [("BIL", 830)] and plan.decisions[0].proposal.signal == "cash_sweep"
    assert plan.decisions[0].outcome == "sent" and not plan.funding


def test_little_idle_cash_stays(parking):
    assert bought(parking.funded(Plan(NOW), book(cash=21_900.0), ON)) == []
    assert bought(parking.funded(Plan(NOW), book(cash=22_100.0), ON)) == [("BIL", 51)]


def test_the_next_fund_is_taken_when_the_first_is_held_or_on_its_way(parking):
    held = book(position("BIL", 300), cash=70_000.0)
    assert bought(parking.funded(Plan(NOW), held, ON)) == [("SGOV", 1_060)]
    coming = book(pending=[proposal("BIL", 300, 100.0)])
    assert bought(parking.funded(Plan(NOW), coming, ON)) == [("SGOV", 1_060)]
    both = book(position("BIL", 300), position("SGOV", 300, 50.0), cash=55_000.0)
    assert bought(parking.funded(Plan(NOW), both, ON)) == []


def test_a_fund_without_a_bar_is_not_bought_and_brings_nothing(parking):
    on = market({"BIL": 100.0, "SGOV": 50.0}, unusable=["BIL"])
    assert bought(parking.funded(Plan(NOW), book(), on)) == [("SGOV", 1_660)]
    assert SWEEP.ready_cash(book(position("BIL", 100)), on) == 0.0


def test_nothing_is_parked_while_a_rule_has_stopped_entries(parking):
    halted = replace(book(), halted=frozenset({"drawdown_halt"}))
    assert bought(parking.funded(Plan(NOW), halted, ON)) == []


def test_to_the_rules_what_is_parked_is_cash_and_no_trade(parking):
    trade = ClosedTrade("BIL", datetime(2024, 1, 2, tzinfo=UTC), NOW, -5.0, -0.1)
    own = replace(trade, symbol="NVDA")
    seen = parking.as_cash(
        replace(book(position("BIL", 300), position("NVDA", 10, 10.0), cash=69_900.0), closed_trades=[trade, own]), ON
    )
    assert seen.cash == 99_900.0 and list(seen.positions) == ["NVDA"] and seen.closed_trades == (own,)
    assert seen.count == 1 and seen.equity == 100_000.0
    plain = book(position("NVDA", 10, 10.0))
    assert parking.as_cash(plain, ON) is plain


def test_an_entry_that_wants_cash_has_it_sold_before_it(parking):
    state = book(position("BIL", 830), cash=17_000.0)
    wanted = Plan(NOW, entries=(proposal("NVDA", 1_000, 10.0),))
    plan = parking.funded(wanted, state, ON)
    # 17,000 are there, 15,000 are kept, 10,000 are wanted.
    (sale,) = plan.adjustments
    assert (sale.symbol, sale.kind, sale.quantity) == ("BIL", "trim", 80)
    assert plan.funding == {"BIL"} and bought(plan) == [("NVDA", 1_000)]


def test_the_smallest_goes_first_and_the_last_lot_with_it(parking):
    state = book(position("BIL", 500), position("SGOV", 100, 50.0), cash=15_000.0)
    plan = parking.funded(Plan(NOW, entries=(proposal("NVDA", 1_000, 10.0),)), state, ON)
    assert [(a.symbol, a.kind, a.quantity) for a in plan.adjustments] == [("SGOV", "exit", 0), ("BIL", "trim", 50)]


def test_an_entry_that_fits_beside_the_buffer_sells_nothing(parking):
    state = book(position("BIL", 700), cash=30_000.0)
    plan = parking.funded(Plan(NOW, entries=(proposal("NVDA", 1_000, 10.0),)), state, ON)
    assert plan.adjustments == () and plan.funding == frozenset()


def test_the_gate_lets_it_take_the_cash_above_the_buffer_and_no_more():
    account = AccountState(100_000, 90_000, 21_000, 2, 20, False)
    order = OrderRequest("BIL", True, 700, 100.0)
    assert check(order, account, GATE) is None
    assert check(replace(order, symbol="NVDA"), account, GATE).code is GateCode.ORDER_NOTIONAL
    assert check(replace(order, quantity=751), account, GATE).code is GateCode.CASH


def test_what_it_needs_of_the_settings_is_refused_where_it_is_missing():
    assert load().policy_gate.cash_funds == ()
    assert GATE.cash_funds == ("BIL", "SGOV", "SHV")
    on = {"risk.chain": ["cash_sweep"]}
    with pytest.raises(Refusal, match="trades as well"):
        load(overrides={**on, "universe.symbols": ["BIL", "NVDA"]})
    with pytest.raises(Refusal, match="so that the gate would refuse"):
        load(overrides={**on, "gate.cash_funds": ["BIL"]})
    for leak in ({"gate.cash_funds": ["TQQQ"]}, {**on, "risk.modules.cash_sweep.funds": ["TQQQ"]}):
        with pytest.raises(Refusal, match="TQQQ, which is not known as a T-bill fund"):
            load(overrides=leak)


def test_it_says_what_is_parked():
    assert SWEEP.status(book(), ON) == "nothing is parked"
    assert SWEEP.status(book(position("BIL", 300)), ON) == "30,000.00 USD are parked: 300 BIL"
