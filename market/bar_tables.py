"""Builds bar tables: long frames and per-symbol frames onto one grid with real session times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from config.errors import Refusal
from config.values.markets import NEW_YORK, NEW_YORK_ZONE
from market.bars import DAY_MINUTES, FIELDS, PRICES, BarTable, sane
from market.calendar import nanoseconds, session_times
from market.trading_day import day_zone, days_of

NANOSECONDS = 60_000_000_000  # of a minute

# Daylight saving makes a day of 23 hours, and stamps of a close may vary by a half day: 20 hours
# separate daily bars from intraday ones, half a week separates daily bars from weekly ones.
DAILY_FROM_MINUTES = 20 * 60
DAILY_TO_MINUTES = 84 * 60
# An intraday symbol may trade once a day for a day or two; three such gaps in a row are daily bars.
DAILY_RUN = 3


def to_table(frame: pd.DataFrame, symbols: Sequence[str], source: str, minutes: int | None = None) -> BarTable:
    """Turn a long table into arrays on the union of all bar times.

    Parameters
    ----------
    frame : DataFrame
        Columns symbol, datetime, open, high, low, close, volume. Naive ``datetime`` means daily
        session dates; aware ones are intraday bars labelled by their open.
    symbols : sequence of str
        Columns of the table, in this order; one without bars becomes a column of NaN.
    source : str
        Name of the source, for log and summary.
    minutes : int, optional
        Length of intraday bars; by default told from their spacing.

    Returns
    -------
    BarTable
        Arrays of shape ``(bars, symbols)``.
    """
    symbols = tuple(dict.fromkeys(symbols))
    category = pd.Categorical(frame["symbol"], categories=list(symbols))
    wanted = category.codes >= 0
    times = pd.DatetimeIndex(frame["datetime"])[wanted]
    column = category.codes[wanted]
    stamps, row = np.unique(nanoseconds(times), return_inverse=True)
    arrays = _empty(len(stamps), len(symbols))
    for name, array in arrays.items():
        array[row, column] = frame[name].to_numpy(dtype=float)[wanted]
    if times.tz is None:
        minutes = None
    elif minutes is None:
        minutes = int(spacings(column, times).median())
    return timed(symbols, stamps, arrays, minutes, source)


def by_trading_day(bars: BarTable) -> BarTable:
    """The table with its sessions numbered by the zone whose midnight ends a day, where it was made by another's."""
    if bars.daily or day_zone() == NEW_YORK_ZONE:
        return bars
    session = _numbered(days_of(bars.opens_at))
    return bars if np.array_equal(session, bars.session) else replace(bars, session=session)


def _numbered(days: pd.DatetimeIndex) -> np.ndarray:
    numbers: np.ndarray = np.unique(nanoseconds(days), return_inverse=True)[1]
    return numbers


def _empty(bars: int, symbols: int) -> dict[str, np.ndarray]:
    """An array of NaN for each field, to be filled."""
    return {name: np.full((bars, symbols), np.nan) for name in FIELDS}


def timed(
    symbols: tuple[str, ...], stamps: np.ndarray, arrays: dict[str, Any], minutes: int | None, source: str
) -> BarTable:
    """The table of arrays by row: ``stamps`` are ns since 1970 (UTC), or without ``minutes`` those of a naive date."""
    if minutes is None:
        minutes = DAY_MINUTES
        days = pd.DatetimeIndex(stamps)
        opens_at, closes_at = session_times(days)
    else:
        opens_at = pd.DatetimeIndex(stamps, tz="UTC").tz_convert(NEW_YORK)
        closes_at = opens_at + pd.Timedelta(minutes=minutes)
        # A session of shares is a date of New York; coins have none, and their days turn at UTC's midnight.
        days = days_of(opens_at)
    return BarTable(
        symbols=symbols,
        opens_at=opens_at,
        closes_at=closes_at,
        session=_numbered(days),
        minutes=minutes,
        source=source,
        **arrays,
    )


def spacings(codes: np.ndarray, times: pd.DatetimeIndex) -> pd.Series[float]:
    """Minutes between consecutive bars of the same symbol; the index holds the symbols' codes."""
    order = np.argsort(codes, kind="stable")
    code, stamp = codes[order], nanoseconds(times)[order]
    same = code[1:] == code[:-1]
    return pd.Series(np.diff(stamp)[same] / NANOSECONDS, index=code[1:][same])


