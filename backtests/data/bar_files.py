"""Bars from a file as people have them: read without a guess, checked, and told how they were read."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from backtests.data.bar_checks import check_numbers, check_order, to_exchange_time
from backtests.data.bar_labels import openings
from backtests.data.bar_notes import cut_off, gaps, jumps, kept_hours
from backtests.data.reading.long_tables import names_in, read_long
from backtests.data.reading.options import PLAIN, ReadOptions
from backtests.data.symbol_spans import in_zone_of_days, missing_bars, other_spans, without_volume
from config.errors import Refusal
from config.process.memory import give_back_free_memory
from config.reading.error_messages import no_file, some
from config.values.data_files import DATA_FILES, PARQUET_FILES, TEXT_FILES, way_out_of
from config.values.markets import NEW_YORK
from config.values.symbols import spelled
from market.bars import DAY_MINUTES


@dataclass(frozen=True, slots=True)
class BarFile:
    """What a file holds.

    Parameters
    ----------
    frame : DataFrame
        symbol (categorical, in its one spelling), datetime, open, high, low, close (USD), volume (shares); ascending
        in time within each symbol. ``datetime`` is naive midnight of the session date for daily bars, the opening of
        the bar in New York time for intraday ones.
    minutes : int
        Length of a bar; 1440 for daily ones.
    read_as : str
        Whose form it was taken for and how it was read.
    notes : tuple of str
        What is legal and may mean something else: bars left out, jumps.
    """

    frame: pd.DataFrame
    minutes: int
    read_as: str
    notes: tuple[str, ...]

    @property
    def symbols(self) -> list[str]:
        return [str(symbol) for symbol in self.frame["symbol"].cat.categories]


def read_bars(
    path: str | Path,
    symbols: Sequence[str] | None = None,
    start: str | date | None = None,
    end: str | date | None = None,
    options: ReadOptions = PLAIN,
) -> pd.DataFrame:
    """The table of :func:`read_file`."""
    return read_file(path, symbols, start, end, options).frame


def read_file(
    path: str | Path,
    symbols: Sequence[str] | None = None,
    start: str | date | None = None,
    end: str | date | None = None,
    options: ReadOptions = PLAIN,
) -> BarFile:
    """Read and check the bars of a file, or of a folder with one file for each symbol.

    Parameters
    ----------
    path : str or Path
        Parquet or csv: a long table, a wide one, or one of a single symbol, as Yahoo, Stooq, TradingView, MetaTrader,
        Alpaca, Kaggle and yfinance write them. Naive times are New York's unless ``options`` say otherwise; intraday
        bars are labelled by their opening.
    symbols : sequence of str, optional
        Keep these; all by default. What the file lacks is told by :func:`absent`.
    start, end : str or date, optional
        First and last day of the run (New York, both included). Rows after ``end`` are cut; rows before ``start``
        stay as history for warm-up, but at least one row must lie in the window.
    options : ReadOptions
        What settles that which the file leaves open.

    Raises
    ------
    Refusal
        For a file that is missing, unreadable, incomplete, ambiguous or contains an impossible bar.
    """
    path = Path(path)
    first, last = _day(start, "start"), _day(end, "end")
    if first is not None and last is not None and last < first:
        raise Refusal(f"the end {last:%Y-%m-%d} lies before the start {first:%Y-%m-%d}; give a later --end")
    wanted = None if symbols is None else frozenset(map(spelled, symbols))
    frame, read_as = _folder(path, wanted, options) if path.is_dir() else _file(path, wanted, options)
    # What the file unpacked to is larger than the bars in it, and the checks take as much again.
    give_back_free_memory()
    if wanted is not None and frame.empty:
        names = _all_symbols(path, options)
        raise Refusal(f"{path}: has none of {some(list(symbols or ()))}, but {some(names)}; choose other --symbols")
    frame, notes = check_order(frame, path)
    offset = frame["datetime"].dt.tz is not None
    frame["datetime"], minutes = to_exchange_time(frame, path, options)
    if not offset and minutes < DAY_MINUTES and options.timezone is None and options.unsaid_timezone != NEW_YORK:
        read_as += f", times without an offset as those of {options.unsaid_timezone}"
    if options.labels == "end":
        read_as += ", times at which bars end"
    frame = openings(frame, minutes, options, path)
    frame, left_out = kept_hours(frame, minutes, options, path, offset=offset)
    notes += left_out
    notes += jumps(frame) + cut_off([file for file in _files(path) if file.suffix.lower() in TEXT_FILES])
    span = f"{frame['datetime'].min():%Y-%m-%d} to {frame['datetime'].max():%Y-%m-%d}" if len(frame) else "none"
    if last is not None:
        frame = frame[frame["datetime"] < _bound(last + pd.Timedelta(days=1), frame)]
    if frame.empty or (first is not None and not (frame["datetime"] >= _bound(first, frame)).any()):
        raise Refusal(
            f"{path}: no bar of {some(symbols) if symbols else 'any symbol'} between {_label(first)} and "
            f"{_label(last)}; choose --start and --end inside the bars' span, {span}"
        )
    frame["symbol"] = frame["symbol"].cat.remove_unused_categories()
    return BarFile(frame.reset_index(drop=True), minutes, read_as, tuple(notes))


def symbols_of(path: str | Path, options: ReadOptions = PLAIN) -> list[str]:
    """Every symbol of a file or folder, sorted; of a long table only the column that names them is read.

    Raises
    ------
    Refusal
        As :func:`read_file`, as far as it is noticed then.
    """
    return _all_symbols(Path(path), options)


def absent(frame: pd.DataFrame, symbols: Sequence[str]) -> list[str]:
    """Those of ``symbols`` that have no bar in ``frame``, in the order asked for."""
    present = set(frame["symbol"].unique())
    return [s for s in dict.fromkeys(symbols) if spelled(s) not in present]


def data_hash(path: str | Path) -> str:
    """SHA-256 of a file, hexadecimal; of a folder, of its files' names and hashes."""
    path = Path(path)
    if path.is_dir():
        told = "".join(f"{file.name}:{data_hash(file)}\n" for file in _files_in(path))
        return hashlib.sha256(told.encode()).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _day(value: str | date | None, name: str) -> pd.Timestamp | None:
    if value is None:
        return None
    try:
        return pd.Timestamp(value).tz_localize(None).normalize()
    except (ValueError, TypeError) as error:
        raise Refusal(f"--{name} {value!r} is not a date; write it as 2023-01-31") from error


