"""Empties the venue of orders, sells dust, and takes unknown symbols out of the local state; says what it does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal

from brokers.desk.core import DeskCore, assemble
from brokers.desk.execution.order_gateway import OrderRefused
from brokers.desk.execution.order_requests import single
from brokers.desk.venue_snapshot import grouped
from brokers.journal import Journal, State
from brokers.journal.states import FINAL
from brokers.network.admission import Admission
from brokers.operator.account import unanswered
from brokers.order_types import OrderRole
from brokers.ports import Venue
from brokers.quantities import DUST_USD, digits
from brokers.venue_errors import VenueError
from brokers.venue_values import VenueOrder, VenuePosition
from config import Settings

PAUSE_S = 0.1
POLL_S = 0.5
AGAIN_S = 3.0
DEADLINE_S = 30.0


@dataclass(slots=True)
class Pace:
    """Keeps calls that change something apart; time can be handed in."""

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _last: float = -PAUSE_S

    @contextmanager
    def apart(self) -> Iterator[None]:
        """Around a call: begins it no earlier than the pause after the one before ended."""
        self.sleep(max(0.0, self._last + PAUSE_S - self.clock()))
        try:
            yield
        finally:
            self._last = self.clock()

    def done_by(self, done: Callable[[], bool], seconds: float = DEADLINE_S) -> bool:
        """Whether ``done`` becomes true in time."""
        end = self.clock() + seconds
        while not done():
            if self.clock() >= end:
                return False
            self.sleep(POLL_S)
        return True


@dataclass(frozen=True, slots=True)
class Group:
    """Open orders that end together: one of them by its id, and all of them in words."""

    id: str
    text: str
    cancel_pending: bool


@dataclass(slots=True)
class Cleanup:
    """One cleanup of an account.

    Parameters
    ----------
    venue : Venue
    say : callable
        Is told each action before it happens.
    core : DeskCore or None
        Sends, cancels and books; without it nothing is changed.
    pace : Pace
    """

    venue: Venue
    say: Callable[[str], None]
    core: DeskCore | None
    pace: Pace = field(default_factory=Pace)
    _asked: dict[str, float] = field(default_factory=dict)

    def cancel_all(self) -> bool:
        """Cancel every open order and wait until the venue has none left; False if some are."""
        if self.core is None:
            for group in self._groups():
                self.say(f"would cancel {group.text}")
            return True
        if self.pace.done_by(self._none_left):
            return True
        self.say("orders are still open at the venue after the time there was; run this again")
        return False

    def sell_dust(self, is_open: bool) -> bool:
        """Sell positions worth less than a dollar, where the venue takes that; False if one was not settled."""
        settled = True
        dust = self.venue.dust().by_symbol
        for position in {**self.venue.positions().by_symbol, **dust}.values():
            worth, held = abs(position.market_value or Decimal(0)), abs(position.quantity)
            # What is no position at the venue is named whatever it is worth: it may be below the venue's minimum.
            if not held or (worth >= DUST_USD and position.symbol not in dust):
                continue
            if position.market_value is None:
                self.say(f"left: {digits(held)} {position.symbol}, the venue does not say what they are worth")
                continue
            what = f"{digits(held)} {position.symbol}, worth {worth:.2f} USD"
            if why := self._unsellable(position, is_open):
                self.say(f"dust left: {what}: {why}")
            elif self.core is None:
                self.say(f"would sell dust: {what}")
            else:
                self.say(f"sell dust: {what}")
                settled &= self._sell(self.core, position)
        return settled

    def _none_left(self) -> bool:
        try:
            groups = self._groups()
            for group in groups:
                if not group.cancel_pending and self.pace.clock() - self._asked.get(group.id, -AGAIN_S) >= AGAIN_S:
                    self._cancel(group)
        except VenueError as error:
            self.say(f"{unanswered(error)}; trying on")
            return False
        return not groups

    def _cancel(self, group: Group) -> None:
        assert self.core is not None
        self._asked[group.id] = self.pace.clock()
        self.say(f"cancel {group.text}")
        with self.pace.apart():
            taken = self.core.gateway.cancel(group.id, seen_open=True)
        if not taken:
            self.say(f"the venue did not take the cancel of {group.id}; looking whether it is still open")

    def _groups(self) -> list[Group]:
        """One open order of each group, as the venue lists it, and how many others go with it."""
        listing = self.venue.open_orders()
        orders = grouped(listing.orders)
        found: dict[str, Group] = {}
        for row in listing.unread:
            # A cancel needs nothing but its id; one without stays, and is told as still open in the end.
            text = f"an order that cannot be read ({row.id or 'without an id'})"
            found[row.id] = Group(row.id, text, cancel_pending=not row.id)
        for order in orders.values():
            members = sum(other.group == order.group and other.open for other in orders.values())
            if order.open:
                found.setdefault(order.group, Group(order.id, _order(order, members - 1), order.cancel_pending))
        return list(found.values())

    def _unsellable(self, position: VenuePosition, is_open: bool) -> str:
        """Why the venue would not take the sale; empty if it would."""
        if not self.venue.trades(position.symbol):
            return "the venue does not trade it"
        if position.quantity % 1 and not self.venue.trades_fractions(position.symbol):
            return "the venue takes whole shares of it only"
        least = self.venue.rules.least(position.symbol, position.unit_price)
        if abs(position.quantity) < least:
            return f"the venue takes no order below {digits(least)}"
        return "" if is_open else "the market is closed; run this again when it is open"

    def _sell(self, core: DeskCore, position: VenuePosition) -> bool:
        symbol, held = position.symbol, abs(position.quantity)
        if not self.pace.done_by(lambda: self._released(symbol)):
            self.say(f"the venue does not release the shares of {symbol}; run this again")
            return False
        adopt(core, symbol, position)
        # A remnant is sold whole, so that it is its own lot.
        core.gateway.limits.lot = float(held)
        request = single(symbol, "buy" if position.quantity < 0 else "sell", held, None)
        try:
            with self.pace.apart():
                # Booked as manual: what is left may have been bought by hand, by us, or both.
                placed = core.gateway.place(
                    request, OrderRole.MANUAL, core.state.now, reason="dust, sold by the cleanup"
                )
        except OrderRefused as refused:
            self.say(f"dust left: {symbol}: {refused.code}")
            return True

        def over() -> bool:
            core.observer.look(account=False, clock=False)
            return core.journal.order(placed.client_order_id).state in FINAL

        if self.pace.done_by(over) and core.journal.order(placed.client_order_id).state is State.FILLED:
            self.say(f"sold {digits(held)} {symbol}")
            return True
        self.say(f"the sale of {symbol} is {core.journal.order(placed.client_order_id).state}; run this again")
        return False

    def _released(self, symbol: str) -> bool:
        there = {**self.venue.positions().by_symbol, **self.venue.dust().by_symbol}
        position = there.get(symbol)
        return position is None or position.available >= abs(position.quantity)


def adopt(core: DeskCore, symbol: str, position: VenuePosition | None = None) -> None:
    """Enter the shares of a symbol that were bought by hand, so that a sale of them adds up.

    ``position`` is what there is, by default what the last look showed, which leaves dust out. A venue that does not
    know what was paid has them entered at the present price.
    """
    held = core.state.view.held(symbol) if position is None else position.quantity
    view, positions = core.state.view, core.positions
    for order in view.manual:
        if order.symbol == symbol and order.filled > 0 and core.sync.client_id(order.id) is None:
            core.sync.adopt_manual(order)
    positions.refresh()
    difference = held - positions.book.total(symbol)
    if difference and not positions.unresolved(symbol):
        paid = view.average_price(symbol) or view.price(symbol)
        price = paid if position is None else position.average_price or position.unit_price
        core.sync.note_difference(symbol, difference, price, core.state.now, "found at the venue without an order")
        positions.refresh()


def core_of(venue: Venue, journal: Journal, settings: Settings, admission: Admission) -> DeskCore:
    """What a script trades with; it sends exits only, so it needs no quotes."""
    return assemble(venue, journal, settings, lambda symbols: {}, admission)


def _order(order: VenueOrder, legs: int) -> str:
    price = order.limit_price or order.stop_price
    at = f" at {digits(price)}" if price else ""
    filled = f", {digits(order.filled)} filled" if order.filled else ""
    others = f", and {legs} that goes with it" if legs == 1 else f", and {legs} that go with it" if legs else ""
    return f"{order.side} {digits(order.quantity)} {order.symbol} {order.type}{at}{filled}{others} ({order.id})"
