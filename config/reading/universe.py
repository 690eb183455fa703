"""Reads a universe from a CSV file."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from config.errors import Refusal
from config.reading.files import read_ordinary
from config.values.symbols import canonical

SYMBOL_COLUMNS = ("symbol", "ticker")
SEPARATORS = (",", ";", "\t", "|")


def read_universe(path: Path) -> tuple[list[str], dict[str, str]]:
    """Symbols and, where the file has them, sector labels.

    Parameters
    ----------
    path : Path
        CSV with a header, separated by commas, semicolons, tabs or ``|``; the column ``symbol`` (or ``ticker``) is
        needed, ``sector`` is optional, others are ignored. Rows without anything in them are skipped.

    Returns
    -------
    tuple of list of str and dict of str to str
        Symbols in capitals in the order of the file, and symbol to label.

    Raises
    ------
    Refusal
        The file is missing, has no such column or no symbols, or names a symbol twice or badly.
    """
    said = f"--universe {path}"
    try:
        text = read_ordinary(path).decode("utf-8-sig")
        separator = _separator(text)
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True))
    except FileNotFoundError:
        raise Refusal(f"{said}: there is no such file; give the path of a CSV file") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise Refusal(f"{said}: cannot be read as CSV, {error}; give a CSV file in UTF-8") from None
    names = [name.strip().lower() for name in rows[0]] if rows else []
    column = next((names.index(name) for name in SYMBOL_COLUMNS if name in names), None)
    if column is None or len(rows) < 2:
        raise Refusal(f"{said}: needs a header with a column named symbol and at least one row below it")
    sectors: dict[str, str] = {}
    symbols: dict[str, int] = {}
    for number, row in enumerate(rows[1:], start=1):
        fields = [field.strip() for field in row]
        if not any(fields):
            continue
        if len(fields) > len(names):
            raise Refusal(f"{said}: row {number} has {len(fields)} fields, the header {len(names)}; correct the row")
        found = dict(zip(names, fields, strict=False))
        written = found.get(names[column], "")
        try:
            symbol = canonical(written)
        except ValueError as error:
            raise Refusal(f"{said}: symbol {written!r} at row {number} is no ticker; {error}") from None
        if symbol in symbols:
            raise Refusal(f"{said}: {symbol} is at row {symbols[symbol]} and at row {number}; remove one of the rows")
        symbols[symbol] = number
        if label := found.get("sector"):
            sectors[symbol] = label
    if not symbols:
        raise Refusal(f"{said}: the column {names[column]} is empty; write one symbol per row")
    return list(symbols), sectors


def _separator(text: str) -> str:
    """What leaves a column of symbols in the header; a comma if nothing does."""
    header = text.partition("\n")[0].lower()
    columns = {mark: {field.strip(' "\r') for field in header.split(mark)} for mark in SEPARATORS}
    return next((mark for mark, found in columns.items() if found & set(SYMBOL_COLUMNS)), ",")
