"""Frames of a Lumibot script: bars of one length become one table, others are refused, and holes are no length."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from lumibot.entities import Asset, Data

from brokers.backtest.frames import pandas_table
from config import Refusal
from market.bars import BarTable

DAYS = pd.bdate_range("2024-03-04", periods=12, tz="America/New_York")
USD = Asset("USD", "forex")


def stamps(minutes: int, days: pd.DatetimeIndex = DAYS) -> pd.DatetimeIndex:
    """Openings of all bars of regular hours."""
    offsets = pd.timedelta_range("9h30min", "15h59min", freq=f"{minutes}min")
    return pd.DatetimeIndex([day + offset for day in days for offset in offsets])


def some_of(index: pd.DatetimeIndex, rows: Sequence[int]) -> pd.DatetimeIndex:
    return index[list(rows)]


def table(**frames: tuple[str, pd.DatetimeIndex]) -> BarTable:
    found = {}
    for symbol, (timestep, index) in frames.items():
        prices = pd.DataFrame({"open": 10.0, "high": 11.0, "low": 9.0, "close": 10.0, "volume": 1.0}, index=index)
        found[(Asset(symbol), USD)] = Data(Asset(symbol), prices, timestep=timestep)
    return pandas_table(found)


FIVE = ("minute", stamps(5))
WEEKLY = DAYS[0] + pd.to_timedelta(np.arange(6) * 7, unit="D")
HISTORY = pd.bdate_range("2024-02-01", "2024-03-01", tz="America/New_York")

REFUSED = {
    "daily among 5 minutes": (
        {"A": FIVE, "B": FIVE, "TSLA": ("day", DAYS)}, "bars of TSLA are a day apart, those of A, B 5 minutes; give"
    ),
    "one daily bar among 5 minutes": (
        {"A": FIVE, "B": FIVE, "TSLA": ("day", DAYS[:1])}, "bars of TSLA are a day apart, those of A, B 5 minutes"
    ),
    "declared hourly among 5 minutes": (
        {"A": FIVE, "B": FIVE, "H": ("hour", stamps(60)[:1])}, "bars of H are 60 minutes apart, those of A, B 5"
    ),
    "hourly among 5 minutes": (
        {"A": FIVE, "H": ("minute", stamps(60))}, "bars of H are 60 minutes apart, those of A 5 minutes"
    ),
    "one session of hours": (
        {"A": FIVE, "H": ("minute", stamps(60, DAYS[:1]))}, "bars of H are 60 minutes apart, those of A 5 minutes"
    ),
    "1 minute among 5": ({"A": FIVE, "B": FIVE, "M": ("minute", stamps(1, DAYS[:1]))}, "bars of M are a minute apart"),
    "daily called minute, among 5": ({"A": FIVE, "D": ("minute", DAYS)}, "bars of D are a day apart, those of A 5"),
    "daily history before 5 minutes": (
        {"A": FIVE, "G": ("minute", HISTORY.append(stamps(5)))}, "bars of G are a day apart, those of A 5"
    ),
    "daily called minute": ({"A": ("minute", DAYS)}, "no two bars of A lie within a day.*timestep='day'"),
    "5 minutes called day": ({"A": ("day", stamps(5))}, "bars of A are 5 minutes apart, but their timestep is day"),
    "weekly among daily": (
        {"A": ("day", DAYS), "W": ("day", WEEKLY)}, "bars of W are 7 days apart, those of A a day"
    ),
    "half minutes": (
        {"A": ("minute", pd.date_range("2024-03-04 09:30", periods=40, freq="30s", tz="America/New_York"))},
        "whole minutes",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("frames", "message"), REFUSED.values(), ids=REFUSED)
def test_bars_of_several_lengths_are_refused(frames, message):
    with pytest.raises(Refusal, match=f"pandas: .*{message}"):
        table(**frames)


SPARSE = {
    "one bar": [7],
    "two bars": [7, 19],
    "the first bar of some days": [0, 78, 156, 400],
    "irregular holes": [0, 2, 4, 9, 11, 20, 30, 33, 40, 50, 51, 70, 90, 92],
    "few regular holes": [0, 12, 24, 36, 48],
    "a halt": [*range(20), *range(60, 200), *range(700, 900)],
    "one day only": list(range(78)),
}


@pytest.mark.parametrize("rows", SPARSE.values(), ids=SPARSE)
def test_a_frame_with_holes_is_no_frame_of_longer_bars(rows):
    found = table(A=FIVE, S=("minute", some_of(stamps(5), rows)))
    assert found.minutes == 5 and np.isfinite(found.close).sum(axis=0).tolist() == [len(stamps(5)), len(rows)]


def test_the_length_is_the_most_common_step_even_where_holes_outweigh_it():
    rows = [0, 1, 2, 3, 6, 10, 15, 23, 31, 40]
    assert table(S=("minute", some_of(stamps(5), rows))).minutes == 5


def test_frames_of_one_length_are_one_table():
    assert table(A=("hour", stamps(60)), B=("hour", stamps(60)[5:])).minutes == 60
    around_the_clock = pd.date_range("2024-03-04", "2024-03-20", freq="1h", tz="UTC")
    assert table(A=("minute", around_the_clock)).minutes == 60
    assert table(A=("day", DAYS), B=("day", DAYS[::3]), C=("day", DAYS[:1])).daily
