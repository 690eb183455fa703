"""What of a position the orders at the venue protect."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from brokers.live.orders import VenueOrder

NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class Cover:
    """The orders of one symbol, as they stand to its position.

    ``protected`` counts shares behind a working stop, ``exits`` are open orders that would reduce the position,
    ``entries`` those that would add to it, ``leaving`` tells that a cancel or replace of an exit is on its way.
    """

    protected: Decimal
    exits: tuple[VenueOrder, ...]
    entries: tuple[VenueOrder, ...]
    leaving: bool

    @property
    def stops(self) -> tuple[VenueOrder, ...]:
        return tuple(order for order in self.exits if order.is_stop and not order.leaving)

    @property
    def groups(self) -> dict[str, VenueOrder]:
        """One open exit of each group: cancelling it cancels the group."""
        return {order.group: order for order in self.exits if not order.leaving}


def cover_of(orders: Iterable[VenueOrder], symbol: str, held: Decimal) -> Cover:
    """How the open ``orders`` stand to ``held`` shares of ``symbol`` (negative for a short, 0 for none)."""
    mine = [order for order in orders if order.symbol == symbol and order.open]
    against = "sell" if held >= 0 else "buy"
    # Exits of an entry that still works are no exits yet: they wait, and go when it goes.
    exits = tuple(order for order in mine if order.side == against and order.armed)
    best: dict[str, Decimal] = {}
    for order in exits:
        if order.is_stop and not order.leaving:
            best[order.group] = max(best.get(order.group, NOTHING), order.remaining)
    return Cover(
        protected=sum(best.values(), NOTHING),
        exits=exits,
        entries=tuple(order for order in mine if order.side != against),
        leaving=any(order.leaving for order in exits),
    )
