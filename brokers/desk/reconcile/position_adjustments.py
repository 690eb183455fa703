"""Differences without an order, as the journal keeps them: entered as manual trades, taken back if they were none."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from brokers.journal import FilledOrder, JournalOrder
from brokers.order_types import OrderRole

TOO_LITTLE = "below the venue's minimum"
WRITTEN_OFF = f"{TOO_LITTLE}, written off"
"""Why coins that nothing can sell are no position any more, and those of ours; they stay in the account."""


@dataclass(frozen=True, slots=True)
class PositionAdjustment:
    """Shares that came (positive) or went without an order that could be found, and were entered."""

    client_order_id: str
    quantity: Decimal
    time: datetime


def settled(filled: Iterable[FilledOrder]) -> list[FilledOrder]:
    """Fills as they count: differences less what was taken back of them, and nothing else of the latter."""
    back: defaultdict[str, Decimal] = defaultdict(Decimal)
    kept = []
    for item in filled:
        if undone(item.order):
            back[item.order.parent_id] += item.order.filled_quantity
        else:
            kept.append(item)
    return [left for item in kept if (left := _less(item, back.get(item.order.client_order_id, Decimal(0))))]


def adjustment_of(item: FilledOrder) -> PositionAdjustment | None:
    """The note that a fill is; None of an order's."""
    order = item.order
    if not _entered(order):
        return None
    return PositionAdjustment(
        order.client_order_id, order.filled_quantity * (1 if order.side == "buy" else -1), item.first_fill
    )


def undone(order: JournalOrder) -> bool:
    """Whether an order takes back a difference that had been entered: its parent's."""
    return _entered(order) and bool(order.parent_id)


def _entered(order: JournalOrder) -> bool:
    """Whether no order at the venue stands behind it."""
    return order.role == OrderRole.MANUAL and not order.venue_id


def _less(item: FilledOrder, back: Decimal) -> FilledOrder | None:
    order, left = item.order, item.order.filled_quantity - back
    if not back or left <= 0:
        return item if not back else None
    notional, fees = (usd * left / order.filled_quantity for usd in (order.filled_notional, order.fees))
    return replace(item, order=replace(order, filled_quantity=left, filled_notional=notional, fees=fees))
