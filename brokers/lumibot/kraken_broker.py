"""Lumibot's Ccxt broker on a Kraken account with money in it.

Lumibot's loop and trackers run as they are. Orders, balances and positions come from the desk's look, and what is sent
leaves through the order router. Lumibot's own sync would send stops as market orders, fall over one order of a kind
that it doesn't know, take dust for positions and lose partial fills of its stream, so none of it is used.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Iterable
from typing import Any

from lumibot.brokers import Ccxt
from lumibot.entities import Asset, Order, Position

from brokers.desk.execution.order_gateway import OrderRefused
from brokers.desk.lifecycle.link import DeskLink
from brokers.desk.venue_snapshot import VenueSnapshot
from brokers.kraken.venue import KrakenVenue
from brokers.lumibot.kraken_data import KrakenData, symbol_of
from brokers.lumibot.market_hours import VenueHours
from brokers.lumibot.order_mapping import request_of, told
from brokers.lumibot.order_routing import RoutedOrders
from brokers.order_types import OrderType, RefusalCode, State
from brokers.ports import OrderRouter
from brokers.quantities import exact
from brokers.venue_errors import OutcomeUnknown, VenueError, level_of
from brokers.venue_requests import OrderChange
from brokers.venue_values import OrderAck, VenueOrder

FRESH_S = 0.5
USD = Asset("USD", Asset.AssetType.FOREX)
ENDED = (State.CANCELLED, State.EXPIRED, State.REPLACED)

log = logging.getLogger(__name__)


class KrakenBroker(VenueHours, RoutedOrders, Ccxt):
    """A Lumibot broker on a :class:`KrakenVenue`.

    Parameters
    ----------
    venue : KrakenVenue
    market : str
        A calendar's name, or "24/7".
    """

    is_paper = False

    def __init__(self, venue: KrakenVenue, *, market: str) -> None:
        VenueHours.__init__(self)
        self.client: Any = venue
        self.router: OrderRouter | None = None
        self.link: DeskLink | None = None
        self._view: VenueSnapshot | None = None
        self._tried = -math.inf
        self._known: dict[str, Order] = {}
        self._unanswered: dict[str, Order] = {}
        self._books = threading.RLock()
        Ccxt.__init__(
            self,
            {"exchange_id": "kraken", "sandbox": False, "MARKET": market},
            data_source=KrakenData(venue),
            max_workers=1,
            connect_stream=False,
        )
        self.market = market

    def attach(self, link: DeskLink) -> None:
        """Send through a desk, and look with it."""
        self.link, self.router, self.extended_hours = link, link.router, link.extended_hours

    def reconnect_stream(self) -> None:
        """Nothing: orders are followed by asking."""

    # ---- what Lumibot asks ----------------------------------------------------------------------------

    def refresh(self) -> bool:
        """Look with the desk; False if the venue could not be asked, and then all is as it was."""
        self._tried = time.monotonic()
        if self.link is None:
            return False
        try:
            self._view = self.link.look()
        except VenueError as error:
            log.log(level_of(error), "the account could not be read: %s", error)
            return False
        return True

    def _get_balances_at_broker(self, quote_asset: Any, strategy: Any) -> tuple[float, float, float] | None:
        # Lumibot's sync begins with this call and repeats it at once where there is no answer.
        if time.monotonic() - self._tried > FRESH_S:
            self.refresh()
        if self._view is None:
            return None
        account = self._view.account
        return float(account.cash), float(account.equity - account.cash), float(account.equity)

    def _pull_positions(self, strategy: Any) -> list[Position]:
        name = self._strategy_name_from_input(strategy)
        held = {} if self._view is None else self._view.positions
        return [
            Position(name, _coin(symbol), there.quantity, available=float(there.available), hold=0)
            for symbol, there in held.items()
        ]

    def _pull_position(self, strategy: Any, asset: Any, position_side: Any = None) -> Position | None:
        return next((p for p in self._pull_positions(strategy) if p.asset.symbol == asset.symbol), None)

    def _pull_broker_positions(self, strategy: Any = None) -> list[Any]:
        return [] if self._view is None else list(self._view.positions.values())

    def _pull_broker_all_orders(self) -> list[VenueOrder]:
        return [] if self._view is None else list(self._view.orders.values())

    def _pull_all_orders(self, strategy_name: str, strategy_object: Any) -> list[Order]:
        """Bring the trackers to what the look showed; returns the open orders, each as it is tracked."""
        with self._books:
            opened = [
                order
                for there in self._pull_broker_all_orders()
                if (order := self._seen(there, strategy_name)) is not None and not order._closed_event.is_set()
            ]
            self._end_given_up(strategy_name)
            return opened

    def _pull_broker_order(self, identifier: str) -> VenueOrder | None:
        return None if self._view is None else self._view.orders.get(str(identifier))

    def _parse_broker_order(self, response: Any, strategy_name: str, strategy_object: Any = None) -> Order:
        return lumibot_order(response, strategy_name)

    def _refresh_missing_active_order_from_broker(self, order_lumi: Order, *_: Any, **__: Any) -> bool:
        """Nothing: the desk asks for what its listings leave out, and the next look shows it."""
        return False

    def _apply_direct_order_observation(self, order_lumi: Order, matched_order: Order) -> bool:
        """Nothing: what a look showed of an order is told by then; Ccxt's way reads a payload that is none here."""
        return False

    def _seen(self, there: VenueOrder, strategy_name: str) -> Order | None:
        if (unanswered := self._unanswered.pop(there.client_order_id, None)) is not None:
            self._take_id(unanswered, there.id)
        order = self._known.get(there.id)
        if order is None:
            if not there.open:
                return None
            # Earlier fills of an order that nobody here knows are history.
            order = lumibot_order(there, strategy_name)
            if there.filled:
                order.add_transaction(float(there.average_price), float(there.filled))
            (self._partially_filled_orders if there.filled else self._new_orders).append(order)
            self._known[there.id] = order
            return order
        self._tell(order, there)
        return order

    def _take_id(self, order: Order, venue_id: str) -> None:
        """An order whose answer was lost goes on under the venue's id."""
        self._unprocessed_orders.remove(order.identifier, key="identifier")
        order.set_identifier(venue_id)
        self._unprocessed_orders.append(order)
        self._known[venue_id] = order
        self._invalidate_order_caches()

    def _end_given_up(self, strategy_name: str) -> None:
        """End the orders that the venue does not show and the desk has given up."""
        shown = {there.id for there in self._pull_broker_all_orders()}
        for order in self.get_active_tracked_orders(strategy_name):
            name = str(order.identifier)
            if name not in shown and self.link is not None and self.link.given_up(name):
                self._unanswered.pop(name, None)
                refusal = OrderRefused(f"{RefusalCode.NOT_SENT}: the venue has no order {name}")
                self._process_trade_event(order, self.ERROR_ORDER, error=refusal)

    def _tell(self, order: Order, there: VenueOrder) -> None:
        """Emit the events that are missing between what Lumibot was told of an order and what the venue shows."""
        if order._closed_event.is_set():
            return
        known, value = told(order)
        if order in self._unprocessed_orders:
            self._process_trade_event(order, self.NEW_ORDER)
        if (fresh := there.filled - known) > 0:
            price = (there.average_price * there.filled - value) / fresh
            order.avg_fill_price = float(there.average_price)
            kind = self.FILLED_ORDER if there.state is State.FILLED else self.PARTIALLY_FILLED_ORDER
            self._process_trade_event(order, kind, price=float(price), filled_quantity=float(fresh))
        if there.state is State.REJECTED:
            self._process_trade_event(order, self.ERROR_ORDER, error=OrderRefused(RefusalCode.REJECTED))
        elif there.state in ENDED:
            self._process_trade_event(order, self.CANCELED_ORDER)
        elif there.open:
            _take_prices(order, there)

    # ---- orders out -----------------------------------------------------------------------------------

    def _conform_order(self, order: Order) -> None:
        """Nothing: the request is made to conform, and the order takes its prices from the answer."""

    def _submit_order(self, order: Order) -> Order:
        try:
            ack = self._required_router().submit(request_of(order, symbol_of(order.asset, order.quote)))
        except OutcomeUnknown as error:
            with self._books:
                order.set_identifier(error.client_order_id or order.identifier)
                self._unanswered[str(order.identifier)] = order
                self._unprocessed_orders.append(order)
            log.warning("%s: %s; the desk looks it up", order, error)
        except (OrderRefused, VenueError) as error:
            log.warning("%s was refused: %s", order, error)
            self._process_trade_event(order, self.ERROR_ORDER, error=error)
        else:
            with self._books:
                order.set_identifier(ack.id)
                self._known[ack.id] = order
                self._unprocessed_orders.append(order)
                for there in ack.orders:
                    if there.id == ack.id:
                        self._tell(order, there)
        return order

    def _submit_orders(self, orders: Iterable[Order], is_multileg: bool = False, **_: Any) -> list[Order]:
        return [self._submit_order(order) for order in orders]

    def _prices(self, limit_price: float | None, stop_price: float | None) -> OrderChange:
        return OrderChange(*(None if price is None else exact(price) for price in (limit_price, stop_price)))

    def _take_change(self, order: Order, ack: OrderAck) -> None:
        for there in ack.orders:
            if there.id == ack.id:
                _take_prices(order, there)

    def cancel_orders(self, orders: Iterable[Order]) -> None:
        for order in orders:
            if not order._closed_event.is_set():
                self.cancel_order(order)

    def cancel_open_orders(self, strategy: Any, orders: list[Order] | None = None) -> None:
        """Cancel what is given, by default every open order that the last look showed."""
        name = self._strategy_name_from_input(strategy)
        self.cancel_orders(self._pull_all_orders(name, strategy) if orders is None else orders)

    def close_position(
        self,
        strategy_name: str,
        asset: Asset,
        fraction: float = 1.0,
        position_side: Any = None,
        position_id: Any = None,
    ) -> Any:
        """Close a position of ours, or a part of it, through the router."""
        try:
            self._required_router().close(symbol_of(asset), fraction)
        except (OrderRefused, VenueError) as error:
            log.warning("closing %s was refused: %s", asset.symbol, error)

    # ---- no stream ------------------------------------------------------------------------------------

    def _get_stream_object(self) -> None:
        """None: ccxt's stream of Kraken loses partial fills, so orders are followed by asking."""

    def _launch_stream(self) -> None:
        """Nothing."""

    def _register_stream_events(self) -> None:
        """Nothing."""

    def _close_connection(self) -> None:
        """Nothing."""

    def shutdown(self) -> None:
        """Nothing to close."""


def lumibot_order(there: VenueOrder, strategy_name: str) -> Order:
    """A venue's order as Lumibot's, of class simple."""
    kind = str(there.type)
    order = Order(
        strategy_name,
        _coin(there.symbol),
        there.quantity,
        side=there.side,
        limit_price=float(there.limit_price) if kind == OrderType.LIMIT else None,
        stop_price=float(there.stop_price) or None,
        stop_limit_price=float(there.limit_price) if kind == OrderType.STOP_LIMIT else None,
        time_in_force="gtc",
        order_class=Order.OrderClass.SIMPLE,
        order_type=kind if kind != OrderType.TRAILING_STOP else OrderType.STOP,
        identifier=there.id,
        date_created=there.created,
        quote=USD,
    )
    order.status = "partial_fill" if there.filled else "new"
    return order


def _take_prices(order: Order, there: VenueOrder) -> None:
    if there.limit_price and str(order.order_type) == OrderType.LIMIT:
        order.limit_price = float(there.limit_price)
    if there.stop_price:
        order.stop_price = float(there.stop_price)


def _coin(symbol: str) -> Asset:
    return Asset(symbol.partition("/")[0], Asset.AssetType.CRYPTO)
