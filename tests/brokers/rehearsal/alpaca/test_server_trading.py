"""The venue's own client library trades over HTTP."""

from __future__ import annotations

import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import requests
from alpaca.common.exceptions import APIError
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import OrderClass, OrderSide, OrderStatus, QueryOrderStatus, TimeInForce
from alpaca.trading.requests import (
    ClosePositionRequest,
    GetCalendarRequest,
    GetOrdersRequest,
    GetPortfolioHistoryRequest,
    LimitOrderRequest,
    MarketOrderRequest,
    ReplaceOrderRequest,
    StopLimitOrderRequest,
    StopLossRequest,
    StopOrderRequest,
    TakeProfitRequest,
    TrailingStopOrderRequest,
)

from brokers.rehearsal.alpaca.server import RehearsalServer
from tests.brokers.rehearsal.market import START, later, listening, served, trading, wait_for

BUY, SELL, GTC, DAY = OrderSide.BUY, OrderSide.SELL, TimeInForce.GTC, TimeInForce.DAY
EXITS: dict[str, Any] = {
    "take_profit": TakeProfitRequest(limit_price=120.0),
    "stop_loss": StopLossRequest(stop_price=90.0),
    "time_in_force": GTC,
}


@pytest.fixture
def server() -> Iterator[RehearsalServer]:
    with served() as running:
        yield running


@pytest.fixture
def client(server: RehearsalServer) -> TradingClient:
    return trading(server)


def market(side: OrderSide = BUY, **fields: Any) -> MarketOrderRequest:
    return MarketOrderRequest(**{"symbol": "AAPL", "qty": 10, "side": side, "time_in_force": DAY, **fields})


def buy(server: RehearsalServer, client: TradingClient, **fields: Any) -> None:
    client.submit_order(market(**fields))
    later(server, seconds=1)


def code(caught: pytest.ExceptionInfo[APIError]) -> tuple[int | None, int]:
    return caught.value.status_code, caught.value.code


def test_account_and_clock(server: RehearsalServer, client: TradingClient) -> None:
    account: Any = client.get_account()
    assert (account.cash, account.buying_power, account.status.value) == ("100000", "200000", "ACTIVE")
    clock: Any = client.get_clock()
    assert clock.is_open
    assert clock.timestamp == START
    assert (clock.next_close - START).total_seconds() == 6 * 3600


def test_calendar_and_assets(client: TradingClient) -> None:
    days: Any = client.get_calendar(GetCalendarRequest(start=START.date().replace(day=6), end=START.date()))
    assert [day.date.day for day in days] == [6, 9, 10]
    assert f"{days[0].open:%H:%M}-{days[0].close:%H:%M}" == "09:30-16:00"
    raw = TradingClient(client._api_key, client._secret_key, url_override=str(client._base_url), raw_data=True)
    assets: Any = raw.get_all_assets()
    assert [asset["symbol"] for asset in assets] == ["AAPL", "MSFT"]
    asset: Any = raw.get_asset("MSFT")
    assert asset["fractionable"] is True
    with pytest.raises(APIError) as caught:
        raw.get_asset("NONE")
    assert code(caught) == (404, 40410000)


def test_every_kind_of_order_is_taken(server: RehearsalServer, client: TradingClient) -> None:
    common: dict[str, Any] = {"symbol": "AAPL", "qty": 1, "side": BUY, "time_in_force": DAY}
    asked = [
        market(),
        market(qty=None, notional=150.5),
        LimitOrderRequest(**common, limit_price=99.0),
        StopOrderRequest(**common, stop_price=110.0),
        StopLimitOrderRequest(**common, stop_price=110.0, limit_price=111.0),
        TrailingStopOrderRequest(**common, trail_percent=2.0),
        TrailingStopOrderRequest(**common, trail_price=3.0),
        market(symbol="MSFT", order_class=OrderClass.BRACKET, **{**EXITS, **_around(200)}),
        market(symbol="MSFT", order_class=OrderClass.OTO, stop_loss=StopLossRequest(stop_price=190.0)),
    ]
    sent: list[Any] = [client.submit_order(request) for request in asked]
    later(server, seconds=1)
    orders: list[Any] = [client.get_order_by_id(str(order.id)) for order in sent]
    assert [o.status.value for o in orders] == ["filled"] * 2 + ["new"] * 5 + ["filled"] * 2
    assert orders[5].stop_price is not None
    assert [leg.status.value for leg in sent[7].legs] == ["held", "held"]


