"""From one version of the schema to the next, all in one transaction; a file is copied before it is touched.

An upgrade is written once and never changed afterwards: it speaks of the tables as they were in its versions. What it
makes it names itself, columns with their types; what it reads are ``schema.columns_of`` its version, which a column
that a later version brings does not change.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, bindparam, inspect, select, text

from brokers.atomic_files import put_in_place
from brokers.journal.database import chain, schema

log = logging.getLogger(__name__)

Upgrade = Callable[[Connection, str], None]


def upgrade(connection: Connection, found: int, account_id: str) -> None:
    """Bring a journal of version ``found`` to the present one; runs inside a transaction of the caller."""
    for version in range(found, schema.VERSION):
        UPGRADES[version](connection, account_id)
    query = text("UPDATE meta SET value = :version WHERE key = 'schema_version'")
    connection.execute(query, {"version": str(schema.VERSION)})


def keep_copy(connection: Connection, path: Path, version: int) -> Path:
    """Copy a journal's file as it is beside it, whole and on the disk; an older copy is never replaced."""
    name = f"{path.name}.version-{version}"
    there = {file.name for file in path.parent.iterdir()}
    names = (name, *(f"{name}-{number}" for number in range(2, len(there) + 3)))
    place = path.with_name(next(one for one in names if one not in there))
    fresh = path.with_name(f".{place.name}.new")
    fresh.unlink(missing_ok=True)
    fresh.touch(mode=0o600)
    source: Any = connection.connection.dbapi_connection
    copy = sqlite3.connect(fresh)
    try:
        source.backup(copy)
        # Without a write-ahead log, so that one file is all there is.
        copy.execute("PRAGMA journal_mode = DELETE")
    finally:
        copy.close()
    put_in_place(fresh, place)
    return place


def _to_version_2(connection: Connection, account_id: str) -> None:
    """Rows get a place in the chain and a hash; events say what they changed of an order."""
    sqlite = connection.dialect.name == "sqlite"
    number, moment = ("VARCHAR(64)", "VARCHAR(32)") if sqlite else ("NUMERIC", "TIMESTAMP WITH TIME ZONE")
    tables = set(inspect(connection).get_table_names())
    if "splits" not in tables:
        connection.execute(
            text(
                f"CREATE TABLE splits (symbol TEXT NOT NULL, time {moment} NOT NULL, before {number} NOT NULL, "
                f"after {number} NOT NULL, PRIMARY KEY (symbol, time))"
            )
        )
    for name in ("runs", "decisions", "orders", "order_events", "fills", "equity", "sessions", "halts", "splits"):
        connection.execute(text(f"ALTER TABLE {name} ADD COLUMN link INTEGER"))
        connection.execute(text(f"ALTER TABLE {name} ADD COLUMN hash VARCHAR(64)"))
    connection.execute(text(f"ALTER TABLE order_events ADD COLUMN quantity {number}"))
    connection.execute(text("ALTER TABLE order_events ADD COLUMN venue_id TEXT"))
    connection.execute(text("CREATE INDEX orders_symbol_role_time ON orders (symbol, role, decision_time)"))
    connection.execute(
        text(
            "CREATE INDEX orders_unresolved ON orders (journaled_at) WHERE state IN ('journaled', 'sent', 'unknown') "
            "OR estimated OR (state = 'filled' AND filled_quantity <> quantity)"
        )
    )
    # How an order's quantity and its id at the venue came about is not known any more.
    for column in ("quantity", "venue_id"):
        present = f"(SELECT o.{column} FROM orders o WHERE o.client_order_id = order_events.client_order_id)"
        connection.execute(text(f"UPDATE order_events SET {column} = {present} WHERE event_key = 'journaled'"))
    # An event that was told before was not kept a second time, though the state moved on.
    connection.execute(
        text(
            "INSERT INTO order_events (client_order_id, event_key, time, status, state, reason) "
            "SELECT o.client_order_id, 'upgraded', e.time, o.state, o.state, 'schema version 2' FROM orders o "
            "JOIN order_events e ON e.id = (SELECT max(id) FROM order_events l WHERE l.client_order_id = "
            "o.client_order_id) WHERE e.state <> o.state"
        )
    )
    chain.begin(connection, account_id)
    count = 0
    for linked, order in _FIRST_LINKS:
        count += _link(connection, linked, order)
    chain.keep_head(connection)
    told = {"key": "chain_upgraded", "value": f"{count} rows were there before the chain was"}
    connection.execute(text("INSERT INTO meta (key, value) VALUES (:key, :value)"), told)


