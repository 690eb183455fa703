"""Closing what is protected: exits cancelled, shares released, what stays protected, then a limit and a chase.

What an exit sells already, or is the only order for, stays there and is left to it (``filling``).

A close that comes to nothing does not leave its shares unprotected: the stop goes back, and the close waits behind it.
So it does where the market is closed: a sale that cannot be filled would only hold the shares that need a stop.
Where several positions are closed, the later ones keep their exits until it is their turn: the process may be killed at
any moment, and what has lost its exits by then stays without them until the next start.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from decimal import Decimal

from brokers.desk.execution.backoff import elapsed
from brokers.desk.execution.close_obstacles import CLOSED, RELEASE, CloseObstacles
from brokers.desk.execution.close_orders import CloseOrders
from brokers.desk.execution.close_prices import ClosePrices
from brokers.desk.execution.close_task import CloseTask, Stage, in_words, is_exposed
from brokers.desk.execution.filling import Filling
from brokers.desk.execution.order_gateway import OrderGateway
from brokers.desk.reconcile.own_positions import OwnPositions
from brokers.desk.venue_state import VenueState
from brokers.order_types import OrderRole
from brokers.quantities import digits, plain, whole_lots
from config import Settings

UNHEARD = timedelta(seconds=3)
"""After this a sale that the venue knows nothing of gives way to the stop, which holds the shares should it come."""
AT_ONCE = 2
"""So many positions at a time may have neither exits nor a sale at the venue because they are being closed."""
LONGEST_TURN = 8
"""Steps without a sale at the venue after which a position keeps the next one waiting no longer."""

log = logging.getLogger(__name__)


class PositionCloser:
    """Takes positions out of the market without ever meeting their own exits.

    Parameters
    ----------
    state : VenueState
    positions : OwnPositions
    gateway : OrderGateway
    settings : Settings
    filling : Filling
    """

    def __init__(
        self,
        state: VenueState,
        positions: OwnPositions,
        gateway: OrderGateway,
        settings: Settings,
        filling: Filling,
    ) -> None:
        self._state = state
        self._positions = positions
        self._gateway = gateway
        self._filling = filling
        self._lot = settings.sizing.lot
        prices = ClosePrices(state, positions, settings.live.close)
        self._obstacles = CloseObstacles(state, positions, settings, prices)
        self._orders = CloseOrders(state, positions, gateway, settings, filling, prices, self._has_turn)
        self.tasks: dict[str, CloseTask] = {}
        self._too_little: set[str] = set()
        """Symbols of which it was told that what is to be sold, or would stay, is below the venue's minimum."""

    def begin(self, symbol: str, quantity: float | None, role: str, reason: str, time: datetime) -> str:
        """Close ``quantity`` shares of a position, or all of it; what is under way already goes on.

        Returns why the venue's minimum forbids it, in words; empty where it does not. What stays has to be enough for a
        stop and for a sale of its own: else a trim, which has to make the position smaller, takes all of it, and any
        other part is not sold.
        """
        held = abs(self._positions.book.quantity(symbol))
        if not held:
            return ""
        sold = held if quantity is None else min(held, whole_lots(plain(quantity), self._lot))
        running = self.tasks.get(symbol)
        if running is not None and running.keep == held - sold and running.fruitless.failures and not running.order:
            # A round of attempts has come to nothing: the next one is for what is so now.
            running.reason = reason
        if sold <= 0 or (running is not None and running.keep <= held - sold):
            return ""
        least, why = self._state.least(symbol), ""
        if running is None and sold < least:
            why = f"is below the venue's minimum of {digits(least)}"
        elif 0 < held - sold < least:
            why = f"leaves {digits(held - sold)}, below the venue's minimum of {digits(least)}"
            if role == OrderRole.TRIM:
                log.info("%s: a sale of %s %s, so all of it is sold", symbol, digits(sold), why)
                sold, why = held, ""
        if why:
            if symbol not in self._too_little:
                self._too_little.add(symbol)
                log.info("%s: a sale of %s %s; %s", symbol, digits(sold), why, reason)
            return why
        self._too_little.discard(symbol)
        log.info("%s: closing %s of %s; %s", symbol, sold, held, reason)
        if running is not None:
            # A whole exit overtakes a trim: the order under way goes on, and the rest follows it.
            running.keep, running.reason, running.stage = held - sold, reason, Stage.RELEASING
            running.over = False
            return ""
        self.tasks[symbol] = task = CloseTask(symbol, held - sold, role, reason, time)
        self._orders.take_over(task, sold)
        return ""

    @property
    def working(self) -> set[str]:
        """Symbols whose close is under way, and does not wait for the next session."""
        return {symbol for symbol, task in self.tasks.items() if not task.awaits_opening}

    def told(self) -> dict[str, str]:
        """What each close waits for, in words; safe in any thread."""
        return {symbol: in_words(task, self._positions, self._lot) for symbol, task in dict(self.tasks).items()}

    def call_off(self, reason: str | None = None) -> None:
        """Sell nothing more: what has not gone yet stays, and its stop goes back; ``reason`` names the closes meant."""
        for task in self.tasks.values():
            if reason is not None and task.reason != reason:
                continue
            if not task.over:
                what = "its stop stays" if task.awaits_opening and not task.order else "its stop goes back first"
                log.warning("%s: no longer closing, %s", task.symbol, what)
            task.keep, task.over = abs(self._positions.book.quantity(task.symbol)), True
            task.stage = Stage.SELLING

    def keeps(self, symbol: str) -> Decimal | None:
        """How many shares of a symbol are to stay, and so to be protected now; None is all of them."""
        task = self.tasks.get(symbol)
        if task is None or task.stage in (Stage.BEHIND_STOP, Stage.WAITING) or self._unheard(task):
            return None
        if task.stage is Stage.RELEASING and not task.order and self._positions.unresolved(symbol):
            # Nothing is cancelled or sold for it before that order has an outcome.
            return None
        if task.stage is Stage.SELLING:
            return task.keep + sum(self._filling.staying(symbol).values())
        return self._positions.protection(symbol).protected

    def _unheard(self, task: CloseTask) -> bool:
        """Whether a sale was sent a while ago, and the venue knows nothing of it."""
        if not task.order or task.sent is None or not elapsed(self._state.now, task.sent, UNHEARD):
            return False
        return not self._positions.journal.order(task.order).venue_id

    def free(self, symbol: str) -> None:
        """First half of a step: follow the order under way, or get the shares released."""
        task = self.tasks.get(symbol)
        if task is None:
            return
        if task.order:
            self._orders.watch(task)
        task.exposed = task.exposed + 1 if is_exposed(task) else 0
        held = abs(self._positions.book.quantity(symbol))
        if task.order:
            return
        staying = self._filling.staying(symbol)
        if held <= task.keep or (not staying and held - task.keep < self._state.least(symbol)):
            # It is gone, or what is left is too little for an order.
            del self.tasks[symbol]
            return
        if held - task.keep <= sum(staying.values()):
            task.releasing_since = None
            return
        if task.keep and self._obstacles.cannot_fill(task):
            # A split of the night would change what a part of the position is.
            log.warning("%s: %s; what is to be sold of it is decided again in the next session", symbol, CLOSED)
            del self.tasks[symbol]
            return
        waits = not is_exposed(task) and bool(self._positions.protection(symbol).protected) and not self._has_turn(task)
        if (not waits or task.stage is Stage.BEHIND_STOP) and self._obstacles.stays_behind(task, held):
            task.stage, task.releasing_since = Stage.BEHIND_STOP, None
            return
        if waits or task.stage in (Stage.BEHIND_STOP, Stage.WAITING):
            task.stage = Stage.WAITING if waits else Stage.RELEASING
        if task.stage is Stage.RELEASING and not self._positions.unresolved(symbol):
            self._orders.release(task, held)

    def _has_turn(self, task: CloseTask) -> bool:
        """Whether few enough of the others are exposed, so that what is at the venue for this one may be cancelled."""
        others = (other for other in self.tasks.values() if other is not task and other.exposed <= LONGEST_TURN)
        return sum(map(is_exposed, others)) < AT_ONCE

    def under_way(self, symbol: str) -> bool:
        """Whether a sale waits at the venue, or shares that were seen free wait for theirs."""
        task = self.tasks.get(symbol)
        return task is not None and (bool(task.order) or task.stage is Stage.SELLING)

    def at_venue(self, symbol: str) -> bool:
        """Whether a sale waits at the venue."""
        task = self.tasks.get(symbol)
        return task is not None and bool(task.order)

    def go_on(self, symbol: str) -> None:
        """Of one step what needs no look: our own order's outcome is in the journal, and so is how much is left."""
        if (task := self.tasks[symbol]).order:
            self._orders.watch(task, followed=self._state.venue.tells_orders)
        # How many shares are free is not seen, so an order that has ended gets the time to give them back.
        if task.ended is None or elapsed(self._state.now, task.ended, RELEASE):
            self.sell(symbol)

    def sell(self, symbol: str) -> None:
        """Second half, once what stays has its stop again: send what goes."""
        task = self.tasks.get(symbol)
        held = abs(self._positions.book.quantity(symbol))
        if task is None or task.stage is not Stage.SELLING or task.order or held <= task.keep:
            return
        if (
            self._obstacles.cannot_fill(task)
            or task.refused.pauses(self._state.now)
            or self._positions.unresolved(symbol)
            or self._obstacles.awaits_shares(task, held - task.keep)
        ):
            return
        # No more than the venue holds: the rest would open a position. Where something holds a part of the shares, the
        # others need not wait for it; beside shares by hand the venue would take a sale of ours twice.
        there, untaken = abs(self._state.view.held(symbol)), self._positions.untaken(symbol)
        left = held - task.keep - sum(self._filling.staying(symbol).values())
        quantity = min(left, there, untaken, self._state.view.available(symbol) or held)
        if quantity >= self._state.rules.fraction:
            self._orders.send(task, quantity)
        elif untaken < left:
            # An exit that no longer stays, or a sale that nobody follows, is for them: it is cancelled first.
            task.stage = Stage.RELEASING
