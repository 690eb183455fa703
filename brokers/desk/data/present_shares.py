"""Bars from before a split, in the shares of today.

A venue adjusts positions and bars each at a time of its own, and bars that were read before a split are in old shares
until they are read again. A price in old shares is several times a present one: taken as the best price of a position
it sells the position, and taken as its present price it sells what is too much of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from brokers.journal import Split
from market.bars import FIELDS, PRICES, BarTable

FOUND_LATE = timedelta(days=10)
"""So long before a split was entered its bars may begin: a trader that was down finds it late, and the newest bars are
read anew before the others."""
LEAST = 1.2
"""Times that shares became more or fewer: the step of a smaller split could be a night's, and is left to the venue."""
A_NIGHTS = math.log(1.4)
"""Hardly a night's step, up or down: where the split's is larger, so is what counts as its own."""
NEAR = 0.25
"""A step that could be a night's is a split's only within this share of the split's own: of 3:2, with a night of up to
10% in it. Bars that the venue has adjusted show a fall of a fifth before such a split as what it is."""

Step = tuple[int, int, float]
"""Column, number of rows from the first in old shares, and how many present shares one of them is."""


class PresentShares:
    """Puts tables of bars into present shares, by the splits of what was ever held.

    Whether bars are in old shares is told by themselves: those that are jump by the ratio of the split.

    Parameters
    ----------
    splits : callable
        Every split that is known.
    price : callable
        What a symbol that is held trades at now, in present shares, USD; 0 where nobody tells.
    """

    def __init__(self, splits: Callable[[], Collection[Split]], price: Callable[[str], float]) -> None:
        self._splits = splits
        self._price = price
        self._last: tuple[BarTable, tuple[Step, ...], BarTable] | None = None

    def of(self, bars: BarTable) -> BarTable:
        """The table with bars from before a split in present shares; the same object where all of them are."""
        steps = tuple(self._steps(bars))
        if not steps:
            return bars
        # Features are computed for each new table.
        if self._last is None or self._last[0] is not bars or self._last[1] != steps:
            self._last = bars, steps, _scaled(bars, steps)
        return self._last[2]

    def newest(self, symbols: Iterable[str]) -> datetime | None:
        """When the latest split of one of these symbols was entered; None without any."""
        known = frozenset(symbols)
        return max((split.time for split in self._splits() if split.symbol in known), default=None)

    def _steps(self, bars: BarTable) -> Iterable[Step]:
        for split in self._splits():
            shares = float(split.after / split.before)
            if split.symbol in bars.symbols and max(shares, 1 / shares) >= LEAST:
                column = bars.symbols.index(split.symbol)
                if rows := self._old_rows(bars, column, split):
                    yield column, rows, shares

    def _old_rows(self, bars: BarTable, column: int, split: Split) -> int:
        """How many rows are in shares from before the split: up to the step that is its own, if there is one."""
        first, entered = (int(bars.opens_at.searchsorted(time)) for time in (split.time - FOUND_LATE, split.time))
        opens, closes = bars.open[first:, column], bars.close[first:, column]
        rows = np.flatnonzero((opens > 0) & (closes > 0))
        last = int(rows.searchsorted(entered - first)) - 1
        if last < 0:
            return 0
        # The price of now follows where no bar has ended since.
        now = self._price(split.symbol) if last + 1 == len(rows) else 0.0
        following = np.append(opens[rows[1:]], now or math.nan)
        steps = np.log(following[: last + 1] / closes[rows[: last + 1]])
        own = math.log(split.after / split.before)
        left = np.abs(steps + own)
        if np.isnan(left).all():
            return 0
        at = int(np.nanargmin(left))
        far = abs(own) if abs(own) > A_NIGHTS and abs(steps[at]) > A_NIGHTS else NEAR * abs(own)
        return first + int(rows[at]) + 1 if left[at] < min(far, abs(steps[at])) else 0


def _scaled(bars: BarTable, steps: Iterable[Step]) -> BarTable:
    arrays: dict[str, Any] = {name: np.array(getattr(bars, name)) for name in FIELDS}
    for column, rows, shares in steps:
        for name in PRICES:
            arrays[name][:rows, column] /= shares
        arrays["volume"][:rows, column] *= shares
    return replace(bars, **arrays)
