"""Frames of symbols and one long table of the same bars become the same arrays."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pandas as pd
import pytest

from config import Refusal
from market.bar_tables import frames_to_table, session_dates, to_table

SESSIONS = pd.bdate_range("2024-02-26", periods=20)
BARS = pd.DatetimeIndex(
    [day + time for day in SESSIONS for time in pd.timedelta_range("9h30min", "15h30min", freq="1h")]
)


def frames(index: pd.DatetimeIndex, draws: np.random.Generator) -> dict[str, pd.DataFrame]:
    """Symbols with all bars, with some, and with some twice and in no order."""
    some = np.sort(draws.choice(len(index), len(index) // 2, replace=False))
    chosen = {"ALL": index, "AGAIN": index, "SOME": index[some], "TWICE": index[draws.choice(len(index), len(index))]}
    found = {}
    for symbol, times in chosen.items():
        close = 50 * np.exp(np.cumsum(draws.normal(0, 0.01, len(times))))
        prices = {"open": close, "high": close * 1.01, "low": close * 0.99, "close": close}
        found[symbol] = pd.DataFrame({**prices, "volume": draws.integers(1, 1000, len(times))}, index=times)
    return found


@pytest.mark.parametrize("daily", [True, False])
@pytest.mark.parametrize("zone", [None, "America/New_York", "UTC"])
def test_frames_become_the_table_of_their_long_form(daily, zone):
    index = SESSIONS if daily else BARS
    if zone is not None:
        index = index.tz_localize(zone if daily else "America/New_York").tz_convert(zone)
    bars = frames(index, np.random.default_rng(7))
    labels = {s: session_dates(f.index) if daily else f.index for s, f in bars.items()}
    if not daily and zone is None:
        labels = {symbol: times.tz_localize("America/New_York") for symbol, times in labels.items()}
    long = pd.concat([f.assign(symbol=s, datetime=labels[s]) for s, f in bars.items()], ignore_index=True)
    ours, theirs = frames_to_table(bars, daily=daily, source="x"), to_table(long, list(bars), "x")
    assert ours.daily is daily
    assert np.isnan(ours.close).any()
    assert np.isfinite(ours.close[:, 0]).all()
    for item in fields(ours):
        one, other = getattr(ours, item.name), getattr(theirs, item.name)
        if isinstance(one, np.ndarray):
            assert np.array_equal(one, other, equal_nan=True), item.name
        elif isinstance(one, pd.DatetimeIndex):
            assert one.equals(other), item.name
        else:
            assert one == other, item.name


def test_bars_a_day_long_with_an_hour_of_their_own_are_no_sessions():
    index = pd.date_range("2024-03-01", periods=9, freq="24h", tz="UTC")
    prices = pd.DataFrame({"open": 1.0, "high": 1.0, "low": 1.0, "close": 1.0, "volume": 1.0}, index=index)
    table = frames_to_table({"BTC/USD": prices}, daily=False, source="x")
    assert table.minutes == 1440
    assert list(table.closes_at) == list(index + pd.Timedelta(days=1))


def test_frames_without_bars_are_refused():
    empty = pd.DataFrame({name: [] for name in ("open", "high", "low", "close", "volume")}, index=pd.DatetimeIndex([]))
    for none in ({}, {"A": empty}):
        with pytest.raises(Refusal, match="no bars for the universe"):
            frames_to_table(none, daily=True, source="x")
