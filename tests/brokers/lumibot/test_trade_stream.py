"""The stream of trade updates, and the broker on it."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve

from brokers.lumibot.broker import HardenedAlpaca
from brokers.lumibot.trade_stream import TradeStream
from brokers.venue_values import TradeUpdate
from tests.brokers.alpaca_venue import FakeClient
from tests.brokers.rehearsal.venue import Venue

Talk = Callable[[ServerConnection], None]


class Venues:
    """A stream server; ``talks`` says what each connection in turn gets after it is let in."""

    def __init__(self, status: str = "authorized") -> None:
        self.status, self.talks, self.connections = status, list[Talk](), 0
        self.server: Server = serve(self._serve, "127.0.0.1", 0)
        self.url = f"ws://127.0.0.1:{self.server.socket.getsockname()[1]}/stream"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def _serve(self, connection: ServerConnection) -> None:
        self.connections += 1
        assert json.loads(connection.recv())["data"] == {"key_id": "K", "secret_key": "S"}
        connection.send(_frame("authorization", {"status": self.status, "action": "authenticate"}))
        if self.status != "authorized":
            return
        assert json.loads(connection.recv())["action"] == "listen"
        connection.send(_frame("listening", {"streams": ["trade_updates"]}))
        if self.talks:
            self.talks.pop(0)(connection)
        try:
            while True:
                connection.recv()
        except ConnectionClosed:
            return


def _frame(stream: str, data: dict[str, Any]) -> bytes:
    return json.dumps({"stream": stream, "data": data}).encode()


@pytest.fixture
def venues() -> Iterator[Venues]:
    venues = Venues()
    yield venues
    venues.server.shutdown()


class Reader:
    """A stream that notes what it hears, in a thread."""

    def __init__(self, url: str, fails: bool = False) -> None:
        self.fails = fails
        self.heard: list[Any] = []
        self.changed = threading.Condition()
        self.stream = TradeStream("K", "S", paper=True, url=url, on_event=self._note, on_state=self._note)
        self.stream.first_wait_s = 0.01
        self.thread = threading.Thread(target=self.stream.run, daemon=True)
        self.thread.start()

    def _note(self, what: Any, update: TradeUpdate | None = None) -> None:
        with self.changed:
            self.heard.append(what)
            self.changed.notify_all()
        if self.fails:
            raise RuntimeError("a listener")

    def wait(self, count: int) -> list[Any]:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.heard) >= count, 5), self.heard
            return list(self.heard)

    def end(self) -> None:
        began = time.monotonic()
        self.stream.stop()
        self.thread.join(3)
        assert not self.thread.is_alive()
        assert time.monotonic() - began < 2


def test_the_stream_reports_connections_and_events_and_comes_back(venues: Venues) -> None:
    update = {"event": "fill", "order": {"id": "1"}, "price": "1"}
    venues.talks = [lambda c: c.close(), lambda c: c.send(_frame("trade_updates", update))]
    reader = Reader(venues.url)
    assert reader.wait(4) == [True, False, True, update]
    reader.end()
    assert reader.heard[-1] is False


def test_a_connection_is_made_anew_where_that_is_asked_for(venues: Venues) -> None:
    reader = Reader(venues.url)
    assert reader.wait(1) == [True]
    reader.stream.reconnect()
    assert reader.wait(3) == [True, False, True]
    assert venues.connections == 2
    reader.end()


def test_what_cannot_be_read_costs_one_connection(venues: Venues) -> None:
    venues.talks = [lambda c: c.send(b"{")]
    reader = Reader(venues.url)
    assert reader.wait(3) == [True, False, True]
    reader.end()


def test_refused_keys_are_not_tried_for_ever(caplog: pytest.LogCaptureFixture) -> None:
    venues = Venues("unauthorized")
    reader = Reader(venues.url)
    reader.thread.join(5)
    venues.server.shutdown()
    assert (reader.stream.keys_refused, venues.connections, reader.heard) == (True, 1, [])
    assert [r.message for r in caplog.records if r.name == "brokers.lumibot.trade_stream"] == [
        "the trade stream refuses the keys; it stays closed, and orders are followed by asking"
    ]


def test_a_listener_that_fails_does_not_cost_the_connection(venues: Venues) -> None:
    update = {"event": "new", "order": {}}
    venues.talks = [lambda c: [c.send(_frame("trade_updates", update)) for _ in range(2)] and None]
    reader = Reader(venues.url, fails=True)
    reader.wait(3)
    assert venues.connections == 1
    reader.end()


def connected(url: str | None) -> HardenedAlpaca:
    client: Any = FakeClient(Venue())
    return HardenedAlpaca(client, stream_url=url, market="24/7", paper=True, key="K", secret="S")


def test_the_broker_s_stream_is_up_at_the_start_and_closed_at_the_end(venues: Venues) -> None:
    broker: Any = connected(venues.url)
    assert broker._is_stream_subscribed
    states: list[bool] = []
    broker.stream_listeners.append(states.append)
    broker._close_connection()
    assert not broker._stream_thread.is_alive()
    # Lumibot closes the connection after a crash and iterates on.
    broker.refresh()
    deadline = time.monotonic() + 5
    while states != [False, True] and time.monotonic() < deadline:
        time.sleep(0.01)
    broker.shutdown()
    assert states == [False, True, False]
    broker.refresh()
    assert broker._stream_thread is None


def test_a_stream_that_cannot_connect_does_not_hold_up_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("brokers.lumibot.broker.STREAM_START_S", 0.1)
    began = time.monotonic()
    broker = connected("ws://127.0.0.1:9/stream")
    assert time.monotonic() - began < 2
    broker.shutdown()


@pytest.mark.parametrize(
    "junk",
    [b"[" * 100_000, b"7", b"[]", b"null", b"\xff", b'{"stream": "trade_updates", "data": [1]}', b"x" * 2**19,
     b'{"stream": "trade_updates", "data": {"order": 5}}',
     b'{"stream": "trade_updates", "data": {"order": {"id": 1}}}'],
)  # fmt: skip
def test_junk_ends_no_stream_and_is_asked_for_ever_more_seldom(venues, junk, monkeypatch):
    waits, sleep = list[float](), asyncio.sleep

    async def pause(seconds: float) -> None:
        # The connection's own pauses, between its pings, are longer.
        if seconds < 10:
            waits.append(seconds)
        await sleep(seconds)

    def talk(connection: ServerConnection) -> None:
        connection.send(junk)
        connection.close()

    venues.talks = [talk, talk, talk, lambda connection: connection.send(_frame("trade_updates", {"order": {}}))]
    monkeypatch.setattr("brokers.lumibot.trade_stream.asyncio.sleep", pause)
    reader = Reader(venues.url)
    deadline = time.monotonic() + 10
    while {} not in [told.get("order") for told in reader.heard if isinstance(told, dict)]:
        assert time.monotonic() < deadline and reader.thread.is_alive()
        time.sleep(0.01)
    assert waits == [0.01, 0.02, 0.04]
    reader.stream.stop()
