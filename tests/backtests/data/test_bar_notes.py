"""What no venue would have had is left out and told, so are jumps like splits'; longer bars are put together."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from backtests.data.bar_files import read_file
from backtests.data.bar_notes import gaps, jumps
from backtests.data.data_sets import BarLength, load_data, window
from backtests.data.reading.options import ReadOptions
from backtests.data.session_bars import put_together
from config.errors import Refusal
from market.bars import PRICES

NEW_YORK = "America/New_York"


def table(times: pd.DatetimeIndex, symbol: str = "AAA", close: float = 2.0) -> pd.DataFrame:
    prices = dict.fromkeys(PRICES, close)
    return pd.DataFrame({"symbol": symbol, "datetime": times, **prices, "volume": 1.0})


def at(frame: pd.DataFrame, *prices: float) -> pd.DataFrame:
    """The bars, each at one price."""
    return frame.assign(**{name: list(prices) for name in PRICES})


def read(folder, frame: pd.DataFrame, **options):
    frame.to_parquet(folder / "x.parquet", index=False)
    return read_file(folder / "x.parquet", options=ReadOptions(**options))


def five_minutes(day: str, first: str, last: str) -> pd.DatetimeIndex:
    return pd.date_range(f"{day} {first}", f"{day} {last}", freq="5min", tz=NEW_YORK)


def test_bars_outside_the_session_are_left_out_and_told(tmp_path):
    found = read(tmp_path, table(five_minutes("2023-03-06", "04:00", "19:55")))
    assert len(found.frame) == 78
    assert found.notes == (
        "114 of 192 bars outside 09:30–16:00 (half days: to 13:00) left out, first AAA 2023-03-06 04:00:00",
    )


@pytest.mark.parametrize(("hours", "kept"), [("regular", 78), ("extended", 192), ("all", 192 + 24)])
def test_hours_are_those_in_which_a_run_trades(tmp_path, hours, kept):
    found = read(tmp_path, table(five_minutes("2023-03-06", "03:00", "20:55")), hours=hours)
    assert len(found.frame) == kept
    assert any("kept, as extended hours are on" in note for note in found.notes) == (hours == "extended")


def test_a_bar_off_the_grid_is_left_out_and_told(tmp_path):
    times = five_minutes("2023-03-06", "09:30", "15:55").append(
        pd.DatetimeIndex([pd.Timestamp("2023-03-06 11:53:20", tz=NEW_YORK)])
    )
    found = read(tmp_path, table(times.sort_values()))
    assert len(found.frame) == 78
    assert found.notes == ("1 of 79 bars off the grid of 5 minutes left out, first AAA 2023-03-06 11:53:20",)


def test_hourly_bars_on_the_clock_and_from_the_opening_are_both_a_grid(tmp_path):
    for first, kept in (("09:30", 7), ("09:00", 7)):
        found = read(tmp_path, table(pd.date_range(f"2023-03-06 {first}", periods=7, freq="1h", tz=NEW_YORK)))
        assert (len(found.frame), found.notes) == (kept, ())


@pytest.mark.parametrize("minutes", [1440, 5])
def test_bars_of_holidays_are_left_out_and_told(tmp_path, minutes):
    if minutes == 1440:
        times = pd.bdate_range("2023-07-03", "2023-07-06")
    else:
        times = five_minutes("2023-07-03", "09:30", "12:55").append(five_minutes("2023-07-04", "09:30", "09:40"))
    found = read(tmp_path, table(times))
    assert found.notes[0].startswith(
        f"{1 if minutes == 1440 else 3} of {len(times)} bars on days without a session left "
    )
    assert not (found.frame["datetime"].dt.date == date(2023, 7, 4)).any()


@pytest.mark.parametrize("symbol", ["BTC-USD", "COINX"])
def test_what_trades_around_the_clock_keeps_all_of_its_bars(tmp_path, symbol):
    hourly = pd.date_range("2023-07-01", "2023-07-09 23:00", freq="1h", tz="UTC")
    found = read(tmp_path, table(hourly, symbol))
    assert (len(found.frame), found.notes) == (9 * 24, ())
    days = read(tmp_path, table(pd.date_range("2023-07-01", "2023-07-09"), symbol))
    assert len(days.frame) == 9


def test_a_file_without_any_bar_of_a_session_is_refused(tmp_path):
    with pytest.raises(Refusal, match=r"12 of 12 bars outside 09:30–16:00 .*; give bars of New York's sessions"):
        read(tmp_path, table(five_minutes("2023-03-06", "18:00", "18:55")))


@pytest.mark.parametrize(("days", "told"), [(1, "late"), (-1, "early")])
def test_dates_a_day_off_are_refused(tmp_path, days, told):
    times = pd.bdate_range("2023-03-06", "2023-06-30") + pd.Timedelta(days=days)
    with pytest.raises(Refusal, match=f"of the bars of AAA are dated S.*day: its dates look a day {told}"):
        read(tmp_path, table(times))
    assert len(read(tmp_path, table(times), hours="all").frame) == len(times)


def test_new_york_s_times_with_another_offset_are_refused(tmp_path):
    """They lie outside the session for the most part; bars of extended hours do so too, and cover it."""
    days = [five_minutes(f"2023-03-{day:02d}", "09:30", "15:55") for day in range(6, 11)]
    times = days[0].append(days[1:])
    with pytest.raises(Refusal, match=r"300 of 390 bars lie outside .* 04:30 to 10:55 in New York and 09:30 to 15:55"):
        read(tmp_path, table(times.tz_localize(None).tz_localize("UTC")))
    assert len(read(tmp_path, table(times)).frame) == len(times)


def sessions(first: str, last: str, zone: str = NEW_YORK, frequency: str = "5min") -> pd.DatetimeIndex:
    """The bars of whole sessions, as the clock of a zone shows them."""
    days = pd.bdate_range(first, last)
    bars = [pd.date_range(f"{day:%F} 09:30", f"{day:%F} 15:59", freq=frequency, tz=NEW_YORK) for day in days]
    return bars[0].append(bars[1:]).tz_convert(zone).tz_localize(None)


def of_zones(first: str, last: str, **zones: str) -> pd.DataFrame:
    """Symbols whose times are each of another zone, without an offset."""
    return pd.concat([table(sessions(first, last, zone), name) for name, zone in zones.items()], ignore_index=True)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/Chicago", "America/Los_Angeles", "Asia/Kolkata"])
def test_a_symbol_in_another_zone_than_the_others_is_refused(tmp_path, zone):
    """However many there are: the one that is read right fills the session."""
    frame = of_zones("2023-03-13", "2023-03-17", AAA=NEW_YORK, BBB=zone, CCC=zone)
    told = "the bars of BBB from 2023-03-13 to .* and those of AAA do not: all symbols are read in one zone; write the"
    with pytest.raises(Refusal, match=told):
        read(tmp_path, frame)
    one = of_zones("2023-03-13", "2023-03-17", AAA=NEW_YORK, BBB=NEW_YORK)
    assert read(tmp_path, one).notes == ()


def test_an_hour_s_wrong_zone_of_all_symbols_is_refused(tmp_path):
    frame = of_zones("2023-03-13", "2023-03-17", AAA="America/Chicago", BBB="America/Chicago")
    with pytest.raises(Refusal, match="from 08:30 to 14:55 in New York: --timezone America/New_York looks wrong"):
        read(tmp_path, frame, timezone=NEW_YORK)
    assert read(tmp_path, frame, timezone="America/Chicago").notes == ()


@pytest.mark.parametrize(
    ("zone", "first", "last", "told"),
    [
        ("Etc/GMT+4", "2022-10-31", "2022-11-11", "from 2022-11-07 to 2022-11-11 .* from 10:30 to 16:55 in New York"),
        ("Etc/GMT+5", "2022-10-31", "2022-11-11", "from 2022-10-31 to 2022-11-04 .* from 08:30 to 14:55 in New York"),
    ],
)
def test_times_whose_clock_does_not_change_with_new_york_s_are_refused(tmp_path, zone, first, last, told):
    frame = of_zones(first, last, AAA=zone)
    with pytest.raises(Refusal, match=f"{told}, and those of 5 other sessions of it do not: .* --timezone {zone[:-2]}"):
        read(tmp_path, frame)
    assert read(tmp_path, frame, timezone=zone).notes == ()
    stamped = table(sessions(first, last).tz_localize(zone))
    with pytest.raises(Refusal, match="the offset looks wrong on one side of a clock change"):
        read(tmp_path, stamped)


def test_a_zone_that_changes_its_clock_on_other_days_is_refused(tmp_path):
    """Servers of brokers are seven hours ahead of New York all year, which no zone of Europe is."""
    ahead = table(sessions("2023-03-06", "2023-03-31") + pd.Timedelta(hours=7))
    with pytest.raises(Refusal, match=r"from 2023-03-13 to 2023-03-24 .*--timezone Europe/Athens changes its clock"):
        read(tmp_path, ahead, timezone="Europe/Athens")


@pytest.mark.parametrize("hours", ["regular", "extended"])
def test_what_keeps_the_session_for_the_most_part_is_read(tmp_path, hours):
    """Bars of extended hours, hours that hardly trade, late first days and halts are no other zone's."""
    full = [five_minutes(f"2023-03-{day}", "04:00", "19:55") for day in range(13, 18)]
    behind = [five_minutes(f"2023-03-{day}", "09:30", "19:55") for day in range(13, 18)]
    listed = [five_minutes("2023-03-13", "11:30", "19:55"), five_minutes("2023-03-14", "10:45", "19:55"), *behind[2:]]
    twice = (("11:00", "11:10"), ("17:00", "17:10"))
    thin = [five_minutes(f"2023-03-{day}", *span) for day in range(13, 18) for span in twice]
    halves = five_minutes("2022-11-25", "09:30", "15:55")
    parts = {"FULL": full, "PAST": behind, "IPO": listed, "THIN": thin, "HALF": [halves]}
    frame = pd.concat([table(times, name) for name, days in parts.items() for times in days], ignore_index=True)
    assert read(tmp_path, frame, hours=hours).symbols == sorted(parts)


