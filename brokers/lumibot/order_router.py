"""Orders that come through Lumibot, from a subclass or a hand in the same process, take the desk's way as well."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from typing import Any

from brokers.alpaca.errors import OutcomeUnknown, VenueError
from brokers.alpaca.payloads import Json, amount
from brokers.desk.desk import LiveDesk
from brokers.desk.execution.order_gateway import OrderRefused
from brokers.desk.reconcile.position_adjustments import MANUAL
from brokers.desk.reconcile.position_book import EXIT_ROLES
from brokers.journal import JournalOrder, State

CLOSE_WITHIN_S, POLL_S = 12.0, 0.5
"""Local seconds that a call may wait for what it closes, and between two looks; the desk goes on closing after it."""
REASON = "closed through Lumibot"

log = logging.getLogger(__name__)


class LumibotOrderRouter:
    """Lumibot's door to the venue. A scan and a process that is ending send nothing; what opens obeys the switches.

    Parameters
    ----------
    desk : LiveDesk
    """

    def __init__(self, desk: LiveDesk) -> None:
        self.desk = desk

    def submit(self, order: Any, payload: Mapping[str, Any]) -> Json:
        """Place an order of any kind; what is bought without exits is given its exits by the desk.

        Raises
        ------
        OrderRefused
            By a switch, the gate or the venue, or because the position's own exits hold the shares.
        OutcomeUnknown
            No answer; its ``client_order_id`` is the order's name.
        """
        desk, floor = self.desk, self.desk.floor
        with desk.lock:
            symbol, quantity = str(payload["symbol"]), amount(payload, "qty")
            held = floor.view.held(symbol)
            reduces = held != 0 and (held > 0) == (payload["side"] == "sell") and quantity <= abs(held)
            self._let_through(opens=not reduces)
            if not reduces and (doubt := floor.doubt(symbol)):
                raise OrderRefused(f"DESK_DOUBT: {doubt}")
            # What hands hold is a hand's to sell, also by way of Lumibot, and never a close of ours.
            leaves = "close" if floor.own.quantity(symbol) * held > 0 else MANUAL
            if reduces and floor.cover(symbol).exits:
                raise OrderRefused(
                    f"DESK_HELD: exits hold the shares of {symbol}; close_position() and sell_all() cancel them first"
                )
            placed = floor.place(
                dict(payload),
                leaves if reduces else "entry",
                floor.now,
                opens=not reduces,
                quote=self._price(symbol, str(payload["side"]), not reduces),
                reason="sent through Lumibot",
            )
            desk.entries.by_subclass.add(placed.client_order_id)
            return self._answer(placed)

    def replace(self, order: Any, patch: Mapping[str, Any]) -> Json:
        """Change the prices of an order of ours; raises like ``submit``."""
        desk, floor = self.desk, self.desk.floor
        with desk.lock:
            there, name = floor.view.orders.get(str(order.identifier)), floor.books.client_id(str(order.identifier))
            old = floor.journal.order(name) if name is not None else None
            if there is None or old is None or old.role == MANUAL:
                raise OrderRefused(f"DESK_UNKNOWN: {order.identifier} is no open order of ours")
            opens = old.role not in EXIT_ROLES
            self._let_through(opens)
            intent = floor.intent(
                there.symbol, there.side, there.remaining, there.type, old.role, floor.now,
                limit=patch.get("limit_price") or (str(there.limit_price) if there.limit_price else None),
                stop=patch.get("stop_price") or (str(there.stop_price) if there.stop_price else None),
                parent=old.parent_id, reason="changed through Lumibot",
            )  # fmt: skip
            quote = self._price(there.symbol, there.side, opens)
            placed = floor.counter.replace(there.id, intent, patch, quote)
            desk.entries.by_subclass.add(placed.client_order_id)
            return self._answer(placed)

    def cancel(self, order: Any) -> None:
        """Ask for a cancel; shares that lose their stop by it get it back from the desk."""
        with self.desk.lock:
            self._let_through(opens=False)
            self.desk.floor.counter.cancel(str(order.identifier))

    def sell_all(self, end_entries: bool) -> None:
        """Close every position of ours, as far as that is done in a while; what hands bought is theirs.

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
            for symbol in list(desk.floor.own.ledger.positions):
                desk.closing.begin(symbol, None, "close", REASON, desk.floor.now)
            waiting = desk.entries.waiting if end_entries else []
            return set(desk.closing.tasks) | {order.symbol for order in waiting}

        self._wait_for(left)

    def close(self, symbol: str, frac: float) -> bool:
        """Close a position of ours or a part of it, like ``sell_all``; False if there is none."""
        desk = self.desk
        with desk.lock:
            self._let_through(opens=False)
            held = desk.floor.own.quantity(symbol)
            if not held:
                return False
            quantity = None if frac == 1 else float(abs(held) * Decimal(str(frac)))
            desk.closing.begin(symbol, quantity, "close", REASON, desk.floor.now)
        self._wait_for(lambda: desk.closing.tasks.keys() & {symbol})
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
            raise OrderRefused("DESK_SCAN: a scan sends nothing")
        if desk.leaving:
            raise OrderRefused("DESK_LEAVING: the process is ending, orders stay as they are")
        if opens and (why := desk.switches.stopped(desk.floor.now)):
            raise OrderRefused(f"DESK_STOPPED: {'; '.join(why)}")

    def _price(self, symbol: str, side: str, opens: bool) -> float:
        """What an order would trade against now; exits need none, and so none is asked for."""
        if not opens:
            return math.nan
        quote = self.desk.floor.quote(symbol)
        return float(quote.ask if side == "buy" else quote.bid)

    def _answer(self, placed: JournalOrder) -> Json:
        if placed.state in (State.UNKNOWN, State.JOURNALED) or not placed.venue_id:
            unknown = OutcomeUnknown("no answer to the order")
            unknown.client_order_id = placed.client_order_id
            raise unknown
        return self.desk.floor.view.orders[placed.venue_id].raw
