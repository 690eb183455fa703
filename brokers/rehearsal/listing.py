"""The orders listing: filters, paging and nesting of GET /v2/orders."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from brokers.rehearsal.errors import unprocessable
from brokers.rehearsal.model import Json, Order
from brokers.rehearsal.state import State

STATUSES = ("open", "closed", "all")
DIRECTIONS = ("asc", "desc")


@dataclass(frozen=True, slots=True)
class OrderQuery:
    """What to list; ``after`` and ``until`` bound the time of submission, exclusively."""

    status: str = "open"
    limit: int | None = None
    after: datetime | None = None
    until: datetime | None = None
    direction: str = "desc"
    nested: bool = False
    symbols: Collection[str] = ()


def list_orders(state: State, query: OrderQuery) -> list[Json]:
    """Order objects, newest first unless asked otherwise.

    Held legs are missing from a flat listing of open orders. Nested, each group is one entry: its top order,
    or, once the entry has filled, the exit that works, with the stop that waits behind it as its leg.
    """
    limit = state.settings.default_page if query.limit is None else query.limit
    if query.status not in STATUSES:
        raise unprocessable("invalid status")
    if query.direction not in DIRECTIONS:
        raise unprocessable("invalid direction")
    if not 0 < limit <= state.settings.largest_page:
        raise unprocessable(f"limit must be between 1 and {state.settings.largest_page}")
    chosen = [
        order
        for order in state.orders.values()
        if (not query.symbols or order.symbol in query.symbols)
        and (query.after is None or order.created > query.after)
        and (query.until is None or order.created < query.until)
        and _listed(order, query)
    ]
    chosen.sort(key=lambda o: (o.created, o.sequence), reverse=query.direction == "desc")
    return [_shown(order, query) for order in chosen[:limit]]


def _listed(order: Order, query: OrderQuery) -> bool:
    if not query.nested:
        if query.status == "open":
            return order.open and order.status != "held"
        return query.status == "all" or not order.open
    if query.status == "open":
        return order.open and not (order.is_leg and _working(order) is not order)
    in_group = order.group is not None and any(member is order for member in order.group.members)
    listed = not (in_group and order.is_leg)
    return listed and (query.status == "all" or not order.open)


def _working(leg: Order) -> Order | None:
    """The exit that stands for its group in a nested listing of open orders; None if the top order does."""
    if leg.group is None or leg.group.top.open:
        return None
    return next((m for m in leg.group.exits if m.open), None)


def _shown(order: Order, query: OrderQuery) -> Json:
    if not query.nested:
        return order.to_json(nested=False)
    if query.status == "open" and order.is_leg and order.group is not None:
        return order.to_json(legs=[m for m in order.group.exits if m is not order and m.open])
    return order.to_json()