@pytest.mark.parametrize("frequency", ["1min", "15min", "30min", "60min"])
def test_sessions_of_any_bar_length_keep_their_clock(tmp_path, frequency):
    right = sessions("2022-10-31", "2022-11-11", frequency=frequency)
    assert read(tmp_path, table(right)).notes == ()
    with pytest.raises(Refusal, match="from 2022-11-07 to 2022-11-11"):
        read(tmp_path, table(sessions("2022-10-31", "2022-11-11", "Etc/GMT+4", frequency)))


def test_a_first_hour_that_lacks_its_bars_for_some_sessions_is_told(tmp_path):
    """As where what lay beyond the close was cut off already."""
    times = sessions("2022-10-31", "2022-11-11", "Etc/GMT+4")
    found = read(tmp_path, table(times[times.hour < 16]))
    assert found.notes == ("AAA has no bar in the first hour of 5 sessions in a row, 2022-11-07 to 2022-11-11",)


# ---- jumps ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (100.0, 50.0, "2:1"), (100.0, 51.5, "2:1"), (90.0, 30.3, "3:1"), (100.0, 66.9, "3:2"), (837.9, 89.4, "10:1"),
        (10.0, 200.0, "1:20 (reverse)"), (10.0, 20.4, "1:2 (reverse)"), (100.0, 70.0, ""), (100.0, 80.0, ""),
        (100.0, 58.0, ""), (100.0, 99.0, ""), (100.0, 120.0, ""),
    ],
)  # fmt: skip
@pytest.mark.parametrize("intraday", [False, True])
def test_jumps_at_plain_ratios_are_told(before, after, told, intraday):
    times = pd.DatetimeIndex(["2023-03-06", "2023-03-07", "2023-03-08"])
    if intraday:
        times = (times + pd.Timedelta(hours=9.5)).tz_localize(NEW_YORK)
    found = jumps(at(table(times), before, after, after))
    note = f"AAA 2023-03-07: jump from {before:g} to {after:g} overnight, like an unadjusted {told} split"
    assert found == ([note] if told else [])


