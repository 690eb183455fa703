"""Whether every row of a journal can be believed: its values, what it refers to, its hash and what was derived from it.

Read with the driver's own values, since what a damaged row holds may not pass through a column's type. Decisions that
were refused have no part in trading: their places in the chain are read here, their contents by ``verify`` alone.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from itertools import compress
from json.encoder import encode_basestring_ascii
from typing import Any

from sqlalchemy import JSON, Boolean, Column, Connection, Table

from brokers.journal.database import chain, schema
from brokers.journal.database.column_values import only_type, reader_of, short
from brokers.journal.database.schema import CHAIN_COLUMNS
from brokers.journal.database.sqlite_file import tables_digest
from brokers.journal.fills import Cumulative, Execution, FillReport, booked, written
from config.errors import Refusal

WAY_OUT = "restore the journal from a copy, no orders until then"
REFERS = {
    ("orders", "parent_id"): "orders",
    ("order_events", "client_order_id"): "orders",
    ("fills", "client_order_id"): "orders",
    ("trades", "entry_order_id"): "orders",
    ("trades", "exit_order_id"): "orders",
    ("orders", "run_id"): "runs",
    ("decisions", "run_id"): "runs",
}
_NO_PART = "outcome = 'refused' AND final_quantity = 0"
"""Decisions that have no part in trading."""
Row = dict[str, Any]


class Damaged(ValueError):
    """What is wrong with a journal: table, row and value in one clause."""


@dataclass(slots=True)
class Links:
    """The places of the chain that were read: each row's hash and line; no line where only its hash was read."""

    hashes: dict[int, str] = field(default_factory=dict)
    lines: dict[int, str] = field(default_factory=dict)

    def add(self, found: Found, more: Mapping[str, list[Any]] | None = None, lines: bool = True) -> None:
        """Take in the rows of a table; ``more`` are columns that are hashed with them and stand elsewhere."""
        table, links, digests = found.table, found.columns["link"], found.columns["hash"]
        fresh = dict(zip(links, digests, strict=True))
        # A hash that is none shows where the chain is gone through.
        if len(fresh) < len(links) or set(map(type, links)) - {int} or fresh.keys() & self.hashes.keys():
            seen = set(self.hashes)
            for place, link in enumerate(links):
                if type(link) is not int or link in seen:
                    raise Damaged(
                        f"table {table.name}, row {found.name(place)}: link is {link!r}, which is not its own"
                    )
                seen.add(link)
        self.hashes |= fresh
        if not lines:
            return
        out = chain.LEFT_OUT.get(table.name, set()) | set(CHAIN_COLUMNS)
        hashed = {name: column for name, column in found.columns.items() if name not in out} | dict(more or {})
        whole = hashed | {"link": links, "table": [table.name] * len(links)}
        late = chain.NAMED_IF_THERE[table.name] & whole.keys()
        if not late:
            self.lines |= dict(zip(links, _lines(whole), strict=True))
            return
        named = [frozenset(name for name in late if whole[name][place] is not None) for place in range(len(links))]
        for names in set(named):
            chosen = [these == names for these in named]
            part = {n: list(compress(values, chosen)) for n, values in whole.items() if n in names or n not in late}
            self.lines |= dict(zip(compress(links, chosen), _lines(part), strict=True))


def _lines(columns: Mapping[str, list[Any]]) -> Iterator[str]:
    """The text of ``chain.line``, column by column: row by row it takes three times as long."""
    names = sorted(columns)
    form = "{" + ",".join(f'"{name}":%s' for name in names) + "}"
    return map(form.__mod__, zip(*(_texts(columns[name]) for name in names), strict=True))


def _texts(values: list[Any]) -> list[str]:
    """Values as JSON writes them."""
    kinds = set(map(type, values))
    if kinds <= {str, type(None)}:
        return ["null" if value is None else encode_basestring_ascii(value) for value in values]
    if kinds == {int}:
        return list(map(str, values))
    return [json.dumps(value, sort_keys=True, separators=(",", ":")) for value in values]


@dataclass(slots=True)
class Found:
    """A table's rows as columns of plain, checked values."""

    table: Table
    columns: dict[str, list[Any]]

    def name(self, place: int) -> str:
        """What a message calls a row: its key."""
        return short(", ".join(str(self.columns[key.name][place]) for key in self.table.primary_key.columns))

    def rows(self) -> list[Row]:
        names = list(self.columns)
        return [dict(zip(names, row, strict=True)) for row in zip(*self.columns.values(), strict=True)]