def _around(price: float) -> dict[str, Any]:
    return {
        "take_profit": TakeProfitRequest(limit_price=round(price * 1.1, 2)),
        "stop_loss": StopLossRequest(stop_price=round(price * 0.9, 2)),
    }


def test_an_oco_protects_a_position_and_its_stop_is_moved(server: RehearsalServer, client: TradingClient) -> None:
    buy(server, client)
    oco: Any = client.submit_order(
        LimitOrderRequest(symbol="AAPL", qty=10, side=SELL, order_class=OrderClass.OCO, limit_price=120.0, **EXITS)
    )
    later(server, seconds=1)
    stop = oco.legs[0]
    moved: Any = client.replace_order_by_id(str(stop.id), ReplaceOrderRequest(stop_price=95.0))
    later(server, seconds=1)
    assert moved.id != stop.id
    found: Any = client.get_orders(GetOrdersRequest(status=QueryOrderStatus.OPEN, nested=True, symbols=["AAPL"]))
    assert [(o.id, [leg.id for leg in o.legs]) for o in found] == [(oco.id, [moved.id])]
    assert found[0].legs[0].stop_price == "95"
    with pytest.raises(APIError) as caught:
        client.close_position("AAPL")
    assert code(caught) == (403, 40310000)
    client.cancel_order_by_id(str(oco.id))
    later(server, seconds=1)
    position: Any = client.get_open_position("AAPL")
    assert position.qty_available == "0"
    later(server, seconds=1)
    client.close_position("AAPL", ClosePositionRequest(percentage="50"))
    later(server, seconds=1)
    position = client.get_open_position("AAPL")
    assert position.qty == "5"


def test_refusals_come_with_status_and_code(server: RehearsalServer, client: TradingClient) -> None:
    client.submit_order(market(client_order_id="one"))
    for call, wanted in (
        (lambda: client.submit_order(market(client_order_id="one")), (422, 40010001)),
        (lambda: client.submit_order(market(qty=10_000)), (403, 40310000)),
        (lambda: client.get_order_by_id("5a0fd19a-0c1c-4d20-a0a5-12e3e8f4a6a7"), (404, 40410000)),
        (lambda: client.get_open_position("MSFT"), (404, 40410000)),
        (lambda: client.get_order_by_client_id("none"), (404, 40410000)),
    ):
        with pytest.raises(APIError) as caught:
            call()
        assert code(caught) == wanted
    found: Any = client.get_order_by_client_id("one")
    assert found.client_order_id == "one"


def test_cancelling_and_closing_everything(server: RehearsalServer, client: TradingClient) -> None:
    buy(server, client)
    buy(server, client, symbol="MSFT")
    client.submit_order(LimitOrderRequest(symbol="AAPL", qty=1, side=SELL, time_in_force=DAY, limit_price=140.0))
    later(server, seconds=1)
    answers: Any = client.cancel_orders()
    assert [answer.status for answer in answers] == [200]
    later(server, seconds=2)
    later(server, seconds=2)
    closed: Any = client.close_all_positions(cancel_orders=True)
    assert sorted(answer.symbol for answer in closed) == ["AAPL", "MSFT"]
    later(server, seconds=1)
    assert client.get_all_positions() == []


def test_orders_are_listed_in_pages_by_time(server: RehearsalServer, client: TradingClient) -> None:
    for price in range(90, 95):
        client.submit_order(
            LimitOrderRequest(symbol="AAPL", qty=1, side=BUY, time_in_force=DAY, limit_price=float(price))
        )
        later(server, seconds=1)
    first: Any = client.get_orders(GetOrdersRequest(limit=2, direction="asc"))
    assert [o.limit_price for o in first] == ["90", "91"]
    rest: Any = client.get_orders(GetOrdersRequest(direction="asc", after=first[-1].submitted_at))
    assert [o.limit_price for o in rest] == ["92", "93", "94"]
    before: Any = client.get_orders(GetOrdersRequest(until=rest[0].submitted_at))
    assert [o.limit_price for o in before] == ["91", "90"]
    assert client.get_orders(GetOrdersRequest(side=SELL)) == []


