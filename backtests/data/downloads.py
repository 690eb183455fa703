"""Bars from Yahoo or Alpaca into a file, adjusted for splits and dividends."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from brokers.alpaca.client import VenueClient, timeframe
from brokers.venue_errors import VenueError, VenueRefusal
from config.errors import Refusal
from config.reading.error_messages import some
from config.values.markets import NEW_YORK
from config.values.secrets import ALPACA_VARIABLES, Secrets
from config.values.symbols import at_yahoo, canonical
from market.bars import DAY_MINUTES, FIELDS

YAHOO, ALPACA = "yahoo", "alpaca"
SOURCES = (YAHOO, ALPACA)
ADJUSTED = "splits and dividends"
SUFFIXES = (".parquet", ".csv")
YAHOO_INTERVALS = {1: "1m", 2: "2m", 5: "5m", 15: "15m", 30: "30m", 60: "60m", 90: "90m", DAY_MINUTES: "1d"}
YAHOO_TIMEOUT_S = 10
_KEYS = {"o": "open", "h": "high", "l": "low", "c": "close", "v": "volume"}
ZONE = ZoneInfo(NEW_YORK)


@dataclass(frozen=True, slots=True)
class Download:
    """What was fetched.

    Parameters
    ----------
    frame : DataFrame
        Long table: symbol, datetime (dates of days, else New York times), open … volume.
    missing : tuple of str
        Symbols of which the source has nothing in that time.
    """

    frame: pd.DataFrame
    missing: tuple[str, ...]


def download(
    source: str, symbols: Sequence[str], start: date, end: date, minutes: int, *, feed: str, data_url: str | None
) -> Download:
    """Fetch bars.

    Parameters
    ----------
    source : {"yahoo", "alpaca"}
    symbols : sequence of str
    start, end : date
        First and last day, both included (New York).
    minutes : int
        Length of a bar; 1440 is a day.
    feed : {"iex", "sip"}
        Alpaca's data plan.
    data_url : str or None
        Another host than Alpaca's own.

    Raises
    ------
    Refusal
        The source has no bars of that length, cannot be asked, or has none of the symbols.
    """
    if end < start:
        raise Refusal(f"--end {end} is before --start {start}; exchange them or choose another window")
    names = list(dict.fromkeys(_symbol(text) for text in symbols))
    if not names:
        raise Refusal("--symbols is empty; name some, e.g. AAPL,MSFT")
    if source == YAHOO:
        found = _from_yahoo(names, start, end, minutes)
    else:
        found = _from_alpaca(names, start, end, minutes, feed, data_url)
    if found.frame.empty:
        raise Refusal(f"--source {source}: has no bars of {some(names)} from {start} to {end}; choose others")
    return found


def write(found: Download, path: Path, about: dict[str, Any], *, overwrite: bool) -> None:
    """Write a table and, beside it in ``FILE.json``, where it comes from and what its prices are adjusted for.

    Raises
    ------
    Refusal
        The file is there already, cannot be written, or is to be of another kind than .parquet or .csv.
    """
    refuse_target(path, overwrite=overwrite)
    frame = found.frame
    span = [f"{time:%Y-%m-%d}" for time in (frame["datetime"].min(), frame["datetime"].max())]
    told = {
        **about,
        "adjusted_for": ADJUSTED,
        "symbols": sorted(set(frame["symbol"])),
        "missing": list(found.missing),
        "first": span[0],
        "last": span[1],
        "rows": len(frame),
        "fetched_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    text = json.dumps(told, indent=2) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix.lower() == ".csv":
            _replace(path, lambda unfinished: frame.to_csv(unfinished, index=False))
        else:
            _replace(path, lambda unfinished: frame.to_parquet(unfinished, index=False))
        _replace(beside(path), lambda unfinished: unfinished.write_text(text, encoding="utf-8"))
    except OSError as error:
        raise Refusal(f"--out {path}: cannot be written ({error.strerror}); choose another place") from error


def refuse_target(path: Path, *, overwrite: bool) -> None:
    """Refuse, before anything is fetched, what could not be written afterwards."""
    if path.suffix.lower() not in SUFFIXES:
        raise Refusal(f"--out {path}: is no {' or '.join(SUFFIXES)} file; name one")
    if path.exists() and (not overwrite or not path.is_file()):
        raise Refusal(f"--out {path}: is there already; add --overwrite or choose another name")


def beside(path: Path) -> Path:
    """Where it says what a file holds."""
    return path.with_name(f"{path.name}.json")


def _replace(path: Path, fill: Callable[[Path], Any]) -> None:
    """Write a file as a whole or not at all."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.unfinished")
    try:
        fill(unfinished)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _symbol(text: str) -> str:
    try:
        return canonical(text)
    except ValueError as error:
        raise Refusal(f"--symbols: {text!r} is no ticker; {error}") from None


