"""Indicators over ``(bars, symbols)`` arrays, vectorised over the universe and causal to the last bit.

Every function reads columns without holes: row 0 is a symbol's first bar and every next row its next
bar; ``OwnRows`` brings tables with missing bars into that form and back. NaN may follow the last bar.
A value at row t is computed from rows <= t by operations whose order depends neither on how many rows
follow nor on how many columns stand beside, so cutting the table never changes a value.
"""

from __future__ import annotations

import numpy as np
import pandas as pd


class OwnRows:
    """Moves every symbol's own bars to the top of its column, and results back to where the bars were.

    Parameters
    ----------
    present : ndarray of bool, shape (bars, symbols)
        Where a symbol has a bar that may be read.
    """

    def __init__(self, present: np.ndarray) -> None:
        self._shape = present.shape
        self._whole = bool(present.all())
        if not self._whole:
            self._grid = np.flatnonzero(present)
            rows = np.cumsum(present, axis=0, dtype=np.intp) - 1
            self._own = rows.ravel()[self._grid] * present.shape[1] + self._grid % present.shape[1]

    def pack(self, values: np.ndarray) -> np.ndarray:
        """Column-wise without holes, NaN below; the array itself when nothing is missing."""
        return values if self._whole else self._move(values, self._grid, self._own)

    def unpack(self, values: np.ndarray) -> np.ndarray:
        """Back on the grid, NaN where a symbol has no bar."""
        return values if self._whole else self._move(values, self._own, self._grid)

    def _move(self, values: np.ndarray, source: np.ndarray, target: np.ndarray) -> np.ndarray:
        moved = np.full(self._shape, np.nan)
        moved.ravel()[target] = values.ravel()[source]
        return moved


def _blank(values: np.ndarray) -> np.ndarray:
    return np.full(values.shape, np.nan)


def _smoothed(values: np.ndarray, bars: int, weight: float) -> np.ndarray:
    """Exponential smoothing seeded with the mean of the first ``bars`` rows, NaN before it."""
    out = _blank(values)
    if len(values) < bars:
        return out
    # accumulate adds row after row; sum() would add in an order that depends on the table's width
    seed = np.add.accumulate(values[:bars], axis=0)[-1] / bars
    out[bars - 1] = seed
    if len(values) > bars:
        rows = np.concatenate((seed[np.newaxis], values[bars:]))
        smoothed = pd.DataFrame(rows, copy=False).ewm(alpha=weight, adjust=False).mean().to_numpy()
        # ewm carries its last value on below a column's end
        out[bars:] = np.where(np.isnan(values[bars:]), np.nan, smoothed[1:])
    return out


def wilder(values: np.ndarray, bars: int) -> np.ndarray:
    """Wilder's smoothing (weight ``1 / bars``), first value at row ``bars - 1``."""
    return _smoothed(values, bars, 1.0 / bars)


def ema(values: np.ndarray, bars: int) -> np.ndarray:
    """Exponential moving average (weight ``2 / (bars + 1)``), first value at row ``bars - 1``."""
    return _smoothed(values, bars, 2.0 / (bars + 1))


def rsi(close: np.ndarray, bars: int) -> np.ndarray:
    """Wilder's relative strength index, 0 to 100, first value at row ``bars``; 50 without any movement."""
    out = _blank(close)
    change = close[1:] - close[:-1]
    gain = wilder(np.maximum(change, 0.0), bars)
    moved = gain + wilder(np.maximum(-change, 0.0), bars)
    with np.errstate(invalid="ignore", divide="ignore"):
        out[1:] = np.where(moved == 0, 50.0, 100.0 * gain / moved)
    return out


def true_range(high: np.ndarray, low: np.ndarray, close: np.ndarray) -> np.ndarray:
    """True range in currency; NaN at row 0, which has no close before it."""
    out = _blank(close)
    out[1:] = np.maximum(high[1:], close[:-1]) - np.minimum(low[1:], close[:-1])
    return out


def atr(high: np.ndarray, low: np.ndarray, close: np.ndarray, bars: int) -> np.ndarray:
    """Wilder's average true range in currency, first value at row ``bars``."""
    out = _blank(close)
    out[1:] = wilder(true_range(high, low, close)[1:], bars)
    return out


def adx(high: np.ndarray, low: np.ndarray, close: np.ndarray, bars: int) -> np.ndarray:
    """Wilder's average directional index, 0 to 100, first value at row ``2 * bars - 1``; 0 without any movement.

    The true range divides both directional indicators and so cancels in their ratio; ``close`` only
    tells where a column has ended.
    """
    out = _blank(close)
    up, down = high[1:] - high[:-1], low[:-1] - low[1:]
    ended = np.isnan(close[1:])
    plus = wilder(np.where(ended, np.nan, np.where((up > down) & (up > 0), up, 0.0)), bars)
    minus = wilder(np.where(ended, np.nan, np.where((down > up) & (down > 0), down, 0.0)), bars)
    total = plus + minus
    with np.errstate(invalid="ignore", divide="ignore"):
        index = np.where(total == 0, 0.0, 100.0 * np.abs(plus - minus) / total)
    out[bars:] = wilder(index[bars - 1 :], bars)
    return out


def rolling_mean(values: np.ndarray, bars: int) -> np.ndarray:
    """Mean of the last ``bars`` rows, this one included.

    Each window is summed anew: a running sum would carry rounding from rows long gone.
    """
    out = _blank(values)
    rows = len(values) - bars + 1
    if rows > 0:
        total = values[:rows].copy()
        for shift in range(1, bars):
            total += values[shift : shift + rows]
        out[bars - 1 :] = total / bars
    return out


