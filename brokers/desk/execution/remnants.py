"""What is left of a share, or of coins below the venue's minimum, which no order that rests can protect."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

from brokers.desk.execution.backoff import elapsed
from brokers.desk.execution.sale_check import unsaleable
from brokers.desk.reconcile.own_positions import OwnPositions
from brokers.desk.venue_snapshot import REMAINDER_USD
from brokers.desk.venue_state import VenueState
from brokers.order_types import LEVEL_ROLES
from brokers.quantities import digits, exact
from config.values.counting import COINS, unit_of

REMNANT = timedelta(minutes=10)
"""Between two attempts to sell what is left of a share."""
LEAST_AGAIN = timedelta(minutes=1)
"""Between two questions for a least quantity that holds something back."""

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
        self._asked: dict[str, datetime] = {}

    def see(self, symbol: str, rest: Decimal) -> None:
        """Say once of what is left that nothing protects it: the venue takes exits that rest for whole shares only, and
        for no fewer coins than its minimum.
        """
        if unit_of(symbol) == COINS:
            self._see_coins(symbol, rest)
            return
        if rest >= self._state.rules.fraction and rest != self._told.get(symbol):
            log.warning("%s: %s of a share cannot be behind a stop, orders that rest are whole", symbol, digits(rest))
        self._told[symbol] = rest

    def _see_coins(self, symbol: str, rest: Decimal) -> None:
        """Told once until they are enough again or sold; what an order still sells is on its way."""
        if rest < self._state.rules.fraction:
            self._told.pop(symbol, None)
            return
        if symbol in self._told or self._positions.protection(symbol).exits:
            return
        self._told[symbol] = rest
        dust = self._state.view.dust.get(symbol)
        price = (dust.price if dust is not None else None) or self._state.view.price(symbol)
        worth = rest * (price or exact(self._positions.book.ledger.positions[symbol].entry_price))
        if worth >= REMAINDER_USD:
            venue, coin = self._state.venue.name, symbol.partition("/")[0]
            least = digits(self._state.least(symbol, price))
            log.warning(
                "%s: %s coins, %.2f USD, are below %s's minimum of %s %s: by themselves they can be neither sold nor "
                "put behind a stop",
                symbol,
                digits(rest),
                worth,
                venue,
                least,
                coin,
            )

    def ask_least(self, symbol: str, held_back: Decimal) -> None:
        """Let the venue be asked again while its least quantity holds something back: it may have been lowered."""
        if not held_back:
            self._asked.pop(symbol, None)
            return
        now = self._state.now
        # Not at once: the first part of an entry that fills is below the minimum for a moment only.
        if elapsed(now, self._asked.setdefault(symbol, now), LEAST_AGAIN):
            self._asked[symbol] = now
            unsaleable(self._state, symbol, held_back)

    def sell(self, symbol: str, held: Decimal) -> None:
        """What is left of a share follows the whole ones where those went by stop or target.

        What is below the venue's minimum stays.
        """
        if abs(held) < self._state.least(symbol):
            return
        entry = self._positions.book.entries[symbol].client_order_id
        gone = any(p.entry_order == entry and p.trade.exit_reason in LEVEL_ROLES for p in self._positions.book.portions)
        now, tried = self._state.now, self._tried.get(symbol)
        if gone and (tried is None or elapsed(now, tried, REMNANT)):
            self._tried[symbol] = now
            self._leave(symbol, f"{digits(abs(held))} are left of what went by its exits")

    def forget(self, symbol: str) -> None:
        """There is no position any more."""
        self._tried.pop(symbol, None)
        self._asked.pop(symbol, None)
        self._told.pop(symbol, None)