_FIRST_LINKS: tuple[tuple[Table, tuple[str, ...]], ...] = (
    (schema.runs, ("id",)),
    (schema.decisions, ("id",)),
    (schema.orders, ("journaled_at", "client_order_id")),
    (schema.order_events, ("id",)),
    (schema.fills, ("client_order_id", "fill_key")),
    (schema.equity, ("time",)),
    (schema.sessions, ("session",)),
    (schema.halts, ("session", "module")),
    (schema.splits, ("time", "symbol")),
)


def _link(connection: Connection, table: Table, order: tuple[str, ...]) -> int:
    """Give the rows of a table their places, by the given order."""
    keys = [column.name for column in table.primary_key.columns]
    told = _verdicts(connection) if table is schema.decisions else {}
    links = []
    query = select(*schema.columns_of(table, 2)).order_by(*(table.c[name] for name in order))
    for row in connection.execute(query).mappings().all():
        more = {"verdicts": told.get(row["id"], [])} if table is schema.decisions else {}
        linked = chain.link_in(connection, table, dict(row), more)
        links.append({f"_{key}": row[key] for key in keys} | {name: linked[name] for name in schema.CHAIN_COLUMNS})
    if links:
        change = table.update().values(link=bindparam("link"), hash=bindparam("hash"))
        for key in keys:
            change = change.where(table.c[key] == bindparam(f"_{key}", type_=table.c[key].type))
        connection.execute(change, links)
    return len(links)


def _verdicts(connection: Connection) -> Mapping[int, list[dict[str, Any]]]:
    found: dict[int, list[Mapping[str, Any]]] = {}
    table = schema.verdicts
    query = select(*schema.columns_of(table, 2)).order_by(table.c.decision_id, table.c.sequence)
    rows: Iterable[Mapping[str, Any]] = (dict(row) for row in connection.execute(query).mappings())
    for row in rows:
        found.setdefault(row["decision_id"], []).append(row)
    return {decision: chain.verdict_values(told) for decision, told in found.items()}


def _to_version_3(connection: Connection, account_id: str) -> None:
    """Orders and the totals that were told of them get their fees; those of before are not known and count 0."""
    number, none = ("VARCHAR(64)", "'0'") if connection.dialect.name == "sqlite" else ("NUMERIC", "0")
    connection.execute(text(f"ALTER TABLE orders ADD COLUMN fees {number} NOT NULL DEFAULT {none}"))
    connection.execute(text(f"ALTER TABLE fills ADD COLUMN fees {number}"))
    if connection.dialect.name != "sqlite":
        connection.execute(text("ALTER TABLE orders ALTER COLUMN fees DROP DEFAULT"))


def _to_version_4(connection: Connection, account_id: str) -> None:
    """Entries that the rules accepted and nobody sent are kept with the reason; those of before are not known."""
    moment = "VARCHAR(32)" if connection.dialect.name == "sqlite" else "TIMESTAMP WITH TIME ZONE"
    connection.execute(
        text(
            f"CREATE TABLE not_sent (symbol TEXT NOT NULL, time {moment} NOT NULL, told {moment} NOT NULL, "
            "reason TEXT NOT NULL, link INTEGER, hash VARCHAR(64), PRIMARY KEY (symbol, time))"
        )
    )


UPGRADES: Mapping[int, Upgrade] = {1: _to_version_2, 2: _to_version_3, 3: _to_version_4}
"""By the version that an upgrade begins with."""
