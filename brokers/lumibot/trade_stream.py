"""Alpaca's stream of trade updates, read in a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import math
import time
from collections.abc import Callable
from typing import Any

import websockets
from alpaca.common.utils import get_default_user_agent
from alpaca.trading.stream import TradingStream
from websockets.legacy.client import Connect

from brokers.alpaca.listings import update_of
from brokers.alpaca.payloads import Json
from brokers.venue_values import TradeUpdate

FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 30.0
# alpaca-py lets a dead connection pass for a live one for three minutes.
CONNECTION = {
    "ping_interval": 10,
    "ping_timeout": 20,
    "open_timeout": 5,
    "close_timeout": 1,
    # A trade update has some two thousand characters; what waits unread has a size, too.
    "max_size": 2**18,
    "max_queue": 128,
}
LASTING_S = 30.0
"""A connection that ends sooner, and told nothing, did not work: the next one waits longer than the one before."""

log = logging.getLogger(__name__)


class _Unauthorized(Exception):
    """The venue doesn't take the keys."""


class _Straight(Connect):
    """A connection that goes where it was told to go, and nowhere else."""

    def handle_redirect(self, uri: str) -> None:
        raise websockets.SecurityError("the venue sends the trade stream elsewhere; redirects are not followed")


class TradeStream(TradingStream):
    """alpaca-py's stream, with reconnects that end where the keys are wrong and a stop that stops.

    Parameters
    ----------
    key, secret : str
    paper : bool
    url : str or None
        None is Alpaca's own address for the mode.
    on_event : callable
        Gets each trade update as it came (event, order, price, qty, …) and as it was read, in the stream's thread.
    on_state : callable
        Gets True after each connect, False after each loss.
    """

    def __init__(
        self,
        key: str,
        secret: str,
        *,
        paper: bool,
        url: str | None,
        on_event: Callable[[Json, TradeUpdate], None],
        on_state: Callable[[bool], None],
    ) -> None:
        super().__init__(key, secret, paper, raw_data=True, url_override=url or "")
        self._on_event, self._on_state = on_event, on_state
        self._reading: tuple[asyncio.AbstractEventLoop, asyncio.Task[None]] | None = None
        self._stopped = self._heard = False
        self.keys_refused = False
        self.first_wait_s, self.lasting_s = FIRST_WAIT_S, LASTING_S

        async def hand_over(message: Json) -> None:
            event = dict(message.get("data") or {})
            update = update_of(event)
            self._heard |= update.id != ""
            self._tell(self._on_event, event, update)

        self.subscribe_trade_updates(hand_over)

    def run(self) -> None:
        """Read until stopped, or until the venue refuses the keys."""
        with contextlib.suppress(asyncio.CancelledError):
            asyncio.run(self._read())

    def stop(self) -> None:
        """End ``run`` soon; from any thread, any number of times."""
        self._stopped = True
        if (reading := self._reading) is not None:
            loop, task = reading
            # The loop may have ended by itself in the meantime.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(task.cancel)

    def reconnect(self) -> None:
        """Drop the connection, so that the next is made in a moment; from any thread."""
        if (reading := self._reading) is not None:
            with contextlib.suppress(RuntimeError):
                reading[0].call_soon_threadsafe(self._drop)

    def _drop(self) -> None:
        socket: Any = self._ws
        if socket is not None:
            # Not closed in turn: a dead connection answers no closing.
            socket.fail_connection()

    async def _read(self) -> None:
        task = asyncio.current_task()
        assert task is not None, "this is a coroutine of asyncio.run"
        self._reading = (asyncio.get_running_loop(), task)
        wait = self.first_wait_s
        while not self._stopped:
            try:
                began, self._heard = math.inf, False
                await self._start_ws()  # type: ignore[no-untyped-call]  # alpaca-py is untyped here
                began = time.monotonic()
                await self._consume()
            except _Unauthorized:
                self.keys_refused = True
                log.error("the trade stream refuses the keys; it stays closed, and orders are followed by asking")
                return
            except Exception as error:
                # Whatever the venue has sent, the next connection may be free of it.
                if self._heard or time.monotonic() - began >= self.lasting_s:
                    wait = self.first_wait_s
                if not self._stopped:
                    log.warning("trade stream: %s; next try in %.0f s", str(error) or type(error).__name__, wait)
            finally:
                if self._running:
                    self._tell(self._on_state, False)
                await self.close()
            await asyncio.sleep(wait)
            wait = min(2 * wait, LONGEST_WAIT_S)

    async def _connect(self) -> None:
        # alpaca-py's connection would follow a redirect to any host, and hand it key and secret.
        headers = {"User-Agent": get_default_user_agent()}
        socket: Any = await _Straight(self._endpoint, extra_headers=headers, **CONNECTION)  # type: ignore[arg-type]  # its stub is loose
        self._ws = socket

    async def _auth(self) -> None:
        try:
            await super()._auth()  # type: ignore[no-untyped-call]  # as above
        except json.JSONDecodeError:
            raise
        except ValueError as error:
            raise _Unauthorized from error

    async def _consume(self) -> None:
        socket: Any = self._ws
        self._running = True
        self._tell(self._on_state, True)
        while True:
            await self._dispatch(json.loads(await socket.recv()))

    def _tell(self, listener: Callable[..., None], *what: Any) -> None:
        # A listener that fails must not cost the connection.
        try:
            listener(*what)
        except Exception:
            log.exception("a listener of the trade stream failed")
