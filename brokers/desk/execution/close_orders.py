"""The orders of a close: exits cancelled, a limit or a market order sent, followed and chased."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from decimal import ROUND_DOWN, Decimal

from brokers.desk.execution.backoff import elapsed
from brokers.desk.execution.close_prices import ClosePrices
from brokers.desk.execution.close_task import REFUSALS, CloseTask, Stage
from brokers.desk.execution.filling import Filling
from brokers.desk.execution.order_gateway import OrderGateway, OrderRefused
from brokers.desk.execution.order_requests import single
from brokers.desk.execution.sale_check import Successors
from brokers.desk.reconcile.own_positions import OwnPositions
from brokers.desk.venue_state import VenueState
from brokers.journal import AlreadyPlanned, JournalOrder, State
from brokers.journal.states import FINAL
from brokers.order_types import SALE_ROLES, OrderType, Side, VenueReason
from brokers.quantities import digits, whole_lots
from config import Settings
from config.values.counting import unit_of

PATIENCE = timedelta(seconds=30)
"""Then cancels that hang are asked for again, and what is free is sold."""

log = logging.getLogger(__name__)


class CloseOrders:
    """Sends and cancels for closes.

    Parameters
    ----------
    state : VenueState
    positions : OwnPositions
    gateway : OrderGateway
    settings : Settings
    filling : Filling
    prices : ClosePrices
    has_turn : callable
        Whether what is at the venue for a close may be cancelled now.
    """

    def __init__(
        self,
        state: VenueState,
        positions: OwnPositions,
        gateway: OrderGateway,
        settings: Settings,
        filling: Filling,
        prices: ClosePrices,
        has_turn: Callable[[CloseTask], bool],
    ) -> None:
        self._state, self._positions, self._gateway = state, positions, gateway
        self._filling, self._prices, self._has_turn = filling, prices, has_turn
        self._successors = Successors(state)
        self._rule = settings.live.close
        self._lot = settings.sizing.lot

    def release(self, task: CloseTask, held: Decimal) -> None:
        """Cancel what holds the shares, until the venue has given all of them back."""
        if self._gateway.shutting_down:
            return
        protection, free = self._positions.protection(task.symbol), self._positions.free(task.symbol)
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
                digits(free),
                digits(held),
                unit_of(task.symbol),
                PATIENCE.seconds,
            )
            for order in (*protection.entries, *exits):
                if order.cancel_pending:
                    self._gateway.cancel(order.id)
        released = not (exits or protection.entries or free < held - sum(staying.values()))
        if released or (overdue and free > 0):
            task.stage = Stage.SELLING
        if released or overdue:
            task.releasing_since = None

    def send(self, task: CloseTask, quantity: Decimal) -> None:
        long = self._positions.book.quantity(task.symbol) > 0
        whole = whole_lots(quantity, self._lot)
        # A fraction goes last and at market, for the day: the venue takes it in no other way.
        limit = self._prices.limit(task, long) if whole else None
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
        task.sale = _in_words(side, request.quantity, limit)

    def take_over(self, task: CloseTask, quantity: Decimal) -> None:
        """Follow a sale that has no answer yet and that no task follows, as the process ended within its request."""
        side = "sell" if self._positions.book.quantity(task.symbol) > 0 else "buy"
        open_orders = self._positions.unresolved(task.symbol)
        sales = [order for order in open_orders if order.role in SALE_ROLES and order.side == side]
        if not sales:
            return
        order = max(sales, key=lambda sale: sale.journaled_at)
        task.order, task.sent, task.orders = order.client_order_id, order.journaled_at, 1
        task.sale = _in_words(order.side, order.quantity, order.limit_price)
        if order.quantity >= quantity:
            # Its exits were cancelled for all of it.
            task.stage = Stage.SELLING

    def watch(self, task: CloseTask, *, followed: bool = True) -> None:
        """Follow the order under way; it is cancelled when its time is up, and forgotten when it has ended.

        It is not chased where what comes of a cancel is not ``followed``: no other could be sent before the next look.
        """
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
        # While the account takes no order, the one that waits is the only one there can be.
        chased = chased and followed and not self._state.view.account.blocked
        # What waits after the close holds shares that need their stop, and is filled at any price at the opening.
        ends = task.over or closed or (chased and self._has_turn(task))
        if not ends or (not closed and self._fills_on(task, order)):
            return
        # Nor is it chased where the venue does not trade the symbol now.
        goes = task.over or closed or self._successors.possible(task.symbol, order.remaining, task.sale)
        if goes and self._gateway.make_way([order.venue_id]):
            task.cancel_asked = self._state.now

    def _fills_on(self, task: CloseTask, order: JournalOrder) -> bool:
        """Whether a sale is left to fill: the rest is too little for another, or the market takes part after part."""
        there = self._state.view.orders.get(order.venue_id)
        if there is None or self._filling.is_last(there):
            return there is not None
        return not task.over and self._filling.goes_on(there) and self._filling.is_taken(there)


def _in_words(side: str, quantity: Decimal, limit: float | Decimal | None) -> str:
    return f"{side} {digits(quantity)} {'at market' if limit is None else f'at {float(limit):g}'}"


def _held_elsewhere(refusal: Exception) -> bool:
    """Whether the venue refused a sale for shares that something holds, which come back."""
    venue = refusal.venue if isinstance(refusal, OrderRefused) else None
    return venue is not None and venue.reason is VenueReason.SHARES_HELD
