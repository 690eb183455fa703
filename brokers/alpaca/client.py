"""Everything that is asked of the venue, in its own words: dictionaries as they come."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from alpaca.common.enums import BaseURL

from brokers.alpaca.errors import NOT_FOUND, AlpacaRefusal
from brokers.alpaca.http import DataHttp, Timeouts, TradingHttp
from brokers.alpaca.limits import WINDOW_S, SlidingWindowLimiter
from brokers.alpaca.pagination import all_orders, in_parts
from brokers.alpaca.responses import Json, object_of, order_of, rows_of, text_of, time_of
from brokers.network.admission import Admission
from brokers.network.breaker import CircuitBreaker
from brokers.network.clock import VenueClock
from brokers.network.time_budget import time_budget
from brokers.venue_errors import ClockInDoubt, OutcomeUnknown, VenueUnavailable
from brokers.venue_values import VenueTime

BARS_PAGE, MOST_PAGES = 10_000, 500
MOST_POSITIONS = 500
"""Each that is not ours is looked after one by one."""
DAY_MINUTES = 1440
INVALID = (400, 422)
HOUR_MINUTES = 60
LONGEST_CLOSED = timedelta(days=30)
"""Farther off than that no exchange opens."""
SYMBOL = re.compile(r"[A-Z0-9][A-Z0-9./-]*")


@dataclass(slots=True)
class _Reading:
    """Bars that come page by page: what was asked, what is asked next, and what has come."""

    asked: Json
    next: Json
    found: dict[str, list[Json]] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)
    whole: bool = False


class VenueClient:
    """One account at Alpaca, or at whatever speaks its protocol.

    Parameters
    ----------
    key, secret : str
    paper : bool
    trading_url, data_url : str, optional
        By default Alpaca's own for the mode.
    feed : {"iex", "sip"}
        The plan's market data.
    bucket : SlidingWindowLimiter, optional
        Shared by everything that asks in this account's name.
    breaker : CircuitBreaker, optional
        Of the trading host. The data host has one of its own, ``data_breaker``: what is the matter with one says
        nothing of the other.
    timeouts : Timeouts, optional
    clock : VenueClock, optional
    admission : Admission, optional
        Which requests that change orders may leave; none do without it.

    Raises
    ------
    VenueError
        From every method; see ``brokers.alpaca.errors``.
    """

    def __init__(
        self,
        key: str,
        secret: str,
        *,
        paper: bool,
        trading_url: str | None = None,
        data_url: str | None = None,
        feed: str = "iex",
        bucket: SlidingWindowLimiter | None = None,
        breaker: CircuitBreaker | None = None,
        timeouts: Timeouts | None = None,
        clock: VenueClock | None = None,
        admission: Admission | None = None,
    ) -> None:
        self.clock = clock or VenueClock()
        # The venue counts in its own minutes.
        self.bucket = bucket or SlidingWindowLimiter(window_s=self.clock.local(WINDOW_S))
        self.breaker = breaker or CircuitBreaker()
        self.data_breaker = CircuitBreaker("data")
        self.feed = feed
        self.trading_url = trading_url or (BaseURL.TRADING_PAPER if paper else BaseURL.TRADING_LIVE).value
        self.unknown_symbols: set[str] = set()
        self._readings: dict[str, _Reading] = {}
        """Bars that came before an answer was missing, by the symbols that were asked for."""
        self.trading = TradingHttp(key, secret, paper=paper, url_override=self.trading_url)
        self.data = DataHttp(key, secret, url_override=data_url or BaseURL.DATA.value)
        for http, guard in ((self.trading, self.breaker), (self.data, self.data_breaker)):
            http.harden(self.bucket, guard, timeouts or Timeouts())
        if admission is not None:
            self.trading.admit = lambda method, path, body: admission.admits(order_named(method, path, body))
            self.trading.urgent = lambda method, path, body: admission.urgent(order_named(method, path, body))

    @property
    def gone(self) -> str:
        """Which host counts as gone, in words; empty if none does."""
        names = [breaker.name for breaker in (self.breaker, self.data_breaker) if breaker.open]
        return f"circuit breaker open ({', '.join(names)})" if names else ""

    @property
    def gone_for_data_alone(self) -> bool:
        """Whether the host of market data counts as gone, and that of orders and positions doesn't."""
        return self.data_breaker.open and not self.breaker.open

    @staticmethod
    def budget(seconds: float) -> AbstractContextManager[None]:
        """Bound the time of everything asked inside."""
        return time_budget(seconds)

    def account(self) -> Json:
        return object_of(self.trading.get("/account"))

    def positions(self) -> list[Json]:
        rows = rows_of(self.trading.get("/positions"))
        if len(rows) > MOST_POSITIONS:
            raise VenueUnavailable(f"{len(rows)} positions are listed, more than an account here can have")
        return rows

    def venue_clock(self) -> VenueTime:
        """The venue's clock; ours follows it from here on.

        A reading far from the one before is no answer until the next one agrees with it.
        """
        sent, again = self.clock.monotonic(), self.clock.in_doubt
        raw = object_of(self.trading.get("/clock"))
        try:
            told = VenueTime(
                time_of(raw["timestamp"]), raw["is_open"], time_of(raw["next_open"]), time_of(raw["next_close"])
            )
        except (KeyError, ValueError) as error:
            raise VenueUnavailable(f"the venue's clock cannot be read ({error})") from None
        if not (told.now <= told.next_open <= told.now + LONGEST_CLOSED and told.now <= told.next_close):
            raise VenueUnavailable(f"the venue's clock is at {told.now} and opens at {told.next_open}")
        if not isinstance(told.is_open, bool):
            raise VenueUnavailable("the venue's clock does not say whether the market is open")
        if not self.clock.heard(told.now, sent, self.clock.monotonic()):
            far = f"the venue's clock says {told.now}, far from what it said before; it is read again"
            raise ClockInDoubt(far, again)
        return told

    def open_orders(self) -> list[Json]:
        """Every open order, legs inside, whatever the number of pages."""
        return self._listed({"status": "open", "nested": "true", "direction": "desc"})

    def orders_since(self, after: datetime, nested: bool = True) -> list[Json]:
        """Every order submitted after a time, ended or not, oldest first."""
        query = {"status": "all", "nested": str(nested).lower(), "direction": "asc", "after": text_of(after)}
        return self._listed(query)

    def order(self, venue_id: str, nested: bool = True) -> Json:
        return order_of(self.trading.get(_path(venue_id), {"nested": str(nested).lower()}))

    def order_by_client_id(self, client_order_id: str) -> Json | None:
        """The order of that name; None if the venue has none."""
        try:
            return order_of(self.trading.get("/orders:by_client_order_id", {"client_order_id": client_order_id}))
        except AlpacaRefusal as refusal:
            if refusal.status == NOT_FOUND:
                return None
            raise

    def submit(self, payload: Mapping[str, Any]) -> Json:
        return order_of(self.trading.post("/orders", dict(payload)), OutcomeUnknown)

    def replace(self, venue_id: str, patch: Mapping[str, Any]) -> Json:
        """The order that is to take the place of another one.

        Raises
        ------
        OutcomeUnknown
            Also where another order is told, the old one or one of another name: the new one may be there or not.
        """
        told = order_of(self.trading.patch(_path(venue_id), dict(patch)), OutcomeUnknown)
        wanted, name = patch.get("client_order_id"), told.get("client_order_id")
        if str(told["id"]) == venue_id or (wanted and name and name != wanted):
            raise OutcomeUnknown(f"the answer is of order {told['id']}, {name}, and not of the one that was asked for")
        return told

    def cancel(self, venue_id: str) -> None:
        self.trading.delete(_path(venue_id))

    def asset(self, symbol: str) -> Json | None:
        """What the venue knows of a symbol; None if it doesn't."""
        try:
            return object_of(self.trading.get(f"/assets/{quote(symbol, safe='')}"))
        except AlpacaRefusal as refusal:
            if refusal.status == NOT_FOUND:
                return None
            raise

    def bars(
        self,
        symbols: Iterable[str],
        minutes: int,
        start: datetime,
        end: datetime | None = None,
        adjustment: str = "all",
    ) -> dict[str, list[Json]]:
        """Bars by symbol, oldest first; one request for each 10,000 of them, and for some hundreds of symbols.

        ``minutes`` 1440 is a day.

        Where ``end`` is given and a page is not answered, those before it are kept: asked for the same again, it
        goes on from there.
        """
        query: Json = {
            "timeframe": timeframe(minutes),
            "start": text_of(start),
            "limit": BARS_PAGE,
            "adjustment": adjustment,
            "feed": self.feed,
            "sort": "asc",
        }
        if end is not None:
            query["end"] = text_of(end)
        found: dict[str, list[Json]] = {}
        for part in in_parts(self._known(symbols)):
            found |= self._bars_of(part, query)
        self._readings.clear()
        return found

    def _bars_of(self, wanted: list[str], query: Json) -> dict[str, list[Json]]:
        while wanted:
            try:
                return self._bar_pages({**query, "symbols": ",".join(wanted)})
            except AlpacaRefusal as refusal:
                wanted = self._without_unknown(wanted, refusal)
        return {}

    def latest_quotes(self, symbols: Iterable[str]) -> dict[str, Json]:
        """The newest quote of each symbol that has one; one request for some hundreds."""
        found: dict[str, Json] = {}
        for part in in_parts(self._known(symbols)):
            found |= self._quotes_of(part)
        return found

    def _quotes_of(self, wanted: list[str]) -> dict[str, Json]:
        while wanted:
            try:
                told = self.data.get("/stocks/quotes/latest", {"symbols": ",".join(wanted), "feed": self.feed})
            except AlpacaRefusal as refusal:
                wanted = self._without_unknown(wanted, refusal)
                continue
            return {symbol: object_of(row) for symbol, row in _part(object_of(told), "quotes").items()}
        return {}

    def _listed(self, query: Json) -> list[Json]:
        return all_orders(lambda page: self.trading.get("/orders", page), query)

    def _bar_pages(self, query: Json) -> dict[str, list[Json]]:
        kept = self._readings.get(query["symbols"])
        reading = kept if kept is not None and kept.asked == query else _Reading(query, query)
        if "end" in query:
            # Without an end the same request means something else a moment later.
            self._readings[query["symbols"]] = reading
        while not reading.whole:
            try:
                page = object_of(self.data.get("/stocks/bars", reading.next))
            except AlpacaRefusal:
                self._readings.pop(query["symbols"], None)
                raise
            if len(reading.tokens) >= MOST_PAGES:
                raise VenueUnavailable(f"the pages of bars do not end after {MOST_PAGES}")
            for symbol, rows in _part(page, "bars").items():
                reading.found.setdefault(symbol, []).extend([] if rows is None else rows_of(rows))
            token = page.get("next_page_token")
            if not token:
                reading.whole = True
                break
            if not isinstance(token, str):
                self._readings.pop(query["symbols"], None)
                raise VenueUnavailable("the next page of bars has no name")
            if token in reading.tokens:
                self._readings.pop(query["symbols"], None)
                raise VenueUnavailable("the pages of bars go in circles")
            reading.tokens.add(token)
            reading.next = {**query, "page_token": token}
        return reading.found

    def _known(self, symbols: Iterable[str]) -> list[str]:
        return [symbol for symbol in dict.fromkeys(symbols) if symbol not in self.unknown_symbols]

    def _without_unknown(self, wanted: list[str], refusal: AlpacaRefusal) -> list[str]:
        """The symbols that a refusal doesn't name; raises it if it names none."""
        told = {word.rstrip("./-") for word in SYMBOL.findall(refusal.message.partition("symbol")[2])}
        named = told & set(wanted)
        if refusal.status not in INVALID or not named:
            raise refusal
        self.unknown_symbols |= named
        return [symbol for symbol in wanted if symbol not in named]


