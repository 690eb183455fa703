"""What a journal's chain amounts to: orders, positions and trades derived from its rows alone, and compared."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

from sqlalchemy import select

from brokers.desk.reconcile.position_adjustments import WRITTEN_OFF
from brokers.desk.reconcile.position_book import PositionBook, replay
from brokers.journal import Cumulative, Execution, Figures, FilledOrder, JournalOrder, Split, State
from brokers.journal.database import chain, schema
from brokers.journal.database.integrity import Damaged, examine
from brokers.journal.database.store import Store
from brokers.journal.decision_statements import kept
from brokers.journal.fills import FillReport, booked, written
from config.errors import Refusal
from config.values.counting import counted

WAY_OUT = "the journal is not what was written; keep it, and restore a copy to trade"
PRICES = ("limit_price", "stop_price", "bracket_stop", "bracket_target")
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Period:
    """From ``start`` on and before ``end``; None is without an end."""

    start: datetime | None = None
    end: datetime | None = None

    def holds(self, moment: str) -> bool:
        """Whether a time as a row has it lies in the period."""
        time = datetime.fromisoformat(moment)
        return (self.start is None or time >= self.start) and (self.end is None or time < self.end)


@dataclass(slots=True)
class TrackRecord:
    """What the rows of a chain amount to.

    ``orders``, ``trades`` and ``positions`` are lines of JSON, as a bundle holds them; ``counts`` rows of the period by
    table, ``cash_by_fills`` (after the fees that were told with orders) and ``cash_change`` USD from the first to the
    last row of equity in it: what differs are other fees, dividends, interest and payments. ``fees`` are those of the
    fills between them, USD; ``written_off`` is the worth of what was too little to be sold, which moved no cash.
    """

    orders: list[str]
    trades: list[str]
    positions: list[str]
    counts: dict[str, int] = field(default_factory=dict)
    cash_by_fills: Decimal = Decimal(0)
    fees: Decimal = Decimal(0)
    cash_change: Decimal = Decimal(0)
    written_off: Decimal = Decimal(0)
    head: str = ""
    upgraded: str = ""

    @property
    def lines(self) -> list[str]:
        return [*self.orders, *self.trades, *self.positions]


def verify(address: str | Path, period: Period | None = None, adopted: Collection[str] = ()) -> TrackRecord:
    """Derive a journal's state from its chain and compare it with its tables, byte by byte.

    Parameters
    ----------
    address : str or Path
        Another process may be writing it.
    period : Period, optional
        What is counted, and whose trades are compared; the chain is checked from its beginning in any case.
    adopted : collection of str
        Symbols whose manual positions the trader manages like its own (``live.adopt``).

    Raises
    ------
    Refusal
        In one sentence the first row that is not what was written, or not what follows from the others.
    """
    return read(address, period, adopted)[0]


def read(
    address: str | Path, period: Period | None = None, adopted: Collection[str] = ()
) -> tuple[TrackRecord, list[str], str]:
    """``verify``, with the chain's lines and what stands before the first."""
    period = period or Period()
    store = Store(address, account_id=None, writer=False)
    try:
        with store.reading() as connection:
            meta = {row.key: row.value for row in connection.execute(select(schema.meta))}
            if meta["schema_version"] != str(schema.VERSION):
                version = meta["schema_version"]
                raise Refusal(
                    f"{store.name}: is of schema version {version}; start the trader once to bring it to version "
                    f"{schema.VERSION}, and verify it then"
                )
            found = examine(connection)
        record = derive([json.loads(text) for text in found.lines], period, adopted)
        written_orders = [_order_line(row) for row in found.orders]
        _require_same("orders", written_orders, record.orders)
        written_trades = [
            unsigned_zeros(_dumps({"kind": "trade"} | row)) for row in found.trades if period.holds(row["exit_time"])
        ]
        if (missing := set(record.trades) - set(written_trades)) and not set(written_trades) - set(record.trades):
            raise Refusal(f"{store.name}: {_unbooked(len(missing))}")
        _require_same("trades", written_trades, record.trades)
        record.head, record.upgraded = found.head.text(), meta.get("chain_upgraded", "")
        return record, found.lines, meta[chain.GENESIS]
    except Damaged as damage:
        raise Refusal(f"{store.name}: {damage}; {WAY_OUT}") from None
    finally:
        store.close()


