"""Features as a live feed keeps them: of many symbols in blocks, and the newest rows only."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, cast

import numpy as np

from market.bars import BarTable
from market.feature_registry import OwnBars
from market.features import FeatureTable, read_only

BLOCK = 64
"""Symbols whose features are computed together: what they take meanwhile stays in a processor's memory."""
LEAST_ROWS, MOST_BYTES, FLOAT_BYTES = 8, 32_000_000, 8
"""A feature keeps so many rows at least, and more while all of them together take no more than these bytes."""


class RecentFeatures(FeatureTable):
    """The same values; a decision reads a feature's newest rows, so that earlier ones wait until they are asked for."""

    def _computed(self, good: np.ndarray, known: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], np.ndarray]:
        rows, width = good.shape
        kept = min(rows, max(LEAST_ROWS, MOST_BYTES // (FLOAT_BYTES * max(1, width * len(self.names)))))
        newest = {name: np.empty((kept, width)) for name in self.names}
        usable = good.copy()
        for first in range(0, width, BLOCK):
            block = slice(first, first + BLOCK)
            own = OwnBars(self.bars.columns(block), good[:, block])
            for name, array in newest.items():
                values = own.on_grid(name)
                array[:, block] = values[rows - kept :]
                if name in self._first_bars:
                    usable[:, block] &= np.isfinite(values)
        if kept == rows:
            return newest, usable
        found = {
            name: RecentRows(array, rows - kept, partial(_whole, self.bars, good, name))
            for name, array in newest.items()
        }
        # To those who read rows it is an array.
        return cast("dict[str, np.ndarray]", found), usable


def _whole(bars: BarTable, good: np.ndarray, name: str) -> np.ndarray:
    """All rows of a feature; of the bars alone, so that a table of features goes as soon as nobody has it any more."""
    found = np.empty(good.shape)
    for first in range(0, good.shape[1], BLOCK):
        block = slice(first, first + BLOCK)
        found[:, block] = OwnBars(bars.columns(block), good[:, block]).on_grid(name)
    return found


class RecentRows:
    """Reads like an array by row; rows before the newest are computed when somebody reads the first of them.

    Parameters
    ----------
    newest : ndarray of float, shape (kept, symbols)
    first : int
        Row of the table that ``newest`` begins at.
    whole : callable
        Computes all rows.
    """

    def __init__(self, newest: np.ndarray, first: int, whole: Callable[[], np.ndarray]) -> None:
        self._newest, self._first, self._whole = read_only(newest), first, whole
        self._all: np.ndarray | None = None

    @property
    def dtype(self) -> np.dtype[Any]:
        return self._newest.dtype

    def __len__(self) -> int:
        return self._first + len(self._newest)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self[:], dtype=dtype)

    def item(self, row: int, column: int) -> float:
        """One value."""
        return float(self[row, column])

    def __getitem__(self, key: Any) -> Any:
        rows, columns = key if isinstance(key, tuple) else (key, slice(None))
        if isinstance(rows, slice):
            first, last, step = rows.indices(self._first + len(self._newest))
            if step > 0 and first >= self._first:
                return self._newest[slice(first - self._first, max(0, last - self._first), step), columns]
        elif isinstance(rows, int | np.integer) and rows >= self._first:
            return self._newest[rows - self._first, columns]
        if self._all is None:
            self._all = read_only(self._whole())
        return self._all[key]