def order_named(method: str, path: str, body: Mapping[str, Any] | None) -> str:
    """What a request calls its order; empty where it is nothing that an order gateway sends."""
    if method in ("POST", "PATCH"):
        return str((body or {}).get("client_order_id") or "")
    return path.rpartition("/")[2] if method == "DELETE" else ""


def timeframe(minutes: int) -> str:
    """The venue's name of a length of bars.

    Raises
    ------
    ValueError
        The venue has none of that length: minutes up to 59, whole hours up to 23, one day.
    """
    hours, rest = divmod(minutes, HOUR_MINUTES)
    if minutes == DAY_MINUTES:
        return "1Day"
    if 0 < minutes < HOUR_MINUTES:
        return f"{minutes}Min"
    if rest or not 0 < minutes < DAY_MINUTES:
        raise ValueError(f"the venue has no bars of {minutes} minutes")
    return f"{hours}Hour"


def _part(answer: Json, name: str) -> Json:
    """An object inside the answer; the venue leaves it out, or null, where it has nothing to tell."""
    part = answer.get(name)
    return {} if part is None else object_of(part)


def _path(venue_id: str) -> str:
    if not venue_id:
        # Without it the request would be about all orders.
        raise ValueError("an order at the venue needs its id")
    return f"/orders/{quote(venue_id, safe='')}"
