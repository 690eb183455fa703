"""The stream of quotes: read, followed, and missed without harm."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from brokers.live.prices import PriceStream
from brokers.rehearsal.server import RehearsalServer
from tests.test_live_command import falling_bars, wait_until

NOON = datetime(2023, 3, 9, 12, 1, tzinfo=ZoneInfo("America/New_York"))


def test_quotes_of_watched_symbols_arrive(tmp_path):
    heard = []
    with RehearsalServer(falling_bars(), start=NOON, sessions=1, speed=60) as server:
        stream = PriceStream(
            server.data_stream_url, server.key, server.secret, lambda symbol, bid, ask: heard.append((symbol, bid, ask))
        )
        stream.start()
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
    stream = PriceStream("ws://127.0.0.1:9/v2/iex", "key", "secret", lambda *quote: None)
    with caplog.at_level("INFO"):
        stream.start()
        wait_until(lambda: "quotes are asked for" in caplog.text)
    stream.stop()
    assert stream.latest("AAPL") is None
