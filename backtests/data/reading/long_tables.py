"""The long table of one file: symbols in their one spelling, times and numbers, whatever form it has."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from backtests.data.reading.column_checks import check_column
from backtests.data.reading.exports import refuse_other_units
from backtests.data.reading.file_names import period_of
from backtests.data.reading.layouts import ADJUSTED, Bars, Layout, layout_of
from backtests.data.reading.numbers import as_floats, numbers
from backtests.data.reading.options import ReadOptions, shortened, symbols_in
from backtests.data.reading.parquet_files import open_parquet
from backtests.data.reading.tables import Columns, RawTable
from backtests.data.reading.text_files import SEPARATORS, open_text
from backtests.data.reading.times import DAY_FIRST, parse_times
from config.errors import Refusal
from config.values.symbols import canonical
from market.bars import FIELDS, PRICES

COLUMNS = ["symbol", "datetime", *FIELDS]
STOOQ_MARKET = ".US"
METATRADER_TIME = r"\d{4}\.\d{2}\.\d{2} \d{2}:\d{2}"


def read_long(path: Path, kind: str, wanted: frozenset[str] | None, options: ReadOptions) -> tuple[pd.DataFrame, str]:
    """The rows of a file, unchecked, with an index by which faults are located; and how they were read.

    Parameters
    ----------
    path : Path
    kind : {"csv", "parquet"}
    wanted : frozenset of str or None
        Symbols to keep; None keeps all.
    options : ReadOptions

    Raises
    ------
    Refusal
        It cannot be read, or not without a guess.
    """
    raw, layout = _open(path, kind, options)
    found = _read(raw, layout, wanted)
    stamps, how = _times(found, layout, path, options)
    first = str(_series(found, layout.times[0]).iloc[0]).strip() if len(stamps) else ""
    parts = []
    remarks = [*raw.remarks, how]
    other_marks = SEPARATORS[";"] in raw.remarks or how == DAY_FIRST
    for bars in layout.bars:
        if wanted is not None and bars.symbol is None and bars.name not in wanted:
            continue
        part, decimal = _bars(found, bars, stamps, layout, path, options, other_marks=other_marks)
        refuse_other_units(path, layout.kind, first, [part[name].to_numpy(dtype=float) for name in PRICES], options)
        parts.append(part)
        remarks.append(decimal)
    if not parts:
        parts = [pd.DataFrame({name: pd.Series(dtype=float) for name in COLUMNS}).assign(datetime=stamps[:0])]
        parts[0]["symbol"] = parts[0]["symbol"].astype(str)
    frame = pd.concat(parts) if len(parts) > 1 else parts[0]
    if frame.empty and wanted is None:
        raise Refusal(f"{path}: no rows; give a file with bars")
    if any(ADJUSTED in bars.fields for bars in layout.bars):
        remarks.insert(0, "adjusted close")
    frame["symbol"] = frame["symbol"].astype("category")
    return frame, ", ".join([layout.kind, *dict.fromkeys(filter(None, remarks))])


def names_in(path: Path, kind: str, options: ReadOptions) -> list[str]:
    """The symbols of a file, with no other column read than the one that names them."""
    raw, layout = _open(path, kind, options)
    bars = layout.bars[0]
    if bars.symbol is None:
        return [part.name for part in layout.bars]
    names = _series(raw.read([bars.symbol], None, None), bars.symbol)
    if names.empty:
        raise Refusal(f"{path}: no rows; give a file with bars")
    return [str(name) for name in _symbols(names, layout, path).unique()]


def _open(path: Path, kind: str, options: ReadOptions) -> tuple[RawTable, Layout]:
    raw = open_parquet(path, options) if kind == "parquet" else open_text(path, options)
    return raw, layout_of(raw, path, options, _metatrader_minutes(raw, path))


def _metatrader_minutes(raw: RawTable, path: Path) -> int | None:
    """The length of the bars of a file in MetaTrader 4's form whose name may tell it; None of others."""
    if period_of(path) is None or not re.fullmatch(METATRADER_TIME, " ".join(raw.first[:2])):
        return None
    found = raw.read([0, 1], None, None)
    texts = _series(found, 0).astype(str) + " " + _series(found, 1).astype(str)
    apart = pd.to_datetime(texts, format="%Y.%m.%d %H:%M", errors="coerce").diff().dt.total_seconds().median()
    return None if np.isnan(apart) else int(apart // 60)


def _read(raw: RawTable, layout: Layout, wanted: frozenset[str] | None) -> Columns:
    if wanted is None:
        return raw.read(layout.places, None, None)

    def chosen(names: Sequence[str]) -> list[str]:
        # What is no symbol is read with the rest, to be refused.
        known = _spellings(names, layout)
        return [name for name in names if known.get(name) in wanted or name not in known]

    return raw.read(layout.places, layout.bars[0].symbol, chosen)


def _spellings(names: Iterable[Any], layout: Layout) -> dict[Any, str]:
    if not layout.stooq:
        return symbols_in(names)
    bare = {name: str(name).strip().upper().removesuffix(STOOQ_MARKET) for name in names}
    found = symbols_in(bare.values())
    return {name: found[symbol] for name, symbol in bare.items() if symbol in found}


def _times(found: Columns, layout: Layout, path: Path, options: ReadOptions) -> tuple[pd.Series[Any], str]:
    columns = [_series(found, place) for place in layout.times]
    if len(columns) == 1:
        return parse_times(columns[0], path, options)
    day, clock = (column.astype(str).str.strip() for column in columns)
    # Stooq writes a daily bar's time as 000000, a spreadsheet loses its zeros; nobody writes an hour alone.
    clock = clock.where(~clock.str.fullmatch(r"\d{1,5}"), clock.str.zfill(6 if clock.str.len().max() > 4 else 4))
    return parse_times(day + " " + clock, path, options)


def _series(found: Columns, place: int) -> pd.Series[Any]:
    array = found.arrays[place]
    if pa.types.is_date(array.type):
        array = pc.cast(array, pa.timestamp("s"))
    values: pd.Series[Any] = array.to_pandas()
    values.index = pd.Index(found.rows)
    return values


def _bars(
    found: Columns,
    bars: Bars,
    stamps: pd.Series[Any],
    layout: Layout,
    path: Path,
    options: ReadOptions,
    *,
    other_marks: bool,
) -> tuple[pd.DataFrame, str]:
    """The rows of one symbol's columns, or of all symbols'."""
    texts = {n: found.arrays[k] for n, k in bars.fields.items() if pa.types.is_string(found.arrays[k].type)}
    read, decimal = numbers(texts, path, options, other_marks=other_marks) if texts else ({}, "")
    for name, place in bars.fields.items():
        if name not in read:
            read[name] = as_floats(_series(found, place))
    symbols: Any = bars.name
    if bars.symbol is not None:
        symbols = _symbols(_series(found, bars.symbol), layout, path)
    frame = pd.DataFrame({name: read[name] for name in FIELDS}, index=stamps.index)
    frame.insert(0, "datetime", stamps)
    frame.insert(0, "symbol", symbols)
    if ADJUSTED in read:
        # Checked here, as a bad one would make the open of the bar a bad one.
        there = frame if len(layout.bars) == 1 else frame[~_empty(frame)]
        for name, heading in (("close", "close"), (ADJUSTED, bars.adjusted)):
            check_column(there, heading, pd.Series(read[name], frame.index)[there.index], path)
        # Dividends and splits are in the adjusted close alone; the other prices of the bar move with it.
        factor = read[ADJUSTED] / frame["close"].to_numpy()
        frame[["open", "high", "low"]] = frame[["open", "high", "low"]].mul(factor, axis=0)
        frame["close"] = read[ADJUSTED]
    if len(layout.bars) > 1:
        # Beside the others a symbol has empty cells before it was listed.
        frame = frame[~_empty(frame)]
    return frame, decimal


def _empty(frame: pd.DataFrame) -> np.ndarray:
    """Which rows have no price."""
    empty: np.ndarray = np.isnan(frame[list(PRICES)].to_numpy()).all(axis=1)
    return empty


def _symbols(names: pd.Series[Any], layout: Layout, path: Path) -> pd.Series[Any]:
    """The one spelling of each row's symbol."""
    codes, different = pd.factorize(names.astype(object), use_na_sentinel=False)
    known = _spellings([name for name in different if isinstance(name, str)], layout)
    bad = pd.Series([not (isinstance(name, str) and name in known) for name in different], dtype=bool).to_numpy()[codes]
    if bad.any():
        at = int(np.argmax(bad))
        name, row = names.iloc[at], int(names.index[at]) + 1
        if not isinstance(name, str) or not name.strip():
            raise Refusal(f"{path}: no symbol at row {row}; every row needs one as text")
        raise Refusal(f"{path}: symbol {shortened(name)} at row {row} is no ticker; {_why(name)}")
    return pd.Series(pd.Categorical([known[name] for name in different])[codes], names.index)


def _why(name: str) -> str:
    try:
        canonical(name)
    except ValueError as error:
        return str(error)
    return ""
