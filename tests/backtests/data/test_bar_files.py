"""Every planted fault of a bar file is found and named; clean twins pass; tables hold what the file says."""

import os
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from backtests.data.bar_files import absent, data_hash, read_bars
from config.errors import Refusal
from config.values.symbols import canonical
from market.bar_tables import to_table

SHARED = Path(__file__).parents[3] / ".." / "shared" / "data"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/data is absent")


SESSIONS = pd.bdate_range("2023-06-26", "2023-07-14").drop("2023-07-04")


def long_table(times: pd.DatetimeIndex, symbols=("AAA", "BBB")) -> pd.DataFrame:
    parts = []
    for k, symbol in enumerate(symbols):
        close = 10.0 * (k + 1) + np.arange(len(times)) * 0.1
        parts.append(
            pd.DataFrame(
                {
                    "symbol": symbol, "datetime": times, "open": close - 0.05, "high": close + 0.2,
                    "low": close - 0.2, "close": close, "volume": 1000 + np.arange(len(times)),
                }
            )
        )  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def daily() -> pd.DataFrame:
    return long_table(SESSIONS)


def five_minutes(days=("2023-07-03", "2023-07-05"), tz="America/New_York") -> pd.DataFrame:
    times = [pd.date_range(f"{d} 09:30", f"{d} 12:55", freq="5min", tz=tz) for d in days]
    return long_table(times[0].append(times[1:]))


@pytest.fixture(params=["csv", "parquet"])
def write(request, tmp_path):
    def _write(frame: pd.DataFrame, name: str = "bars") -> Path:
        path = tmp_path / f"{name}.{request.param}"
        frame.to_csv(path, index=False) if request.param == "csv" else frame.to_parquet(path, index=False)
        return path

    return _write


def test_daily_bars_have_the_sessions_real_hours(write):
    frame = read_bars(write(daily()))
    table = to_table(frame, ["BBB", "AAA"], "test")
    assert table.daily and table.symbols == ("BBB", "AAA") and table.source == "test"
    half_day = list(table.opens_at.date).index(date(2023, 7, 3))
    assert table.closes_at[half_day] == pd.Timestamp("2023-07-03 13:00", tz="America/New_York")
    assert table.closes_at[half_day - 1] == pd.Timestamp("2023-06-30 16:00", tz="America/New_York")
    assert list(table.session) == list(range(len(table)))
    assert table.close[0, 1] == 10.0 and table.close[0, 0] == 20.0 and table.volume[1, 0] == 1001


@pytest.mark.parametrize("tz", [None, "America/New_York", "UTC"])
def test_intraday_bars_close_one_spacing_later(write, tz):
    frame = five_minutes(tz="America/New_York")
    frame["datetime"] = frame["datetime"].dt.tz_localize(None) if tz is None else frame["datetime"].dt.tz_convert(tz)
    table = to_table(read_bars(write(frame)), ["AAA"], "test")
    assert table.minutes == 5 and not table.daily
    assert table.opens_at[0] == pd.Timestamp("2023-07-03 09:30", tz="America/New_York")
    assert (table.closes_at - table.opens_at == pd.Timedelta(minutes=5)).all()
    assert str(table.opens_at.tz) == "America/New_York"
    assert list(np.unique(table.session)) == [0, 1] and table.session[41] == 0 and table.session[42] == 1


@pytest.mark.parametrize("stamp", ["00:00", "16:00"])
@pytest.mark.parametrize("tz", ["America/New_York", "UTC"])
def test_daily_stamps_with_zone_keep_their_date(write, stamp, tz):
    frame = daily()
    frame["datetime"] = (frame["datetime"] + pd.Timedelta(stamp + ":00")).dt.tz_localize(tz)
    assert read_bars(write(frame))["datetime"].equals(daily()["datetime"].astype("datetime64[ns]"))


def test_offsets_may_change_with_daylight_saving(tmp_path):
    frame = five_minutes(days=("2023-11-03", "2023-11-06"))
    frame["datetime"] = frame["datetime"].map(lambda t: t.isoformat())
    path = tmp_path / "bars.csv"
    frame.to_csv(path, index=False)
    table = to_table(read_bars(path), ["AAA"], "test")
    assert {t.strftime("%H:%M") for t in table.opens_at[[0, 42]]} == {"09:30"}


