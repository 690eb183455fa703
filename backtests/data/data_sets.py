"""Where a run's bars come from: embedded, a file, or Yahoo through Lumibot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from backtests import embedded
from backtests.data.bar_files import absent, data_hash, read_file, symbols_of
from backtests.data.reading.options import PLAIN, ReadOptions
from backtests.data.session_bars import put_together
from config.errors import Refusal
from config.process.memory import give_back_free_memory
from config.values.markets import NEW_YORK
from market.bar_tables import to_table
from market.bars import DAY_MINUTES, BarTable
from market.calendar import session_times

EMBEDDED, YAHOO, ALPACA = "embedded", "yahoo", "alpaca"
INTRADAY_MINUTES = 5


@dataclass(frozen=True, slots=True)
class DataSet:
    """Bars with the history before the window, what identifies them, and what a reader must know of them."""

    table: BarTable
    source: str
    hash: str
    missing: tuple[str, ...]
    notes: tuple[str, ...]
    traded: tuple[str, ...] = ()
    """Whose bars the window is made of; all by default."""


@dataclass(frozen=True, slots=True)
class BarLength:
    """The bars that a run decides on.

    Parameters
    ----------
    minutes : int
        1440 is a day.
    source : str
        Where that is said.
    strict : bool
        Whether daily bars are refused where ``minutes`` are fewer, as other coarser ones always are.
    put_together : bool
        Whether finer bars become these; the exchange of a rehearsal is asked for bars of this length instead.
    """

    minutes: int
    source: str
    strict: bool
    put_together: bool = True


def load_data(
    data: str,
    symbols: Sequence[str],
    start: date | None,
    end: date | None,
    *,
    intraday: bool,
    seed: int,
    traded: Sequence[str] = (),
    options: ReadOptions = PLAIN,
    length: BarLength | None = None,
) -> DataSet:
    """Read the bars of ``symbols``.

    Parameters
    ----------
    data : str
        ``embedded``, ``yahoo``, or the path of a parquet or csv file.
    symbols : sequence of str
        Universe, gauges, funds and benchmark; what the source lacks is listed, not refused.
    start, end : date or None
        Window of the run; bars after ``end`` are not read.
    intraday : bool
        For the embedded data: five-minute bars made up inside the real days.
    seed : int
        Of the made-up bars.
    traded : sequence of str
        Those of ``symbols`` that are not only watched; all by default.
    options : ReadOptions
        How to read a file.
    length : BarLength, optional
        Of the bars wanted: a file's coarser ones are refused. Any by default.

    Raises
    ------
    Refusal
        If the data can't be read or hold nothing of what is asked for.
    """
    if data == EMBEDDED:
        return _embedded(symbols, start, end, intraday, seed)
    traded = tuple(traded or symbols)
    if data == YAHOO:
        return _yahoo(symbols, end, traded)
    if data == ALPACA:
        raise Refusal("--data alpaca: this version reads no history from Alpaca; use --data yahoo, embedded or a file")
    found = _file(Path(data), symbols, start, end, traded, options, length)
    give_back_free_memory()
    return found


def symbols_held(source: str, options: ReadOptions) -> list[str]:
    """Every symbol of the embedded data or of a file."""
    if source == EMBEDDED:
        return [*embedded.STOCKS, embedded.COMPOSITE, embedded.INVERSE]
    return symbols_of(source, options)


def window(
    data: DataSet, start: date | None, end: date | None, zone: str = NEW_YORK
) -> tuple[pd.Timestamp, pd.Timestamp]:
    """First and last bar (by opening time) that the run decides on; days begin at midnight of ``zone``.

    Raises
    ------
    Refusal
        If no bar lies between ``start`` and ``end``.
    """
    opens = data.table.opens_at
    columns = [k for k, symbol in enumerate(data.table.symbols) if symbol in (data.traded or data.table.symbols)]
    there = np.flatnonzero(np.isfinite(data.table.close[:, columns]).any(axis=1))
    if len(there):
        # What is only watched may have been listed earlier or later: that makes no window, unless one is asked for.
        opens = opens[there[0] if start is None else 0 : there[-1] + 1 if end is None else len(opens)]
    first = opens[0] if start is None else pd.Timestamp(start).tz_localize(zone)
    last = opens[-1] if end is None else pd.Timestamp(end).tz_localize(zone) + pd.Timedelta(days=1, microseconds=-1)
    inside = opens[(opens >= first) & (opens <= last)]
    if inside.empty:
        raise Refusal(
            f"{data.source}: no bars between {first:%Y-%m-%d} and {last:%Y-%m-%d}; the data run from "
            f"{opens[0]:%Y-%m-%d} to {opens[-1]:%Y-%m-%d}"
        )
    return inside[0], inside[-1]


def _embedded(symbols: Sequence[str], start: date | None, end: date | None, intraday: bool, seed: int) -> DataSet:
    daily = embedded.daily()
    last = pd.Timestamp(end or daily["datetime"].max())
    if intraday:
        # Made-up paths are for trying things out: without a window, one quarter of them is enough.
        first = pd.Timestamp(start) if start else last - pd.Timedelta(days=90)
        frame = embedded.intraday(first - pd.Timedelta(days=10), last, INTRADAY_MINUTES, seed)
    else:
        frame = daily[daily["datetime"] <= last]
    frame = frame[frame["symbol"].isin(list(symbols))]
    if frame.empty:
        raise Refusal(
            f"--data embedded: has none of {', '.join(symbols[:5])} up to {last:%Y-%m-%d}; it holds "
            f"{', '.join(embedded.STOCKS)} from 2013 to 2023"
        )
    missing = tuple(absent(frame, symbols))
    table = to_table(frame, [s for s in symbols if s not in missing], EMBEDDED)
    return DataSet(table, EMBEDDED, data_hash(embedded.PATH), missing, (embedded.DESCRIPTION,))


def _file(
    path: Path,
    symbols: Sequence[str],
    start: date | None,
    end: date | None,
    traded: tuple[str, ...],
    options: ReadOptions,
    length: BarLength | None,
) -> DataSet:
    found = read_file(path, symbols, start, end, options)
    frame, minutes, notes = found.frame, found.minutes, [f"read as: {found.read_as}", *found.notes]
    if length is not None and minutes != length.minutes:
        if minutes < length.minutes:
            if length.put_together:
                frame = put_together(frame, minutes, length.minutes)
                notes.append(f"bars of {_told(minutes)} put together to {_told(length.minutes)}")
                minutes = length.minutes
        elif minutes < DAY_MINUTES or length.strict:
            raise Refusal(
                f"{path}: bars of {_told(minutes)}, but {length.source}: pace.bars wants {_told(length.minutes)}; give "
                f"finer bars, or --set pace.bars={minutes}"
            )
    missing = tuple(absent(frame, symbols))
    table = to_table(frame, [s for s in symbols if s not in missing], path.name, minutes)
    if not table.daily and options.hours == "regular":
        # What the close cuts short is complete with it.
        closes = session_times(table.opens_at.tz_localize(None).normalize())[1]
        inside = (table.opens_at < closes) & (table.closes_at > closes)
        table = replace(table, closes_at=table.closes_at.where(~inside, closes))
    return DataSet(table, str(path), data_hash(path), missing, tuple(notes), traded)


def _told(minutes: int) -> str:
    return "a day" if minutes == DAY_MINUTES else f"{minutes} minute{'s' if minutes > 1 else ''}"


def _yahoo(symbols: Sequence[str], end: date | None, traded: tuple[str, ...]) -> DataSet:
    # Imported here: reading a file or the embedded data needs no Lumibot.
    from backtests.yahoo_runs import yahoo_table

    table, digest, missing = yahoo_table(symbols, end, frozenset(symbols) - frozenset(traded))
    return DataSet(table, YAHOO, digest, missing, (), traded)
