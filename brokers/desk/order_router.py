"""Orders that come through Lumibot, from a subclass or from other code in the process, go through the desk as well."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Collection
from decimal import Decimal

from brokers.desk.desk import LiveDesk
from brokers.desk.execution.close_obstacles import LAST_START
from brokers.desk.execution.order_gateway import OrderRefused
from brokers.journal import JournalOrder, State
from brokers.order_types import EXIT_ROLES, OrderRole, RefusalCode
from brokers.quantities import digits
from brokers.venue_errors import OutcomeUnknown, VenueError
from brokers.venue_requests import OrderChange, OrderRequest
from brokers.venue_values import OrderAck
from risk.policy_gate import GateCode

CLOSE_WITHIN_S, POLL_S = 12.0, 0.5
"""Local seconds that a call may wait for what it closes, and between two looks; the desk goes on closing after it."""
REASON = "closed through Lumibot"

log = logging.getLogger(__name__)


class LumibotOrderRouter:
    """Sends Lumibot's orders. A scan and a process that is ending send nothing; what opens obeys the halts of entries.

    Parameters
    ----------
    desk : LiveDesk
    """

    def __init__(self, desk: LiveDesk) -> None:
        self.desk = desk

    def submit(self, request: OrderRequest) -> OrderAck:
        """Place an order of any kind; what is bought without exits is given its exits by the desk.

        Raises
        ------
        OrderRefused
            By a halt, the gate or the venue, or because the position's own exits hold the shares.
        OutcomeUnknown
            No answer; its ``client_order_id`` is the order's name.
        """
        desk, positions = self.desk, self.desk.positions
        with desk.lock:
            symbol = request.symbol
            held = desk.state.view.held(symbol)
            reduces = held != 0 and (held > 0) == (request.side == "sell") and request.quantity <= abs(held)
            self._let_through(opens=not reduces)
            if not reduces and (doubt := positions.doubt(symbol)):
                raise OrderRefused(f"{RefusalCode.DOUBT}: {doubt}")
            # What was bought by hand is sold by hand, also by way of Lumibot, and its sale never closes ours.
            leaves = OrderRole.CLOSE if positions.book.quantity(symbol) * held > 0 else OrderRole.MANUAL
            if positions.unresolved(symbol):
                # It may be at the venue: the same once more would be sold or bought twice.
                raise OrderRefused(f"{RefusalCode.PENDING}: an earlier order of {symbol} has no outcome yet")
            if reduces and positions.protection(symbol).exits:
                raise OrderRefused(
                    f"{RefusalCode.HELD}: exits hold the shares of {symbol}; close_position() and sell_all() cancel "
                    "them first"
                )
            placed = desk.gateway.place(
                request,
                leaves if reduces else OrderRole.ENTRY,
                desk.state.now,
                opens=not reduces,
                quote=self._price(symbol, request.side, not reduces),
                reason="sent through Lumibot",
            )
            desk.entries.sent_by_subclass(placed)
            return self._answer(placed)

    def replace(self, venue_id: str, change: OrderChange) -> OrderAck:
        """Change the prices of an order of ours; raises like ``submit``."""
        desk = self.desk
        with desk.lock:
            there, name = desk.state.view.orders.get(venue_id), desk.sync.client_id(venue_id)
            old = desk.journal.order(name) if name is not None else None
            if there is None or not there.open or old is None or old.role == OrderRole.MANUAL:
                raise OrderRefused(f"{RefusalCode.UNKNOWN}: {venue_id} is no open order of ours")
            opens = old.role not in EXIT_ROLES
            self._let_through(opens)
            intent = desk.gateway.intent(
                there.symbol,
                there.side,
                there.remaining,
                there.type,
                old.role,
                desk.state.now,
                limit=change.limit_price or there.limit_price or None,
                stop=change.stop_price or there.stop_price or None,
                parent=old.parent_id,
                reason="changed through Lumibot",
            )
            quote = self._price(there.symbol, there.side, opens)
            placed = desk.gateway.replace(there.id, intent, change, quote)
            desk.entries.by_subclass.add(placed.client_order_id)
            return self._answer(placed)

    def cancel(self, venue_id: str) -> None:
        """Ask for a cancel; shares that lose their stop by it get it back from the desk."""
        with self.desk.lock:
            self._let_through(opens=False)
            self.desk.gateway.cancel(venue_id)

    def sell_all(self, end_entries: bool) -> None:
        """Close every position of ours, as far as that is done in a while; what was bought by hand stays.

        Raises
        ------
        OrderRefused
        """
        desk = self.desk
        with desk.lock:
            self._let_through(opens=False)
            if end_entries:
                desk.entries.abandon(REASON)

        def left() -> set[str]:
            # Again at each look: an entry may have filled before its cancel.
            for symbol in list(desk.positions.book.ledger.positions):
                desk.closer.begin(symbol, None, OrderRole.CLOSE, REASON, desk.state.now)
            waiting = desk.entries.waiting if end_entries else []
            return desk.closer.working | {order.symbol for order in waiting}

        self._wait_for(left)

    def close(self, symbol: str, frac: float) -> bool:
        """Close a position of ours or a part of it; False if there is none.

        Raises
        ------
        OrderRefused
            Like ``sell_all``; or ``frac`` is no part of a position, or comes to less than a lot.
        """
        desk = self.desk
        if not 0 < frac <= 1:
            raise OrderRefused(f"{GateCode.QUANTITY}: {frac} is not above 0 and at most 1")
        with desk.lock:
            self._let_through(opens=False)
            held = desk.positions.book.quantity(symbol)
            if not held:
                return False
            if frac < 1 and desk.state.closes_within(LAST_START):
                raise OrderRefused(
                    f"{RefusalCode.CLOSED}: the market is closed or about to close, a part of {symbol} is sold in the "
                    "next session"
                )
            quantity = None if frac == 1 else float(abs(held) * Decimal(str(frac)))
            why = desk.closer.begin(symbol, quantity, OrderRole.CLOSE, REASON, desk.state.now)
            if symbol not in desk.closer.tasks:
                why = why or "is less than a lot"
                raise OrderRefused(f"{GateCode.LOT}: {frac:g} of {digits(abs(held))} {symbol} {why}")
        self._wait_for(lambda: desk.closer.working & {symbol})
        return True

    def _wait_for(self, left: Callable[[], Collection[str]]) -> None:
        """Look and work until nothing is left; with a task at work the desk puts no exits back."""
        desk, ends = self.desk, time.monotonic() + CLOSE_WITHIN_S
        while True:
            with desk.lock:
                waiting = sorted(left())
            rest = ends - time.monotonic()
            if not waiting:
                return
            if rest <= 0:
                log.warning("still being closed: %s", ", ".join(waiting))
                return
            try:
                desk.tick(rest)
            except VenueError as error:
                log.warning("closing has to wait: %s", error)
            time.sleep(POLL_S)

    def _let_through(self, opens: bool) -> None:
        desk = self.desk
        if not desk.submit:
            raise OrderRefused(f"{RefusalCode.SCAN}: a scan sends nothing")
        if desk.shutting_down:
            raise OrderRefused(f"{RefusalCode.SHUTDOWN}: the process is ending, orders stay as they are")
        if opens and (why := desk.halts.stopped(desk.state.now)):
            raise OrderRefused(f"{RefusalCode.STOPPED}: {'; '.join(why)}")

    def _price(self, symbol: str, side: str, opens: bool) -> float:
        """What an order would trade against now; exits need none, and so none is asked for."""
        if not opens:
            return math.nan
        quote = self.desk.state.quote(symbol)
        return float(quote.ask if side == "buy" else quote.bid)

    def _answer(self, placed: JournalOrder) -> OrderAck:
        if placed.state in (State.UNKNOWN, State.JOURNALED) or not placed.venue_id:
            unknown = OutcomeUnknown("no answer to the order")
            unknown.client_order_id = placed.client_order_id
            raise unknown
        order = self.desk.state.view.orders[placed.venue_id]
        return OrderAck(order.id, order.client_order_id, (order,), native=order.native)
