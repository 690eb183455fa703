"""Strangers and foreign pages are turned away cheaply, and nothing a client sends breaks the venue."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import websockets.sync.client as sync
from aiohttp import ClientConnectionResetError, web
from aiohttp.test_utils import make_mocked_request
from websockets.exceptions import ConnectionClosed, InvalidStatus

from brokers.rehearsal.alpaca import calendar
from brokers.rehearsal.serving import sockets
from brokers.rehearsal.serving.access import KeyRing, new_keys, refuse_foreign_pages
from tests.brokers.rehearsal.market import served, wait_for
from tests.brokers.rehearsal.wire import Wire


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    with Wire(requests_per_minute=10_000) as one:
        yield one


def test_keys_are_made_for_each_server() -> None:
    one, other = served(), served()
    assert one.key != other.key
    assert one.secret != other.secret
    assert len(one.secret) >= 40
    fixed = served(key="K", secret="S")
    assert (fixed.key, fixed.secret) == ("K", "S")


def test_only_a_key_with_its_own_secret_opens() -> None:
    ring = KeyRing({"one": "first", "two": "second"})
    assert ring.opens("one", "first")
    for key, secret in (("one", "second"), ("three", ""), ("one", None), (None, "first"), ("one", ["first"]), ("", "")):
        assert not ring.opens(key, secret)
    assert new_keys() != new_keys()


def test_requests_without_keys_are_not_counted_and_use_up_no_limit() -> None:
    with Wire(requests_per_minute=3) as wire:
        for _ in range(10):
            assert requests.get(wire.server.url + "/v2/account", timeout=5).status_code == 401
        assert wire.server.log == []
        assert wire.server.request_counts == {}
        assert wire.server.unauthorized == 10
        assert [wire.ask("GET", "/v2/account")[0] for _ in range(4)] == [200, 200, 200, 429]


def test_a_body_without_keys_is_not_read(wire: Wire) -> None:
    """60 requests that promise a megabyte each leave nothing behind, and the answer doesn't wait for the body."""
    body = b"[" * 1_000_000
    address = wire.server.url.removeprefix("http://").split(":")
    tracemalloc.start()
    try:
        for _ in range(60):
            with socket.create_connection((address[0], int(address[1])), 5) as client:
                client.sendall(
                    b"POST /v2/orders HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                    + f"Content-Length: {len(body)}\r\n\r\n".encode()
                    + body[:20_000]
                )
                assert client.recv(12) == b"HTTP/1.1 401"
        grown = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert grown < 5_000_000
    assert wire.ask("GET", "/v2/clock")[0] == 200


def test_a_body_has_a_largest_size(wire: Wire) -> None:
    status, message = wire.refusal("POST", "/v2/orders", symbol="A" * 100_000)
    assert (status, message) == (413, "request body is too large")


@pytest.mark.parametrize(
    "body",
    [b"[" * 30_000, b'{"a":' * 9_000, b"{", b"[1]", b"null", b"\xff\xfe", b'{"qty": ' + b"9" * 5_000 + b"}"],
)
def test_bodies_that_are_no_request(wire: Wire, body: bytes) -> None:
    answer = wire.session.post(wire.server.url + "/v2/orders", data=body, timeout=5)
    assert answer.status_code == 400
    assert answer.json()["message"] == "request body format is invalid"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"qty": "1e999999"}, "qty is too large"),
        ({"qty": 10**15}, "qty is too large"),
        ({"qty": "9" * 41}, "invalid qty"),
        ({"qty": "1e-999999"}, "qty and notional take at most 9 decimals"),
        ({"qty": None, "notional": "1e30"}, "notional is too large"),
        ({"qty": "NaN"}, "qty must be > 0"),
        ({"qty": {"a": 1}}, "invalid qty"),
        ({"qty": [1]}, "invalid qty"),
        ({"qty": True}, "invalid qty"),
        ({"type": "limit", "limit_price": "1e400"}, "limit_price is too large"),
        ({"symbol": {"a": 1}}, "symbol is required"),
        ({"side": ["buy"]}, "invalid side"),
        ({"take_profit": [1]}, "invalid take_profit"),
        ({"client_order_id": 5}, "client_order_id must be"),
        ({"order_class": {"a": 1}}, "invalid order_class"),
    ],
)
def test_values_that_are_no_order(wire: Wire, fields: dict[str, Any], message: str) -> None:
    status, body = wire.order(**fields)
    assert (status, body["message"][: len(message)]) == (422, message)


