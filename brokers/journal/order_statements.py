"""Statements about orders, events and fills; each runs inside a transaction of the caller."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Select, func, select, text

from brokers.journal.database import chain
from brokers.journal.database.schema import UNRESOLVED, fills, order_events, orders, rows_of
from brokers.journal.fills import Booked, Cumulative, Execution, FillReport, booked, exact, written
from brokers.journal.journal_order import AlreadyPlanned, JournalConflict, JournalOrder, OrderIntent
from brokers.journal.states import FINAL, OPEN, advance
from brokers.order_types import State

_PRICES = ("limit_price", "stop_price", "bracket_stop", "bracket_target")


def insert(
    connection: Connection,
    client_order_id: str,
    intent: OrderIntent,
    *,
    run_id: int | None,
    now: datetime,
    venue_id: str | None = None,
) -> None:
    """Write an order that is not there yet, as journaled.

    Raises
    ------
    AlreadyPlanned
        The same order is there.
    JournalConflict
        Another order is there under this id, or its parent is not.
    """
    row: dict[str, Any] = {
        "client_order_id": client_order_id,
        "parent_id": intent.parent_id or None,
        "strategy": intent.strategy,
        "symbol": intent.symbol,
        "side": intent.side,
        "quantity": exact(intent.quantity),
        "type": intent.type,
        "role": intent.role,
        **{name: None if (price := getattr(intent, name)) is None else exact(price) for name in _PRICES},
        "decision_time": intent.decision_time,
        "sequence": intent.sequence,
    }
    there = connection.execute(rows_of(orders).where(orders.c.client_order_id == client_order_id)).mappings().first()
    if there is not None:
        for key, value in row.items():
            if there[key] != value:
                raise JournalConflict(
                    f"{client_order_id} is in the journal with {key} {there[key]}, now it is {value}; the same "
                    "decision must give the same order"
                )
        raise AlreadyPlanned(client_order_id, State(there["state"]))
    if intent.parent_id:
        one(connection, intent.parent_id)
    if venue_id:
        _require_unused(connection, venue_id, client_order_id)
    row |= {
        "run_id": run_id,
        "venue_id": venue_id,
        "reason": intent.reason,
        "state": State.JOURNALED,
        "filled_quantity": Decimal(0),
        "filled_notional": Decimal(0),
        "estimated": False,
        "fees": Decimal(0),
        "journaled_at": now,
    }
    chain.insert(connection, orders, row)
    first = {"quantity": row["quantity"], "venue_id": venue_id}
    _note(connection, client_order_id, "journaled", now, State.JOURNALED, State.JOURNALED, intent.reason, first)


def one(connection: Connection, client_order_id: str) -> JournalOrder:
    """The order of that client order id; JournalConflict if there is none."""
    query = rows_of(orders).where(orders.c.client_order_id == client_order_id)
    row = connection.execute(query).mappings().first()
    if row is None:
        raise JournalConflict(f"{client_order_id} is not in the journal")
    return JournalOrder.of(dict(row))


def many(connection: Connection, query: Select[Any]) -> list[JournalOrder]:
    """The orders of a query, oldest first."""
    ordered = query.order_by(orders.c.journaled_at, orders.c.client_order_id)
    return [JournalOrder.of(dict(row)) for row in connection.execute(ordered).mappings()]


def open_orders(connection: Connection) -> list[JournalOrder]:
    """Orders that are not over."""
    return many(connection, rows_of(orders).where(orders.c.state.in_(sorted(OPEN))))


def unresolved(connection: Connection) -> list[JournalOrder]:
    """No outcome is known, or an outcome without its figures: the venue has to be asked."""
    return many(connection, rows_of(orders).where(text(UNRESOLVED)))


def report(
    connection: Connection,
    client_order_id: str,
    status: State,
    key: str,
    *,
    time: datetime,
    venue_id: str | None,
    reports: Iterable[FillReport] = (),
    reason: str = "",
    quantity: Decimal | None = None,
) -> tuple[JournalOrder, bool]:
    """Book what was reported of an order, and tell whether a fill was told anew; the same again changes nothing.

    ``quantity`` is the order's own by the venue: it grows with each fill where an order was sent for an amount of
    money, and after a split. A fill that is told a second time in another way, by itself after a total, is told anew:
    its time counts too.

    Raises
    ------
    IllegalTransition, JournalConflict
        It contradicts what is known. The transaction has to end without a commit.
    """
    order = one(connection, client_order_id)
    change: dict[str, Any] = {}
    if venue_id and venue_id != order.venue_id:
        if order.venue_id:
            raise JournalConflict(f"{client_order_id} has the venue's id {order.venue_id}, now it is {venue_id}")
        _require_unused(connection, venue_id, client_order_id)
        change["venue_id"] = venue_id
    ordered = order.quantity
    if quantity is not None and quantity > ordered:
        change["quantity"] = ordered = quantity
    state = advance(order.state, status)
    reports, new = list(reports), False
    if reports:
        total, new = _book(connection, client_order_id, reports)
        if total.quantity > ordered:
            raise JournalConflict(
                f"{client_order_id}: fills sum to {total.quantity}, ordered were {ordered}; one came under two ids"
            )
        change |= {
            "filled_quantity": total.quantity,
            "filled_notional": total.notional,
            "estimated": total.estimated,
            "fees": total.fees,
        }
        # The quantity of an order for an amount of money is what was filled so far: only the venue knows the end.
        goes_on = quantity is not None and status is State.PARTIALLY_FILLED
        filled = State.FILLED if total.quantity == ordered and not goes_on else State.PARTIALLY_FILLED
        # A fill may be told of after the order ended, but a rejected order has none.
        if state not in FINAL or state is State.REJECTED:
            state = advance(state, filled)
    if state is not order.state:
        change["state"] = state
    if change:
        connection.execute(orders.update().where(orders.c.client_order_id == client_order_id).values(change))
    _note(connection, client_order_id, key, time, status, state, reason, change)
    return one(connection, client_order_id), new


def _book(connection: Connection, client_order_id: str, reports: list[FillReport]) -> tuple[Booked, bool]:
    """Keep the reports that are new, reconcile all of the order's, and tell whether any was new."""
    mine = fills.c.client_order_id == client_order_id
    there = {row.fill_key: _restored(row) for row in connection.execute(rows_of(fills).where(mine))}
    known = len(there)
    for new in reports:
        key, old = new.key, there.get(new.key)
        if old is not None:
            if not isinstance(new, Execution) or not isinstance(old, Execution):
                continue
            if exact(new.quantity) != exact(old.quantity) or exact(new.price) != exact(old.price):
                raise JournalConflict(
                    f"{client_order_id}: fill {new.key} was {old.quantity} at {old.price}, now it is {new.quantity} at "
                    f"{new.price}"
                )
            # A total that is told later stands beside the fill: what was written is not changed.
            key = "" if new.cumulative is None else _with_total(client_order_id, new, old, there)
        if key and key not in there:
            there[key] = new
            chain.insert(connection, fills, {"client_order_id": client_order_id, **_row(new), "fill_key": key})
    return booked(there.values()), len(there) > known


