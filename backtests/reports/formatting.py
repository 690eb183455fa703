"""How values are written into files: plain decimals, ISO times with offset, the same bytes every time."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd

from config.process.secret_guard import without_known
from config.values.printable import one_line

_FORMULA = ("=", "+", "-", "@")
DECIMALS = 8
"""Places of every written number: a satoshi, and far below a cent."""

# Runs write the same numbers and words again and again: limits, lots, names of rules.
_REMEMBERED = 1 << 16


def to_json(value: Any) -> str:
    """Compact JSON: plain numbers, ISO times, ``null`` for what is not a number.

    The standard encoder writes small numbers with an exponent and offers no way around it. Whole
    numbers lose their point, so that ``61`` and ``61.0`` write the same bytes; numpy's scalars and
    arrays read like Python's, sets are sorted, and what JSON has no word for is told by its text.
    """
    kind = type(value)
    if kind is float:
        return number(value)
    if kind is str:
        return quoted(value)
    if value is None or kind is bool:
        return {None: "null", True: "true", False: "false"}[value]
    if kind is int:
        return str(value)
    if kind is dict:
        return "{" + ",".join([f"{quoted(str(key))}:{to_json(item)}" for key, item in value.items()]) + "}"
    if kind is list or kind is tuple:
        return "[" + ",".join([to_json(item) for item in value]) + "]"
    return to_json(_common(value))


def to_json_indented(value: Any, margin: str = "") -> str:
    """The same for a reader's eye: one entry per line, two spaces deeper for each level."""
    value = _common(value)
    if not value or not isinstance(value, dict | list):
        return to_json(value)
    deeper = margin + "  "
    if isinstance(value, dict):
        entries = [f"{quoted(str(key))}: {to_json_indented(item, deeper)}" for key, item in value.items()]
        opening, closing = "{}"
    else:
        entries = [to_json_indented(item, deeper) for item in value]
        opening, closing = "[]"
    return f"{opening}\n{deeper}" + f",\n{deeper}".join(entries) + f"\n{margin}{closing}"


@lru_cache(_REMEMBERED)
def number(value: float) -> str:
    """The JSON text of a number; ``null`` for NaN and infinities."""
    return decimal(value) if math.isfinite(value) else "null"


@lru_cache(_REMEMBERED)
def quoted(text: str) -> str:
    """The JSON text of a string."""
    return json.dumps(text)


def cell(value: Any) -> str:
    """The text of one CSV cell, empty for what is missing or not a number."""
    if value is None or value is pd.NaT:
        return ""
    if isinstance(value, str):
        text = one_line(value)
        # A spreadsheet would compute what begins like this.
        return f"'{text}" if text.startswith(_FORMULA) else text
    if isinstance(value, date):
        return moment(value)
    return decimal(value) if math.isfinite(value) else ""


def csv_text(columns: Sequence[str], rows: Iterable[object]) -> str:
    """A CSV file of the attributes ``columns`` of each row, header first."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([cell(getattr(row, column)) for column in columns] for row in rows)
    return text.getvalue()


def moment(value: date) -> str:
    """ISO 8601 of a date, or of a time with its offset.

    Raises
    ------
    ValueError
        For a time without an offset.
    """
    if isinstance(value, datetime) and value.tzinfo is None:
        raise ValueError(f"{value} has no UTC offset")
    return value.isoformat()


def decimal(value: float) -> str:
    """A number without exponent and without trailing zeros."""
    text = f"{value:.{DECIMALS}f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def write_text(path: Path, text: str) -> None:
    """Write a file in one step, so that a reader never sees half of it, and without this process's secrets."""
    unfinished = path.with_name(path.name + ".tmp")
    unfinished.write_text(without_known(text), encoding="utf-8", newline="")
    unfinished.replace(path)


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """The same line by line: long runs would need hundreds of MB for one string."""
    unfinished = path.with_name(path.name + ".tmp")
    with unfinished.open("w", encoding="utf-8", newline="") as stream:
        stream.writelines(map(without_known, lines))
    unfinished.replace(path)


def _common(value: Any) -> Any:
    """The plain Python value that another type stands for; its text where there is none."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, date):
        return moment(value)
    if isinstance(value, str | int | float):
        return next(kind(value) for kind in (str, int, float) if isinstance(value, kind))
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    if isinstance(value, Iterable) and getattr(value, "shape", None) != ():
        return list(value)
    return value.item() if hasattr(value, "item") else str(value)
