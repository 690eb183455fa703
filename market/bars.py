"""Bars of many symbols on one time grid, as arrays: what features, fills and marks are read from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

import numpy as np
import pandas as pd

DAY_MINUTES = 1440
FIELDS = ("open", "high", "low", "close", "volume")
PRICES = FIELDS[:4]
# Adjusted prices are products and carry rounding noise: a high this fraction below the close is no fault.
ROUNDING_FRAC = 1e-6
# No bar trades so many times above its open and close, or as far below them: a number of another column stands there.
# The farthest of eleven years of 129 symbols is 1.8 times away, of crypto in a crash 2.5.
FARTHEST_TIMES = 10.0


class _Moments:
    """Room for times that every run on a table asks for; no fields: neither compared nor saved."""

    __slots__ = ("_moments",)
    _moments: tuple[list[datetime], list[datetime]]


@dataclass(frozen=True, slots=True)
class BarTable(_Moments):
    """OHLCV of a universe on the union of its bar times.

    Parameters
    ----------
    symbols : tuple of str
        Column order.
    opens_at, closes_at : DatetimeIndex
        When each bar begins and when it is complete (timezone-aware, exchange time, ascending).
        A bar may be read from ``closes_at`` on, never before.
    session : ndarray of int, shape (bars,)
        Number of the trading session a bar belongs to, ascending from 0; of coins, of the day in UTC.
    minutes : int
        Bar length in minutes; 1440 stands for a daily bar.
    open, high, low, close, volume : ndarray of float, shape (bars, symbols)
        NaN where a symbol has no bar.
    source : str
        Where the bars come from, for the log and the summary.
    left_out : mapping of str to int
        How many bars of a symbol the source had that are NaN here, because their prices were none.
    """

    symbols: tuple[str, ...]
    opens_at: pd.DatetimeIndex
    closes_at: pd.DatetimeIndex
    session: np.ndarray
    minutes: int
    open: np.ndarray
    high: np.ndarray
    low: np.ndarray
    close: np.ndarray
    volume: np.ndarray
    source: str = ""
    left_out: Mapping[str, int] = field(default_factory=dict)

    @property
    def daily(self) -> bool:
        return self.minutes >= DAY_MINUTES

    def __len__(self) -> int:
        return len(self.opens_at)

    @property
    def moments(self) -> tuple[list[datetime], list[datetime]]:
        """``opens_at`` and ``closes_at`` as datetimes of the standard library; not to be changed."""
        try:
            return self._moments
        except AttributeError:
            moments = self.opens_at.to_pydatetime().tolist(), self.closes_at.to_pydatetime().tolist()
            object.__setattr__(self, "_moments", moments)
            return moments

    def head(self, bars: int) -> BarTable:
        """The first ``bars`` rows: what would have been known had the data ended there."""
        cut = slice(0, bars)
        return BarTable(
            self.symbols,
            self.opens_at[cut],
            self.closes_at[cut],
            self.session[cut],
            self.minutes,
            self.open[cut],
            self.high[cut],
            self.low[cut],
            self.close[cut],
            self.volume[cut],
            self.source,
            self.left_out,
        )

    def prices_at(self, row: int) -> tuple[list[float], ...]:
        """Open, high, low and close of a row, by column."""
        return self.open[row].tolist(), self.high[row].tolist(), self.low[row].tolist(), self.close[row].tolist()

    def columns(self, block: slice) -> BarTable:
        """Some of its symbols, at the same times; arrays are shared."""
        part = {name: getattr(self, name)[:, block] for name in FIELDS}
        return replace(self, symbols=self.symbols[block], **part)

    def last_rows(self) -> np.ndarray:
        """Row that ends the session of each symbol's last bar, -1 without any; shape ``(symbols,)``.

        A symbol that wasn't traded in the last minutes of a day is no symbol whose bars have ended.
        """
        there = np.isfinite(self.close)
        last = len(self) - 1 - np.argmax(there[::-1], axis=0)
        rows: np.ndarray = np.searchsorted(self.session, self.session[last], side="right") - 1
        return np.where(there.any(axis=0), rows, -1)

    def has_bars(self) -> list[list[bool]]:
        """By row, whether each symbol has a bar in the row's session; rows of one session share their list."""
        if not len(self):
            return []
        begins = np.flatnonzero(np.diff(self.session, prepend=self.session[0] - 1))
        by_session = np.logical_or.reduceat(np.isfinite(self.close), begins, axis=0).tolist()
        return [by_session[k] for k in np.searchsorted(begins, np.arange(len(self)), side="right") - 1]

    def row_closed_at(self, moment: pd.Timestamp) -> int:
        """Index of the newest bar that is complete at ``moment``; -1 if none is."""
        return int(self.closes_at.searchsorted(moment, side="right")) - 1


def sane(bars: BarTable) -> np.ndarray:
    """Where a bar is there, finite, positive and not at odds with itself."""
    good: np.ndarray = np.isfinite(bars.close) & np.isfinite(bars.high) & np.isfinite(bars.open) & (bars.low > 0)
    upper, lower = np.maximum(bars.open, bars.close), np.minimum(bars.open, bars.close)
    good &= (upper <= bars.high * (1 + ROUNDING_FRAC)) & (bars.high <= upper * FARTHEST_TIMES)
    good &= (bars.low <= lower * (1 + ROUNDING_FRAC)) & (lower <= bars.low * FARTHEST_TIMES)
    return good