def require_sound(connection: Connection, name: str, version: int) -> None:
    """Check a journal before anything is done by it.

    Parameters
    ----------
    connection : Connection
        Inside a transaction.
    name : str
        What the refusal calls the journal.
    version : int
        Of its schema; before 2 there is no chain.

    Raises
    ------
    Refusal
        In one sentence the table, the row and the value that are wrong.
    """
    collects = gc.isenabled()
    # Many small rows that all stay: looking for circles among them takes as long as reading them.
    gc.disable()
    try:
        examine(connection, version, whole=False)
    except Damaged as damage:
        raise Refusal(f"{name}: is damaged, {damage}; {WAY_OUT}") from None
    finally:
        if collects:
            gc.enable()


@dataclass(slots=True)
class Examined:
    """What was found: the chain's lines by their places, and the rows that are derived, with plain values."""

    lines: list[str]
    head: chain.Head
    orders: list[Row]
    trades: list[Row]


def examine(connection: Connection, version: int = schema.VERSION, whole: bool = True) -> Examined:
    """``require_sound`` for callers that name the journal themselves; raises Damaged.

    ``whole`` takes in the contents of decisions that were refused, and gives what was found.
    """
    if version >= schema.CHAIN_SINCE and connection.dialect.name == "sqlite":
        _require_tables(connection)
    links = Links()
    known: dict[str, set[Any]] = {}

    def read(table: Table) -> Found:
        found = _read(connection, table, version)
        if table is schema.orders:
            known["orders"] = set(found.columns["client_order_id"])
        _require_references(found, known)
        if version >= schema.CHAIN_SINCE and table in chain.CHAINED:
            links.add(found)
        return found

    known["runs"] = set(read(schema.runs).columns["id"])
    orders, events, filled = read(schema.orders), read(schema.order_events), read(schema.fills)
    _require_derived(orders, events, filled, version)
    for table in (schema.equity, schema.sessions, schema.halts, schema.splits, schema.not_sent):
        if schema.came_with(table) <= version:
            read(table)
    trades = read(schema.trades)
    _read_decisions(connection, version, links, known, whole)
    head = _require_chain(connection, links) if version >= schema.CHAIN_SINCE else chain.Head(0, "")
    if not whole:
        return Examined([], head, [], [])
    return Examined([text for _, text in sorted(links.lines.items())], head, orders.rows(), trades.rows())


def _read_decisions(
    connection: Connection, version: int, links: Links, known: dict[str, set[Any]], whole: bool
) -> None:
    some = "" if whole else f" WHERE NOT ({_NO_PART})"
    chosen = "" if whole else f" WHERE decision_id IN (SELECT id FROM decisions{some})"
    told: dict[Any, list[Row]] = {}
    late = chain.NAMED_IF_THERE[schema.verdicts.name]
    for row in _read(connection, schema.verdicts, version, f"{chosen} ORDER BY decision_id, sequence").rows():
        verdict = {name: value for name, value in row.items() if value is not None or name not in late}
        told.setdefault(verdict.pop("decision_id"), []).append(verdict)
    found = _read(connection, schema.decisions, version, some)
    _require_references(found, known)
    chains = [told.pop(number, []) for number in found.columns["id"]]
    if told:
        raise Damaged(f"table verdicts, row {min(told, key=str)}: its decision is not there")
    for row, verdicts in zip(found.rows(), chains, strict=True):
        _require_verdicts(row, verdicts)
    if version < schema.CHAIN_SINCE:
        return
    links.add(found, {"verdicts": chains})
    if not whole:
        rows = connection.exec_driver_sql(f"SELECT id, link, hash FROM decisions WHERE {_NO_PART}").fetchall()
        columns = {name: [row[place] for row in rows] for place, name in enumerate(("id", "link", "hash"))}
        links.add(Found(schema.decisions, columns), lines=False)


