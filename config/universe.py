"""Reads a universe from a CSV file."""

from __future__ import annotations

import csv
from pathlib import Path

from config.errors import Refusal

SYMBOL_COLUMNS = ("symbol", "ticker")


def read_universe(path: Path) -> tuple[list[str], dict[str, str]]:
    """Symbols and, where the file has them, sector labels.

    Parameters
    ----------
    path : Path
        CSV with a header; the column ``symbol`` (or ``ticker``) is needed, ``sector`` is optional,
        others are ignored. A symbol that comes twice counts once.

    Returns
    -------
    tuple of list of str and dict of str to str
        Symbols in capitals in the order of the file, and symbol to label.

    Raises
    ------
    Refusal
        The file is missing, has no such column or no symbols.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file, skipinitialspace=True))
    except FileNotFoundError:
        raise Refusal(f"--universe {path}: there is no such file; give the path of a CSV file") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise Refusal(f"--universe {path}: cannot be read as CSV, {error}; give a CSV file in UTF-8") from None
    names = {name.strip().lower(): name for name in (rows[0] if rows else {}) if name}
    column = next((names[name] for name in SYMBOL_COLUMNS if name in names), None)
    if column is None:
        raise Refusal(f"--universe {path}: needs a header with a column named symbol and at least one row below it")
    sector_column = names.get("sector", "")
    sectors: dict[str, str] = {}
    symbols: dict[str, None] = {}
    for row in rows:
        symbol = (row[column] or "").strip().upper()
        if not symbol:
            continue
        symbols[symbol] = None
        if label := (row.get(sector_column) or "").strip():
            sectors[symbol] = label
    if not symbols:
        raise Refusal(f"--universe {path}: the column {column} is empty; write one symbol per row")
    return list(symbols), sectors
