"""Alpaca's stream of quotes: keeps what is held priced between two looks, without asking for it."""

from __future__ import annotations

import json
import logging
import math
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, Literal

from websockets.sync.client import connect
from websockets.sync.connection import Connection

from brokers.alpaca.market_data import quote_of
from brokers.venue_values import VenueQuote
from config.values.addresses import encrypted_abroad

MOST_SYMBOLS = 30
"""What Alpaca's basic plan streams."""
FRESH_S = 2.0
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0
OPEN_S, POLL_S = 5.0, 0.5
LASTING_S = 30.0
"""A connection that ends sooner, and told no quote, did not work: the next one waits longer than the one before."""
MOST_BYTES = 2**18
"""Of a message; one with the quotes of thirty symbols has some five thousand."""

log = logging.getLogger(__name__)


class AlpacaQuoteStream:
    """A thread that holds the newest quote of a few symbols; a venue without such a stream costs nothing.

    Parameters
    ----------
    url : str
        Of the plan's stream, e.g. ``wss://stream.data.alpaca.markets/v2/iex``.
    key, secret : str
    fresh_s : float
        Local seconds for which a quote counts as the newest.
    """

    def __init__(
        self,
        url: str,
        key: str,
        secret: str,
        fresh_s: float = FRESH_S,
    ) -> None:
        self.url = url
        self.fresh_s = fresh_s
        self._login = {"action": "auth", "key": key, "secret": secret}
        self._on_quote: Callable[[str, float, float], None] = lambda symbol, bid, ask: None
        self._wanted: tuple[str, ...] = ()
        self._watched: frozenset[str] = frozenset()
        self._newest: dict[str, tuple[VenueQuote, float]] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="price-stream", daemon=True)
        self.connected = self._heard = False
        self.first_wait_s, self.lasting_s = FIRST_WAIT_S, LASTING_S

    def start(self, on_quote: Callable[[str, float, float], None]) -> None:
        """Begin; ``on_quote`` gets symbol, bid and ask of each quote, in the stream's thread."""
        self._on_quote = on_quote
        self._thread.start()

    def stop(self, wait_s: float = 2.0) -> None:
        """Close the connection and end the thread."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(wait_s)

    def watch(self, symbols: Iterable[str]) -> None:
        """Follow these symbols from now on, the first ``MOST_SYMBOLS`` of them."""
        self._wanted = tuple(symbols)[:MOST_SYMBOLS]

    @property
    def followed(self) -> frozenset[str]:
        """Symbols whose quotes come now; safe in any thread."""
        return self._watched

    def latest(self, symbol: str) -> VenueQuote | None:
        """The newest quote; None if none came in the last seconds."""
        quote, at = self._newest.get(symbol, (None, 0.0))
        return quote if quote is not None and time.monotonic() - at <= self.fresh_s else None

    def _run(self) -> None:
        wait, told = self.first_wait_s, False
        while not self._stop.is_set():
            try:
                # Through no proxy where the venue is on this machine or what is said is not encrypted.
                proxy: Literal[True] | None = True if encrypted_abroad(self.url) else None
                began, self._heard = math.inf, False
                with connect(
                    self.url, open_timeout=OPEN_S, close_timeout=1.0, proxy=proxy, max_size=MOST_BYTES
                ) as socket:
                    began = time.monotonic()
                    self._read(socket)
            except Exception as error:
                # Whatever it is, the next connection may be free of it.
                if self._heard or time.monotonic() - began >= self.lasting_s:
                    wait, told = self.first_wait_s, False
                if not told:
                    log.info("no stream of prices (%s); quotes are asked for", type(error).__name__)
                told = True
            self.connected, self._watched = False, frozenset()
            self._stop.wait(wait)
            wait = min(wait * 2, LONGEST_WAIT_S)

    def _read(self, socket: Connection) -> None:
        while not self._stop.is_set():
            if self.connected and self._watched != frozenset(self._wanted):
                self._subscribe(socket)
            try:
                frame = socket.recv(timeout=POLL_S)
            except TimeoutError:
                continue
            for message in json.loads(frame):
                self._take(message, socket)

    def _take(self, message: dict[str, Any], socket: Connection) -> None:
        kind = message.get("T")
        if kind == "success" and message.get("msg") == "connected":
            socket.send(json.dumps(self._login))
        elif kind == "success" and message.get("msg") == "authenticated":
            self.connected = True
        elif kind == "error":
            raise ValueError(str(message.get("msg")))
        elif kind == "q":
            symbol, quote = str(message["S"]), quote_of(message)
            self._heard |= not quote.unreadable
            self._newest[symbol] = (quote, time.monotonic())
            self._on_quote(symbol, float(quote.bid), float(quote.ask))

    def _subscribe(self, socket: Connection) -> None:
        wanted = frozenset(self._wanted)
        for action, names in (("subscribe", wanted - self._watched), ("unsubscribe", self._watched - wanted)):
            if names:
                socket.send(json.dumps({"action": action, "quotes": sorted(names)}))
        self._watched = wanted
