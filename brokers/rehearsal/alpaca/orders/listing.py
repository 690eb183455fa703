"""The orders listing: filters, paging and nesting of GET /v2/orders."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from brokers.rehearsal.alpaca.errors import unprocessable
from brokers.rehearsal.alpaca.json_bodies import Json, order_json
from brokers.rehearsal.alpaca.queries import Query, choose, flag, moment, names, whole
from brokers.rehearsal.core.model import Order
from brokers.rehearsal.core.state import State

ORDER_CLASSES = ("us_equity", "us_option", "crypto", "crypto_perp", "treasury", "corporate", "ipo")
STATUSES = ("open", "closed", "all")
DIRECTIONS = ("asc", "desc")


@dataclass(frozen=True, slots=True)
class OrderQuery:
    """What to list.

    ``after`` and ``until`` bound the time of submission, ``after_id`` and ``before_id`` name orders as bounds; all
    exclusively. Empty sets and texts let everything pass.
    """

    status: str = "open"
    limit: int | None = None
    after: datetime | None = None
    until: datetime | None = None
    direction: str = "desc"
    nested: bool = False
    symbols: Collection[str] = ()
    side: str = ""
    asset_classes: Collection[str] = ()
    after_id: str = ""
    before_id: str = ""


def read_query(query: Query) -> OrderQuery:
    """The query of GET /v2/orders."""
    after, until = moment(query, "after"), moment(query, "until")
    after_id, before_id = query.get("after_order_id", ""), query.get("before_order_id", "")
    if after_id and before_id:
        raise unprocessable("after_order_id and before_order_id are mutually exclusive")
    if (after_id or before_id) and (after is not None or until is not None):
        raise unprocessable("after_order_id and before_order_id cannot be combined with after or until")
    return OrderQuery(
        query.get("status") or "open",
        whole(query, "limit"),
        after,
        until,
        query.get("direction") or "desc",
        flag(query, "nested"),
        names(query, "symbols"),
        choose(query, "side", ("", "buy", "sell"), ""),
        names(query, "asset_class", ORDER_CLASSES),
        after_id,
        before_id,
    )


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
    if query.asset_classes and "us_equity" not in query.asset_classes:
        return []
    low, high = _bound(state, query.after_id, "after_order_id"), _bound(state, query.before_id, "before_order_id")
    chosen = [
        order
        for order in state.orders.values()
        if (not query.symbols or order.symbol in query.symbols)
        and query.side in ("", order.side)
        and (query.after is None or order.created > query.after)
        and (query.until is None or order.created < query.until)
        and (low is None or _place(order) > low)
        and (high is None or _place(order) < high)
        and _listed(order, query)
    ]
    chosen.sort(key=_place, reverse=query.direction == "desc")
    return [_shown(order, query) for order in chosen[:limit]]


def _place(order: Order) -> tuple[datetime, int]:
    return order.created, order.sequence


def _bound(state: State, order_id: str, name: str) -> tuple[datetime, int] | None:
    if not order_id:
        return None
    if order_id not in state.orders:
        raise unprocessable(f"invalid {name}: no order has that id")
    return _place(state.orders[order_id])


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
        return order_json(order, nested=False)
    if query.status == "open" and order.is_leg and order.group is not None:
        return order_json(order, legs=[m for m in order.group.exits if m is not order and m.open])
    return order_json(order)