def test_table_is_the_union_of_times_with_nan_where_a_bar_is_missing():
    frame = daily()
    frame = frame[~((frame.symbol == "AAA") & (frame.datetime == "2023-06-28"))]
    table = to_table(frame, ["AAA", "BBB", "CCC"], "test")
    assert np.isnan(table.close[2, 0]) and np.isnan(table.volume[2, 0]) and table.close[2, 1] == 20.2
    assert np.isnan(table.close[:, 2]).all()


def test_history_before_start_stays_and_rows_after_end_are_cut(write):
    path = write(daily())
    frame = read_bars(path, start="2023-07-05", end="2023-07-06")
    assert frame.datetime.min() == pd.Timestamp("2023-06-26") and frame.datetime.max() == pd.Timestamp("2023-07-06")
    intraday = read_bars(write(five_minutes(), "intraday"), end=date(2023, 7, 3))
    assert intraday.datetime.max() == pd.Timestamp("2023-07-03 12:55", tz="America/New_York")


def test_missing_symbols_are_told_not_refused(write):
    frame = read_bars(write(daily()), ["BBB", "NOPE", "ZZZ"])
    assert absent(frame, ["BBB", "NOPE", "ZZZ"]) == ["NOPE", "ZZZ"]
    assert list(frame.symbol.cat.categories) == ["BBB"]


def test_symbols_that_look_like_missing_values_are_symbols(write):
    frame = long_table(SESSIONS, ("NA", "NAN"))
    assert absent(read_bars(write(frame)), ["NA", "NAN"]) == []


@pytest.mark.parametrize("row", [1, 5, 24])
@pytest.mark.parametrize("columns", ["", ",note"])
def test_a_row_with_more_fields_than_the_header_is_refused(tmp_path, row, columns):
    """Cut short, a volume of 173,788,400 would be one of 173."""
    path = tmp_path / "bars.csv"
    lines = daily().to_csv(index=False).splitlines()
    lines = [lines[0] + columns, *(line + ("," if columns else "") for line in lines[1:])]
    fields = lines[row].split(",")
    lines[row] = ",".join([*fields[:-1], "173,788,400"])
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(Refusal, match=rf"bars.csv: row {row} has (9|10) fields, the header {7 + len(columns[:1])}; "):
        read_bars(path)


def test_a_comma_that_ends_every_row_is_no_field(tmp_path):
    path = tmp_path / "bars.csv"
    path.write_text(daily().to_csv(index=False).replace("\n", ",\n").replace("volume,", "volume", 1))
    pd.testing.assert_frame_equal(read_bars(path), read_bars(_plain(tmp_path)))


def _plain(folder: Path) -> Path:
    daily().to_csv(folder / "plain.csv", index=False)
    return folder / "plain.csv"


@pytest.mark.parametrize("symbol", ["AAA\x07", "A\u200bAA"])
def test_a_control_character_in_a_symbol_is_refused(write, symbol):
    frame = daily()
    frame.loc[3, "symbol"] = symbol
    with pytest.raises(Refusal, match="at row 4 is no ticker; write a ticker"):
        read_bars(write(frame), ["BBB"])


def test_a_nul_in_a_file_is_refused(tmp_path):
    """Read by pandas, the symbol would end before it."""
    path = tmp_path / "bars.csv"
    path.write_text(daily().to_csv(index=False).replace("BBB", "B\0B", 1))
    with pytest.raises(Refusal, match="row 15 holds a NUL character; write the file again"):
        read_bars(path)


def test_daily_stamps_that_alternate_are_neither_daily_nor_intraday(write):
    frame = daily()
    frame.loc[1::2, "datetime"] += pd.Timedelta("5min")
    told = r"AAA 2023-06-27 00:05 at row 2 is neither daily nor intraday, .* that AAA 2023-06-26 00:00 at row 1 fits"
    with pytest.raises(Refusal, match=told):
        read_bars(write(frame))


def test_daily_stamps_of_real_closes_are_daily(write):
    frame = daily()
    half_day = frame.datetime == "2023-07-03"
    frame["datetime"] = (frame.datetime + pd.Timedelta("16h")).mask(half_day, frame.datetime + pd.Timedelta("13h"))
    assert read_bars(write(frame))["datetime"].equals(daily()["datetime"].astype("datetime64[ns]"))


def test_rounding_noise_of_adjusted_prices_is_no_fault(write):
    frame = daily()
    frame.loc[3, "high"] = frame.loc[3, "close"] = 11.0
    frame.loc[3, "close"] *= 1 + 1e-9
    assert len(read_bars(write(frame))) == len(frame)


