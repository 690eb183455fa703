"""What the market data stream takes and refuses, seen from a bare socket."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import websockets.sync.client as sync
from websockets.exceptions import InvalidStatus

from brokers.rehearsal.alpaca.server import RehearsalServer
from tests.brokers.rehearsal.market import START, served, wait_for


@pytest.fixture
def server() -> Iterator[RehearsalServer]:
    with served() as running:
        yield running


class Listener:
    """A connection that speaks JSON."""

    def __init__(self, server: RehearsalServer, path: str = "/v2/iex", **headers: str) -> None:
        url = server.url.replace("http", "ws") + path
        self.socket = sync.connect(url, additional_headers=headers)
        self.keys = {"key": server.key, "secret": server.secret}

    def hear(self) -> dict[str, Any]:
        [message] = json.loads(self.socket.recv(timeout=5))
        return message

    def ask(self, **request: object) -> dict[str, Any]:
        self.socket.send(json.dumps(request))
        return self.hear()

    def __enter__(self) -> Listener:
        assert self.hear()["msg"] == "connected"
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()


def test_keys_in_headers_sign_in(server: RehearsalServer) -> None:
    keys = {"APCA-API-KEY-ID": server.key, "APCA-API-SECRET-KEY": server.secret}
    with Listener(server, **keys) as one:
        assert one.hear() == {"T": "success", "msg": "authenticated"}
        assert one.ask(action="subscribe", trades=["AAPL"])["trades"] == ["AAPL"]
        assert one.ask(action="auth", **one.keys)["code"] == 403
    with Listener(server, **{**keys, "APCA-API-SECRET-KEY": "wrong"}) as other:
        assert other.hear()["code"] == 402


def test_sip_is_not_in_the_plan(server: RehearsalServer) -> None:
    with Listener(server, "/v2/sip") as one:
        assert one.ask(action="auth", key="x", secret="y")["code"] == 402
        assert one.ask(action="auth", **one.keys) == {
            "T": "error", "code": 409, "msg": "insufficient subscription",
        }  # fmt: skip
        assert one.ask(action="subscribe", trades=["AAPL"])["code"] == 401


def test_one_connection_at_a_time(server: RehearsalServer) -> None:
    with Listener(server) as one, Listener(server) as other:
        assert one.ask(action="auth", **one.keys)["msg"] == "authenticated"
        assert other.ask(action="auth", **other.keys) == {"T": "error", "code": 406, "msg": "connection limit exceeded"}
    wait_for(lambda: server.call(lambda _: not server._market_stream._wanted))
    with Listener(server) as third:
        assert third.ask(action="auth", **third.keys)["msg"] == "authenticated"


def test_thirty_symbols_and_no_more(server: RehearsalServer) -> None:
    with Listener(server) as one:
        one.ask(action="auth", **one.keys)
        names = [f"S{number}" for number in range(30)]
        assert len(one.ask(action="subscribe", quotes=names, bars=names[:3])["quotes"]) == 30
        assert one.ask(action="subscribe", trades=["ONE MORE"])["code"] == 405
        assert one.ask(action="unsubscribe", quotes=names[3:])["quotes"] == sorted(names[:3])
        assert one.ask(action="subscribe", trades=["ONE MORE"])["trades"] == ["ONE MORE"]


@pytest.mark.parametrize("names", ["AAPL", {"AAPL": 1}, [1], [["AAPL"]], 5])
def test_a_list_of_symbols_is_one(server: RehearsalServer, names: object) -> None:
    with Listener(server) as one:
        one.ask(action="auth", **one.keys)
        assert one.ask(action="subscribe", trades=names)["code"] == 400
        assert one.ask(action="subscribe", trades=["AAPL"])["trades"] == ["AAPL"]


@pytest.mark.parametrize("frame", ["[]", "5", "{}", '{"action": "banana"}', '{"action": ["auth"]}', "[" * 30_000])
def test_what_is_no_request(server: RehearsalServer, frame: str) -> None:
    with Listener(server) as one:
        one.socket.send(frame)
        assert one.hear()["code"] == 400


def test_every_channel_is_confirmed_as_asked(server: RehearsalServer) -> None:
    with Listener(server) as one:
        one.ask(action="auth", **one.keys)
        channels = ("trades", "quotes", "bars", "updatedBars", "dailyBars", "statuses", "lulds")
        told = one.ask(action="subscribe", **{channel: ["AAPL"] for channel in channels})
        assert all(told[channel] == ["AAPL"] for channel in (*channels, "corrections", "cancelErrors"))


def test_daily_bars_grow_with_each_minute_that_has_trades(server: RehearsalServer) -> None:
    with Listener(server) as one:
        one.ask(action="auth", **one.keys)
        one.ask(action="subscribe", dailyBars=["AAPL"], updatedBars=["AAPL"], statuses=["*"])
        for minute in range(1, 6):
            server.advance_to(START + timedelta(minutes=minute))
        heard = [one.hear() for _ in range(3)]
        assert {message["T"] for message in heard} == {"d"}
        assert {message["t"] for message in heard} == {"2026-03-10T04:00:00Z"}
        assert [message["n"] for message in heard] == sorted({message["n"] for message in heard})
        with pytest.raises(TimeoutError):
            one.socket.recv(timeout=0.1)


@pytest.mark.parametrize(
    ("path", "status"), [("/v2/test", 404), ("/streams", 404), ("/v2/iex", 101), ("/stream/", 101)]
)
def test_paths_without_a_stream_are_not_found(server: RehearsalServer, path: str, status: int) -> None:
    url = server.url.replace("http", "ws") + path
    if status == 101:
        sync.connect(url).close()
        return
    with pytest.raises(InvalidStatus) as caught:
        sync.connect(url)
    assert caught.value.response.status_code == status


def test_trade_updates_with_a_slash_and_with_headers(server: RehearsalServer) -> None:
    """As alpaca-trade-api and backtrader connect."""
    headers = {"APCA-API-KEY-ID": server.key, "APCA-API-SECRET-KEY": server.secret}
    with sync.connect(server.stream_url + "/", additional_headers=headers) as stream:
        stream.send(json.dumps({"action": "listen", "data": {"streams": ["trade_updates"]}}))
        assert json.loads(stream.recv(timeout=5))["data"] == {"streams": ["trade_updates"]}
        server.call(lambda exchange: exchange.submit(
            {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}
        ))  # fmt: skip
        assert json.loads(stream.recv(timeout=5))["data"]["event"] == "pending_new"
