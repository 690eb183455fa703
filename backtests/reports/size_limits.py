"""What set the size of a run's entries: the sizer's two caps, a rule after it, the price at the quote."""

from __future__ import annotations

from brokers.record import RunRecord
from risk.equity_sizer import NAME as SIZER
from risk.model import OPENING_ROLES

_CAPS = (f"{SIZER}: notional", f"{SIZER}: risk")


def bound_by(record: RunRecord) -> dict[str, dict[str, int]]:
    """How many proposals each cap and each rule refused, and of how many it set the size; the sizer's caps always."""
    return {**{cap: {"refused": 0, "sized": 0} for cap in _CAPS}, **record.bound_by()}


def cut_at_the_quote(record: RunRecord) -> int:
    """How many entries and hedges the desk sent smaller than approved, as the price had moved since the decision."""
    sent: dict[tuple[object, str], float] = {}
    for order in record.orders:
        if order.role in OPENING_ROLES and not order.parent_id:
            key = (order.time, order.symbol)
            # An entry may be sent in several orders, each of what is left: the first is the largest.
            sent[key] = max(order.quantity, sent.get(key, 0.0))
    return sum(
        0 < sent.get((decision.time, decision.proposal.symbol), 0.0) < decision.final_quantity
        for decision in record.decisions
        if decision.final_quantity > 0
    )


def sizes_told(record: RunRecord) -> str:
    """The limits that set sizes, in one line; empty where nothing was sized."""
    found = bound_by(record)
    sized = {name.removeprefix(f"{SIZER}: "): row["sized"] for name, row in found.items()}
    cut = cut_at_the_quote(record)
    if not any(sized.values()) and not cut:
        return ""
    caps = len(_CAPS)
    later = sorted((item for item in list(sized.items())[caps:] if item[1]), key=lambda item: (-item[1], item[0]))
    counts = ", ".join(f"{name} {count:,d}" for name, count in [*list(sized.items())[:caps], *later])
    return f"sizes bound by: {counts}; cut at the quote {cut:,d}"
