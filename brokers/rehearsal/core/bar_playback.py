"""All trades of the rehearsed market, past and to come, and the bars made of those that have happened.

A bar of the file is four trades: its open, its extremes a third of its length apart, its close. A long one that is
played has the trades that it is walked through from then on. Every bar that is served, of whatever length, is put
together from the trades before the venue's present, so none can know more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Literal
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from brokers.rehearsal.core.model import Bar
from brokers.rehearsal.core.replay_bars import Bars
from market.calendar import nanoseconds

PER_BAR = 4
MICROSECOND = 1_000
MINUTE_NS, HOUR_NS, DAY_NS = 60_000_000_000, 3_600_000_000_000, 86_400_000_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_ns(time: datetime) -> int:
    """Nanoseconds since 1970."""
    return (time - EPOCH) // timedelta(microseconds=1) * MICROSECOND


def from_ns(stamp: int) -> datetime:
    """UTC; what is finer than a microsecond is cut."""
    return EPOCH + timedelta(microseconds=int(stamp) // MICROSECOND)


@dataclass(frozen=True, slots=True)
class Timeframe:
    """Length of the bars asked for; buckets are counted from midnight at the venue.

    Parameters
    ----------
    unit : {"intraday", "day", "week", "month"}
        Weeks begin on Monday; months are counted from January.
    nanoseconds : int
        Length of intraday bars.
    months : int
        Months in a bar of months.
    """

    unit: Literal["intraday", "day", "week", "month"]
    nanoseconds: int = 0
    months: int = 1

    def buckets(self, stamps: np.ndarray, zone: ZoneInfo) -> np.ndarray:
        """The start of the bucket of each time, nanoseconds UTC."""
        local = pd.DatetimeIndex(stamps, tz="UTC").tz_convert(zone)
        days = local.tz_localize(None).normalize()
        if self.unit == "week":
            days -= pd.to_timedelta(days.weekday, unit="D")
        elif self.unit == "month":
            first = (days.month - 1) // self.months * self.months + 1
            days = pd.DatetimeIndex(pd.to_datetime({"year": days.year, "month": first, "day": 1}))
        # By the zone's name: pandas takes a hundred times as long with a zone object.
        midnight = nanoseconds(days.tz_localize(zone.key))
        if self.unit != "intraday":
            return midnight
        starts: np.ndarray = midnight + (stamps - midnight) // self.nanoseconds * self.nanoseconds
        return starts

    @property
    def longest(self) -> int:
        """How long before what lies in it a bucket may begin, nanoseconds; a day of 25 hours included."""
        days = {"intraday": 0, "day": 1, "week": 7, "month": 31 * self.months}[self.unit]
        return days * DAY_NS + HOUR_NS if days else self.nanoseconds


@dataclass(frozen=True, slots=True)
class PlayedBar:
    """A bar made of trades that have happened: start (nanoseconds UTC), prices, volume, trades, average price."""

    start: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    trades: int
    vwap: float


@dataclass(slots=True)
class Trades:
    """One symbol: times (nanoseconds UTC, ascending), prices (USD), shares; opens and ends are of its bars."""

    times: np.ndarray
    prices: np.ndarray
    shares: np.ndarray
    opens: np.ndarray
    ends: np.ndarray

    def walked(self, at: int, times: np.ndarray, prices: np.ndarray) -> None:
        """Put the trades of a bar, its open aside, in place of those of ``PER_BAR`` that begin at ``at``."""
        old = slice(at + 1, at + PER_BAR)
        if len(times) == PER_BAR - 1:
            self.prices[old] = prices
            return
        shares = split(self.shares[at : at + PER_BAR].sum(keepdims=True), len(times) + 1)[0]
        self.shares[at] = shares[0]
        for name, fresh in (("times", times), ("prices", prices), ("shares", shares[1:])):
            column = getattr(self, name)
            setattr(self, name, np.concatenate([column[: old.start], fresh, column[old.stop :]]))


def split(volumes: np.ndarray, parts: int) -> np.ndarray:
    """Volumes in equal parts, (volumes, parts): whole shares stay whole, coins are divided; the last has the rest."""
    each = volumes // parts if volumes.dtype.kind == "i" else volumes / parts
    shares = np.repeat(each[:, None], parts, axis=1)
    shares[:, -1] = volumes - each * (parts - 1)
    return shares


MINUTE = Timeframe("intraday", MINUTE_NS)
DAY = Timeframe("day")


class BarPlayback:
    """The trades of all symbols.

    Parameters
    ----------
    bars : Bars
        What is, or will have been, traded.
    """

    def __init__(self, bars: Bars) -> None:
        self.minutes, self.hours = bars.minutes, bars.hours
        self._trades: dict[str, Trades] = {}
        for symbol, rows in bars.frame.groupby("symbol").indices.items():
            opens, ends = bars.opens[rows], bars.closes[rows] - MICROSECOND
            thirds = [(ends - opens) * step // 3 // MICROSECOND * MICROSECOND for step in range(PER_BAR)]
            times = np.stack([opens + third for third in thirds], axis=1)
            part = bars.frame.iloc[rows]
            shares = split(part["volume"].to_numpy(), PER_BAR)
            prices = part[["open", "low", "high", "close"]].to_numpy().ravel()
            self._trades[str(symbol)] = Trades(times.ravel(), prices, shares.ravel(), opens, ends)

    @property
    def symbols(self) -> list[str]:
        return sorted(self._trades)

    def opens(self) -> np.ndarray:
        """When bars begin, of whatever symbol: ascending, each once, nanoseconds UTC."""
        return np.unique(np.concatenate([trades.opens for trades in self._trades.values()]))

    def bars_at(self, stamp: int) -> tuple[dict[str, Bar], timedelta]:
        """The bars that begin at that moment and were not walked yet, and their length."""
        found: dict[str, Bar] = {}
        end = stamp
        for symbol, trades in self._trades.items():
            bar = int(np.searchsorted(trades.opens, stamp))
            if bar < len(trades.opens) and trades.opens[bar] == stamp:
                at = int(np.searchsorted(trades.times, stamp))
                prices = [Decimal(str(float(p))) for p in trades.prices[at : at + PER_BAR]]
                found[symbol] = Bar(prices[0], max(prices[1:3]), min(prices[1:3]), prices[3])
                end = max(end, int(trades.ends[bar]))
        return found, timedelta(microseconds=(end - stamp + MICROSECOND) // MICROSECOND)

    def settle(self, stamp: int, steps: Sequence[tuple[datetime, Mapping[str, Decimal]]]) -> None:
        """How the bars that begin at ``stamp`` are walked: times, each with prices, as the exchange has them."""
        times = np.array([to_ns(time) for time, _ in steps], dtype=np.int64)
        for symbol in steps[0][1]:
            trades = self._trades[symbol]
            prices = np.array([float(step[symbol]) for _, step in steps])
            trades.walked(int(np.searchsorted(trades.times, stamp)), times, prices)

    def last(self, symbol: str, now: datetime) -> tuple[int, float, float, bool] | None:
        """The last trade: time, price, shares, and whether its bar still goes on; None if there is none yet."""
        trades = self._trades.get(symbol)
        at = int(np.searchsorted(trades.times, to_ns(now), side="right")) - 1 if trades is not None else -1
        if trades is None or at < 0:
            return None
        bar = int(np.searchsorted(trades.opens, trades.times[at], side="right")) - 1
        goes_on = to_ns(now) <= int(trades.ends[bar])
        return int(trades.times[at]), float(trades.prices[at]), trades.shares[at].item(), goes_on

    def trades(self, symbol: str, start: datetime, end: datetime, now: datetime) -> list[tuple[int, float, float]]:
        """Trades from ``start`` to ``end``, both included, that have happened by ``now``: time, price, shares."""
        columns = self.columns(symbol, start, min(end, now))
        return list(zip(*(column.tolist() for column in columns), strict=True))

    def columns(self, symbol: str, start: datetime, now: datetime) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Trades from ``start`` to the present, both included: times, prices, shares."""
        trades = self._trades.get(symbol)
        if trades is None:
            return np.empty(0, np.int64), np.empty(0), np.empty(0)
        low = int(np.searchsorted(trades.times, to_ns(start)))
        part = slice(low, int(np.searchsorted(trades.times, to_ns(now), side="right")))
        return trades.times[part], trades.prices[part], trades.shares[part]

    def bars(self, symbol: str, timeframe: Timeframe, start: datetime, end: datetime, now: datetime) -> list[PlayedBar]:
        """Bars that begin in ``start`` … ``end``, both included, made of trades up to ``now``; ascending."""
        trades = self._trades.get(symbol)
        if trades is None:
            return []
        low = np.searchsorted(trades.times, to_ns(start))
        high = np.searchsorted(trades.times, min(to_ns(now), to_ns(end) + timeframe.longest), side="right")
        times = trades.times[low:high]
        if not len(times):
            return []
        buckets = timeframe.buckets(times, self.hours.zone)
        first = np.flatnonzero(np.r_[True, buckets[1:] != buckets[:-1]])
        prices, shares = trades.prices[low:high], trades.shares[low:high]
        volume = np.add.reduceat(shares, first)
        worth = np.add.reduceat(prices * shares, first)
        columns = zip(
            buckets[first].tolist(),
            prices[first].tolist(),
            np.maximum.reduceat(prices, first).tolist(),
            np.minimum.reduceat(prices, first).tolist(),
            prices[np.r_[first[1:], len(times)] - 1].tolist(),
            volume.tolist(),
            np.diff(np.r_[first, len(times)]).tolist(),
            worth.tolist(),
            strict=True,
        )
        return [
            PlayedBar(at, o, h, low_, c, v, n, round(w / v, 6) if v else c)
            for at, o, h, low_, c, v, n, w in columns
            if to_ns(start) <= at <= to_ns(end)
        ]