def _require_verdicts(row: Row, verdicts: list[Row]) -> None:
    """The decision is what its last verdict left."""
    left = row["proposed_quantity"]
    for place, verdict in enumerate(verdicts):
        if verdict["sequence"] != place:
            raise Damaged(f"table verdicts, row {row['id']}: number {place} is missing")
        left = verdict["after"]
    if left != row["final_quantity"]:
        problem = f"final_quantity is {row['final_quantity']}, verdicts say {left}"
        raise Damaged(f"table decisions, row {row['id']}: {problem}")
    proposed, final = Decimal(row["proposed_quantity"]), Decimal(left)
    outcome = "refused" if final <= 0 else "resized" if final < proposed else "sent"
    if outcome != row["outcome"]:
        raise Damaged(f"table decisions, row {row['id']}: outcome is {row['outcome']}, its quantities say {outcome}")


def _read(connection: Connection, table: Table, version: int, more: str = "") -> Found:
    """A table's rows; each value that a column holds is checked once, however many rows have it."""
    there = _columns(connection, table)
    columns = schema.columns_of(table, version)
    if missing := [column.name for column in columns if column.name not in there]:
        raise Damaged(f"table {table.name}: column {missing[0]} is gone")
    names = ", ".join(f'"{column.name}"' for column in columns)
    rows = connection.exec_driver_sql(f"SELECT {names} FROM {table.name}{more}").fetchall()
    raw = dict(zip((c.name for c in columns), map(list, zip(*rows, strict=True)), strict=True)) if rows else {}
    found = Found(table, {column.name: raw.get(column.name, []) for column in columns})
    read = dict(found.columns)
    for column in columns:
        read[column.name] = _plain_column(found, column, connection.dialect.name == "sqlite")
    return Found(table, read)


def _plain_column(found: Found, column: Column[Any], sqlite: bool) -> list[Any]:
    values, reader = found.columns[column.name], reader_of(column, sqlite)
    try:
        if (kind := only_type(column)) and set(map(type, values)) <= {kind, *({type(None)} if column.nullable else ())}:
            return values
        if isinstance(column.type, JSON):
            return [reader(value) for value in values]
        if sqlite and not isinstance(column.type, Boolean):
            # What is right is as it is hashed.
            for value in set(values):
                reader(value)
            return values
        known = {(type(value), value): reader(value) for value in set(values)}
        return [known[type(value), value] for value in values]
    except ValueError:
        for place, value in enumerate(values):
            try:
                reader(value)
            except ValueError as error:
                problem = f"{column.name} is {short(repr(value))}, {error}"
                raise Damaged(f"table {found.table.name}, row {found.name(place)}: {problem}") from None
        raise


def _columns(connection: Connection, table: Table) -> set[str]:
    if connection.dialect.name == "sqlite":
        return {row[1] for row in connection.exec_driver_sql(f"PRAGMA table_info({table.name})")}
    query = (
        "SELECT column_name FROM information_schema.columns WHERE table_name = %s AND table_schema = current_schema()"
    )
    return {row[0] for row in connection.exec_driver_sql(query, (table.name,))}


def _require_references(found: Found, known: Mapping[str, set[Any]]) -> None:
    for (table, column), other in REFERS.items():
        if table == found.table.name and (lost := set(found.columns[column]) - known[other] - {None}):
            place = next(i for i, value in enumerate(found.columns[column]) if value in lost)
            value = short(str(found.columns[column][place]))
            raise Damaged(f"table {table}, row {found.name(place)}: {column} {value} is in no row of {other}")


def _require_derived(orders: Found, events: Found, filled: Found, version: int) -> None:
    """What the table of orders says of state and fills is what events and fills give."""
    reports: dict[str, list[Row]] = {}
    for place, row in enumerate(filled.rows()):
        if row["fill_key"] not in _keys(row):
            raise Damaged(f"table fills, row {filled.name(place)}: its fill is {_keys(row)[0]}")
        reports.setdefault(row["client_order_id"], []).append(row)
    state, changed = _by_events(events, version)
    columns = orders.columns
    for place, name in enumerate(columns["client_order_id"]):
        try:
            quantity, notional, estimated, fees = _booked(reports.get(name))
        except ValueError as error:
            raise Damaged(f"table fills, row {name}: {error}") from None
        derived: Row = {"filled_quantity": quantity, "filled_notional": notional, "estimated": estimated}
        if "fees" in columns:
            derived["fees"] = fees
        if version >= schema.CHAIN_SINCE:
            if name not in state:
                raise Damaged(f"table orders, row {name}: it has no events")
            derived |= {"state": state[name], "quantity": None, "venue_id": None}
            derived |= changed.get(name, {})
        for column, value in derived.items():
            if columns[column][place] != value:
                there = short(str(columns[column][place]))
                raise Damaged(f"table orders, row {name}: {column} is {there}, events and fills say {value}")


