"""Numbers as files hold them: with a decimal point or comma, thousands apart or not, a currency sign or none."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from backtests.data.reading.options import Decimal, ReadOptions
from config.errors import Refusal

PLAIN = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_COMMA_ONLY = r"^[+-]?\d{1,3},\d{3}$"
_THOUSANDS_BY_COMMA = r"^[+-]?\d{1,3}(,\d{3})+(\.\d*)?$"
_THOUSANDS_BY_POINT = r"^[+-]?\d{1,3}(\.\d{3})+(,\d*)?$"
_SHORT = (("K", "e3"), ("M", "e6"), ("B", "e9"))
"""How volumes are shortened: 1.04B."""
_DECIMAL_COMMA = r"^[+-]?\d*,\d*([eE][+-]?\d+)?$"


def numbers(
    texts: Mapping[str, pa.ChunkedArray], path: Path, options: ReadOptions
) -> tuple[dict[str, np.ndarray], str]:
    """The numbers of some columns of text.

    Parameters
    ----------
    texts : mapping of str to ChunkedArray of strings
    path : Path
        For messages.
    options : ReadOptions

    Returns
    -------
    dict of str to ndarray of float
        NaN where a text is no number.
    str
        ``decimal comma`` where that is how they were read, else empty.

    Raises
    ------
    Refusal
        A comma may stand for a decimal point or for thousands.
    """
    trimmed = {name: _trimmed(values) for name, values in texts.items()}
    if "volume" in trimmed:
        for unit, power in _SHORT:
            trimmed["volume"] = pc.replace_substring_regex(trimmed["volume"], rf"^([0-9.,]+)\s*{unit}$", rf"\1{power}")
    # Every column takes part in telling what a comma means: one volume of 1,234 alone would not.
    with_comma = {name: column for name, column in trimmed.items() if _any(pc.match_substring(column, ","))}
    if not with_comma:
        return {name: _floats(column) for name, column in trimmed.items()}, ""
    decimal = _what_commas_are(with_comma, trimmed, path, options)
    if decimal == "point":
        return {name: _floats(_without(column, ",", _THOUSANDS_BY_COMMA)) for name, column in trimmed.items()}, ""
    plain = {name: _without(column, ".", _THOUSANDS_BY_POINT) for name, column in trimmed.items()}
    return {name: _floats(pc.replace_substring(column, ",", ".")) for name, column in plain.items()}, "decimal comma"


def _what_commas_are(
    columns: Mapping[str, pa.ChunkedArray], all_columns: Mapping[str, pa.ChunkedArray], path: Path, options: ReadOptions
) -> Decimal:
    evident: set[Decimal] = set()
    sample = ""
    for column in columns.values():
        commas = column.filter(pc.match_substring(column, ","))
        sample = sample or str(commas[0])
        grouped = pc.match_substring_regex(commas, _THOUSANDS_BY_COMMA)
        either = pc.match_substring_regex(commas, _COMMA_ONLY)
        if _any(pc.and_(grouped, pc.invert(either))):
            evident.add("point")
        if _any(pc.and_(pc.match_substring_regex(commas, _DECIMAL_COMMA), pc.invert(grouped))) or _any(
            pc.and_(pc.match_substring_regex(commas, _THOUSANDS_BY_POINT), pc.invert(grouped))
        ):
            evident.add("comma")
    # Points beside commas settle it too: 1,234 among 101.5 is a thousand.
    if not evident and any(_any(pc.match_substring_regex(c, r"^[+-]?\d*\.\d+$")) for c in all_columns.values()):
        evident.add("point")
    if len(evident) == 2:
        raise Refusal(f"{path}: commas are decimal in some numbers and set thousands apart in others; write points")
    if evident:
        told = evident.pop()
        if options.decimal not in (None, told):
            raise Refusal(f"{path}: its numbers have a decimal {told}; leave out --decimal {options.decimal}")
        return told
    if options.decimal is None:
        raise Refusal(f"{path}: {sample!r} may be a decimal comma or thousands; say --decimal comma or --decimal point")
    return options.decimal


def _trimmed(values: pa.ChunkedArray) -> pa.ChunkedArray:
    trimmed = pc.utf8_trim_whitespace(values)
    return pc.replace_substring_regex(trimmed, r"^[$€£]\s*", "")


def _without(column: pa.ChunkedArray, mark: str, where: str) -> pa.ChunkedArray:
    grouped = pc.match_substring_regex(column, where)
    return pc.if_else(grouped, pc.replace_substring(column, mark, ""), column)


def _floats(column: pa.ChunkedArray) -> np.ndarray:
    good = pc.match_substring_regex(column, PLAIN)
    bare = pc.replace_substring_regex(pc.if_else(good, column, None), r"^\+", "")
    found: np.ndarray = pc.cast(bare, pa.float64()).to_numpy()
    return found


def _any(mask: Any) -> bool:
    return bool(pc.any(mask).as_py())


def as_floats(values: pd.Series[Any]) -> np.ndarray:
    """A column that is none of text as floats; NaN where it holds no number."""
    found: np.ndarray = pd.to_numeric(values, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    return found