def _from_yahoo(symbols: Sequence[str], start: date, end: date, minutes: int) -> Download:
    import yfinance
    from yfinance.exceptions import YFException

    if minutes not in YAHOO_INTERVALS:
        raise Refusal(f"--minutes {minutes}: Yahoo has bars of {', '.join(map(str, YAHOO_INTERVALS))} minutes")
    # It reports the same failure in several lines of its own.
    logging.getLogger("yfinance").setLevel(logging.CRITICAL)
    # Hidden, a network that is down would look like symbols that nobody knows.
    yfinance.config.debug.hide_exceptions = False
    parts, missing = [], []
    for symbol in symbols:
        try:
            frame = yfinance.Ticker(at_yahoo(symbol)).history(
                interval=YAHOO_INTERVALS[minutes],
                start=start.isoformat(),
                end=(end + timedelta(days=1)).isoformat(),
                prepost=False,
                auto_adjust=True,
                actions=False,
                timeout=YAHOO_TIMEOUT_S,
            )
        except (YFException, KeyError, TypeError, ValueError) as error:
            # What it does not know, and what it does not answer in its own form, look alike here.
            logging.getLogger(__name__).info("%s: %s", symbol, error)
            frame = pd.DataFrame()
        except OSError as error:
            raise Refusal(f"--source yahoo: cannot be asked ({_first_line(error)}); try again later") from None
        if frame.empty:
            missing.append(symbol)
            continue
        rows = frame.rename(columns=str.lower)[list(FIELDS)].dropna()
        parts.append(_part(symbol, pd.DatetimeIndex(rows.index).tz_convert(NEW_YORK), rows, minutes))
    return Download(_joined(parts), tuple(missing))


def _from_alpaca(
    symbols: Sequence[str], start: date, end: date, minutes: int, feed: str, data_url: str | None
) -> Download:
    secrets = Secrets.from_environment(os.environ)
    if lacking := secrets.missing(ALPACA_VARIABLES):
        raise Refusal(f"--source alpaca needs Alpaca keys: set {' and '.join(lacking)} in the environment")
    assert secrets.ALPACA_API_KEY is not None
    assert secrets.ALPACA_API_SECRET is not None
    try:
        timeframe(minutes)
    except ValueError as error:
        raise Refusal(f"--minutes {minutes}: {error}; choose another length") from None
    client = VenueClient(
        secrets.ALPACA_API_KEY.get_secret_value(),
        secrets.ALPACA_API_SECRET.get_secret_value(),
        paper=True,
        data_url=data_url,
        feed=feed,
    )
    first = datetime.combine(start, time(), ZONE)
    last = datetime.combine(end + timedelta(days=1), time(), ZONE) - timedelta(microseconds=1)
    try:
        found = client.bars(symbols, minutes, first, last)
    except VenueRefusal as refusal:
        raise Refusal(f"--source alpaca: refused, {_first_line(refusal)}; correct what it names") from None
    except VenueError as error:
        raise Refusal(f"--source alpaca: cannot be asked ({_first_line(error)}); try again later") from None
    parts = []
    for symbol, bars in found.items():
        if bars:
            times = pd.DatetimeIndex(pd.to_datetime([bar["t"] for bar in bars], utc=True)).tz_convert(NEW_YORK)
            rows = pd.DataFrame({name: [float(bar[key]) for bar in bars] for key, name in _KEYS.items()})
            parts.append(_part(symbol, times, rows, minutes))
    there = {symbol for symbol, bars in found.items() if bars}
    return Download(_joined(parts), tuple(symbol for symbol in symbols if symbol not in there))


def _part(symbol: str, times: pd.DatetimeIndex, rows: pd.DataFrame, minutes: int) -> pd.DataFrame:
    stamps = times.tz_localize(None).normalize() if minutes == DAY_MINUTES else times
    columns = {name: rows[name].to_numpy(dtype=float) for name in FIELDS}
    return pd.DataFrame({"symbol": symbol, "datetime": stamps, **columns})


def _joined(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    if not parts:
        return pd.DataFrame({name: [] for name in ("symbol", "datetime", *FIELDS)})
    return pd.concat(parts, ignore_index=True).drop_duplicates(["symbol", "datetime"], keep="last", ignore_index=True)


def _first_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
