"""A small market to serve, and clients to ask it with."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any

import pandas as pd
from alpaca.data.historical import StockHistoricalDataClient
from alpaca.trading.client import TradingClient
from alpaca.trading.stream import TradingStream

from brokers.rehearsal.alpaca.server import RehearsalServer
from tests.brokers.rehearsal.venue import at

START = at("2026-03-10 10:00")
DAYS = ("2026-03-09", "2026-03-10", "2026-03-11")


def bars(symbols: tuple[str, ...] = ("AAPL", "MSFT"), days: tuple[str, ...] = DAYS, minutes: int = 5) -> pd.DataFrame:
    """Three sessions in which AAPL rises a cent a bar from 100 and MSFT from 200, each bar half a dollar wide."""
    times = pd.DatetimeIndex(
        [t for day in days for t in pd.date_range(f"{day} 09:30", f"{day} 15:59", freq=f"{minutes}min")]
    ).tz_localize("America/New_York")
    return pd.concat(
        pd.DataFrame(
            {
                "symbol": symbol,
                "datetime": times,
                "open": base,
                "high": base + 0.3,
                "low": base - 0.2,
                "close": base + 0.1,
            }
        ).assign(volume=4_001)
        for symbol, first in zip(symbols, (100.0, 200.0, 300.0), strict=False)
        for base in [first + 0.01 * pd.Series(range(len(times)))]
    )


def served(**options: Any) -> RehearsalServer:
    """A server whose clock stands at 10:00 on the second of three days."""
    options.setdefault("requests_per_minute", 10_000)
    return RehearsalServer(options.pop("data", bars()), **{"start": START, "clock": "manual", **options})


def trading(server: RehearsalServer, **options: Any) -> TradingClient:
    return TradingClient(server.key, server.secret, paper=True, url_override=server.url, **options)


def market_data(server: RehearsalServer) -> StockHistoricalDataClient:
    return StockHistoricalDataClient(server.key, server.secret, url_override=server.url)


def wait_for(done: Callable[[], bool], seconds: float = 5.0) -> None:
    """Wait for another thread; fails the test when nothing comes."""
    ends = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < ends, "waited in vain"
        time.sleep(0.005)


@contextmanager
def listening(server: RehearsalServer, listeners: int = 1) -> Iterator[list[Any]]:
    """The trade updates that the venue's own client hears."""
    heard: list[Any] = []
    stream = TradingStream(server.key, server.secret, url_override=server.stream_url)
    stream._reconnect_min_backoff = 0.05

    async def keep(update: Any) -> None:
        heard.append(update)

    stream.subscribe_trade_updates(keep)

    def run() -> None:
        with suppress(asyncio.CancelledError):
            stream.run()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    wait_for(lambda: server.listeners >= listeners)
    try:
        yield heard
    finally:
        # Its own way to stop takes effect only when a frame comes or five seconds are over.
        loop: Any = stream._loop
        loop.call_soon_threadsafe(lambda: [task.cancel() for task in asyncio.all_tasks(loop)])
        thread.join(5)


def later(server: RehearsalServer, **step: float) -> datetime:
    """Move the clock on."""
    to = server.now + pd.Timedelta(**step).to_pytimedelta()
    server.advance_to(to)
    return to
