"""What of a position the orders at the venue protect."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from brokers.venue_values import VenueOrder

NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class ProtectionStatus:
    """The orders of one symbol, as they stand to its position.

    ``protected`` counts shares behind a working stop, ``exits`` are open orders that would reduce the position,
    ``entries`` those that would add to it, ``cancel_pending`` tells that a cancel or replace of an exit is on its way.
    ``lagging`` of the protected shares are sold already: their target filled in part, and the venue resizes the
    stop next to it a moment later. ``by_group`` tells how many of them each group protects.
    """

    protected: Decimal
    exits: tuple[VenueOrder, ...]
    entries: tuple[VenueOrder, ...]
    cancel_pending: bool
    lagging: Decimal
    by_group: Mapping[str, Decimal] = field(default_factory=dict)

    @property
    def stops(self) -> tuple[VenueOrder, ...]:
        return tuple(order for order in self.exits if order.is_stop and not order.cancel_pending)

    @property
    def groups(self) -> dict[str, VenueOrder]:
        """One open exit of each group: cancelling it cancels the group."""
        return {order.group: order for order in self.exits if not order.cancel_pending}


def protection_status(
    orders: Iterable[VenueOrder],
    symbol: str,
    held: Decimal,
    opens: Callable[[VenueOrder], bool | None] = lambda order: None,
) -> ProtectionStatus:
    """How the open ``orders`` stand to ``held`` shares of ``symbol`` (negative for a short, 0 for none).

    ``opens`` says of an order what it was sent for: True to open a position, False to leave one, None if that is
    not known, and its side has to tell.
    """
    against = "sell" if held >= 0 else "buy"
    entries, exits = list[VenueOrder](), list[VenueOrder]()
    for order in orders:
        if order.symbol != symbol or not order.open:
            continue
        purpose = opens(order)
        if purpose or (purpose is None and order.side != against):
            entries.append(order)
        elif order.armed and (not held or order.side == against):
            # Exits of an entry that still works are no exits yet: they wait, and go when it goes.
            exits.append(order)
    best: dict[str, Decimal] = {}
    for order in exits:
        if order.is_stop and not order.cancel_pending:
            best[order.group] = max(best.get(order.group, NOTHING), order.remaining)
    sold = {order.group: order.remaining for order in exits if order.filled and not order.is_stop}
    return ProtectionStatus(
        protected=sum(best.values(), NOTHING),
        exits=tuple(exits),
        entries=tuple(entries),
        cancel_pending=any(order.cancel_pending for order in exits),
        lagging=sum((max(NOTHING, count - sold.get(group, count)) for group, count in best.items()), NOTHING),
        by_group=best,
    )
