"""The benchmark beside a live run: over the run's own days, and told where it is not."""

from __future__ import annotations

from datetime import datetime

import pandas as pd
import pytest

from backtests.live.benchmark import benchmark_fall, benchmark_of
from market.bar_tables import to_table

NEW_YORK = "America/New_York"
DAYS = pd.bdate_range("2022-05-02", "2022-05-13")


def table(times: pd.DatetimeIndex):
    """Bars of one symbol: the first opens at 100 and closes at 101, the next closes at 102, and so on."""
    rise = [float(k) for k in range(len(times))]
    frame = pd.DataFrame({"symbol": "AAA", "datetime": times, "volume": 1.0})
    frame = frame.assign(**{name: [100 + r + up for r in rise] for name, up in (("open", 0), ("low", 0), ("high", 1))})
    return to_table(frame.assign(close=frame["high"]), ["AAA"], "made up")


def at(text: str) -> datetime:
    return pd.Timestamp(text, tz=NEW_YORK).to_pydatetime()


@pytest.mark.parametrize(
    ("now", "told"),
    [
        ("2022-05-10 16:00", ""),
        ("2022-05-10 15:53", "from 2022-05-06 to 2022-05-09"),
        ("2022-05-06 16:00", "from 2022-05-06 to 2022-05-06"),
    ],
)
def test_three_days_of_a_run_are_compared_with_the_same_three(now, told):
    """From the opening of the first day; what has not closed when the run ends is left out and told."""
    closes, notes = benchmark_of("AAA", table(DAYS), at("2022-05-06 11:34"), at("2022-05-10 15:52"), at(now))
    last = {"": 107, "from 2022-05-06 to 2022-05-09": 106, "from 2022-05-06 to 2022-05-06": 105}[told]
    assert closes.tolist() == [104.0, *(float(close) for close in range(105, last + 1))]
    whole = f"the benchmark AAA has bars {told} only: its figures are of this span, not of the whole run"
    assert notes == ((whole,) if told else ())


def test_intraday_bars_count_from_the_first_iteration_on():
    bars = table(pd.date_range("2022-05-06 09:30", "2022-05-06 15:55", freq="5min", tz=NEW_YORK))
    end = at("2022-05-06 12:01")
    closes, notes = benchmark_of("AAA", bars, at("2022-05-06 11:34"), end, end)
    assert closes.index[0] == pd.Timestamp("2022-05-06 11:35", tz=NEW_YORK)
    assert closes.index[-1] == pd.Timestamp("2022-05-06 12:00", tz=NEW_YORK)
    assert notes == ()


@pytest.mark.parametrize(("symbol", "bars"), [("BBB", table(DAYS)), ("AAA", None)])
def test_a_benchmark_without_bars_is_told(symbol, bars):
    start, end = at("2022-05-06 11:34"), at("2022-05-10 15:52")
    assert benchmark_of(symbol, bars, start, end, end)[1][0].startswith("no benchmark: ")


def test_a_run_before_any_bar_is_over_has_none_to_compare_with():
    moment = at("2022-05-02 10:00")
    assert benchmark_of("AAA", table(DAYS), moment, moment, moment)[0] is None


def test_a_fall_within_the_session_is_measured_at_the_bars():
    """From one close a session the benchmark that rose from start to end would never have fallen."""
    times = pd.date_range("2022-05-06 11:35", periods=4, freq="5min", tz=NEW_YORK)
    frame = pd.DataFrame({"symbol": "AAA", "datetime": times, "volume": 1.0, "close": [101.0, 110.0, 99.0, 105.0]})
    frame = frame.assign(open=100.0, high=111.0, low=98.0)
    bars, end = to_table(frame, ["AAA"], "made up"), at("2022-05-06 11:56")
    closes, _ = benchmark_of("AAA", bars, at("2022-05-06 11:34"), end, end)
    assert benchmark_fall("AAA", bars, closes) == pytest.approx(0.1)
    assert benchmark_fall("AAA", None, None) is None