def _bound(day: pd.Timestamp, frame: pd.DataFrame) -> pd.Timestamp:
    return day.tz_localize(frame["datetime"].dt.tz)


def _label(day: pd.Timestamp | None) -> str:
    return "the file's edge" if day is None else f"{day:%Y-%m-%d}"


def _files(path: Path) -> list[Path]:
    return _files_in(path) if path.is_dir() else [path]


def _files_in(folder: Path) -> list[Path]:
    found = sorted(p for p in folder.iterdir() if p.is_file() and p.suffix.lower() in DATA_FILES)
    if not found:
        raise Refusal(f"{folder}: is a folder without a {' or '.join(DATA_FILES)} file; check the path")
    return found


def _file(path: Path, wanted: frozenset[str] | None, options: ReadOptions) -> tuple[pd.DataFrame, str]:
    """One file's rows, each number checked; their index counts the rows of the file from 0."""
    frame, read_as = read_long(path, _kind(path), wanted, options)
    check_numbers(frame, path)
    return frame, read_as


def _kind(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix not in DATA_FILES:
        raise Refusal(f"{path}: not a .parquet or .csv file; {way_out_of(path) or 'convert it to one of them'}")
    if not path.is_file():
        raise Refusal(f"{path}: {no_file(path)}; check the path")
    return "parquet" if suffix in PARQUET_FILES else "csv"


def _folder(folder: Path, wanted: frozenset[str] | None, options: ReadOptions) -> tuple[pd.DataFrame, str]:
    files = _files_in(folder)
    parts = [_file(path, wanted, options) for path in files]
    zones = {part["datetime"].dt.tz is None for part, _ in parts if len(part)}
    if len(zones) > 1:
        raise Refusal(f"{folder}: some files have times with an offset and others without; write all of one kind")
    filled = [part for part, _ in parts if len(part)] or [parts[0][0]]
    frame = pd.concat([part.assign(symbol=part["symbol"].astype(str)) for part in filled], ignore_index=True)
    kinds = list(dict.fromkeys(read_as for _, read_as in parts))
    return frame.assign(symbol=frame["symbol"].astype("category")), f"folder of {len(files)} files: {some(kinds)}"


def _all_symbols(path: Path, options: ReadOptions) -> list[str]:
    if path.is_dir():
        return sorted({name for file in _files_in(path) for name in _all_symbols(file, options)})
    return sorted(names_in(path, _kind(path), options))


def described(found: BarFile) -> dict[str, Any]:
    """What a file holds, as plain values.

    Returns
    -------
    dict
        read_as, symbols, start and end (dates of daily bars, else the openings of the first and last), bar_seconds,
        rows, zone (of the times; empty for dates), bars (of each symbol the first and last, time and close), notes.
    """
    frame = in_zone_of_days(found.frame)
    times = frame["datetime"]
    form = (lambda at: f"{at:%Y-%m-%d}") if found.minutes == DAY_MINUTES else (lambda at: at.isoformat())
    return {
        "read_as": found.read_as,
        "symbols": found.symbols,
        "start": form(times.min()),
        "end": form(times.max()),
        "bar_seconds": found.minutes * 60,
        "rows": len(found.frame),
        "zone": "" if times.dt.tz is None else str(times.dt.tz),
        "bars": {
            str(symbol): {
                name: {"time": form(bar["datetime"]), "close": float(bar["close"])}
                for name, bar in (("first", own.iloc[0]), ("last", own.iloc[-1]))
            }
            for symbol, own in frame.groupby("symbol", observed=True)
        },
        "notes": [
            *found.notes,
            *other_spans(frame),
            *gaps(frame),
            *missing_bars(frame, found.minutes),
            *without_volume(frame),
        ],
    }
