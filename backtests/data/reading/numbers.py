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
_POINT_ONLY = r"^[+-]?[1-9]\d{0,2}\.\d{3}$"
_MANY_BY_POINT = r"^[+-]?\d{1,3}(\.\d{3}){2,}$"
_DECIMAL_POINT = r"^[+-]?(\d*\.\d+|\d+\.)([eE][+-]?\d+)?$"
_HEAD = 1_000
"""Rows among which a decimal point shows itself in nearly every file."""
_SHORT = (("K", "e3"), ("M", "e6"), ("B", "e9"))
"""How volumes are shortened: 1.04B."""
_DECIMAL_COMMA = r"^[+-]?\d*,\d*([eE][+-]?\d+)?$"


def numbers(
    texts: Mapping[str, pa.ChunkedArray], path: Path, options: ReadOptions, *, other_marks: bool = False
) -> tuple[dict[str, np.ndarray], str]:
    """The numbers of some columns of text.

    Parameters
    ----------
    texts : mapping of str to ChunkedArray of strings
    path : Path
        For messages.
    options : ReadOptions
    other_marks : bool
        Whether something else of the file is as it is written where decimals have a comma.

    Returns
    -------
    dict of str to ndarray of float
        NaN where a text is no number.
    str
        ``decimal comma`` where that is how they were read, else empty.

    Raises
    ------
    Refusal
        A comma, or a point, may begin decimals or set thousands apart.
    """
    trimmed = {name: _trimmed(values) for name, values in texts.items()}
    if "volume" in trimmed:
        for unit, power in _SHORT:
            trimmed["volume"] = pc.replace_substring_regex(trimmed["volume"], rf"^([0-9.,]+)\s*{unit}$", rf"\1{power}")
    # Every column takes part in telling what a comma means: one volume of 1,234 alone would not.
    with_comma = {name: column for name, column in trimmed.items() if _any(pc.match_substring(column, ","))}
    if with_comma:
        decimal = _what_commas_are(with_comma, trimmed, path, options)
    else:
        decimal = _what_points_are(trimmed, path, options, other_marks=other_marks)
        if decimal == "point":
            return {name: _floats(column) for name, column in trimmed.items()}, ""
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


def _what_points_are(
    columns: Mapping[str, pa.ChunkedArray], path: Path, options: ReadOptions, *, other_marks: bool
) -> Decimal:
    """What points mean where there is no comma: 1.620 is a price of one and a half, or of more than a thousand."""
    heads = [column.slice(0, _HEAD) for column in columns.values()]
    grouped = any(_any(pc.match_substring_regex(head, _MANY_BY_POINT)) for head in heads)
    if options.decimal != "comma" and not grouped and any(map(_has_decimal_point, heads)):
        return "point"
    thousands = _first(columns, _MANY_BY_POINT)
    decimals = any(map(_has_decimal_point, columns.values()))
    if thousands and decimals:
        raise Refusal(
            f"{path}: points are decimal in some numbers and set thousands apart in others, such as {thousands!r}; "
            "write thousands without a sign"
        )
    told: Decimal | None = "comma" if thousands else "point" if decimals else None
    if told is not None and options.decimal not in (None, told):
        raise Refusal(f"{path}: its numbers have a decimal {told}; leave out --decimal {options.decimal}")
    if told is not None or options.decimal is not None:
        return told or options.decimal or "point"
    sample = _first(columns, _POINT_ONLY)
    # Currencies and prices with three decimals throughout are common, except where a comma would begin them.
    if sample and other_marks:
        raise Refusal(
            f"{path}: {sample!r} may have three decimals, or be {sample.replace('.', '')} with thousands set apart; "
            "say --decimal point or --decimal comma"
        )
    return "point"


def _first(columns: Mapping[str, pa.ChunkedArray], form: str) -> str:
    """The first text of that form; empty without one."""
    found = (column.filter(pc.match_substring_regex(column, form)) for column in columns.values())
    return next((str(column[0]) for column in found if len(column)), "")


def _has_decimal_point(column: pa.ChunkedArray) -> bool:
    """Whether a point in a column can only be a decimal one."""
    points = column.filter(pc.match_substring_regex(column, _DECIMAL_POINT))
    return _any(pc.invert(pc.match_substring_regex(points, _POINT_ONLY)))


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
