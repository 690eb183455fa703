"""Files as people have them: each form is read where that needs no guess, and told."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from backtests.data.bar_files import data_hash, read_file, symbols_of
from backtests.data.reading.options import ReadOptions
from config.errors import Refusal
from tests.backtests.data.forms import CLOSES, DAYS, ROWS, YAHOO, each, intraday, lines

MIDNIGHTS = [int(pd.Timestamp(day, tz="UTC").timestamp()) for day in DAYS]
FORMS = {
    "Yahoo": ("AAA.csv", YAHOO, "Yahoo, one symbol, adjusted close"),
    "Yahoo, class share": ("brk-b.csv", YAHOO, "Yahoo, one symbol, adjusted close"),
    "Kaggle": (
        "all_stocks.csv",
        lines("date,open,high,low,close,volume,Name", *each("{d},{o},{h},{l},{c},{v},AAA")),
        "Kaggle, symbols in column Name",
    ),
    "Kaggle, tickers as companies": (
        "stock_details.csv",
        lines("Date,Open,High,Low,Close,Volume,Dividends,Stock Splits,Company",
              *each("{d} 00:00:00-05:00,{o},{h},{l},{c},{v},0.0,0.0,AAA")),
        "long table, symbols in column Company",
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


def test_the_symbol_of_a_file_may_be_said(tmp_path):
    (tmp_path / "data.csv").write_text(YAHOO)
    assert read_file(tmp_path / "data.csv", options=ReadOptions(symbol="brk-b")).symbols == ["BRK.B"]
    with pytest.raises(Refusal, match=r"--symbols \.\./X: is no ticker"):
        ReadOptions(symbol="../X")
