"""The bars that a feed has, once, as arrays by time and symbol."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from market.bars import FIELDS

NO_STAMP = np.iinfo(np.int64).min
"""The stamp of what is not there."""


class BarStore:
    """Bars of many symbols on the union of their times.

    No array is changed once it is there: a table that shares them goes on seeing what it saw.

    Parameters
    ----------
    symbols : sequence of str
        Columns.

    Attributes
    ----------
    stamps : ndarray of int, shape (bars,)
        When each row begins, ns since 1970 (UTC), ascending.
    there : ndarray of bool, shape (bars, symbols)
        Where a symbol has a bar, also one whose prices are none.
    values : dict of str to ndarray of float, shape (bars, symbols)
        Open, high, low, close and volume; NaN where there is no bar.
    """

    def __init__(self, symbols: Sequence[str]) -> None:
        self.symbols = pd.Index(symbols)
        self.stamps = np.empty(0, dtype=np.int64)
        self.there = np.zeros((0, len(self.symbols)), dtype=bool)
        self.values = {name: np.empty(self.there.shape) for name in FIELDS}

    def __len__(self) -> int:
        return len(self.stamps)

    def put(self, column: np.ndarray, stamps: np.ndarray, frame: pd.DataFrame) -> bool:
        """Take in bars, of which the last one of a time and symbol counts; returns whether anything is new.

        Parameters
        ----------
        column, stamps : ndarray of int, shape (n,)
            Symbol and time of each row of ``frame``.
        frame : DataFrame
            Columns open, high, low, close, volume.
        """
        # Of the same place an array keeps one value, and which one is not for it to say.
        last = ~pd.MultiIndex.from_arrays([column, stamps]).duplicated(keep="last")
        column, stamps = column[last], stamps[last]
        new = {name: frame[name].to_numpy(dtype=float)[last] for name in FIELDS}
        grown = np.union1d(self.stamps, stamps)
        place = np.searchsorted(grown, stamps), column
        if len(grown) == len(self.stamps) and self._has(place, new):
            return False
        before = np.searchsorted(grown, self.stamps)
        self.there = _moved(self.there, before, len(grown), False)
        self.there[place] = True
        for name in FIELDS:
            values = _moved(self.values[name], before, len(grown), np.nan)
            values[place] = new[name]
            self.values[name] = values
        self.stamps = grown
        return True

    def drop_before(self, stamp: int) -> bool:
        """Forget what begins before a time; returns whether there was anything."""
        first = int(np.searchsorted(self.stamps, stamp))
        if first:
            self.stamps, self.there = self.stamps[first:], self.there[first:]
            self.values = {name: values[first:] for name, values in self.values.items()}
        return first > 0

    def forget(self, column: int, stamp: int) -> None:
        """Drop the bars of one symbol that begin at a time or later, and the rows that nobody has a bar in any more."""
        first = int(np.searchsorted(self.stamps, stamp))
        there = self.there.copy()
        there[first:, column] = False
        rows = there.any(axis=1)
        self.stamps, self.there = self.stamps[rows], there[rows]
        for name in FIELDS:
            values = self.values[name].copy()
            values[first:, column] = np.nan
            self.values[name] = values[rows]

    def newest(self) -> np.ndarray:
        """When the last bar of each symbol begins; ``NO_STAMP`` for one without any."""
        if not len(self):
            return np.full(len(self.symbols), NO_STAMP)
        last = self.stamps[len(self) - 1 - np.argmax(self.there[::-1], axis=0)]
        return np.where(self.there.any(axis=0), last, NO_STAMP)

    def closes_at(self, column: np.ndarray, stamps: np.ndarray) -> np.ndarray:
        """Closes of bars by symbol and time; NaN where there is none."""
        row = np.searchsorted(self.stamps, stamps)
        found = np.full(len(stamps), np.nan)
        there = row < len(self)
        there[there] = self.stamps[row[there]] == stamps[there]
        found[there] = self.values["close"][row[there], column[there]]
        return found

    def frame(self, rows: int, columns: slice) -> pd.DataFrame:
        """Some symbols' bars of the first rows as a long table, each symbol's oldest first; a symbol is its column."""
        column, row = np.nonzero(self.there[:rows, columns].T)
        values = {name: array[:rows, columns][row, column] for name, array in self.values.items()}
        return pd.DataFrame({"symbol": column + columns.start, "row": row, **values})

    def _has(self, place: tuple[np.ndarray, np.ndarray], new: dict[str, np.ndarray]) -> bool:
        if not self.there[place].all():
            return False
        known = {name: values[place] for name, values in self.values.items()}
        return all(np.array_equal(known[name], new[name], equal_nan=True) for name in FIELDS)


def _moved(values: np.ndarray, rows: np.ndarray, length: int, nothing: float) -> np.ndarray:
    """The rows at other places of a longer array."""
    moved = np.full((length, values.shape[1]), nothing, dtype=values.dtype)
    moved[rows] = values
    return moved
