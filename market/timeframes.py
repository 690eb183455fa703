"""One timeframe up: which longer bar each bar belongs to, and whether that one is complete with it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from market.bars import DAY_MINUTES, BarTable
from market.calendar import REGULAR_OPEN, session_times, week_ends
from market.trading_day import day_zone

# In minutes; above a day comes the week.
TIMEFRAMES = (5, 15, 60, 240, DAY_MINUTES)
SUNDAY = 6


def higher_bars(bars: BarTable) -> tuple[np.ndarray, np.ndarray]:
    """The longer bar of each row: the next of ``TIMEFRAMES`` for intraday bars, the exchange's week for daily ones.

    Intraday, the longer bars count from the regular opening, and one that the session's close cuts short
    ends there; a week ends with its last session by the calendar, early holidays included. Both depend
    on the row's own time alone, so that neither later rows nor where the table begins play a part. Pairs such as
    BTC/USD are traded around the clock: theirs count from the day's midnight, and a week ends on Sunday.

    Returns
    -------
    ends : ndarray of int, shape (bars,)
        When the row's longer bar ends, in minutes (intraday) or days since 1970 by the exchange's clock, of pairs
        by that of ``pace.day``: the same number means the same longer bar.
    complete : ndarray of bool, shape (bars,)
        Whether that bar is over when the row closes.
    """
    around_the_clock = all("/" in symbol for symbol in bars.symbols)
    clock = bars.opens_at.tz_localize(None)
    dates = clock.normalize()
    if bars.daily:
        week = dates + pd.to_timedelta(SUNDAY - dates.weekday, unit="D") if around_the_clock else week_ends(dates)
        ends = _days(week)
        return ends, ends == _days(dates)
    step = next(minutes for minutes in TIMEFRAMES if minutes > bars.minutes)
    if around_the_clock:
        clock = bars.opens_at.tz_convert(day_zone()).tz_localize(None)
        minute = (clock.hour * 60 + clock.minute).to_numpy()
        end = (minute // step + 1) * step
        return _days(clock.normalize()) * DAY_MINUTES + end, minute + bars.minutes >= end
    day, place = np.unique(_days(dates), return_inverse=True)
    closes = session_times(pd.DatetimeIndex(day.astype("datetime64[D]").astype("datetime64[ns]")))[1]
    close = (closes.hour * 60 + closes.minute).to_numpy()[place]
    minute = (clock.hour * 60 + clock.minute).to_numpy()
    first = int(REGULAR_OPEN.total_seconds()) // 60
    end = first + ((minute - first) // step + 1) * step
    end = np.where(minute < close, np.minimum(end, close), end)
    return day[place] * DAY_MINUTES + end, minute + bars.minutes >= end


def _days(dates: pd.DatetimeIndex) -> np.ndarray:
    days: np.ndarray = dates.to_numpy().astype("datetime64[D]").astype(np.int64)
    return days
