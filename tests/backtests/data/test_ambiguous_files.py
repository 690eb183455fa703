"""Zones of coins, thousands set apart by points, names with a period, files of other kinds."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from backtests.data.bar_files import read_file, symbols_of
from backtests.data.reading.options import ReadOptions
from config.errors import Refusal

HEAD = "symbol,datetime,open,high,low,close,volume"
DAYS = ("11.01.2022", "12.01.2022", "13.01.2022")


def written(path: Path, *rows: str) -> Path:
    path.write_text("\n".join([*rows, ""]))
    return path


def hours(begin: str, count: int, symbol: str = "BTC-USD") -> list[str]:
    return [f"{symbol},{at:%Y-%m-%d %H:%M},1,2,1,2,5" for at in pd.date_range(begin, periods=count, freq="1h")]


def test_the_zone_of_coins_is_asked_for(tmp_path):
    path = written(tmp_path / "x.csv", HEAD, *hours("2023-01-01", 48))
    with pytest.raises(Refusal, match=r"no offset, and nothing tells the zone of what trades .*; say --timezone UTC"):
        read_file(path)
    found = read_file(path, options=ReadOptions(timezone="UTC"))
    assert found.frame["datetime"][0] == pd.Timestamp("2023-01-01", tz="UTC")
    there = read_file(path, options=ReadOptions(timezone="America/New_York")).frame["datetime"][0]
    assert there == pd.Timestamp("2023-01-01 05:00", tz="UTC")
    told = read_file(path, options=ReadOptions(unsaid_timezone="UTC"))
    assert told.read_as == "long table, times without an offset as those of UTC"


def test_where_clocks_change_the_way_out_names_the_option(tmp_path):
    path = written(tmp_path / "x.csv", HEAD, *hours("2022-03-12", 72))
    with pytest.raises(Refusal, match=r"2022-03-13 02:00 at row 27 is no unique time in America.*; .*--timezone UTC"):
        read_file(path)


@pytest.mark.parametrize("heading", ["unix", "Unix Timestamp", "epoch"])
def test_a_column_that_counts_from_1970_goes_before_the_date_beside_it(tmp_path, heading):
    times = pd.date_range("2022-03-12", periods=72, freq="1h", tz="UTC")
    stamps = [int(at.timestamp()) for at in times]
    # An export that went over from seconds to milliseconds.
    stamps[40:] = [1000 * stamp for stamp in stamps[40:]]
    rows = [f"{stamp},{at:%Y-%m-%d %H:%M:%S},BTC/USD,1,2,1,2,5,9" for stamp, at in zip(stamps, times, strict=True)]
    head = f"{heading},date,symbol,open,high,low,close,Volume BTC,Volume USD"
    found = read_file(written(tmp_path / "x.csv", "https://www.CryptoDataDownload.com", head, *rows))
    assert found.read_as == "long table, symbols in column symbol, seconds and milliseconds since 1970, UTC"
    assert list(found.frame["datetime"]) == list(times)


def german(path: Path, prices: str, volume: str = "96904000") -> Path:
    return written(path, "Date;Open;High;Low;Close;Volume", *[f"{day};{prices};{volume}" for day in DAYS])


def test_points_before_three_digits_are_not_guessed_at(tmp_path):
    path = german(tmp_path / "AAA.csv", "1.600;1.640;1.590;1.620")
    with pytest.raises(
        Refusal, match=r"'1.600' may have three decimals, or be 1600 .*; say --decimal point or --decimal comma"
    ):
        read_file(path)
    for decimal, close in (("comma", 1620.0), ("point", 1.62)):
        assert read_file(path, options=ReadOptions(decimal=decimal)).frame["close"][0] == close


def test_prices_without_thousands_leave_it_open_too(tmp_path):
    with pytest.raises(Refusal, match="say --decimal point or --decimal comma"):
        read_file(german(tmp_path / "AAA.csv", "990;1.010;980;999"))


def test_thousands_of_thousands_settle_it(tmp_path):
    path = german(tmp_path / "AAA.csv", "1.600;1.640;1.590;1.620", "96.904.000")
    found = read_file(path)
    assert found.read_as.endswith("decimal comma")
    assert found.frame[["close", "volume"]].iloc[0].tolist() == [1620, 96_904_000]
    with pytest.raises(Refusal, match="its numbers have a decimal comma; leave out --decimal point"):
        read_file(path, options=ReadOptions(decimal="point"))


@pytest.mark.parametrize("prices", ["1.600;1.640;1.590;1.62", "0.600;1.640;0.590;1.620", "1600.5;1640;1590;1620"])
def test_a_price_that_no_thousands_make_settles_it(tmp_path, prices):
    path = german(tmp_path / "AAA.csv", prices)
    assert read_file(path).frame["close"][0] == float(prices.split(";")[-1])
    with pytest.raises(Refusal, match="its numbers have a decimal point; leave out --decimal comma"):
        read_file(path, options=ReadOptions(decimal="comma"))


def test_both_kinds_of_points_are_refused(tmp_path):
    path = german(tmp_path / "AAA.csv", "160.5;164;159;162", "96.904.000")
    with pytest.raises(Refusal, match=r"points are decimal in some .* and set thousands apart in others.*'96.904.000'"):
        read_file(path)


def test_three_decimals_throughout_are_read_without_other_marks(tmp_path):
    rows = [f"AAA,2022-01-{day},130.123,131.500,129.900,130.250,5" for day in ("03", "04", "05")]
    assert read_file(written(tmp_path / "x.csv", HEAD, *rows)).frame["close"][0] == 130.25


def metatrader(minutes: int) -> list[str]:
    times = pd.date_range("2022-11-04 09:30", "2022-11-04 15:30", freq=f"{minutes}min")
    return [f"{at:%Y.%m.%d,%H:%M},1,2,1,2,5" for at in times]


@pytest.mark.parametrize(
    ("name", "minutes", "symbol"),
    [("AAPL5", 5, "AAPL"), ("EURUSD60", 60, "EURUSD"), ("AAPL15", 15, "AAPL"), ("AAPL5", 15, "AAPL5")],
)
def test_metatraders_period_is_no_part_of_the_symbol(tmp_path, name, minutes, symbol):
    path = written(tmp_path / f"{name}.csv", *metatrader(minutes))
    assert read_file(path).symbols == [symbol] == symbols_of(path)


def test_digits_of_other_forms_stay(tmp_path):
    path = written(tmp_path / "AAPL5.csv", "datetime,open,high,low,close,volume", *[
        f"2022-11-04 {hour}:{minute:02d},1,2,1,2,5" for hour in (10, 11) for minute in range(0, 60, 5)
    ])  # fmt: skip
    assert read_file(path).symbols == ["AAPL5"]


@pytest.mark.parametrize(
    ("zone", "begin", "told"),
    [
        (None, "15:55", "they have no offset and were taken as New York's; say whose they are with --timezone, e.g. "),
        ("Europe/Berlin", "20:55", "--timezone Europe/Berlin looks wrong; say the zone whose times they are"),
    ],
)
def test_what_looks_wrong_of_the_hours_is_what_was_said(tmp_path, zone, begin, told):
    times = pd.date_range(f"2022-11-04 {begin}", "2022-11-04 23:55", freq="5min")
    path = written(tmp_path / "x.csv", HEAD, *[f"AAA,{at:%Y-%m-%d %H:%M},1,2,1,2,5" for at in times])
    with pytest.raises(Refusal, match=f"bars lie outside the session, .*: {told}"):
        read_file(path, options=ReadOptions(timezone=zone))


def test_headings_of_windows_are_named_as_they_were_written(tmp_path):
    path = tmp_path / "AAA.csv"
    path.write_bytes("Datum;Eröffnung;Hoch;Tief;Schluss;Volumen\n03.01.2022;1;2;1;2;5\n".encode("cp1252"))
    with pytest.raises(Refusal, match=r"; rename .*'Eröffnung' to open, 'Schluss' to close; the file needs"):
        read_file(path)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("x.csv.gz", "unpack it, and give the .csv that is in it"),
        ("x.zip", "unpack it, and give the .csv that is in it"),
        ("x.feather", r"convert it: pandas.read_feather\(file\)"),
        ("x.xlsx", "save its table as .csv"),
        ("x.json", "convert it to one of them"),
    ],
)
def test_files_of_other_kinds_are_refused_with_what_helps(tmp_path, name, told):
    (tmp_path / name).write_bytes(b"PK")
    with pytest.raises(Refusal, match=f"not a .parquet or .csv file; {told}"):
        read_file(tmp_path / name)


@pytest.mark.parametrize("option", ["--symbol", "--symbols"])
def test_a_refusal_names_the_option_of_the_command(tmp_path, option):
    path = written(tmp_path / "data.csv", "Date,Open,High,Low,Close,Volume", "2022-01-03,1,2,1,2,5")
    with pytest.raises(Refusal, match=f"or say {option} AAPL$"):
        read_file(path, options=ReadOptions(symbol_option=option))
