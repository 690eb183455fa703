"""Alpaca's orders, positions and account, read once: what cannot be read is logged and left out."""

from __future__ import annotations

import logging
from collections.abc import Container, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

from brokers.alpaca.payloads import Json
from brokers.alpaca.responses import ID, time_of
from brokers.network.figures import amount, figure, required
from brokers.order_types import OrderType, State
from brokers.venue_values import (
    OrderAck,
    TradeUpdate,
    UnreadOrder,
    VenueAccount,
    VenueFill,
    VenueListing,
    VenueOrder,
    VenuePosition,
    VenuePositions,
)

STATES: Mapping[str, State] = {
    "filled": State.FILLED,
    "canceled": State.CANCELLED,
    "expired": State.EXPIRED,
    "rejected": State.REJECTED,
    "replaced": State.REPLACED,
    "partially_filled": State.PARTIALLY_FILLED,
}
WORKING = (
    "new",
    "accepted",
    "pending_new",
    "held",
    "pending_cancel",
    "pending_replace",
    "done_for_day",
    "calculated",
    "stopped",
    "suspended",
    "accepted_for_bidding",
    "pending_review",
)
CANCEL_PENDING = ("pending_cancel", "pending_replace")
GTC_LIFE = timedelta(days=90)
ALONE = (None, "", "simple")
CLASSES = ("bracket", "oco", "oto", "mleg")
PRICES: Mapping[str, tuple[str, ...]] = {
    OrderType.LIMIT: ("limit_price",),
    OrderType.STOP: ("stop_price",),
    OrderType.STOP_LIMIT: ("limit_price", "stop_price"),
}
"""Prices that an order has by its type; a stop that trails may wait for its first."""
TERMS = ("trail_price", "trail_percent", "notional")
"""Figures of an order that only Lumibot reads."""
FILLS = ("fill", "partial_fill")
COIN_LOT = Decimal("1e-9")
ACTIVE = "ACTIVE"
BLOCKS = {
    "account_blocked": "it is blocked",
    "trading_blocked": "trading is blocked",
    "trade_suspended_by_user": "trading is suspended by its owner",
}

log = logging.getLogger(__name__)


def state_of(status: str) -> State:
    """The journal's state for a venue's status; whatever is not an end still works."""
    return STATES.get(status, State.WORKING)


def moment(text: Any) -> datetime | None:
    """A venue's time, timezone-aware; None for none.

    Raises
    ------
    ValueError
    """
    return time_of(text) if text else None


# ---- orders --------------------------------------------------------------------------------------------


def orders_of(raws: Iterable[Mapping[str, Any]]) -> tuple[VenueOrder, ...]:
    """Orders and their legs, each an order of its own; a row that cannot be read is left out."""
    found = []
    for raw in raws:
        top = str(raw.get("id") or "")
        found += [order for row in each([raw]) if (order := read(row, top)) is not None]
    return tuple(found)


def listing_of(raws: Iterable[Mapping[str, Any]]) -> VenueListing:
    """A listing of orders with what of it cannot be read."""
    raws = list(raws)
    orders = orders_of(raws)
    return VenueListing(orders, _unread(raws, {order.id for order in orders}), _legible(raws, orders))


def ack_of(raw: Json) -> OrderAck:
    """The answer about one order."""
    orders = orders_of([raw])
    unread = _unread([raw], {order.id for order in orders})
    return OrderAck(str(raw["id"]), str(raw.get("client_order_id") or ""), orders, unread, raw)


def update_of(event: Mapping[str, Any]) -> TradeUpdate:
    """A trade update of the stream."""
    raw = event.get("order") or {}
    symbol = str(raw.get("symbol") or "")
    orders = orders_of([raw]) if raw.get("id") else ()
    mine = next((order.id for order in orders if order.id == str(raw["id"])), "")
    if not mine:
        return TradeUpdate("", symbol)
    return TradeUpdate(mine, symbol, orders, _fill_of(event) if event.get("event") in FILLS else None)


