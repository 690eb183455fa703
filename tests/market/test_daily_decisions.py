"""Days made of intraday bars are the days of a daily file, and complete when their session is over."""

from __future__ import annotations

import numpy as np
import pandas as pd

from backtests import embedded
from market.bar_tables import to_table
from market.bars import FIELDS
from market.daily_decisions import days_of


def test_days_are_those_of_the_bars_they_are_made_of():
    first, last = pd.Timestamp("2022-11-21"), pd.Timestamp("2022-12-02")
    frame = embedded.intraday(first, last, 5, 0)
    table = to_table(frame, sorted(frame["symbol"].unique()), "made up")
    days = days_of(table)
    assert days.daily and len(days) == 9, "Thanksgiving is no session"
    assert [day.isoformat() for day in days.closes_at[3:4]] == ["2022-11-25T13:00:00-05:00"], "a half day"
    assert str(days.opens_at[0]) == "2022-11-21 09:30:00-05:00"
    for row, number in enumerate(np.unique(table.session)):
        inside = table.session == number
        assert np.array_equal(days.open[row], table.open[inside][0])
        assert np.array_equal(days.high[row], table.high[inside].max(axis=0))
        assert np.array_equal(days.low[row], table.low[inside].min(axis=0))
        assert np.array_equal(days.close[row], table.close[inside][-1])
        assert np.allclose(days.volume[row], table.volume[inside].sum(axis=0))


def test_bars_after_the_close_are_not_of_the_day_that_is_read_at_it():
    times = pd.date_range("2024-07-03 09:00", "2024-07-03 19:30", freq="30min", tz="America/New_York")
    close = np.arange(len(times)) + 100.0
    frame = pd.DataFrame({"symbol": "A", "datetime": times, **dict.fromkeys(FIELDS, close)})
    days = days_of(to_table(frame, ["A"], "hand-written"))
    last = int(times.searchsorted(pd.Timestamp("2024-07-03 13:00", tz="America/New_York"))) - 1
    assert str(days.closes_at[0]) == "2024-07-03 13:00:00-04:00", "a half day"
    assert days.close[0, 0] == days.high[0, 0] == close[last]
    assert days.volume[0, 0] == close[: last + 1].sum()


def test_a_day_without_a_bar_is_missing_and_one_that_is_cut_off_is_not_over():
    times = pd.date_range("2024-03-04 09:30", periods=6, freq="60min", tz="America/New_York")
    times = times.append(pd.date_range("2024-03-05 09:30", periods=2, freq="60min", tz="America/New_York"))
    rows = [("A", at, 10.0, 11.0, 9.0, 10.0, 100.0) for at in times]
    rows += [("B", at, 20.0, 21.0, 19.0, 20.0, 100.0) for at in times[6:]]
    days = days_of(to_table(pd.DataFrame(rows, columns=["symbol", "datetime", *FIELDS]), ["A", "B"], "hand-written"))
    assert np.isnan(days.close[0, 1]) and np.isnan(days.volume[0, 1]) and days.close[1, 1] == 20
    assert days.row_closed_at(times[-1] + pd.Timedelta(hours=1)) == 0, "the second day ends at 16:00"
    assert days.row_closed_at(pd.Timestamp("2024-03-05 16:00", tz="America/New_York")) == 1
