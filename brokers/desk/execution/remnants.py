"""What is left of a share, which no order that rests can protect."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

from brokers.desk.reconcile.own_positions import OwnPositions
from brokers.desk.venue_state import VenueState
from brokers.order_types import LEVEL_ROLES
from brokers.quantities import digits

REMNANT = timedelta(minutes=10)
"""Between two attempts to sell what is left of a share."""

log = logging.getLogger(__name__)


class Remnants:
    """Says of a fraction that nothing protects it, and sells it after the whole shares went by stop or target.

    Parameters
    ----------
    state : VenueState
    positions : OwnPositions
    leave : callable
        Closes a position: symbol and reason.
    """

    def __init__(self, state: VenueState, positions: OwnPositions, leave: Callable[[str, str], None]) -> None:
        self._state = state
        self._positions = positions
        self._leave = leave
        self._told: dict[str, Decimal] = {}
        self._tried: dict[str, datetime] = {}

    def see(self, symbol: str, rest: Decimal) -> None:
        """Say once of a fraction that nothing protects it: the venue takes exits that rest for whole shares only."""
        if rest >= self._state.rules.fraction and rest != self._told.get(symbol):
            log.warning("%s: %s of a share cannot be behind a stop, orders that rest are whole", symbol, digits(rest))
        self._told[symbol] = rest

    def sell(self, symbol: str, held: Decimal) -> None:
        """What is left of a share follows the whole ones where those went by stop or target."""
        entry = self._positions.book.entries[symbol].client_order_id
        gone = any(p.entry_order == entry and p.trade.exit_reason in LEVEL_ROLES for p in self._positions.book.portions)
        now = self._state.now
        if gone and now - self._tried.get(symbol, now - REMNANT) >= REMNANT:
            self._tried[symbol] = now
            self._leave(symbol, f"{digits(abs(held))} are left of what went by its exits")

    def forget(self, symbol: str) -> None:
        """There is no position any more."""
        self._tried.pop(symbol, None)
