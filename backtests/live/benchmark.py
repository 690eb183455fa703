"""What a live run is compared with: the benchmark from the run's first day to the newest bar that is over."""

from __future__ import annotations

from datetime import datetime

import pandas as pd

from backtests.run_description import benchmark_closes, fall_at_bars
from market.bars import BarTable
from market.trading_day import days_of
from strategies.run_notes import benchmark_of_span, without_benchmark


def benchmark_of(
    symbol: str, bars: BarTable | None, start: datetime, end: datetime, now: datetime
) -> tuple[pd.Series | None, tuple[str, ...]]:
    """The benchmark's closes over a live run, and a note where there are none or not of its whole span.

    Parameters
    ----------
    symbol : str
    bars : BarTable or None
        All that is known of it, before the run and after it too.
    start, end : datetime
        First and last iteration.
    now : datetime
        The venue's time: what closes later is not known yet.
    """
    if bars is None:
        return None, (without_benchmark(symbol, bars),)
    over = bars.opens_at[(bars.closes_at <= pd.Timestamp(now)) & (bars.opens_at <= pd.Timestamp(end))]
    # The daily bar of the first day opened before the first iteration, and that day counts for the run.
    first = pd.Timestamp(start).normalize() if bars.daily else pd.Timestamp(start)
    closes = None if over.empty else benchmark_closes(bars, symbol, first, over[-1])
    if closes is None:
        return None, (without_benchmark(symbol, bars),)
    # A bar that closes at midnight ends its day.
    known = days_of(pd.DatetimeIndex(closes.index[[0, -1]]) - pd.Timedelta(microseconds=1))
    wanted = days_of(pd.DatetimeIndex([start, end]))
    if (known == wanted).all():
        return closes, ()
    return closes, (benchmark_of_span(symbol, *known),)


def benchmark_fall(symbol: str, bars: BarTable | None, closes: pd.Series | None) -> float | None:
    """The benchmark's maximum drawdown at the closes of its bars over the span of ``closes``, as in a backtest.

    The run's own is measured at its iterations; from one close a session a day's fall would not be seen.
    """
    if bars is None or closes is None:
        return None
    return fall_at_bars(bars, symbol, closes.index[0], closes.index[-1] - pd.Timedelta(microseconds=1))
