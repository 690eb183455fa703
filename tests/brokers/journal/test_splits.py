"""Splits in the journal: what was filled and asked for before them, told in present shares."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from brokers.journal import Cumulative, Journal, OrderIntent, Split, State
from tests.brokers.journal.conftest import BEGIN

BUY = OrderIntent("combined", "AMD", "buy", 61, "limit", "entry", BEGIN, limit_price=170)


def fill(journal: Journal, intent: OrderIntent, price: int) -> None:
    name, time = journal.plan_order(intent), journal._clock()
    journal.event(name, State.FILLED, fills=[Cumulative(intent.quantity, price, time)], time=time)


def test_positions_are_in_present_shares_and_cash_stays(journal):
    fill(journal, BUY, 170)
    journal.split("AMD", Decimal(1), Decimal(10))
    fill(journal, replace(BUY, side="sell", role="trim", quantity=10), 18)
    assert journal.positions_by_fills() == {"AMD": 600}
    assert journal.cash_by_fills() == -61 * 170 + 180
    (split,) = journal.splits()
    assert split == Split("AMD", split.time, Decimal(1), Decimal(10))


@pytest.mark.parametrize(("before", "after", "price"), [(1, 10, "16.1"), (10, 1, "1610")])
def test_an_exits_price_from_before_a_split_is_told_as_it_would_be_now(journal, before, after, price):
    journal.plan_order(BUY)
    journal.plan_order(replace(BUY, side="sell", type="stop", role="stop", limit_price=None, stop_price=161))
    journal.split("AMD", Decimal(before), Decimal(after))
    journal.split("MU", Decimal(1), Decimal(2))
    assert journal.last_exit_price("AMD", "stop", BEGIN) == Decimal(price)


def test_a_stop_that_never_reached_the_venue_is_no_level(journal):
    stop = replace(BUY, side="sell", type="stop", role="stop", limit_price=None, stop_price=161)
    journal.sent(journal.plan_order(stop), "v1")
    lost = journal.plan_order(replace(stop, sequence=1, stop_price=165))
    journal.event(lost, State.LOST, reason="never reached the venue")
    assert journal.last_exit_price("AMD", "stop", BEGIN) == 161
