"""What happens to an order after it was accepted: opened, filled, cancelled, replaced, expired, and its group.

What a client asks for is promised at once and done at the next step, first in, first out, as at the venue:
a 204 to a cancel and a 200 to a replace promise nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from decimal import Decimal

from brokers.rehearsal.faults import FaultPlan
from brokers.rehearsal.hours import Phase, phase_at, session_ahead
from brokers.rehearsal.model import WORKING, Group, Json, Order, iso, plain
from brokers.rehearsal.state import State

Emit = Callable[[Json], None]
STAMP = {
    "canceled": "canceled_at",
    "expired": "expired_at",
    "rejected": "failed_at",
    "replaced": "replaced_at",
    "filled": "filled_at",
}


class Lifecycle:
    """Moves orders from status to status and tells each move to ``emit`` as a trade update."""

    def __init__(self, state: State, faults: FaultPlan, new_id: Callable[[], str], emit: Emit) -> None:
        self.state = state
        self.faults = faults
        self.new_id = new_id
        self._emit = emit
        self._pending: deque[Callable[[], None]] = deque()

    def tell(self, event: str, order: Order, **details: str) -> None:
        """Send one trade update."""
        self._emit(
            {
                "event": event,
                "timestamp": iso(self.state.now),
                "order": order.on_stream(),
                "execution_id": self.new_id() if details else None,
                **details,
            }
        )

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
            self._pending.append(lambda: self._open(order))

    def cancel(self, order: Order) -> None:
        """Promise a cancel."""
        order.before = order.status
        self._mark(order, "pending_cancel")
        self._pending.append(lambda: self._settle_cancel(order))

    def replace(self, old: Order, new: Order) -> None:
        """Promise that ``new`` takes the place of ``old``."""
        old.before = old.status
        self._mark(old, "pending_replace")
        self.state.orders[new.id] = new
        self.state.by_client_id[new.client_order_id] = new
        self._pending.append(lambda: self._settle_replace(old, new))

    def settle(self) -> None:
        """Do what was promised, then what the time of day brings."""
        while self._pending:
            self._pending.popleft()()
        self.state.ledger.release(self.state.now)
        self._follow_the_day()

    def fill(self, order: Order, qty: Decimal, price: Decimal) -> None:
        """Execute ``qty`` shares at ``price``, with what that means to the order's group."""
        order.filled_qty += qty
        order.filled_value += qty * price
        done = order.remaining(price) <= 0
        self._mark(order, "filled" if done else "partially_filled")
        position = self.state.ledger.book(order.asset, qty if order.buy else -qty, price, self.state.now)
        self.tell(
            "fill" if done else "partial_fill",
            order,
            price=plain(price),
            qty=plain(qty),
            position_qty=plain(position),
        )
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

    def trigger(self, stop: Order) -> None:
        """A stop price was reached: the take-profit gives way and the stop goes to market."""
        stop.triggered = True
        if stop.status != "held":
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
        if order.type == "trailing_stop" and (price := self.state.live_price(order.symbol)) is not None:
            order.follow(price)
        self.tell("new", order)

    def _arm(self, group: Group) -> None:
        """The entry has filled: the take-profit works, the stop waits behind it or works alone."""
        first = group.exits[0]
        self._mark(first, "new")
        self.tell("new", first)

    def _settle_cancel(self, order: Order) -> None:
        if not order.open:
            return
        price = self.state.live_price(order.symbol)
        works = phase_at(self.state.now) is Phase.REGULAR and order.before in WORKING and price is not None
        if works and price is not None and self.faults.fill_races_cancel():
            bid, ask = self.state.ledger.bid_ask(price)
            level = order.limit_price or order.stop_price or (ask if order.buy else bid)
            if order.exits and order.role == "stop_loss":
                self.trigger(order)
            self.fill(order, order.remaining(level), level)
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
        waits_behind = old.before == "held"
        if new.status == "pending_new":
            self._mark(new, "held" if waits_behind else "new")
        self.tell("replaced", old)
        if not waits_behind:
            if new.type == "trailing_stop" and old.hwm is not None:
                new.follow(old.hwm)
            self.tell("new", new)
        self._release_later(old.symbol, held - self.state.held(old.symbol))

    def _follow_the_day(self) -> None:
        """Age orders: expired, put to rest for the night, opened in the morning."""
        now = self.state.now
        rests = phase_at(now) in (Phase.POST, Phase.CLOSED)
        for order in list(self.state.open_orders()):
            if not order.open:
                continue
            if now >= order.expires and (not order.is_leg or order.status != "held"):
                self.end(order, "canceled" if order.time_in_force == "gtc" else "expired")
            elif order.status == "accepted" and now >= order.starts:
                self._open(order)
            elif rests and order.status == "new" and not order.extended_hours and order.time_in_force == "gtc":
                order.starts = session_ahead(now).pre_open
                self._mark(order, "accepted")
