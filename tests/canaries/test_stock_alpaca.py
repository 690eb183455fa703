"""What the stock Alpaca broker gets wrong, one test per defect that ``HardenedAlpaca`` makes up for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from alpaca.common.exceptions import APIError
from alpaca.trading.client import TradingClient
from lumibot.brokers import Alpaca
from lumibot.data_sources import AlpacaData
from lumibot.entities import Asset, Order

from brokers.alpaca import payloads
from brokers.alpaca.client import VenueClient
from brokers.alpaca.http import Hardened
from brokers.lumibot import order_mapping
from brokers.lumibot.account_reader import SnapshotReader
from brokers.lumibot.data_source import HardenedAlpacaData
from brokers.lumibot.market_hours import VenueHours
from brokers.lumibot.order_tracker import OrderTracker
from tests.brokers.rehearsal.venue import Venue
from tests.canaries.alpaca_http import Desk, served
from tests.canaries.stock import still

KEYS = {"API_KEY": "K", "API_SECRET": "S", "PAPER": True}


@pytest.fixture
def desk() -> Iterator[Desk]:
    with served(Venue()) as desk:
        yield desk


def stock(desk: Desk) -> Any:
    class Loopback(Alpaca):
        def _create_trading_client(self) -> TradingClient:
            client = TradingClient("K", "S", paper=True, url_override=desk.url)
            client._retry_wait = 0
            return client

    return Loopback(KEYS, connect_stream=False, start_orders_thread=False)


def bracket(**prices: float) -> Order:
    exits = {"secondary_limit_price": 110.0, "secondary_stop_price": 95.0} | prices
    return Order(
        "s", Asset("AAPL"), 10, "buy", order_class="bracket", time_in_force="gtc", quote=Asset("USD", "forex"), **exits
    )


def told(broker: Any) -> list[str]:
    """Collects the events that a strategy is told of."""
    events: list[str] = []
    broker._subscribers.append(
        SimpleNamespace(
            name="s", strategy=None, NEW_ORDER="new", CANCELED_ORDER="canceled", FILLED_ORDER="fill",
            PARTIALLY_FILLED_ORDER="partial_fill", add_event=lambda event, payload: events.append(event),
        )
    )  # fmt: skip
    return events


def test_the_next_sync_cannot_read_a_bracket(desk: Desk) -> None:
    broker = stock(desk)
    broker.submit_order(bracket())
    try:
        seen = f"{len(broker._pull_all_orders('s', None))} orders"
    except ValueError:
        seen = "ValueError"
    still(seen, defect="ValueError", right="3 orders", workaround=order_mapping.order_of)


def test_the_legs_of_a_bracket_are_not_tracked(desk: Desk) -> None:
    broker = stock(desk)
    broker.submit_order(bracket())
    _, *legs = (order["id"] for order in desk.venue.orders("all")[::-1])
    assert len(legs) == 2
    tracked = [broker.get_tracked_order(leg) is not None for leg in legs]
    still(tracked, defect=[False, False], right=[True, True], workaround=OrderTracker.accept)


def test_a_limit_entry_is_sent_as_a_market_order_and_exits_off_the_tick(desk: Desk) -> None:
    broker = stock(desk)
    with pytest.raises(APIError):
        broker.submit_order(bracket(limit_price=99.0, secondary_limit_price=110.123456))
    sent = desk.posts[0]
    still(sent["type"], defect="market", right="limit", workaround=payloads.payload_of)
    target = str(sent["take_profit"]["limit_price"])
    still(target, defect="110.123456", right="110.12", workaround=payloads.payload_of)


def test_the_wait_for_the_close_calls_what_is_not_there() -> None:
    there = hasattr(Alpaca, "process_pending_orders")
    still(there, defect=False, right=True, workaround=VenueHours.process_pending_orders)


def test_an_order_is_sent_four_times_where_the_venue_answers_504(desk: Desk) -> None:
    broker = stock(desk)
    desk.post_status = 504
    with pytest.raises(APIError):
        broker.submit_order(bracket())
    still(len(desk.posts), defect=4, right=1, workaround=Hardened._exchange)


def test_requests_wait_for_ever(desk: Desk) -> None:
    broker = stock(desk)
    seen: list[bool] = []
    request = broker.api._session.request
    broker.api._session.request = lambda *args, **more: (seen.append("timeout" in more), request(*args, **more))[1]
    broker.api.get_clock()
    still(seen, defect=[False], right=[True], workaround=Hardened._exchange)


def test_a_fill_that_comes_twice_is_told_twice(desk: Desk) -> None:
    broker = stock(desk)
    order = bracket()
    broker.submit_order(order)
    events = told(broker)
    for _ in range(2):
        broker._process_trade_event(order, "fill", price=100.0, filled_quantity=10.0)
    still(events, defect=["fill", "fill"], right=["fill"], workaround=OrderTracker.observe)


def test_bars_are_sixteen_minutes_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATA_SOURCE_DELAY", raising=False)
    still(AlpacaData(KEYS)._delay, defect=timedelta(minutes=16), right=timedelta(0), workaround=HardenedAlpacaData)


def test_the_computer_s_clock_says_whether_the_market_is_open(desk: Desk) -> None:
    broker = stock(desk)
    now = pd.Timestamp(datetime.now(UTC))
    hour = pd.Timedelta(hours=1)
    broker.initialize_market_calendars(pd.DataFrame({"market_open": [now - 2 * hour], "market_close": [now - hour]}))
    assert desk.venue.clock()["is_open"]
    still(broker.is_market_open(), defect=False, right=True, workaround=VenueHours.is_market_open)


@pytest.mark.parametrize("event", ["replaced", "pending_cancel", "pending_replace", "stopped", "suspended"])
def test_an_order_that_lives_on_is_taken_for_cancelled(desk: Desk, event: str) -> None:
    broker = stock(desk)
    order = bracket()
    broker.submit_order(order)
    events = told(broker)
    broker._process_trade_event(order, event)
    still(events, defect=["canceled"], right=[], workaround=OrderTracker.observe)


def test_an_expired_order_ends_as_a_fill_of_nothing(desk: Desk) -> None:
    broker = stock(desk)
    order = bracket()
    broker.submit_order(order)
    events = told(broker)
    broker._process_trade_event(order, "expired")
    seen = (events, [(done.quantity, done.price) for done in order.transactions])
    still(seen, defect=([], [(0.0, 0.0)]), right=(["canceled"], []), workaround=OrderTracker.observe)


def test_notional_orders_are_dropped(desk: Desk) -> None:
    desk.venue.send(notional="500")
    count = len(stock(desk)._pull_all_orders("s", None))
    still(count, defect=0, right=1, workaround=order_mapping.order_of)


def test_orders_beyond_the_newest_hundred_are_invisible(desk: Desk) -> None:
    old = desk.venue.send(kind="limit", limit_price="50", qty="1", time_in_force="gtc")
    for _ in range(100):
        desk.venue.cancel(desk.venue.send(kind="limit", limit_price="50", qty="1"))
    desk.venue.wait()
    seen = [order.identifier for order in stock(desk)._pull_all_orders("s", None)]
    still(old in map(str, seen), defect=False, right=True, workaround=VenueClient.open_orders)


def test_the_account_s_positions_are_asked_one_by_one_by_a_method_that_is_not_there(desk: Desk) -> None:
    try:
        seen: Any = stock(desk)._pull_position("s", Asset("AAPL"))
    except AttributeError:
        seen = "AttributeError"
    still(seen, defect="AttributeError", right=None, workaround=SnapshotReader._pull_position)
