"""Why an order was sent, resized or refused, and what would have to change: read from what was recorded then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, func, or_, select

from brokers.journal import order_statements
from brokers.journal.database.schema import decisions, fills, order_events, rows_of, verdicts
from brokers.journal.database.schema import orders as orders_table
from brokers.journal.fills import written
from brokers.journal.journal_order import JournalOrder

LATEST = 20
"""Decisions and orders of a symbol that are told unless more are asked for."""

DECIMALS = 4
"""Places of prices and scores that are told: what was computed has more, and nobody reads them."""

_WAYS = {
    "allocation": "fewer A+ signals in one scan, a better rank, or a larger risk.modules.allocation",
    "cash_buffer": "more free cash, or a smaller risk.modules.cash_buffer.buffer_frac",
    "correlation_cap": "closing a position that moves alike, or a looser risk.modules.correlation_cap",
    "drawdown_halt": "the next session, or a wider risk.modules.drawdown_halt",
    "ensemble": "agreement of more signals, or another signals.ensemble",
    "equity_sizer": "a stop closer to the entry, more equity, or larger limits in sizing",
    "exposure_budget": "a position closing, the next session or week, or a larger risk.modules.exposure_budget",
    "inverse_hedge": "a hedge being unwound, or a larger risk.modules.inverse_hedge",
    "policy_gate": "an order within the limits of gate",
    "recent_form": "a better win rate of the latest trades, or another risk.modules.recent_form",
    "sector_cap": "closing a position of its sector, or a larger risk.modules.sector_cap",
    "selection": "a higher score than the rivals of the scan, or a larger selection.watch_list or execute",
    "trend_confirmation": "the averages one timeframe up agreeing, or another risk.modules.trend_confirmation",
    "volume_profile": "a price nearer to a level, or another risk.modules.volume_profile",
}


@dataclass(frozen=True, slots=True)
class ExplainRow:
    """One line: ``kind`` is decision, verdict, order, event or fill; ``change`` what would have to change, or ""."""

    time: datetime
    kind: str
    subject: str
    text: str
    change: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """What was found: ``decisions`` and ``orders`` are how many are among the rows, and how many there are."""

    rows: tuple[ExplainRow, ...]
    decisions: tuple[int, int]
    orders: tuple[int, int]


def explanation(connection: Connection, wanted: str, latest: int = LATEST) -> Explanation:
    """``explain`` with what was left out; the arguments are its own."""
    rows = explain(connection, wanted, latest)
    shown = {kind: sum(row.kind == kind for row in rows) for kind in ("decision", "order")}
    column = orders_table.c
    if not _family(connection, wanted):
        total = {
            "decision": _count(connection, decisions.c.id, decisions.c.symbol == wanted),
            "order": _count(connection, column.client_order_id, column.symbol == wanted),
        }
    else:
        total = shown
    return Explanation(tuple(rows), (shown["decision"], total["decision"]), (shown["order"], total["order"]))


def _count(connection: Connection, column: ColumnElement[Any], match: ColumnElement[bool]) -> int:
    return connection.scalar(select(func.count(column)).where(match)) or 0


def _family(connection: Connection, wanted: str) -> list[JournalOrder]:
    """The order of that id, the client's or the venue's; empty if it is no order's."""
    column = orders_table.c
    by_id = or_(column.client_order_id == wanted, column.venue_id == wanted)
    return order_statements.many(connection, rows_of(orders_table).where(by_id))


def explain(connection: Connection, wanted: str, latest: int = LATEST) -> list[ExplainRow]:
    """The chain from decision to fill.

    Parameters
    ----------
    connection : Connection
        Inside a transaction.
    wanted : str
        A symbol, whose latest decisions and orders are told, or an order: its client order id or the venue's.
    latest : int, default=20
        How many decisions and how many orders of a symbol.

    Returns
    -------
    list of ExplainRow
        Decisions, each with its verdicts, then orders, each with its events and fills; oldest first. Empty if
        the journal knows nothing of it.
    """
    column = orders_table.c
    if found := _family(connection, wanted):
        order = found[0]
        root = order.parent_id or order.client_order_id
        family = or_(column.client_order_id == root, column.parent_id == root)
        told = order_statements.many(
            connection, rows_of(orders_table).where(or_(family, column.client_order_id == order.client_order_id))
        )
        match = and_(decisions.c.symbol == order.symbol, decisions.c.time == order.decision_time)
    else:
        newest = rows_of(orders_table).where(column.symbol == wanted).order_by(column.journaled_at.desc()).limit(latest)
        told = [JournalOrder.of(dict(row)) for row in connection.execute(newest).mappings()][::-1]
        match = decisions.c.symbol == wanted
    recent = rows_of(decisions).where(match).order_by(decisions.c.time.desc(), decisions.c.id.desc()).limit(latest)
    rows: list[ExplainRow] = []
    for decision in reversed(connection.execute(recent).all()):
        rows += _decision(connection, decision)
    for order in told:
        rows += _order(connection, order)
    return rows


