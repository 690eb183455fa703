"""Bars as a live run sees them: complete ones only, on the grid that a backtest on a file would have."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from config.values.markets import NEW_YORK
from market.bar_tables import to_table
from market.bars import DAY_MINUTES, FIELDS, BarTable
from market.calendar import nanoseconds, session_times, sessions_until

MOST_MISSING = 2
"""So many bars may be outstanding before nothing is decided on the ones that are there."""
SESSION_MINUTES = 390
HOUR_MINUTES, HALF_HOUR = 60, 30
PUBLISHED_AFTER = pd.Timedelta(minutes=30)
"""How long after its end the bar of a day may be outstanding."""


class BarCollector:
    """Collects the venue's bars and puts them together.

    Parameters
    ----------
    symbols : sequence of str
        Columns of the table.
    minutes : int
        Length of the bars that are decided on; 1440 is a day.
    sessions : bool
        Whether the exchange's hours count; else the market never closes and its day begins at midnight in New York.
    """

    def __init__(self, symbols: Sequence[str], minutes: int, sessions: bool) -> None:
        self.symbols = tuple(symbols)
        self.minutes = minutes
        self.sessions = sessions
        # The venue's hours begin on the clock, a session at half past: only where there is none do they fit.
        fits = (1, DAY_MINUTES) if sessions else (1, HOUR_MINUTES, DAY_MINUTES)
        self.asked_minutes = minutes if minutes in fits else 5
        self._frame = _empty()
        self._newest: tuple[pd.DataFrame, dict[str, pd.Timestamp]] | None = None
        self._after: tuple[pd.DataFrame, dict[pd.Timestamp, int]] | None = None
        self._expected: tuple[pd.Timestamp, pd.DatetimeIndex] | None = None
        self._made: tuple[pd.DataFrame, pd.Timestamp, str, BarTable | None] | None = None

    @property
    def daily(self) -> bool:
        return self.minutes == DAY_MINUTES

    @property
    def session_bars(self) -> int:
        """Bars in a session."""
        if self.daily:
            return 1
        return -(-(SESSION_MINUTES if self.sessions else DAY_MINUTES) // self.minutes)

    def clear(self) -> None:
        """Forget everything."""
        self._frame = _empty()

    def add(self, frame: pd.DataFrame, read_at: datetime | None = None) -> None:
        """Take in a long table: symbol, datetime (aware), open, high, low, close, volume.

        A later bar of the same time replaces the earlier. What was still forming at ``read_at``, when it was read,
        is left out: read in part and never again, it would pass for a complete one.
        """
        frame = frame[frame["symbol"].isin(self.symbols)]
        if frame.empty:
            return
        if read_at is not None:
            frame = frame[self._over(pd.DatetimeIndex(frame["datetime"]), pd.Timestamp(read_at))]
        if frame.empty:
            return
        both = pd.concat([self._frame, frame], ignore_index=True) if len(self._frame) else frame
        self._frame = both.drop_duplicates(["symbol", "datetime"], keep="last", ignore_index=True)

    def keep_from(self, start: datetime) -> None:
        """Drop what is older."""
        old = self._frame["datetime"] < pd.Timestamp(start)
        if old.any():
            self._frame = self._frame[~old].reset_index(drop=True)

    def newest(self) -> dict[str, pd.Timestamp]:
        """When the last bar of each symbol that has any begins."""
        # Several times in each iteration it is asked of the same bars.
        if self._newest is None or self._newest[0] is not self._frame:
            found = {str(symbol): time for symbol, time in self._frame.groupby("symbol")["datetime"].max().items()}
            self._newest = self._frame, found
        return self._newest[1]

    def complete(self, now: datetime) -> bool:
        """Whether every symbol has the last bar that should be there: nothing new can be asked for yet."""
        expected, newest = self.expected(self.step_of(now)), self.newest()
        if not len(expected) or len(newest) < len(self.symbols):
            return False
        last = expected[-1]
        if self.daily:
            return bool(min(_date(time.tz_convert(NEW_YORK)) for time in newest.values()) >= last)
        # Bars are asked for as parts of the longer ones that are decided on.
        return bool(min(newest.values()) >= last + pd.Timedelta(minutes=self.minutes - self.asked_minutes))

    def bars_after(self, time: pd.Timestamp) -> int:
        """How many bars there are, of any symbol, that begin after a time; nights don't count."""
        if self._after is None or self._after[0] is not self._frame:
            self._after = self._frame, {}
        known = self._after[1]
        if time not in known:
            times = self._frame["datetime"]
            known[time] = int(times[times > time].nunique())
        return known[time]

    def table(self, now: datetime, source: str) -> BarTable | None:
        """Every bar that is complete at ``now``, and an empty row where newer ones should be; None without any.

        The same table until bars come or one could have ended.
        """
        present = self.step_of(now)
        if self._made is None or self._made[0] is not self._frame or self._made[1:3] != (present, source):
            self._made = self._frame, present, source, self._table(present, source)
        return self._made[3]

    def step_of(self, now: datetime) -> pd.Timestamp:
        """The last moment at which a bar can have ended: bars and sessions end on a common grid of the clock."""
        step = f"{math.gcd(self.minutes, HALF_HOUR)}min"
        return pd.Timestamp(now).tz_convert("UTC").floor(step).tz_convert(NEW_YORK)

    def _table(self, present: pd.Timestamp, source: str) -> BarTable | None:
        frame = self._days(present) if self.daily else self._intraday(present)
        if frame.empty:
            return None
        expected = self.expected(present)
        newest = frame["datetime"].max()
        if (expected > newest).sum() > (0 if self.daily else MOST_MISSING):
            gap = {"symbol": self.symbols[0], "datetime": expected[-1], **dict.fromkeys(FIELDS, np.nan)}
            frame = pd.concat([frame, pd.DataFrame([gap])], ignore_index=True)
        table = to_table(frame, self.symbols, source, self.minutes)
        if self.daily or not self.sessions:
            return table
        # What the close cuts short is complete with it.
        closes = session_times(table.opens_at.tz_localize(None).normalize())[1]
        return replace(table, closes_at=table.closes_at.where(table.closes_at <= closes, closes))

    def expected(self, present: pd.Timestamp) -> pd.DatetimeIndex:
        """When the last complete bars begin that the clock says there should be, oldest first."""
        if self._expected is None or self._expected[0] != present:
            self._expected = present, self._last_complete(present)
        return self._expected[1]

    def _last_complete(self, present: pd.Timestamp) -> pd.DatetimeIndex:
        if self.daily:
            today = _date(present)
            days = sessions_until(today, MOST_MISSING + 3) if self.sessions else pd.date_range(end=today, periods=5)
            return days[np.asarray(self._ends(days) + PUBLISHED_AFTER <= present)]
        step = pd.Timedelta(minutes=self.minutes)
        if not self.sessions:
            last = _anchor_24_7(pd.DatetimeIndex([present]))[0]
            last += (present - last) // step * step - step
            return pd.date_range(last - (MOST_MISSING + 2) * step, last, freq=step)
        opens, closes = session_times(sessions_until(_date(present), 3))
        grids = [pd.date_range(o, c, freq=step, inclusive="left") for o, c in zip(opens, closes, strict=True)]
        grid = pd.DatetimeIndex(np.concatenate([g.tz_convert("UTC").to_numpy() for g in grids]), tz="UTC")
        cut = [(g + step).where(g + step <= c, c) for g, c in zip(grids, closes, strict=True)]
        ends = [end.tz_convert("UTC").to_numpy() for end in cut]
        return grid[pd.DatetimeIndex(np.concatenate(ends), tz="UTC") <= present].tz_convert(NEW_YORK)

    def _over(self, times: pd.DatetimeIndex, present: pd.Timestamp) -> np.ndarray:
        """Which of the bars as they were asked for have ended."""
        if not self.daily:
            return np.asarray(times + pd.Timedelta(minutes=self.asked_minutes) <= present)
        days = times.tz_convert(NEW_YORK).tz_localize(None).normalize()
        unique = days.unique().sort_values()
        return np.asarray(days.isin(unique[np.asarray(self._ends(unique) <= present)]))

    def _ends(self, days: pd.DatetimeIndex) -> pd.DatetimeIndex:
        """When the bar of each day is complete: with the session, or at midnight where there are none."""
        return session_times(days)[1] if self.sessions else (days + pd.Timedelta(days=1)).tz_localize(NEW_YORK)

    def _days(self, present: pd.Timestamp) -> pd.DataFrame:
        frame = self._frame
        days = pd.DatetimeIndex(frame["datetime"]).tz_convert(NEW_YORK).tz_localize(None).normalize()
        return frame.assign(datetime=days)[self._over(pd.DatetimeIndex(frame["datetime"]), present)]

    def _intraday(self, present: pd.Timestamp) -> pd.DataFrame:
        times = pd.DatetimeIndex(self._frame["datetime"]).tz_convert(NEW_YORK)
        frame = self._frame.assign(datetime=times)
        anchors = _anchor_24_7(times)
        if self.sessions:
            days = times.tz_localize(None).normalize()
            unique = days.unique().sort_values()
            opens, closes = session_times(unique)
            place = unique.get_indexer(days)
            anchors = opens[place]
            inside = np.asarray((times >= anchors) & (times < closes[place]))
            inside &= np.asarray(unique.isin(sessions_until(_date(present), 2_600))[place])
            frame, anchors, times = frame[inside], anchors[inside], times[inside]
        step = pd.Timedelta(minutes=self.minutes)
        if self.minutes != self.asked_minutes and len(frame):
            begins = anchors + (times - anchors) // step * step
            frame = joined(frame.assign(datetime=begins).iloc[np.argsort(nanoseconds(times), kind="stable")])
        ends = pd.DatetimeIndex(frame["datetime"]) + step
        if self.sessions and len(frame):
            closes = session_times(
                pd.DatetimeIndex(frame["datetime"]).tz_localize(None).normalize().unique().sort_values()
            )[1]
            last = closes[closes.searchsorted(pd.DatetimeIndex(frame["datetime"]))]
            ends = ends.where(ends <= last, last)
        return frame[np.asarray(ends <= present)]


def joined(parts: pd.DataFrame) -> pd.DataFrame:
    """Bars of the same symbol and time as one; one with a part that is no number is none itself."""
    bad = ~np.isfinite(parts[list(FIELDS[:4])].to_numpy(dtype=float)).all(axis=1)
    grouped = parts.assign(bad=bad).groupby(["symbol", "datetime"], sort=False)
    whole = grouped.agg(
        open=("open", "first"),
        high=("high", "max"),
        low=("low", "min"),
        close=("close", "last"),
        volume=("volume", "sum"),
        bad=("bad", "any"),
    ).reset_index()
    whole.loc[whole["bad"], list(FIELDS[:4])] = np.nan
    return whole.drop(columns="bad")


def _empty() -> pd.DataFrame:
    columns: dict[str, Any] = {
        "symbol": [],
        "datetime": pd.DatetimeIndex([], tz="UTC"),
        **{name: [] for name in FIELDS},
    }
    return pd.DataFrame(columns)


def _date(present: pd.Timestamp) -> pd.Timestamp:
    return present.tz_localize(None).normalize()


def _anchor_24_7(times: pd.DatetimeIndex) -> pd.DatetimeIndex:
    return times.tz_convert(NEW_YORK).normalize()
