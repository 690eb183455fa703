"""Closing what is protected: legs cancelled, shares released, the rest covered, then a limit and a chase."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from brokers.journal import AlreadyPlanned, State
from brokers.journal.states import FINAL
from brokers.live.counter import OrderRefused
from brokers.live.floor import Floor
from brokers.live.payloads import single
from risk.model import floor_lot
from risk.policy_gate import tick_down, tick_up

RELEASE = timedelta(seconds=5)
"""Shares that an ended order held come back within this; later, something else holds them."""

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
        sold = held if quantity is None else min(held, Decimal(str(floor_lot(quantity, self.floor.lot))))
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
        if not self.floor.unresolved(symbol) and not self._awaits_shares(task, held - task.keep):
            self._sell(task, held - task.keep)

    def _awaits_shares(self, task: Task, quantity: Decimal) -> bool:
        """Whether an order that has just ended still holds what is to be sold."""
        floor = self.floor
        waits = task.ended is not None and floor.now - task.ended < RELEASE
        return waits and floor.view.available(task.symbol) < quantity

    def _release(self, task: Task, held: Decimal) -> None:
        """Cancel what holds the shares, until the venue has given all of them back."""
        cover = self.floor.cover(task.symbol)
        for entry in cover.entries:
            if not entry.leaving:
                self.floor.counter.cancel(entry.id)
        for order in cover.groups.values():
            self.floor.counter.cancel(order.id)
        task.released = not (cover.exits or cover.entries or self.floor.view.available(task.symbol) < held)

    def _sell(self, task: Task, quantity: Decimal) -> None:
        floor, rule = self.floor, self.floor.settings.live.close
        long = floor.own.quantity(task.symbol) > 0
        quote = floor.quote(task.symbol)
        limit = None
        if task.orders <= rule.chases and not quote.problem:
            price = float(quote.bid if long else quote.ask)
            limit = tick_down(price * (1 - rule.through_frac)) if long else tick_up(price * (1 + rule.through_frac))
        payload = single(task.symbol, "sell" if long else "buy", float(quantity), limit)
        try:
            order = floor.place(payload, task.role, task.time, reason=task.reason)
        except (OrderRefused, AlreadyPlanned) as refusal:
            log.warning("%s: not closed yet, %s", task.symbol, refusal)
            # Something holds the shares again, or never let go.
            task.released = False
            return
        task.order, task.sent, task.cancelling = order.client_order_id, floor.now, None
        task.orders += 1

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
