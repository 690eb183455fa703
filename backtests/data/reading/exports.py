"""Whose export a file is, by columns that only one of them writes, and what its columns and times mean."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from backtests.data.reading.options import ReadOptions, ends_of_bars
from config.errors import Refusal

MARKS: tuple[tuple[frozenset[str], str], ...] = (
    (frozenset({"tickvol"}), "MetaTrader"),
    (frozenset({"tradecount", "timestamp"}), "Alpaca"),
    (frozenset({"vwap", "timestamp"}), "Alpaca"),
    (frozenset({"tsevent", "publisherid"}), "Databento"),
    (frozenset({"windowstart", "transactions"}), "Polygon"),
    (frozenset({"adjopen", "splitfactor"}), "Tiingo"),
    (frozenset({"dividendamount", "splitcoefficient"}), "Alpha Vantage"),
    (frozenset({"closeadj", "closeunadj"}), "Sharadar"),
    (frozenset({"barcount", "average"}), "Interactive Brokers"),
    (frozenset({"closelast"}), "Nasdaq"),
    (frozenset({"price", "change%"}), "Investing.com"),
)
TIMES = ("windowstart", "tsevent", "opentime", "timeleft")
"""Columns of times, beside the ordinary ones."""
EPOCHS = ("unix", "unixtime", "unixtimestamp", "epoch", "epochtime")
"""Columns of times that count from 1970, as exports of coins have them beside a date."""
QUOTE_CURRENCIES = ("usd", "usdt", "usdc", "eur", "gbp")
HEADLESS_ONE_TIME, HEADLESS_DAY_AND_CLOCK = 6, 7
"""Columns of a file without headings: time, open, high, low, close, volume; or date and time of day apart."""
HEADLESS_SINCE_1970 = {6: "", 7: "Kraken, ", 12: "Binance, "}
"""Columns of such a file whose times count from 1970, and who writes that many: Kraken adds the number of trades."""
_ELSEWHERE = {
    "symbol": ("ric", "instrument", "security", "pair"),
    "datetime": ("datum", "zeit", "day"),
    "open": ("pxopen", "opening", "eröffnung", "eroeffnung"),
    "high": ("pxhigh", "hi", "hoch", "tageshoch"),
    "low": ("pxlow", "lo", "tief", "tagestief"),
    "close": ("pxlast", "last", "lastprice", "schluss", "schlusskurs"),
    "volume": ("pxvolume", "volumen", "qty", "totalvolume"),
}
"""Headings of other sources and languages: near enough to be named in a refusal, too far to be read unasked."""
_END_OF_BAR = r"\d{8} \d{6}"
_LEAST_WHOLE = 1_000


def exporter(plain: frozenset[str]) -> str:
    """Who writes such columns; empty if several do."""
    return next((name for marks, name in MARKS if marks <= plain), "")


def other_names(plain: Sequence[str], fields: dict[str, int]) -> dict[str, int]:
    """Places of close and volume where a file calls them otherwise.

    Investing.com calls the close a price; exports of coins have a volume in units and one in money.
    """
    found: dict[str, int] = {}
    if "close" not in fields and {"open", "high", "low"} <= fields.keys() and list(plain).count("price") == 1:
        found["close"] = plain.index("price")
    units = [k for k, name in enumerate(plain) if re.fullmatch(r"volume[a-z]{2,6}", name)]
    units = [k for k in units if not plain[k].endswith(QUOTE_CURRENCIES)]
    if "volume" not in fields and len(units) == 1:
        found["volume"] = units[0]
    return found


def renamings(headings: Sequence[str], plain: Sequence[str], missing: Collection[str]) -> dict[str, str]:
    """Which of a file's headings probably are those columns that are missing; each column once."""
    found: dict[str, str] = {}
    for heading, name in zip(headings, plain, strict=True):
        meaning = next((wanted for wanted in missing if name in _ELSEWHERE.get(wanted, ())), None)
        if meaning is not None and meaning not in found.values():
            found[heading] = meaning
    return found


def refuse_other_units(path: Path, kind: str, time: str, prices: Sequence[np.ndarray], options: ReadOptions) -> None:
    """Refuse prices that are not in dollars, and times that are not those at which a bar begins.

    Parameters
    ----------
    path : Path
        For messages.
    kind : str
        Whose form it is.
    time : str
        The first of the file.
    prices : sequence of ndarray
        Its columns of prices.
    options : ReadOptions
        They may say that its times are those at which a bar begins or ends.

    Raises
    ------
    Refusal
        The file's form is known to be written so, and nothing in it says that it is not.
    """
    whole = all(
        len(column) and bool(np.all((column >= _LEAST_WHOLE) & (np.floor(column) == column))) for column in prices
    )
    if kind.startswith("Databento") and whole:
        raise Refusal(f"{path}: its prices are billionths of a dollar; export them as decimals (pretty_px)")
    if not kind.startswith("no headings"):
        return
    if options.labels is None and re.fullmatch(_END_OF_BAR, time):
        raise ends_of_bars(path, f"times such as {time}, as NinjaTrader writes them, are")
    if whole:
        raise Refusal(
            f"{path}: whole numbers without headings may be ten-thousandths, as LEAN writes prices; write headings, "
            "and prices in dollars"
        )
