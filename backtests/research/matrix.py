"""Reads a matrix of returns, one column a trial, and refuses what is none: a missing period, a level, a gap."""

from __future__ import annotations

import csv
import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from config.errors import Refusal

MOST_RETURN = 10.0
"""No period brings more, a fraction of 1; a column beyond it holds prices or an account's equity."""
LEVEL = 10.0
"""Mean over mean change of a column that is always above 0, beyond which it is a level: returns change by more."""
LEAST_ROWS = 10
"""Rows below which neither a level nor the length of a period is told."""
SATURDAY = 5
YEARS = ((5, 9, 52), (13, 16, 26), (26, 33, 12), (85, 97, 4), (175, 190, 2), (350, 380, 1))
"""Days between two periods, from and to, and so many periods a year."""
FORMATS = (
    "%Y/%m/%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y-%m", "%Y/%m", "%m/%Y", "%b %Y", "%B %Y", "%d %b %Y", "%d-%b-%Y",
    "%b %d, %Y", "%Y/%m/%d %H:%M", "%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M", "%Y/%m/%d %H:%M:%S", "%d/%m/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M:%S",
)  # fmt: skip
WAY_OUT = "write dates, e.g. 2020-01-31, or ascending whole numbers into the first column"


class Matrix(NamedTuple):
    """``returns`` are of shape (observations, trials); ``periods`` are those of a year, None where nothing tells."""

    returns: np.ndarray
    names: list[str]
    periods: int | None


