"""One timeframe up: which bars belong together, when they are over, and what is known of them at each row."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.values.markets import NEW_YORK
from market.bar_tables import to_table
from market.bars import BarTable
from market.calendar import week_ends
from market.feature_registry import parse
from market.features import FeatureTable, bars_to_settle
from market.timeframes import higher_bars
from market.trading_day import use_day_of

nan = np.nan
NAMES = ("higher_ema_1", "higher_ema_3", "session_rows_1", "session_rows_3")


def bars_at(times: pd.DatetimeIndex | list[str], close: np.ndarray | list[float] | None = None) -> BarTable:
    """A table with a bar at each time; a row of NaN is a bar that no symbol has."""
    index = pd.DatetimeIndex(times)
    closes = np.arange(1.0, len(index) + 1) if close is None else np.asarray(close, dtype=float)
    closes = closes[:, np.newaxis] if closes.ndim == 1 else closes
    symbols = [f"S{k}" for k in range(closes.shape[1])]
    columns = [pd.DataFrame({"datetime": index, "close": closes[:, k], "symbol": s}) for k, s in enumerate(symbols)]
    frame = pd.concat(columns)
    return to_table(frame.assign(open=frame.close, high=frame.close, low=frame.close, volume=100.0), symbols, "test")


def five_minutes(day: str, first: str, last: str) -> pd.DatetimeIndex:
    return pd.date_range(f"{day} {first}", f"{day} {last}", freq="5min", tz=NEW_YORK)


def tail(bars: BarTable, rows: int) -> BarTable:
    cut = slice(len(bars) - rows, None)
    fields = ("opens_at", "closes_at", "session", "open", "high", "low", "close", "volume")
    return replace(bars, **{name: getattr(bars, name)[cut] for name in fields})


def known(bars: BarTable, name: str = "higher_ema_1", symbol: int = 0) -> list[float]:
    return FeatureTable(bars, [name], {}).columns[name][:, symbol].tolist()


def same(one: np.ndarray, other: np.ndarray) -> bool:
    return np.array_equal(one, other, equal_nan=one.dtype != bool)


# --- coins


@pytest.mark.parametrize("zone", ["UTC", NEW_YORK])
@pytest.mark.parametrize("day", ["2026-03-04", "2026-03-07", "2025-11-28", "2026-07-01"])
def test_four_hours_of_coins_count_from_the_midnight_of_the_day(day, zone):
    use_day_of(zone)
    times = pd.date_range(day, periods=24, freq="h", tz=zone).tz_convert(NEW_YORK)
    bars = replace(bars_at(times), symbols=("BTC/USD",))
    ends, complete = higher_bars(bars)
    assert np.unique(ends, return_counts=True)[1].tolist() == [4] * 6
    assert np.flatnonzero(complete).tolist() == [3, 7, 11, 15, 19, 23]


def test_a_week_of_coins_ends_on_sunday():
    bars = replace(bars_at(pd.date_range("2026-03-02", periods=14)), symbols=("BTC/USD",))
    ends, complete = higher_bars(bars)
    assert np.unique(ends, return_counts=True)[1].tolist() == [7, 7]
    assert np.flatnonzero(complete).tolist() == [6, 13]


# --- weeks


@pytest.mark.parametrize(
    ("day", "end"),
    [
        ("2024-03-18", "2024-03-22"),
        ("2024-03-22", "2024-03-22"),
        ("2024-03-25", "2024-03-28"),  # Good Friday is the 29th
        ("2024-03-28", "2024-03-28"),
        ("2024-03-29", "2024-04-05"),
        ("2024-03-30", "2024-04-05"),  # a Saturday belongs to the week that begins
        ("2021-12-20", "2021-12-23"),  # Christmas observed on the Friday
        ("2021-12-31", "2021-12-31"),  # New Year's Day is a Saturday: no holiday
        ("2024-11-29", "2024-11-29"),  # a half day
    ],
)
def test_a_week_ends_with_its_last_session(day, end):
    assert week_ends(pd.DatetimeIndex([day])) == pd.DatetimeIndex([end])


def test_no_dates_have_no_week_ends():
    assert week_ends(pd.DatetimeIndex([])).empty
    assert [len(part) for part in higher_bars(bars_at(["2024-03-18"]).head(0))] == [0, 0]


def test_a_week_ends_the_same_wherever_the_dates_begin_and_end():
    dates = pd.date_range("2019-12-15", "2021-02-01", freq="D")
    whole = week_ends(dates)
    for k in range(0, len(dates) - 1, 13):
        assert week_ends(dates[k : k + 1])[0] == whole[k]
        assert week_ends(dates[: k + 1])[-1] == whole[k]


def test_a_week_counts_from_its_last_session_on_and_not_before():
    days = ["2024-03-20", "2024-03-21", "2024-03-22", "2024-03-25", "2024-03-27", "2024-03-28", "2024-04-01"]
    assert known(bars_at(days)) == pytest.approx([nan, nan, 3, 3, 3, 6, 6], nan_ok=True)


def test_a_week_whose_last_bar_is_missing_counts_once_the_next_has_begun():
    days = ["2024-03-20", "2024-03-21", "2024-03-22", "2024-03-25", "2024-04-01", "2024-04-05"]
    close = [[1, 1], [2, 2], [3, nan], [4, 4], [5, 5], [6, 6]]
    bars = bars_at(days, close)
    assert known(bars, symbol=0) == pytest.approx([nan, nan, 3, 3, 4, 6], nan_ok=True)
    # Thursday's close stands for S1's first week; nobody has the Thursday that ended the second.
    assert known(bars, symbol=1) == pytest.approx([nan, nan, nan, 2, 4, 6], nan_ok=True)


def test_two_weeks_may_become_known_at_one_bar():
    days = ["2024-03-20", "2024-04-05", "2024-04-08"]
    bars = bars_at(days, [10, 20, 30])
    assert known(bars) == pytest.approx([nan, 20, 20], nan_ok=True)
    assert known(bars, "higher_ema_2") == pytest.approx([nan, 15, 15], nan_ok=True)


def test_the_ema_of_weekly_closes_by_hand():
    fridays = pd.date_range("2024-01-05", periods=4, freq="7D")
    bars = bars_at(fridays, [10, 20, 30, 50])
    # seeded with the mean of 10 and 20, then two thirds of the newest
    assert known(bars, "higher_ema_2") == pytest.approx([nan, 15, 25, 125 / 3], nan_ok=True)


# --- quarters of an hour


def test_fifteen_minutes_count_from_the_opening_and_only_when_over():
    bars = bars_at(five_minutes("2024-03-18", "09:30", "10:05"))
    assert known(bars) == pytest.approx([nan, nan, 3, 3, 3, 6, 6, 6], nan_ok=True)


def test_a_quarter_without_its_last_bar_counts_from_the_next_quarter_on():
    bars = bars_at(five_minutes("2024-03-18", "09:30", "10:10").delete([2, 3]))
    # 9:30 9:35 | 9:50 9:55 | 10:00 10:05 10:10
    assert known(bars) == pytest.approx([nan, nan, 2, 4, 4, 4, 7], nan_ok=True)


def test_the_session_close_ends_a_longer_bar_early():
    # Hours one up are four-hour bars from 9:30: the second would last until 17:30, on the half day it begins at 13:30.
    full = pd.date_range("2024-11-27 09:30", periods=7, freq="h", tz=NEW_YORK)
    half = pd.date_range("2024-11-29 09:30", periods=4, freq="h", tz=NEW_YORK)
    bars = bars_at(full.append(half))
    assert higher_bars(bars)[1].tolist() == [False] * 3 + [True] + [False] * 2 + [True] + [False] * 3 + [True]
    assert known(bars) == pytest.approx([nan, nan, nan, 4, 4, 4, 7, 7, 7, 7, 11], nan_ok=True)


def test_bars_after_the_close_do_not_join_the_session():
    bars = bars_at(five_minutes("2024-07-03", "12:50", "13:20"))  # a half day
    assert higher_bars(bars)[1].tolist() == [False, True, False, False, True, False, False]


def test_a_market_that_never_closes_has_every_longer_bar_once():
    times = pd.date_range("2024-03-01", periods=24 * 40, freq="h", tz="UTC")
    bars = bars_at(times)
    ends, complete = higher_bars(bars)
    begins = np.flatnonzero(np.diff(ends, prepend=-1))
    assert (np.diff(ends) >= 0).all()
    assert complete[begins[1:] - 1].all()
    assert complete.sum() == len(begins) - 1 + int(complete[-1])


@pytest.mark.parametrize(("minutes", "together"), [(1, 5), (5, 3), (15, 4), (30, 2), (60, 4)])
def test_the_next_timeframe_of_intraday_bars(minutes, together):
    times = pd.date_range("2024-03-18 09:30", periods=3 * together, freq=f"{minutes}min", tz=NEW_YORK)
    ends = higher_bars(bars_at(times))[0]
    assert np.count_nonzero(ends == ends[0]) == together


# --- sessions


def test_session_rows_reach_back_to_the_first_bar_of_the_nth_session():
    times = five_minutes("2024-03-18", "09:30", "09:40").append(five_minutes("2024-03-19", "09:30", "09:35"))
    times = times.append(five_minutes("2024-03-20", "09:30", "09:40"))
    close = np.arange(16.0).reshape(8, 2) + 1
    close[3:5, 1] = nan  # S1 doesn't trade on the second day
    close[5, 1] = nan
    bars = bars_at(times, close)
    assert known(bars, "session_rows_2", 0) == pytest.approx([nan, nan, nan, 4, 5, 3, 4, 5], nan_ok=True)
    assert known(bars, "session_rows_2", 1) == pytest.approx([nan] * 6 + [7, 8], nan_ok=True)
    assert known(bars, "session_rows_1", 1) == pytest.approx([1, 2, 3, nan, nan, nan, 1, 2], nan_ok=True)


def test_on_daily_bars_session_rows_are_bars():
    bars = bars_at(pd.bdate_range("2024-03-18", periods=6), [1, 2, nan, 4, 5, 6])
    assert known(bars, "session_rows_3") == pytest.approx([nan, nan, nan, 4, 4, 3], nan_ok=True)


# --- what must hold whatever the data


@st.composite
def gappy(draw):
    """Bars on sessions of New York, with sessions, times and symbols' bars missing."""
    random = np.random.default_rng(draw(st.integers(0, 2**16)))
    count, width = draw(st.integers(2, 90)), draw(st.integers(1, 4))
    if draw(st.booleans()):
        times = pd.bdate_range("2023-11-13", periods=2 * count)
    else:
        day = five_minutes("2023-11-22", "09:30", "15:55").append(five_minutes("2023-11-24", "09:30", "12:55"))
        times = day.append(five_minutes("2023-11-27", "09:30", "15:55"))
    times = times[np.sort(random.choice(len(times), min(count, len(times)), replace=False))]
    close = 100 * np.exp(np.cumsum(random.normal(0, 0.02, (len(times), width)), axis=0))
    close[random.random(close.shape) < draw(st.sampled_from([0.0, 0.1, 0.6]))] = nan
    bars = bars_at(times, close)
    # Few bars with long gaps don't tell how long they are.
    return replace(bars, minutes=1440 if times.tz is None else 5)