def _with_total(client_order_id: str, new: Execution, old: Execution, there: Mapping[str, FillReport]) -> str:
    """The key of a fill whose total is known now; empty where it was known."""
    assert new.cumulative is not None
    total = exact(new.cumulative)
    told = [old, *(fill for key, fill in there.items() if key.startswith(f"{new.key}@"))]
    known = [exact(fill.cumulative) for fill in told if isinstance(fill, Execution) and fill.cumulative is not None]
    if any(other != total for other in known):
        raise JournalConflict(f"{client_order_id}: fill {new.key} made the total {known[0]}, now {new.cumulative}")
    return "" if known else f"{new.key}@{written(total)}"


def _row(fill: FillReport) -> dict[str, Any]:
    specific: dict[str, Any]
    if isinstance(fill, Cumulative):
        specific = {"kind": "cumulative", "fill_id": "", "price": fill.average_price, "cumulative": fill.quantity}
        specific["fees"] = None if fill.fees is None else exact(fill.fees)
    else:
        cumulative = fill.cumulative
        specific = {"kind": "execution", "fill_id": fill.fill_id, "price": fill.price, "cumulative": cumulative}
        specific["fees"] = None
    return {"fill_key": fill.key, "quantity": fill.quantity, "time": fill.time, **specific}


def _restored(row: Any) -> FillReport:
    if row.kind == "cumulative":
        return Cumulative(row.quantity, row.price, row.time, row.fees)
    return Execution(row.quantity, row.price, row.time, row.fill_id, row.cumulative)


def _require_unused(connection: Connection, venue_id: str, client_order_id: str) -> None:
    owner = connection.scalar(select(orders.c.client_order_id).where(orders.c.venue_id == venue_id))
    if owner is not None:
        raise JournalConflict(f"the venue's id {venue_id} belongs to {owner}, it cannot be {client_order_id}'s")


def _note(
    connection: Connection,
    client_order_id: str,
    key: str,
    time: datetime,
    status: State,
    state: State,
    reason: str,
    change: Mapping[str, Any],
) -> None:
    """Keep an event once; what changes the order is kept whatever the event is called."""
    mine = order_events.c.client_order_id == client_order_id
    if connection.scalar(select(order_events.c.id).where(mine & (order_events.c.event_key == key))) is not None:
        if not change:
            return
        key = f"{key}#{connection.scalar(select(func.count()).select_from(order_events).where(mine))}"
    row = {"client_order_id": client_order_id, "event_key": key, "time": time, "reason": reason}
    row |= {"status": status, "state": state, "quantity": change.get("quantity"), "venue_id": change.get("venue_id")}
    chain.insert(connection, order_events, row)
