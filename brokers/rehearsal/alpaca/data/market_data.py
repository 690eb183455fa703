"""Alpaca's market data API as paths, answered from the trades up to the venue's present."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial

from brokers.rehearsal.alpaca.data.data_json import bar_json, quote_json, trade_json
from brokers.rehearsal.alpaca.data.history import HistoricalData
from brokers.rehearsal.alpaca.data.meta import add_meta
from brokers.rehearsal.alpaca.data.parameters import bad, latest_delay
from brokers.rehearsal.alpaca.errors import ApiError
from brokers.rehearsal.alpaca.json_bodies import Json
from brokers.rehearsal.alpaca.queries import names
from brokers.rehearsal.alpaca.routes import Call, Routes
from brokers.rehearsal.core.bar_playback import DAY, MINUTE, BarPlayback, to_ns
from brokers.rehearsal.core.ledger import VenueLedger
from brokers.rehearsal.core.model import ZERO
from brokers.rehearsal.core.settings import VenueSettings

# What a daily bar is looked for in: no closure of the exchange has lasted two weeks since 1914.
FORTNIGHT = timedelta(days=14)

View = Callable[[str, datetime], Json | None]


class MarketDataApi:
    """The paths below /v2/stocks.

    Parameters
    ----------
    playback : BarPlayback
    now : callable
        The venue's present.
    settings : VenueSettings
        Tells the spread.
    """

    def __init__(self, playback: BarPlayback, now: Callable[[], datetime], settings: VenueSettings) -> None:
        self._playback, self._now = playback, now
        self._ledger = VenueLedger(settings, ZERO, ZERO)
        self._history = HistoricalData(playback, now, self._ledger)

    def add_to(self, routes: Routes) -> None:
        """Register every path."""
        add_meta(routes)
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
        self._history.add_to(routes)

    def quote(self, symbol: str, now: datetime) -> Json | None:
        """The best bid and ask; renewed for as long as the symbol trades. None where nothing is known."""
        last = self._playback.last(symbol, now)
        if last is None:
            return None
        at, price, _, trades_on = last
        return quote_json(to_ns(now) if trades_on else at, *self._ledger.bid_ask(Decimal(str(price))))

    def trade(self, symbol: str, now: datetime) -> Json | None:
        """The last trade; None where nothing is known."""
        last = self._playback.last(symbol, now)
        return None if last is None else trade_json(*last[:3])

    def minute_bar(self, symbol: str, now: datetime) -> Json | None:
        """The minute of the last trade; None where nothing is known."""
        last = self._playback.last(symbol, now)
        if last is None:
            return None
        begins = now - timedelta(microseconds=(to_ns(now) - last[0]) // 1_000) - timedelta(minutes=1)
        return bar_json(self._playback.bars(symbol, MINUTE, begins, now, now)[-1])

    def daily_bar(self, symbol: str, now: datetime) -> Json | None:
        """The newest day, as far as it has come; None where nothing is known."""
        days = self._playback.bars(symbol, DAY, now - FORTNIGHT, now, now)
        return bar_json(days[-1]) if days else None

    def _snapshot(self, symbol: str, now: datetime) -> Json | None:
        trade = self.trade(symbol, now)
        if trade is None:
            return None
        days = [bar_json(bar) for bar in self._playback.bars(symbol, DAY, now - FORTNIGHT, now, now)]
        found = {
            "latestTrade": trade,
            "latestQuote": self.quote(symbol, now),
            "minuteBar": self.minute_bar(symbol, now),
            "dailyBar": days[-1] if days else None,
            "prevDailyBar": days[-2] if len(days) > 1 else None,
        }
        return {key: value for key, value in found.items() if value is not None}

    def _named(self, name: str, view: View, call: Call) -> Json:
        return {name: self._many(view, call)}

    def _many(self, view: View, call: Call) -> dict[str, Json]:
        symbols = names(call.query, "symbols")
        if not symbols:
            raise bad("symbols parameter is required")
        now = self._seen(call)
        found = {symbol: view(symbol, now) for symbol in sorted(set(symbols))}
        return {symbol: body for symbol, body in found.items() if body is not None}

    def _one(self, name: str, view: View, call: Call) -> Json:
        body = view(call.ids[0], self._seen(call))
        if body is None:
            raise ApiError(404, {"message": f"no {name} found for {call.ids[0]}"})
        return {"symbol": call.ids[0], name: body}

    def _snapshot_of_one(self, call: Call) -> Json:
        body = self._snapshot(call.ids[0], self._seen(call))
        if body is None:
            raise ApiError(404, {"message": f"no snapshot found for {call.ids[0]}"})
        return {**body, "symbol": call.ids[0]}

    def _seen(self, call: Call) -> datetime:
        """The moment whose data a request for the latest may see."""
        now = self._now()
        return now - latest_delay(call.query, now)
