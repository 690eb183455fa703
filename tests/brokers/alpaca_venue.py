"""A VenueClient and an order router around the pure exchange, and the broker on them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from datetime import datetime
from types import SimpleNamespace
from typing import Any

from lumibot.entities import Asset, Order

from brokers.alpaca.errors import AlpacaRefusal
from brokers.alpaca.listings import ack_of, update_of
from brokers.alpaca.payloads import patch_of, payload_of
from brokers.lumibot.broker import HardenedAlpaca
from brokers.network.clock import VenueClock
from brokers.rehearsal.alpaca.errors import ApiError
from brokers.venue_errors import OutcomeUnknown, VenueUnavailable
from brokers.venue_requests import OrderChange, OrderRequest
from brokers.venue_values import OrderAck, VenueTime
from tests.brokers.rehearsal.venue import Venue

STRATEGY = "s"


class FakeClient:
    """Answers like the real one, from an exchange in this process; ``down`` makes every question fail."""

    def __init__(self, venue: Venue) -> None:
        self.venue = venue
        self.mutex = threading.RLock()
        self.clock = VenueClock(monotonic=lambda: 0.0, wall=lambda: venue.now)
        self.trading = self.data = SimpleNamespace()
        self.asked: list[str] = []
        self.down = False
        self.quotes: dict[str, dict[str, Any]] = {}
        self.rows: dict[str, list[dict[str, Any]]] = {}

    def _ask(self, name: str, call: Callable[..., Any], *args: Any, **more: Any) -> Any:
        self.asked.append(name)
        if self.down:
            raise VenueUnavailable("the venue is down")
        with self.mutex:
            try:
                return call(*args, **more)
            except ApiError as error:
                code: Any = error.body.get("code")
                raise AlpacaRefusal(error.status, code, str(error.body["message"]), error.body) from None

    def budget(self, seconds: float) -> Any:
        return nullcontext()

    def account(self) -> Any:
        return self._ask("account", self.venue.account)

    def positions(self) -> Any:
        return self._ask("positions", self.venue.positions)

    def open_orders(self) -> Any:
        return self._ask("open_orders", self.venue.orders, "open", 500, nested=True)

    def order(self, venue_id: str, nested: bool = True) -> Any:
        return self._ask("order", self.venue.order, venue_id, nested)

    def order_by_client_id(self, client_order_id: str) -> Any:
        try:
            return self._ask("by_client_id", self.venue.order_by_client_id, client_order_id)
        except AlpacaRefusal:
            return None

    def venue_clock(self) -> VenueTime:
        raw = self._ask("clock", self.venue.clock)
        times = [datetime.fromisoformat(raw[name]) for name in ("timestamp", "next_open", "next_close")]
        return VenueTime(times[0], raw["is_open"], times[1], times[2])

    def latest_quotes(self, symbols: Any) -> Any:
        return self._ask("quotes " + ",".join(symbols), lambda: self.quotes)

    def bars(self, symbols: Any, minutes: int, start: datetime, end: Any = None) -> Any:
        return self._ask(f"bars {','.join(symbols)} {minutes}", lambda: self.rows)


class Router:
    """Sends what it is given; ``fails`` is raised instead, ``silent`` after it was sent."""

    def __init__(self, client: FakeClient) -> None:
        self.client = client
        self.sent: list[Mapping[str, Any]] = []
        self.asked: list[tuple[str, str]] = []
        self.fails: Exception | None = None
        self.silent = False
        self.closes = True

    def submit(self, request: OrderRequest) -> OrderAck:
        if self.fails is not None:
            raise self.fails
        name, payload = f"ours-{len(self.sent)}", payload_of(request)
        self.sent.append(payload)
        raw = self.client._ask("submit", self.client.venue.submit, {**payload, "client_order_id": name})
        if self.silent:
            error = OutcomeUnknown("504")
            error.client_order_id = name
            raise error
        return ack_of(raw)

    def replace(self, venue_id: str, change: OrderChange) -> OrderAck:
        self.asked.append(("replace", venue_id))
        return ack_of(self.client._ask("replace", self.client.venue.replace, venue_id, patch_of(change)))

    def cancel(self, venue_id: str) -> None:
        self.asked.append(("cancel", venue_id))
        self.client._ask("cancel", self.client.venue.cancel, venue_id)

    def sell_all(self, end_entries: bool) -> None:
        if self.fails is not None:
            raise self.fails
        self.asked.append(("sell_all", str(end_entries)))

    def close(self, symbol: str, frac: float) -> bool:
        self.asked.append(("close", f"{symbol} {frac:g}"))
        return self.closes


class Told:
    """A subscriber that notes events: kind, quantity, price."""

    NEW_ORDER, CANCELED_ORDER, FILLED_ORDER = "new", "canceled", "fill"
    PARTIALLY_FILLED_ORDER, ERROR_ORDER = "partial_fill", "error"
    strategy = None

    def __init__(self) -> None:
        self.name = STRATEGY
        self.events: list[tuple[Any, ...]] = []

    def add_event(self, event: str, payload: dict[str, Any]) -> None:
        details = (payload["quantity"], payload["price"]) if "price" in payload else ()
        self.events.append((event, *details))

    def without_new(self) -> list[tuple[Any, ...]]:
        return [event for event in self.events if event[0] != "new"]


class Scene:
    """Broker, router, client and exchange, with a subscriber; ``stream`` hands the exchange's events on."""

    def __init__(self, venue: Venue | None = None, market: str = "NASDAQ", router: bool = True) -> None:
        self.venue = venue or Venue()
        self.client: Any = FakeClient(self.venue)
        self.router = Router(self.client)
        self.broker: Any = HardenedAlpaca(
            self.client, stream_url=None, market=market, router=self.router if router else None, paper=True,
            connect_stream=False, key="K", secret="S",
        )  # fmt: skip
        self.told = Told()
        self.broker._add_subscriber(self.told)
        self._read = 0

    def stream(self, times: int = 1) -> None:
        """Deliver what happened since the last call, each event ``times`` times."""
        fresh, self._read = self.venue.events[self._read :], len(self.venue.events)
        for event in fresh:
            for _ in range(times):
                self.broker._on_trade_update(event, update_of(event))

    def lose(self) -> None:
        """What happened since the last call is never told."""
        self._read = len(self.venue.events)

    def look(self) -> None:
        """A new snapshot and Lumibot's reading of it."""
        assert self.broker.refresh()
        self.broker.sync_orders(SimpleNamespace(name=STRATEGY))

    def order(self, side: str = "buy", quantity: float = 10, **more: Any) -> Order:
        return Order(
            STRATEGY, Asset("AAPL"), quantity, side, quote=Asset("USD", "forex"), **({"time_in_force": "gtc"} | more)
        )

    def bracket(self, **more: Any) -> Order:
        """A bracket at the venue, entry not yet filled."""
        exits = {"secondary_limit_price": 110.0, "secondary_stop_price": 95.0}
        order = self.order(order_class="bracket", **(exits | more))
        self.broker.submit_order(order)
        return order
