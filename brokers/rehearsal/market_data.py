"""Alpaca's market data API as paths, answered from the tape up to the venue's present.

The account has Alpaca's basic plan: real time from the feed ``iex``; ``sip``, the default of historical
requests, ends 15 minutes ago. All feeds show the same market, prices as the file has them whatever the
adjustment asked for.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable
from datetime import datetime, time, timedelta
from decimal import Decimal
from functools import partial

from brokers.rehearsal.errors import ApiError
from brokers.rehearsal.hours import NEW_YORK_ZONE
from brokers.rehearsal.ledger import ZERO, Ledger
from brokers.rehearsal.model import Json
from brokers.rehearsal.queries import Query, moment, names, whole
from brokers.rehearsal.rest import Call, Routes
from brokers.rehearsal.settings import VenueSettings
from brokers.rehearsal.tape import DAY, MINUTE, Tape, Timeframe, to_ns, zulu

DEFAULT_LIMIT, LARGEST_LIMIT = 1_000, 10_000
SIP_DELAY = timedelta(minutes=15)
# What a daily bar is looked for in: no closure of the exchange has lasted two weeks since 1914.
FORTNIGHT = timedelta(days=14)
QUOTE_SIZE = 100
EXCHANGE_CODE, TAPE_CODE = "V", "C"

View = Callable[[str], Json | None]


def _bad(message: str) -> ApiError:
    return ApiError(400, {"message": message})


class MarketDataApi:
    """The paths below /v2/stocks.

    Parameters
    ----------
    tape : Tape
    now : callable
        The venue's present.
    settings : VenueSettings
        Tells the spread.
    """

    def __init__(self, tape: Tape, now: Callable[[], datetime], settings: VenueSettings) -> None:
        self._tape, self._now = tape, now
        self._ledger = Ledger(settings, ZERO, ZERO)

    def add_to(self, routes: Routes) -> None:
        """Register every path."""
        routes.add("GET", "/v2/stocks/bars", lambda call: self._bars(call.query, names(call.query, "symbols")))
        routes.add("GET", "/v2/stocks/{}/bars", self._bars_of_one)
        views: dict[str, tuple[str, str, View]] = {
            "bars/latest": ("bars", "bar", self.minute_bar),
            "quotes/latest": ("quotes", "quote", self.quote),
            "trades/latest": ("trades", "trade", self.trade),
        }
        for path, (plural, single, view) in views.items():
            routes.add("GET", f"/v2/stocks/{path}", partial(self._named, plural, view))
            routes.add("GET", f"/v2/stocks/{{}}/{path}", partial(self._one, single, view))
        routes.add("GET", "/v2/stocks/snapshots", partial(self._many, self._snapshot))
        routes.add("GET", "/v2/stocks/{}/snapshot", self._snapshot_of_one)

    def quote(self, symbol: str) -> Json | None:
        """The best bid and ask; renewed for as long as the symbol trades. None where nothing is known."""
        last = self._tape.last(symbol, self._now())
        if last is None:
            return None
        at, price, _, trades_on = last
        bid, ask = self._ledger.bid_ask(Decimal(str(price)))
        return {
            "t": zulu(to_ns(self._now()) if trades_on else at),
            "bx": EXCHANGE_CODE,
            "bp": float(bid),
            "bs": QUOTE_SIZE,
            "ax": EXCHANGE_CODE,
            "ap": float(ask),
            "as": QUOTE_SIZE,
            "c": ["R"],
            "z": TAPE_CODE,
        }

    def trade(self, symbol: str) -> Json | None:
        """The last trade; None where nothing is known."""
        last = self._tape.last(symbol, self._now())
        if last is None:
            return None
        at, price, shares, _ = last
        return {
            "t": zulu(at),
            "x": EXCHANGE_CODE,
            "p": price,
            "s": shares,
            "c": ["@"],
            "i": at // 1_000,
            "z": TAPE_CODE,
        }

    def minute_bar(self, symbol: str) -> Json | None:
        """The minute of the last trade; None where nothing is known."""
        now = self._now()
        last = self._tape.last(symbol, now)
        if last is None:
            return None
        begins = now - timedelta(microseconds=(to_ns(now) - last[0]) // 1_000) - timedelta(minutes=1)
        bars = self._tape.bars(symbol, MINUTE, begins, now, now)
        return bars[-1]

    def _snapshot(self, symbol: str) -> Json | None:
        trade = self.trade(symbol)
        if trade is None:
            return None
        now = self._now()
        days = self._tape.bars(symbol, DAY, now - FORTNIGHT, now, now)
        found = {
            "latestTrade": trade,
            "latestQuote": self.quote(symbol),
            "minuteBar": self.minute_bar(symbol),
            "dailyBar": days[-1] if days else None,
            "prevDailyBar": days[-2] if len(days) > 1 else None,
        }
        return {key: value for key, value in found.items() if value is not None}

    def _named(self, name: str, view: View, call: Call) -> Json:
        return {name: self._many(view, call)}

    def _many(self, view: View, call: Call) -> dict[str, Json]:
        symbols = names(call.query, "symbols")
        if not symbols:
            raise _bad("symbols parameter is required")
        self._check_feed(call.query)
        found = {symbol: view(symbol) for symbol in sorted(set(symbols))}
        return {symbol: body for symbol, body in found.items() if body is not None}

    def _one(self, name: str, view: View, call: Call) -> Json:
        self._check_feed(call.query)
        body = view(call.ids[0])
        if body is None:
            raise ApiError(404, {"message": f"no {name} found for {call.ids[0]}"})
        return {"symbol": call.ids[0], name: body}

    def _snapshot_of_one(self, call: Call) -> Json:
        self._check_feed(call.query)
        body = self._snapshot(call.ids[0])
        if body is None:
            raise ApiError(404, {"message": f"no snapshot found for {call.ids[0]}"})
        return {**body, "symbol": call.ids[0]}

    def _check_feed(self, query: Query) -> None:
        if query.get("feed") == "sip":
            raise ApiError(403, {"message": "subscription does not permit querying recent SIP data"})

    def _bars_of_one(self, call: Call) -> Json:
        symbol = call.ids[0]
        body = self._bars(call.query, [symbol])
        bars = body["bars"]
        return {**body, "bars": bars.get(symbol, []) if isinstance(bars, dict) else [], "symbol": symbol}

    def _bars(self, query: Query, symbols: Iterable[str]) -> Json:
        symbols = sorted(set(symbols))
        if not symbols:
            raise _bad("symbols parameter is required")
        timeframe = Timeframe.read(query.get("timeframe", ""))
        if timeframe is None:
            raise _bad(f"invalid timeframe: {query.get('timeframe', '')}")
        start, end = self._window(query)
        limit = whole(query, "limit") or DEFAULT_LIMIT
        if not 0 < limit <= LARGEST_LIMIT:
            raise _bad(f"limit must be between 1 and {LARGEST_LIMIT}")
        newest_first = query.get("sort") == "desc"
        after = _read_token(query.get("page_token", ""))
        found: dict[str, list[Json]] = {}
        room = limit
        last: tuple[str, str] | None = None
        for symbol in symbols:
            if after is not None and symbol < after[0]:
                continue
            bars = self._tape.bars(symbol, timeframe, start, end, self._now())
            if newest_first:
                bars.reverse()
            if after is not None and symbol == after[0]:
                stamps = [bar["t"] for bar in bars]
                bars = bars[stamps.index(after[1]) + 1 :] if after[1] in stamps else bars
            if not bars:
                continue
            if room == 0:
                return {"bars": found, "next_page_token": _token(last)}
            found[symbol] = bars[:room]
            room -= len(found[symbol])
            last = symbol, str(found[symbol][-1]["t"])
            if len(bars) > len(found[symbol]):
                return {"bars": found, "next_page_token": _token(last)}
        return {"bars": found, "next_page_token": None}

    def _window(self, query: Query) -> tuple[datetime, datetime]:
        now = self._now()
        try:
            start, end = moment(query, "start"), moment(query, "end")
        except ApiError as error:
            raise _bad(str(error.body["message"])) from None
        newest = now - SIP_DELAY if query.get("feed", "sip") == "sip" else now
        if end is not None and newest < min(end, now):
            raise ApiError(403, {"message": "subscription does not permit querying recent SIP data"})
        midnight = datetime.combine(now.astimezone(NEW_YORK_ZONE).date(), time(), NEW_YORK_ZONE)
        start, end = start or midnight, end or newest
        if end < start:
            raise _bad("end should not be before start")
        return start, end


def _token(last: tuple[str, str] | None) -> str | None:
    return b64encode("|M|".join(last).encode()).decode() if last else None


def _read_token(text: str) -> tuple[str, str] | None:
    """Symbol and time of the last bar of the page before."""
    if not text:
        return None
    try:
        symbol, _, stamp = b64decode(text, validate=True).decode().split("|")
    except ValueError:
        raise _bad("invalid page_token") from None
    return symbol, stamp
