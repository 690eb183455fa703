"""Intervals of the Sharpe ratio and of the drawdown, by a block bootstrap of returns.

Blocks keep what neighbouring days have in common; their mean length is the optimal one of Politis and White (2004)
for the stationary bootstrap (Politis and Romano, 1994).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from arch.bootstrap import StationaryBootstrap, optimal_block_length

from backtests.research.statistics import moves, sharpe_ratio


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with the bounds of its interval; the unit is the figure's."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Intervals:
    """``sharpe`` per year, ``max_drawdown`` as a positive fraction of the peak, ``block`` in observations."""

    sharpe: Interval
    max_drawdown: Interval
    block: int


def max_drawdown(returns: np.ndarray) -> float:
    """Largest fall from a peak of the curve that the returns make, as a positive fraction of the peak."""
    curve = np.concatenate([[1.0], np.cumprod(1 + np.asarray(returns, dtype=float))])
    peaks = np.maximum.accumulate(curve)
    return float((1 - curve / peaks).max())


def intervals(
    returns: np.ndarray, periods: int, repetitions: int = 1000, confidence: float = 0.90, seed: int = 7
) -> Intervals:
    """Percentile intervals of a series of returns.

    Parameters
    ----------
    returns : ndarray of float, shape (observations,)
    periods : int
        Observations of a year.
    repetitions : int, default=1000
    confidence : float, default=0.90
        Share of the resampled figures inside the interval.
    seed : int, default=7
    """
    values = np.asarray(returns, dtype=float)
    if len(values) < 3 or not moves(values):
        nothing = Interval(0.0, 0.0, 0.0)
        return Intervals(nothing, nothing, 1)
    block = float(optimal_block_length(values)["stationary"].iloc[0])
    # A series without dependence has an optimal length below one observation.
    length = min(max(1, round(block)), len(values) // 2) if math.isfinite(block) else 1
    scale = math.sqrt(periods)

    def figures(sample: np.ndarray) -> np.ndarray:
        return np.array([sharpe_ratio(sample) * scale, max_drawdown(sample)])

    drawn = StationaryBootstrap(length, values, seed=seed).apply(figures, repetitions)
    low, high = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    whole = figures(values)
    sharpe, fall = (Interval(float(whole[k]), float(low[k]), float(high[k])) for k in (0, 1))
    return Intervals(sharpe, fall, length)
