"""A venue's market data and a Yahoo in the test's hand, and rows as the venue writes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import pandas as pd

from brokers.alpaca.venue import AlpacaVenue
from brokers.desk.data.feed import LiveFeed
from brokers.desk.data.present_shares import PresentShares
from config.values.markets import NEW_YORK
from market.calendar import session_times, sessions_until

Json = dict[str, Any]


def moment(text: str) -> datetime:
    """A time of New York's clock."""
    return pd.Timestamp(text, tz=NEW_YORK).to_pydatetime()


def row(begins: str | pd.Timestamp, close: float = 100.0, **other: Any) -> Json:
    """One bar as the venue writes it; ``begins`` by New York's clock."""
    time = pd.Timestamp(begins)
    time = time.tz_localize(NEW_YORK) if time.tz is None else time
    text = time.tz_convert("UTC").strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"t": text, "o": close, "h": close + 1, "l": close - 1, "c": close, "v": 1000, "n": 9, "vw": close, **other}


def rows_between(first: str, last: str, minutes: int = 5) -> list[Json]:
    """Bars from one opening time to another, both included, each with a price of its own."""
    times = pd.date_range(first, last, freq=f"{minutes}min", tz=NEW_YORK)
    return [row(time, 100 + k * 0.01) for k, time in enumerate(times)]


def regular_rows(last_day: str, sessions: int) -> list[Json]:
    """Five-minute bars of the regular hours of whole sessions, half days included."""
    opens, closes = session_times(sessions_until(pd.Timestamp(last_day), sessions))
    times = [t for o, c in zip(opens, closes, strict=True) for t in pd.date_range(o, c, freq="5min", inclusive="left")]
    return [row(time, 100 + k * 0.01) for k, time in enumerate(times)]


def daily_rows(last_day: str, sessions: int) -> list[Json]:
    """Daily bars, labelled by midnight in New York."""
    return [row(day, 100 + k * 0.01) for k, day in enumerate(sessions_until(pd.Timestamp(last_day), sessions))]


class DataVenue:
    """Answers bars that begin up to now, the forming one included; ``down`` is raised instead."""

    def __init__(self, rows: Mapping[str, Sequence[Json]], now: str) -> None:
        self.rows = {symbol: list(bars) for symbol, bars in rows.items()}
        self.time = moment(now)
        self.quotes: dict[str, Json] = {}
        self.down: Exception | None = None
        self.asked: list[tuple[tuple[str, ...], int, datetime]] = []
        self.ends: list[datetime | None] = []
        self.asked_quotes: list[tuple[str, ...]] = []

    @property
    def clock(self) -> DataVenue:
        return self

    def now(self) -> datetime:
        return self.time

    def at(self, now: str) -> None:
        self.time = moment(now)

    def bars(
        self, symbols: Iterable[str], minutes: int, start: datetime, end: datetime | None = None,
        adjustment: str = "all",
    ) -> dict[str, list[Json]]:  # fmt: skip
        wanted = tuple(symbols)
        self.asked.append((wanted, minutes, start))
        self.ends.append(end)
        if self.down is not None:
            raise self.down
        found = {}
        for symbol in wanted:
            bars = [bar for bar in self.rows.get(symbol, ()) if self._shown(bar, start, end)]
            if bars:
                found[symbol] = bars
        return found

    def latest_quotes(self, symbols: Iterable[str]) -> dict[str, Json]:
        wanted = tuple(symbols)
        self.asked_quotes.append(wanted)
        return {symbol: self.quotes[symbol] for symbol in wanted if symbol in self.quotes}

    def _shown(self, bar: Json, start: datetime, end: datetime | None) -> bool:
        return start <= datetime.fromisoformat(bar["t"]) <= min(self.time, end or self.time)


class Yahoo:
    """Yahoo with these bars; ``down`` is raised instead."""

    def __init__(self, rows: Mapping[str, Sequence[Json]] | None = None, down: Exception | None = None) -> None:
        self.rows = dict(rows or {})
        self.down = down
        self.asked: list[str] = []

    def bars(self, symbol: str, minutes: int, start: datetime) -> pd.DataFrame:
        self.asked.append(symbol)
        if self.down is not None:
            raise self.down
        bars = self.rows.get(symbol, [])
        names = {"open": "o", "high": "h", "low": "l", "close": "c", "volume": "v"}
        times = pd.to_datetime([bar["t"] for bar in bars], utc=True)
        values = {name: [float(bar[key]) for bar in bars] for name, key in names.items()}
        return pd.DataFrame({"symbol": symbol, "datetime": times, **values})


def feed(
    venue: DataVenue, symbols: Sequence[str], *, minutes: int = 5, sessions: bool = True, yahoo: Yahoo | None = None,
    needs: Sequence[str] = (), present: PresentShares | None = None,
) -> LiveFeed:  # fmt: skip
    client: Any = venue
    return LiveFeed(
        AlpacaVenue(client),
        symbols,
        needs,
        {},
        bar_minutes=minutes,
        sessions=sessions,
        fallback=yahoo,
        present=present,
    )
