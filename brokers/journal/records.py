"""Statements about everything but orders; each runs inside a transaction of the caller."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Table, and_, select

from brokers.journal.fills import exact
from brokers.journal.schema import decisions, trades, verdicts
from brokers.journal.values import known, plain
from brokers.record import TradeRecord
from risk.model import Decision, Plan

PAIR = ("entry_order_id", "exit_order_id")


def put(connection: Connection, table: Table, key: dict[str, Any], values: dict[str, Any]) -> None:
    """Write a row once."""
    mine = and_(*(table.c[name] == value for name, value in key.items()))
    if connection.execute(select(table).where(mine)).first() is None:
        connection.execute(table.insert().values(key | values))


def settle_trades(connection: Connection, closed: Mapping[tuple[str, str], TradeRecord]) -> None:
    """Make the table of trades exactly these, by the orders that opened and closed each; writes what differs."""
    there = {(row["entry_order_id"], row["exit_order_id"]): row for row in _rows(connection)}
    for pair in there.keys() - closed.keys():
        connection.execute(trades.delete().where(_is(pair)))
    for pair, trade in closed.items():
        row = dict(zip(PAIR, pair, strict=True)) | {
            column.name: _kept(getattr(trade, column.name)) for column in trades.columns if column.name not in PAIR
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
    for sequence, decision in enumerate(plan.decisions):
        row = _values(decision) | {"run_id": run_id, "time": plan.time, "sequence": sequence}
        key = connection.execute(decisions.insert().values(row)).inserted_primary_key
        assert key is not None
        chain = [
            {
                "decision_id": key[0],
                "sequence": place,
                "module": verdict.module,
                "code": verdict.code,
                "before": verdict.before,
                "after": verdict.after,
                "inputs": plain(verdict.inputs),
                "until": verdict.until,
            }
            for place, verdict in enumerate(decision.verdicts)
        ]
        if chain:
            connection.execute(verdicts.insert(), chain)


def _rows(connection: Connection) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(select(trades)).mappings()]


def _is(pair: tuple[str, str]) -> Any:
    return and_(*(trades.c[name] == value for name, value in zip(PAIR, pair, strict=True)))


def _kept(value: Any) -> Any:
    """A value as it is read back."""
    if not isinstance(value, float):
        return value
    number = known(value)
    return None if number is None else exact(number)


def _values(decision: Decision) -> dict[str, Any]:
    proposal = decision.proposal
    numbers = {name: known(getattr(proposal, name)) for name in ("score", "price", "stop", "target", "atr")}
    return numbers | {
        "symbol": proposal.symbol,
        "side": proposal.side,
        "role": proposal.role,
        "signal": proposal.signal,
        "proposed_quantity": decision.proposed_quantity,
        "final_quantity": decision.final_quantity,
        "outcome": decision.outcome,
        "reason": proposal.reason,
    }