def test_a_halving_within_a_day_and_another_symbol_are_no_jumps():
    times = five_minutes("2023-03-06", "09:30", "09:35")
    assert jumps(at(pd.concat([table(times), table(times, "B")], ignore_index=True), 8.0, 4.0, 2.0, 1.0)) == []


def test_gaps_are_counted():
    frame = table(pd.DatetimeIndex(["2023-06-30", "2023-07-03", "2023-07-07"]))
    assert gaps(frame) == ["gaps: 2 sessions without a bar of AAA, first AAA 2023-07-05"]
    assert gaps(frame[:2]) == []


def test_a_session_that_several_symbols_lack_is_one():
    days = pd.DatetimeIndex(["2023-06-30", "2023-07-03", "2023-07-07"])
    alike = pd.concat([table(days), table(days, "B")], ignore_index=True)
    assert gaps(alike) == ["gaps: 2 sessions without a bar of AAA, B, first AAA 2023-07-05"]
    other = pd.concat([table(days), table(days.insert(2, pd.Timestamp("2023-07-05")), "B")], ignore_index=True)
    assert gaps(other) == ["gaps: 2 sessions without a bar of one or more of AAA, B, first AAA 2023-07-05"]


# ---- longer bars ----------------------------------------------------------------------------------------


def walk(days=("2023-07-03", "2023-07-05")) -> pd.DataFrame:
    """A half day and a whole one."""
    ends = {"2023-07-03": "12:55"}
    times = [five_minutes(day, "09:30", ends.get(day, "15:55")) for day in days]
    frame = table(times[0].append(times[1:]))
    price = 100 + np.arange(len(frame)) * 0.5
    return frame.assign(
        open=price, close=price + 0.25, high=price + 1, low=price - 1, volume=np.arange(len(frame)) + 1.0
    )


