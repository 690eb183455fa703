"""Statements about everything but orders; each runs inside a transaction of the caller."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, Table, and_, func, select

from brokers.journal.database import chain
from brokers.journal.database.schema import decisions, orders, trades, verdicts
from brokers.journal.fills import exact, unsigned
from brokers.journal.journal_order import known, plain
from brokers.order_types import OPENING_ROLES, State
from brokers.record import TradeRecord
from risk.model import Decision, Plan

PAIR = ("entry_order_id", "exit_order_id")


def put(connection: Connection, table: Table, key: dict[str, Any], values: dict[str, Any]) -> None:
    """Write a row once."""
    mine = and_(*(table.c[name] == value for name, value in key.items()))
    if connection.execute(select(table).where(mine)).first() is None:
        chain.insert(connection, table, key | values)


def settle_trades(connection: Connection, closed: Mapping[tuple[str, str], TradeRecord]) -> None:
    """Make the table of trades exactly these, by the orders that opened and closed each; writes what differs."""
    there = {(row["entry_order_id"], row["exit_order_id"]): row for row in _rows(connection, select(trades))}
    _write_trades(connection, closed, there, there.keys() - closed.keys())


def change_trades(
    connection: Connection, closed: Mapping[tuple[str, str], TradeRecord], gone: Collection[tuple[str, str]]
) -> None:
    """Write these trades and delete those that are ``gone``; the others stay as they are."""
    there = {pair: row for pair in closed for row in _rows(connection, select(trades).where(_is(pair)))}
    _write_trades(connection, closed, there, gone)


def _write_trades(
    connection: Connection,
    closed: Mapping[tuple[str, str], TradeRecord],
    there: Mapping[tuple[str, str], dict[str, Any]],
    gone: Collection[tuple[str, str]],
) -> None:
    for pair in gone:
        connection.execute(trades.delete().where(_is(pair)))
    for pair, trade in closed.items():
        row = dict(zip(PAIR, pair, strict=True)) | {
            column.name: kept(getattr(trade, column.name)) for column in trades.columns if column.name not in PAIR
        }
        if pair not in there:
            connection.execute(trades.insert().values(row))
        elif there[pair] != row:
            connection.execute(trades.update().where(_is(pair)).values(row))


def keep_plan(connection: Connection, plan: Plan, run_id: int | None) -> None:
    """Write a plan's decisions with their verdicts, unless the run has those of this time."""
    mine = and_(
        decisions.c.time == plan.time,
        decisions.c.run_id.is_(None) if run_id is None else decisions.c.run_id == run_id,
    )
    if connection.scalar(select(decisions.c.id).where(mine).limit(1)) is not None:
        return
    first = next_id(connection, decisions)
    rows, chains = [], []
    for sequence, decision in enumerate(plan.decisions):
        reasons = [
            {
                "decision_id": first + sequence,
                "sequence": place,
                "module": verdict.module,
                "code": verdict.code,
                "before": unsigned(verdict.before),
                "after": unsigned(verdict.after),
                "inputs": plain(verdict.inputs),
                "until": verdict.until,
            }
            for place, verdict in enumerate(decision.verdicts)
        ]
        row = _values(decision) | {"run_id": run_id, "time": plan.time, "sequence": sequence}
        told = {"verdicts": chain.verdict_values(reasons)}
        rows.append(chain.link_in(connection, decisions, row, told) | {"id": first + sequence})
        chains += reasons
    for table, new in ((decisions, rows), (verdicts, chains)):
        if new:
            connection.execute(table.insert(), new)


def was_sent(connection: Connection, symbol: str, time: datetime) -> bool:
    """Whether an order of a decision to enter went to the venue, or may have."""
    mine = and_(
        orders.c.symbol == symbol,
        orders.c.decision_time == time,
        orders.c.role.in_([str(role) for role in OPENING_ROLES]),
        orders.c.state != State.REJECTED,
    )
    return connection.scalar(select(orders.c.client_order_id).where(mine).limit(1)) is not None


def next_id(connection: Connection, table: Table) -> int:
    """The number that the next row of a table gets; one process writes, and numbers are given here alone."""
    return int(connection.scalar(select(func.max(table.c.id))) or 0) + 1


def _rows(connection: Connection, query: Select[Any]) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(query).mappings()]


def _is(pair: tuple[str, str]) -> Any:
    return and_(*(trades.c[name] == value for name, value in zip(PAIR, pair, strict=True)))


def kept(value: Any) -> Any:
    """A value as it is read back."""
    if not isinstance(value, float):
        return value
    number = known(value)
    return None if number is None else exact(unsigned(number))


def _values(decision: Decision) -> dict[str, Any]:
    proposal = decision.proposal
    numbers = {name: known(getattr(proposal, name)) for name in ("score", "price", "stop", "target", "atr")}
    return numbers | {
        "symbol": proposal.symbol,
        "side": proposal.side,
        "role": proposal.role,
        "signal": proposal.signal,
        "proposed_quantity": unsigned(decision.proposed_quantity),
        "final_quantity": unsigned(decision.final_quantity),
        "outcome": decision.outcome,
        "reason": proposal.reason,
    }
