"""What fills add up to: ours and hands' apart, closed portions with their orders, the budget charged once."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from brokers.desk.reconcile.position_book import begin, book_event, replay
from brokers.journal import Figures, FilledOrder, JournalOrder, Split, State
from brokers.order_types import OrderRole
from config.values.markets import NEW_YORK_ZONE
from tests.brokers.desk.scene import TUESDAY

HAND = OrderRole.MANUAL
FIGURES = Figures("momentum", "", Decimal("81.5"), price=Decimal(100), stop=Decimal(95), atr=Decimal(2))


def filled(
    side: str, quantity: float, price: float, *, role: str = "entry", minute: int = 0, symbol: str = "AAPL", **more
):
    count = Decimal(str(quantity))
    time = TUESDAY + timedelta(minutes=minute)
    values = {
        "client_order_id": f"{role}-{minute}", "parent_id": "", "venue_id": f"v{minute}", "strategy": "combined",
        "symbol": symbol, "side": side, "quantity": count, "type": "limit", "role": role, "limit_price": None,
        "stop_price": None, "bracket_stop": Decimal(95), "bracket_target": Decimal(115), "decision_time": time,
        "sequence": 0, "reason": "", "state": State.FILLED, "filled_quantity": count,
        "filled_notional": count * Decimal(str(price)), "estimated": False, "fees": Decimal(0), "journaled_at": time,
    }  # fmt: skip
    return FilledOrder(JournalOrder(**values | more), time, time)


def book(*orders: FilledOrder, adopted=()):
    return replay(orders, lambda order: FIGURES, adopted, TUESDAY.date())


def test_no_fills_are_no_positions_and_an_empty_budget():
    empty = book()
    assert empty.symbols == set()
    assert empty.quantity("AAPL") == empty.total("AAPL") == 0
    assert empty.ledger.budget.deployed(TUESDAY.date()).week_usd == 0
    assert replay((), lambda order: None).ledger.budget is None


def test_a_position_carries_what_it_was_decided_on():
    own = book(filled("buy", 10, 100.5))
    position = own.ledger.positions["AAPL"]
    assert (position.quantity, position.entry_price, position.stop, position.target) == (10, 100.5, 95, 115)
    assert (position.signal, position.score, position.atr, position.stop_multiple_atr) == ("momentum", 81.5, 2, 2.5)
    assert position.entry_time == TUESDAY.astimezone(NEW_YORK_ZONE)
    assert own.entries["AAPL"].client_order_id == "entry-0"


def test_an_entry_without_figures_still_is_a_position():
    own = replay((filled("buy", 10, 100, bracket_stop=None, bracket_target=None),), lambda order: None)
    position = own.ledger.positions["AAPL"]
    assert position.quantity == 10
    assert math.isnan(position.stop)
    assert math.isnan(position.score)


def test_closed_portions_name_their_orders():
    own = book(
        filled("buy", 10, 100),
        filled("sell", 4, 110, role="trim", minute=1),
        filled("sell", 6, 95, role="stop", minute=2),
    )
    assert [(p.trade.quantity, p.trade.pnl, p.entry_order, p.exit_order) for p in own.portions] == [
        (4, 40.0, "entry-0", "trim-1"), (6, -30.0, "entry-0", "stop-2"),
    ]  # fmt: skip
    assert own.symbols == set()
    assert [trade.pnl for trade in own.ledger.closed] == [10.0]
    spent = own.ledger.budget.deployed(TUESDAY.date())
    assert (spent.day_usd, spent.week_usd) == (1000, 0)


def test_the_rest_of_an_entry_adds_to_the_position_of_its_first_order():
    own = book(filled("buy", 4, 100), filled("buy", 6, 101, minute=1))
    assert own.ledger.positions["AAPL"].entry_price == pytest.approx(100.6)
    assert own.entries["AAPL"].client_order_id == "entry-0"
    assert own.ledger.budget.deployed(TUESDAY.date()).week_usd == pytest.approx(1006)


@pytest.mark.parametrize(
    ("orders", "ours", "theirs"),
    [
        ((("buy", 10, OrderRole.MANUAL),), 0, 10),
        ((("buy", 10, OrderRole.MANUAL), ("sell", 4, OrderRole.MANUAL)), 0, 6),
        ((("sell", 5, OrderRole.MANUAL),), 0, -5),
        ((("buy", 10, "entry"), ("sell", 4, OrderRole.MANUAL)), 6, 0),
        ((("buy", 10, "entry"), ("buy", 3, OrderRole.MANUAL), ("sell", 5, OrderRole.MANUAL)), 8, 0),
        ((("buy", 10, "entry"), ("sell", 12, OrderRole.MANUAL)), 0, -2),
        ((("buy", 10, "entry"), ("buy", 3, OrderRole.MANUAL), ("sell", 10, "stop")), 0, 3),
        # An exit takes ours first, and what exceeds them from hands.
        ((("buy", 50, OrderRole.MANUAL), ("sell", 50, "close")), 0, 0),
        ((("buy", 10, "entry"), ("buy", 3, OrderRole.MANUAL), ("sell", 12, "close")), 0, 1),
        # What it sold beyond both is ours to buy back.
        ((("buy", 10, "entry"), ("sell", 100, "stop")), -90, 0),
        ((("sell", 10, "entry"), ("buy", 12, "stop")), 2, 0),
        ((("buy", 10, "entry"), ("buy", 3, OrderRole.MANUAL), ("sell", 15, "close")), -2, 0),
        ((("buy", 10, "entry"), ("sell", 4, OrderRole.MANUAL), ("sell", 10, "stop")), -4, 0),
        ((("sell", 3, OrderRole.MANUAL), ("buy", 10, "entry"), ("sell", 12, "stop")), -2, -3),
        ((("sell", 10, "entry"), ("buy", 4, "trim")), -6, 0),
    ],
)
def test_whose_shares_a_fill_takes(orders, ours, theirs):
    own = book(*(filled(side, n, 100, role=role, minute=i) for i, (side, n, role) in enumerate(orders)))
    assert (own.quantity("AAPL"), own.manual.get("AAPL", Decimal(0))) == (ours, theirs)
    assert own.total("AAPL") == ours + theirs


@pytest.mark.parametrize(("side", "before", "after"), [("buy", 1, 4), ("sell", 1, 4), ("sell", 10, 1)])
def test_what_hands_paid_for_a_share_follows_its_split(side, before, after):
    split = Split("AAPL", TUESDAY + timedelta(minutes=5), Decimal(before), Decimal(after))
    hand = filled(side, 40, 100, role=OrderRole.MANUAL)
    own = replay((hand,), lambda order: FIGURES, (), TUESDAY.date(), [split])
    assert abs(own.manual["AAPL"]) * own.paid["AAPL"] == 4000
    assert abs(own.manual["AAPL"]) == Decimal(40) * after / before


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_hands_that_go_on_in_the_same_direction_pay_the_average(side):
    own = book(filled(side, 10, 100, role=OrderRole.MANUAL), filled(side, 10, 110, role=OrderRole.MANUAL, minute=1))
    assert own.paid["AAPL"] == 105


def test_an_adopted_symbol_is_ours():
    own = book(filled("buy", 10, 100, role=OrderRole.MANUAL), adopted=("AAPL",))
    assert (own.quantity("AAPL"), own.manual) == (10, {})


def test_what_hands_deploy_is_charged():
    day = TUESDAY.date()
    assert book(filled("buy", 10, 100, role=OrderRole.MANUAL)).ledger.budget.deployed(day).week_usd == 1000
    both = book(filled("buy", 10, 100, role=OrderRole.MANUAL), filled("buy", 5, 100, symbol="MSFT", minute=1))
    assert both.ledger.budget.deployed(day).week_usd == 1500


@pytest.mark.parametrize(
    ("orders", "left"),
    [
        ((("buy", 49, 100, "entry"), ("buy", 100, 110, HAND)), 15_900),
        # Ours are sold, or stopped out, and hands' stay; the other way round, too.
        ((("buy", 49, 100, "entry"), ("buy", 100, 110, HAND), ("sell", 49, 90, "stop")), 11_000),
        ((("buy", 100, 110, HAND), ("buy", 49, 100, "entry"), ("sell", 49, 120, "close")), 11_000),
        ((("buy", 49, 100, "entry"), ("buy", 100, 110, HAND), ("sell", 100, 90, HAND)), 4_900),
        ((("buy", 49, 100, "entry"), ("buy", 100, 110, HAND), ("sell", 40, 90, HAND)), 11_500),
        # A hand's sale takes hands' shares first, then ours.
        ((("buy", 49, 100, "entry"), ("buy", 100, 110, HAND), ("sell", 120, 90, HAND)), 2_900),
        ((("buy", 49, 100, "entry"), ("buy", 100, 110, HAND), ("sell", 149, 90, HAND)), 0),
        ((("buy", 49, 100, "entry"), ("buy", 100, 110, HAND), ("sell", 149, 90, "close")), 0),
        ((("sell", 10, 100, "entry"), ("sell", 20, 110, HAND), ("buy", 10, 90, "close")), 2_200),
    ],
)
def test_what_hands_hold_beside_ours_is_charged_for_as_long(orders, left):
    own = book(*(filled(side, n, usd, role=role, minute=i) for i, (side, n, usd, role) in enumerate(orders)))
    spent = own.ledger.budget.deployed(TUESDAY.date())
    assert spent.week_usd == pytest.approx(left)
    assert (spent.day_positions, spent.week_positions) == (1, 1), "one position, whosever it is"
    opening = (n * usd for side, n, usd, role in orders if side == orders[0][0])
    assert spent.day_usd == pytest.approx(sum(opening)) == sum(own.opened.values())


def test_what_hands_buy_of_parked_cash_is_not_charged():
    fund = begin((), TUESDAY.date(), parked=("AAPL",))
    book_event(fund, filled("buy", 10, 100, role=HAND), lambda order: FIGURES, ())
    assert fund.ledger.budget.deployed(TUESDAY.date()).week_usd == 0


def test_an_exit_that_sold_what_hands_hold_charges_the_week_with_nothing():
    own = book(filled("buy", 10, 100, role=OrderRole.MANUAL), filled("sell", 10, 101, role="close", minute=1))
    assert own.ledger.budget.deployed(TUESDAY.date()).week_usd == 0
    assert own.portions == []


def test_an_order_that_is_filled_across_midnight_counts_for_one_day():
    night = TUESDAY.replace(hour=4, minute=59)
    before, after = (
        night.astimezone(NEW_YORK_ZONE).date(),
        (night + timedelta(minutes=2)).astimezone(NEW_YORK_ZONE).date(),
    )
    assert before < after
    for role in ("entry", OrderRole.MANUAL):
        across = replace(filled("buy", 10, 100, role=role), first_fill=night, last_fill=night + timedelta(minutes=2))
        own = replay((across,), lambda order: FIGURES, (), before)
        assert own.opened == {after: 1_000.0}
        assert own.ledger.budget.deployed(after).day_usd == 1_000


@pytest.mark.parametrize(
    ("orders", "opened"),
    [
        # What hands sell of what there is, ours or theirs, opens nothing.
        ((("buy", 10, HAND), ("sell", 4, HAND)), 1_000),
        ((("buy", 10, "entry"), ("sell", 4, HAND)), 1_000),
        ((("buy", 6, HAND), ("buy", 4, "entry"), ("sell", 10, HAND)), 1_000),
        # What they sell beyond it does, and so does what they buy beyond what they owe.
        ((("buy", 10, HAND), ("sell", 14, HAND)), 1_400),
        ((("buy", 10, "entry"), ("sell", 14, HAND)), 1_400),
        ((("sell", 5, HAND),), 500),
        ((("buy", 10, HAND), ("buy", 5, HAND)), 1_500),
        ((("sell", 5, HAND), ("sell", 5, HAND)), 1_000),
        ((("sell", 5, HAND), ("buy", 5, HAND)), 500),
        ((("sell", 5, HAND), ("buy", 8, HAND)), 800),
        ((("sell", 5, HAND), ("buy", 3, HAND), ("buy", 3, HAND)), 600),
        # Beside a short of ours they buy for themselves.
        ((("sell", 10, "entry"), ("buy", 4, HAND)), 1_400),
        ((("buy", 10, "entry"), ("buy", 3, HAND), ("sell", 13, HAND), ("sell", 2, HAND)), 1_500),
    ],
)
def test_what_a_day_has_opened_counts_each_share_by_hand_once(orders, opened):
    own = book(*(filled(side, n, 100, role=role, minute=i) for i, (side, n, role) in enumerate(orders)))
    assert own.opened == {TUESDAY.date(): opened}


@pytest.mark.parametrize(
    ("orders", "left"),
    [
        ((("buy", 10, 100), ("sell", 4, 120)), 600),
        ((("sell", 10, 100), ("buy", 4, 80)), 600),
        ((("buy", 10, 100), ("buy", 10, 120), ("sell", 15, 90)), 550),
        ((("buy", 10, 100), ("sell", 10, 120)), 0),
        # Turned round, what is owed counts alone.
        ((("buy", 10, 100), ("sell", 15, 100)), 500),
    ],
)
def test_the_week_is_charged_with_what_hands_still_hold_at_what_they_paid(orders, left):
    own = book(*(filled(side, n, usd, role=HAND, minute=i) for i, (side, n, usd) in enumerate(orders)))
    assert own.ledger.budget.deployed(TUESDAY.date()).week_usd == pytest.approx(left)


@pytest.mark.parametrize(
    ("orders", "proceeds"),
    [
        ((("buy", 10, 100),), 0),
        ((("sell", 10, 100),), 1_000),
        ((("sell", 10, 100), ("sell", 10, 120)), 2_200),
        ((("sell", 10, 100), ("buy", 4, 80)), 600),
        ((("sell", 10, 100), ("buy", 15, 80)), 0),
        ((("buy", 10, 100), ("sell", 15, 120)), 600),
    ],
)
def test_proceeds_are_of_shares_that_hands_owe_alone(orders, proceeds):
    own = book(*(filled(side, n, usd, role=HAND, minute=i) for i, (side, n, usd) in enumerate(orders)))
    assert own.short_proceeds == proceeds


def test_shares_by_hand_of_two_symbols_are_told_apart_by_their_sign():
    own = book(filled("buy", 10, 100, role=HAND), filled("sell", 3, 50, role=HAND, minute=1, symbol="MSFT"))
    assert (own.manual["AAPL"], own.manual["MSFT"], own.short_proceeds) == (10, -3, 150)
