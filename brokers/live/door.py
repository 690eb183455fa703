"""Orders that come through Lumibot, from a subclass or a hand in the same process, take the desk's way as well."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from brokers.journal import JournalOrder, State
from brokers.live.counter import OrderRefused
from brokers.live.desk import LiveDesk
from brokers.live.payloads import Json, amount
from brokers.venue.errors import OutcomeUnknown


class DeskDoor:
    """Lumibot's door to the venue.

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
            By the gate, by the venue, or because the position's own exits hold the shares.
        OutcomeUnknown
            No answer; its ``client_order_id`` is the order's name.
        """
        desk, floor = self.desk, self.desk.floor
        with desk.lock:
            symbol, quantity = str(payload["symbol"]), amount(payload, "qty")
            held = floor.view.held(symbol)
            reduces = held != 0 and (held > 0) == (payload["side"] == "sell") and quantity <= abs(held)
            if reduces and floor.cover(symbol).exits:
                raise OrderRefused(
                    f"DESK_HELD: exits hold the shares of {symbol}; close it with sell_all(), which cancels them first"
                )
            quote = floor.quote(symbol)
            price = float(quote.ask if payload["side"] == "buy" else quote.bid)
            placed = floor.place(
                dict(payload),
                "close" if reduces else "entry",
                floor.now,
                opens=not reduces,
                quote=price,
                reason="sent through Lumibot",
            )
            return self._answer(placed)

    def replace(self, order: Any, patch: Mapping[str, Any]) -> Json:
        """Change the prices of an order of ours; raises like ``submit``."""
        desk, floor = self.desk, self.desk.floor
        with desk.lock:
            there, name = floor.view.orders.get(str(order.identifier)), floor.books.client_id(str(order.identifier))
            if there is None or name is None:
                raise OrderRefused(f"DESK_UNKNOWN: {order.identifier} is no open order of ours")
            old = floor.journal.order(name)
            intent = floor.intent(
                there.symbol, there.side, there.remaining, there.type, old.role, floor.now,
                limit=patch.get("limit_price") or (str(there.limit_price) if there.limit_price else None),
                stop=patch.get("stop_price") or (str(there.stop_price) if there.stop_price else None),
                parent=old.parent_id, reason="changed through Lumibot",
            )  # fmt: skip
            return self._answer(floor.counter.replace(there.id, intent, patch))

    def cancel(self, order: Any) -> None:
        """Ask for a cancel; shares that lose their stop by it get it back from the desk."""
        with self.desk.lock:
            self.desk.floor.counter.cancel(str(order.identifier))

    def _answer(self, placed: JournalOrder) -> Json:
        if placed.state in (State.UNKNOWN, State.JOURNALED) or not placed.venue_id:
            unknown = OutcomeUnknown("no answer to the order")
            unknown.client_order_id = placed.client_order_id
            raise unknown
        return self.desk.floor.view.orders[placed.venue_id].raw
