"""Bars from a parquet or csv file: a long table, checked before anything is computed from it."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.csv as csv_files
import pyarrow.parquet as pq

from backtests.bar_checks import (
    check_numbers,
    check_order,
    parse_times,
    row_number,
    to_exchange_time,
)
from config.error_messages import no_file, some
from config.errors import Refusal
from market.bars import FIELDS

COLUMNS = ("symbol", "datetime", *FIELDS)
NOT_A_NUMBER = ["", "nan", "NaN", "NA", "N/A", "null", "None"]


def read_bars(
    path: str | Path,
    symbols: Sequence[str] | None = None,
    start: str | date | None = None,
    end: str | date | None = None,
) -> pd.DataFrame:
    """Read and check the bars of a file.

    Parameters
    ----------
    path : str or Path
        Parquet or csv with the columns symbol, datetime, open, high, low, close, volume; others are
        ignored. Naive times are New York's; intraday bars are labelled by their open.
    symbols : sequence of str, optional
        Keep these; all by default. What the file lacks is told by :func:`absent`.
    start, end : str or date, optional
        First and last day of the run (New York, both included). Rows after ``end`` are cut; rows
        before ``start`` stay as history for warm-up, but at least one row must lie in the window.

    Returns
    -------
    DataFrame
        The seven columns, rows ascending in time within each symbol. ``datetime`` is naive midnight
        of the session date for daily bars, New York time for intraday ones.

    Raises
    ------
    Refusal
        For a file that is missing, unreadable, incomplete or contains an impossible bar.
    """
    path = Path(path)
    first, last = _day(start, "start"), _day(end, "end")
    if first is not None and last is not None and last < first:
        raise Refusal(f"the end {last:%Y-%m-%d} lies before the start {first:%Y-%m-%d}; give a later --end")
    frame = _select(_load(path), path, symbols)
    frame["datetime"] = parse_times(frame["datetime"], path)
    check_order(frame, path)
    check_numbers(frame, path)
    frame["datetime"] = to_exchange_time(frame, path)
    if last is not None:
        frame = frame[frame["datetime"] < _bound(last + pd.Timedelta(days=1), frame)]
    if frame.empty or (first is not None and not (frame["datetime"] >= _bound(first, frame)).any()):
        raise Refusal(
            f"{path}: no bar of {some(symbols) if symbols else 'any symbol'} between {_label(first)} and "
            f"{_label(last)}; choose --start and --end inside the file's span"
        )
    frame["symbol"] = frame["symbol"].cat.remove_unused_categories()
    return frame.reset_index(drop=True)


def absent(frame: pd.DataFrame, symbols: Sequence[str]) -> list[str]:
    """Those of ``symbols`` that have no bar in ``frame``, in the order asked for."""
    present = set(frame["symbol"].unique())
    return [s for s in dict.fromkeys(symbols) if s not in present]


def data_hash(path: str | Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with Path(path).open("rb") as file:
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


def _load(path: Path) -> pd.DataFrame:
    """The file's rows, unchecked, with a RangeIndex by which faults are located."""
    kind = path.suffix.lower()
    if kind not in (".parquet", ".csv"):
        raise Refusal(f"{path}: not a .parquet or .csv file; convert it to one of them")
    if not path.is_file():
        raise Refusal(f"{path}: {no_file(path)}; check the path given to --data")
    try:
        if kind == ".csv":
            frame = pd.read_csv(
                path, usecols=lambda c: c in COLUMNS, index_col=False, encoding="utf-8-sig", skipinitialspace=True,
                dtype={"symbol": "str", "datetime": "str"}, keep_default_na=False,
                na_values=dict.fromkeys(FIELDS, NOT_A_NUMBER),
            )  # fmt: skip
            names = list(frame.columns)
            _refuse_cut_rows(path)
        else:
            with pq.ParquetFile(path) as file:
                names = file.schema_arrow.names
                frame = file.read(columns=[c for c in COLUMNS if c in names]).to_pandas(ignore_metadata=True)
    except (OSError, ValueError, pa.ArrowException, pd.errors.ParserError) as error:
        reason = " ".join(str(error).split())
        raise Refusal(f"{path}: cannot be read as {kind[1:]} ({reason}); write the file again") from error
    missing = [c for c in COLUMNS if c not in names]
    if missing:
        raise Refusal(f"{path}: no column {', '.join(missing)}; the file needs the columns {', '.join(COLUMNS)}")
    if frame.empty:
        raise Refusal(f"{path}: no rows; give a file with bars")
    return frame[list(COLUMNS)]


def _refuse_cut_rows(path: Path) -> None:
    """Refuse rows of a csv file that pandas cuts: with more fields than the header, or behind a NUL character.

    Of an unquoted volume of 173,788,400 it would keep 173.
    """
    text = path.read_bytes()
    if (place := text.find(b"\0")) >= 0:
        row = text.count(b"\n", 0, place)
        raise Refusal(f"{path}: row {row} holds a NUL character; write the file again")
    found: list[str] = []

    def judge(row: csv_files.InvalidRow) -> str:
        fields = next(csv.reader([row.text], skipinitialspace=True))
        # A comma that only ends the row is no field, and what is too short lacks a number and is found by that.
        if any(fields[row.expected_columns :]):
            found.append(f"row {row.number - 1} has {len(fields)} fields, the header {row.expected_columns}")
        return "skip"

    csv_files.read_csv(
        pa.py_buffer(text),
        # Only a reader without threads counts rows.
        csv_files.ReadOptions(use_threads=False, autogenerate_column_names=True),
        csv_files.ParseOptions(invalid_row_handler=judge, newlines_in_values=True),
        csv_files.ConvertOptions(include_columns=["f0"]),
    )
    if found:
        raise Refusal(f"{path}: {found[0]}; write numbers without thousands separators, and text with commas in quotes")


def _select(frame: pd.DataFrame, path: Path, symbols: Sequence[str] | None) -> pd.DataFrame:
    category = frame["symbol"].astype("category")
    names = [s for s in category.cat.categories if isinstance(s, str) and s.strip()]
    blank = ~category.isin(names)
    if blank.any():
        raise Refusal(f"{path}: no symbol at row {row_number(blank)}; every row needs one as text")
    odd = [s for s in names if not s.isprintable()]
    if odd:
        row = row_number(category.isin(odd))
        raise Refusal(f"{path}: symbol {odd[0]!r} at row {row} holds a control character; write the file again")
    frame = frame.assign(symbol=category)
    if symbols is None:
        return frame
    frame = frame[category.isin(list(symbols))].copy()
    if frame.empty:
        raise Refusal(f"{path}: has none of {some(symbols)}, but {some(names)}; choose other --symbols")
    return frame
