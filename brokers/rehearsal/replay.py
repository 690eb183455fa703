"""Bars to replay: a long table from a parquet or csv file, checked, and cut to what is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from config.errors import Refusal
from market.bars import DAY_MINUTES, FIELDS
from market.calendar import NEW_YORK, nanoseconds, session_times

COLUMNS = ("symbol", "datetime", *FIELDS)
PRICES = FIELDS[:4]
MINUTE_NS = 60_000_000_000
OFFSET = r"\d:\d\d.*(?:Z|[+-]\d\d:?\d\d)$"
# Daily prices carry a date only; anything closer together than this is intraday.
DAILY_FROM_MINUTES = 20 * 60


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


def load_bars(source: str | Path | pd.DataFrame, symbols: Sequence[str] | None = None) -> Bars:
    """Read and check the bars to replay.

    Prices are rounded to the venue's grid, cents from $1 on and hundredths of a cent below, since nothing
    else can be traded there.

    Parameters
    ----------
    source : str, Path or DataFrame
        Long table with the columns symbol, datetime, open, high, low, close, volume. Naive times are New
        York's; intraday bars are labelled by their open, daily ones by their date.
    symbols : sequence of str, optional
        Keep these; all by default.

    Raises
    ------
    Refusal
        The file can't be read, lacks a column or a symbol, or holds an impossible bar.
    """
    name = "the table of bars" if isinstance(source, pd.DataFrame) else str(source)
    frame = source if isinstance(source, pd.DataFrame) else _read(Path(source))
    missing = [column for column in COLUMNS if column not in frame.columns]
    if missing:
        raise Refusal(f"{name}: no column {', '.join(missing)}; it needs the columns {', '.join(COLUMNS)}")
    frame = frame[list(COLUMNS)].assign(symbol=frame["symbol"].astype(str))
    absent = sorted(set(symbols or ()) - set(frame["symbol"]))
    if absent:
        raise Refusal(f"{name}: no bars of {', '.join(absent)}; choose other --symbols")
    if symbols:
        frame = frame[frame["symbol"].isin(list(symbols))]
    if frame.empty:
        raise Refusal(f"{name}: no rows; give a file with bars")
    frame = frame.assign(datetime=_times(frame["datetime"], name)).sort_values(["symbol", "datetime"])
    frame = frame.reset_index(drop=True)
    _check(frame, name)
    minutes = _minutes(frame, name)
    opens, closes = _spans(pd.DatetimeIndex(frame["datetime"]), minutes)
    return Bars(_on_the_grid(frame), opens, closes, minutes)


def _read(path: Path) -> pd.DataFrame:
    kind = path.suffix.lower()
    if kind not in (".parquet", ".csv"):
        raise Refusal(f"{path}: not a .parquet or .csv file; convert it to one of them")
    if not path.is_file():
        raise Refusal(f"{path}: no such file; check the path given to --data")
    try:
        return pd.read_parquet(path) if kind == ".parquet" else pd.read_csv(path, dtype={"symbol": str})
    except (OSError, ValueError) as error:
        raise Refusal(f"{path}: cannot be read as {kind[1:]} ({error}); write the file again") from error


def _times(values: pd.Series[Any], name: str) -> pd.Series[Any]:
    """New York times, whatever they were written as."""
    if pd.api.types.is_numeric_dtype(values):
        raise Refusal(f"{name}: column datetime holds numbers; write times as 2023-01-31 or 2023-01-31 09:35")
    times = values
    if not pd.api.types.is_datetime64_any_dtype(values):
        texts = values.astype(str)
        # Offsets differ between summer and winter, so that only UTC holds them all.
        times = pd.to_datetime(texts, format="ISO8601", errors="coerce", utc=bool(texts.str.contains(OFFSET).all()))
    if pd.api.types.is_datetime64_any_dtype(times):
        if times.dt.tz is None:
            times = times.dt.tz_localize(NEW_YORK, ambiguous="NaT", nonexistent="NaT")
        if not times.isna().any():
            local: pd.Series[Any] = times.dt.tz_convert(NEW_YORK)
            return local
    raise Refusal(f"{name}: column datetime holds what is no time in New York; write 2023-01-31 or 2023-01-31 09:35")


def _check(frame: pd.DataFrame, name: str) -> None:
    twice = frame.duplicated(["symbol", "datetime"])
    if twice.any():
        raise Refusal(f"{name}: the bar {_bar(frame, twice)} is there twice; remove one of them")
    for field in FIELDS:
        frame[field] = pd.to_numeric(frame[field], errors="coerce").astype(float)
        bad = ~np.isfinite(frame[field]) | (frame[field] <= 0 if field in PRICES else frame[field] < 0)
        if bad.any():
            raise Refusal(f"{name}: {field} of the bar {_bar(frame, bad)} is no possible number; correct the file")
    # Adjusted prices carry rounding noise.
    upside_down = frame["high"] < frame["low"] * (1 - 1e-6)
    if upside_down.any():
        raise Refusal(f"{name}: high of the bar {_bar(frame, upside_down)} is below its low; correct the file")


def _bar(frame: pd.DataFrame, bad: pd.Series[bool]) -> str:
    row = frame.loc[bad.idxmax()]
    return f"{row['symbol']} {row['datetime']:%Y-%m-%d %H:%M}"


def _minutes(frame: pd.DataFrame, name: str) -> int:
    """The commonest distance between bars, 1440 for whole days."""
    gaps = frame.groupby("symbol")["datetime"].diff().dropna().dt.total_seconds() // 60
    if gaps.empty:
        raise Refusal(f"{name}: one bar per symbol, so that its length is unknown; give at least two")
    minutes = int(gaps.mode().iloc[0])
    if minutes >= DAILY_FROM_MINUTES:
        return DAY_MINUTES
    if minutes < 1:
        raise Refusal(f"{name}: bars shorter than a minute; put them together to minutes first")
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
    prices = prices.round(2).where(prices >= 1, prices.round(4).clip(lower=0.0001))
    prices["high"], prices["low"] = prices.max(axis=1), prices.min(axis=1)
    return prices.assign(symbol=frame["symbol"], volume=frame["volume"].round().astype("int64"))
