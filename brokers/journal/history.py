"""What a desk reads back after a restart: fills in their order, names of orders, the figures of a decision."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal

from sqlalchemy import Connection, func, select

from brokers.journal.database.schema import VERSION, decisions, fills, order_events, orders, rows_of, splits
from brokers.journal.journal_order import JournalOrder
from brokers.journal.marks import NEAREST
from brokers.journal.states import FINAL
from brokers.order_types import OPENING_ROLES, OrderRole, State
from market.trading_day import begin_of

SHARE_DIGITS = 9
"""Of a share, to which venues keep fractions."""
AMENDED_BY = "amended by "
"""Begins the key of the event that tells of an order which row of the orders has the terms that it got then."""


@dataclass(frozen=True, slots=True)
class FilledOrder:
    """An order with fills, and when the first and the last of them happened."""

    order: JournalOrder
    first_fill: datetime
    last_fill: datetime


@dataclass(frozen=True, slots=True)
class Split:
    """So many shares of a symbol (``before``) became so many (``after``)."""

    symbol: str
    time: datetime
    before: Decimal
    after: Decimal

    def scaled(self, quantity: Decimal) -> Decimal:
        return quantity * self.after / self.before


@dataclass(frozen=True, slots=True)
class Figures:
    """What a decision was made on; None where it had no number."""

    signal: str
    reason: str
    score: Decimal | None
    price: Decimal | None
    stop: Decimal | None
    atr: Decimal | None


def filled_orders(
    connection: Connection, names: Collection[str] | None = None, version: int = VERSION
) -> list[FilledOrder]:
    """Every order with fills, by the time of its first; of ``names`` alone where they are given."""
    table = orders.c
    found = select(
        fills.c.client_order_id,
        func.min(fills.c.time, type_=fills.c.time.type).label("first"),
        func.max(fills.c.time, type_=fills.c.time.type).label("last"),
    ).group_by(fills.c.client_order_id)
    if names is not None:
        found = found.where(fills.c.client_order_id.in_(names))
    times = found.subquery()
    query = (
        rows_of(orders, version)
        .add_columns(times.c.first, times.c.last)
        .join(times, times.c.client_order_id == table.client_order_id)
        .order_by(times.c.first, table.journaled_at, table.client_order_id)
    )
    rows = connection.execute(query).mappings()
    return [FilledOrder(JournalOrder.of(dict(row)), row["first"], row["last"]) for row in rows]


def all_splits(connection: Connection) -> list[Split]:
    """Every split, by its time."""
    table = splits.c
    query = select(table.symbol, table.time, table.before, table.after).order_by(table.time, table.symbol)
    return [Split(*row) for row in connection.execute(query)]


def in_present_shares(price: Decimal, symbol: str, since: datetime, splits: Iterable[Split]) -> Decimal:
    """A price of ``since``, per share as shares are now."""
    for split in splits:
        if split.symbol == symbol and split.time > since:
            price = price * split.before / split.after
    return price


def positions_by_fills(filled: Iterable[FilledOrder], splits: Iterable[Split]) -> dict[str, Decimal]:
    """Quantity held by symbol, by fills and splits in the order of their times; flat symbols left out."""
    held: dict[str, Decimal] = {}
    ahead = list(splits)
    for item in filled:
        while ahead and ahead[0].time < item.first_fill:
            _scale(held, ahead.pop(0))
        order = item.order
        signed = order.filled_quantity if order.side == "buy" else -order.filled_quantity
        held[order.symbol] = held.get(order.symbol, Decimal(0)) + signed
    for split in ahead:
        _scale(held, split)
    return {symbol: quantity for symbol, quantity in sorted(held.items()) if quantity}


def _scale(held: dict[str, Decimal], split: Split) -> None:
    if split.symbol in held:
        held[split.symbol] = round(split.scaled(held[split.symbol]), SHARE_DIGITS)


def cash_by_fills(connection: Connection) -> Decimal:
    """USD that fills brought (sales) less what they cost and less their fees."""
    # Summed here: SQLite would use floats.
    table = orders.c
    query = select(table.side, table.filled_notional, table.fees).where(table.filled_quantity != Decimal(0))
    rows = connection.execute(query).all()
    return sum(((usd if side == "sell" else -usd) - fees for side, usd, fees in rows), Decimal(0))


def filled_entries(connection: Connection, session: date) -> int:
    """How many decisions to enter had fills on a day, in whole or in part."""
    wanted = (
        select(orders.c.symbol, orders.c.decision_time)
        .join(fills, fills.c.client_order_id == orders.c.client_order_id)
        .where(orders.c.role.in_([str(role) for role in OPENING_ROLES]))
        .where(fills.c.time >= begin_of(session), fills.c.time < begin_of(session + timedelta(days=1)))
        .distinct()
    )
    return len(connection.execute(wanted).all())


def entry_times(connection: Connection, since: datetime) -> list[tuple[datetime, str]]:
    """When orders that open a position were planned since a moment, and when those ended of which nothing filled.

    Each with the order's symbol and name (``named``). What was refused is none, nor is an order in whose place another
    has come, or that only gave another its terms. What counts as lost may have been sent.
    """
    table, told = orders.c, order_events.c
    entries = table.role.in_([str(role) for role in OPENING_ROLES]) & (table.journaled_at >= since)
    entries &= table.state != State.REJECTED
    entries &= (table.state != State.REPLACED) | (table.filled_quantity != Decimal(0))
    unfilled = table.state.in_([str(state) for state in FINAL]) & (table.filled_quantity == Decimal(0))
    ends = (
        select(func.max(told.time, type_=told.time.type), table.symbol, told.client_order_id)
        .join(orders, table.client_order_id == told.client_order_id)
        .where(entries & unfilled)
        .group_by(told.client_order_id, table.symbol)
    )
    sent = select(table.journaled_at, table.symbol, table.client_order_id).where(entries)
    rows = [*connection.execute(sent), *connection.execute(ends)]
    return sorted((time, named(symbol, name)) for time, symbol, name in rows)


def named(symbol: str, client_order_id: str) -> str:
    """An order by its symbol and its name, in one word each."""
    return f"{symbol} {client_order_id}"


def venue_ids(connection: Connection) -> dict[str, str]:
    """Client order id by the venue's id, of every order that has one."""
    query = select(orders.c.venue_id, orders.c.client_order_id).where(orders.c.venue_id.is_not(None))
    return {str(row.venue_id): str(row.client_order_id) for row in connection.execute(query)}