def rolling_max(values: np.ndarray, bars: int) -> np.ndarray:
    """Maximum of the last ``bars`` rows, this one included."""
    out = _blank(values)
    if len(values) < bars:
        return out
    best, width = values, 1
    while width < bars:
        step = min(width, bars - width)
        best = np.maximum(best[step:], best[:-step])
        width += step
    out[bars - 1 :] = best
    return out


def rolling_min(values: np.ndarray, bars: int) -> np.ndarray:
    """Minimum of the last ``bars`` rows, this one included."""
    return -rolling_max(-values, bars)


def before(values: np.ndarray) -> np.ndarray:
    """The value one bar earlier."""
    out = _blank(values)
    out[1:] = values[:-1]
    return out


def roc(close: np.ndarray, bars: int) -> np.ndarray:
    """Rate of change over ``bars`` rows, as a fraction of 1 (0.05 is five percent)."""
    out = _blank(close)
    out[bars:] = close[bars:] / close[:-bars] - 1.0
    return out


def session_vwap(
    high: np.ndarray, low: np.ndarray, close: np.ndarray, volume: np.ndarray, session: np.ndarray
) -> np.ndarray:
    """Volume-weighted average of the typical price since the session's first bar.

    Works on the grid itself: a missing bar (NaN price) adds nothing. NaN until the session's first volume.

    Parameters
    ----------
    session : ndarray of int, shape (bars,)
        Session number of each row, ascending.
    """
    if not len(session):
        return _blank(close)
    first = np.concatenate(([True], session[1:] != session[:-1]))
    block = np.cumsum(first) - 1
    place = np.arange(len(session)) - np.flatnonzero(first)[block]
    typical = (high + low + close) / 3.0
    traded = np.where(np.isfinite(typical) & np.isfinite(volume), volume, 0.0)
    weighted = np.where(traded > 0, typical, 0.0) * traded

    def since_open(values: np.ndarray) -> np.ndarray:
        blocks = np.zeros((block[-1] + 1, place.max() + 1, values.shape[1]))
        blocks[block, place] = values
        summed: np.ndarray = np.add.accumulate(blocks, axis=1)[block, place]
        return summed

    with np.errstate(invalid="ignore", divide="ignore"):
        average: np.ndarray = since_open(weighted) / since_open(traded)
    return average


def run_length(condition: np.ndarray) -> np.ndarray:
    """How many rows in a row ``condition`` has held, this one included; 0 where it doesn't hold."""
    row = np.arange(len(condition))[:, np.newaxis]
    run: np.ndarray = row - np.maximum.accumulate(np.where(condition, -1, row), axis=0)
    return run


def forward_filled(values: np.ndarray) -> np.ndarray:
    """The last value that was not NaN; the array itself when none is missing."""
    known = ~np.isnan(values)
    if known.all():
        return values
    row = np.arange(len(values))[:, np.newaxis]
    newest = np.maximum.accumulate(np.where(known, row, 0), axis=0)
    return np.take_along_axis(values, newest, axis=0)


def completed(close: np.ndarray, end: np.ndarray, complete: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Closes of the longer bars that own bars make up, each from the row on at which it is known to be over.

    That is its last row by the clock or, where the bar of that row is missing, the first one of a later
    longer bar.

    Parameters
    ----------
    end : ndarray of float, shape (bars, symbols)
        Which longer bar a row belongs to; equal in consecutive rows of one.
    complete : ndarray of float, shape (bars, symbols)
        1 where the longer bar is over with the row, else 0.

    Returns
    -------
    closes : ndarray of float, shape (longer bars, symbols)
        Without holes, NaN below a column's end.
    known : ndarray of int, shape (bars, symbols)
        How many of them are over at each row.
    """
    rows, width = close.shape
    there = ~np.isnan(close)
    # Two longer bars can become known at one row: one whose last row is missing, and the row's own.
    found = np.zeros((2 * rows, width), bool)
    found[2::2] = there[1:] & (end[1:] != end[:-1]) & (complete[:-1] == 0)
    found[1::2] = there & (complete == 1)
    values = np.empty(found.shape)
    values[::2], values[1::2] = before(close), close
    known = np.cumsum(found, axis=0)[1::2]
    return OwnRows(found).pack(values)[: known[-1].max() if rows else 0], known


def as_known(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """The newest of the ``known`` first values of each column at every row, NaN while there is none."""
    if not len(values):
        return _blank(known)
    newest: np.ndarray = np.take_along_axis(values, np.maximum(known - 1, 0), axis=0)
    return np.where(known > 0, newest, np.nan)


def rows_of_sessions(session: np.ndarray, row: np.ndarray, sessions: int) -> np.ndarray:
    """Rows of the table from a symbol's first bar of its ``sessions``-th last session to this one, both included.

    Parameters
    ----------
    session : ndarray of float, shape (bars, symbols)
        Session number of each own bar, NaN below a column's end.
    row : ndarray of float, shape (bars, symbols)
        Where each own bar stands in the table.
    """
    first = ~np.isnan(session)
    first[1:] &= session[1:] != session[:-1]
    begun = np.cumsum(first, axis=0) - (sessions - 1)
    since: np.ndarray = row - as_known(OwnRows(first).pack(row), begun)
    return since + 1.0
