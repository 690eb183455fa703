"""Everything that is asked of the venue, in its own words: dictionaries as they come."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

from alpaca.common.enums import BaseURL

from brokers.venue.clock import VenueClock, VenueTime
from brokers.venue.errors import VenueRefusal, VenueUnavailable
from brokers.venue.http import DataHttp, TradingHttp, time_budget
from brokers.venue.limits import CircuitBreaker, TokenBucket

Json = dict[str, Any]

PAGE = 500
BARS_PAGE = 10_000
DAY_MINUTES = 1440
NOT_FOUND = 404
INVALID = (400, 422)


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
    clock : VenueClock, optional

    Raises
    ------
    VenueError
        From every method; see ``brokers.venue.errors``.
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
        clock: VenueClock | None = None,
    ) -> None:
        self.clock = clock or VenueClock()
        self.bucket = TokenBucket(clock=self.clock.seconds, sleep=self.clock.sleep)
        self.breaker = CircuitBreaker()
        self.feed = feed
        self.trading_url = trading_url or (BaseURL.TRADING_PAPER if paper else BaseURL.TRADING_LIVE).value
        self.unknown_symbols: set[str] = set()
        self.trading = TradingHttp(key, secret, paper=paper, url_override=self.trading_url)
        self.data = DataHttp(key, secret, url_override=data_url or BaseURL.DATA.value)
        for http in (self.trading, self.data):
            http.harden(self.bucket, self.breaker)

    @staticmethod
    def budget(seconds: float) -> AbstractContextManager[None]:
        """Bound the time of everything asked inside."""
        return time_budget(seconds)

    def account(self) -> Json:
        return _object(self.trading.get("/account"))

    def positions(self) -> list[Json]:
        return _rows(self.trading.get("/positions"))

    def venue_clock(self) -> VenueTime:
        """The venue's clock; ours follows it from here on."""
        sent = time.monotonic()
        raw = _object(self.trading.get("/clock"))
        try:
            told = VenueTime(
                _time(raw["timestamp"]), bool(raw["is_open"]), _time(raw["next_open"]), _time(raw["next_close"])
            )
        except (KeyError, ValueError) as error:
            raise VenueUnavailable(f"the venue's clock cannot be read ({error})") from None
        self.clock.heard(told.now, sent, time.monotonic())
        return told

    def open_orders(self) -> list[Json]:
        """Every open order, legs inside, whatever the number of pages."""
        return self._paged({"status": "open", "nested": "true", "direction": "desc"}, "until")

    def orders_since(self, after: datetime, nested: bool = True) -> list[Json]:
        """Every order submitted after a time, ended or not, oldest first."""
        query = {"status": "all", "nested": str(nested).lower(), "direction": "asc", "after": _text(after)}
        return self._paged(query, "after")

    def order(self, venue_id: str, nested: bool = True) -> Json:
        return _object(self.trading.get(f"/orders/{venue_id}", {"nested": str(nested).lower()}))

    def order_by_client_id(self, client_order_id: str) -> Json | None:
        """The order of that name; None if the venue has none."""
        try:
            return _object(self.trading.get("/orders:by_client_order_id", {"client_order_id": client_order_id}))
        except VenueRefusal as refusal:
            if refusal.status == NOT_FOUND:
                return None
            raise

    def submit(self, payload: Mapping[str, Any]) -> Json:
        return _object(self.trading.post("/orders", dict(payload)))

    def replace(self, venue_id: str, patch: Mapping[str, Any]) -> Json:
        return _object(self.trading.patch(f"/orders/{venue_id}", dict(patch)))

    def cancel(self, venue_id: str) -> None:
        self.trading.delete(f"/orders/{venue_id}")

    def asset(self, symbol: str) -> Json | None:
        """What the venue knows of a symbol; None if it doesn't."""
        try:
            return _object(self.trading.get(f"/assets/{symbol}"))
        except VenueRefusal as refusal:
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
        """Bars by symbol, oldest first; one request for each 10,000 of them. ``minutes`` 1440 is a day."""
        query: Json = {
            "timeframe": "1Day" if minutes == DAY_MINUTES else f"{minutes}Min",
            "start": _text(start),
            "limit": BARS_PAGE,
            "adjustment": adjustment,
            "feed": self.feed,
            "sort": "asc",
        }
        if end is not None:
            query["end"] = _text(end)
        found: dict[str, list[Json]] = {}
        wanted = self._known(symbols)
        while wanted:
            try:
                page = _object(self.data.get("/stocks/bars", {**query, "symbols": ",".join(wanted)}))
            except VenueRefusal as refusal:
                wanted = self._without_unknown(wanted, refusal)
                continue
            for symbol, rows in (page.get("bars") or {}).items():
                found.setdefault(symbol, []).extend(rows or [])
            token = page.get("next_page_token")
            if not token or token == query.get("page_token"):
                break
            query["page_token"] = token
        return found

    def latest_quotes(self, symbols: Iterable[str]) -> dict[str, Json]:
        """The newest quote of each symbol that has one; one request."""
        wanted = self._known(symbols)
        while wanted:
            try:
                told = self.data.get("/stocks/quotes/latest", {"symbols": ",".join(wanted), "feed": self.feed})
            except VenueRefusal as refusal:
                wanted = self._without_unknown(wanted, refusal)
                continue
            return dict(_object(told).get("quotes") or {})
        return {}

    def _known(self, symbols: Iterable[str]) -> list[str]:
        return [symbol for symbol in dict.fromkeys(symbols) if symbol not in self.unknown_symbols]

    def _without_unknown(self, wanted: list[str], refusal: VenueRefusal) -> list[str]:
        """The symbols that a refusal doesn't name; raises it if it names none."""
        named = {symbol for symbol in wanted if symbol in refusal.message.replace(",", " ").replace(":", " ").split()}
        if refusal.status not in INVALID or not named:
            raise refusal
        self.unknown_symbols |= named
        return [symbol for symbol in wanted if symbol not in named]

    def _paged(self, query: Json, bound: str) -> list[Json]:
        """All pages of a listing, each order once. Pages overlap, as several orders may share a time."""
        found: dict[str, Json] = {}
        query = {**query, "limit": PAGE}
        while True:
            page = _rows(self.trading.get("/orders", query))
            fresh = [row for row in page if str(row.get("id")) not in found]
            found.update((str(row["id"]), row) for row in fresh)
            if len(page) < PAGE or not fresh:
                return list(found.values())
            last = _time(page[-1].get("submitted_at") or page[-1]["created_at"])
            step = timedelta(microseconds=1)
            query[bound] = _text(last + step if bound == "until" else last - step)


def _object(answer: Any) -> Json:
    if not isinstance(answer, dict):
        raise VenueUnavailable("the answer is not what was asked for")
    return answer


def _rows(answer: Any) -> list[Json]:
    if not isinstance(answer, list):
        raise VenueUnavailable("the answer is not what was asked for")
    return answer


def _time(text: Any) -> datetime:
    moment = datetime.fromisoformat(str(text))
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return moment


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