def test_odd_times_and_numbers_in_queries_are_no_500(wire: Wire) -> None:
    odd = (
        "0001-01-01",
        "9999-12-31T23:59:59+14:00",
        "0001-01-01T00:00:00+14:00",
        "99999999999",
        "-1",
        "1e9",
        "\x00",
        "x",
    )
    paths = (
        "/v2/orders?after={}", "/v2/orders?limit={}", "/v2/account/activities?date={}", "/v2/calendar?start={}",
        "/v2/account/portfolio/history?start={}", "/v2/account/portfolio/history?end={}",
        "/v2/stocks/bars?symbols=AAPL&timeframe=1Day&feed=iex&start={}",
        "/v2/stocks/bars?symbols=AAPL&timeframe=1Month&feed=iex&start=2000-01-01&end={}",
        "/v2/stocks/bars?symbols=AAPL&timeframe=1Day&feed=iex&limit={}",
        "/v2/stocks/auctions?symbols=AAPL&start={}",
    )  # fmt: skip
    asked = {wire.session.get(wire.server.url + p.format(requests.utils.quote(v)), timeout=20).status_code
             for p in paths for v in odd}  # fmt: skip
    assert asked <= {200, 400, 403, 422}
    assert {200, 422} <= asked


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "127.0.0.1:1"}, 200),
        ({"Host": "localhost"}, 200),
        ({"Host": "[::1]:80"}, 200),
        ({"Host": "attacker.example"}, 403),
        ({"Host": "127.0.0.1.attacker.example"}, 403),
        ({"Host": "10.0.0.1"}, 403),
        ({"Host": "[::1"}, 403),
        ({"Origin": "http://127.0.0.1:8000"}, 200),
        ({"Origin": "http://attacker.example"}, 403),
        ({"Origin": "null"}, 403),
    ],
)
def test_foreign_pages_are_turned_away(wire: Wire, headers: dict[str, str], status: int) -> None:
    before = len(wire.server.log)
    answer = wire.session.get(wire.server.url + "/v2/clock", headers=headers, timeout=5)
    assert answer.status_code == status
    assert len(wire.server.log) == before + (status == 200)
    if status == 403:
        assert "of the request is" in answer.json()["message"]


def test_a_foreign_page_opens_no_stream(wire: Wire) -> None:
    for url in (wire.server.stream_url, wire.server.data_stream_url):
        with pytest.raises(InvalidStatus) as caught, sync.connect(url, origin="http://attacker.example"):
            pass
        assert caught.value.response.status_code == 403


def test_who_does_not_sign_in_is_cut_off(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "SIGN_IN_S", 0.1)
    with sync.connect(wire.server.stream_url) as unknown, pytest.raises(ConnectionClosed):
        unknown.recv(timeout=5)
    key, secret = wire.server.key, wire.server.secret
    with sync.connect(wire.server.stream_url) as owner:
        owner.send(json.dumps({"action": "auth", "key": key, "secret": secret}))
        assert b"authorized" in owner.recv()
        with pytest.raises(TimeoutError):
            owner.recv(timeout=0.3)


def test_odd_frames_break_no_stream(wire: Wire) -> None:
    key, secret = wire.server.key, wire.server.secret
    with sync.connect(wire.server.stream_url) as stream:
        for frame in ("[" * 30_000, "[]", "5", '{"action": ["auth"]}', '{"action": "listen", "data": [1]}', b"\xff"):
            stream.send(frame)
        stream.send(json.dumps({"action": "auth", "data": {"key_id": [key], "secret_key": secret}}))
        assert json.loads(stream.recv())["data"]["status"] == "unauthorized"
        stream.send(json.dumps({"action": "auth", "data": {"key_id": key, "secret_key": secret}}))
        assert json.loads(stream.recv())["data"]["status"] == "authorized"


def test_a_wide_calendar_does_not_stop_the_venue() -> None:
    calendar._days.cache_clear()
    with Wire() as wire:
        told: list[str] = []
        wire.server.on_request(lambda number, method, path, phase: told.append(f"{path} {phase}"))
        address = wire.server.url.removeprefix("http://").split(":")
        slow = http.client.HTTPConnection(address[0], int(address[1]), timeout=30)
        headers = {k: str(v) for k, v in wire.session.headers.items() if k.startswith("APCA")}
        slow.request("GET", "/v2/calendar?start=1970-01-01&end=2029-12-31", headers=headers)
        wait_for(lambda: bool(told))
        assert wire.ask("GET", "/v2/clock")[0] == 200
        answer = slow.getresponse()
        days = json.loads(answer.read())
        slow.close()
        assert told == ["/v2/calendar before", "/v2/clock before", "/v2/clock after", "/v2/calendar after"]
        assert len(days) > 15_000
        assert {"date", "open", "close", "session_open", "session_close", "settlement_date"} == days[0].keys()


def test_a_client_that_leaves_before_its_answer_is_no_error() -> None:
    async def leaves(request: web.Request) -> web.StreamResponse:
        raise ClientConnectionResetError("Cannot write to closing transport")

    request = make_mocked_request("GET", "/stream", headers={"Host": "127.0.0.1"})
    answer = asyncio.run(refuse_foreign_pages("127.0.0.1")(request, leaves))
    assert isinstance(answer, web.Response) and answer.keep_alive is False
