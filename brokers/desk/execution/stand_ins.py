"""Exits at the nearest prices that the venue takes, in place of those that the market has passed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

from brokers.desk.execution.backoff import Waits
from brokers.desk.execution.exit_levels import LevelKeeper, Levels
from brokers.desk.execution.exit_terms import ExitTerms
from brokers.desk.execution.order_gateway import OrderGateway, OrderRefused
from brokers.desk.execution.stop_changes import StopChanges
from brokers.desk.reconcile.own_positions import OwnPositions
from brokers.desk.venue_state import VenueState
from brokers.journal.marks import NEAREST
from brokers.venue_values import VenueOrder

LEVEL_AGAIN = timedelta(seconds=5)
"""Between two looks whether a stop that stands in for another may go to its level."""

log = logging.getLogger(__name__)


class StandIns:
    """Places what stands in, and takes it back to the levels of its position, which stay what they were.

    Parameters
    ----------
    state : VenueState
    positions : OwnPositions
    gateway : OrderGateway
    terms : ExitTerms
    keeper : LevelKeeper
    stops : StopChanges
    through_frac : float
        How far from the venue's price, as a fraction of it.
    leave : callable
        Closes a position whose level the market has passed: symbol and reason.
    """

    def __init__(
        self,
        state: VenueState,
        positions: OwnPositions,
        gateway: OrderGateway,
        terms: ExitTerms,
        keeper: LevelKeeper,
        stops: StopChanges,
        through_frac: float,
        leave: Callable[[str, str], None],
    ) -> None:
        self._state, self._positions, self._gateway = state, positions, gateway
        self._terms, self._keeper, self._stops = terms, keeper, stops
        self._through_frac, self._leave = through_frac, leave
        self._waits = Waits(lambda: state.now)

    def place(self, symbol: str, sign: int, missing: Decimal, levels: Levels, refusal: OrderRefused) -> bool:
        """What the market has passed, and what cannot be sold now, goes behind the nearest stop; whether it does.

        At shutdown nothing is sold any more; a sale without an outcome keeps the next one waiting for a minute; and
        with a closed market nothing is sold before the opening, at whose first price the shares are to be protected.
        """
        price = refusal.venue.market_price if refusal.venue is not None else None
        waits = self._gateway.shutting_down or self._positions.unresolved(symbol) or not self._state.in_session
        if not waits or price is None:
            return False
        nearest = self._terms.nearest(symbol, levels, float(price), sign, self._through_frac)
        request, role = self._terms.request(symbol, sign, missing, nearest)
        entry = self._positions.book.entries[symbol]
        try:
            self._gateway.place(request, role, entry.decision_time, parent=entry.client_order_id, reason=NEAREST)
        except OrderRefused as again:
            log.warning("%s: the nearest stop %s was refused too: %s", symbol, nearest.stop, again.code)
            return False
        return True

    def standing_in(self, symbol: str) -> list[VenueOrder]:
        """Stops that stand in, in the session, which alone decides by prices what becomes of them."""
        if symbol not in self._positions.book.ledger.positions or not self._state.in_session:
            return []
        stops = self._positions.protection(symbol).stops
        return [order for order in stops if not order.filled and self._keeper.stands_in(order)]

    def back_to_levels(self, symbol: str, end: Callable[[VenueOrder, str], None]) -> None:
        """Leave a position whose own level the market has passed; else its stop goes to its level.

        By both sides of a quote; what stands in protects until there is one. Where the target alone stands in, ``end``
        cancels the pair for one at the levels.
        """
        stops = self.standing_in(symbol)
        if self._waits.goes_on(symbol, "level", bool(stops), LEVEL_AGAIN) or not stops:
            return
        position, quote = self._positions.book.ledger.positions[symbol], self._state.quote(symbol)
        levels, sign = self._keeper.of(position), 1 if position.quantity > 0 else -1
        if quote.problem:
            return
        if why := self._terms.passed(symbol, levels, quote.prices, sign):
            self._leave(symbol, why)
            return
        decided = self._positions.book.entries[symbol].decision_time
        for order in stops:
            if sign * (levels.stop - float(order.stop_price)) > 0:
                self._stops.move(order, levels.stop, "back to the stop of its position", decided, levels)
            elif not self._gateway.nothing_follows:
                end(order, "its target goes back to that of its position")
