"""What an exit may be at this venue: its quantity, prices on the grid, a pair or a stop alone."""

from __future__ import annotations

import math
from collections.abc import Iterable
from decimal import Decimal
from functools import partial

from brokers.desk.execution.exit_levels import Levels, passed
from brokers.desk.execution.order_requests import exits, stop_on_tick, stop_only
from brokers.desk.venue_state import VenueState
from brokers.order_types import OrderRole, Resting, Side
from brokers.quantities import nearest, whole_lots
from brokers.venue_requests import OrderRequest


class ExitTerms:
    """Brings the exits of a position into the form that the venue takes.

    Parameters
    ----------
    state : VenueState
    lot : float
        Shares that orders which rest are multiples of.
    """

    def __init__(self, state: VenueState, lot: float) -> None:
        self._state = state
        self._lot = lot

    def can_rest(self, symbol: str, held: Decimal) -> Decimal:
        """What of a position an order that rests may be for: whole lots, as far as they are not below the minimum."""
        whole = whole_lots(held, self._lot)
        return whole if whole >= self._state.least(symbol) else Decimal(0)

    def request(self, symbol: str, sign: int, quantity: Decimal, levels: Levels) -> tuple[OrderRequest, OrderRole]:
        """Exits of a position of that sign: a pair where the venue lets such rest, else the stop by itself."""
        side: Side = "sell" if sign > 0 else "buy"
        if Resting.OCO in self._state.rules.resting:
            return exits(symbol, side, quantity, levels.stop, levels.target), OrderRole.TARGET
        return stop_only(symbol, side, quantity, levels.stop), OrderRole.STOP

    def on_tick(self, price: float, symbol: str) -> float:
        """The nearest price on the grid."""
        return nearest(price, self._state.rules.tick(price, symbol))

    def stop_on_tick(self, price: float, symbol: str, sign: int) -> float:
        """A stop on the grid, towards the market for a position of that sign."""
        side: Side = "sell" if sign > 0 else "buy"
        return float(stop_on_tick(price, side, partial(self._state.rules.tick, symbol=symbol)))

    def nearest(self, symbol: str, levels: Levels, price: float, sign: int, away_frac: float) -> Levels:
        """Exits that the venue takes at its price: the level that it has passed lies a fraction away, at least."""
        # Away from the market: rounded towards it, the stop of a cheap share would be at the price itself.
        gap = max(price * away_frac, 2 * self._state.rules.gap(price, symbol))
        stop, target = levels.stop, levels.target
        if self.passed(symbol, Levels(stop, sign * math.inf), [price], sign):
            stop = self.stop_on_tick(price - sign * gap, symbol, -sign)
        if self.passed(symbol, Levels(-sign * math.inf, target), [price], sign):
            target = self.on_tick(price + sign * gap, symbol)
        return Levels(stop, target)

    def passed(self, symbol: str, levels: Levels, prices: Iterable[float], sign: int) -> str:
        """What all of the prices have left behind, in words, at the distance that the venue wants; empty if nothing."""
        return passed(levels, prices, sign, partial(self._state.rules.gap, symbol=symbol))
