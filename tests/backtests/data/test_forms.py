"""Files as people have them: each form is read where that needs no guess, and told; else refused with the way out."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from backtests.data.bar_files import data_hash, read_file, symbols_of
from backtests.data.reading.options import ReadOptions
from config.errors import Refusal

DAYS = ("2022-01-03", "2022-01-04", "2022-01-05")
CLOSES = (10.5, 11.5, 12.25)
ROWS = [(day, c - 0.25, c + 0.5, c - 0.5, c, 1000 + k) for k, (day, c) in enumerate(zip(DAYS, CLOSES, strict=True))]


def lines(*rows: str) -> str:
    return "\n".join(rows) + "\n"


def each(form: str, **more: object) -> list[str]:
    """One line for each bar."""
    return [
        form.format(d=d, o=o, h=h, l=low, c=c, v=v, day=d.replace("-", ""), dot=d.replace("-", "."), k=k, **more)
        for k, (d, o, h, low, c, v) in enumerate(ROWS)
    ]


YAHOO = lines("Date,Open,High,Low,Close,Adj Close,Volume", *each("{d},{o},{h},{l},{c},{c},{v}"))
MIDNIGHTS = [int(pd.Timestamp(day, tz="UTC").timestamp()) for day in DAYS]
FORMS = {
    "Yahoo": ("AAA.csv", YAHOO, "Yahoo, one symbol, adjusted close"),
    "Yahoo, class share": ("brk-b.csv", YAHOO, "Yahoo, one symbol, adjusted close"),
    "Kaggle": (
        "all_stocks.csv",
        lines("date,open,high,low,close,volume,Name", *each("{d},{o},{h},{l},{c},{v},AAA")),
        "Kaggle, symbols in column Name",
    ),
    "prices by that name": (
        "x.csv",
        lines("Ticker,Date,Open Price,High Price,Low Price,Last Price,Close Price,Vol.",
              *each("AAA,{d},{o},{h},{l},{c},{c},{v}")),
        "long table, symbols in column Ticker",
    ),
    "Stooq": (
        "x.txt",
        lines("<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>",
              *each("AAA.US,D,{day},000000,{o},{h},{l},{c},{v},0")),
        "Stooq",
    ),
    "Stooq, one symbol": (
        "aaa_us_d.csv", lines("Date,Open,High,Low,Close,Volume", *each("{d},{o},{h},{l},{c},{v}")), "one symbol",
    ),
    "TradingView": (
        "NASDAQ_AAA, 1D.csv",
        lines("time,open,high,low,close,Volume,RSI",
              *[line.replace("#", str(stamp + 52_200)) for line, stamp in
                zip(each("#,{o},{h},{l},{c},{v},NaN"), MIDNIGHTS, strict=True)]),
        "TradingView, one symbol, seconds since 1970, UTC",
    ),
    "MetaTrader 4": ("AAA.csv", lines(*each("{dot},00:00,{o},{h},{l},{c},{v}")), "no headings, one symbol"),
    "MetaTrader 5": (
        "AAA.csv",
        lines("<DATE>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>",
              *each("{dot}\t{o}\t{h}\t{l}\t{c}\t{v}\t0\t1")),
        "MetaTrader, one symbol, separator tab",
    ),
    "Alpaca": (
        "x.csv",
        lines("symbol,timestamp,open,high,low,close,volume,trade_count,vwap",
              *each("AAA,{d} 05:00:00+00:00,{o},{h},{l},{c},{v},5,10")),
        "Alpaca, symbols in column symbol",
    ),
    "capitals": (
        "x.CSV",
        lines("SYMBOL,DATETIME,OPEN,HIGH,LOW,CLOSE,VOLUME", *each("AAA,{d},{o},{h},{l},{c},{v}")), "long table",
    ),
    "blanks": (
        "x.csv",
        lines("symbol, datetime, open, high, low, close, volume", *each(" aaa , {d} , {o} , {h},{l} ,{c}, {v} ")),
        "long table",
    ),
    "comments and sep=": (
        "x.csv",
        lines("# made by hand", "", "sep=;", "symbol;datetime;open;high;low;close;volume",
              *each("AAA;{d};{o};{h};{l};{c};{v}"), "# end"),
        "long table, separator ;",
    ),
    "a wide table": (
        "x.csv",
        lines("Date,AAA_open,AAA_high,AAA_low,AAA_close,AAA_volume", *each("{d},{o},{h},{l},{c},{v}")),
        "wide table, 1 symbol",
    ),
    "quantmod": (
        "x.csv",
        lines("Date,AAA.Open,AAA.High,AAA.Low,AAA.Close,AAA.Volume,AAA.Adjusted", *each("{d},{o},{h},{l},{c},{v},{c}")),
        "wide table, 1 symbol, adjusted close",
    ),
    "yfinance": (
        "x.csv",
        lines("Price,Close,High,Low,Open,Volume", "Ticker,AAA,AAA,AAA,AAA,AAA", "Date,,,,,",
              *each("{d},{c},{h},{l},{o},{v}")),
        "yfinance, 3 rows of headings, 1 symbol",
    ),
    "yfinance by ticker": (
        "x.csv",
        lines("Ticker,AAA,AAA,AAA,AAA,AAA", "Price,Open,High,Low,Close,Volume", "Date,,,,,",
              *each("{d},{o},{h},{l},{c},{v}")),
        "yfinance, 3 rows of headings, 1 symbol",
    ),
    "milliseconds": (
        "x.csv",
        lines("symbol,datetime,open,high,low,close,volume",
              *[line.replace("#", str(stamp * 1000)) for line, stamp in
                zip(each("AAA,#,{o},{h},{l},{c},{v}"), MIDNIGHTS, strict=True)]),
        "long table, milliseconds since 1970, UTC",
    ),
    "quoted thousands": (
        "x.csv",
        lines("symbol,datetime,open,high,low,close,volume", *each('AAA,{d},${o},{h},{l},{c},"1,00{k}"')), "long table",
    ),
    "names of months": (
        "AAA.csv",
        lines('Date,Open,High,Low,Close,Volume',
              *[f'"Jan {k + 3}, 2022",{o},{h},{low},{c},{v}' for k, (_, o, h, low, c, v) in enumerate(ROWS)]),
        "one symbol",
    ),
    "Tiingo": (
        "AAA.csv",
        lines("date,close,high,low,open,volume,adjClose,adjHigh,adjLow,adjOpen,adjVolume,divCash,splitFactor",
              *each("{d},{c},{h},{l},{o},{v},{c},{h},{l},{o},{v},0.0,1.0")),
        "Tiingo, one symbol, adjusted close",
    ),
    "Alpha Vantage": (
        "AAA.csv",
        lines("timestamp,open,high,low,close,adjusted_close,volume,dividend_amount,split_coefficient",
              *each("{d},{o},{h},{l},{c},{c},{v},0.0000,1.0")),
        "Alpha Vantage, one symbol, adjusted close",
    ),
    "Investing.com": (
        "AAA.csv",
        lines('"Date","Price","Open","High","Low","Vol.","Change %"',
              *[f'"Jan {k + 3:02d}, 2022","{c}","{o}","{h}","{low}","{v / 1000}K","1.00%"'
                for k, (_, o, h, low, c, v) in enumerate(ROWS)]),
        "Investing.com, one symbol",
    ),
    "Polygon's flat files": (
        "x.csv",
        lines("ticker,volume,open,close,high,low,window_start,transactions",
              *[line.replace("#", str((stamp + 18_000) * 10**9)) for line, stamp in
                zip(each("AAA,{v},{o},{c},{h},{l},#,5"), MIDNIGHTS, strict=True)]),
        "Polygon, symbols in column ticker, nanoseconds since 1970, UTC",
    ),
    "Interactive Brokers": (
        "AAA.csv",
        lines(",date,open,high,low,close,volume,average,barCount", *each("{k},{d},{o},{h},{l},{c},{v},10.4,5")),
        "Interactive Brokers, one symbol",
    ),
    "NinjaTrader, days": (
        "AAA.txt", lines(*each("{day};{o};{h};{l};{c};{v}")), "no headings, one symbol, separator ;",
    ),
    "FirstRate": ("AAA.txt", lines(*each("{d},{o},{h},{l},{c},{v}")), "no headings, one symbol"),
    "Databento": (
        "x.csv",
        lines("ts_event,rtype,publisher_id,instrument_id,open,high,low,close,volume,symbol",
              *each("{d}T00:00:00.000000000Z,35,2,32,{o},{h},{l},{c},{v},AAA")),
        "Databento, symbols in column symbol",
    ),
    "Sharadar": (
        "x.csv",
        lines("ticker,date,open,high,low,close,volume,closeadj,closeunadj,lastupdated",
              *each("AAA,{d},{o},{h},{l},{c},{v},{c},{c},2022-02-01")),
        "Sharadar, symbols in column ticker, adjusted close",
    ),
    "CryptoDataDownload": (
        "x.csv",
        lines("https://www.CryptoDataDownload.com",
              "unix,date,symbol,open,high,low,close,Volume AAA,Volume USD",
              *[line.replace("#", str(stamp)) for line, stamp in
                zip(each("#,{d} 00:00:00,AAA,{o},{h},{l},{c},{v},99"), MIDNIGHTS, strict=True)]),
        "long table, symbols in column symbol, seconds since 1970, UTC",
    ),
    "Kraken": (
        "AAA.csv",
        lines(*[line.replace("#", str(stamp)) for line, stamp in
                zip(each("#,{o},{h},{l},{c},{v},7"), MIDNIGHTS, strict=True)]),
        "Kraken, no headings, one symbol, seconds since 1970, UTC",
    ),
    "Binance": (
        "AAA.csv",
        lines(*[line.replace("#", str(stamp)) for line, stamp in
                zip(each("#000,{o},{h},{l},{c},{v},#999,1.5,7,1.5,1.5,0"), MIDNIGHTS, strict=True)]),
        "Binance, no headings, one symbol, milliseconds since 1970, UTC",
    ),
    "Binance, headings": (
        "AAA.csv",
        lines("open_time,open,high,low,close,volume,close_time,quote_volume,count,ignore",
              *[line.replace("#", str(stamp)) for line, stamp in
                zip(each("#000,{o},{h},{l},{c},{v},#999,1.5,7,0"), MIDNIGHTS, strict=True)]),
        "one symbol, milliseconds since 1970, UTC",
    ),
    "Yahoo's page": (
        "AAA.csv",
        lines("Date,Open,High,Low,Close*,Adj Close**,Volume", *each("{d},{o},{h},{l},{c},{c},{v}")),
        "Yahoo, one symbol, adjusted close",
    ),
    "headings behind a sign of comments": (
        "x.csv",
        lines("# symbol,datetime,open,high,low,close,volume", *each("AAA,{d},{o},{h},{l},{c},{v}")),
        "long table",
    ),
    "EODData": (
        "x.csv",
        lines("Symbol,Date,Open,High,Low,Close,Volume",
              *[f"AAA,{k + 3:02d}-Jan-2022,{o},{h},{low},{c},{v}" for k, (_, o, h, low, c, v) in enumerate(ROWS)]),
        "long table, symbols in column Symbol",
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_a_form_is_read_and_told(tmp_path, form, encoding):
    name, text, told = FORMS[form]
    (tmp_path / name).write_text(text, encoding=encoding)
    found = read_file(tmp_path / name)
    assert found.read_as.replace(", UTF-16", "") == told
    assert ("UTF-16" in found.read_as) == encoding.startswith("utf-16")
    assert found.symbols == ["BRK.B" if "class" in form else "AAA"]
    assert found.symbols == symbols_of(tmp_path / name)
    assert found.minutes == 1440
    frame = found.frame
    assert [f"{day:%Y-%m-%d}" for day in frame["datetime"]] == list(DAYS)
    assert frame[["open", "high", "low", "close", "volume"]].to_numpy().tolist() == [list(row[1:]) for row in ROWS]


@pytest.mark.parametrize("form", FORMS)
def test_any_order_of_rows_is_put_in_order(tmp_path, form):
    name, text, _ = FORMS[form]
    whole = text.splitlines()
    at = len(whole) - whole[-1].startswith("#")
    (tmp_path / name).write_text("\n".join([*whole[: at - 3], *reversed(whole[at - 3 : at]), ""]))
    found = read_file(tmp_path / name)
    assert found.notes == ("rows were not in order of time and were sorted",)
    assert found.frame["close"].tolist() == list(CLOSES)


def test_adjusted_closes_move_the_whole_bar(tmp_path):
    (tmp_path / "AAA.csv").write_text(YAHOO.replace("10.5,10.5,", "10.5,5.25,"))
    first = read_file(tmp_path / "AAA.csv").frame.iloc[0]
    assert first[["open", "high", "low", "close", "volume"]].tolist() == [5.125, 5.5, 5.0, 5.25, 1000]


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


def intraday(zone: str, days: tuple[str, ...] = DAYS) -> pd.DataFrame:
    times = pd.DatetimeIndex([t for day in days for t in pd.date_range(f"{day} 09:30", periods=78, freq="5min")])
    local = times.tz_localize("America/New_York").tz_convert(zone).tz_localize(None)
    return pd.DataFrame({"symbol": "AAA", "datetime": local, "open": 2.0, "high": 2.0, "low": 1.0, "close": 2.0,
                         "volume": 5})  # fmt: skip


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


@pytest.mark.parametrize("index", [["symbol", "datetime"], ["datetime"], ["datetime", "symbol"]])
def test_index_columns_of_a_parquet_file_are_columns(tmp_path, index):
    frame = intraday("America/New_York")
    frame.set_index(index).to_parquet(tmp_path / "x.parquet")
    pd.testing.assert_frame_equal(read_file(tmp_path / "x.parquet").frame, _plainly(frame, tmp_path))


def _plainly(frame: pd.DataFrame, folder: Path) -> pd.DataFrame:
    frame.to_parquet(folder / "plain.parquet", index=False)
    return read_file(folder / "plain.parquet").frame


def test_frames_of_yfinance_in_parquet(tmp_path):
    columns = pd.MultiIndex.from_product([["Close", "High", "Low", "Open", "Volume"], ["AAA", "BRK-B"]])
    values = [
        [2.0, 20.0, 3.0, 30.0, 1.0, 10.0, 2.0, 20.0, 5.0, 50.0],
        [2.5, None, 3.0, None, 1.0, None, 2.0, None, 5, None],
    ]
    index = pd.DatetimeIndex(DAYS[:2], name="Date")
    pd.DataFrame([*values], columns=columns, index=index).to_parquet(tmp_path / "x.parquet")
    with pytest.raises(Refusal, match="one bar per symbol"):
        read_file(tmp_path / "x.parquet", ["BRK-B"])
    found = read_file(tmp_path / "x.parquet", ["AAA"])
    assert found.read_as == "yfinance, 2 rows of headings, 2 symbols"
    assert found.frame[["open", "high", "low", "close", "volume"]].to_numpy().tolist() == [
        [2, 3, 1, 2, 5],
        [2, 3, 1, 2.5, 5],
    ]


def test_a_folder_holds_a_file_for_each_symbol(tmp_path):
    for name in ("AAA", "BRK-B", "NA"):
        (tmp_path / f"{name}.csv").write_text(YAHOO)
    (tmp_path / "README.md").write_text("no bars")
    found = read_file(tmp_path)
    assert found.symbols == ["AAA", "BRK.B", "NA"] == symbols_of(tmp_path)
    assert found.read_as == "folder of 3 files: Yahoo, one symbol, adjusted close"
    assert len(found.frame) == 9
    assert read_file(tmp_path, ["BRK.B"]).symbols == ["BRK.B"]
    before = data_hash(tmp_path)
    (tmp_path / "NA.csv").write_text(YAHOO.replace("10.5,10.5", "10.6,10.6"))
    assert data_hash(tmp_path) != before


HEAD = "symbol,datetime,open,high,low,close,volume"
REFUSED = {
    "one price a day": (
        "x.csv", lines("Date,AAA,BBB", "2022-01-03,1,2", "2022-01-04,1,2"), "one price a day of AAA, BBB",
    ),
    "two closes": (
        "x.csv", lines("symbol,datetime,open,high,low,close,volume,close", "AAA,2022-01-03,1,2,1,2,5,2"),
        r"two columns of close \(close\); leave one of them out",
    ),
    "two closes in other capitals": (
        "x.csv", lines("symbol,datetime,open,high,low,close,volume,Close", "AAA,2022-01-03,1,2,1,2,5,2"),
        r"two columns of close \(close and Close\)",
    ),
    "other names": (
        "x.csv", lines("Day;Ticker;Open Price;Hi;Lo;Last;Vol.", "03.01.2022;AAA;1,5;2,5;1,5;2,5;100"),
        "no column datetime, high, low, close among 'Lo', 'Hi', 'Last', 'Day', 'Ticker' and 2 more",
    ),
    "a slip in a late column": (
        "data.csv", lines("Symbol,Date,Open,High,Low,Adj,Clsoe,Volume", "AAA,2022-01-03,1,2,1,2,2,5"),
        "no column close among 'Clsoe', 'Symbol', 'Date', 'Open', 'High' and 3 more; the file needs",
    ),
    "all that is missing at once": (
        "data.csv", lines("Opened,Open,High,Low,Clsoe,Vlume", "2022-01-03,1,2,1,2,5"),
        "no column symbol, datetime, close, volume among 'Vlume', 'Clsoe', .*; a file of one symbol may be named after",
    ),
    "headings of two words": (
        "AAA.csv", lines("Date,Opening,Day High,Day Low,Last,Qty", "2022-01-03,1,2,1,2,5"),
        "no column open, high, low, close, volume among 'Opening', .*'Day High', .*'Day Low'",
    ),
    "a column of symbols beside them": (
        "x.csv", lines("Ticker,Date,Day High,Day Low,Day Open,Trade Close,Vol.", "AAA,2022-01-03,2,1,1,2,5"),
        "no column open, high, low, close among 'Day High', 'Day Open', 'Day Low', 'Trade Close', .*; the file needs",
    ),
    "a wide table with gaps": (
        "x.csv", lines("AAA_open,AAA_high,AAA_low,AAA_close,BBB_open,BBB_close", "1,2,1,2,1,2"),
        r"no column of times \(write one named Date\); volume of 'AAA'; high, low, volume of 'BBB'; bars need",
    ),
    "one open": ("x.csv", lines("Date,Open Bid,Qty", "2022-01-03,1,5"), "no column open, high, low, close, volume"),
    "no headings": ("x.csv", lines("2022-01-03,1,2,1,2", "2022-01-04,1,2,1,2"), "its first row holds no headings"),
    "whose": ("data.csv", YAHOO, "names no symbol, and neither does its name; .* or say --symbols AAPL"),
    "whose, again": ("my-prices-2022.csv", YAHOO, "names no symbol, and neither does its name"),
    "a path": (
        "x.csv", lines("symbol,datetime,open,high,low,close,volume", "../../X,2022-01-03,1,2,1,2,5"),
        "symbol '../../X' at row 1 is no ticker",
    ),
    "both signs": (
        "x.csv", lines("symbol;datetime;open;high;low;close;volume", "AAA;2022-01-03;1,5;2,5;1,5;2,5;1,234,567"),
        "commas are decimal in some numbers and set thousands apart in others",
    ),
    "Databento's raw prices": (
        "x.csv",
        lines("ts_event,rtype,publisher_id,instrument_id,open,high,low,close,volume,symbol",
              *each("{d}T00:00:00Z,35,2,32,10250000000,11000000000,10000000000,10500000000,{v},AAA")),
        r"its prices are billionths of a dollar; export them as decimals \(pretty_px\)",
    ),
    "LEAN's prices": (
        "AAA.csv", lines(*each("{day} 00:00,102500,110000,100000,105000,{v}")),
        "whole numbers without headings may be ten-thousandths, as LEAN writes prices",
    ),
    "NinjaTrader's minutes": (
        "AAA.txt", lines(*each("{day} 09310{k};{o};{h};{l};{c};{v}")), "are those at which bars end; say --labels end",
    ),
    "Nasdaq's dates": (
        "AAA.csv",
        lines("Date,Close/Last,Volume,Open,High,Low",
              *[f"01/0{k + 3}/2022,${c},{v},${o},${h},${low}" for k, (_, o, h, low, c, v) in enumerate(ROWS)]),
        "may have the day or the month first; say --date-order dmy or --date-order mdy",
    ),
    "weekdays": ("x.csv", lines(HEAD, "AAA,Monday,1,2,1,2,5"), "is not a time"),
    "a spreadsheet's days": (
        "x.csv", lines(HEAD, "AAA,44564,1,2,1,2,5"),
        "datetime '44564' at row 1 is not a time but a spreadsheet's number of a day; format the column as dates",
    ),
    "years of two digits": (
        "x.csv", lines(HEAD, "AAA,01/13/22,1,2,1,2,5"), "'01/13/22' at row 1 .*, as its year has two digits; write",
    ),
    "years of two digits, months by name": (
        "x.csv", lines(HEAD, "AAA,3-Jan-22,1,2,1,2,5"), "'3-Jan-22' at row 1 .*, as its year has two digits; write",
    ),
    "blanks alone": (
        "AAA.txt", lines("Date Open High Low Close Volume", "2022-01-03 1 2 1 2 5"),
        "its columns are set apart by blanks alone; write a comma or a tab between them",
    ),
    "Bloomberg": (
        "AAA.csv", lines("Date,PX_OPEN,PX_HIGH,PX_LOW,PX_LAST,PX_VOLUME", "2022-01-03,1,2,1,2,5"),
        "no column open, high, low, close, volume among .*; rename .*'PX_LAST' to close; the file needs",
    ),
    "Refinitiv": (
        "data.csv",
        lines("#RIC,Domain,Date-Time,GMT Offset,Type,Open,High,Low,Last,Volume",
              "AAA.OQ,Market Price,2022-11-04T13:30:00Z,-5,Intraday 5Min,1,2,1,2,5"),
        "no column symbol, close among 'Last', '#RIC', .*; rename 'Last' to close, '#RIC' to symbol; the file needs",
    ),
    "a number of columns that nobody writes": (
        "AAA.csv", lines("1672531200,1,2,1,2,5,6,7"), "its first row holds no headings; write one such as symbol",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_would_be_a_guess_is_refused_in_a_sentence(tmp_path, case):
    name, text, told = REFUSED[case]
    (tmp_path / name).write_text(text)
    with pytest.raises(Refusal, match=told) as refusal:
        read_file(tmp_path / name)
    assert str(refusal.value).startswith(str(tmp_path / name))
    assert "\n" not in str(refusal.value)


def test_the_symbol_of_a_file_may_be_said(tmp_path):
    (tmp_path / "data.csv").write_text(YAHOO)
    assert read_file(tmp_path / "data.csv", options=ReadOptions(symbol="brk-b")).symbols == ["BRK.B"]
    with pytest.raises(Refusal, match=r"--symbols \.\./X: is no ticker"):
        ReadOptions(symbol="../X")
