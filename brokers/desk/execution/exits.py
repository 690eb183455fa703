"""Closing what is protected: legs cancelled, shares released, the rest covered, then a limit and a chase.

A close that comes to nothing does not leave its shares bare: the stop goes back, and the wish waits behind it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, Decimal

from brokers.alpaca.errors import VenueError
from brokers.alpaca.payloads import CRUMB, amount, single, whole_lots
from brokers.desk.execution.order_gateway import OrderRefused
from brokers.desk.reconcile.order_ownership import self_trade_limit
from brokers.desk.venue_state import Floor
from brokers.journal import AlreadyPlanned, State
from brokers.journal.states import FINAL
from risk.policy_gate import tick_down, tick_of, tick_up

RELEASE = timedelta(seconds=5)
"""Shares that an ended order held come back within this; later, something else holds them."""
PATIENCE = timedelta(seconds=30)
"""Then cancels that hang are asked for again, and what is free is sold."""
UNHEARD = timedelta(seconds=3)
"""After this a sale that the venue knows nothing of gives way to the stop, which holds the shares should it come."""
REFUSALS = 3
"""So often in a row a close is refused before its stop goes back."""
ASK_TRADABLE = timedelta(seconds=30)
"""Between two questions whether the venue trades a symbol that is to be sold."""
FIRST_REST_S, LONGEST_REST_S, LONGEST_BARE_S = 15, 300, 60
"""Behind its stop; doubled from one fruitless round to the next, and no longer than the last one without a stop."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Task:
    """A position, or a part of it, on its way out; ``keep`` is what stays.

    ``behind`` tells that it waits behind its stop, ``rests`` how often it had to after a fruitless round, ``rested``
    since when it does; ``over`` that it was called off, so that an order of it which waits is cancelled;
    ``asked`` when the venue said last whether it trades the symbol.
    """

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
    behind: bool = False
    rests: int = 0
    rested: datetime | None = None
    over: bool = False
    asked: datetime | None = None
    tradable: bool = True


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
            if not task.over:
                log.warning("%s: no longer closing, its stop goes back first", task.symbol)
            task.keep, task.released, task.over = abs(self.floor.own.quantity(task.symbol)), True, True

    def keeps(self, symbol: str) -> Decimal | None:
        """How many shares of a symbol are to stay, and so to be protected now; None is all of them."""
        task = self.tasks.get(symbol)
        if task is None or task.behind or self._unheard(task):
            return None
        return task.keep if task.released else self.floor.cover(symbol).protected

    def _unheard(self, task: Task) -> bool:
        """Whether a sale was sent a while ago, and the venue knows nothing of it."""
        if not task.order or task.sent is None or self.floor.now - task.sent < UNHEARD:
            return False
        return not self.floor.journal.order(task.order).venue_id

    def free(self, symbol: str) -> None:
        """First half of a step: follow the order under way, or get the shares released."""
        task = self.tasks.get(symbol)
        if task is None:
            return
        if task.order:
            self._watch(task)
        held = abs(self.floor.own.quantity(symbol))
        if task.order:
            return
        if held <= task.keep:
            del self.tasks[symbol]
            return
        task.behind = self._stays_behind(task, held)
        if task.behind:
            task.released, task.waits = False, None
        elif not task.released and not self.floor.unresolved(symbol):
            self._release(task, held)

    def under_way(self, symbol: str) -> bool:
        """Whether a sale waits at the venue, or shares that were seen free wait for theirs."""
        task = self.tasks.get(symbol)
        return task is not None and bool(task.order or task.released)

    def go_on(self, symbol: str) -> None:
        """Of one step what needs no look: our own order's outcome is in the journal, and so is how much is left."""
        if (task := self.tasks[symbol]).order:
            self._watch(task)
        # How many shares are free is not seen, so an order that has ended gets the time to give them back.
        if task.ended is None or self.floor.now - task.ended >= RELEASE:
            self.sell(symbol)

    def sell(self, symbol: str) -> None:
        """Second half, once what stays has its stop again: send what goes."""
        task = self.tasks.get(symbol)
        held = abs(self.floor.own.quantity(symbol))
        if task is None or not task.released or task.order or held <= task.keep:
            return
        if self._pauses(task) or self.floor.unresolved(symbol) or self._awaits_shares(task, held - task.keep):
            return
        # No more than the venue holds: the rest would open a position. Where something holds a part of the shares, the
        # others need not wait for it.
        there = abs(self.floor.view.held(symbol))
        if there:
            self._sell(task, min(held - task.keep, there, self.floor.view.available(symbol) or held))

    def _pauses(self, task: Task) -> bool:
        """Whether a refusal was just now; the pause doubles from one to the next."""
        return task.refused is not None and self.floor.now - task.refused < timedelta(seconds=2 ** (task.refusals - 1))

    def _stays_behind(self, task: Task, held: Decimal) -> bool:
        """Whether what is to go stays behind its stop, or gets it back first: selling it now comes to nothing.

        That is so for a while after a round of attempts that sold nothing, and as long as it is known beforehand.
        """
        floor = self.floor
        if task.refusals >= REFUSALS or task.orders > floor.settings.live.close.chases + 1:
            log.warning("%s: could not be closed, its stop goes back before the next attempt", task.symbol)
            task.rested, task.rests = floor.now, task.rests + 1
            task.refusals = task.orders = 0
        if task.rested is not None:
            bare = floor.cover(task.symbol).protected < whole_lots(held, floor.lot)
            longest = LONGEST_BARE_S if bare else LONGEST_REST_S
            if floor.now - task.rested < timedelta(seconds=min(FIRST_REST_S * 2 ** (task.rests - 1), longest)):
                return True
            task.rested = None
        return self._untradable(task) or self._walled_in(task, held)

    def _untradable(self, task: Task) -> bool:
        """Whether the venue says that it does not trade the symbol now: then nothing is cancelled for a sale."""
        if task.released or task.waits is not None:
            return False
        now = self.floor.now
        if task.asked is None or now - task.asked >= ASK_TRADABLE:
            task.asked, task.tradable = now, True
            try:
                asset = self.floor.venue.asset(task.symbol)
            except VenueError as error:
                log.info("%s: whether it is traded is not known, %s", task.symbol, error)
                return False
            task.tradable = asset is None or (asset.get("tradable") is not False and asset.get("status") != "inactive")
            if not task.tradable:
                log.warning("%s: the venue does not trade it now, it stays behind its stop", task.symbol)
        return not task.tradable

    def _walled_in(self, task: Task, held: Decimal) -> bool:
        """Whether an order by hand on the other side keeps every order of ours from being filled now.

        Waiting costs little: a purchase by hand is filled before the market can fall below it, and is gone then.
        """
        long = self.floor.own.quantity(task.symbol) > 0
        keep_clear = self_trade_limit(self.floor, task.symbol, buys=not long)
        if keep_clear is None:
            return False
        price = self._price(task.symbol, long, at_all_costs=True)
        passable = keep_clear.is_finite() and keep_clear > 0 and whole_lots(held - task.keep, self.floor.lot) > 0
        if passable and (_clear_of(keep_clear, long) <= price if long else _clear_of(keep_clear, long) >= price > 0):
            return False
        if not task.behind:
            log.warning(
                "%s: an order by hand on the other side lets no sale through; it waits behind its stop, and goes on "
                "once that order is filled or cancelled, or the market has moved away from it", task.symbol
            )  # fmt: skip
        return True

    def _awaits_shares(self, task: Task, quantity: Decimal) -> bool:
        """Whether an order that has just ended still holds what is to be sold."""
        floor = self.floor
        waits = task.ended is not None and floor.now - task.ended < RELEASE
        return waits and floor.view.available(task.symbol) < quantity

    def _release(self, task: Task, held: Decimal) -> None:
        """Cancel what holds the shares, until the venue has given all of them back."""
        floor = self.floor
        if floor.counter.leaving:
            return
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
            # Where the venue refused, something holds the shares again, or never let go; else they are free still.
            task.released = not (isinstance(refusal, OrderRefused) and refusal.venue is not None)
            task.refused = floor.now
            task.refusals += 1
            if not task.released and not _held_elsewhere(refusal):
                # Nothing that waiting mends: the stop goes back with the next step.
                task.refusals = REFUSALS
            return
        task.refusals = 0
        task.order, task.sent, task.cancelling = order.client_order_id, floor.now, None
        task.orders += 1

    def _limit(self, task: Task, long: bool) -> float | None:
        """Through the market, as often as it is chased; None is at market.

        A hand's order on the other side keeps a market order from being taken, and a limit that would meet it: so it
        stays a limit, at the nearest price that keeps clear of the hand's.
        """
        rule = self.floor.settings.live.close
        keep_clear = self_trade_limit(self.floor, task.symbol, buys=not long)
        if task.orders > rule.chases and keep_clear is None:
            return None
        price = self._price(task.symbol, long, at_all_costs=keep_clear is not None)
        if not price > 0:
            return None
        limit = tick_down(price * (1 - rule.through_frac)) if long else tick_up(price * (1 + rule.through_frac))
        if keep_clear is None:
            return limit
        return max(limit, _clear_of(keep_clear, long)) if long else min(limit, _clear_of(keep_clear, long))

    def _price(self, symbol: str, long: bool, at_all_costs: bool) -> float:
        """What the shares would go for now, 0 if that is not known; ``at_all_costs`` by the position's worth."""
        quote = self.floor.quote(symbol)
        if not quote.problem:
            return float(quote.prices[0 if long else 1])
        return float(amount(self.floor.view.positions.get(symbol, {}), "current_price")) if at_all_costs else 0.0

    def _watch(self, task: Task) -> None:
        """Follow the order under way; it is cancelled when its time is up, and forgotten when it has ended."""
        order = self.floor.journal.order(task.order)
        if order.state in FINAL:
            task.order, task.ended = "", self.floor.now
            if order.state is State.LOST:
                # Its shares have got their stop back meanwhile.
                task.released = False
            task.rests = 0 if order.filled_quantity else task.rests
            # What was sold whole is no attempt that has to be chased.
            task.orders = 0 if order.state is State.FILLED else task.orders
            return
        patience = timedelta(seconds=self.floor.settings.live.close.patience_s)
        if order.state in (State.JOURNALED, State.UNKNOWN) or order.type != "limit" or task.sent is None:
            return
        if task.cancelling is not None:
            task.cancelling = self.floor.cancels_again(order.venue_id, task.cancelling)
        elif (task.over or self.floor.now - task.sent >= patience) and self.floor.counter.cancel(order.venue_id):
            task.cancelling = self.floor.now


def _held_elsewhere(refusal: Exception) -> bool:
    """Whether the venue refused a sale for shares that something holds, which come back."""
    venue = refusal.venue if isinstance(refusal, OrderRefused) else None
    return venue is not None and ("held_for_orders" in venue.body or "insufficient qty" in venue.message)


def _clear_of(keep_clear: Decimal, long: bool) -> float:
    """The first price that does not meet an order by hand."""
    price = float(keep_clear)
    return tick_up(price + tick_of(price) / 2) if long else tick_down(price - tick_of(price) / 2)
