"""Lumibot's Alpaca broker, fit for an account with money in it.

Lumibot's loop, trackers and callbacks run as they are. What they ask of the venue is answered from one snapshot an
iteration, what they are told of orders comes through ``OrderTracker.observe``, and what they send leaves through the
order router.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from decimal import Decimal
from threading import Thread
from typing import Any, cast

from lumibot.brokers import Alpaca
from lumibot.entities import Asset, Order

from brokers.alpaca.client import VenueClient
from brokers.alpaca.payloads import Json
from brokers.desk.execution.order_gateway import OrderRefused
from brokers.desk.lifecycle.link import DeskLink
from brokers.lumibot.account_reader import SnapshotReader
from brokers.lumibot.data_source import HardenedAlpacaData
from brokers.lumibot.market_hours import VenueHours
from brokers.lumibot.order_mapping import request_of
from brokers.lumibot.order_routing import RoutedOrders
from brokers.lumibot.trade_stream import TradeStream
from brokers.ports import OrderRouter
from brokers.venue_errors import OutcomeUnknown, VenueError
from brokers.venue_requests import OrderChange
from brokers.venue_values import OrderAck, TradeUpdate
from risk.policy_gate import round_to_tick

STREAM_START_S = 5.0
STREAM_STOP_S = 2.0

log = logging.getLogger(__name__)


class HardenedAlpaca(VenueHours, RoutedOrders, SnapshotReader):
    """A Lumibot broker on a :class:`VenueClient`.

    Parameters
    ----------
    client : VenueClient
    stream_url : str or None
        Where trade updates come from; None is Alpaca's own address for the mode.
    market : str
        A calendar's name, or "24/7" for a venue that never closes.
    router : OrderRouter, optional
        Where orders leave before a desk is attached; without one every order is refused.
    paper : bool
    connect_stream : bool, default=True
    key, secret : str

    Attributes
    ----------
    snapshot : Snapshot
    trade_listeners : list of callable
        Get each trade update as it came, before Lumibot, in the stream's thread.
    stream_listeners : list of callable
        Get True after each connect of the stream and False after each loss.
    """

    def __init__(
        self,
        client: VenueClient,
        *,
        stream_url: str | None,
        market: str,
        router: OrderRouter | None = None,
        paper: bool,
        connect_stream: bool = True,
        key: str,
        secret: str,
    ) -> None:
        VenueHours.__init__(self)
        self._open_tracker()
        self._open_reader()
        self.client, self.router = client, router
        self.stream_url = stream_url
        self.trade_listeners: list[Callable[[Json], None]] = []
        self.stream_listeners: list[Callable[[bool], None]] = []
        self.stream: TradeStream
        self._stream_thread: Thread | None = None
        config = {"API_KEY": key, "API_SECRET": secret, "PAPER": paper, "MARKET": market}
        Alpaca.__init__(
            self,
            config,
            connect_stream=connect_stream,
            data_source=HardenedAlpacaData(client, config),
            start_orders_thread=False,
        )

    def attach(self, link: DeskLink) -> None:
        """Send through a desk, look with it, and hand trade updates on to it."""
        self.link, self.router, self.extended_hours = link, link.router, link.extended_hours
        self.stream_listeners.append(link.on_stream)
        if self._is_stream_subscribed:
            link.on_stream(True)

    def _create_trading_client(self) -> Any:
        return self.client.trading

    def refresh(self) -> bool:
        """Take a new snapshot; False if the venue could not be asked, and then the old one is marked stale."""
        self._revive_stream()
        return super().refresh()

    # ---- orders out -----------------------------------------------------------------------------------

    def _conform_order(self, order: Order) -> None:
        """Nothing: the payload is made to conform, and the order takes its prices from the answer."""

    def _submit_order(self, order: Order) -> Order:
        try:
            ack = self._required_router().submit(request_of(order))
        except OutcomeUnknown as error:
            name = str(getattr(error, "client_order_id", None) or order.identifier)
            order.set_identifier(name)
            self._unanswered[name] = order
            self._register(order)
            log.warning("%s: %s; it is looked up by its id %s", order, error, name)
        except (OrderRefused, VenueError) as error:
            log.warning("%s was refused: %s", order, error)
            self._process_trade_event(order, self.ERROR_ORDER, error=error)
        else:
            self.accept(order, _raw_of(ack))
        return order

    def _submit_orders(self, orders: Iterable[Order], is_multileg: bool = False, **_: Any) -> list[Order]:
        if is_multileg:
            refusal = OrderRefused("ORDER_TYPE: no orders of several legs")
            for order in orders:
                self._process_trade_event(order, self.ERROR_ORDER, error=refusal)
            return list(orders)
        return [self._submit_order(order) for order in orders]

    def _prices(self, limit_price: float | None, stop_price: float | None) -> OrderChange:
        return OrderChange(_on_tick(limit_price), _on_tick(stop_price))

    def _take_change(self, order: Order, ack: OrderAck) -> None:
        self.renewed(order, _raw_of(ack))

    def _cancel_refused(self, order: Order) -> None:
        self._look_up(order)

    def cancel_orders(self, orders: Iterable[Order]) -> None:
        """Ask for cancels, one for each group: the venue ends a group as a whole."""
        asked: set[str] = set()
        for order in orders:
            group = str(getattr(order, "parent_identifier", None) or order.identifier)
            if not order._closed_event.is_set() and group not in asked:
                asked.add(group)
                self.cancel_order(order)

    def cancel_open_orders(self, strategy: Any, orders: list[Order] | None = None) -> None:
        """Cancel what is given, by default every open order at the venue."""
        if orders is None:
            name = self._strategy_name_from_input(strategy)
            with suppress(VenueError):
                self.adopt(self.client.open_orders(), name)
            orders = [order for order in self.get_tracked_orders(name) if order.is_active()]
        self.cancel_orders(orders)

    def close_position(
        self,
        strategy_name: str,
        asset: Asset,
        fraction: float = 1.0,
        position_side: Any = None,
        position_id: Any = None,
    ) -> Any:
        """Close a position of ours, or a part of it, through the router; Lumibot's order of any other, None without."""
        try:
            if self.router is not None and self.router.close(asset.symbol, fraction):
                return None
        except (OrderRefused, VenueError) as error:
            log.warning("closing %s was refused: %s", asset.symbol, error)
            return None
        return super().close_position(strategy_name, asset, fraction, position_side, position_id)

    # ---- the stream -----------------------------------------------------------------------------------

    def _get_stream_object(self) -> TradeStream:
        return TradeStream(
            self.api_key,
            self.api_secret,
            paper=self.is_paper,
            url=self.stream_url,
            on_event=self._on_trade_update,
            on_state=self._on_stream,
        )

    def _register_stream_events(self) -> None:
        """Nothing: the stream has one listener, which it was made with."""

    def _launch_stream(self) -> None:
        self._start_stream()
        deadline = time.monotonic() + STREAM_START_S
        while not self._is_stream_subscribed and time.monotonic() < deadline and not self.stream.keys_refused:
            time.sleep(0.02)
        if not self._is_stream_subscribed:
            log.warning("the trade stream is not connected yet; until it is, orders are followed by asking")

    def _start_stream(self) -> None:
        self._stream_thread = Thread(target=self._run_stream, daemon=True, name="alpaca-trade-stream")
        self._stream_thread.start()

    def _run_stream(self) -> None:
        self.stream.run()

    def _revive_stream(self) -> None:
        # Lumibot closes the connection after a crash in an iteration, and iterates on.
        thread = self._stream_thread
        if thread is not None and not thread.is_alive() and not self.stream.keys_refused:
            self.stream = self._get_stream_object()
            self._start_stream()

    def reconnect_stream(self) -> None:
        """Drop the connection of trade updates and make another; from any thread."""
        if self._stream_thread is not None:
            self.stream.reconnect()

    def _on_trade_update(self, event: Json, update: TradeUpdate) -> None:
        if self.link is not None:
            self.link.on_update(update)
        for listener in self.trade_listeners:
            listener(event)
        self.heard(event)

    def _on_stream(self, connected: bool) -> None:
        if connected:
            self._stream_established()
        for listener in self.stream_listeners:
            listener(connected)

    def _close_connection(self) -> None:
        """Close the stream; Lumibot's next sync opens it again, if there is one."""
        thread = self._stream_thread
        if thread is not None:
            self.stream.stop()
            thread.join(STREAM_STOP_S)

    def shutdown(self) -> None:
        """Close the stream for good."""
        self._close_connection()
        self._stream_thread = None


def _raw_of(ack: OrderAck) -> Json:
    """An answer as Alpaca wrote it, which is what Lumibot's Alpaca class reads."""
    return cast("Json", ack.native)


def _on_tick(price: float | None) -> Decimal | None:
    return None if price is None else Decimal(str(round_to_tick(float(price))))
