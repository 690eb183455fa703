"""What happens to an order after it was accepted: opened, filled, cancelled, replaced, expired, and its group.

What a client asks for is promised at once and done at the next step or later, in the order in which it is due, as
at the venue: a positive answer to a cancel or a replace promises nothing.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from itertools import count

from brokers.rehearsal.core.faults import FaultPlan
from brokers.rehearsal.core.hours import Phase
from brokers.rehearsal.core.model import TRAILING, WORKING, ZERO, Closing, Execution, Group, Order, OrderEvent
from brokers.rehearsal.core.state import State

Emit = Callable[[OrderEvent], None]
STAMP = {
    "canceled": "canceled_at",
    "expired": "expired_at",
    "rejected": "failed_at",
    "replaced": "replaced_at",
    "filled": "filled_at",
}


class Lifecycle:
    """Moves orders from status to status and tells each move to ``emit`` at the moment it happens."""

    def __init__(self, state: State, faults: FaultPlan, new_id: Callable[[], str], emit: Emit) -> None:
        self.state = state
        self.faults = faults
        self.new_id = new_id
        self._emit = emit
        self._promises: list[tuple[datetime, int, Callable[[], None]]] = []
        self._promised = count()

    def tell(self, kind: str, order: Order, execution: Execution | None = None) -> None:
        """Tell of one event."""
        self._emit(OrderEvent(kind, self.state.now, order, execution))

    def accept(self, order: Order) -> None:
        """Take in a new order, with its group if it has one; it begins to work when its time has come."""
        members = order.group.members if order.group else [order]
        for member in members:
            self.state.orders[member.id] = member
            self.state.by_client_id[member.client_order_id] = member
            self._mark(member, "held")
        waits = self.state.now < order.starts
        self._mark(order, "accepted" if waits else "pending_new")
        self.tell(order.status, order)
        if not waits:
            self._promise(lambda: self._open(order))

    def cancel(self, order: Order) -> None:
        """Promise a cancel."""
        order.before = order.status
        self._mark(order, "pending_cancel")
        self._promise(lambda: self._settle_cancel(order), self.faults.cancel_delay())

    def replace(self, old: Order, new: Order) -> None:
        """Promise that ``new`` takes the place of ``old``."""
        old.before = old.status
        self._mark(old, "pending_replace")
        self.state.orders[new.id] = new
        self.state.by_client_id[new.client_order_id] = new
        self._promise(lambda: self._settle_replace(old, new))

    def settle(self) -> None:
        """Do what was promised by now, then what the time of day brings."""
        while self._promises and self._promises[0][0] <= self.state.now:
            heapq.heappop(self._promises)[2]()
        self.state.ledger.release(self.state.now)
        self._follow_the_day()

    def closable(self, order: Order, qty: Decimal) -> Decimal:
        """How much of a fill of ``qty`` the position allows an order that may not turn it round."""
        closes = order.intent == "close" or (order.exits and not self.faults.surplus_stop_goes_short)
        if not closes:
            return qty
        position = self.state.ledger.quantity(order.symbol)
        return min(qty, abs(position)) if position and (position > 0) != order.buy else ZERO

    def fill(self, order: Order, qty: Decimal, price: Decimal) -> None:
        """Execute ``qty`` units at ``price``, with what that means to the order's group and its closing order."""
        value = order.asset.money(qty * price)
        fee = order.asset.money(value * self.fee_frac(order))
        order.filled_qty += qty
        order.filled_value += value
        order.fee += fee
        done = order.remaining(price) <= 0
        if not done and order.status == "pending_cancel":
            order.before = "partially_filled"
            order.updated = self.state.now
        else:
            self._mark(order, "filled" if done else "partially_filled")
        position = self._book(order, qty, price, fee)
        self.tell("fill" if done else "partial_fill", order, Execution(self.new_id(), price, qty, fee, position))
        if order.closing is not None:
            self._close_the_fill(order, qty, order.closing)
        if order.group is None:
            return
        if order.role == "entry" and done:
            self._arm(order.group)
        elif order.role == "take_profit" and (stop := order.group.stop_loss) is not None and stop.open:
            if done:
                self._end([stop], "canceled", silent=self.faults.silent_sibling_cancel)
            elif order.qty is not None:
                stop.qty = order.qty - order.filled_qty
                stop.updated = self.state.now

    def fee_frac(self, order: Order) -> Decimal:
        """The fee of a fill of this order as a share of its value; a limit order that has rested makes."""
        settings = self.state.settings
        return settings.maker_fee_frac if makes(order) else settings.taker_fee_frac

    def fill_price(self, order: Order, quoted: Decimal) -> Decimal:
        """What a fill costs where the other side quotes so much: in a jump that is better than a limit that rested."""
        return quoted

    def trigger(self, stop: Order) -> None:
        """A stop price was reached: the take-profit gives way and the stop goes to market."""
        stop.triggered, stop.rested = True, False
        if not waits_behind(stop):
            return
        target = stop.group.take_profit if stop.group else None
        if target is not None and target.open:
            target.replaced_by, stop.replaces = stop.id, target.id
            self._mark(target, "replaced")
            self.tell("replaced", target)
        self._mark(stop, "new")
        self.tell("new", stop)

    def end(self, order: Order, status: str) -> None:
        """End an order and all its group; shares they held come back later."""
        members = order.group.members if order.group else [order]
        held = self.state.held(order.symbol)
        self._end([order], status)
        # Only the entry can have run out while its exits, of the same age, are simply no longer wanted.
        self._end([m for m in members if m is not order], "canceled" if order.role == "entry" else status)
        self._release_later(order.symbol, held - self.state.held(order.symbol))

    def _promise(self, work: Callable[[], None], after: timedelta = timedelta(0)) -> None:
        heapq.heappush(self._promises, (self.state.now + after, next(self._promised), work))

    def _mark(self, order: Order, status: str) -> None:
        order.status = status
        order.updated = self.state.now
        if status in STAMP:
            order.times[STAMP[status]] = self.state.now

    def _end(self, orders: Iterable[Order], status: str, silent: bool = False) -> None:
        for order in orders:
            if order.open:
                self._mark(order, status)
                if not silent:
                    self.tell(status, order)

    def _release_later(self, symbol: str, qty: Decimal) -> None:
        delay = self.state.settings.release_delay + self.faults.extra_release_delay()
        self.state.ledger.hold_until(symbol, qty, self.state.now + delay)

    def _open(self, order: Order) -> None:
        if order.status not in ("pending_new", "accepted"):
            return
        self._mark(order, "new")
        if order.type in TRAILING and (price := self.state.live_price(order.symbol)) is not None:
            order.follow(price)
        self.tell("new", order)

    def _book(self, order: Order, qty: Decimal, price: Decimal, fee: Decimal) -> Decimal:
        """Book a fill and its fee, in money or in units; returns the position after it."""
        ledger, signed = self.state.ledger, qty if order.buy else -qty
        if not order.fee_in_units:
            return ledger.book(order.asset, signed, price, self.state.now, fee)
        ledger.book(order.asset, signed, price, self.state.now)
        return ledger.take(order.asset, (fee / price).quantize(order.asset.lot, ROUND_HALF_UP))

    def _close_the_fill(self, order: Order, qty: Decimal, closing: Closing) -> None:
        """The order that a fill brings with it."""
        self.accept(
            replace(
                order,
                id=self.new_id(),
                client_order_id=self.new_id(),
                sequence=len(self.state.orders),
                side="sell" if order.buy else "buy",
                type=closing.type,
                time_in_force="gtc",
                qty=qty,
                notional=None,
                created=self.state.now,
                starts=self.state.now,
                expires=None,
                limit_price=closing.limit_price,
                stop_price=closing.stop_price,
                trail_price=None,
                trail_percent=None,
                hwm=None,
                triggered=False,
                rested=False,
                fee_in_units=False,
                resumes=None,
                filled_qty=ZERO,
                filled_value=ZERO,
                fee=ZERO,
                updated=None,
                times={},
                replaces=None,
                replaced_by=None,
                group=None,
                role="",
                intent="",
                closing=None,
                parent=order.id,
            )
        )

    def _arm(self, group: Group) -> None:
        """The entry has filled: the take-profit works, the stop waits behind it or works alone."""
        if self.faults.legs_beside_others == "reserve":
            symbol, group_exits = group.exits[0].symbol, group.exits
            free = abs(self.state.ledger.quantity(symbol)) - self.state.held(symbol, without=group_exits[0])
            if free <= 0:
                self._end(group_exits, "canceled")
                return
            for leg in group_exits:
                leg.qty = min(leg.qty or ZERO, free)
        first = group.exits[0]
        self._mark(first, "new")
        self.tell("new", first)

    def _filled_at_the_close(self, order: Order) -> bool:
        """Let the closing auction happen, at the session's last price; whether it filled the order."""
        ledger = self.state.ledger
        at = ledger.priced_at.get(order.symbol)
        session = self.state.hours.session_on(self.state.hours.day_of(order.starts))
        if at is None or session is None or at < session.open or not order.works:
            return False
        price = ledger.prices[order.symbol]
        qty = self.closable(order, order.remaining(price))
        if qty <= 0 or not order.fits(price):
            return False
        self.fill(order, qty, price)
        return order.filled_qty == order.qty

    def _settle_cancel(self, order: Order) -> None:
        if order.status == "filled":
            self.tell("order_cancel_rejected", order)
        if not order.open:
            return
        price = self.state.live_price(order.symbol)
        works = self.state.phase is Phase.REGULAR and order.before in WORKING and price is not None
        if works and price is not None and self.faults.fill_races_cancel():
            bid, ask = self.state.ledger.bid_ask(price, order.asset)
            level = order.limit_price or order.stop_price or (ask if order.buy else bid)
            qty = self.closable(order, order.remaining(level))
            if qty > 0:
                if order.stop_price is not None and not order.triggered:
                    self.trigger(order)
                self.fill(order, qty, level)
                self.tell("order_cancel_rejected", order)
                return
        self.end(order, "canceled")

    def _settle_replace(self, old: Order, new: Order) -> None:
        if not old.open or self.faults.refuses_replace():
            if old.open:
                self._mark(old, old.before)
            self._mark(new, "rejected")
            self.tell("order_replace_rejected", old)
            self.tell("rejected", new)
            return
        held = self.state.held(old.symbol)
        old.replaced_by = new.id
        self._mark(old, "replaced")
        if new.group is not None:
            new.group.swap(old, new)
        waits = old.before == "held"
        if new.status == "pending_new":
            self._mark(new, "held" if waits else "new")
        self.tell("replaced", old)
        if not waits:
            if new.type in TRAILING and old.hwm is not None:
                new.follow(old.hwm)
            self.tell("new", new)
        self._release_later(old.symbol, held - self.state.held(old.symbol))

    def _follow_the_day(self) -> None:
        """Age orders: expired, put to rest for the night, opened in the morning."""
        now = self.state.now
        rests = self.state.phase in (Phase.POST, Phase.CLOSED)
        for order in list(self.state.open_orders()):
            if not order.open:
                continue
            expired = order.expires is not None and now >= order.expires
            if expired and order.auction == "close" and self._filled_at_the_close(order):
                continue
            if expired and (not order.is_leg or order.status != "held"):
                self.end(order, "canceled" if order.time_in_force == "gtc" or order.auction else "expired")
            elif order.status == "accepted" and now >= order.starts:
                self._open(order)
            elif rests and order.status == "new" and not order.extended_hours and order.time_in_force == "gtc":
                order.starts = self.state.hours.session_ahead(now).pre_open
                self._mark(order, "accepted")


def makes(order: Order) -> bool:
    """Whether a fill of it now would be a maker's: it has a limit and has rested with it."""
    return order.rested and order.limit_price is not None


def waits_behind(order: Order) -> bool:
    """Whether it is an exit that waits behind its sibling, also while a cancel of it is under way."""
    return order.status == "held" or (order.status == "pending_cancel" and order.before == "held")
