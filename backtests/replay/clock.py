"""When a backtest decides: the moments at which Lumibot's loop would call the strategy."""

from __future__ import annotations

from datetime import datetime

import pandas as pd

from market.bars import BarTable


def iteration_times(table: BarTable, start: pd.Timestamp, end: pd.Timestamp) -> list[datetime]:
    """Moments of the iterations from ``start`` to ``end``, both included, ascending.

    Daily bars are decided on at their opening. Intraday, a day's iterations begin with its first bar (on the first
    day at ``start``) and follow at the length of a bar until the day's last close, also where a bar is missing:
    what is held is looked after then, too.
    """
    inside = (table.opens_at >= start) & (table.opens_at <= end)
    if table.daily:
        return list(table.opens_at[inside].to_pydatetime())
    days = table.opens_at.normalize()
    opens = pd.Series(table.opens_at, index=days).groupby(level=0).first()
    closes = pd.Series(table.closes_at, index=days).groupby(level=0).last()
    times: list[datetime] = []
    step = pd.Timedelta(minutes=table.minutes)
    for day in pd.DatetimeIndex(table.opens_at[inside].normalize().unique()):
        begins = max(opens[day], start)
        moments = pd.date_range(begins, min(closes[day] - pd.Timedelta(1), end), freq=step)
        times.extend(moments.to_pydatetime())
    return times