def test_the_stream_tells_every_step_to_all(server: RehearsalServer, client: TradingClient) -> None:
    with listening(server) as one, listening(server, 2) as other:
        order: Any = client.submit_order(market())
        later(server, seconds=1)
        for heard in (one, other):
            wait_for(lambda heard=heard: len(heard) == 3)
            assert [update.event for update in heard] == ["pending_new", "new", "fill"]
        fill = one[-1]
        assert (fill.order.id, fill.order.status, fill.position_qty) == (order.id, OrderStatus.FILLED, 10.0)
        assert fill.timestamp == START.replace(second=1)
        assert Decimal(str(fill.price)) == Decimal("100.85")


def test_fills_are_activities_and_closes_make_a_history(server: RehearsalServer, client: TradingClient) -> None:
    buy(server, client)
    entries: Any = client.get("/account/activities", {"activity_types": "FILL"})
    assert [(e["activity_type"], e["qty"], e["leaves_qty"], e["type"]) for e in entries] == [
        ("FILL", "10", "0", "fill")
    ]
    assert client.get("/account/activities/FILL") == entries
    assert client.get("/account/activities/DIV") == []
    assert client.get("/account/activities", {"page_token": entries[0]["id"]}) == []
    assert client.get("/account/activities", {"after": "2026-03-11"}) == []
    later(server, hours=24)
    history: Any = client.get_portfolio_history(GetPortfolioHistoryRequest())
    assert len(history.equity) == 2
    assert history.equity[0] != 100_000
    account: Any = client.get_account()
    assert history.equity[-1] == float(account.equity)


@pytest.mark.parametrize("path", ["/v2/account", "/v2/stocks/quotes/latest?symbols=AAPL"])
def test_keys_are_checked(server: RehearsalServer, path: str) -> None:
    good = {"APCA-API-KEY-ID": server.key, "APCA-API-SECRET-KEY": server.secret}
    assert requests.get(server.url + path, headers=good, timeout=5).status_code == 200
    wrong = requests.get(server.url + path, headers={**good, "APCA-API-SECRET-KEY": "no"}, timeout=5)
    assert (wrong.status_code, wrong.json()) == (403, {"message": "forbidden."})
    assert requests.get(server.url + path, timeout=5).status_code == 401


def test_what_cannot_be_read_is_refused(server: RehearsalServer) -> None:
    session = requests.Session()
    session.headers.update({"APCA-API-KEY-ID": server.key, "APCA-API-SECRET-KEY": server.secret})
    orders = server.url + "/v2/orders"
    for body in ("{", "[]"):
        assert session.post(orders, data=body, timeout=5).json()["code"] == 40010000
    for query in ("limit=x", "limit=501", "after=yesterday", "nested=maybe", "status=held", "direction=up"):
        assert session.get(f"{orders}?{query}", timeout=5).status_code == 422
    assert session.get(server.url + "/v2/watchlists", timeout=5).status_code == 404
    assert session.put(orders, timeout=5).status_code == 405


def test_the_rate_limit_is_told_and_kept() -> None:
    with served(requests_per_minute=3) as server:
        session = requests.Session()
        session.headers.update({"APCA-API-KEY-ID": server.key, "APCA-API-SECRET-KEY": server.secret})
        answers = [session.get(server.url + "/v2/clock", timeout=5) for _ in range(4)]
        assert [a.status_code for a in answers] == [200, 200, 200, 429]
        assert [a.headers["X-RateLimit-Remaining"] for a in answers] == ["2", "1", "0", "0"]
        assert {a.headers["X-RateLimit-Limit"] for a in answers} == {"3"}
        assert 0 <= int(answers[3].headers["X-RateLimit-Reset"]) - time.time() <= 61
        quotes = session.get(server.url + "/v2/stocks/quotes/latest?symbols=AAPL", timeout=5)
        assert quotes.status_code == 200


def test_the_log_and_the_hooks_see_each_request(server: RehearsalServer, client: TradingClient) -> None:
    seen: list[tuple[int, str, str, str, int]] = []

    def hook(number: int, method: str, path: str, phase: str) -> None:
        orders = server.call(lambda exchange: exchange.orders("all"))
        seen.append((number, method, path, phase, len(orders)))

    client.get_clock()
    server.on_request(hook)
    order: Any = client.submit_order(market())
    assert seen == [(2, "POST", "/v2/orders", "before", 0), (2, "POST", "/v2/orders", "after", 1)]
    clock, post = server.log
    assert (clock.number, clock.path, clock.status, clock.answer) == (1, "/v2/clock", 200, None)
    assert (post.method, post.status, post.venue_time) == ("POST", 200, START)
    body: Any = post.payload, post.answer
    assert (body[0]["symbol"], body[1]["id"]) == ("AAPL", str(order.id))
