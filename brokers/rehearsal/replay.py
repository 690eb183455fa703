"""Bars to replay: a long table, checked once more, laid on the venue's grid and cut to what is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from config.errors import Refusal
from config.symbols import spelled
from market.bar_tables import DAILY_FROM_MINUTES
from market.bars import DAY_MINUTES, FIELDS, PRICES
from market.calendar import NEW_YORK, nanoseconds, session_times

COLUMNS = ("symbol", "datetime", *FIELDS)
MINUTE_NS = 60_000_000_000
NAME = "the bars to replay"
SMALLEST_PRICE = 0.0001


@dataclass(frozen=True, slots=True)
class Bars:
    """Bars of several symbols, ascending by symbol and time.

    Parameters
    ----------
    frame : DataFrame
        symbol, open, high, low, close (USD on the venue's grid), volume (whole shares).
    opens, closes : ndarray of int
        When each bar begins and ends, nanoseconds UTC. A daily bar spans its session.
    minutes : int
        Bar length; 1440 for daily bars.
    """

    frame: pd.DataFrame
    opens: np.ndarray
    closes: np.ndarray
    minutes: int

    @property
    def symbols(self) -> list[str]:
        return sorted(self.frame["symbol"].unique())


def load_bars(frame: pd.DataFrame, symbols: Sequence[str] | None = None) -> Bars:
    """Check the bars to replay and lay them on the venue's grid.

    Prices are rounded to cents from $1 on and to hundredths of a cent below, since nothing else can be traded there.

    Parameters
    ----------
    frame : DataFrame
        Long table as :func:`backtests.data.bar_files.read_bars` gives it: symbol, datetime, open, high, low, close,
        volume. Naive times are New York's; intraday bars are labelled by their open, daily ones by their date.
    symbols : sequence of str, optional
        Keep these; all by default.

    Raises
    ------
    Refusal
        A column or a symbol is missing, or a bar is impossible here.
    """
    missing = [column for column in COLUMNS if column not in frame.columns]
    if missing:
        raise Refusal(f"{NAME}: no column {', '.join(missing)}; it needs the columns {', '.join(COLUMNS)}")
    frame = frame[list(COLUMNS)].assign(symbol=frame["symbol"].astype(str))
    wanted = [spelled(symbol) for symbol in symbols or ()]
    absent = sorted(set(wanted) - set(frame["symbol"]))
    if absent:
        raise Refusal(f"{NAME}: no bars of {', '.join(absent)}; choose other --symbols")
    if wanted:
        frame = frame[frame["symbol"].isin(wanted)]
    if frame.empty:
        raise Refusal(f"{NAME}: no rows; give a file with bars")
    frame = frame.assign(datetime=_times(frame["datetime"])).sort_values(["symbol", "datetime"])
    frame = frame.reset_index(drop=True)
    _check(frame)
    minutes = _minutes(frame)
    opens, closes = _spans(pd.DatetimeIndex(frame["datetime"]), minutes)
    return Bars(_on_the_grid(frame), opens, closes, minutes)


def _times(times: pd.Series[Any]) -> pd.Series[Any]:
    """New York times; a day is its midnight there."""
    if not pd.api.types.is_datetime64_any_dtype(times):
        raise Refusal(f"{NAME}: column datetime holds no times; read it with read_bars")
    if times.dt.tz is None:
        times = times.dt.tz_localize(NEW_YORK, ambiguous="NaT", nonexistent="NaT")
    if times.isna().any():
        raise Refusal(f"{NAME}: column datetime holds what is no time in New York; give times with their offset")
    local: pd.Series[Any] = times.dt.tz_convert(NEW_YORK)
    return local


def _check(frame: pd.DataFrame) -> None:
    twice = frame.duplicated(["symbol", "datetime"])
    if twice.any():
        raise Refusal(f"{NAME}: the bar {_bar(frame, twice)} is there twice; remove one of them")
    for field in FIELDS:
        frame[field] = pd.to_numeric(frame[field], errors="coerce").astype(float)
        bad = ~np.isfinite(frame[field]) | (frame[field] <= 0 if field in PRICES else frame[field] < 0)
        if bad.any():
            raise Refusal(f"{NAME}: {field} of the bar {_bar(frame, bad)} is no possible number; correct the file")
        small = frame[field] < SMALLEST_PRICE / 2 if field in PRICES else pd.Series(False, frame.index)
        if small.any():
            raise Refusal(
                f"{NAME}: {field} of the bar {_bar(frame, small)} is below {SMALLEST_PRICE:g} USD, the smallest price "
                "that can be traded here; leave the symbol out"
            )
    # Adjusted prices carry rounding noise.
    upside_down = frame["high"] < frame["low"] * (1 - 1e-6)
    if upside_down.any():
        raise Refusal(f"{NAME}: high of the bar {_bar(frame, upside_down)} is below its low; correct the file")


def _bar(frame: pd.DataFrame, bad: pd.Series[bool]) -> str:
    row = frame.loc[bad.idxmax()]
    return f"{row['symbol']} {row['datetime']:%Y-%m-%d %H:%M}"


def _minutes(frame: pd.DataFrame) -> int:
    """The commonest distance between bars, 1440 for whole days."""
    gaps = frame.groupby("symbol")["datetime"].diff().dropna().dt.total_seconds() // 60
    if gaps.empty:
        raise Refusal(f"{NAME}: one bar per symbol, so that its length is unknown; give at least two")
    minutes = int(gaps.mode().iloc[0])
    if minutes >= DAILY_FROM_MINUTES:
        return DAY_MINUTES
    if minutes < 1:
        raise Refusal(f"{NAME}: bars shorter than a minute; put them together to minutes first")
    return minutes


def _spans(times: pd.DatetimeIndex, minutes: int) -> tuple[np.ndarray, np.ndarray]:
    dates, which = np.unique(times.tz_localize(None).normalize(), return_inverse=True)
    opens, closes = (nanoseconds(t)[which] for t in session_times(pd.DatetimeIndex(dates)))
    if minutes == DAY_MINUTES:
        return opens, closes
    starts = nanoseconds(times)
    ends = starts + minutes * MINUTE_NS
    for edge in (opens, closes):
        # A bar ends with the phase of the day it began in.
        ends = np.where((starts < edge) & (ends > edge), edge, ends)
    return starts, ends


def _on_the_grid(frame: pd.DataFrame) -> pd.DataFrame:
    prices = frame[list(PRICES)]
    prices = prices.round(2).where(prices >= 1, prices.round(4).clip(lower=SMALLEST_PRICE))
    prices["high"], prices["low"] = prices.max(axis=1), prices.min(axis=1)
    return prices.assign(symbol=frame["symbol"], volume=frame["volume"].round().astype("int64"))