def test_finer_bars_are_put_together_on_the_sessions_grid():
    fine = walk()
    whole = put_together(fine, 5, 60)
    starts = [f"{t:%d %H:%M}" for t in whole["datetime"]]
    assert starts == ["03 09:30", "03 10:30", "03 11:30", "03 12:30"] + [f"05 {h}:30" for h in ("09", *range(10, 16))]
    first, cut = fine[:12], fine[36:42]
    assert whole.iloc[0][["open", "high", "low", "close", "volume"]].tolist() == [
        first["open"].iloc[0], first["high"].max(), first["low"].min(), first["close"].iloc[-1], first["volume"].sum(),
    ]  # fmt: skip
    assert whole.iloc[3]["close"] == cut["close"].iloc[-1] and whole.iloc[3]["volume"] == cut["volume"].sum()


def test_days_are_made_of_the_sessions_own_bars():
    early = table(five_minutes("2023-07-05", "08:00", "09:25"), close=1.0)
    fine = pd.concat([walk(), early]).sort_values("datetime", ignore_index=True)
    days = put_together(fine, 5, 1440)
    assert [f"{day:%Y-%m-%d}" for day in days["datetime"]] == ["2023-07-03", "2023-07-05"]
    assert days["low"].min() == 99.0 and days["open"].tolist() == [100.0, 121.0]
    assert days["volume"].sum() == walk()["volume"].sum()


def test_lengths_that_do_not_fit_are_refused():
    with pytest.raises(Refusal, match="bars of 7 minutes make none of 60"):
        put_together(walk(), 7, 60)


