"""Closing what is protected: legs cancelled, shares released, the rest covered, then a limit and a chase."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, Decimal

from brokers.journal import AlreadyPlanned, State
from brokers.journal.states import FINAL
from brokers.live.counter import OrderRefused
from brokers.live.floor import Floor
from brokers.live.hands import opposite
from brokers.live.payloads import CRUMB, amount, single, whole_lots
from risk.policy_gate import tick_down, tick_up

RELEASE = timedelta(seconds=5)
"""Shares that an ended order held come back within this; later, something else holds them."""
PATIENCE = timedelta(seconds=30)
"""Then cancels that hang are asked for again, and what is free is sold."""
LONGEST_PAUSE_S = 60
"""Between two attempts of a close that is refused."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Task:
    """A position, or a part of it, on its way out; ``keep`` is what stays."""

    symbol: str
    keep: Decimal
    role: str
    reason: str
    time: datetime
    released: bool = False
    waits: datetime | None = None
    refusals: int = 0
    refused: datetime | None = None
    order: str = ""
    sent: datetime | None = None
    orders: int = 0
    cancelling: datetime | None = None
    ended: datetime | None = None


class Closing:
    """Takes positions out of the market without ever meeting their own exits.

    Parameters
    ----------
    floor : Floor
    """

    def __init__(self, floor: Floor) -> None:
        self.floor = floor
        self.tasks: dict[str, Task] = {}

    def begin(self, symbol: str, quantity: float | None, role: str, reason: str, time: datetime) -> None:
        """Close ``quantity`` shares of a position, or all of it; what is under way already goes on."""
        held = abs(self.floor.own.quantity(symbol))
        if not held:
            return
        sold = held if quantity is None else min(held, whole_lots(Decimal(str(quantity)), self.floor.lot))
        running = self.tasks.get(symbol)
        if sold <= 0 or (running is not None and running.keep <= held - sold):
            return
        log.info("%s: closing %s of %s; %s", symbol, sold, held, reason)
        if running is not None:
            # A whole exit overtakes a trim: the order under way goes on, and the rest follows it.
            running.keep, running.reason, running.released = held - sold, reason, False
            return
        self.tasks[symbol] = Task(symbol, held - sold, role, reason, time)

    def call_off(self) -> None:
        """Sell nothing more: what has not gone yet stays, and its stop is wanted back."""
        for task in self.tasks.values():
            log.warning("%s: no longer closing, its stop goes back first", task.symbol)
            task.keep, task.released = abs(self.floor.own.quantity(task.symbol)), True

    def keeps(self, symbol: str) -> Decimal | None:
        """How many shares of a symbol are to stay, and so to be protected now; None if nothing is under way."""
        task = self.tasks.get(symbol)
        if task is None:
            return None
        return task.keep if task.released else self.floor.cover(symbol).protected

    def free(self, symbol: str) -> None:
        """First half of a step: follow the order under way, or get the shares released."""
        task = self.tasks.get(symbol)
        if task is None:
            return
        if task.order:
            self._watch(task)
        held = abs(self.floor.own.quantity(symbol))
        if not task.order and held <= task.keep:
            del self.tasks[symbol]
        elif not task.order and not task.released and not self.floor.unresolved(symbol):
            self._release(task, held)

    def sell(self, symbol: str) -> None:
        """Second half, once what stays has its stop again: send what goes."""
        task = self.tasks.get(symbol)
        held = abs(self.floor.own.quantity(symbol))
        if task is None or not task.released or task.order or held <= task.keep:
            return
        if self._pauses(task) or self.floor.unresolved(symbol) or self._awaits_shares(task, held - task.keep):
            return
        # Where something holds a part of the shares, the others need not wait for it.
        self._sell(task, min(held - task.keep, self.floor.view.available(symbol) or held))

    def _pauses(self, task: Task) -> bool:
        """Whether a refusal was just now; the pause doubles from one to the next."""
        pause = timedelta(seconds=min(2 ** (task.refusals - 1), LONGEST_PAUSE_S))
        return task.refused is not None and self.floor.now - task.refused < pause

    def _awaits_shares(self, task: Task, quantity: Decimal) -> bool:
        """Whether an order that has just ended still holds what is to be sold."""
        floor = self.floor
        waits = task.ended is not None and floor.now - task.ended < RELEASE
        return waits and floor.view.available(task.symbol) < quantity

    def _release(self, task: Task, held: Decimal) -> None:
        """Cancel what holds the shares, until the venue has given all of them back."""
        floor = self.floor
        cover, available = floor.cover(task.symbol), floor.view.available(task.symbol)
        task.waits = task.waits or floor.now
        overdue = floor.now - task.waits >= PATIENCE
        for order in (*cover.entries, *cover.groups.values()):
            if not order.leaving:
                floor.counter.cancel(order.id)
        if overdue:
            log.warning(
                "%s: %s of %s shares are free %s s after the cancel", task.symbol, available, held, PATIENCE.seconds
            )
            for order in (*cover.entries, *cover.exits):
                if order.leaving:
                    floor.counter.cancel(order.id)
        free = not (cover.exits or cover.entries or available < held)
        task.released = free or (overdue and available > 0)
        if free or overdue:
            task.waits = None

    def _sell(self, task: Task, quantity: Decimal) -> None:
        floor = self.floor
        long = floor.own.quantity(task.symbol) > 0
        whole = whole_lots(quantity, floor.lot)
        # A fraction goes last and at market, for the day: the venue takes it in no other way.
        limit = self._limit(task, long) if whole else None
        payload = single(
            task.symbol, "sell" if long else "buy", float(whole or quantity.quantize(CRUMB, ROUND_DOWN)), limit
        )
        try:
            order = floor.place(payload, task.role, task.time, reason=task.reason)
        except (OrderRefused, AlreadyPlanned) as refusal:
            log.warning("%s: not closed yet, %s", task.symbol, refusal)
            # Something holds the shares again, or never let go.
            task.released, task.refused = False, floor.now
            task.refusals += 1
            return
        task.refusals = 0
        task.order, task.sent, task.cancelling = order.client_order_id, floor.now, None
        task.orders += 1

    def _limit(self, task: Task, long: bool) -> float | None:
        """Through the market, as often as it is chased; None is at market.

        A hand's order on the other side keeps a market order from being taken, so it stays a limit, if need be by
        the price that the position is worth at the venue.
        """
        floor, rule = self.floor, self.floor.settings.live.close
        blocked = opposite(floor, task.symbol, "sell" if long else "buy")
        if task.orders > rule.chases and not blocked:
            return None
        quote = floor.quote(task.symbol)
        price = quote.prices[0 if long else 1]
        if quote.problem:
            price = float(amount(floor.view.positions.get(task.symbol, {}), "current_price")) if blocked else 0.0
        if not price > 0:
            return None
        return tick_down(price * (1 - rule.through_frac)) if long else tick_up(price * (1 + rule.through_frac))

    def _watch(self, task: Task) -> None:
        """Follow the order under way; it is cancelled when its time is up, and forgotten when it has ended."""
        order = self.floor.journal.order(task.order)
        if order.state in FINAL:
            task.order, task.ended = "", self.floor.now
            return
        patience = timedelta(seconds=self.floor.settings.live.close.patience_s)
        if order.state in (State.JOURNALED, State.UNKNOWN) or order.type != "limit" or task.sent is None:
            return
        if task.cancelling is not None:
            task.cancelling = self.floor.cancels_again(order.venue_id, task.cancelling)
        elif self.floor.now - task.sent >= patience and self.floor.counter.cancel(order.venue_id):
            task.cancelling = self.floor.now
