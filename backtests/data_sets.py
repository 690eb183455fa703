"""Where a run's bars come from: embedded, a file, or Yahoo through Lumibot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pandas as pd

from backtests import embedded
from backtests.bar_files import absent, data_hash, read_bars
from config.errors import Refusal
from market.bar_tables import to_table
from market.bars import BarTable
from market.calendar import NEW_YORK

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


def load_data(
    data: str, symbols: Sequence[str], start: date | None, end: date | None, *, intraday: bool, seed: int
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

    Raises
    ------
    Refusal
        If the data can't be read or hold nothing of what is asked for.
    """
    if data == EMBEDDED:
        return _embedded(symbols, start, end, intraday, seed)
    if data == YAHOO:
        return _yahoo(symbols, end)
    if data == ALPACA:
        raise Refusal("--data alpaca: this version reads no history from Alpaca; use --data yahoo, embedded or a file")
    return _file(Path(data), symbols, start, end)


def window(data: DataSet, start: date | None, end: date | None) -> tuple[pd.Timestamp, pd.Timestamp]:
    """First and last bar (by opening time) that the run decides on.

    Raises
    ------
    Refusal
        If no bar lies between ``start`` and ``end``.
    """
    opens = data.table.opens_at
    first = opens[0] if start is None else pd.Timestamp(start).tz_localize(NEW_YORK)
    last = opens[-1] if end is None else pd.Timestamp(end).tz_localize(NEW_YORK) + pd.Timedelta(days=1, microseconds=-1)
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


def _file(path: Path, symbols: Sequence[str], start: date | None, end: date | None) -> DataSet:
    frame = read_bars(path, symbols, start, end)
    missing = tuple(absent(frame, symbols))
    table = to_table(frame, [s for s in symbols if s not in missing], path.name)
    return DataSet(table, str(path), data_hash(path), missing, ())


def _yahoo(symbols: Sequence[str], end: date | None) -> DataSet:
    # Imported here: reading a file or the embedded data needs no Lumibot.
    from backtests.yahoo_runs import yahoo_table

    table, digest, missing = yahoo_table(symbols, end)
    return DataSet(table, YAHOO, digest, missing, ())
