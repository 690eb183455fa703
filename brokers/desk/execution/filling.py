"""Sales that are left at the venue: those that fill in parts, and those whose rest no other order could be for."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from brokers.desk.reconcile.own_positions import OwnPositions
from brokers.desk.venue_state import VenueState
from brokers.quantities import digits
from brokers.venue_values import VenueOrder

STUCK_AFTER = timedelta(seconds=30)
"""An order that has filled in part and has had no further part for so long is taken as stuck."""


class Filling:
    """Tells of an exit whether it is left to fill.

    A stop that was triggered is a market order: as long as it fills, a cancel and another order only lose time, and
    what is left of it is without a stop. What is below the venue's minimum could not be sold at all after a cancel.

    Parameters
    ----------
    state : VenueState
    positions : OwnPositions
    """

    def __init__(self, state: VenueState, positions: OwnPositions) -> None:
        self._state = state
        self._positions = positions

    def goes_on(self, order: VenueOrder) -> bool:
        """Whether an order has filled in part, the last part of it lately."""
        if not order.filled or not order.open:
            return False
        # Its own fills alone: a trade by hand in the symbol does not say that this order still fills.
        last = self._positions.last_fill(order)
        # By the venue's time, which a clock of ours may be a little behind.
        return last is not None and abs(self._state.now - last) < STUCK_AFTER

    def is_last(self, order: VenueOrder) -> bool:
        """Whether all that is left of a position is too little for another order than this one."""
        held = abs(self._positions.book.quantity(order.symbol))
        return order.remaining > 0 and held < self._state.least(order.symbol)

    def is_taken(self, order: VenueOrder) -> bool:
        """Whether the market stands at the limit of an order or beyond it, so that it fills at once."""
        quote = self._state.quote(order.symbol)
        if quote.problem:
            return False
        return quote.bid >= order.limit_price if order.side == "sell" else quote.ask <= order.limit_price

    def stays(self, order: VenueOrder) -> bool:
        """Whether an exit is not cancelled for a sale of what it is for: it sells that itself, or nothing else can."""
        return (order.is_stop and self.goes_on(order)) or self.is_last(order)

    def staying(self, symbol: str) -> dict[str, Decimal]:
        """How many shares are left to exits that stay, by their group."""
        counts = dict[str, Decimal]()
        for order in self._positions.protection(symbol).exits:
            if not order.cancel_pending and self.stays(order):
                counts[order.group] = max(counts.get(order.group, Decimal(0)), order.remaining)
        return counts


def progress(order: VenueOrder) -> str:
    """How far an order has come, in words."""
    if not order.filled:
        return "has not filled"
    return f"has filled in part, {digits(order.filled)} of {digits(order.quantity)}, and goes no further"
