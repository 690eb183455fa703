"""Bars as a live run sees them: complete ones only, on the grid that a backtest on a file would have."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from brokers.desk.data.bar_store import NO_STAMP, BarStore
from brokers.desk.data.bar_times import BarTimes
from market.bar_tables import timed
from market.bars import FIELDS, BarTable
from market.calendar import nanoseconds, session_times

MOST_MISSING = 2
LONGEST_MISSING = pd.Timedelta(minutes=15)
"""So many bars, as they are asked for, and so much trading time may be outstanding before nothing is decided on what is
there."""
SETTLED_AFTER = pd.Timedelta(seconds=8)
"""So long after its end the last part of a longer bar may come."""
FIRST = 0
"""A stamp before all bars."""
BLOCK = 50
"""For so many symbols at a time longer bars are made of shorter ones."""


class BarCollector:
    """Collects the venue's bars and puts them together.

    Parameters
    ----------
    symbols : sequence of str
        Columns of the table.
    minutes : int
        Length of the bars that are decided on; 1440 is a day.
    sessions : bool
        Whether the exchange's hours count; else the market never closes, and its day is that of budgets and halts.
    """

    def __init__(self, symbols: Sequence[str], minutes: int, sessions: bool) -> None:
        self.symbols = tuple(dict.fromkeys(symbols))
        self.times = BarTimes(minutes, sessions)
        self._store = BarStore(self.symbols)
        self._newest: tuple[np.ndarray, dict[str, pd.Timestamp]] | None = None
        self._made: tuple[pd.Timestamp, str, bytes, BarTable | None] | None = None
        # When the venue last answered about each symbol, ns since 1970 (UTC).
        self._read = np.full(len(self.symbols), NO_STAMP)
        # From which stamp on the bars of a symbol are another source's; FIRST where all are.
        self._stood_in: dict[str, int] = {}

    def add(self, frame: pd.DataFrame, read_at: datetime | None = None, asked: Collection[str] | None = None) -> None:
        """Take in the venue's answer, a long table: symbol, datetime (aware), open, high, low, close, volume.

        A later bar of the same time replaces the earlier. What was still forming at ``read_at``, when it was read,
        is left out: read in part and never again, it would pass for a complete one. So is what lies outside of the
        exchange's hours, where these count. ``asked`` are the symbols of the request, without it all.
        """
        told = self._store.symbols.get_indexer(pd.Index(list(self.symbols if asked is None else asked)))
        until = np.iinfo(np.int64).max if read_at is None else pd.Timestamp(read_at).value
        self._read[told] = np.maximum(self._read[told], until)
        column, stamps, rows = self._complete_rows(frame, read_at)
        for symbol, since in list(self._stood_in.items()):
            mine = self._column(symbol)
            if (stamps[column == mine] >= since).any():
                self._store.forget(mine, since)
                del self._stood_in[symbol]
                self._newest = self._made = None
        self._put(column, stamps, rows)

    def stand_in(self, symbol: str, frame: pd.DataFrame, read_at: datetime) -> None:
        """Take in one symbol's bars of another source, from where the venue's end.

        Beside the venue's bars their volume is not known: another source counts the trades of other exchanges. Once
        the venue has newer bars of the symbol, they are dropped.
        """
        column, stamps, rows = self._complete_rows(frame, read_at)
        newest = self.newest().get(symbol)
        since = self._stood_in.get(symbol, FIRST if newest is None else newest.value + 1)
        later = stamps >= since
        if not later.any():
            return
        self._stood_in[symbol] = since
        self._put(column[later], stamps[later], rows[later] if since == FIRST else rows[later].assign(volume=math.nan))

    @property
    def stood_in(self) -> set[str]:
        """Symbols whose newest bars are another source's."""
        return set(self._stood_in)

    def unread(self, frame: pd.DataFrame, start: datetime) -> dict[str, pd.Timestamp]:
        """Symbols of which the venue's answer from ``start`` on leaves out a past that it has not told yet.

        Their bars are another source's since the time that is given.
        """
        named, first = set(frame["symbol"].unique()), pd.Timestamp(start).value
        unread = {symbol: since for symbol, since in self._stood_in.items() if symbol in named and since < first}
        return {symbol: pd.Timestamp(since, tz="UTC").floor("us") for symbol, since in unread.items()}

    def _complete_rows(
        self, frame: pd.DataFrame, read_at: datetime | None
    ) -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
        """Column, stamp and values of the bars of an answer that count."""
        column = self._store.symbols.get_indexer(pd.Index(frame["symbol"]))
        times = pd.DatetimeIndex(frame["datetime"])
        if frame.empty:
            return column, np.empty(0, dtype=np.int64), frame
        wanted = (column >= 0) & self.times.within_hours(times)
        if read_at is not None:
            wanted &= self.times.over(times, pd.Timestamp(read_at))
        times = times[wanted]
        if self.times.daily:
            times = times.tz_convert(self.times.zone).normalize()
        return column[wanted], nanoseconds(times), frame[wanted]

    def _put(self, column: np.ndarray, stamps: np.ndarray, rows: pd.DataFrame) -> None:
        if len(rows) and self._store.put(column, stamps, rows):
            self._newest = self._made = None

    def _column(self, symbol: str) -> int:
        return int(self._store.symbols.get_indexer(pd.Index([symbol]))[0])

    def moved(self, frame: pd.DataFrame, before: datetime, times: float) -> list[str]:
        """Symbols of which a bar from before a moment is so many times higher or lower than it was: their shares split.

        What was traded on an earlier day is corrected by less.
        """
        earlier = frame[pd.DatetimeIndex(frame["datetime"]) < pd.Timestamp(before)] if len(frame) else frame
        column = self._store.symbols.get_indexer(pd.Index(earlier["symbol"]))
        stamps = pd.DatetimeIndex(earlier["datetime"])
        if self.times.daily:
            stamps = stamps.tz_convert(self.times.zone).normalize()
        steps = earlier["close"].to_numpy(dtype=float) / self._store.closes_at(column, nanoseconds(stamps))
        far = (column >= 0) & ((steps >= times) | (steps <= 1 / times))
        return sorted({str(symbol) for symbol in earlier["symbol"].to_numpy()[far]})

    def keep_from(self, start: datetime) -> None:
        """Drop what is older."""
        if self._store.drop_before(pd.Timestamp(start).value):
            self._newest = self._made = None

    def newest(self) -> dict[str, pd.Timestamp]:
        """When the last bar of each symbol that has any begins."""
        return self._last_bars()[1]

    def _last_bars(self) -> tuple[np.ndarray, dict[str, pd.Timestamp]]:
        """When each symbol's last bar begins, by column and by name."""
        # Several times in each iteration it is asked of the same bars.
        if self._newest is None:
            stamps = self._store.newest()
            named = zip(self.symbols, stamps.tolist(), strict=True)
            self._newest = stamps, {s: pd.Timestamp(t, tz="UTC") for s, t in named if t != NO_STAMP}
        return self._newest

    def _last_of_venue(self) -> np.ndarray:
        """When each symbol's last bar begins, by column; ``NO_STAMP`` where another source's stand in."""
        newest = self._last_bars()[0]
        return np.where(self._store.symbols.isin(list(self._stood_in)), NO_STAMP, newest) if self._stood_in else newest

    def complete(self, now: datetime) -> bool:
        """Whether every symbol has the last bar that should be there: nothing new can be asked for yet."""
        expected, newest = self.times.expected(self.times.step_of(now)), self.newest()
        if not len(expected) or len(newest) < len(self.symbols):
            return False
        last = expected[-1]
        if self.times.daily:
            return bool(min(self.times.date(time) for time in newest.values()) >= last)
        # Bars are asked for as parts of the longer ones that are decided on.
        return bool(min(newest.values()) >= self.times.ends_of(expected[-1:])[0] - self.times.asked)

    def awaits(self, now: datetime, within: timedelta = SETTLED_AFTER) -> bool:
        """Whether the last part of a bar that ended less than ``within`` ago is missing and may come within seconds.

        It is missing to a symbol that has traded since the bar before began. A bar that is asked for as a whole is
        awaited as long as no symbol has it.
        """
        expected = self.times.expected(self.times.step_of(now))
        if self.times.daily or len(expected) < 2 or not len(self._store):
            return False
        end, newest = self.times.ends_of(expected[-1:])[0], self._last_of_venue()
        if pd.Timestamp(now) >= end + within:
            return False
        lacks = newest < (end - self.times.asked).value
        awaited = lacks & (newest >= nanoseconds(expected[-2:-1])[0])
        return bool(awaited.any() and (self._joins or lacks.all()))

    def settles_in(self, now: datetime) -> float:
        """The venue's seconds until its answer settles the newest bar, whichever parts that has then."""
        end = self.times.ends_of(self.times.expected(self.times.step_of(now))[-1:])[0]
        return max(0.0, float((end + SETTLED_AFTER - pd.Timestamp(now)).total_seconds()))

    def overdue(self, now: datetime, after: pd.Timedelta) -> dict[str, pd.Timestamp]:
        """Symbols without a bar that ended so long ago, and when their newest begins; none of symbols without any.

        Of a longer bar that is not there as a whole it is a part that ended so long ago.
        """
        known, newest = self.times.expected(self.times.step_of(now)), self.newest()
        if not len(known):
            return {}
        if self.times.daily:
            days = {symbol: self.times.date(time) for symbol, time in newest.items()}
            return {symbol: day for symbol, day in days.items() if day < known[-1]}
        # Where few are expected that are known, as of short bars in a market without sessions, the first of them.
        due = known[self.times.ends_of(known) <= pd.Timestamp(now) - after]
        last = due[-1] if len(due) else known[0]
        lacking = self._lacks_parts(known)
        part = min(pd.Timestamp(now) - after, self.times.ends_of(known[-1:])[0]) - 2 * self.times.asked
        return {s: time for s, time in newest.items() if time < last or (s in lacking and time <= part)}

    def bars_after(self, time: pd.Timestamp) -> int:
        """How many bars there are, of any symbol, that begin after a time; nights don't count."""
        return len(self._store) - int(self._store.stamps.searchsorted(time.value, side="right"))

    def table(self, now: datetime, source: str) -> BarTable | None:
        """Every bar that is complete at ``now``, and an empty row where newer ones should be; None without any.

        The same table until other bars come or one could have ended.
        """
        present = self.times.step_of(now)
        read = self._read_key(present)
        if self._made is None or self._made[:3] != (present, source, read):
            self._made = present, source, read, self._table(present, source)
        return self._made[3]

    def _table(self, present: pd.Timestamp, source: str) -> BarTable | None:
        stamps, values = self._days(present) if self.times.daily else self._intraday(present)
        if not len(stamps):
            return None
        expected = self.times.expected(present)
        last = int(nanoseconds(expected[-1:])[0]) if len(expected) else FIRST
        if last > stamps[-1] if self.times.daily or self._joins else self._too_old(expected):
            earlier, gap = stamps < last, np.full((1, len(self.symbols)), np.nan)
            # Of a longer bar there may be its first parts.
            stamps = np.append(stamps[earlier], last)
            values = {name: np.concatenate([array[earlier], gap]) for name, array in values.items()}
        table = timed(self.symbols, stamps, values, None if self.times.daily else self.times.minutes, source)
        if self.times.daily or not self.times.sessions:
            return table
        # What the close cuts short is complete with it.
        closes = session_times(table.opens_at.tz_localize(None).normalize())[1]
        return replace(table, closes_at=table.closes_at.where(table.closes_at <= closes, closes))

    def _outstanding(self, expected: pd.DatetimeIndex) -> int:
        """How much trading time of the bars that should be there comes after the newest row, ns."""
        have = int(self._store.stamps[-1]) + self.times.asked.value
        begins, ends = nanoseconds(expected), nanoseconds(self.times.ends_of(expected))
        return int((ends - np.maximum(begins, have)).clip(0).sum())

    def _too_old(self, expected: pd.DatetimeIndex) -> bool:
        """Whether more is outstanding than may be."""
        return self._outstanding(expected) > min(LONGEST_MISSING, MOST_MISSING * self.times.asked).value

    @property
    def _joins(self) -> bool:
        """Whether bars that are decided on are made of shorter ones."""
        return self.times.minutes != self.times.asked_minutes

    def _lacks_parts(self, expected: pd.DatetimeIndex) -> set[str]:
        """Symbols of whose last bar, made of shorter ones, parts may be outstanding."""
        if not self._joins or not len(self._store):
            return set()
        return set(self._store.symbols[self._in_parts(nanoseconds(expected[-1:]))[0]])

    def _in_parts(self, begins: np.ndarray) -> np.ndarray:
        """Where longer bars, of which the last is the newest, may lack parts; shape ``(bars, symbols)``.

        A symbol's longer bar counts once the symbol has its last part or a later one, of whichever source. A symbol
        without a trade has no part: without its last one a bar counts once the venue has answered about the symbol
        ``SETTLED_AFTER`` its end. Such an answer says nothing of a symbol whose bars are another source's, and nothing
        of the newest bar while the venue is late.
        """
        times = pd.DatetimeIndex(begins, tz="UTC").tz_convert(self.times.zone)
        ends = nanoseconds(self.times.ends_of(times))[:, np.newaxis]
        newest = self._last_of_venue()
        settled = (self._read >= ends + SETTLED_AFTER.value) & (newest != NO_STAMP)
        if len(ends):
            settled[-1] &= not self._late(newest, begins[-1], ends[-1, 0] - self.times.asked.value)
        lacks: np.ndarray = (self._last_bars()[0] < ends - self.times.asked.value) & ~settled
        return lacks

    def _late(self, newest: np.ndarray, begins: int, last_part: int) -> bool:
        """Whether the venue is late with a longer bar: no symbol has its last part, and several end with the same one.

        Where a single symbol has the newest part, trading has ended with it; several hardly end at the same time.
        Late is also a venue that has no part of the bar at all.
        """
        latest = newest.max()
        return bool(latest < last_part and (latest < begins or (newest == latest).sum() > 1))

    def _read_key(self, present: pd.Timestamp) -> bytes:
        """What of the venue's answers decides whether longer bars count."""
        if not self._joins:
            return b""
        lacks = self._last_bars()[0] < present.value - self.times.asked.value
        moments = (present.value, present.value + SETTLED_AFTER.value)
        return b"".join((lacks & (self._read >= moment)).tobytes() for moment in moments)

    def _days(self, present: pd.Timestamp) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """When days begin, as naive dates, and their values, as far as they are over."""
        times = self._begins()
        rows = _span(self.times.over(times, present))
        return nanoseconds(times[rows].tz_localize(None)), {n: v[rows] for n, v in self._store.values.items()}

    def _intraday(self, present: pd.Timestamp) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """When bars that are decided on begin, and their values, as far as they have ended."""
        begins, step = self._begins(), pd.Timedelta(minutes=self.times.minutes)
        if self._joins and len(begins):
            anchors = session_times(begins.tz_localize(None).normalize())[0]
            begins = anchors + (begins - anchors) // step * step
        rows = _span(np.asarray(self.times.ends_of(begins) <= present))
        if not self._joins:
            return self._store.stamps[rows], {name: values[rows] for name, values in self._store.values.items()}
        return self._joined(nanoseconds(begins)[rows])

    def _joined(self, begins: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Longer bars of the first rows, of which each says when its own begins."""
        stamps, place = np.unique(begins, return_inverse=True)
        arrays = {name: np.full((len(stamps), len(self.symbols)), np.nan) for name in FIELDS}
        for first in range(0, len(self.symbols), BLOCK):
            parts = self._store.frame(len(begins), slice(first, first + BLOCK))
            parts["datetime"] = place[parts["row"]]
            whole = joined(parts)
            for name, array in arrays.items():
                array[whole["datetime"], whole["symbol"]] = whole[name]
        in_parts = self._in_parts(stamps)
        for array in arrays.values():
            array[in_parts] = np.nan
        return stamps, arrays

    def _begins(self) -> pd.DatetimeIndex:
        return pd.DatetimeIndex(self._store.stamps, tz="UTC").tz_convert(self.times.zone)


def _span(rows: np.ndarray) -> slice:
    """The rows up to the last one that counts: what has ended comes before what has not."""
    return slice(0, int(np.flatnonzero(rows)[-1]) + 1 if rows.any() else 0)


def joined(parts: pd.DataFrame) -> pd.DataFrame:
    """Bars of the same symbol and time as one; one with a part that is no number is none itself, so is a volume."""
    bad = ~np.isfinite(parts[list(FIELDS[:4])].to_numpy(dtype=float)).all(axis=1)
    grouped = parts.assign(bad=bad, untold=parts["volume"].isna()).groupby(["symbol", "datetime"], sort=False)
    whole = grouped.agg(
        open=("open", "first"),
        high=("high", "max"),
        low=("low", "min"),
        close=("close", "last"),
        volume=("volume", "sum"),
        bad=("bad", "any"),
        untold=("untold", "any"),
    ).reset_index()
    whole.loc[whole["bad"], list(FIELDS[:4])] = np.nan
    whole.loc[whole["untold"], "volume"] = np.nan
    return whole.drop(columns=["bad", "untold"])
