"""Days made of a table's intraday bars: what a run decides on that is filled on the shorter bars."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from config.values.markets import NEW_YORK
from market.bars import DAY_MINUTES, FIELDS, BarTable
from market.calendar import session_times

_MADE: dict[str, Callable[[Any], pd.DataFrame]] = {
    "open": lambda grouped: grouped.first(),
    "high": lambda grouped: grouped.max(),
    "low": lambda grouped: grouped.min(),
    "close": lambda grouped: grouped.last(),
    "volume": lambda grouped: grouped.sum(min_count=1),
}


def days_of(bars: BarTable) -> BarTable:
    """One bar for each session of an intraday table.

    A day is complete at its session's close, also where the table ends before it, so that nobody reads a day that
    is not over. Bars that begin at the close or after it, in extended hours, are not of the day: it is read before
    they are over.

    Parameters
    ----------
    bars : BarTable
        Intraday bars.

    Returns
    -------
    BarTable
        Daily bars of the same symbols; NaN for a symbol without a bar in the session.
    """
    firsts = np.flatnonzero(np.diff(bars.session, prepend=-1))
    dates = pd.DatetimeIndex(bars.opens_at[firsts].tz_convert(NEW_YORK).tz_localize(None).normalize())
    opens, closes = session_times(dates)
    lengths = np.diff(firsts, append=len(bars))
    late = np.asarray(bars.opens_at >= closes.repeat(lengths))[:, np.newaxis]
    made: dict[str, Any] = {}
    for name in FIELDS:
        values = getattr(bars, name)
        within = np.where(late, np.nan, values) if late.any() else values
        made[name] = _MADE[name](pd.DataFrame(within).groupby(bars.session)).to_numpy(dtype=float)
    session = np.arange(len(firsts))
    return replace(bars, opens_at=opens, closes_at=closes, session=session, minutes=DAY_MINUTES, **made)
