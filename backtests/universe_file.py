"""A universe of symbols from a csv file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from config.errors import Refusal

TICKER = re.compile(r"[A-Z0-9^][A-Z0-9.\-/=]*")


@dataclass(frozen=True, slots=True)
class Universe:
    """Symbols in the file's order, and the sector of those that have one."""

    symbols: tuple[str, ...]
    sectors: dict[str, str]


def read_universe(path: str | Path, cap: int | None = None) -> Universe:
    """Read the symbols of a csv file.

    Parameters
    ----------
    path : str or Path
        Csv with a header, a column ``symbol`` and optionally ``sector``; other columns are ignored.
        Symbols are taken in capitals.
    cap : int, optional
        Keep the first so many symbols; at least 1.

    Returns
    -------
    Universe

    Raises
    ------
    Refusal
        For a file that is missing, unreadable, without symbols, or names one twice or badly.
    """
    path = Path(path)
    if cap is not None and cap < 1:
        raise Refusal(f"--cap {cap} leaves no symbol of {path}; give at least 1")
    if path.suffix.lower() != ".csv":
        raise Refusal(f"{path}: not a .csv file; give a csv with a column symbol")
    if not path.is_file():
        raise Refusal(f"{path}: no such file; check the path given to --universe")
    try:
        rows = pd.read_csv(
            path, dtype=str, keep_default_na=False, index_col=False, encoding="utf-8-sig", skipinitialspace=True
        )
    except (OSError, ValueError, pd.errors.ParserError) as error:
        reason = " ".join(str(error).split())
        raise Refusal(f"{path}: cannot be read as csv ({reason}); write the file again") from error
    rows.columns = rows.columns.str.strip().str.lower()
    if "symbol" not in rows:
        raise Refusal(f"{path}: no column symbol; begin the file with a header line that names it")
    if rows.empty:
        raise Refusal(f"{path}: no symbols; give at least one row")
    symbols = rows["symbol"].fillna("").str.strip().str.upper()
    bad = [k for k, s in enumerate(symbols) if not TICKER.fullmatch(s)]
    if bad:
        raise Refusal(f"{path}: symbol {symbols[bad[0]]!r} at row {bad[0] + 1} is no ticker; correct or remove it")
    twice = symbols[symbols.duplicated()]
    if not twice.empty:
        raise Refusal(f"{path}: {twice.iloc[0]} at row {twice.index[0] + 1} is there twice; remove one of the rows")
    sectors = rows["sector"].fillna("").str.strip() if "sector" in rows else pd.Series("", rows.index)
    kept = slice(0, cap)
    return Universe(
        symbols=tuple(symbols[kept]),
        sectors={symbol: sector for symbol, sector in zip(symbols[kept], sectors[kept], strict=True) if sector},
    )
