"""Whose bars a file holds that names no symbol: as was said, or by the name of the file."""

from __future__ import annotations

import re
from pathlib import Path

from backtests.data.reading.options import ReadOptions
from config.errors import Refusal
from config.values.symbols import canonical

# Names of files that say what is in them, not whose.
_NO_SYMBOLS = frozenset(
    """BARS DATA DAILY FILE HOUR HOURLY MINUTE OHLC OHLCV PRICE PRICES QUOTE QUOTES STOCK STOCKS TEST TRADE
    TRADES""".split()  # noqa: SIM905  # a list of words
)
_LONGEST_STEM = 7
_PERIOD = re.compile(r".*\D(1|5|15|30|60|240|1440|10080)")


def period_of(path: Path) -> int | None:
    """The length of a bar, in minutes, that MetaTrader 4 writes behind the symbol: ``AAPL5.csv``; None without one."""
    found = _PERIOD.fullmatch(path.stem)
    return None if found is None else int(found[1])


def symbol_of_file(path: Path, options: ReadOptions, minutes: int | None = None) -> str:
    """Whose bars a file without symbols holds.

    Parameters
    ----------
    path : Path
    options : ReadOptions
    minutes : int, optional
        Length of the bars of a file in MetaTrader 4's form, which may stand at the end of its name.

    Raises
    ------
    Refusal
        Nobody has said whose they are, and the file's name is no symbol.
    """
    if options.symbol is not None:
        return options.symbol
    stem = path.stem
    if minutes is not None and period_of(path) == minutes:
        stem = stem.removesuffix(str(minutes))
    if (view := re.match(r"[A-Z]+_([A-Z0-9.]+), ", stem)) is not None:
        stem = view[1]
    stem = re.sub(r"(?i)[._]us(?:[._]d)?$", "", stem)
    try:
        found = canonical(stem)
    except ValueError:
        found = ""
    if not found or len(found) > _LONGEST_STEM or found in _NO_SYMBOLS or found.isdigit():
        raise Refusal(
            f"{path}: names no symbol, and neither does its name; add a column symbol, name the file AAPL.csv, or say "
            f"{options.symbol_option} AAPL"
        )
    return found