def loaded(folder, frame, minutes: int, strict: bool = True, symbols=("AAA",), traded=(), end=None, **more):
    frame.to_parquet(folder / "x.parquet", index=False)
    length = BarLength(minutes, "config/profiles/x.yaml", strict, **more)
    return load_data(
        str(folder / "x.parquet"), symbols, None, end, intraday=False, seed=0, traded=traded, length=length
    )


def test_a_run_decides_on_the_profiles_bars(tmp_path):
    found = loaded(tmp_path, walk(), 60)
    assert found.table.minutes == 60 and len(found.table) == 11
    assert found.notes == ("read as: long table", "bars of 5 minutes put together to 60 minutes")
    # The last bar of a session is complete with it: 30 minutes of the half day, 30 of the whole.
    assert [f"{t:%H:%M}" for t in found.table.closes_at[[3, 10]]] == ["13:00", "16:00"]
    assert loaded(tmp_path, walk(), 1440).table.daily
    assert loaded(tmp_path, walk(), 5).notes == ("read as: long table",)


def test_coarser_bars_are_refused(tmp_path):
    with pytest.raises(Refusal, match=r"bars of 5 minutes, but config/profiles/x.yaml: pace.bars wants 1 minute; giv"):
        loaded(tmp_path, walk(), 1)
    days = table(pd.bdate_range("2023-06-26", periods=5))
    with pytest.raises(Refusal, match=r"bars of a day, but .* 5 minutes; give finer bars, or --set pace.bars=1440"):
        loaded(tmp_path, days, 5)
    assert loaded(tmp_path, days, 60, strict=False).table.daily
    # The exchange of a rehearsal makes the longer bars itself, and makes none of shorter ones.
    assert loaded(tmp_path, walk(), 60, put_together=False).table.minutes == 5
    with pytest.raises(Refusal, match=r"bars of a day, but .* 5 minutes"):
        loaded(tmp_path, days, 5, put_together=False)


def test_what_is_only_watched_makes_no_window(tmp_path):
    traded, fund = (
        table(pd.bdate_range("2023-06-26", "2023-06-30")),
        table(pd.bdate_range("2023-06-20", "2023-07-14"), "SH"),
    )
    found = loaded(tmp_path, pd.concat([traded, fund]), 60, strict=False, symbols=("AAA", "SH"), traded=("AAA",))
    assert [f"{t:%Y-%m-%d}" for t in window(found, None, None)] == ["2023-06-26", "2023-06-30"]
    assert [f"{t:%Y-%m-%d}" for t in window(found, date(2023, 6, 28), None)] == ["2023-06-28", "2023-06-30"]
    both = loaded(tmp_path, pd.concat([traded, fund]), 60, strict=False, symbols=("AAA", "SH"))
    assert f"{window(both, None, None)[1]:%Y-%m-%d}" == "2023-07-14"


BARS_OF_TEXT = "datetime,open,high,low,close,volume\n2023-03-06,10,11,9,10.25,1000\n2023-03-07,10,11,9,10.25,1000\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize(("end", "noted"), [("", False), ("\r\n\r\n", False), (None, True)])
def test_a_file_that_may_be_cut_off_in_its_last_number_is_noted(tmp_path, encoding, end, noted):
    text = BARS_OF_TEXT[:-3] if end is None else BARS_OF_TEXT + end
    (tmp_path / "AAA.csv").write_bytes(text.encode(encoding))
    found = read_file(tmp_path / "AAA.csv")
    assert len(found.frame) == 2
    told = ("the last line of AAA.csv has no line end: where a file was cut off, its last bar is not what was "
            "written",)  # fmt: skip
    assert found.notes == (told if noted else ())


def test_a_folder_names_the_first_file_that_may_be_cut_off(tmp_path):
    for name, text in (("AAA", BARS_OF_TEXT[:-1]), ("BBB", BARS_OF_TEXT), ("CCC", BARS_OF_TEXT[:-1])):
        (tmp_path / f"{name}.csv").write_text(text)
    (note,) = read_file(tmp_path).notes
    assert note.startswith("the last line of AAA.csv and 1 more has no line end")