@settings(max_examples=80, deadline=None)
@given(bars=gappy(), cut=st.floats(0, 1))
def test_cutting_the_table_changes_no_value_before_the_cut(bars, cut):
    kept = int(cut * len(bars))
    whole, part = FeatureTable(bars, NAMES, {}), FeatureTable(bars.head(kept), NAMES, {})
    for name in (*NAMES, "usable"):
        assert same(part.columns[name], whole.columns[name][:kept]), name


@settings(max_examples=80, deadline=None)
@given(bars=gappy())
def test_a_symbol_gives_the_same_values_alone_and_among_others(bars):
    among = FeatureTable(bars, NAMES, {})
    for k, symbol in enumerate(bars.symbols):
        prices = {f: getattr(bars, f)[:, k : k + 1] for f in ("open", "high", "low", "close", "volume")}
        alone = FeatureTable(replace(bars, symbols=(symbol,), **prices), NAMES, {})
        for name in NAMES:
            assert same(alone.columns[name][:, 0], among.columns[name][:, k]), name


@settings(max_examples=60, deadline=None)
@given(bars=gappy())
def test_only_closes_of_longer_bars_that_are_over_are_known(bars):
    """Told anew, bar by bar: the newest longer bar that ended by this row's close or before this row's own."""
    ends, complete = higher_bars(bars)
    told = FeatureTable(bars, ["higher_ema_1"], {}).columns["higher_ema_1"]
    for k in range(len(bars.symbols)):
        over, running = nan, None
        for row in np.flatnonzero(np.isfinite(bars.close[:, k])):
            if running is not None and ends[row] != running[0]:
                over = running[1]
            running = (ends[row], bars.close[row, k])
            if complete[row]:
                over = running[1]
            assert same(told[row, k], np.float64(over))


