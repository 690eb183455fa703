"""What a venue shows of an order against what was sent: what contradicts, what was moved, and what a relative is."""

from __future__ import annotations

from dataclasses import dataclass

from brokers.desk.reconcile.corporate_actions import adjusted
from brokers.journal import JournalOrder
from brokers.journal.marks import NEAREST
from brokers.order_types import OrderRole
from brokers.venue_values import VenueOrder

FAR = 10
"""So many times the prices that an order was sent with, or the same part of them, is no price that it was filled at."""


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Something that the venue says of an order and that cannot be booked."""

    symbol: str
    what: str


class Misplaced(ValueError):
    """An order is shown as what it cannot be; ``symbol`` is the one that it belongs to."""

    def __init__(self, told: str, symbol: str) -> None:
        super().__init__(told)
        self.symbol = symbol


def reason_of(relative: JournalOrder, otherwise: str, *, moved: bool = False) -> str:
    """The reason of what belongs to or changes an order of ours: what stands in for an exit does so with all its legs.

    What was ``moved`` stands in no longer: whoever did it has chosen its price.
    """
    return NEAREST if relative.reason == NEAREST and not moved else otherwise


def is_moved(known: JournalOrder, order: VenueOrder) -> bool:
    """Whether an exit, or what took its place, rests at another price than it had; a split moves none."""
    before = (known.stop_price, known.bracket_stop) if order.is_stop else (known.limit_price, known.bracket_target)
    price = order.stop_price if order.is_stop else order.limit_price
    return bool(price and any(before)) and price not in before and adjusted(known, order) is None


def level_of(order: VenueOrder) -> OrderRole:
    """What an order is that rests at a level of a position of ours."""
    return OrderRole.STOP if order.is_stop else OrderRole.TARGET


def differs(planned: JournalOrder, order: VenueOrder) -> str:
    """How an order that the venue shows cannot be the one that was sent, in words; empty if it can.

    A split of its shares explains another quantity and price. Of manual orders nothing was known beforehand.
    """
    if planned.role == OrderRole.MANUAL:
        return ""
    if (order.symbol, order.side) != (planned.symbol, planned.side):
        return f"{order.side} {order.symbol}, it was sent as {planned.side} {planned.symbol}"
    if adjusted(planned, order):
        return ""
    most = planned.quantity
    if order.filled > most or (order.quantity > most and not order.replaces):
        return f"{order.quantity} shares with {order.filled} filled, {most} were sent"
    sent = planned.limit_price, planned.stop_price, planned.bracket_stop, planned.bracket_target
    # Those of the venue may be adjusted to a split that is booked already.
    prices = [price for price in (*sent, order.limit_price, order.stop_price) if price]
    paid = order.average_price
    if order.filled > 0 and paid > 0 and prices and not min(prices) / FAR < paid < max(prices) * FAR:
        return f"filled at {paid}, it was sent at {prices[0]}"
    return ""