def frames_to_table(
    frames: Mapping[str, pd.DataFrame], *, daily: bool, source: str, minutes: int | None = None
) -> BarTable:
    """A table from one frame per symbol, as Lumibot's data sources hold them.

    Parameters
    ----------
    frames : mapping of str to DataFrame
        Columns open, high, low, close, volume; a DatetimeIndex, naive or aware. For daily bars only its
        date counts, whatever hour the source stamps on it: New York's date, or UTC's where all labels are
        midnight there.
    daily : bool
        Whether a row is a session or an intraday bar.
    source : str
        Name of the source.
    minutes : int, optional
        Length of intraday bars; by default told from their spacing.

    Returns
    -------
    BarTable
        Nobody has checked these frames: a bar whose prices are none is left out, and counted in ``left_out``.

    Raises
    ------
    Refusal
        If there are no bars at all.
    """
    if not sum(map(len, frames.values())):
        raise Refusal(f"{source}: no bars for the universe; choose symbols that the source has")
    begins = _stamps(frames, daily)
    # Most symbols have the same bars: each set of times is looked at once.
    stamps = np.unique(np.concatenate(list({times.tobytes(): times for times in begins}.values())))
    arrays = _empty(len(stamps), len(frames))
    for column, (times, frame) in enumerate(zip(begins, frames.values(), strict=True)):
        row = stamps.searchsorted(times)
        for name, array in arrays.items():
            array[row, column] = frame[name].to_numpy(dtype=float)
    if daily:
        minutes = None
    elif minutes is None:
        between = np.concatenate([np.diff(times) for times in begins]) / NANOSECONDS
        minutes = int(pd.Series(between).median())
    return _without_faults(timed(tuple(frames), stamps, arrays, minutes, source))


def _stamps(frames: Mapping[str, pd.DataFrame], daily: bool) -> list[np.ndarray]:
    """When the bars of each frame begin: ns since 1970 (UTC), of daily bars those of the naive date."""
    # Frames often share one index, which is then read once; the list keeps each alive while its id counts.
    labels = [frame.index for frame in frames.values()]
    read: dict[int, np.ndarray] = {}
    for label in labels:
        if id(label) not in read:
            index = pd.DatetimeIndex(label)
            if daily:
                index = session_dates(index)
            elif index.tz is None:
                index = index.tz_localize(NEW_YORK)
            read[id(label)] = nanoseconds(index)
    return [read[id(label)] for label in labels]


def _without_faults(table: BarTable) -> BarTable:
    """The table with NaN wherever a bar is not sane, so that nothing is filled, marked or computed from it."""
    good = sane(table)
    there = np.logical_or.reduce([~np.isnan(getattr(table, name)) for name in PRICES])
    faults = (there & ~good).sum(axis=0)
    if not faults.any():
        return table
    left: dict[str, Any] = {name: np.where(good, getattr(table, name), np.nan) for name in FIELDS}
    counted = {symbol: int(n) for symbol, n in zip(table.symbols, faults, strict=True) if n}
    return replace(table, left_out=counted, **left)


def session_dates(index: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """Session dates of daily labels, naive."""
    if index.tz is not None:
        # Midnight UTC is the evening before in New York: read there, every bar would be known a day early.
        utc = index.tz_convert("UTC")
        index = (utc if (utc == utc.normalize()).all() else index.tz_convert(NEW_YORK)).tz_localize(None)
    return index.normalize()


def to_frame(table: BarTable) -> pd.DataFrame:
    """The long table of a bar table: symbol, datetime, open, high, low, close, volume; empty bars left out."""
    times = table.opens_at.tz_localize(None).normalize() if table.daily else table.opens_at
    parts = []
    for k, symbol in enumerate(table.symbols):
        part = pd.DataFrame({name: getattr(table, name)[:, k] for name in FIELDS}).assign(symbol=symbol, datetime=times)
        parts.append(part[np.isfinite(part["close"])])
    long: pd.DataFrame = pd.concat(parts, ignore_index=True)
    return long
