"""What the venue shows of orders, flat: every leg an order of its own that knows its group."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

from brokers.alpaca.payloads import Json, amount
from brokers.journal import State

STATES: Mapping[str, State] = {
    "filled": State.FILLED,
    "canceled": State.CANCELLED,
    "expired": State.EXPIRED,
    "rejected": State.REJECTED,
    "replaced": State.REPLACED,
    "partially_filled": State.PARTIALLY_FILLED,
}
WORKING = (
    "new", "accepted", "pending_new", "held", "pending_cancel", "pending_replace", "done_for_day", "calculated",
    "stopped", "suspended", "accepted_for_bidding", "pending_review",
)  # fmt: skip
STOPS = ("stop", "stop_limit", "trailing_stop")
TYPES = ("market", "limit", *STOPS)
GTC_LIFE = timedelta(days=90)

log = logging.getLogger(__name__)


def state_of(status: str) -> State:
    """The journal's state for a venue's status; whatever is not an end still works."""
    return STATES.get(status, State.WORKING)


def moment(text: Any) -> datetime | None:
    """A venue's time, timezone-aware; None for none."""
    return datetime.fromisoformat(str(text)) if text else None


@dataclass(frozen=True, slots=True)
class VenueOrder:
    """One order at the venue.

    ``group`` names what fills or ends together, ``armed`` is False for exits that wait for
    their entry to fill completely.

    Prices in USD, quantities in shares, ``raw`` as it came.
    """

    id: str
    client_order_id: str
    symbol: str
    side: str
    type: str
    status: str
    quantity: Decimal
    filled: Decimal
    average_price: Decimal
    limit_price: Decimal
    stop_price: Decimal
    group: str
    armed: bool
    raw: Json

    @property
    def state(self) -> State:
        return state_of(self.status)

    @property
    def open(self) -> bool:
        return self.state in (State.WORKING, State.PARTIALLY_FILLED)

    @property
    def remaining(self) -> Decimal:
        return self.quantity - self.filled if self.open else Decimal(0)

    @property
    def is_stop(self) -> bool:
        return self.type in STOPS

    @property
    def leaving(self) -> bool:
        """Whether a cancel or replace of it is on its way."""
        return self.status in ("pending_cancel", "pending_replace")

    @property
    def time(self) -> datetime | None:
        """When the venue last changed it."""
        told = (self.raw.get(key) for key in ("filled_at", "updated_at", "submitted_at", "created_at"))
        return moment(next((time for time in told if time), None))

    @property
    def ends(self) -> datetime | None:
        """When the venue drops it; of a good-till-cancelled order that doesn't say, by its age."""
        created = moment(self.raw.get("created_at"))
        if self.raw.get("expires_at") or created is None or self.raw.get("time_in_force") != "gtc":
            return moment(self.raw.get("expires_at"))
        return created + GTC_LIFE


def flat(raws: Iterable[Mapping[str, Any]], known: Iterable[VenueOrder] = ()) -> dict[str, VenueOrder]:
    """Orders and their legs by the venue's id; of an id that comes twice the newer one, by its last change.

    What is ``known`` of earlier listings tells which of them are one group, and nothing else.

    A venue lists a group in several ways: under its entry, under the exit that works, in rows of their own. Whatever
    was seen together or replaces one another is one group, and its exits count once its entry, if one is seen, has
    filled completely. Notional orders have no quantity at the venue: theirs is what was filled. A row that cannot be
    read is left out, so that one of them does not hide all others.
    """
    found: dict[str, VenueOrder] = {}
    ties = [(order.group, order.id) for order in known]
    for raw in raws:
        for row in each([raw]):
            if (order := read(row)) is None:
                continue
            ties.append((str(raw.get("id") or order.id), order.id))
            if row.get("replaces"):
                ties.append((str(row["replaces"]), order.id))
            there = found.get(order.id)
            if there is None or _newer(order, there):
                found[order.id] = order
    roots = _joined(ties)
    waiting = {roots[o.id] for o in found.values() if _is_entry(o) and o.state is not State.FILLED}
    return {
        name: replace(order, group=roots[name], armed=_is_entry(order) or roots[name] not in waiting)
        for name, order in found.items()
    }


def each(raws: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Every row of a listing, and its legs as rows of their own."""
    return (row for raw in raws for row in (raw, *(raw.get("legs") or ())))


def read(row: Mapping[str, Any]) -> VenueOrder | None:
    """One row of a listing by itself; None, told once, if it cannot be read."""
    try:
        return _order(row)
    except (KeyError, ValueError) as error:
        leave_out(f"order {row.get('id')}", repr(error))
        return None


@cache
def leave_out(what: str, why: str) -> None:
    """Say of a row of the venue's that it cannot be read; once."""
    log.warning("%s of the venue's listing is left out, it cannot be read: %s", what, why)


def _joined(ties: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Which group each name belongs to, from pairs of names that do."""
    root: dict[str, str] = {}

    def top(name: str) -> str:
        while (above := root.setdefault(name, name)) != name:
            name = above
        return name

    for one, other in ties:
        first, second = sorted((top(one), top(other)))
        root[second] = first
    return {name: top(name) for name in list(root)}


def _is_entry(order: VenueOrder) -> bool:
    """Whether an order has exits that wait for it: an exit that is listed with its sibling trades on its side."""
    return any(leg.get("side") != order.raw.get("side") for leg in order.raw.get("legs") or ())


def _newer(new: VenueOrder, old: VenueOrder) -> bool:
    fresh, known = moment(new.raw.get("updated_at")), moment(old.raw.get("updated_at"))
    return fresh is None or known is None or fresh >= known


def _order(raw: Mapping[str, Any]) -> VenueOrder:
    filled = amount(raw, "filled_qty")
    kind, status = str(raw.get("type") or raw.get("order_type") or "market"), str(raw["status"])
    # What an order of an unknown kind protects, or whether one still works, would be a guess.
    if kind not in TYPES or (status not in STATES and status not in WORKING):
        raise ValueError(f"type {kind!r} or status {status!r} is not known")
    return VenueOrder(
        id=str(raw["id"]),
        client_order_id=str(raw.get("client_order_id") or raw["id"]),
        symbol=str(raw["symbol"]),
        side="buy" if raw.get("side") == "buy" else "sell",
        type=kind,
        status=status,
        quantity=amount(raw, "qty") or filled,
        filled=filled,
        average_price=amount(raw, "filled_avg_price"),
        limit_price=amount(raw, "limit_price"),
        stop_price=amount(raw, "stop_price"),
        group=str(raw["id"]),
        armed=True,
        raw=dict(raw),
    )
