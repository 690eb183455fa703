"""A file's columns as they are, before anybody has said what they mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Names = tuple[tuple[str, ...], ...]
"""Of each column its heading: one name, or one from each of several header rows."""


@dataclass(frozen=True, slots=True)
class RawTable:
    """Columns by their place, read when they are asked for.

    Parameters
    ----------
    names : tuple of tuple of str
        Headings, from left to right.
    rows : int or None
        How many rows there are; None where only reading tells.
    read : callable
        ``read(places, symbol, wanted)`` gives the columns of those places as arrow arrays, and the number of the row
        that each of their rows is, counted from 0. ``symbol`` is the place of the column of symbols; where ``wanted``
        is given, a function from the spellings in it to those to keep, other rows are left out.
    remark : tuple of str
        How the table was read, where that is not plain.
    first : tuple of str
        The first row of a file that has no row of headings.
    """

    names: Names
    read: Callable[[Sequence[int], int | None, Wanted | None], Columns]
    remarks: tuple[str, ...] = ()
    first: tuple[str, ...] = ()

    @property
    def headless(self) -> bool:
        """Whether the file has no row of headings."""
        return bool(self.first)


@dataclass(frozen=True, slots=True)
class Columns:
    """Columns by place, all of one length, and the number of each row in the file, from 0."""

    arrays: dict[int, pa.ChunkedArray]
    rows: Any


Wanted = Callable[[Sequence[str]], Sequence[str]]


def kept(arrays: dict[int, pa.ChunkedArray], first: int, symbol: int | None, wanted: Wanted | None) -> Columns:
    """Columns cut to the symbols that are wanted; ``first`` is the number of their first row."""
    rows = np.arange(first, first + len(next(iter(arrays.values()))))
    if symbol is None or wanted is None:
        return Columns(arrays, rows)
    names = arrays[symbol]
    chosen = pc.is_in(names, pa.array(wanted([str(name) for name in pc.unique(names).to_pylist()]), pa.string()))
    if pc.all(chosen).as_py():
        return Columns(arrays, rows)
    return Columns({k: array.filter(chosen) for k, array in arrays.items()}, rows[chosen.to_numpy()])
