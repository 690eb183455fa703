"""When the bars of a live run begin and end: on the exchange's sessions, or on days that never close."""

from __future__ import annotations

import math
from datetime import datetime

import numpy as np
import pandas as pd

from config.values.markets import NEW_YORK_ZONE, SESSION_MINUTES
from market.bars import DAY_MINUTES
from market.calendar import session_times, sessions_among, sessions_until
from market.trading_day import day_zone

HALF_HOUR = 30
PUBLISHED_AFTER = pd.Timedelta(minutes=30)
"""How long after its end the bar of a day may be outstanding."""
KNOWN = 5
"""So many of the last bars are known to be expected, where no sessions tell."""


class BarTimes:
    """The grid of the bars that are decided on, and of those that are asked for.

    Parameters
    ----------
    minutes : int
        Length of the bars that are decided on; 1440 is a day.
    sessions : bool
        Whether the exchange's hours count; else the market never closes, and its day is that of budgets and halts.
    """

    def __init__(self, minutes: int, sessions: bool) -> None:
        self.minutes = minutes
        self.sessions = sessions
        # The venue's hours begin on the clock, a session at half past: only where there is none do they fit.
        self.asked_minutes = minutes if not sessions or minutes in (1, DAY_MINUTES) else 5
        self.zone = NEW_YORK_ZONE if sessions else day_zone()
        self._expected: tuple[pd.Timestamp, pd.DatetimeIndex] | None = None

    @property
    def daily(self) -> bool:
        return self.minutes == DAY_MINUTES

    @property
    def session_bars(self) -> int:
        """Bars in a session."""
        if self.daily:
            return 1
        return -(-(SESSION_MINUTES if self.sessions else DAY_MINUTES) // self.minutes)

    def step_of(self, now: datetime) -> pd.Timestamp:
        """The last moment at which a bar can have ended: bars and sessions end on a common grid of the clock."""
        step = f"{math.gcd(self.minutes, HALF_HOUR)}min"
        return pd.Timestamp(now).tz_convert("UTC").floor(step).tz_convert(self.zone)

    def expected(self, present: pd.Timestamp) -> pd.DatetimeIndex:
        """When the last complete bars begin that the clock says there should be, oldest first."""
        if self._expected is None or self._expected[0] != present:
            self._expected = present, self._last_complete(present)
        return self._expected[1]

    def _last_complete(self, present: pd.Timestamp) -> pd.DatetimeIndex:
        if self.daily:
            today = self.date(present)
            days = sessions_until(today, KNOWN) if self.sessions else pd.date_range(end=today, periods=KNOWN)
            return days[np.asarray(self._day_ends(days) + PUBLISHED_AFTER <= present)]
        step = pd.Timedelta(minutes=self.minutes)
        if not self.sessions:
            last = present.normalize()
            last += (present - last) // step * step - step
            return pd.date_range(last - (KNOWN - 1) * step, last, freq=step)
        opens, closes = session_times(sessions_until(self.date(present), 3))
        grids = [pd.date_range(o, c, freq=step, inclusive="left") for o, c in zip(opens, closes, strict=True)]
        grid = pd.DatetimeIndex(np.concatenate([g.tz_convert("UTC").to_numpy() for g in grids]), tz="UTC")
        cut = [(g + step).where(g + step <= c, c) for g, c in zip(grids, closes, strict=True)]
        ends = [end.tz_convert("UTC").to_numpy() for end in cut]
        return grid[pd.DatetimeIndex(np.concatenate(ends), tz="UTC") <= present].tz_convert(self.zone)

    @property
    def asked(self) -> pd.Timedelta:
        """Length of the bars as they are asked for."""
        return pd.Timedelta(minutes=self.asked_minutes)

    def ends_of(self, begins: pd.DatetimeIndex) -> pd.DatetimeIndex:
        """When bars that are decided on are complete; the close cuts the last of a session short."""
        ends = begins + pd.Timedelta(minutes=self.minutes)
        if not self.sessions or not len(begins):
            return ends
        closes = session_times(begins.tz_localize(None).normalize())[1]
        return ends.where(ends <= closes, closes)

    def over(self, times: pd.DatetimeIndex, present: pd.Timestamp) -> np.ndarray:
        """Which of the bars as they were asked for have ended."""
        if not self.daily:
            return np.asarray(times + pd.Timedelta(minutes=self.asked_minutes) <= present)
        days = times.tz_convert(self.zone).tz_localize(None).normalize()
        unique = days.unique().sort_values()
        return np.asarray(days.isin(unique[np.asarray(self._day_ends(unique) <= present)]))

    def _day_ends(self, days: pd.DatetimeIndex) -> pd.DatetimeIndex:
        """When the bar of each day is complete: with the session, or at midnight where there are none."""
        return session_times(days)[1] if self.sessions else (days + pd.Timedelta(days=1)).tz_localize(self.zone)

    def within_hours(self, times: pd.DatetimeIndex) -> np.ndarray:
        """Which of the bars as they were asked for begin in a session, where there are any."""
        if self.daily or not self.sessions:
            return np.ones(len(times), dtype=bool)
        clock = times.tz_convert(self.zone)
        days = clock.tz_localize(None).normalize()
        unique = days.unique().sort_values()
        opens, closes = session_times(unique)
        place = unique.get_indexer(days)
        inside = (clock >= opens[place]) & (clock < closes[place])
        return np.asarray(inside & sessions_among(unique)[place])

    def date(self, moment: pd.Timestamp) -> pd.Timestamp:
        """The day that a moment belongs to, naive."""
        return moment.tz_convert(self.zone).tz_localize(None).normalize()
