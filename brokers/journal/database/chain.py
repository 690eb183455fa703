"""The journal as a hash chain: each row carries its place and a SHA-256 over itself and the hash before it.

What was written once is never changed: decisions with their verdicts, orders as they were planned, what was reported
of them, fills, equity, sessions, halts, splits, runs and entries that were not sent. What changes (an order's state,
what was filled of it) and trades are derived from those rows. A row's hash is taken over its line, the JSON text that
``line`` gives, with the hash of the row before it; so one changed byte in any row shows in that row, and a row that is
gone in the next one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from decimal import Decimal
from typing import Any

from sqlalchemy import Boolean, Column, Connection, Date, Integer, Table, select, update

from brokers.journal.database.schema import (
    CHAIN_COLUMNS,
    CHAIN_SINCE,
    DERIVED,
    Exact,
    Moment,
    came_with,
    decisions,
    equity,
    fills,
    halts,
    meta,
    not_sent,
    order_events,
    orders,
    runs,
    sessions,
    splits,
    trades,
    verdicts,
)
from brokers.journal.fills import exact, unsigned, written

HEAD, GENESIS = "chain", "chain_begins_with"
CHAINED: tuple[Table, ...] = (runs, decisions, orders, order_events, fills, equity, sessions, halts, splits, not_sent)
LEFT_OUT = {decisions.name: {"id"}, order_events.name: {"id"}, orders.name: DERIVED}
"""Columns that are in no hash: numbers that the place in the chain tells, and what follows from other rows."""
NAMED_IF_THERE = {
    table.name: {c.name for c in table.columns if came_with(c) > CHAIN_SINCE} - LEFT_OUT.get(table.name, set())
    for table in (*CHAINED, verdicts)
}
"""Columns that came after the chain: a row that has nothing in them has the line that it had before."""
_INFO = "journal_chain"


@dataclass(slots=True)
class Head:
    """The last row's number and hash; ``kept`` is the number that is written as the head."""

    link: int
    hash: str
    kept: int = -1

    def text(self) -> str:
        return f"{self.link} {self.hash}"


def hashed_columns(table: Table) -> list[Column[Any]]:
    """The columns of a table that are in a row's hash."""
    out = LEFT_OUT.get(table.name, set()) | set(CHAIN_COLUMNS)
    return [column for column in table.columns if column.name not in out]


_HASHED = {table.name: hashed_columns(table) for table in (*CHAINED, verdicts, trades)}


def genesis(account_id: str) -> str:
    """What stands before the first row; another one for each account."""
    return hashlib.sha256(f"journal of account {account_id}".encode()).hexdigest()


def line(link: int, table: str, values: Mapping[str, Any]) -> str:
    """A row as the one text that is hashed: JSON in ASCII, keys in their order, without blanks."""
    return json.dumps({"link": link, "table": table, **values}, sort_keys=True, separators=(",", ":"))


def next_hash(before: str, text: str) -> str:
    """SHA-256 of the hash before and of a row's line, in hexadecimal digits."""
    return hashlib.sha256(f"{before}\n{text}".encode()).hexdigest()


def plain_values(table: Table, row: Mapping[str, Any]) -> dict[str, Any]:
    """A row's hashed columns as JSON holds them; the same from what is written and from what was read."""
    late = NAMED_IF_THERE.get(table.name, ())
    return {
        column.name: _plain(column, row.get(column.name))
        for column in _HASHED[table.name]
        if column.name not in late or row.get(column.name) is not None
    }


def verdict_values(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A decision's verdicts in their order, as its line holds them."""
    return [{k: v for k, v in plain_values(verdicts, row).items() if k != "decision_id"} for row in rows]


def insert(connection: Connection, table: Table, *rows: dict[str, Any]) -> None:
    """Write rows as the next ones of the chain."""
    alike = [{k: unsigned(v) if isinstance(v, float | Decimal) else v for k, v in row.items()} for row in rows]
    connection.execute(table.insert(), [link_in(connection, table, row) for row in alike])


def link_in(
    connection: Connection, table: Table, row: dict[str, Any], more: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """A row with its place and hash; the caller writes it. ``more`` is hashed with it and stands elsewhere."""
    head = _head(connection)
    head.link += 1
    head.hash = next_hash(head.hash, line(head.link, table.name, plain_values(table, row) | dict(more or {})))
    return row | {"link": head.link, "hash": head.hash}


def begin(connection: Connection, account_id: str) -> None:
    """Lay the beginning of a chain."""
    start = genesis(account_id)
    rows = {GENESIS: start, HEAD: Head(0, start).text()}
    connection.execute(meta.insert(), [{"key": key, "value": value} for key, value in rows.items()])


def keep_head(connection: Connection) -> None:
    """Write the new head, if the transaction has added rows."""
    head: Head | None = connection.info.get(_INFO)
    if head is not None and head.kept != head.link:
        connection.execute(update(meta).where(meta.c.key == HEAD).values(value=head.text()))
        head.kept = head.link


def forget_head(connection: Connection) -> None:
    """After a transaction that came to nothing: the next one reads the head anew. Nobody else writes."""
    if not (connection.closed or connection.invalidated):
        connection.info.pop(_INFO, None)


def read_head(connection: Connection) -> Head:
    """The head as it is written.

    Raises
    ------
    ValueError
        There is none that can be read.
    """
    value = connection.scalar(select(meta.c.value).where(meta.c.key == HEAD))
    link, _, digest = str(value).partition(" ")
    if not link.isascii() or not link.isdigit() or len(digest) != 64:
        raise ValueError(f"the chain's head is {value!r}")
    return Head(int(link), digest)


def _head(connection: Connection) -> Head:
    head: Head | None = connection.info.get(_INFO)
    if head is None:
        head = connection.info[_INFO] = read_head(connection)
        head.kept = head.link
    return head


def _plain(column: Column[Any], value: Any) -> Any:
    if value is None:
        return None
    kind = column.type
    if isinstance(kind, Exact):
        return written(exact(value))
    if isinstance(kind, Moment):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(kind, Date):
        return value.isoformat()
    if isinstance(kind, Boolean):
        return bool(value)
    return int(value) if isinstance(kind, Integer) else str(value) if isinstance(value, str) else value
