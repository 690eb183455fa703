"""The stream of quotes: read, followed, and missed without harm."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from brokers.alpaca.quote_stream import AlpacaQuoteStream
from brokers.rehearsal.alpaca.server import RehearsalServer
from tests.live_venue import falling_bars, wait_until

NOON = datetime(2023, 3, 9, 12, 1, tzinfo=ZoneInfo("America/New_York"))


def test_quotes_of_watched_symbols_arrive(tmp_path):
    heard = []
    with RehearsalServer(falling_bars(), start=NOON, sessions=1, speed=60) as server:
        stream = AlpacaQuoteStream(server.data_stream_url, server.key, server.secret)
        stream.start(lambda symbol, bid, ask: heard.append((symbol, bid, ask)))
        stream.watch(["AAPL"])
        wait_until(lambda: len(heard) >= 2)
        assert {symbol for symbol, _, _ in heard} == {"AAPL"}
        assert all(0 < bid < ask for _, bid, ask in heard)
        assert stream.latest("AAPL") is not None
        assert stream.latest("MSFT") is None
        stream.watch(["MSFT"])
        wait_until(lambda: any(symbol == "MSFT" for symbol, _, _ in heard))
        stream.stop()


def test_a_venue_without_the_stream_is_left_alone(caplog):
    stream = AlpacaQuoteStream("ws://127.0.0.1:9/v2/iex", "key", "secret")
    with caplog.at_level("INFO"):
        stream.start(lambda *quote: None)
        wait_until(lambda: "quotes are asked for" in caplog.text)
    stream.stop()
    assert stream.latest("AAPL") is None


class Nights:
    """Connections one after another: each is as long as told, and then lost; waits pass at once."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, stream: AlpacaQuoteStream, worked: list[bool]) -> None:
        self.worked, self.waits = worked, list[float]()
        self.stream = stream
        self.told = '[{"T": "success", "msg": "authenticated"}, {"T": "q", "S": "KO", "bp": 60, "ap": 60.1}]'
        monkeypatch.setattr("brokers.alpaca.quote_stream.connect", lambda *_, **__: self)
        monkeypatch.setattr(stream, "_stop", self)

    def __enter__(self) -> Nights:
        return self

    def __exit__(self, *_: object) -> None: ...

    def recv(self, timeout: float) -> str:
        if self.worked.pop(0):
            self.worked.insert(0, False)
            return self.told
        raise ConnectionError

    def is_set(self) -> bool:
        return not self.worked

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)


def test_a_connection_that_worked_begins_anew_with_a_short_pause(monkeypatch, caplog):
    stream: Any = AlpacaQuoteStream("ws://x", "key", "secret")
    nights = Nights(monkeypatch, stream, [False, False, False, True, True, False])
    with caplog.at_level("INFO"):
        stream._run()
    assert nights.waits == [1.0, 2.0, 4.0, 1.0, 1.0, 2.0]
    # Said when it is missing, once, and each time that it is lost.
    assert caplog.text.count("quotes are asked for") == 3


def test_a_connection_that_tells_nothing_is_tried_ever_more_seldom(monkeypatch):
    stream: Any = AlpacaQuoteStream("ws://x", "key", "secret")
    nights = Nights(monkeypatch, stream, [True, False, True, False, True, False])
    nights.told = '[{"T": "success", "msg": "authenticated"}, {"T": "q", "S": "KO", "bp": 1e30, "ap": 1e30}]'
    stream._run()
    assert nights.waits == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0]
