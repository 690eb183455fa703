"""All trades of the rehearsed market, past and to come, and the bars made of those that have happened.

A bar of the file is four trades: its open, its extremes a third of its length apart, its close. Every bar that
is served, of whatever length, is put together from the trades before the venue's present, so none can know more.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd

from brokers.rehearsal.model import Bar, Json
from brokers.rehearsal.replay import Bars
from market.calendar import NEW_YORK, nanoseconds

PER_BAR = 4
MICROSECOND = 1_000
TIMEFRAME = re.compile(r"([1-9]\d?)(Min|T|Hour|H|Day|D)")
LARGEST = {"Min": 59, "T": 59, "Hour": 23, "H": 23, "Day": 1, "D": 1}
UNIT_NS = {"M": 60_000_000_000, "T": 60_000_000_000, "H": 3_600_000_000_000, "D": 86_400_000_000_000}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_ns(time: datetime) -> int:
    """Nanoseconds since 1970."""
    return (time - EPOCH) // timedelta(microseconds=1) * MICROSECOND


def from_ns(stamp: int) -> datetime:
    """UTC; what is finer than a microsecond is cut."""
    return EPOCH + timedelta(microseconds=int(stamp) // MICROSECOND)


def zulu(stamp: int) -> str:
    """A time as the market data API writes it: no fraction where there is none."""
    time = from_ns(stamp)
    text = time.strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{time.microsecond:06d}Z" if time.microsecond else f"{text}Z"


@dataclass(frozen=True, slots=True)
class Timeframe:
    """Length of the bars asked for; buckets are counted from midnight in New York."""

    nanoseconds: int
    daily: bool

    @classmethod
    def read(cls, text: str) -> Timeframe | None:
        """From ``5Min``, ``1Hour``, ``1Day``; None for anything else."""
        found = TIMEFRAME.fullmatch(text)
        if found is None or int(found[1]) > LARGEST[found[2]]:
            return None
        return cls(int(found[1]) * UNIT_NS[found[2][0]], found[2][0] == "D")

    def buckets(self, stamps: np.ndarray) -> np.ndarray:
        """The start of the bucket of each time, nanoseconds UTC."""
        local = pd.DatetimeIndex(stamps, tz="UTC").tz_convert(NEW_YORK)
        midnight = nanoseconds(local.normalize())
        if self.daily:
            return midnight
        starts: np.ndarray = midnight + (stamps - midnight) // self.nanoseconds * self.nanoseconds
        return starts


@dataclass(slots=True)
class Trades:
    """One symbol: times (nanoseconds UTC, ascending), prices (USD), shares; four entries for each bar."""

    times: np.ndarray
    prices: np.ndarray
    shares: np.ndarray


MINUTE = Timeframe(UNIT_NS["M"], daily=False)
DAY = Timeframe(UNIT_NS["D"], daily=True)


class Tape:
    """The trades of all symbols.

    Parameters
    ----------
    bars : Bars
        What is, or will have been, traded.
    """

    def __init__(self, bars: Bars) -> None:
        self.minutes = bars.minutes
        self._trades: dict[str, Trades] = {}
        self._ends: dict[str, np.ndarray] = {}
        for symbol, rows in bars.frame.groupby("symbol").indices.items():
            opens, ends = bars.opens[rows], bars.closes[rows] - MICROSECOND
            thirds = [(ends - opens) * step // 3 // MICROSECOND * MICROSECOND for step in range(PER_BAR)]
            times = np.stack([opens + third for third in thirds], axis=1)
            part = bars.frame.iloc[rows]
            volume = part["volume"].to_numpy()
            shares = np.repeat((volume // PER_BAR)[:, None], PER_BAR, axis=1)
            shares[:, -1] += volume % PER_BAR
            prices = part[["open", "low", "high", "close"]].to_numpy().ravel()
            self._trades[str(symbol)] = Trades(times.ravel(), prices, shares.ravel())
            self._ends[str(symbol)] = ends

    @property
    def symbols(self) -> list[str]:
        return sorted(self._trades)

    def opens(self) -> np.ndarray:
        """When bars begin, of whatever symbol: ascending, each once, nanoseconds UTC."""
        return np.unique(np.concatenate([t.times[::PER_BAR] for t in self._trades.values()]))

    def bars_at(self, stamp: int) -> tuple[dict[str, Bar], timedelta]:
        """The bars that begin at that moment, and their length."""
        found: dict[str, Bar] = {}
        end = stamp
        for symbol, trades in self._trades.items():
            at = int(np.searchsorted(trades.times, stamp))
            if at % PER_BAR == 0 and at < len(trades.times) and trades.times[at] == stamp:
                prices = [Decimal(str(round(float(p), 4))) for p in trades.prices[at : at + PER_BAR]]
                found[symbol] = Bar(prices[0], max(prices[1:3]), min(prices[1:3]), prices[3])
                end = max(end, int(self._ends[symbol][at // PER_BAR]))
        return found, timedelta(microseconds=(end - stamp + MICROSECOND) // MICROSECOND)

    def settle(self, stamp: int, extremes: Sequence[Mapping[str, Decimal]]) -> None:
        """Which extreme of the bars that began at ``stamp`` comes first, and which second."""
        for step, prices in enumerate(extremes, 1):
            for symbol, price in prices.items():
                trades = self._trades[symbol]
                trades.prices[int(np.searchsorted(trades.times, stamp)) + step] = float(price)

    def last(self, symbol: str, now: datetime) -> tuple[int, float, int, bool] | None:
        """The last trade: time, price, shares, and whether its bar still goes on; None if there is none yet."""
        trades = self._trades.get(symbol)
        at = int(np.searchsorted(trades.times, to_ns(now), side="right")) - 1 if trades is not None else -1
        if trades is None or at < 0:
            return None
        goes_on = to_ns(now) <= int(self._ends[symbol][at // PER_BAR])
        return int(trades.times[at]), float(trades.prices[at]), int(trades.shares[at]), goes_on

    def bars(self, symbol: str, timeframe: Timeframe, start: datetime, end: datetime, now: datetime) -> list[Json]:
        """Bars whose time lies in ``start`` … ``end``, both included, made of trades up to ``now``; ascending."""
        trades = self._trades.get(symbol)
        if trades is None:
            return []
        # A bucket begins at most its length, and a day of 25 hours, before what lies in it.
        margin = UNIT_NS["D"] + UNIT_NS["H"] if timeframe.daily else timeframe.nanoseconds
        low = np.searchsorted(trades.times, to_ns(start))
        high = np.searchsorted(trades.times, min(to_ns(now), to_ns(end) + margin), side="right")
        times = trades.times[low:high]
        if not len(times):
            return []
        buckets = timeframe.buckets(times)
        first = np.flatnonzero(np.r_[True, buckets[1:] != buckets[:-1]])
        prices, shares = trades.prices[low:high], trades.shares[low:high]
        volume = np.add.reduceat(shares, first)
        columns = zip(
            buckets[first],
            prices[first],
            np.maximum.reduceat(prices, first),
            np.minimum.reduceat(prices, first),
            prices[np.r_[first[1:], len(times)] - 1],
            volume,
            np.diff(np.r_[first, len(times)]),
            np.add.reduceat(prices * shares, first) / np.maximum(volume, 1),
            strict=True,
        )
        return [
            {
                "t": zulu(t),
                "o": float(o),
                "h": float(h),
                "l": float(low_),
                "c": float(c),
                "v": int(v),
                "n": int(n),
                "vw": round(float(vw), 6) if v else float(c),
            }
            for t, o, h, low_, c, v, n, vw in columns
            if to_ns(start) <= t <= to_ns(end)
        ]