def derive(rows: Iterable[Row], period: Period | None = None, adopted: Collection[str] = ()) -> TrackRecord:
    """Orders, positions and trades from a chain's rows, and the bookkeeping of every verdict.

    Raises
    ------
    Damaged
        Rows contradict one another.
    """
    period = period or Period()
    tables: dict[str, list[Row]] = {table.name: [] for table in chain.CHAINED}
    for row in rows:
        tables[row["table"]].append(row)
    for decision in tables["decisions"]:
        _require_bookkeeping(decision)
    filled, orders = _orders(tables)
    splits = sorted(
        (Split(r["symbol"], _time(r["time"]), Decimal(r["before"]), Decimal(r["after"])) for r in tables["splits"]),
        key=lambda s: (s.time, s.symbol),
    )
    entered = {(r["symbol"], r["time"]): _figures(r) for r in tables["decisions"] if r["outcome"] != "refused"}
    book = replay(
        filled,
        lambda order: entered.get((order.symbol, order.decision_time.isoformat(timespec="microseconds"))),
        adopted,
        splits=splits,
    )
    trades = [line for line in _trade_lines(book) if period.holds(json.loads(line)["exit_time"])]
    positions = [
        _dumps({"kind": "position", "symbol": s, "quantity": written(book.total(s)), "ours": written(book.quantity(s))})
        for s in sorted(book.symbols)
    ]
    record = TrackRecord([_order_line(row) for row in orders], sorted(trades), positions)
    timed = {"runs": "started", "orders": "journaled_at", "sessions": "time", "halts": "time"}
    for name, found in tables.items():
        record.counts[name] = sum(period.holds(row[timed.get(name, "time")]) for row in found)
    _explain_cash(record, tables["equity"], filled, period)
    return record


def _require_bookkeeping(decision: Row) -> None:
    """Each verdict goes on from where the one before it ended, and nothing becomes more."""
    name = f"decision of {decision['symbol']} at {decision['time']}"
    verdicts = decision["verdicts"]
    for verdict in verdicts:
        if Decimal(verdict["after"]) > Decimal(verdict["before"]):
            raise Damaged(f"{name}: {verdict['module']} makes {verdict['after']} of {verdict['before']}")
    for before, after in pairwise(verdicts):
        if before["after"] != after["before"]:
            raise Damaged(
                f"{name}: {after['module']} begins with {after['before']}, {before['module']} left {before['after']}"
            )


def _orders(tables: Mapping[str, list[Row]]) -> tuple[list[FilledOrder], list[dict[str, Any]]]:
    """Filled orders in their order, and what follows of every order."""
    state: dict[str, dict[str, Any]] = {}
    for event in tables["order_events"]:
        known = state.setdefault(event["client_order_id"], {"quantity": None, "venue_id": None})
        known["state"] = event["state"]
        known |= {k: event[k] for k in ("quantity", "venue_id") if event[k] is not None}
    reports: dict[str, list[FillReport]] = {}
    for row in tables["fills"]:
        number, price, time = Decimal(row["quantity"]), Decimal(row["price"]), _time(row["time"])
        total = None if row["cumulative"] is None else Decimal(row["cumulative"])
        single = row["kind"] == "execution"
        fees = None if row.get("fees") is None else Decimal(row["fees"])
        report = (
            Execution(number, price, time, row["fill_id"], total) if single else Cumulative(number, price, time, fees)
        )
        reports.setdefault(row["client_order_id"], []).append(report)
    filled, orders = [], []
    for row in tables["orders"]:
        name = row["client_order_id"]
        mine = reports.get(name, [])
        total_fill = booked(mine)
        known = state.get(name) or {}
        if "state" not in known or known["quantity"] is None:
            raise Damaged(f"order {name}: its events are not there")
        derived = known | {
            "client_order_id": name,
            "filled_quantity": written(total_fill.quantity),
            "filled_notional": written(total_fill.notional),
            "estimated": total_fill.estimated,
            "fees": written(total_fill.fees),
        }
        orders.append(derived)
        if mine:
            times = [report.time for report in mine]
            filled.append(FilledOrder(_order(row, derived), min(times), max(times)))
    filled.sort(key=lambda f: (f.first_fill, f.order.journaled_at, f.order.client_order_id))
    return filled, orders