def without_venue_id(connection: Connection) -> frozenset[str]:
    """Client order ids of every order that the venue gave no id."""
    query = select(orders.c.client_order_id).where(orders.c.venue_id.is_(None))
    return frozenset(connection.scalars(query))


def next_sequence(connection: Connection, symbol: str, role: str, decision_time: datetime) -> int:
    """The first number that no order of this symbol, role and decision has."""
    table = orders.c
    mine = (table.symbol == symbol) & (table.role == role) & (table.decision_time == decision_time)
    last = connection.scalar(select(func.max(table.sequence)).where(mine))
    return 0 if last is None else int(last) + 1


def figures(connection: Connection, symbol: str, time: datetime) -> Figures | None:
    """The figures of the decision that entered ``symbol`` at ``time``; None if the journal has none."""
    table = decisions.c
    query = (
        select(table.signal, table.reason, table.score, table.price, table.stop, table.atr)
        .where((table.symbol == symbol) & (table.time == time) & (table.outcome != "refused"))
        .order_by(table.id.desc())
        .limit(1)
    )
    row = connection.execute(query).first()
    return None if row is None else Figures(*row)


def all_figures(connection: Connection) -> dict[tuple[str, datetime], Figures]:
    """The same of every decision that was not refused, by symbol and time."""
    table = decisions.c
    columns = (table.signal, table.reason, table.score, table.price, table.stop, table.atr)
    query = select(table.symbol, table.time, *columns).where(table.outcome != "refused").order_by(table.id)
    return {(row[0], row[1]): Figures(*row[2:]) for row in connection.execute(query)}


def last_exit_price(connection: Connection, symbol: str, role: str, since: datetime) -> Decimal | None:
    """The stop price (limit price of a target) of the newest exit of a symbol that the venue took; None without.

    In present shares: what was asked for before a split is told as it would be now. What only stood in for an exit that
    the market had passed is none.
    """
    table = orders.c
    price = table.stop_price if role == "stop" else table.limit_price
    query = (
        select(price, table.journaled_at)
        .where((table.symbol == symbol) & (table.role == role) & (table.journaled_at >= since))
        .where((table.state != State.REJECTED) & price.is_not(None) & (table.reason != NEAREST))
        .where((table.state != State.LOST) | table.venue_id.is_not(None))
        .order_by(table.journaled_at.desc(), table.sequence.desc())
        .limit(1)
    )
    row = connection.execute(query).first()
    return None if row is None else in_present_shares(row[0], symbol, row.journaled_at, all_splits(connection))


def present_terms(connection: Connection, order: JournalOrder) -> JournalOrder:
    """An order with the prices that it has now: those of its latest amendment, or those that it was sent with."""
    events = order_events.c
    key = connection.scalar(
        select(events.event_key)
        .where((events.client_order_id == order.client_order_id) & events.event_key.startswith(AMENDED_BY))
        .order_by(events.id.desc())
        .limit(1)
    )
    if key is None:
        return order
    prices = select(orders.c.limit_price, orders.c.stop_price).where(
        orders.c.client_order_id == key.removeprefix(AMENDED_BY)
    )
    limit, stop = connection.execute(prices).one()
    return replace(order, limit_price=limit, stop_price=stop)


def all_at_present_terms(connection: Connection, found: Collection[JournalOrder]) -> list[JournalOrder]:
    """The same of orders and what amended them, all of which are among ``found``."""
    events, known = order_events.c, {order.client_order_id: order for order in found}
    query = select(events.client_order_id, events.event_key).where(events.event_key.startswith(AMENDED_BY))
    present = dict(known)
    for name, key in connection.execute(query.order_by(events.id)):
        if name in known and (change := known.get(key.removeprefix(AMENDED_BY))) is not None:
            present[name] = replace(known[name], limit_price=change.limit_price, stop_price=change.stop_price)
    return list(present.values())


def last_stop(connection: Connection, symbol: str, since: datetime) -> JournalOrder | None:
    """The newest stop of a symbol that was planned or adopted from a moment on, whatever became of it; None without.

    What amended a stop is that stop, at its new price.
    """
    table = orders.c
    query = (
        rows_of(orders)
        .where((table.symbol == symbol) & (table.role == OrderRole.STOP) & (table.journaled_at >= since))
        .order_by(table.journaled_at.desc(), table.sequence.desc())
        .limit(1)
    )
    row = connection.execute(query).mappings().first()
    if row is None:
        return None
    newest, events = JournalOrder.of(dict(row)), order_events.c
    query = rows_of(orders).join(order_events, events.client_order_id == table.client_order_id)
    amended = query.where(events.event_key == f"{AMENDED_BY}{newest.client_order_id}")
    row = connection.execute(amended).mappings().first()
    return newest if row is None else replace(JournalOrder.of(dict(row)), stop_price=newest.stop_price)
