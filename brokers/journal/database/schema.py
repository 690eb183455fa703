"""The journal's tables. Numbers are exact and times are UTC, on SQLite and on PostgreSQL alike."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Numeric,
    Select,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    literal,
    select,
    text,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.schema import SchemaItem
from sqlalchemy.types import TypeEngine

from brokers.journal.fills import exact, written
from brokers.journal.order_ids import MAX_CHARACTERS

VERSION = 4
READABLE = frozenset(str(version) for version in range(1, VERSION + 1))
"""Versions whose tables tools that only read can read; whoever writes brings a journal to ``VERSION`` first."""
CHAIN_SINCE = 2
"""The version that brought the chain."""
CHAIN_COLUMNS = ("link", "hash")
DERIVED = frozenset({"venue_id", "quantity", "state", "filled_quantity", "filled_notional", "estimated", "fees"})
"""What of an order follows from its events and fills."""
UNRESOLVED = (
    "state IN ('journaled', 'sent', 'unknown') OR estimated OR (state = 'filled' AND filled_quantity <> quantity)"
)
"""Orders whose outcome or figures are not known, in words that the index and its query share."""


class Exact(TypeDecorator[Decimal]):
    """A decimal to its last digit: NUMERIC, or its text where the database would make a float of it."""

    impl = Numeric
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(String(64) if dialect.name == "sqlite" else Numeric())

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        if value is None:
            return None
        number = exact(value)
        return written(number) if dialect.name == "sqlite" else number

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        # The same spelling from both: NUMERIC keeps the zeros that it was given.
        return None if value is None else Decimal(written(Decimal(value)))


class Moment(TypeDecorator[datetime]):
    """A timezone-aware time, given back in UTC; on SQLite as text that sorts by time."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(String(32) if dialect.name == "sqlite" else DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time needs its zone")
        moment = value.astimezone(UTC)
        return moment.isoformat(timespec="microseconds") if dialect.name == "sqlite" else moment

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
        return moment.astimezone(UTC)


def _since(version: int, before: Any = None) -> dict[str, Any]:
    """What a column or table that is younger than the journal knows of itself; ``before`` stands in older rows."""
    return {"since": version, "before": before}


def came_with(item: SchemaItem) -> int:
    """The version of the journal that brought a column or a table."""
    return int(item.info.get("since", 1))


def columns_of(table: Table, version: int) -> list[Column[Any]]:
    """The columns that a table has in a version, which later versions do not change."""
    return [column for column in table.columns if came_with(column) <= version]


metadata = MetaData()


def _chain() -> tuple[Column[Any], Column[Any]]:
    """A row's place in the chain and its hash; see ``chain``."""
    since = _since(CHAIN_SINCE)
    return Column("link", Integer, info=since), Column("hash", String(64), info=since)


_ORDER_ID = String(MAX_CHARACTERS)

meta = Table("meta", metadata, Column("key", String(32), primary_key=True), Column("value", Text, nullable=False))

runs = Table(
    "runs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("started", Moment, nullable=False),
    Column("mode", Text, nullable=False),
    Column("strategy", Text, nullable=False),
    Column("profile", Text, nullable=False),
    Column("config_hash", Text, nullable=False),
    *_chain(),
)

