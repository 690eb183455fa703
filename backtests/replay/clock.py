"""When a backtest decides: the moments at which Lumibot's loop would call the strategy."""

from __future__ import annotations

from datetime import datetime
from itertools import compress

import numpy as np
import pandas as pd

from market.bar_tables import NANOSECONDS
from market.bars import BarTable
from market.calendar import nanoseconds


def iteration_times(table: BarTable, start: pd.Timestamp, end: pd.Timestamp) -> list[datetime]:
    """Moments of the iterations from ``start`` to ``end``, both included, ascending.

    Daily bars are decided on at their opening. Intraday, a day's iterations begin with its first bar (on the first
    day at ``start``) and follow at the length of a bar until the day's last close, also where a bar is missing:
    what is held is looked after then, too.
    """
    inside = (table.opens_at >= start) & (table.opens_at <= end)
    if table.daily:
        return list(compress(table.moments[0], inside))
    days = table.opens_at.normalize()
    opens = pd.Series(table.opens_at, index=days).groupby(level=0).first()
    closes = pd.Series(table.closes_at, index=days).groupby(level=0).last()
    if not inside.any():
        return []
    wanted = pd.DatetimeIndex(table.opens_at[inside].normalize().unique())
    first, last = (nanoseconds(pd.DatetimeIndex(series[wanted])) for series in (opens, closes))
    first, last = np.maximum(first, start.value), np.minimum(last - 1, end.value)
    step = table.minutes * NANOSECONDS
    moments = np.concatenate([np.arange(a, b + 1, step) for a, b in zip(first, last, strict=True)])
    if np.array_equal(moments, nanoseconds(table.opens_at[inside])):
        return list(compress(table.moments[0], inside))
    return list(pd.DatetimeIndex(moments, tz="UTC").tz_convert(table.opens_at.tz).to_pydatetime())
