"""What a journal holds of all its runs, as the record that reports and scoreboards are made of."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, select

from brokers.journal import history
from brokers.journal import order_statements as orders
from brokers.journal.database.schema import equity, halts, rows_of, sessions, trades
from brokers.journal.database.schema import orders as orders_table
from brokers.journal.database.store import Store
from brokers.journal.history import FilledOrder
from brokers.journal.journal_order import JournalOrder
from brokers.record import EquityRow, OrderRecord, RunRecord, TradeRecord
from config.values.markets import NEW_YORK

NOT_KEPT = ("slippage", "protected_share")
"""Measures of a scoreboard that a journal holds nothing of."""
ZONE = ZoneInfo(NEW_YORK)


def record_of(address: str | Path) -> RunRecord:
    """Orders, trades, equity and halts of every day in a journal; a trader may be writing it.

    What a journal does not keep is not there: slippage against the quote, and how long shares were without a stop.

    Raises
    ------
    Refusal
        There is no journal, or it is damaged or of another version.
    """
    store = Store(address, account_id=None, writer=False)
    try:
        with store.transaction() as connection:
            return _record(connection)
    finally:
        store.close()


def _record(connection: Connection) -> RunRecord:
    filled = {found.order.client_order_id: found for found in history.filled_orders(connection)}
    sent = [_order(order, filled) for order in orders.many(connection, rows_of(orders_table))]
    curve = [_equity(row) for row in _rows(connection, rows_of(equity).order_by(equity.c.time))]
    opening = connection.scalar(select(sessions.c.equity).order_by(sessions.c.session).limit(1))
    ended = rows_of(halts).order_by(halts.c.time)
    return RunRecord(
        initial_equity=float(opening) if opening is not None else (curve[0].equity if curve else math.nan),
        orders=sorted(sent, key=lambda order: order.time),
        trades=[_trade(row) for row in _rows(connection, select(trades).order_by(trades.c.exit_time, trades.c.symbol))],
        equity=curve,
        turnover=sum(order.filled_quantity * (order.filled_price or 0.0) for order in sent),
        halts=[(_local(row["time"]), row["module"]) for row in _rows(connection, ended)],
    )


def _rows(connection: Connection, query: Any) -> Iterable[Any]:
    return connection.execute(query).mappings()


def _order(order: JournalOrder, filled: dict[str, FilledOrder]) -> OrderRecord:
    fill = filled.get(order.client_order_id)
    return OrderRecord(
        time=_local(order.decision_time),
        client_order_id=order.client_order_id,
        parent_id=order.parent_id,
        symbol=order.symbol,
        side=order.side,
        quantity=float(order.quantity),
        type=order.type,
        limit_price=_number(order.limit_price),
        stop_price=_number(order.stop_price),
        role=order.role,
        status="working" if order.remaining else str(order.state),
        filled_quantity=float(order.filled_quantity),
        filled_price=_number(order.average_price),
        filled_time=None if fill is None else _local(fill.last_fill),
        reason=order.reason,
        sent_time=_local(order.journaled_at),
    )


def _trade(row: Any) -> TradeRecord:
    numbers = ("quantity", "entry_price", "exit_price", "stop", "target", "atr", "pnl", "r_multiple", "score")
    values: dict[str, Any] = {name: math.nan if row[name] is None else float(row[name]) for name in numbers}
    values |= {name: _local(row[name]) for name in ("entry_time", "exit_time")}
    values |= {name: row[name] for name in ("symbol", "side", "exit_reason", "signal")}
    return TradeRecord(**values, stop_multiple=_number(row["stop_multiple"]))


def _equity(row: Any) -> EquityRow:
    worth, cash, long, inverse = (float(row[n]) for n in ("equity", "cash", "long_exposure", "inverse_exposure"))
    return EquityRow(_local(row["time"]), worth, cash, long, inverse, row["positions"])


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _local(moment: datetime) -> datetime:
    return moment.astimezone(ZONE)