def set_cell(row, column, value):
    def plant(frame):
        frame[column] = frame[column].astype(object)
        frame.loc[row, column] = value
        return frame

    return plant


NAN = float("nan")
FAULTS = {
    "nan price": (set_cell(3, "close", NAN), "close of AAA 2023-06-29 .* row 4 is not a number"),
    "infinite price": (set_cell(3, "open", float("inf")), "open of AAA .* row 4 is not a number"),
    "nan volume": (set_cell(3, "volume", NAN), "volume of AAA .* row 4 is not a number"),
    "zero price": (set_cell(16, "low", 0.0), "low of BBB .* row 17 is not above zero"),
    "negative price": (set_cell(2, "open", -1.0), "open of AAA .* row 3 is not above zero"),
    "negative volume": (set_cell(2, "volume", -5.0), "volume of AAA .* row 3 is negative"),
    "high below low": (set_cell(1, "high", 9.0), "high of AAA .* row 2 is below its low"),
    "high below open": (set_cell(1, "open", 11.0), "high of AAA .* row 2 is below its open"),
    "volume as high": (set_cell(1, "high", 798_937.0), "high of AAA .* row 2 is more than 10 times away"),
    "low of another": (set_cell(1, "low", 0.01), "low of AAA .* row 2 is more than 10 times away"),
    "high below close": (set_cell(1, "close", 11.0), "high of AAA .* row 2 is below its close"),
    "low above open": (set_cell(1, "open", 9.0), "low of AAA .* row 2 is above its open"),
    "low above close": (set_cell(1, "close", 9.0), "low of AAA .* row 2 is above its close"),
    "no symbol": (set_cell(4, "symbol", ""), "no symbol at row 5"),
    "missing column": (lambda f: f.drop(columns="low"), "no column low"),
    "empty": (lambda f: f.iloc[:0], "no rows"),
    "duplicate": (lambda f: pd.concat([f, f.iloc[[5]]]), "AAA 2023-07-03 .* there twice"),
    "one bar": (lambda f: f.iloc[[0]], "one bar per symbol"),
    "weekly": (lambda f: f.iloc[[0, 5, 10]], "further apart than a day"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_planted_fault_is_refused(write, fault):
    plant, words = FAULTS[fault]
    planted = plant(daily()).convert_dtypes() if fault != "infinite price" else plant(daily())
    path = write(planted.reset_index(drop=True))
    with pytest.raises(Refusal, match=words) as refusal:
        read_bars(path)
    assert str(path) in str(refusal.value) and "\n" not in str(refusal.value)


@pytest.mark.parametrize("text", ["soon", "2023-13-01", "05/07/2023", ""])
def test_unreadable_time_is_refused(write, text):
    frame = daily()
    frame["datetime"] = frame["datetime"].dt.strftime("%Y-%m-%d")
    frame.loc[6, "datetime"] = text
    with pytest.raises(Refusal, match="at row 7 is not a time"):
        read_bars(write(frame))


def test_times_with_and_without_offset_are_refused(write):
    frame = five_minutes()
    frame["datetime"] = frame["datetime"].map(lambda t: t.isoformat())
    frame.loc[9, "datetime"] = "2023-07-03 10:15"
    with pytest.raises(Refusal, match="with and without offset, first at row 10"):
        read_bars(write(frame))


def test_numbers_as_times_are_refused(tmp_path):
    frame = daily()
    frame["datetime"] = range(len(frame))
    frame.to_parquet(tmp_path / "bars.parquet")
    with pytest.raises(Refusal, match="holds numbers that are no seconds"):
        read_bars(tmp_path / "bars.parquet")


def test_repeated_hour_without_offset_is_refused(write):
    times = pd.date_range("2023-11-05 00:00", "2023-11-05 06:00", freq="30min")
    with pytest.raises(Refusal, match="AAA 2023-11-05 01:00 at row 3 is no unique time"):
        read_bars(write(long_table(times)))


def mixed_symbols():
    intraday = five_minutes(tz=None)
    return pd.concat([daily()[lambda f: f.symbol == "AAA"], intraday[intraday.symbol == "BBB"]])


def mixed_rows():
    old = long_table(pd.bdate_range("2023-06-26", "2023-06-30"), ("AAA",))
    return pd.concat([old, five_minutes(tz=None)[lambda f: f.symbol == "AAA"]])


@pytest.mark.parametrize("mixture", [mixed_symbols, mixed_rows])
def test_daily_and_intraday_together_are_refused(write, mixture):
    with pytest.raises(Refusal, match="daily and intraday bars together"):
        read_bars(write(mixture().reset_index(drop=True)))


@pytest.mark.parametrize("kept", [slice(None, None, 3), slice(None, 84)])
def test_different_bar_lengths_are_refused(write, kept):
    frame = five_minutes()
    coarse = frame[frame.symbol == "BBB"].iloc[::3].iloc[kept]
    with pytest.raises(Refusal, match=r"mostly 5 minutes apart, but not those of BBB"):
        read_bars(write(pd.concat([frame[frame.symbol == "AAA"], coarse], ignore_index=True)))


def test_sparse_symbol_of_the_same_length_is_fine(write):
    frame = five_minutes()
    sparse = frame[frame.symbol == "BBB"].iloc[[0, 1, 7, 20, 30, 50]]
    assert to_table(read_bars(write(pd.concat([frame[frame.symbol == "AAA"], sparse]))), ["AAA"], "").minutes == 5


def test_bad_files_are_refused(tmp_path):
    with pytest.raises(Refusal, match="no such file"):
        read_bars(tmp_path / "none.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(Refusal, match=r"folder\.csv: is a folder without a \.parquet or"):
        read_bars(tmp_path / "folder.csv")
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(Refusal, match=r"pipe\.csv: is no ordinary file; check the path$"):
        read_bars(tmp_path / "pipe.csv")
    (tmp_path / "bars.xlsx").write_bytes(b"x")
    with pytest.raises(Refusal, match=r"not a \.parquet or \.csv"):
        read_bars(tmp_path / "bars.xlsx")
    for name in ("broken.parquet", "broken.csv"):
        (tmp_path / name).write_bytes(b"PAR1\x00\xff\xfe\x93 nothing to see")
        with pytest.raises(Refusal, match=r"cannot be read as parquet|holds a NUL"):
            read_bars(tmp_path / name)
    (tmp_path / "empty.csv").write_bytes(b"")
    with pytest.raises(Refusal, match="cannot be read as csv"):
        read_bars(tmp_path / "empty.csv")
    (tmp_path / "cut.parquet").write_bytes(b"")
    with pytest.raises(Refusal, match="cannot be read as parquet"):
        read_bars(tmp_path / "cut.parquet")


def test_bad_windows_are_refused(write):
    path = write(daily())
    with pytest.raises(Refusal, match="lies before the start"):
        read_bars(path, start="2023-07-06", end="2023-07-05")
    with pytest.raises(Refusal, match=r"2023-08-31; choose .* the bars' span, 2023-06-26 to 2023-07-14$"):
        read_bars(path, start="2023-08-01", end="2023-08-31")
    with pytest.raises(Refusal, match="no bar of AAA between the file's edge and 2023-01-31"):
        read_bars(path, ["AAA"], end="2023-01-31")
    with pytest.raises(Refusal, match="'later' is not a date"):
        read_bars(path, end="later")
    with pytest.raises(Refusal, match="has none of NOPE, but AAA, BBB"):
        read_bars(path, ["NOPE"])


def test_hash_is_of_the_bytes(tmp_path):
    (tmp_path / "f").write_bytes(b"abc")
    assert data_hash(tmp_path / "f") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@needs_shared
@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "minutes"), [("daily_universe", 1440), ("daily_broad", 1440), ("bars_5min", 5), ("kraken_1h", 60)]
)
def test_real_files_are_read_whole(name, minutes):
    path = SHARED / f"{name}.parquet"
    frame = read_bars(path)
    stored = pd.read_parquet(path)
    stored["symbol"] = [canonical(symbol) for symbol in stored.symbol]
    if name == "bars_5min":
        # What lies after the close of half days, and of an odd second, no venue has.
        stored = stored[stored.datetime.isin(frame.datetime)]
    symbols = sorted(stored.symbol.unique())
    table = to_table(frame, symbols, name)
    assert table.minutes == minutes and table.closes_at.is_monotonic_increasing
    assert int(np.isfinite(table.close).sum()) == len(stored)
    last = stored[stored.symbol == symbols[-1]]
    assert np.array_equal(table.close[:, -1][~np.isnan(table.close[:, -1])], last.close.to_numpy())
