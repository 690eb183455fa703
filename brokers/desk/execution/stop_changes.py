"""Stops that rest get another price or more shares, without an instant in which they do not rest."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from brokers.desk.execution.exit_levels import Levels
from brokers.desk.execution.order_gateway import OrderGateway, OrderRefused
from brokers.desk.execution.refused_protection import Circumstances, RefusedProtections
from brokers.desk.reconcile.order_comparison import is_moved, reason_of
from brokers.desk.reconcile.own_positions import OwnPositions
from brokers.desk.reconcile.protection_status import ProtectionStatus
from brokers.desk.venue_state import VenueState
from brokers.journal import JournalOrder, OrderIntent
from brokers.order_types import OrderRole, OrderType, Resting, VenueReason
from brokers.quantities import digits, exact
from brokers.venue_requests import OrderChange
from brokers.venue_values import VenueOrder

JOIN_AFTER = timedelta(seconds=15)
"""How old stops have to be before several become one: a cancel of a younger one counts more at a venue."""

log = logging.getLogger(__name__)


class StopChanges:
    """Moves and raises stops, and names the one that is cancelled so that another can be raised.

    Parameters
    ----------
    state : VenueState
    positions : OwnPositions
    gateway : OrderGateway
    refused : RefusedProtections
        Is told of a raise that is refused.
    leave : callable
        Closes a position whose new stop the market has passed: symbol and reason.
    """

    def __init__(
        self,
        state: VenueState,
        positions: OwnPositions,
        gateway: OrderGateway,
        refused: RefusedProtections,
        leave: Callable[[str, str], None],
    ) -> None:
        self._state = state
        self._positions = positions
        self._gateway = gateway
        self._refused = refused
        self._leave = leave
        self._never_raised: set[str] = set()
        self._not_there: dict[str, tuple[Decimal, Decimal]] = {}
        """What was missing, and what was free by the venue's word, when a raise was refused for want of shares."""

    def may_be_raised(self, symbol: str) -> bool:
        """Whether the venue has not refused to raise a stop of this position."""
        return symbol not in self._never_raised

    def forget(self, symbol: str) -> None:
        """The position has ended; in the next one stops may be raised."""
        self._never_raised.discard(symbol)
        self._not_there.pop(symbol, None)

    def left(self, symbol: str, missing: Decimal) -> bool:
        """Whether so much stays without a stop: it is too little for one, and the venue does not let it be sold.

        A fee that was taken in coins leaves fewer than were bought. What rests is not cancelled for the difference, and
        is raised again once another quantity is missing or free.
        """
        return self._not_there.get(symbol) == (missing, self._state.view.available(symbol))

    def to_be_raised(
        self, symbol: str, missing: Decimal, levels: Levels, protection: ProtectionStatus
    ) -> VenueOrder | None:
        """The stop whose quantity is raised by what is missing; None where another one is placed beside those there.

        What is too little for a stop of its own goes behind one that rests. Where every fill makes a stop, what lost
        its own goes behind one at the same price.
        """
        resting = sorted((order for order in protection.stops if not order.filled), key=lambda o: (o.remaining, o.id))
        if missing < self._state.least(symbol):
            return resting[-1] if resting else None
        if Resting.ENTRY_STOP not in self._state.rules.resting or not self.may_be_raised(symbol):
            return None
        near = self._state.rules.tick(levels.stop, symbol) / 2
        return next((o for o in reversed(resting) if abs(float(o.stop_price) - levels.stop) < near), None)

    def raise_quantity(self, stop: VenueOrder, missing: Decimal, time: datetime, what: Circumstances) -> None:
        """Put what is missing behind a stop that rests; what it holds already stays behind it all the while."""
        symbol, total = stop.symbol, stop.quantity + missing
        why = f"{digits(missing)} more behind the stop that rests"
        try:
            intent = self._changed(stop, stop.remaining + missing, stop.stop_price, why, time)
            raised = self._gateway.replace(stop.id, intent, OrderChange(quantity=total))
        except OrderRefused as refusal:
            log.warning("%s: the stop stays for %s: %s", symbol, digits(stop.quantity), refusal.code)
            self._refused.add(symbol, what, refusal)
            # What no order could do now says nothing of this one.
            if refusal.venue is None or refusal.venue.reason is VenueReason.CLOSED:
                return
            if refusal.venue.reason is VenueReason.SHARES_HELD and missing < self._state.least(symbol):
                self._not_there[symbol] = missing, self._state.view.available(symbol)
            else:
                self._never_raised.add(symbol)
        else:
            log.info(
                "%s: stop raised from %s to %s; %s; %s", symbol, digits(stop.quantity), digits(total), raised.state, why
            )

    def to_be_joined(self, protection: ProtectionStatus) -> VenueOrder | None:
        """The smaller of two stops at one price: with it cancelled the next step raises the other; None without two.

        A venue that makes a stop for every fill of an entry leaves as many as there were fills. Only the shares of
        the smaller are without a stop meanwhile, as what a stop holds cannot be behind another.
        """
        if Resting.ENTRY_STOP not in self._state.rules.resting or self._gateway.nothing_follows or protection.entries:
            return None
        at_price: dict[Decimal, list[VenueOrder]] = {}
        for order in protection.stops:
            # The venue's clock and ours are not the same, so that one that was just made may be of a moment later.
            young = order.created is not None and abs(self._state.now - order.created) < JOIN_AFTER
            if not (order.filled or young) and self.may_be_raised(order.symbol):
                at_price.setdefault(order.stop_price, []).append(order)
        several = next((orders for orders in at_price.values() if len(orders) > 1), None)
        # A raise without an answer may still come, and would lower a stop that was raised further meanwhile.
        if several is None or self._positions.unresolved(several[0].symbol):
            return None
        return smallest(several)

    def move(self, order: VenueOrder, stop: float, why: str, time: datetime, levels: Levels) -> None:
        """Give a stop another price; the levels of its position follow where the venue has taken it."""
        try:
            intent = self._changed(order, order.remaining, exact(stop), why, time)
            moved: JournalOrder = self._gateway.replace(order.id, intent, OrderChange(stop_price=exact(stop)))
        except OrderRefused as refusal:
            log.warning("%s: the stop stays at %s: %s", order.symbol, order.stop_price, refusal.code)
            if refusal.venue is not None and refusal.venue.reason is VenueReason.PRICE_PASSED:
                self._leave(order.symbol, f"{why}; the venue's price has passed the new stop {stop}")
            return
        log.info("%s: stop moved from %s to %s (%s); %s", order.symbol, order.stop_price, stop, moved.state, why)
        levels.stop = stop

    def _changed(self, order: VenueOrder, remaining: Decimal, stop: Decimal, why: str, time: datetime) -> OrderIntent:
        """What the journal is to know of a stop that gets other terms."""
        name, parent = self._positions.sync.client_id(order.id), ""
        if name:
            known = self._positions.journal.order(name)
            # More shares behind a stop that stands in for another make its price no level of the position.
            parent = known.parent_id
            why = reason_of(known, why, moved=stop != order.stop_price or is_moved(known, order))
        return self._gateway.intent(
            order.symbol,
            order.side,
            remaining,
            OrderType.STOP,
            OrderRole.STOP,
            time,
            stop=stop,
            parent=parent,
            reason=why,
        )


def smallest(orders: Sequence[VenueOrder]) -> VenueOrder:
    """The order with the fewest shares left; by its id among equals."""
    return min(orders, key=lambda order: (order.remaining, order.id))
