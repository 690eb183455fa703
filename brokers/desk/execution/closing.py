"""Closing what is protected: exits cancelled, shares released, what stays protected, then a limit and a chase.

What an exit sells already, or is the only order for, stays there and is left to it (``filling``).

A close that comes to nothing does not leave its shares unprotected: the stop goes back, and the close waits behind it.
So it does where the market is closed: a sale that cannot be filled would only hold the shares that need a stop.
Where several positions are closed, the later ones keep their exits until it is their turn: the process may be killed at
any moment, and what has lost its exits by then stays without them until the next start.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from enum import StrEnum

from brokers.desk.execution.backoff import Backoff, elapsed
from brokers.desk.execution.filling import Filling
from brokers.desk.execution.order_gateway import OrderGateway, OrderRefused
from brokers.desk.execution.order_requests import single
from brokers.desk.execution.sale_check import unsaleable
from brokers.desk.reconcile.order_ownership import self_trade_limit
from brokers.desk.reconcile.own_positions import OwnPositions
from brokers.desk.venue_state import VenueState
from brokers.journal import AlreadyPlanned, JournalOrder, State
from brokers.journal.states import FINAL
from brokers.order_types import OrderType, Side, VenueReason
from brokers.quantities import digits, down, plain, up, whole_lots
from config import Settings
from config.values.counting import unit_of

RELEASE = timedelta(seconds=5)
"""Shares that an ended order held come back within this; later, something else holds them."""
PATIENCE = timedelta(seconds=30)
"""Then cancels that hang are asked for again, and what is free is sold."""
UNHEARD = timedelta(seconds=3)
"""After this a sale that the venue knows nothing of gives way to the stop, which holds the shares should it come."""
REFUSALS = 3
"""So often in a row a close is refused before its stop goes back."""
AT_ONCE = 2
"""So many positions at a time may have neither exits nor a sale at the venue because they are being closed."""
LONGEST_TURN = 8
"""Steps without a sale at the venue after which a position keeps the next one waiting no longer."""
ASK_TRADABLE = timedelta(seconds=30)
"""Between two questions whether the venue trades a symbol that is to be sold."""
LAST_START = timedelta(seconds=20)
"""So long before the close the sale of what is protected begins at the latest: its exits are cancelled first."""
FIRST_REST_S, LONGEST_REST_S, LONGEST_UNPROTECTED_S = 15, 300, 60
"""Behind its stop; doubled from one fruitless round to the next, and no longer than the last one without a stop."""

CLOSED = "the market is closed, or about to close"

log = logging.getLogger(__name__)


class Stage(StrEnum):
    """Where a close stands between two orders."""

    RELEASING = "the exits that hold the shares are being cancelled"
    SELLING = "the shares are free"
    WAITING = "others are being sold first, the shares wait behind their exits"
    BEHIND_STOP = "selling comes to nothing now, the shares wait behind their stop"


WAITS = {
    Stage.RELEASING: "its exits are cancelled for its sale",
    Stage.SELLING: "its shares are free for its sale",
    Stage.WAITING: "it is sold after others, and keeps its exits until then",
    Stage.BEHIND_STOP: "it cannot be sold now, and waits behind its stop",
}


@dataclass(slots=True)
class CloseTask:
    """A position, or a part of it, on its way out.

    Parameters
    ----------
    symbol, role, reason : str
    keep : Decimal
        Shares that stay.
    time : datetime
        Of the decision.
    stage : Stage
    releasing_since : datetime, optional
    order : str
        Client order id of the order under way, empty between two.
    sale : str
        That order in words.
    sent, cancel_asked, ended : datetime, optional
        When that was sent, when its cancel was asked for last, and when the order before it ended.
    orders : int
        Sent since one sold something.
    refused : Backoff
        Orders that were refused in a row.
    fruitless : Backoff
        Rounds of orders that sold nothing, in a row.
    over : bool
        Whether it was called off, so that an order of it which waits is cancelled.
    exposed : int
        Steps in a row for which it has had neither exits nor a sale at the venue.
    asked, tradable : datetime and bool
        When the venue said last whether it trades the symbol, and what.
    awaits_opening : bool
        Whether it waits for the next session, behind its stop.
    """

    symbol: str
    keep: Decimal
    role: str
    reason: str
    time: datetime
    stage: Stage = Stage.RELEASING
    releasing_since: datetime | None = None
    order: str = ""
    sale: str = ""
    sent: datetime | None = None
    cancel_asked: datetime | None = None
    ended: datetime | None = None
    orders: int = 0
    refused: Backoff = field(default_factory=lambda: Backoff(1, 2**REFUSALS))
    fruitless: Backoff = field(default_factory=lambda: Backoff(FIRST_REST_S, LONGEST_REST_S))
    over: bool = False
    exposed: int = 0
    asked: datetime | None = None
    tradable: bool = True
    awaits_opening: bool = False


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
        self._rule = settings.live.close
        self._lot = settings.sizing.lot
        self.tasks: dict[str, CloseTask] = {}
        self._too_little: set[str] = set()
        """Symbols of which it was told that what is to be sold is below the venue's minimum."""

    def begin(self, symbol: str, quantity: float | None, role: str, reason: str, time: datetime) -> None:
        """Close ``quantity`` shares of a position, or all of it; what is under way already goes on."""
        held = abs(self._positions.book.quantity(symbol))
        if not held:
            return
        sold = held if quantity is None else min(held, whole_lots(plain(quantity), self._lot))
        running = self.tasks.get(symbol)
        if running is not None and running.keep == held - sold and running.fruitless.failures and not running.order:
            # A round of attempts has come to nothing: the next one is for what is so now.
            running.reason = reason
        if running is None and sold < (least := self._filling.least(symbol)):
            if sold > 0 and symbol not in self._too_little:
                self._too_little.add(symbol)
                log.info("%s: %s is below the venue's minimum of %s; %s", symbol, sold, digits(least), reason)
            return
        if sold <= 0 or (running is not None and running.keep <= held - sold):
            return
        self._too_little.discard(symbol)
        log.info("%s: closing %s of %s; %s", symbol, sold, held, reason)
        if running is not None:
            # A whole exit overtakes a trim: the order under way goes on, and the rest follows it.
            running.keep, running.reason, running.stage = held - sold, reason, Stage.RELEASING
            running.over = False
            return
        self.tasks[symbol] = CloseTask(symbol, held - sold, role, reason, time)

    @property
    def working(self) -> set[str]:
        """Symbols whose close is under way, and does not wait for the next session."""
        return {symbol for symbol, task in self.tasks.items() if not task.awaits_opening}

    def told(self) -> dict[str, str]:
        """What each close waits for, in words; safe in any thread."""
        return {symbol: self._told(task) for symbol, task in dict(self.tasks).items()}

    def _told(self, task: CloseTask) -> str:
        if task.order:
            return task.sale
        if not task.awaits_opening and task.stage is not Stage.BEHIND_STOP:
            return WAITS[task.stage]
        # A stop that the market has passed is refused when it is to go back.
        protected = self._positions.last_protection(task.symbol).protected
        whole = whole_lots(abs(self._positions.book.quantity(task.symbol)), self._lot)
        lacks = "a part of it has no stop" if protected else "it has no stop"
        if task.awaits_opening:
            until = "behind its stop until then" if protected >= whole else f"and {lacks} now"
            return f"it is sold from the next opening on, {until}"
        return WAITS[task.stage] if protected >= whole else f"it cannot be sold now, and {lacks}"

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
            self._watch(task)
        task.exposed = task.exposed + 1 if _exposed(task) else 0
        held = abs(self._positions.book.quantity(symbol))
        if task.order:
            return
        staying = self._filling.staying(symbol)
        if held <= task.keep or (not staying and held - task.keep < self._filling.least(symbol)):
            # It is gone, or what is left is too little for an order.
            del self.tasks[symbol]
            return
        if held - task.keep <= sum(staying.values()):
            task.releasing_since = None
            return
        if task.keep and self._cannot_fill(task):
            # A split of the night would change what a part of the position is.
            log.warning("%s: %s; what is to be sold of it is decided again in the next session", symbol, CLOSED)
            del self.tasks[symbol]
            return
        waits = not _exposed(task) and bool(self._positions.protection(symbol).protected) and not self._has_turn(task)
        if (not waits or task.stage is Stage.BEHIND_STOP) and self._stays_behind(task, held):
            task.stage, task.releasing_since = Stage.BEHIND_STOP, None
            return
        if waits or task.stage in (Stage.BEHIND_STOP, Stage.WAITING):
            task.stage = Stage.WAITING if waits else Stage.RELEASING
        if task.stage is Stage.RELEASING and not self._positions.unresolved(symbol):
            self._release(task, held)

    def _has_turn(self, task: CloseTask) -> bool:
        """Whether few enough of the others are exposed, so that what is at the venue for this one may be cancelled."""
        others = (other for other in self.tasks.values() if other is not task and other.exposed <= LONGEST_TURN)
        return sum(map(_exposed, others)) < AT_ONCE

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
            self._watch(task)
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
            self._cannot_fill(task)
            or task.refused.pauses(self._state.now)
            or self._positions.unresolved(symbol)
            or self._awaits_shares(task, held - task.keep)
        ):
            return
        # No more than the venue holds: the rest would open a position. Where something holds a part of the shares, the
        # others need not wait for it.
        there = abs(self._state.view.held(symbol))
        left = held - task.keep - sum(self._filling.staying(symbol).values())
        quantity = min(left, there, self._state.view.available(symbol) or held)
        if quantity >= self._state.rules.fraction:
            self._sell(task, quantity)

    def _stays_behind(self, task: CloseTask, held: Decimal) -> bool:
        """Whether what is to go stays behind its stop, or gets it back first: selling it now comes to nothing.

        That is so for a while after a round of attempts that sold nothing, and as long as it is known beforehand.
        """
        if self._awaits_opening(task):
            return True
        if task.refused.failures >= REFUSALS or task.orders > self._rule.chases + 1:
            log.warning("%s: could not be closed, its stop goes back before the next attempt", task.symbol)
            task.fruitless.failed(self._state.now)
            # The pause behind the stop takes the place of the one after a refusal, which stays on record.
            task.refused.failures = task.orders = 0
        if task.fruitless.failed_at is not None:
            unprotected = self._positions.protection(task.symbol).protected < whole_lots(held, self._lot)
            if task.fruitless.pauses(self._state.now, LONGEST_UNPROTECTED_S if unprotected else None):
                return True
            task.fruitless.failed_at = None
        return self._untradable(task, held) or self._blocked_by_manual_order(task, held)

    def _awaits_opening(self, task: CloseTask) -> bool:
        """Whether it waits for the next session, in which it begins anew; said once."""
        if not self._cannot_fill(task):
            task.awaits_opening = False
            return False
        if not task.awaits_opening:
            protected = self._positions.protection(task.symbol).protected
            until = "stays behind its stop" if protected else "goes back behind its stop where the venue takes that"
            log.warning("%s: %s; it %s and is sold from the next opening on", task.symbol, CLOSED, until)
            task.awaits_opening, task.orders, task.refused.failures = True, 0, 0
            task.fruitless.succeeded()
        return True

    def _cannot_fill(self, task: CloseTask) -> bool:
        """Whether the market is closed, or closes before a sale that begins now could be filled."""
        begun = task.stage is Stage.SELLING or task.releasing_since is not None
        # Where nothing protects it, there is nothing to be cancelled first, and to wait leaves it so until the opening.
        begun = begun or not self._positions.protection(task.symbol).protected
        return self._state.closes_within(timedelta(0) if begun else LAST_START)

    def _untradable(self, task: CloseTask, held: Decimal) -> bool:
        """Whether the venue says that it would not take the sale now: then nothing is cancelled for it."""
        if task.stage is Stage.SELLING or task.releasing_since is not None:
            return False
        now = self._state.now
        if task.asked is None or elapsed(now, task.asked, ASK_TRADABLE):
            why = unsaleable(self._state, task.symbol, held - task.keep)
            if why and task.tradable:
                log.warning("%s: %s; nothing is cancelled for its sale", task.symbol, why)
            task.asked, task.tradable = now, not why
        return not task.tradable

    def _blocked_by_manual_order(self, task: CloseTask, held: Decimal) -> bool:
        """Whether an order by hand on the other side keeps every order of ours from being filled now.

        Waiting costs little: a purchase by hand is filled before the market can fall below it, and is gone then.
        """
        long = self._positions.book.quantity(task.symbol) > 0
        keep_clear = self._self_trade_limit(task.symbol, buys=not long)
        if keep_clear is None:
            return False
        price = self._price(task.symbol, long, at_all_costs=True)
        passable = keep_clear.is_finite() and keep_clear > 0 and whole_lots(held - task.keep, self._lot) > 0
        clear = self._clear_of(task.symbol, keep_clear, long) if passable else 0.0
        if passable and (clear <= price if long else clear >= price > 0):
            return False
        if task.stage is not Stage.BEHIND_STOP:
            log.warning(
                "%s: an order by hand on the other side lets no sale through; it waits behind its stop, and goes on "
                "once that order is filled or cancelled, or the market has moved away from it",
                task.symbol,
            )
        return True

    def _awaits_shares(self, task: CloseTask, quantity: Decimal) -> bool:
        """Whether an order that has just ended still holds what is to be sold."""
        waits = task.ended is not None and not elapsed(self._state.now, task.ended, RELEASE)
        return waits and self._state.view.available(task.symbol) < quantity

    def _release(self, task: CloseTask, held: Decimal) -> None:
        """Cancel what holds the shares, until the venue has given all of them back."""
        if self._gateway.shutting_down:
            return
        protection, available = self._positions.protection(task.symbol), self._state.view.available(task.symbol)
        task.releasing_since = task.releasing_since or self._state.now
        overdue = elapsed(self._state.now, task.releasing_since, PATIENCE)
        staying = self._filling.staying(task.symbol)
        exits = [order for order in protection.exits if order.group not in staying]
        rest = (*protection.entries, *(o for group, o in protection.groups.items() if group not in staying))
        self._gateway.make_way(order.id for order in rest if not order.cancel_pending)
        if overdue:
            log.warning(
                "%s: %s of %s %s are free %s s after the cancel",
                task.symbol,
                available,
                held,
                unit_of(task.symbol),
                PATIENCE.seconds,
            )
            for order in (*protection.entries, *exits):
                if order.cancel_pending:
                    self._gateway.cancel(order.id)
        free = not (exits or protection.entries or available < held - sum(staying.values()))
        if free or (overdue and available > 0):
            task.stage = Stage.SELLING
        if free or overdue:
            task.releasing_since = None

    def _sell(self, task: CloseTask, quantity: Decimal) -> None:
        long = self._positions.book.quantity(task.symbol) > 0
        whole = whole_lots(quantity, self._lot)
        # A fraction goes last and at market, for the day: the venue takes it in no other way.
        limit = self._limit(task, long) if whole else None
        side: Side = "sell" if long else "buy"
        request = single(task.symbol, side, whole or quantity.quantize(self._state.rules.fraction, ROUND_DOWN), limit)
        try:
            order = self._gateway.place(request, task.role, task.time, reason=task.reason)
        except (OrderRefused, AlreadyPlanned) as refusal:
            log.warning("%s: not closed yet, %s", task.symbol, refusal)
            # Where the venue refused, something holds the shares again, or never let go; else they are free still.
            by_venue = isinstance(refusal, OrderRefused) and refusal.venue is not None
            task.stage = Stage.RELEASING if by_venue else Stage.SELLING
            task.refused.failed(self._state.now)
            if by_venue and not _held_elsewhere(refusal):
                # Nothing that waiting mends: the stop goes back with the next step.
                task.refused.failures = REFUSALS
            return
        task.refused.failures = task.exposed = 0
        task.order, task.sent, task.cancel_asked = order.client_order_id, self._state.now, None
        task.orders += 1
        terms = "at market" if limit is None else f"at {limit:g}"
        task.sale = f"{side} {digits(request.quantity)} {terms} waits at the broker"

    def _limit(self, task: CloseTask, long: bool) -> float | None:
        """Through the market, as often as it is chased; None is at market.

        A manual order on the other side keeps a market order from being taken, and a limit that would meet it: so it
        stays a limit, at the nearest price that keeps clear of the manual one's.
        """
        rule = self._rule
        keep_clear = self._self_trade_limit(task.symbol, buys=not long)
        if task.orders > rule.chases and keep_clear is None:
            return None
        price = self._price(task.symbol, long, at_all_costs=keep_clear is not None)
        if not price > 0:
            return None
        through = price * (1 - rule.through_frac) if long else price * (1 + rule.through_frac)
        tick = self._state.rules.tick(through, task.symbol)
        limit = down(through, tick) if long else up(through, tick)
        if keep_clear is None:
            return limit
        clear = self._clear_of(task.symbol, keep_clear, long)
        return max(limit, clear) if long else min(limit, clear)

    def _price(self, symbol: str, long: bool, at_all_costs: bool) -> float:
        """What the shares would go for now, 0 if that is not known; ``at_all_costs`` by the position's worth."""
        quote = self._state.quote(symbol)
        if not quote.problem:
            return float(quote.prices[0 if long else 1])
        return float(self._state.view.price(symbol)) if at_all_costs else 0.0

    def _self_trade_limit(self, symbol: str, buys: bool) -> Decimal | None:
        return self_trade_limit(symbol, buys, self._state.view, self._positions.ownership)

    def _clear_of(self, symbol: str, keep_clear: Decimal, long: bool) -> float:
        """The first price that does not meet an order by hand."""
        price = float(keep_clear)
        tick = self._state.rules.tick(price, symbol)
        return up(price + tick / 2, tick) if long else down(price - tick / 2, tick)

    def _watch(self, task: CloseTask) -> None:
        """Follow the order under way; it is cancelled when its time is up, and forgotten when it has ended."""
        order = self._positions.journal.order(task.order)
        if order.state in FINAL:
            task.order, task.ended = "", self._state.now
            if order.state is State.LOST:
                # Its shares have got their stop back meanwhile.
                task.stage = Stage.RELEASING
            if order.filled_quantity:
                task.fruitless.failures = 0
            # What was sold whole is no attempt that has to be chased.
            task.orders = 0 if order.state is State.FILLED else task.orders
            return
        patience = timedelta(seconds=self._rule.patience_s)
        if order.state in (State.JOURNALED, State.UNKNOWN) or task.sent is None:
            return
        if task.cancel_asked is not None:
            task.cancel_asked = self._gateway.cancel_again(order.venue_id, task.cancel_asked)
            return
        closed = self._state.closes_within(timedelta(0))
        chased = order.type == OrderType.LIMIT and elapsed(self._state.now, task.sent, patience)
        # What waits after the close holds shares that need their stop, and is filled at any price at the opening.
        ends = task.over or closed or (chased and self._has_turn(task))
        if ends and (closed or not self._fills_on(task, order)) and self._gateway.make_way([order.venue_id]):
            task.cancel_asked = self._state.now

    def _fills_on(self, task: CloseTask, order: JournalOrder) -> bool:
        """Whether a sale is left to fill: the rest is too little for another, or the market takes part after part."""
        there = self._state.view.orders.get(order.venue_id)
        if there is None or self._filling.is_last(there):
            return there is not None
        return not task.over and self._filling.goes_on(there) and self._filling.is_taken(there)


def _exposed(task: CloseTask) -> bool:
    """Whether a close has cancelled what was at the venue for its position, and nothing else is there yet."""
    if task.order:
        return task.cancel_asked is not None
    return task.stage is Stage.SELLING or task.releasing_since is not None


def _held_elsewhere(refusal: Exception) -> bool:
    """Whether the venue refused a sale for shares that something holds, which come back."""
    venue = refusal.venue if isinstance(refusal, OrderRefused) else None
    return venue is not None and venue.reason is VenueReason.SHARES_HELD
