"""Serves the rehearsal venue to any Alpaca client: REST, trade updates and market data on one address."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import date, datetime
from decimal import Decimal
from types import TracebackType
from typing import Literal, Self, TypeVar

import pandas as pd
from aiohttp import web

from brokers.rehearsal.data_stream import PATHS, DataStream
from brokers.rehearsal.exchange import Exchange
from brokers.rehearsal.faults import FaultPlan
from brokers.rehearsal.gateway import Gateway, Hook, LoggedRequest
from brokers.rehearsal.market_data import MarketDataApi
from brokers.rehearsal.model import Json
from brokers.rehearsal.network_faults import NetworkFaults
from brokers.rehearsal.pace import ByHand, ByTime
from brokers.rehearsal.player import Player
from brokers.rehearsal.rate import RateLimit
from brokers.rehearsal.replay import load_bars
from brokers.rehearsal.rest import Routes, TradingApi
from brokers.rehearsal.settings import VenueSettings
from brokers.rehearsal.statements import Statements
from brokers.rehearsal.tape import Tape
from brokers.rehearsal.trade_stream import TradeStream
from config.errors import Refusal

T = TypeVar("T")
PATIENCE_S = 60.0
"""How long a call from another thread waits for the server's."""


class RehearsalServer:
    """The venue in a thread of its own; a context manager.

    All that touches the exchange runs in that thread, one thing at a time.

    Parameters
    ----------
    data : DataFrame
        Bars, see :func:`brokers.rehearsal.replay.load_bars`. What lies before ``start`` is served as history.
    start : date or datetime, optional
        First day played (the clock starts five minutes before its open) or the moment at which the clock
        starts (naive: New York). By default the last ``sessions`` of the data.
    sessions : int, optional
        Days played; all from ``start`` on by default. After them the clock goes on, without prices.
    symbols : sequence of str, optional
        All of the data by default.
    settings, venue_faults : optional
        The venue's numbers and its own mishaps; those of the network are set in :attr:`faults`.
    clock : {"auto", "manual"}
        Whether time passes by itself or by :meth:`advance_to`.
    speed : float
        Venue seconds per local second; also of the minute that the rate limit counts in.
    skip_nights : bool, optional
        Jump over the time between sessions, ``gap_s`` local seconds after the last bar. By default if
        ``speed`` is above 1.
    key, secret : str
        What clients have to sign in with.
    host, port
        Where to listen; port 0 takes a free one.
    requests_per_minute : int

    Raises
    ------
    Refusal
        The data can't be replayed, or the address is taken.
    """

    def __init__(
        self,
        data: pd.DataFrame,
        *,
        start: date | None = None,
        sessions: int | None = None,
        symbols: Sequence[str] | None = None,
        settings: VenueSettings | None = None,
        venue_faults: FaultPlan | None = None,
        clock: Literal["auto", "manual"] = "auto",
        speed: float = 1.0,
        skip_nights: bool | None = None,
        gap_s: float = 1.0,
        key: str = "REHEARSAL-KEY",
        secret: str = "rehearsal-secret",
        host: str = "127.0.0.1",
        port: int = 0,
        requests_per_minute: int = 200,
    ) -> None:
        settings, venue_faults = settings or VenueSettings(), venue_faults or FaultPlan()
        self.key, self.secret, self._host, self._port = key, secret, host, port
        self.faults = NetworkFaults(settings.seed, venue_faults)
        tape = Tape(load_bars(data, symbols))
        self._statements = Statements()
        self._stream = TradeStream((key, secret), self.faults)
        self._player = Player(tape, start, sessions, self._on_update, settings, venue_faults)
        exchange = self._player.exchange
        self._pace: ByHand | ByTime = ByHand(self._player)
        if clock == "auto":
            self._pace = ByTime(self._player, speed, speed > 1 if skip_nights is None else skip_nights, gap_s)
        market = MarketDataApi(tape, lambda: exchange.now, settings)
        routes = Routes()
        TradingApi(exchange, self._statements, lambda: self.faults.clock_skew_s).add_to(routes)
        market.add_to(routes)
        self._market_stream = DataStream((key, secret), tape, market)
        listeners = self._player.listeners
        listeners.trades.append(self._market_stream.on_trades)
        listeners.time.append(self._market_stream.on_time)
        listeners.close.append(lambda at: self._statements.on_close(at, Decimal(str(exchange.account()["equity"]))))
        self._gateway = Gateway(
            routes,
            (key, secret),
            self.faults,
            self._pace.catch_up,
            lambda: exchange.now,
            lambda: RateLimit(requests_per_minute, speed),
        )
        self._thread = threading.Thread(target=self._run, name="rehearsal-venue", daemon=True)
        self._ready: Future[int] = Future()
        self._failure: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> None:
        """Open the doors; returns once clients can connect."""
        self._thread.start()
        try:
            self._port = self._ready.result(PATIENCE_S)
        except OSError as error:
            reason = f"cannot listen on {self._host}:{self._port} ({error.strerror})"
            raise Refusal(f"{reason}; choose another --port") from error

    def close(self) -> None:
        """Close the doors, break what is connected, and wait for the thread to end."""
        if self._loop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._gateway.closing.set)
            self._thread.join(PATIENCE_S)
        if self._failure is not None:
            raise self._failure

    @property
    def url(self) -> str:
        """Base address of REST, trading and market data alike."""
        return f"http://{self._address}"

    @property
    def stream_url(self) -> str:
        """Address of the trade updates."""
        return f"ws://{self._address}/stream"

    @property
    def data_stream_url(self) -> str:
        """Address of the market data stream."""
        return f"ws://{self._address}{PATHS[0]}"

    @property
    def log(self) -> list[LoggedRequest]:
        """Every request so far (the last 100,000), in order of completion."""
        return list(self._gateway.log)

    @property
    def now(self) -> datetime:
        """The venue's time."""
        return self.call(lambda exchange: exchange.now)

    @property
    def running(self) -> bool:
        """Whether the doors are open."""
        return self._thread.is_alive()

    @property
    def finished(self) -> bool:
        """Whether all sessions have been played."""
        return self.call(lambda _: self._player.finished)

    @property
    def listeners(self) -> int:
        """How many clients hear trade updates."""
        return self.call(lambda _: self._stream.listeners)

    def on_request(self, hook: Hook) -> None:
        """Call ``hook(number, method, path, phase)`` in the server's thread.

        With phase "before" when a request has come in and nothing was done, and with "after" when it was
        processed and nothing was answered. The venue stands still meanwhile.
        """
        self._gateway.hooks.append(hook)

    def call(self, function: Callable[[Exchange], T]) -> T:
        """Run ``function`` on the exchange in the server's thread, at the venue's present; returns its result."""
        return self._inside(lambda: function(self._player.exchange), catch_up=True)

    def advance_to(self, time: datetime) -> None:
        """Let everything up to ``time`` happen; for ``clock="manual"`` only.

        Raises
        ------
        ValueError
            The clock moves by itself, or ``time`` lies in the past.
        """
        self._inside(lambda: self._pace.move(time), catch_up=False)

    def drop_streams(self) -> None:
        """Break the connection of everybody who listens to trade updates."""
        self._inside(self._stream.drop, catch_up=False)

    @property
    def _address(self) -> str:
        return f"[{self._host}]:{self._port}" if ":" in self._host else f"{self._host}:{self._port}"

    def _inside(self, work: Callable[[], T], catch_up: bool) -> T:
        async def job() -> T:
            if catch_up:
                self._pace.catch_up()
            return work()

        if self._loop is None or threading.current_thread() is self._thread:
            return work()
        return asyncio.run_coroutine_threadsafe(job(), self._loop).result(PATIENCE_S)

    def _on_update(self, update: Json) -> None:
        self._statements.on_update(update)
        self._stream.publish(update)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            if self._ready.done():
                self._failure = error
            else:
                self._ready.set_exception(error)

    async def _serve(self) -> None:
        app = web.Application()
        app.router.add_get("/stream", self._stream.handle)
        for path in PATHS:
            app.router.add_get(path, self._market_stream.handle)
        app.router.add_route("*", "/{path:.*}", self._gateway.handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, self._host, self._port)
        await site.start()
        self._loop = asyncio.get_running_loop()
        if isinstance(self._pace, ByTime):
            self._pace.restart()
        clock = self._loop.create_task(self._pace.run())
        closing = self._loop.create_task(self._gateway.closing.wait())
        self._ready.set_result(runner.addresses[0][1])
        try:
            await asyncio.wait([closing, clock], return_when=asyncio.FIRST_COMPLETED)
            if clock.done():
                clock.result()
        finally:
            clock.cancel()
            self._stream.drop()
            await runner.cleanup()
