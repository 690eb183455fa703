"""A column of companies: the symbols of a file, where it holds tickers and not names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from backtests.data.reading.file_names import symbol_of_file
from backtests.data.reading.options import LONGEST_TOLD, ReadOptions, shortened, symbols_in
from backtests.data.reading.tables import RawTable
from config.errors import Refusal

HEADINGS = frozenset({"company", "stock", "instrument", "security"})
LONGEST_TICKER = 7


def companies(raw: RawTable, plain: Sequence[str], path: Path, options: ReadOptions) -> list[int]:
    """The place of the column of companies if all that it holds are tickers; no place without such a column.

    Parameters
    ----------
    raw : RawTable
    plain : sequence of str
        Its headings in small letters.
    path : Path
    options : ReadOptions
        They may say the only symbol.

    Raises
    ------
    Refusal
        It names several companies otherwise, and nothing else says whose the bars are.
    """
    places = [k for k, heading in enumerate(plain) if heading in HEADINGS]
    if len(places) != 1:
        return []
    (place,) = places
    names = pc.unique(raw.read([place], None, None).arrays[place]).to_pylist()
    other = [name for name in names if not _is_ticker(name)]
    if names and not other:
        return places
    if len(names) > 1:
        try:
            symbol_of_file(path, options)
        except Refusal:
            raise Refusal(
                f"{path}: column {' '.join(raw.names[place])[:LONGEST_TOLD]} holds {len(names)} names, not all of them "
                f"tickers ({shortened(other[0])}); add a column symbol with the ticker of each row"
            ) from None
    return []


def _is_ticker(name: Any) -> bool:
    text = name.strip() if isinstance(name, str) else ""
    return text == text.upper() and 0 < len(text) <= LONGEST_TICKER and bool(symbols_in([text]))