def _decision(connection: Connection, row: Row[Any]) -> list[ExplainRow]:
    query = select(verdicts).where(verdicts.c.decision_id == row.id).order_by(verdicts.c.sequence)
    return decision_rows(row, connection.execute(query).all())


def decision_rows(decision: Any, chain: Sequence[Any]) -> list[ExplainRow]:
    """A decision and its verdicts.

    Parameters
    ----------
    decision : object
        With the columns of the table of decisions as attributes.
    chain : sequence of object
        Its verdicts, with the columns of theirs.
    """
    told = [_verdict(decision.time, verdict) for verdict in chain]
    levels = {name: getattr(decision, name.lower()) for name in ("score", "price", "stop", "target", "ATR")}
    prices = ", ".join(
        f"{name} {written(round(value, DECIMALS))}" for name, value in levels.items() if value is not None
    )
    quantity = f"{written(decision.proposed_quantity)} became {written(decision.final_quantity)}"
    if decision.proposed_quantity == decision.final_quantity:
        quantity = written(decision.final_quantity)
    reason = f"; {decision.reason}" if decision.reason else ""
    text = f"{decision.outcome}: {decision.side} {quantity} by {decision.signal}, {prices}{reason}"
    changes = [verdict.change for verdict in told if verdict.change]
    if decision.outcome == "refused":
        # What shrank it before it was refused stands in nobody's way.
        changes = changes[-1:]
    return [ExplainRow(decision.time, "decision", decision.symbol, text, "; ".join(dict.fromkeys(changes))), *told]


def _verdict(time: datetime, row: Any) -> ExplainRow:
    text = row.code
    if row.before != row.after:
        text += f" ({written(row.before)} became {written(row.after)})"
    read = ", ".join(f"{name} {_read(value)}" for name, value in row.inputs.items())
    text += f" [{read}]" if read else ""
    # What a rule keeps needs no change, also where the quantity is not set yet.
    binding = row.code != "OK" and (row.after <= 0 or row.after < row.before)
    change = ""
    if binding:
        change = _WAYS.get(row.module, f"what {row.module} read, or its settings")
        change += f"; it ends at {row.until.isoformat()}" if row.until else ""
    return ExplainRow(time, "verdict", row.module, text, change)


def _order(connection: Connection, order: JournalOrder) -> list[ExplainRow]:
    named = {
        "limit": order.limit_price,
        "stop": order.stop_price,
        "bracket stop": order.bracket_stop,
        "bracket target": order.bracket_target,
    }
    prices = "".join(f", {name} {written(price)}" for name, price in named.items() if price is not None)
    average = order.average_price
    filled = f", {written(order.filled_quantity)} filled at {average:.4f}" if average else ""
    filled += " (price partly estimated)" if order.estimated else ""
    what = f"{order.side} {written(order.quantity)} {order.symbol} {order.type} as {order.role}"
    text = f"{order.state}: {what}{prices}{filled}"
    if order.reason:
        text += f"; {order.reason}"
    rows = [ExplainRow(order.journaled_at, "order", order.client_order_id, text)]
    query = rows_of(order_events).where(order_events.c.client_order_id == order.client_order_id)
    for event in connection.execute(query.order_by(order_events.c.id)):
        late = "" if event.status == event.state else f" (the order was {event.state})"
        reason = f": {event.reason}" if event.reason else ""
        rows.append(ExplainRow(event.time, "event", order.client_order_id, f"{event.status}{late}{reason}"))
    mine = rows_of(fills).where(fills.c.client_order_id == order.client_order_id)
    for fill in connection.execute(mine.order_by(fills.c.time, fills.c.fill_key)):
        total = " in all, on average" if fill.kind == "cumulative" else ""
        text = f"{written(fill.quantity)} at {written(fill.price)}{total}"
        rows.append(ExplainRow(fill.time, "fill", order.client_order_id, text))
    return rows


def _read(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
