"""What became of decisions once the desk, the policy gate and the venue had their say."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from brokers.record import OrderRecord, RunRecord
from monitoring.not_sent import AT_THE_QUOTE, refusal_of
from risk.model import OPENING_ROLES, Decision


def with_outcomes(record: RunRecord) -> list[Decision]:
    """The decisions of a run; one whose order was refused when it was to be sent ends with that refusal."""
    orders = [order for order in record.orders if order.role in OPENING_ROLES and not order.parent_id]
    # Of a decision that was sent in several orders a part may have gone through.
    sent = {(order.time, order.symbol) for order in orders if order.status != "rejected"}
    refused = {(o.time, o.symbol): o for o in orders if (o.time, o.symbol) not in sent}
    return list(_told(record.decisions, refused))


def as_decided(row: dict[str, Any]) -> dict[str, Any]:
    """A line of the decisions file as it was before anybody looked at the quote."""
    verdicts = row["verdicts"]
    if not verdicts or AT_THE_QUOTE not in verdicts[-1]["inputs"]:
        return row
    quantity = verdicts[-1]["before"]
    outcome = "resized" if quantity < row["proposed_quantity"] else "sent"
    return {**row, "verdicts": verdicts[:-1], "final_quantity": quantity, "outcome": outcome}


def _told(decisions: Iterable[Decision], refused: dict[Any, OrderRecord]) -> Iterable[Decision]:
    for decision in decisions:
        order = refused.get((decision.time, decision.proposal.symbol)) if decision.final_quantity > 0 else None
        if order is None:
            yield decision
            continue
        verdict = refusal_of(order.reason, decision.final_quantity, order.quantity)
        yield replace(decision, verdicts=(*decision.verdicts, verdict))