def _order(row: Row, derived: Row) -> JournalOrder:
    exact = {name: None if row[name] is None else Decimal(row[name]) for name in PRICES}
    amounts = {name: Decimal(derived[name]) for name in ("quantity", "filled_quantity", "filled_notional", "fees")}
    times = {name: _time(row[name]) for name in ("decision_time", "journaled_at")}
    more = {"venue_id": derived["venue_id"], "estimated": derived["estimated"], "state": State(derived["state"])}
    return JournalOrder.of({**row, **exact, **amounts, **times, **more})


def _figures(row: Row) -> Figures:
    numbers = (None if row[n] is None else Decimal(row[n]) for n in ("score", "price", "stop", "atr"))
    return Figures(row["signal"], row["reason"], *numbers)


def _trade_lines(book: PositionBook) -> list[str]:
    lines = []
    for portion in book.portions:
        row = {"entry_order_id": portion.entry_order, "exit_order_id": portion.exit_order}
        values = row | {
            column.name: kept(getattr(portion.trade, column.name))
            for column in schema.trades.columns
            if column.name not in row
        }
        lines.append(_dumps({"kind": "trade"} | chain.plain_values(schema.trades, values)))
    return lines


def _explain_cash(record: TrackRecord, equity: list[Row], filled: list[FilledOrder], period: Period) -> None:
    rows = sorted((row for row in equity if period.holds(row["time"])), key=lambda row: str(row["time"]))
    if not rows:
        return
    first, last = rows[0], rows[-1]
    record.cash_change = Decimal(last["cash"]) - Decimal(first["cash"])
    between = Period(_time(first["time"]), _time(last["time"]))
    for item in filled:
        if between.holds(item.last_fill.isoformat()):
            order = item.order
            if order.reason == WRITTEN_OFF and not order.venue_id:
                record.written_off += order.filled_notional
                continue
            moved = order.filled_notional if order.side == "sell" else -order.filled_notional
            record.cash_by_fills += moved - order.fees
            record.fees += order.fees


def _order_line(row: Row) -> str:
    return _dumps({"kind": "order", "client_order_id": row["client_order_id"]} | {k: row[k] for k in schema.DERIVED})


def _unbooked(count: int) -> str:
    """Trades follow from fills, and whoever booked the fills may have ended before they were written."""
    trades = counted(count, "trade")
    return (
        f"fills were booked without their trades: {trades} that follow from the chain {'is' if count == 1 else 'are'} "
        "not in the table yet, and all else is what was written; start the trader once, then verify again"
    )


def _require_same(what: str, there: list[str], derived: list[str]) -> None:
    """Refuse lines that are not byte for byte those that were derived."""
    for line in sorted(set(there) ^ set(derived)):
        where = "is in the table and does not follow from the chain" if line in there else "follows and is not there"
        raise Damaged(f"table {what}: {line} {where}")
    if len(there) != len(derived):
        raise Damaged(f"table {what}: {len(there)} rows, {len(derived)} follow from the chain")


def unsigned_zeros(text: str) -> str:
    """Trades as they are derived: journals and bundles of before have zeros with a sign."""
    return text.replace(':"-0"', ':"0"')


def _dumps(values: Row) -> str:
    return json.dumps(values, sort_keys=True, separators=(",", ":"))


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