decisions = Table(
    "decisions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("run_id", ForeignKey("runs.id")),
    Column("time", Moment, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("symbol", Text, nullable=False),
    Column("side", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("signal", Text, nullable=False),
    *(Column(name, Exact) for name in ("score", "price", "stop", "target", "atr")),
    Column("proposed_quantity", Exact, nullable=False),
    Column("final_quantity", Exact, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("reason", Text, nullable=False),
    UniqueConstraint("run_id", "time", "sequence"),
    *_chain(),
)

verdicts = Table(
    "verdicts",
    metadata,
    Column("decision_id", ForeignKey("decisions.id"), primary_key=True),
    Column("sequence", Integer, primary_key=True),
    Column("module", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("before", Exact, nullable=False),
    Column("after", Exact, nullable=False),
    Column("inputs", JSON, nullable=False),
    Column("until", Moment),
)

orders = Table(
    "orders",
    metadata,
    Column("client_order_id", _ORDER_ID, primary_key=True),
    Column("run_id", ForeignKey("runs.id")),
    Column("parent_id", ForeignKey("orders.client_order_id")),
    Column("venue_id", Text, unique=True),
    Column("strategy", Text, nullable=False),
    Column("symbol", Text, nullable=False, index=True),
    Column("side", Text, nullable=False),
    Column("quantity", Exact, nullable=False),
    Column("type", Text, nullable=False),
    Column("role", Text, nullable=False),
    *(Column(name, Exact) for name in ("limit_price", "stop_price", "bracket_stop", "bracket_target")),
    Column("decision_time", Moment, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("state", String(16), nullable=False, index=True),
    Column("filled_quantity", Exact, nullable=False),
    Column("filled_notional", Exact, nullable=False),
    Column("estimated", Boolean, nullable=False),
    Column("fees", Exact, nullable=False, info=_since(3, before=Decimal(0))),
    Column("journaled_at", Moment, nullable=False),
    *_chain(),
)

# ``quantity`` and ``venue_id`` where the event changed the order's own.
order_events = Table(
    "order_events",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("client_order_id", ForeignKey("orders.client_order_id"), nullable=False),
    Column("event_key", Text, nullable=False),
    Column("time", Moment, nullable=False),
    Column("status", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("quantity", Exact, info=_since(2)),
    Column("venue_id", Text, info=_since(2)),
    UniqueConstraint("client_order_id", "event_key"),
    *_chain(),
)

# ``fees`` of a total, where the venue told them with it.
fills = Table(
    "fills",
    metadata,
    Column("client_order_id", ForeignKey("orders.client_order_id"), primary_key=True),
    Column("fill_key", String(255), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("fill_id", Text, nullable=False),
    Column("quantity", Exact, nullable=False),
    Column("price", Exact, nullable=False),
    Column("cumulative", Exact),
    Column("fees", Exact, info=_since(3)),
    Column("time", Moment, nullable=False),
    *_chain(),
)

trades = Table(
    "trades",
    metadata,
    Column("entry_order_id", ForeignKey("orders.client_order_id"), primary_key=True),
    Column("exit_order_id", ForeignKey("orders.client_order_id"), primary_key=True),
    Column("symbol", Text, nullable=False, index=True),
    Column("side", Text, nullable=False),
    Column("quantity", Exact, nullable=False),
    Column("entry_time", Moment, nullable=False),
    Column("entry_price", Exact, nullable=False),
    Column("exit_time", Moment, nullable=False),
    Column("exit_price", Exact, nullable=False),
    *(Column(name, Exact) for name in ("stop", "target", "atr", "stop_multiple")),
    Column("pnl", Exact, nullable=False),
    Column("r_multiple", Exact),
    Column("exit_reason", Text, nullable=False),
    Column("signal", Text, nullable=False),
    Column("score", Exact),
)

equity = Table(
    "equity",
    metadata,
    Column("time", Moment, primary_key=True),
    *(Column(name, Exact, nullable=False) for name in ("equity", "cash", "long_exposure", "inverse_exposure")),
    Column("positions", Integer, nullable=False),
    *_chain(),
)

sessions = Table(
    "sessions",
    metadata,
    Column("session", Date, primary_key=True),
    Column("time", Moment, nullable=False),
    Column("equity", Exact, nullable=False),
    *_chain(),
)

halts = Table(
    "halts",
    metadata,
    Column("session", Date, primary_key=True),
    Column("module", String(64), primary_key=True),
    Column("time", Moment, nullable=False),
    Column("reason", Text, nullable=False),
    *_chain(),
)

splits = Table(
    "splits",
    metadata,
    Column("symbol", Text, primary_key=True),
    Column("time", Moment, primary_key=True),
    Column("before", Exact, nullable=False),
    Column("after", Exact, nullable=False),
    *_chain(),
    # Some journals of version 1 have it, without the chain's columns.
    info=_since(2),
)

# Entries that the rules accepted, by their decision, and that the desk, the order gate or the venue refused.
not_sent = Table(
    "not_sent",
    metadata,
    Column("symbol", Text, primary_key=True),
    Column("time", Moment, primary_key=True),
    Column("told", Moment, nullable=False),
    Column("reason", Text, nullable=False),
    *_chain(),
    info=_since(4),
)
Index("decisions_symbol_time", decisions.c.symbol, decisions.c.time)
Index("orders_symbol_role_time", orders.c.symbol, orders.c.role, orders.c.decision_time)
Index("orders_unresolved", orders.c.journaled_at, sqlite_where=text(UNRESOLVED), postgresql_where=text(UNRESOLVED))


def rows_of(table: Table, version: int = VERSION) -> Select[Any]:
    """Rows as every readable version has them: without their place in the chain, events without what they changed.

    What a later version brought is read as it stands in rows of before: orders with fees of 0, fill reports with none.
    """
    late = {*CHAIN_COLUMNS, *(("quantity", "venue_id") if table is order_events else ())}
    columns = (column for column in table.columns if column.name not in late)
    return select(
        *(
            column
            if came_with(column) <= version
            else literal(column.info.get("before"), column.type).label(column.name)
            for column in columns
        )
    )
