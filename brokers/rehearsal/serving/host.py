"""The thread that a rehearsal venue lives in, its listener, and calls into it from other threads."""

from __future__ import annotations

import asyncio
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import Future
from datetime import datetime
from types import TracebackType
from typing import Generic, Self, TypeVar

from aiohttp import web

from brokers.rehearsal.core.pace import ByHand, ByTime
from brokers.rehearsal.core.player import Player
from brokers.rehearsal.core.venue import Venue
from brokers.rehearsal.serving.access import LONGEST_BODY, refuse_foreign_pages
from brokers.rehearsal.serving.gateway import Gateway, Hook, LoggedRequest
from brokers.rehearsal.serving.network_faults import NetworkFaults
from brokers.rehearsal.serving.rate import RequestCount
from config.errors import Refusal

T = TypeVar("T")
V = TypeVar("V", bound=Venue)
PATIENCE_S = 60.0
"""How long a call from another thread waits for the server's."""
DISCARD_S = 0.5
"""How long the rest of a body is read that nobody wants."""


class VenueHost(ABC, Generic[V]):
    """A venue in a thread of its own; a context manager.

    All that touches the exchange runs in that thread, one thing at a time. What derives from it builds the parts
    before it calls ``__init__``.

    Parameters
    ----------
    player : Player
    pace : ByHand or ByTime
    gateway : Gateway
    faults : NetworkFaults
    host, port
        Where to listen; port 0 takes a free one.
    """

    def __init__(
        self, player: Player[V], pace: ByHand | ByTime, gateway: Gateway, faults: NetworkFaults, host: str, port: int
    ) -> None:
        self._player, self._pace, self._gateway, self.faults = player, pace, gateway, faults
        self._host, self._port = host, port
        self._thread = threading.Thread(target=self._run, name="rehearsal-venue", daemon=True)
        self._ready: Future[int] = Future()
        self._failure: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @abstractmethod
    def _add_streams(self, router: web.UrlDispatcher) -> None:
        """Register what is no request."""

    @abstractmethod
    def _drop_streams(self) -> None:
        """Break the connections of streams; called in the server's thread."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> None:
        """Listen; returns once clients can connect."""
        self._thread.start()
        try:
            self._port = self._ready.result(PATIENCE_S)
        except OSError as error:
            reason = f"cannot listen on {self._host}:{self._port} ({error.strerror})"
            raise Refusal(f"{reason}; choose another --port") from error

    def close(self) -> None:
        """Break what is connected, stop listening, and wait for the thread to end."""
        if self._loop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._gateway.closing.set)
            self._thread.join(PATIENCE_S)
        if self._failure is not None:
            raise self._failure

    @property
    def url(self) -> str:
        """Base address of every request."""
        return f"http://{self._address}"

    @property
    def log(self) -> list[LoggedRequest]:
        """Every request so far (the last 100,000), in order of completion; without those that no key opened."""
        return list(self._gateway.log)

    @property
    def request_counts(self) -> dict[str, RequestCount]:
        """What was asked with each key, by whatever clients."""
        return dict(self._gateway.counts)

    @property
    def unauthorized(self) -> int:
        """Requests turned away because no key opened the account."""
        return self._gateway.unauthorized

    @property
    def now(self) -> datetime:
        """The venue's time."""
        return self.call(lambda exchange: exchange.now)

    @property
    def running(self) -> bool:
        """Whether it listens."""
        return self._thread.is_alive()

    @property
    def finished(self) -> bool:
        """Whether all sessions have been played."""
        return self.call(lambda _: self._player.finished)

    def on_request(self, hook: Hook) -> None:
        """Call ``hook(number, method, path, phase)`` in the server's thread.

        With phase "before" when a request has come in and nothing was done, and with "after" when it was
        processed and nothing was answered. The venue stands still meanwhile.
        """
        self._gateway.hooks.append(hook)

    def call(self, function: Callable[[V], T]) -> T:
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
        """Break the connection of everybody who listens to the account."""
        self._inside(self._drop_streams, catch_up=False)

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

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            if self._ready.done():
                self._failure = error
            else:
                self._ready.set_exception(error)

    async def _serve(self) -> None:
        app = web.Application(middlewares=[refuse_foreign_pages(self._host)], client_max_size=LONGEST_BODY)
        self._add_streams(app.router)
        app.router.add_route("*", "/{path:.*}", self._gateway.handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, lingering_time=DISCARD_S)
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
            self._drop_streams()
            await runner.cleanup()
