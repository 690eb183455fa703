"""Intraday bars whose times are those at which they end."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from backtests.data.bar_files import read_file
from backtests.data.reading.options import ReadOptions
from config.errors import Refusal

DAYS = ("2022-11-22", "2022-11-23", "2022-11-25", "2022-11-28")  # The third ends at 13:00.
TWO_WAYS_OUT = "say --labels end, which takes one length of a bar off each time, or --labels begin"


def session(day: str, minutes: int) -> list[pd.Timestamp]:
    """The openings of a session's bars; where they make no whole session the last is shorter."""
    close = "13:00" if day == "2022-11-25" else "16:00"
    times = pd.date_range(f"{day} 09:30", f"{day} {close}", freq=f"{minutes}min", inclusive="left")
    return list(times)


def ends(day: str, minutes: int) -> list[pd.Timestamp]:
    close = pd.Timestamp(f"{day} {'13:00' if day == '2022-11-25' else '16:00'}")
    return [min(time + pd.Timedelta(minutes=minutes), close) for time in session(day, minutes)]


def written(path: Path, times: list[pd.Timestamp], symbol: str = "AAA") -> Path:
    rows = [f"{symbol},{time:%Y-%m-%d %H:%M},1,2,1,2,{k}" for k, time in enumerate(times)]
    path.write_text("\n".join(["symbol,datetime,open,high,low,close,volume", *rows, ""]))
    return path


@pytest.mark.parametrize("minutes", [1, 5, 30, 60])
def test_ends_are_asked_about_and_moved_to_the_openings(tmp_path, minutes):
    stamped = [time for day in DAYS for time in ends(day, minutes)]
    path = written(tmp_path / "x.csv", stamped)
    with pytest.raises(Refusal, match=f"AAA has bars from .* to 16:00 and none at 09:30, so .*{TWO_WAYS_OUT}"):
        read_file(path)
    found = read_file(path, options=ReadOptions(labels="end"))
    assert not any("left out" in note for note in found.notes) and found.read_as.endswith("times at which bars end")
    assert found.frame["datetime"].dt.tz_localize(None).tolist() == [t for day in DAYS for t in session(day, minutes)]
    assert found.frame["volume"].tolist() == list(range(len(stamped)))
    kept = read_file(path, options=ReadOptions(labels="begin")).frame
    assert len(kept) == len(stamped) - len(DAYS)


def test_hours_of_the_clock_that_end_in_the_session_begin_before_it(tmp_path):
    stamped = [pd.Timestamp(f"2022-11-2{day} {hour}:00") for day in (1, 2) for hour in range(10, 17)]
    path = written(tmp_path / "x.csv", stamped)
    with pytest.raises(Refusal, match=TWO_WAYS_OUT):
        read_file(path)
    times = read_file(path, options=ReadOptions(labels="end")).frame["datetime"]
    assert [f"{time:%H:%M}" for time in times[:7]] == [f"{hour:02d}:00" for hour in range(9, 16)]


def test_ends_of_extended_hours_are_asked_about(tmp_path):
    stamped = [at for day in DAYS[:2] for at in pd.date_range(f"{day} 04:05", f"{day} 20:00", freq="5min")]
    path = written(tmp_path / "x.csv", stamped)
    with pytest.raises(Refusal, match=f"AAA has bars from 04:05 to 20:00 and none at 04:00, so .*{TWO_WAYS_OUT}"):
        read_file(path)
    times = read_file(path, options=ReadOptions(labels="end", hours="extended")).frame["datetime"]
    assert [f"{times.iloc[k]:%H:%M}" for k in (0, -1)] == ["04:00", "19:55"]


def test_one_symbol_of_many_is_enough(tmp_path):
    (tmp_path / "d").mkdir()
    written(tmp_path / "d" / "AAA.csv", [time for day in DAYS for time in session(day, 5)])
    written(tmp_path / "d" / "BBB.csv", [time for day in DAYS for time in ends(day, 5)], "BBB")
    with pytest.raises(Refusal, match="BBB has bars from 09:35 to"):
        read_file(tmp_path / "d")


@pytest.mark.parametrize("minutes", [1, 5, 60])
def test_openings_are_not_asked_about(tmp_path, minutes):
    times = [time for day in DAYS for time in session(day, minutes)]
    assert len(read_file(written(tmp_path / "x.csv", times)).frame) == len(times)


def test_openings_of_extended_hours_are_not_asked_about(tmp_path):
    # Whole hours from 04:00: one at 16:00, none at 09:30, which the one of 09:00 holds.
    times = [pd.Timestamp(f"2022-11-2{day} {hour:02d}:00") for day in (1, 2, 3) for hour in range(4, 20)]
    assert len(read_file(written(tmp_path / "x.csv", times)).frame) == 3 * 7


def test_a_seldom_traded_symbol_is_not_asked_about(tmp_path):
    # No trade in the first minutes, one at the close's own minute.
    times = [
        pd.Timestamp(f"{day} {at}")
        for day in DAYS
        for at in ("10:07", "10:08", "10:09", "10:10", "10:11", "13:00", "16:00")
    ]
    assert read_file(written(tmp_path / "x.csv", times)).frame["datetime"].dt.hour.tolist()[:2] == [10, 10]


def test_minutes_of_ninjatrader_are_read_where_their_times_are_said(tmp_path):
    rows = [f"20221122 {time:%H%M%S};1;2;1;2;5" for time in ends("2022-11-22", 1)]
    (tmp_path / "AAA.txt").write_text("\n".join([*rows, ""]))
    with pytest.raises(Refusal, match=f"times such as 20221122 093100, as NinjaTrader .*{TWO_WAYS_OUT}"):
        read_file(tmp_path / "AAA.txt")
    times = read_file(tmp_path / "AAA.txt", options=ReadOptions(labels="end")).frame["datetime"]
    assert [f"{times.iloc[k]:%H:%M}" for k in (0, -1)] == ["09:30", "15:59"]


def test_days_have_no_ends(tmp_path):
    path = written(tmp_path / "x.csv", [pd.Timestamp(day) for day in DAYS])
    with pytest.raises(Refusal, match="its bars are days, which are read by their dates; leave out --labels"):
        read_file(path, options=ReadOptions(labels="end"))


def test_bars_of_a_market_that_never_closes_are_moved_too(tmp_path):
    stamped = list(pd.date_range("2023-01-01 01:00", periods=60, freq="1h"))
    path = written(tmp_path / "x.csv", stamped, "BTC/USD")
    found = read_file(path, options=ReadOptions(timezone="UTC", labels="end")).frame
    assert found["datetime"][0] == pd.Timestamp("2023-01-01", tz="UTC") and len(found) == 60