def _fill_of(event: Mapping[str, Any]) -> VenueFill | None:
    try:
        quantity, price = amount(event, "qty"), amount(event, "price")
        time = moment(event.get("timestamp"))
    except ValueError as error:
        log.warning("a fill of the stream cannot be read, the next look tells of it: %s", error)
        return None
    return VenueFill(quantity, price, time, str(event.get("execution_id") or "")) if quantity > 0 < price else None


def each(raws: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Every row of a listing, and its legs as rows of their own."""
    return (row for raw in raws for row in (raw, *legs_of(raw)))


def legs_of(raw: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """The legs of an order; what is listed as one and is none is a row of its symbol that cannot be read."""
    legs, nothing = raw.get("legs") or (), {"symbol": raw.get("symbol")}
    listed = legs if isinstance(legs, list | tuple) else (None,)
    return tuple(leg if isinstance(leg, Mapping) else nothing for leg in listed)


def read(row: Mapping[str, Any], listed_under: str = "") -> VenueOrder | None:
    """One row of a listing by itself; None, logged once, if it cannot be read."""
    try:
        return _order(row, listed_under)
    except (KeyError, ValueError) as error:
        leave_out(f"order {row.get('id')}", repr(error))
        return None


@lru_cache(maxsize=1_000)
def leave_out(what: str, why: str) -> None:
    """Say of a row of the venue's that it cannot be read; once."""
    log.warning("%s of the venue's listing is left out, it cannot be read: %s", what, why)


def _order(raw: Mapping[str, Any], listed_under: str) -> VenueOrder:
    """Notional orders have no quantity at the venue: theirs is what was filled."""
    filled, name, status = amount(raw, "filled_qty"), str(raw["id"]), str(raw["status"])
    kind, side, shape = str(raw.get("type") or raw.get("order_type")), raw.get("side"), raw.get("order_class")
    if not ID.fullmatch(name):
        raise ValueError(f"its id is {name!r}")
    # What an order of an unknown kind protects, or whether one still works, would be a guess.
    if kind not in tuple(OrderType) or (status not in STATES and status not in WORKING):
        raise ValueError(f"type {kind!r} or status {status!r} is not known")
    if side not in ("buy", "sell") or shape not in (*ALONE, *CLASSES):
        raise ValueError(f"side {side!r} or class {shape!r} is not known")
    for key in PRICES.get(kind, ()):
        required(raw, key)
    created, time_in_force = moment(raw.get("created_at")), str(raw.get("time_in_force") or "")
    times = (raw.get(key) for key in ("filled_at", "updated_at", "submitted_at", "created_at"))
    expires = moment(raw.get("expires_at"))
    if expires is None and created is not None and time_in_force == "gtc":
        expires = created + GTC_LIFE
    return VenueOrder(
        id=name,
        client_order_id=str(raw.get("client_order_id") or raw["id"]),
        symbol=str(raw["symbol"]),
        side="buy" if side == "buy" else "sell",
        type=kind,
        status=status,
        state=state_of(status),
        quantity=filled if amount(raw, "notional") else required(raw, "qty"),
        filled=filled,
        average_price=amount(raw, "filled_avg_price"),
        limit_price=amount(raw, "limit_price"),
        stop_price=amount(raw, "stop_price"),
        time_in_force=time_in_force,
        group=name,
        listed_under=listed_under or name,
        replaces=str(raw.get("replaces") or ""),
        # An exit that is listed with its sibling trades on its side.
        opens_group=any(leg.get("side") != raw.get("side") for leg in legs_of(raw)),
        grouped=shape not in ALONE,
        cancel_pending=status in CANCEL_PENDING,
        created=created,
        submitted=moment(raw.get("submitted_at")),
        updated=moment(raw.get("updated_at")),
        changed=moment(next((time for time in times if time), None)),
        expires=expires,
        native=raw,
    )


def _unread(raws: Iterable[Mapping[str, Any]], orders: Container[str]) -> tuple[UnreadOrder, ...]:
    """The orders of a listing that are not among those that could be read."""
    found = []
    for raw in raws:
        group = list(each([raw]))
        lost = [row for row in group if str(row.get("id")) not in orders]
        names = tuple((str(row.get("id")), str(row.get("client_order_id"))) for row in group) if lost else ()
        found += [UnreadOrder(str(row.get("id") or ""), str(row.get("symbol") or ""), names) for row in lost]
    return tuple(found)


def _legible(raws: Iterable[Mapping[str, Any]], orders: Iterable[VenueOrder]) -> list[Json]:
    """The orders of a listing as sent, without rows and legs that cannot be read."""
    # Which rows those are the orders tell that were made of them: no row is read twice.
    made_of = {id(order.native) for order in orders}

    def fine(row: Mapping[str, Any]) -> bool:
        return id(row) in made_of and all(_number(row, name) is not None for name in TERMS)

    kept = list[Json]()
    for raw in raws:
        legs = [dict(leg) for leg in legs_of(raw) if fine(leg)]
        kept += [{**raw, "legs": legs or None}] if fine(raw) else legs
    return kept


# ---- positions and account -----------------------------------------------------------------------------


def positions_of(raws: Iterable[Mapping[str, Any]]) -> VenuePositions:
    """Positions by symbol, and whether all of them could be read."""
    rows = list(raws)
    found = {position.symbol: position for row in rows if (position := _position(row)) is not None}
    return VenuePositions(found, len(found) == len(rows))


def account_of(raw: Json) -> VenueAccount:
    """The account, and why it may open nothing.

    Raises
    ------
    ValueError
        Equity or cash are missing, or no numbers.
    """
    status = str(raw.get("status") or "not told").upper()
    blocked = [words for key, words in BLOCKS.items() if raw.get(key) is True]
    blocked += [] if status == ACTIVE else [f"its status is {status}"]
    return VenueAccount(
        id=str(raw.get("account_number") or raw.get("id") or ""),
        equity=required(raw, "equity"),
        cash=required(raw, "cash"),
        blocked=", ".join(blocked),
        native=raw,
    )


def _position(raw: Mapping[str, Any]) -> VenuePosition | None:
    """A position without figures that are no numbers; None, logged once, if what is held cannot be read."""
    symbol, side = raw.get("symbol"), raw.get("side")
    try:
        quantity = figure(raw["qty"], "qty")
        if not symbol:
            raise ValueError("it has no symbol")
        # Without a side the sign of the quantity tells it.
        if side not in (None, "", "long", "short"):
            raise ValueError(f"side {side!r} is not known")
    except (KeyError, ValueError) as error:
        leave_out(f"the position in {symbol}", repr(error))
        return None
    names = ("qty_available", "avg_entry_price", "current_price", "market_value", "unrealized_pl")
    figures = {name: _number(raw, name) for name in names}
    if odd := [name for name, figure in figures.items() if figure is None]:
        leave_out(f"{', '.join(odd)} of the position in {symbol}", "no number")
    available = figures["qty_available"]
    if available is None or raw.get("qty_available") is None:
        available = quantity
    worth = figures["market_value"]
    return VenuePosition(
        symbol=str(symbol),
        quantity=-abs(quantity) if side == "short" else quantity,
        available=abs(available),
        average_price=figures["avg_entry_price"] or Decimal(0),
        price=figures["current_price"] or Decimal(0),
        market_value=None if raw.get("market_value") in (None, "") else worth,
        lot=COIN_LOT if raw.get("asset_class") == "crypto" else None,
        native={**raw, **dict.fromkeys(odd)},
    )


def _number(row: Mapping[str, Any], name: str) -> Decimal | None:
    """A figure of a row, 0 where it is missing; None if it is no number."""
    try:
        return amount(row, name)
    except ValueError:
        return None
