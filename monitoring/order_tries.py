"""Orders that came to nothing one after the other are shown as one, so that they do not hide the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from monitoring.rows import OrderRow

NOTHING_CAME = ("lost", "rejected")


@dataclass(frozen=True, slots=True)
class Tried:
    """An order, and earlier ones of the same kind that came to nothing like it, the latest first."""

    order: OrderRow
    before: tuple[OrderRow, ...] = ()


def folded(orders: Sequence[OrderRow]) -> list[Tried]:
    """Orders, the latest first, with tries that failed one after the other as one."""

    def alike(order: OrderRow) -> object:
        kind = order.symbol, order.side, order.role, order.quantity, order.parent, order.state
        return kind if order.state in NOTHING_CAME else order.id

    runs = (tuple(run) for _, run in groupby(orders, alike))
    return [Tried(run[0], run[1:]) for run in runs]
