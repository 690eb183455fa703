"""Numbers, dates and times in files: read where one reading is possible, else by the option that settles it."""

from __future__ import annotations

import pandas as pd
import pytest

from backtests.data.bar_files import read_file
from backtests.data.reading.options import ReadOptions
from config.errors import Refusal
from tests.backtests.data.forms import CLOSES, DAYS, each, intraday, lines

SEMICOLONS = lines("symbol;datetime;open;high;low;close;volume", *each("AAA;{d};{o};{h};{l};{c};{v}")).replace(".", ",")


def test_a_decimal_comma_is_one(tmp_path):
    (tmp_path / "x.csv").write_text(SEMICOLONS)
    found = read_file(tmp_path / "x.csv")
    assert found.read_as == "long table, separator ;, decimal comma"
    assert found.frame["close"].tolist() == list(CLOSES)


def test_a_comma_before_three_digits_is_not_guessed_at(tmp_path):
    rows = [f"AAA;{day};1,100;1,300;1,000;1,200;5" for day in DAYS]
    (tmp_path / "x.csv").write_text(lines("symbol;datetime;open;high;low;close;volume", *rows))
    with pytest.raises(
        Refusal, match="'1,100' may be a decimal comma or thousands; say --decimal comma or --decimal p"
    ):
        read_file(tmp_path / "x.csv")
    for decimal, close in (("comma", 1.2), ("point", 1200.0)):
        assert read_file(tmp_path / "x.csv", options=ReadOptions(decimal=decimal)).frame["close"][0] == close


DATES = {"dmy": "{2}/{1}/{0}", "mdy": "{1}/{2}/{0}"}


def slashed(order: str, days: tuple[str, ...]) -> str:
    return lines("symbol,datetime,open,high,low,close,volume",
                 *[f"AAA,{DATES[order].format(*day.split('-'))},1,2,1,2,5" for day in days])  # fmt: skip


@pytest.mark.parametrize("order", DATES)
def test_dates_that_can_be_read_twice_need_the_option(tmp_path, order):
    days = ("2022-01-03", "2022-01-04", "2022-01-05")
    (tmp_path / "x.csv").write_text(slashed(order, days))
    with pytest.raises(Refusal, match="may have the day or the month first; say --date-order dmy or --date-order mdy"):
        read_file(tmp_path / "x.csv")
    found = read_file(tmp_path / "x.csv", options=ReadOptions(date_order=order))
    assert [f"{day:%Y-%m-%d}" for day in found.frame["datetime"]] == list(days)
    assert found.read_as.endswith("day first" if order == "dmy" else "month first")


@pytest.mark.parametrize("order", DATES)
def test_a_date_that_settles_it_needs_none(tmp_path, order):
    days = ("2022-01-12", "2022-01-13", "2022-01-14")
    (tmp_path / "x.csv").write_text(slashed(order, days))
    assert [f"{day:%Y-%m-%d}" for day in read_file(tmp_path / "x.csv").frame["datetime"]] == list(days)
    other = next(o for o in DATES if o != order)
    with pytest.raises(Refusal, match=f"its dates are {order}, not {other}; leave out --date-order"):
        read_file(tmp_path / "x.csv", options=ReadOptions(date_order=other))


def test_dates_of_both_kinds_are_refused(tmp_path):
    (tmp_path / "x.csv").write_text(slashed("dmy", ("2022-01-13",)) + slashed("mdy", ("2022-01-14",)).splitlines()[1])
    with pytest.raises(Refusal, match=r"the day first and with the month first \(row 2\)"):
        read_file(tmp_path / "x.csv")


@pytest.mark.parametrize("zone", ["UTC", "America/Chicago", "Europe/London", "Europe/Berlin"])
def test_naive_times_of_another_zone_need_the_option(tmp_path, zone):
    intraday(zone).to_csv(tmp_path / "x.csv", index=False)
    told = "UTC" if zone == "Europe/London" else zone  # The same in winter.
    with pytest.raises(Refusal, match=f"no offset and look like those of {told}, .*; say --timezone {told}, or"):
        read_file(tmp_path / "x.csv")
    found = read_file(tmp_path / "x.csv", options=ReadOptions(timezone=zone))
    assert found.frame["datetime"][0] == pd.Timestamp("2022-01-03 09:30", tz="America/New_York")
    assert found.notes == ()


def test_new_yorks_times_need_none_and_offsets_take_none(tmp_path):
    intraday("America/New_York").to_csv(tmp_path / "x.csv", index=False)
    assert len(read_file(tmp_path / "x.csv").frame) == 234
    intraday("UTC").assign(datetime=lambda f: f["datetime"].dt.tz_localize("UTC")).to_csv(
        tmp_path / "y.csv", index=False
    )
    with pytest.raises(Refusal, match="leave out --timezone"):
        read_file(tmp_path / "y.csv", options=ReadOptions(timezone="UTC"))
    with pytest.raises(Refusal, match=r"--timezone Mars/Olympus: there is no such zone; write one such as UTC"):
        ReadOptions(timezone="Mars/Olympus")


@pytest.mark.parametrize("offsets", ["-05 -04", "-0500 -0400", "-05:00 -04:00"])
@pytest.mark.parametrize("form", ["%Y-%m-%d %H:%M:%S", "%Y%m%dT%H%M%S"])
def test_offsets_of_every_form_across_a_change_of_clocks(tmp_path, offsets, form):
    frame = intraday("America/New_York", ("2023-03-10", "2023-03-13"))
    winter, summer = offsets.split()
    frame["datetime"] = [
        t.strftime(form) + (winter if t.month == 3 and t.day == 10 else summer) for t in frame["datetime"]
    ]
    frame.to_csv(tmp_path / "x.csv", index=False)
    times = read_file(tmp_path / "x.csv").frame["datetime"]
    assert {f"{t:%H:%M}" for t in times[[0, 78]]} == {"09:30"}


def test_a_time_without_offset_among_others_is_refused(tmp_path):
    rows = ["AAA,2023-03-10 14:30:00+00,1,2,1,2,5", "AAA,2023-03-10 14:35:00,1,2,1,2,5"]
    (tmp_path / "x.csv").write_text(lines("symbol,datetime,open,high,low,close,volume", *rows))
    with pytest.raises(Refusal, match="with and without offset, first at row 2"):
        read_file(tmp_path / "x.csv")