def read_matrix(path: Path) -> Matrix:
    """Returns and names of the trials in a csv file whose first column names the period.

    Raises
    ------
    Refusal
        If the file can't be read, a period is none, comes twice or is out of order, or a cell is no return.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = [row for row in csv.reader(file) if any(cell.strip() for cell in row)]
    except FileNotFoundError:
        raise Refusal(f"{path}: there is no such file; give a csv with one column of returns per trial") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise Refusal(f"{path}: can't be read as csv ({error}); save it as comma separated UTF-8 text") from None
    if len(rows) < 3:
        raise Refusal(
            f"{path}: holds {max(0, len(rows) - 1)} periods; give at least two rows below the names of trials"
        )
    names = [cell.strip() for cell in rows[0][1:]]
    if not names:
        raise Refusal(f"{path}: has one column; the first names the period, each further one is a trial")
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice or "" in names:
        told = f"two columns are named {twice[0]!r}" if twice and twice[0] else "a column has no name"
        raise Refusal(f"{path}: {told}; give each trial a name of its own")
    values = np.empty((len(rows) - 1, len(names)))
    for number, row in enumerate(rows[1:]):
        if len(row) != len(names) + 1:
            raise Refusal(
                f"{path}: line {number + 2} has {len(row)} cells, the first line {len(names) + 1}; even them out"
            )
    moments = _moments([row[0].strip() for row in rows[1:]], rows[0][0].strip(), path)
    for number, row in enumerate(rows[1:]):
        for k, cell in enumerate(row[1:]):
            values[number, k] = _return(cell, f"{path}: line {number + 2}, {names[k]}")
    for k, name in enumerate(names):
        _refuse_level(values[:, k], f"{path}: {name}")
    return Matrix(values, names, _periods_a_year(moments))


def _moments(cells: Sequence[str], header: str, path: Path) -> list[Any]:
    """The periods as dates, or else as numbers, oldest first."""
    found = _read(cells, header, path)
    seen: dict[Any, int] = {}
    for number, moment in enumerate(found):
        if moment in seen:
            raise Refusal(
                f"{path}: line {number + 2}: the period {cells[number]} stands in line {seen[moment] + 2} already; "
                "keep one row for each period"
            )
        if number and moment < found[number - 1]:
            raise Refusal(
                f"{path}: line {number + 2}: the period {cells[number]} is before that of the line above, "
                f"{cells[number - 1]}; "
                "sort the rows, the oldest first"
            )
        seen[moment] = number
    return found


def _read(cells: Sequence[str], header: str, path: Path) -> list[Any]:
    readings = [found for read in _readers() if (found := _all_by(read, cells))]
    # 02/01/2020 is a date in two ways: the one in which the rows ascend is meant.
    for reading in readings:
        if all(one < other for one, other in pairwise(reading)):
            return reading
    if readings:
        return readings[0]
    usable = [read for read in _readers() if read(cells[0]) is not None]
    number, cell = next(((n, c) for n, c in enumerate(cells) if not usable or usable[0](c) is None), (0, cells[0]))
    if not usable and _number(cell) is not None:
        raise Refusal(
            f"{path}: the first column, {header!r}, holds {cell} and no period; put a column of dates, or of ascending "
            "whole numbers, before the trials"
        )
    raise Refusal(f"{path}: line {number + 2}: {cell or 'empty'} is no period; {WAY_OUT}")


def _all_by(read: Callable[[str], Any], cells: Sequence[str]) -> list[Any] | None:
    found: list[Any] = []
    for cell in cells:
        value = read(cell)
        # A time with an offset can't be compared with one without.
        if value is None or (found and _aware(value) != _aware(found[0])):
            return None
        found.append(value)
    return found


def _readers() -> list[Callable[[str], Any]]:
    return [_iso, *(_written(form) for form in FORMATS), _quarter, _whole]


def _iso(cell: str) -> datetime | None:
    try:
        return datetime.fromisoformat(cell)
    except ValueError:
        return None


def _written(form: str) -> Callable[[str], datetime | None]:
    def read(cell: str) -> datetime | None:
        try:
            return datetime.strptime(cell, form)  # noqa: DTZ007  # a day, wherever it is
        except ValueError:
            return None

    return read


def _quarter(cell: str) -> datetime | None:
    found = re.fullmatch(r"(\d{4})[- ]?Q([1-4])", cell, re.IGNORECASE)
    return datetime(int(found[1]), 3 * int(found[2]) - 2, 1) if found else None  # noqa: DTZ001  # as above


def _whole(cell: str) -> float | None:
    value = _number(cell)
    return value if value is not None and value.is_integer() else None


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def _aware(value: Any) -> bool:
    return isinstance(value, datetime) and value.tzinfo is not None


def _periods_a_year(moments: Sequence[Any]) -> int | None:
    """Periods of a year by the dates; None for numbers, or too few rows to tell."""
    if len(moments) < LEAST_ROWS or not isinstance(moments[0], datetime):
        return None
    days: list[date] = list(dict.fromkeys(moment.date() for moment in moments))
    saturdays = sum(day.weekday() == SATURDAY for day in days)
    # Of a market that never closes every seventh day is a Saturday.
    sessions = 365 if saturdays * 14 >= len(days) else 252
    if len(days) < 2 or len(moments) >= 1.5 * len(days):
        return sessions * round(len(moments) / len(days))
    gap = float(np.median([(other - one).days for one, other in pairwise(days)]))
    if gap <= 1:
        return sessions
    return next((a_year for low, high, a_year in YEARS if low <= gap <= high), max(1, round(365.25 / gap)))


def _refuse_level(values: np.ndarray, place: str) -> None:
    """Refuse prices and equity of whatever scale: always above 0, and far above what changes from row to row.

    Returns of the same sign, as of a fund that never lost, differ from row to row by about as much as they vary at all.
    """
    changes = np.diff(values)
    mean_change = float(np.abs(changes).mean())
    if len(values) < LEAST_ROWS or float(values.min()) <= 0 or mean_change == 0:
        return
    times = float(values.mean()) / mean_change
    if times > LEVEL and float(np.square(changes).mean()) < float(values.var()):
        raise Refusal(
            f"{place} is a level and no return: it is always above 0, and its mean is {times:,.0f} times its mean "
            "change; "
            "write the change from row to row as a fraction of 1, 0.01 for 1%"
        )


def _return(cell: str, place: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        written = cell.strip() or "empty"
        raise Refusal(f"{place}: {written} is no return; write a fraction of 1 in every cell, 0 where nothing was held")
    if value > MOST_RETURN:
        raise Refusal(
            f"{place}: {value:,.10g} is a level and no return; write fractions of 1, 0.01 for 1%, as in the "
            "returns.csv of risk-first optimise"
        )
    if value < -1:
        raise Refusal(f"{place}: {cell.strip()} would lose more than everything; write fractions of 1, -0.02 for -2%")
    return value