def _by_events(events: Found, version: int) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """Each order's state after its last event, and what events changed of it."""
    columns = events.columns
    nothing: list[None] = [None] * len(columns["id"])
    order = sorted(range(len(nothing)), key=columns["link" if version >= schema.CHAIN_SINCE else "id"].__getitem__)
    names, states = columns["client_order_id"], columns["state"]
    told = {name: columns.get(name, nothing) for name in ("quantity", "venue_id")}
    state: dict[str, str] = {}
    changed: dict[str, dict[str, str]] = {}
    for place in order:
        name = names[place]
        state[name] = states[place]
        for column, values in told.items():
            if values[place] is not None:
                changed.setdefault(name, {})[column] = values[place]
    return state, changed


def _keys(row: Row) -> tuple[str, ...]:
    """What a fill may be called."""
    if row["kind"] == "cumulative":
        total = f"sum:{row['quantity']}@{row['price']}"
        return (total if row.get("fees") is None else f"{total}-{row['fees']}",)
    if not row["fill_id"]:
        return (f"at:{row['cumulative']}",)
    return (f"id:{row['fill_id']}", f"id:{row['fill_id']}@{row['cumulative']}")


def _booked(rows: list[Row] | None) -> tuple[str, str, bool, str]:
    """What was filled of an order, for how many USD and at which fees, as its row holds it."""
    if rows is None:
        return "0", "0", False, "0"
    if len(rows) == 1 and rows[0]["cumulative"] in (None, rows[0]["quantity"]):
        quantity = rows[0]["quantity"]
        return quantity, written(Decimal(quantity) * Decimal(rows[0]["price"])), False, rows[0].get("fees") or "0"
    reports: list[FillReport] = []
    for row in rows:
        number, price = Decimal(row["quantity"]), Decimal(row["price"])
        if row["kind"] == "cumulative":
            fees = row.get("fees")
            reports.append(Cumulative(number, price, _EPOCH, None if fees is None else Decimal(fees)))
        else:
            total = row["cumulative"]
            reports.append(Execution(number, price, _EPOCH, row["fill_id"], None if total is None else Decimal(total)))
    total_fill = booked(reports)
    amounts = written(total_fill.quantity), written(total_fill.notional)
    return *amounts, total_fill.estimated, written(total_fill.fees)


_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


def _require_tables(connection: Connection) -> None:
    kept = connection.exec_driver_sql("SELECT value FROM meta WHERE key = 'tables'").scalar()
    if kept != tables_digest(connection):
        raise Damaged("table meta, row tables: the tables are not those that were made")


def _require_chain(connection: Connection, links: Links) -> chain.Head:
    try:
        head = chain.read_head(connection)
    except ValueError as error:
        raise Damaged(f"table meta, row chain: {error}") from None
    query = f"SELECT key, value FROM meta WHERE key IN ('{chain.GENESIS}', 'account_id')"
    found = {row[0]: row[1] for row in connection.exec_driver_sql(query)}
    before = chain.genesis(str(found.get("account_id")))
    if found.get(chain.GENESIS) != before:
        raise Damaged(f"table meta, row {chain.GENESIS}: it is another account's")
    if len(links.hashes) != head.link or (links.hashes and max(links.hashes) != head.link):
        gone = next((n for n in range(1, head.link + 1) if n not in links.hashes), max(links.hashes, default=0))
        raise Damaged(
            f"table meta, row chain: {head.link} rows were written, row {gone} of the chain is not there or new"
        )
    for link in range(1, head.link + 1):
        text = links.lines.get(link)
        if text is not None and chain.next_hash(before, text) != links.hashes[link]:
            table = json.loads(text)["table"]
            raise Damaged(f"table {table}: row {link} of the chain has changed since it was written: {short(text)}")
        before = links.hashes[link]
    if before != head.hash:
        raise Damaged(f"table meta, row chain: its hash is not that of row {head.link}")
    return head