@pytest.mark.parametrize("daily", [True, False])
def test_a_live_tail_says_what_the_full_history_says(daily):
    random = np.random.default_rng(1)
    names = ["higher_ema_9", "higher_ema_21", "session_rows_20"]
    if daily:
        times = pd.bdate_range("2005-01-03", periods=1600)
    else:
        days = pd.bdate_range("2024-01-02", periods=40).strftime("%Y-%m-%d")
        times = pd.DatetimeIndex([time for day in days for time in five_minutes(day, "09:30", "15:55")])
    bars = bars_at(times, 100 * np.exp(np.cumsum(random.normal(0, 0.02, (len(times), 2)), axis=0)))
    rows = bars_to_settle(names, 1 if daily else 78)
    for end in range(len(bars) - 8, len(bars)):
        full = FeatureTable(bars.head(end), names, {})
        live = FeatureTable(tail(bars.head(end), rows), names, {})
        for name in names:
            np.testing.assert_allclose(live.columns[name][-1], full.columns[name][-1], rtol=1e-6, err_msg=name)


def test_a_symbol_without_a_longer_trend_stays_usable():
    found = FeatureTable(bars_at(pd.bdate_range("2024-03-18", periods=8)), ["higher_ema_21", "mean_3"], {})
    assert np.isnan(found.columns["higher_ema_21"]).all()
    assert found.columns["usable"][:, 0].tolist() == [False, False, *[True] * 6]
    assert found.why_unusable(0, "S0") == "warming up: mean_3 needs 3 bars, has 1"
    assert not parse("higher_ema_21").entry.required


@pytest.mark.shared
@pytest.mark.parametrize("file", ["daily_universe", "bars_5min"])
def test_on_real_bars_it_equals_a_resampling(shared_data: Path, file):
    frame = pd.read_parquet(shared_data / f"{file}.parquet")
    symbol = sorted(frame["symbol"].unique())[0]
    bars = to_table(frame[frame["symbol"] == symbol], [symbol], file).head(4000)
    told = FeatureTable(bars, ["higher_ema_1"], {}).columns["higher_ema_1"][:, 0]
    close = pd.Series(bars.close[:, 0], index=bars.opens_at)
    longer = close.resample("W-FRI" if bars.daily else "15min").last().dropna()
    # Each longer close is known from some row on, in their order, and none is left out.
    seen = told[np.isfinite(told)]
    seen = seen[np.concatenate(([True], seen[1:] != seen[:-1]))]
    expected = longer.to_numpy()[: len(seen)]
    expected = expected[np.concatenate(([True], expected[1:] != expected[:-1]))]
    assert len(seen) > len(longer) * 0.95
    np.testing.assert_array_equal(seen[: len(expected)], expected)
