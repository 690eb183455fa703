"""Files that could be read in two ways, or in none, are refused with the way out."""

from __future__ import annotations

import pytest

from backtests.data.bar_files import read_file
from config.errors import Refusal
from tests.backtests.data.forms import ROWS, YAHOO, each, lines

HEAD = "symbol,datetime,open,high,low,close,volume"
REFUSED = {
    "one price a day": (
        "x.csv", lines("Date,AAA,BBB", "2022-01-03,1,2", "2022-01-04,1,2"), "one price a day of AAA, BBB",
    ),
    "a title above the header": (
        "x.csv", lines("Prices of my broker", "", "Date,Open,High,Low,Close,Volume", "2022-01-03,1,2,1,2,5"),
        "its first line is a title and no header; delete the lines above the header",
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
    "companies by name": (
        "data.csv",
        lines("Date,Open,High,Low,Close,Volume,Company", *each("{d},{o},{h},{l},{c},{v},Apple Inc."),
              *each("{d},{o},{h},{l},{c},{v},IBM")),
        r"column Company holds 2 names, not all of them tickers \('Apple Inc.'\); add a column symbol with",
    ),
    "several symbols and no known column of them": (
        "AAA.csv",
        lines("Date,Open,High,Low,Close,Volume,Firma", *each("{d},{o},{h},{l},{c},{v},AAA"),
              *each("{d},{l},{h},{l},{c},{v},BBB")),
        "AAA 2022-01-03 00:00 at row 4 is there twice, and so are most times, as if the rows of several symbols",
    ),
    "a file that is there twice in itself": (
        "AAA.csv", YAHOO + YAHOO.partition("\n")[2], "at row 4 is there twice; remove one of the rows",
    ),
    "one bar": (
        "AAA.csv", "Date,Open,High,Low,Close,Volume\n2022-01-03,1,2,1,2,5\n",
        "one bar per symbol, so that its length is unknown; give at least two",
    ),
    "one bar whose line has no end": (
        "AAA.csv", "Date,Open,High,Low,Close,Volume\n2022-01-03,1,2,1,2,5",
        "one bar per symbol, so that its length is unknown; give at least two",
    ),
    "a bad close beside an adjusted one": (
        "AAA.csv", YAHOO.replace("11.5,11.5,", "-11.5,11.5,"), ": close of AAA 2022-01-04 .* row 2 is not above zero",
    ),
    "no close beside an adjusted one": (
        "AAA.csv", YAHOO.replace("11.5,11.5,", ",11.5,"), "close of AAA 2022-01-04 00:00 at row 2 is not a number",
    ),
    "a bad adjusted close": (
        "AAA.csv", YAHOO.replace("11.5,11.5,", "11.5,0,"), "Adj Close of AAA 2022-01-04 .* row 2 is not above zero",
    ),
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
