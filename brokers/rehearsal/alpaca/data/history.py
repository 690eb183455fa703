"""The past: bars of any length, trades, quotes and auctions, page by page."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from decimal import Decimal

from brokers.rehearsal.alpaca.data.data_json import EXCHANGE_CODE, bar_json, quote_json, trade_json, zulu
from brokers.rehearsal.alpaca.data.parameters import Window, bad, paged, read_window
from brokers.rehearsal.alpaca.data.timeframes import read_timeframe
from brokers.rehearsal.alpaca.json_bodies import Json
from brokers.rehearsal.alpaca.queries import Query, names
from brokers.rehearsal.alpaca.routes import Call, Routes
from brokers.rehearsal.alpaca.us_hours import US_HOURS
from brokers.rehearsal.core.bar_playback import BarPlayback, from_ns
from brokers.rehearsal.core.hours import Phase
from brokers.rehearsal.core.ledger import VenueLedger

Reader = Callable[[str, Window], list[Json]]
OPENING, CLOSING = "O", "M"
DAY = timedelta(days=1)


class HistoricalData:
    """The historical paths below /v2/stocks.

    Parameters
    ----------
    playback : BarPlayback
    now : callable
        The venue's present.
    ledger : VenueLedger
        Tells the spread.
    """

    def __init__(self, playback: BarPlayback, now: Callable[[], datetime], ledger: VenueLedger) -> None:
        self._playback, self._now, self._ledger = playback, now, ledger

    def add_to(self, routes: Routes) -> None:
        """Register every path."""
        kinds: dict[str, tuple[Callable[[Query], Reader], tuple[str, ...]]] = {
            "bars": (self._bars, ("sip", "iex")),
            "trades": (lambda _: self._trades, ("sip", "iex")),
            "quotes": (lambda _: self._quotes, ("sip", "iex")),
            "auctions": (lambda _: self._auctions, ("sip",)),
        }
        for name, (reader, feeds) in kinds.items():
            routes.add("GET", f"/v2/stocks/{name}", self._many(name, reader, feeds))
            routes.add("GET", f"/v2/stocks/{{}}/{name}", self._one(name, reader, feeds))

    def _many(self, name: str, reader: Callable[[Query], Reader], feeds: tuple[str, ...]) -> Callable[[Call], Json]:
        def answer(call: Call) -> Json:
            page, token = self._page(call.query, names(call.query, "symbols"), reader, feeds)
            return {name: page, "next_page_token": token}

        return answer

    def _one(self, name: str, reader: Callable[[Query], Reader], feeds: tuple[str, ...]) -> Callable[[Call], Json]:
        def answer(call: Call) -> Json:
            page, token = self._page(call.query, call.ids, reader, feeds)
            return {name: page.get(call.ids[0], []), "next_page_token": token, "symbol": call.ids[0]}

        return answer

    def _page(
        self, query: Query, symbols: Iterable[str], reader: Callable[[Query], Reader], feeds: tuple[str, ...]
    ) -> tuple[dict[str, list[Json]], str | None]:
        wanted = sorted(set(symbols))
        if not wanted:
            raise bad("symbols parameter is required")
        read = reader(query)
        window = read_window(query, self._now(), feeds)
        if window.after is not None:
            if window.after[0] not in wanted:
                raise bad("invalid page_token: it is of another request")
            # What earlier pages told is not read again for each of the later ones.
            wanted = wanted[wanted.index(window.after[0]) :]
        return paged(window, ((symbol, read(symbol, window)) for symbol in wanted))

    def _bars(self, query: Query) -> Reader:
        timeframe = read_timeframe(query.get("timeframe", ""))
        if timeframe is None:
            raise bad(f"invalid timeframe: {query.get('timeframe', '')}")
        return lambda symbol, window: [
            bar_json(bar) for bar in self._playback.bars(symbol, timeframe, window.start, window.end, self._now())
        ]

    def _trades(self, symbol: str, window: Window) -> list[Json]:
        return [trade_json(*trade) for trade in self._playback.trades(symbol, window.start, window.end, self._now())]

    def _quotes(self, symbol: str, window: Window) -> list[Json]:
        """The quote around each trade."""
        return [
            quote_json(at, *self._ledger.bid_ask(Decimal(str(price))))
            for at, price, _ in self._playback.trades(symbol, window.start, window.end, self._now())
        ]

    def _auctions(self, symbol: str, window: Window) -> list[Json]:
        """Of each session its first and, once it is over, its last trade."""
        days: dict[str, tuple[list[tuple[int, float, float]], datetime]] = {}
        for trade in self._playback.trades(symbol, window.start - DAY, window.end, self._now()):
            at = from_ns(trade[0])
            if US_HOURS.phase_at(at) is Phase.REGULAR:
                session = US_HOURS.session_ahead(at)
                days.setdefault(session.day.isoformat(), ([], session.close))[0].append(trade)
        found: list[Json] = []
        for day, (trades, close) in days.items():
            auctions: dict[str, list[Json]] = {"o": [], "c": []}
            if from_ns(trades[0][0]) >= window.start:
                auctions["o"] = [_auction(trades[0], OPENING)]
            if window.start <= close <= window.end:
                auctions["c"] = [_auction(trades[-1], CLOSING)]
            if auctions["o"] or auctions["c"]:
                found.append({"d": day, **auctions})
        return found


def _auction(trade: tuple[int, float, float], condition: str) -> Json:
    at, price, shares = trade
    return {"t": zulu(at), "x": EXCHANGE_CODE, "p": price, "s": shares, "c": condition}
