"""Stops that the market has passed and that did not fill: noticed within seconds, and handled like a passed level.

A stop at the venue may be triggered late, or be triggered and not filled: the share is halted, its limit was passed,
the venue is behind. Until then the position counts as protected, and loses on. One that fills in parts works, and is
left to sell the last of them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from brokers.desk.execution.backoff import elapsed
from brokers.desk.execution.filling import STUCK_AFTER, Filling, progress
from brokers.desk.reconcile.own_positions import OwnPositions
from brokers.desk.venue_state import VenueState
from brokers.venue_values import VenueOrder

FILL_WITHIN = timedelta(seconds=2)
"""How long a stop may take to fill once the market was seen beyond it: with a look in two seconds told within five."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Overdue:
    """Stops of a position that the market has passed.

    ``since`` is when that was first seen, ``filled`` what they had sold by then; ``told`` once it was told.
    """

    since: datetime
    filled: Decimal
    told: bool = False


class OverdueStops:
    """Watches the resting stops of every position against the market.

    A single print is no witness, and one side of a quote is none either: a position is left only where both sides of a
    quote lie beyond its stop, twice. Where no quote can be had, as in a halted share, it is told and left to the venue,
    whose order waits for the first trade as another would.

    Parameters
    ----------
    state : VenueState
    positions : OwnPositions
    leave : callable
        Closes a position: symbol and reason.
    filling : Filling
    asks : bool
        Whether quotes are followed at each step anyway; else one is asked for where the position's price has passed.
    """

    def __init__(
        self,
        state: VenueState,
        positions: OwnPositions,
        leave: Callable[[str, str], None],
        filling: Filling,
        *,
        asks: bool,
    ) -> None:
        self._state = state
        self._positions = positions
        self._leave = leave
        self._filling = filling
        self._asks = asks
        self._seen: dict[str, Overdue] = {}
        self._levels: Mapping[str, tuple[float, int]] = {}

    @property
    def symbols(self) -> Collection[str]:
        """Symbols whose stops should have filled by now."""
        return self._seen.keys()

    @property
    def watched(self) -> Collection[str]:
        """Symbols in which a stop rests; safe in any thread."""
        return self._levels.keys()

    @property
    def watching(self) -> bool:
        """Whether a stop rests that the market could pass now."""
        return bool(self._levels) and self._state.in_session

    def reaches(self, symbol: str, bid: float, ask: float) -> bool:
        """Whether a quote lies beyond a stop that rests; safe in any thread."""
        stop, sign = self._levels.get(symbol, (0.0, 1))
        return stop > 0 and bool(_beyond((bid, ask), stop, sign))

    def tend(self, symbol: str) -> None:
        """One step with the stops of a position that nothing else is closing."""
        position = self._positions.book.ledger.positions.get(symbol)
        protection = self._positions.protection(symbol)
        stops, ending = protection.stops, {order.group for order in protection.exits if order.cancel_pending}
        # A stop whose group is being cancelled or replaced may have ended already.
        if position is None or not stops or any(o.is_stop and o.group in ending for o in protection.exits):
            self.forget(symbol)
            return
        sign = 1 if position.quantity > 0 else -1
        # All of them: the one that lies farthest from the market is passed last.
        level = float(min(o.stop_price for o in stops) if sign > 0 else max(o.stop_price for o in stops))
        self._levels = {**self._levels, symbol: (level, sign)}
        if not self._state.in_session or any(self._filling.goes_on(order) for order in stops):
            self._seen.pop(symbol, None)
            return
        beyond, quoted = self._market(symbol, level, sign)
        filled = sum((order.filled for order in stops), Decimal(0))
        seen = self._seen.get(symbol)
        if not beyond or (seen is not None and filled != seen.filled):
            self._seen.pop(symbol, None)
            return
        now = self._state.now
        if seen is None:
            self._seen[symbol] = Overdue(now, filled)
            return
        if not elapsed(now, seen.since, FILL_WITHIN):
            return
        if not seen.told:
            seen.told = True
            log.error("%s: %s, and %s", symbol, beyond, _named(stops))
        # What is too little for another order is left to the one that there is.
        if quoted and not all(self._filling.is_last(order) for order in stops):
            self._leave(symbol, f"{beyond}; its stop {_how_far(stops)}")

    def forget(self, symbol: str) -> None:
        """The position is gone, being closed, or without a stop: nothing to watch."""
        self._seen.pop(symbol, None)
        if symbol in self._levels:
            self._levels = {name: level for name, level in self._levels.items() if name != symbol}

    def _market(self, symbol: str, stop: float, sign: int) -> tuple[str, bool]:
        """How far the market is beyond the stop, in words, empty if it is not; and whether a quote says so."""
        price = float(self._state.view.price(symbol))
        by_price = _beyond([price], stop, sign) if price > 0 else ""
        if not (by_price or self._asks or symbol in self._seen):
            return "", False
        quote = self._state.quote(symbol)
        if quote.problem:
            return by_price, False
        return _beyond(quote.prices, stop, sign), True


def _beyond(prices: Collection[float], stop: float, sign: int) -> str:
    """What the market is at, in words; empty unless every price is beyond the stop, and not just at it."""
    if not all(sign * (price - stop) < 0 for price in prices):
        return ""
    return f"STOP_PASSED: {' and '.join(f'{price:g}' for price in prices)} is beyond the stop {stop:g}"


def _named(stops: Collection[VenueOrder]) -> str:
    first = _farthest(stops)
    others = f", one of {len(stops)}," if len(stops) > 1 else ""
    return f"the stop {first.id} ({first.status}){others} {_how_far(stops)}"


def _how_far(stops: Collection[VenueOrder]) -> str:
    farthest = _farthest(stops)
    return progress(farthest) + (f" in {STUCK_AFTER.seconds} s" if farthest.filled else "")


def _farthest(stops: Collection[VenueOrder]) -> VenueOrder:
    """The stop that has filled most."""
    return max(stops, key=lambda order: order.filled)
