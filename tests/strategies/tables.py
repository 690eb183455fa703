"""Small bar tables for the tests of features and signals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from market.bars import BarTable

Column = Sequence[float] | np.ndarray


def table(
    close: np.ndarray | Column,
    *,
    high: np.ndarray | Column | None = None,
    low: np.ndarray | Column | None = None,
    open_: np.ndarray | Column | None = None,
    volume: np.ndarray | Column | None = None,
    session_bars: int = 1,
) -> BarTable:
    """A table from closes; the other prices default to them, volume to 1000, sessions to ``session_bars`` rows."""
    closes = _columns(close)
    rows, width = closes.shape
    minutes = 1440 if session_bars == 1 else 5
    day = pd.date_range("2024-01-02 09:30", periods=rows // session_bars + 1, freq="D", tz="America/New_York")
    number = np.arange(rows)
    opens = day[number // session_bars] + pd.to_timedelta(number % session_bars * 5, unit="min")
    length = pd.Timedelta(hours=6.5) if minutes == 1440 else pd.Timedelta(minutes=minutes)
    return BarTable(
        symbols=tuple(f"S{k}" for k in range(width)),
        opens_at=opens,
        closes_at=opens + length,
        session=number // session_bars,
        minutes=minutes,
        open=closes if open_ is None else _columns(open_),
        high=closes if high is None else _columns(high),
        low=closes if low is None else _columns(low),
        close=closes,
        volume=np.full(closes.shape, 1000.0) if volume is None else _columns(volume),
    )


def walk(
    rows: int, width: int = 1, seed: int = 0, session_bars: int = 1, present: np.ndarray | None = None
) -> BarTable:
    """A random walk with sane bars, NaN where ``present`` is false."""
    random = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(random.normal(0, 0.02, (rows, width)), axis=0))
    open_ = close * np.exp(random.normal(0, 0.005, close.shape))
    high = np.maximum(open_, close) * (1 + random.random(close.shape) * 0.01)
    low = np.minimum(open_, close) * (1 - random.random(close.shape) * 0.01)
    volume = random.integers(0, 4, close.shape) * 500.0
    if present is not None:
        open_, high, low, close, volume = (np.where(present, a, np.nan) for a in (open_, high, low, close, volume))
    return table(close, high=high, low=low, open_=open_, volume=volume, session_bars=session_bars)


def _columns(values: np.ndarray | Column) -> np.ndarray:
    array = np.asarray(values, dtype=float)
    return array[:, np.newaxis] if array.ndim == 1 else array
