"""Statements about everything but orders; each runs inside a transaction of the caller."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Table, and_, select

from brokers.journal.schema import decisions, verdicts
from brokers.journal.values import known, plain
from risk.model import Decision, Plan


def put(connection: Connection, table: Table, key: dict[str, Any], values: dict[str, Any], anew: bool = False) -> None:
    """Write a row once; ``anew`` replaces the values of one that is there."""
    mine = and_(*(table.c[name] == value for name, value in key.items()))
    if connection.execute(select(table).where(mine)).first() is None:
        connection.execute(table.insert().values(key | values))
    elif anew:
        connection.execute(table.update().where(mine).values(values))


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
