"""Lumibot's order trackers, kept in step with the venue.

Whatever the venue tells of an order, by the stream or when asked, goes through :meth:`OrderTracker.observe`. It
compares the cumulative fill with what Lumibot was told and emits the difference, so that an event that comes
twice or out of order does nothing and one that was lost is made up for.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from lumibot.brokers import Alpaca
from lumibot.entities import Order

from brokers.alpaca.payloads import Json
from brokers.desk.execution.order_gateway import OrderRefused
from brokers.lumibot.order_mapping import ENDED, order_of, raw_of, rows_of, status_of, take_over, told
from brokers.network.figures import amount
from brokers.order_types import STOP_TYPES

WORKING = ("new", "accepted", "partially_filled")
UNCLAIMED = 256

log = logging.getLogger(__name__)


class OrderTracker(Alpaca):
    """The part of the broker that knows orders; it sends nothing."""

    _lock: threading.RLock

    def _open_tracker(self) -> None:
        self._former: dict[str, Order] = {}
        # An order can be told of before the answer that brings its id.
        self._unclaimed: deque[Json] = deque(maxlen=UNCLAIMED)

    # ---- the venue's word -----------------------------------------------------------------------------

    def find(self, venue_id: str) -> Order | None:
        """The tracked order with a present or former id of the venue."""
        order: Order | None = self.get_tracked_order(venue_id)
        return order if order is not None else self._former.get(venue_id)

    def heard(self, event: Mapping[str, Any]) -> None:
        """Take in one trade update; one about an order nobody here knows is kept for a while."""
        raw = dict(event.get("order") or {})
        with self._lock:
            order = self.find(str(raw.get("id")))
            if order is None:
                self._unclaimed.append(raw)
                return
            if event.get("event") == "order_replace_rejected":
                self._unreplaced(order, raw)
            self.observe(order, raw, event)

    def observe(self, order: Order, raw: Mapping[str, Any], event: Mapping[str, Any] | None = None) -> None:
        """Bring a tracked order to what the venue says of it, with the events that are missing.

        ``event`` is the trade update that says so, if one does.
        """
        with self._lock:
            if order._closed_event.is_set() or older(raw, order._raw):
                return
            status, venue_id = str(raw["status"]), str(raw["id"])
            if venue_id != str(order.identifier):
                # A former id: the order lives on under its new one.
                return
            order.update_raw(dict(raw))
            self._tell_fills(order, raw, event or {})
            if status not in ENDED:
                if order in self._unprocessed_orders and status in WORKING:
                    self._process_trade_event(order, self.NEW_ORDER)
                if status != "partially_filled":
                    order.status = status_of(status)
            elif status == "replaced":
                self._follow(order, str(raw.get("replaced_by") or ""))
            elif status == "rejected" and self._former.get(old_id := str(raw.get("replaces"))) is order:
                # Only the replacement was refused; the next look brings the prices that still hold.
                self._rename(order, old_id)
            elif status == "rejected":
                self._process_trade_event(order, self.ERROR_ORDER, error=OrderRefused("VENUE_REJECTED"))
            elif status != "filled":
                self._process_trade_event(order, self.CANCELED_ORDER)

    def _tell_fills(self, order: Order, raw: Mapping[str, Any], event: Mapping[str, Any]) -> None:
        filled, average = amount(raw, "filled_qty"), amount(raw, "filled_avg_price")
        known, value = told(order)
        fresh = filled - known
        if fresh <= 0:
            return
        if order in self._unprocessed_orders:
            # Lumibot's partial fill leaves the order on this list, and it would be there twice.
            self._process_new_order(order)
        price = (average * filled - value) / fresh
        if event.get("price") is not None and amount(event, "qty") == fresh:
            # The venue rounds its average; a single fill's own price is exact.
            price = amount(event, "price")
        order.avg_fill_price = float(average)
        kind = self.FILLED_ORDER if raw["status"] == "filled" else self.PARTIALLY_FILLED_ORDER
        self._process_trade_event(order, kind, price=float(price), filled_quantity=float(fresh))

    def _process_trade_event(self, stored_order: Order, *args: Any, **kwargs: Any) -> None:
        with self._lock:
            # Events that Lumibot held back during a sync may come after what ended the order.
            if not stored_order._closed_event.is_set():
                super()._process_trade_event(stored_order, *args, **kwargs)

    def _follow(self, order: Order, new_id: str) -> None:
        """The venue put another order in the place of this one."""
        other = self.get_tracked_order(new_id) if new_id else None
        if new_id and other is None:
            self._rename(order, new_id)
        elif other is not order:
            # A stop that was triggered takes its target's place.
            self._process_trade_event(order, self.CANCELED_ORDER)

    def _rename(self, order: Order, new_id: str) -> None:
        self._former[str(order.identifier)] = order
        order.set_identifier(new_id)
        order._known_since = time.monotonic()
        self._invalidate_order_caches()

    def _unreplaced(self, order: Order, raw: Mapping[str, Any]) -> None:
        """A replacement that was promised did not come about."""
        old_id = str(raw["id"])
        if self._former.get(old_id) is order:
            del self._former[old_id]
            take_over(order, raw)
            self._invalidate_order_caches()
            log.warning("the replacement of %s was refused; it stands as it was", order)

    # ---- orders that come in --------------------------------------------------------------------------

    def track(self, raw_order: Mapping[str, Any], strategy_name: str) -> Order:
        """Let Lumibot know an order that was sent past it, legs included; returns the order.

        An order that replaces a tracked one is that one under a new id.
        """
        with self._lock:
            orders = [self._take_in(row, strategy_name, parent) for row, parent in rows_of([raw_order])]
            return orders[0]

    def _take_in(self, row: Json, strategy_name: str, parent: str | None) -> Order:
        order = self.find(str(row["id"]))
        replaced = self.find(str(row.get("replaces") or ""))
        if order is None and replaced is not None and _same_kind(replaced, row):
            self.renewed(replaced, row)
            order = replaced
        if order is None:
            order = order_of({**row, "status": "new"}, strategy_name, parent)
            order._raw = None
            self._register(order)
        self._catch_up(order, row)
        return order

    def accept(self, order: Order, raw: Mapping[str, Any]) -> None:
        """Tie a Lumibot order to the venue's answer, its exits included."""
        with self._lock:
            parent = raw_of(raw)
            take_over(order, {**parent, "status": "new"})
            order._raw = None
            order._transmitted = True
            self._register(order)
            legs = [dict(leg) for leg in parent.get("legs") or ()]
            for leg in legs:
                child = next((c for c in order.child_orders if _same_kind(c, leg) and c._raw is None), None)
                if child is None:
                    self._take_in(leg, order.strategy, str(parent["id"]))
                    continue
                take_over(child, leg)
                child.parent_identifier = str(parent["id"])
                self._register(child)
            if parent.get("order_class") == "oco":
                # The venue's parent of such a pair is its target; to Lumibot that is a child without an id.
                for child in order.child_orders:
                    if str(child.order_type) == "limit":
                        child.set_identifier(str(parent["id"]))
            for row, _ in rows_of([parent]):
                if (known := self.find(str(row["id"]))) is not None:
                    self._catch_up(known, row)

    def renewed(self, order: Order, raw: Mapping[str, Any]) -> None:
        """The venue promised to put an order with other prices, and another id, in the place of this one."""
        with self._lock:
            self._former[str(order.identifier)] = order
            take_over(order, raw)
            order._known_since = time.monotonic()
            self._invalidate_order_caches()
            self._catch_up(order, raw)

    def _register(self, order: Order) -> None:
        order._known_since = time.monotonic()
        self._unprocessed_orders.append(order)

    def _catch_up(self, order: Order, row: Mapping[str, Any]) -> None:
        """The venue's answer, then what the stream said before it came."""
        self.observe(order, row)
        for raw in [raw for raw in self._unclaimed if str(raw.get("id")) == str(row["id"])]:
            self._unclaimed.remove(raw)
            self.observe(order, raw)

    # ---- Lumibot's reading ----------------------------------------------------------------------------

    def _parse_broker_order(self, response: Any, strategy_name: str, strategy_object: Any = None) -> Order:
        return order_of(response, strategy_name)

    def _parse_broker_orders(
        self, broker_orders: Iterable[Any] | None, strategy_name: str, strategy_object: Any = None
    ) -> list[Order]:
        return [order_of(row, strategy_name, parent) for row, parent in rows_of(broker_orders or ())]

    def adopt(self, raws: Iterable[Any], strategy_name: str, asked: float = math.inf) -> list[Order]:
        """Bring the trackers to a list of open orders; returns it as Lumibot's sync wants it.

        ``asked`` is when the list was asked for, in local monotonic seconds.

        Orders that nobody here knows, from an earlier run or another hand, are tracked from here on; their
        earlier fills are history and told to nobody.
        """
        result = []
        with self._lock:
            for row, parent in rows_of(raws):
                order = self._known(row, asked)
                if order is None:
                    if str(row["status"]) in ENDED:
                        continue
                    order = order_of(row, strategy_name, parent)
                    if filled := amount(row, "filled_qty"):
                        order.add_transaction(_read_price(row), float(filled))
                    order._known_since = time.monotonic()
                    bucket = self._partially_filled_orders if filled else self._new_orders
                    bucket.append(order)
                else:
                    self.observe(order, row)
                if not order._closed_event.is_set():
                    result.append(self._shown(order))
        return result

    def _known(self, row: Json, asked: float) -> Order | None:
        """The tracked order that a listed one is, under its present or its former id."""
        order = self.find(str(row["id"]))
        if order is None:
            order = self.find(str(row.get("replaces") or ""))
            if order is None or not _same_kind(order, row):
                return None
            if not order._closed_event.is_set():
                self.renewed(order, row)
        elif str(row["id"]) != str(order.identifier) and order._known_since < asked and _rests(row):
            self._unreplaced(order, row)
        return order

    def _shown(self, order: Order) -> Order:
        """What the sync is to compare a tracked order with: the newest word on it, in its own terms."""
        newest = order_of(order._raw, order.strategy)
        newest.set_identifier(order.identifier)
        newest.status, newest.quantity = order.status, order.quantity
        if order.child_orders or str(order._raw.get("id")) != str(order.identifier):
            newest.limit_price, newest.stop_price = order.limit_price, order.stop_price
        return newest


def older(raw: Mapping[str, Any], known: Any) -> bool:
    """Whether what is told of an order is older than what is known of it."""
    known = known if isinstance(known, Mapping) else {}
    if str(raw.get("id")) != str(known.get("id")):
        return False
    if amount(raw, "filled_qty") < amount(known, "filled_qty"):
        return True
    one, other = raw.get("updated_at"), known.get("updated_at")
    return bool(one and other) and datetime.fromisoformat(str(one)) < datetime.fromisoformat(str(other))


def _rests(row: Mapping[str, Any]) -> bool:
    """Whether an order is open and not about to be replaced."""
    return str(row["status"]) not in (*ENDED, "pending_replace")


def _same_kind(child: Order, leg: Mapping[str, Any]) -> bool:
    """Whether both are stops or neither is; a triggered stop also replaces its target."""
    return bool(child.is_stop_order()) == (str(leg.get("type")) in STOP_TYPES)


def _read_price(row: Mapping[str, Any]) -> float:
    return float(amount(row, "filled_avg_price"))
