"""Sharpe ratios under multiple testing: how likely it is that one is luck, and how long a record must be.

Every Sharpe ratio here is of one observation (mean over standard deviation, ddof 1); it is annualised for display
only. Skewness and kurtosis are of the population (biased), kurtosis is not in excess: 3 for a normal distribution.

Sources: Bailey and López de Prado, "The Sharpe Ratio Efficient Frontier" (2012) for the probabilistic ratio and the
minimum track record; "The Deflated Sharpe Ratio" (2014); Bailey, Borwein, López de Prado and Zhu, "Pseudo-Mathematics
and Financial Charlatanism" (2014) for the minimum backtest length; Lo, "The Statistics of Sharpe Ratios" (2002).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from backtests.rounding import NIL_DEVIATION

EULER_GAMMA = 0.5772156649015329
FEWEST_OBSERVATIONS = 30
"""Below so many, skewness and kurtosis say nothing, and neither does a probability that is computed from them."""
_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Moments:
    """Of one series of returns: ``sharpe`` per observation, ``skewness``, ``kurtosis`` (normal 3), ``observations``."""

    sharpe: float
    skewness: float
    kurtosis: float
    observations: int


def moments(returns: np.ndarray) -> Moments:
    """Moments of a series of returns.

    Parameters
    ----------
    returns : ndarray of float, shape (observations,)
        Fractions of 1. A series that never moves has a Sharpe ratio of 0.
    """
    values = np.asarray(returns, dtype=float)
    if not moves(values):
        return Moments(0.0, 0.0, 3.0, len(values))
    centred = values - values.mean()
    variance = float((centred**2).mean())
    deviation = math.sqrt(variance)
    return Moments(
        sharpe=sharpe_ratio(values),
        skewness=float((centred**3).mean()) / deviation**3,
        kurtosis=float((centred**4).mean()) / variance**2,
        observations=len(values),
    )


def moves(returns: np.ndarray) -> bool:
    """Whether returns differ by more than rounding; else a Sharpe ratio is not defined."""
    return len(returns) > 1 and float(np.std(returns, ddof=1)) > NIL_DEVIATION


def sharpe_ratio(returns: np.ndarray) -> float:
    """Mean over standard deviation (ddof 1) of one observation; 0, to rank by, for a series that never moves."""
    return float(np.mean(returns)) / float(np.std(returns, ddof=1)) if moves(returns) else 0.0


def sharpe_error(m: Moments) -> float:
    """What the standard error of a Sharpe ratio is times the square root of the observations less one."""
    return math.sqrt(max(1e-300, 1 - m.skewness * m.sharpe + (m.kurtosis - 1) / 4 * m.sharpe**2))


def probabilistic_sharpe(m: Moments, benchmark: float = 0.0) -> float:
    """Probability that the true Sharpe ratio is above ``benchmark`` (per observation)."""
    if m.observations < 2:
        return 0.5
    return _NORMAL.cdf((m.sharpe - benchmark) * math.sqrt(m.observations - 1) / sharpe_error(m))


def expected_max(trials: int) -> float:
    """Expected largest of ``trials`` independent standard normal values; 0 for a single one."""
    if trials < 1:
        raise ValueError(f"trials must be at least 1, not {trials}")
    if trials == 1:
        return 0.0
    first, second = _NORMAL.inv_cdf(1 - 1 / trials), _NORMAL.inv_cdf(1 - 1 / (trials * math.e))
    return (1 - EULER_GAMMA) * first + EULER_GAMMA * second


def deflated_benchmark(trials: int, variance: float) -> float:
    """Sharpe ratio that the best of ``trials`` worthless trials would have; ``variance`` is that of their ratios."""
    return math.sqrt(max(0.0, variance)) * expected_max(trials)


def deflated_sharpe(m: Moments, trials: int, variance: float) -> float:
    """Probability that the true Sharpe ratio of the best of ``trials`` is above what luck alone gives it."""
    return probabilistic_sharpe(m, deflated_benchmark(trials, variance))


def min_track_record(m: Moments, benchmark: float = 0.0, confidence: float = 0.95) -> float:
    """Observations that a Sharpe ratio needs to be above ``benchmark`` with ``confidence``; infinite if it is not."""
    if m.sharpe <= benchmark:
        return math.inf
    return 1 + sharpe_error(m) ** 2 * (_NORMAL.inv_cdf(confidence) / (m.sharpe - benchmark)) ** 2


def min_backtest_years(trials: int, annual_sharpe: float) -> float:
    """Years below which the best of ``trials`` worthless trials is expected to show ``annual_sharpe``."""
    return math.inf if annual_sharpe <= 0 else (expected_max(trials) / annual_sharpe) ** 2


def lo_factor(autocorrelations: Sequence[float], periods: int) -> float:
    """Factor that turns a Sharpe ratio of one period into one of ``periods``, for returns that depend on each other.

    Parameters
    ----------
    autocorrelations : sequence of float
        Of lags 1 up to ``periods`` − 1; missing ones count as 0.
    periods : int
    """
    total = sum((periods - k) * rho for k, rho in enumerate(autocorrelations[: periods - 1], start=1))
    return periods / math.sqrt(periods + 2 * total)


def lo_factor_ar1(rho: float, periods: int) -> float:
    """``lo_factor`` of returns whose autocorrelation falls off like that of an AR(1) process."""
    if rho == 0:
        return math.sqrt(periods)
    spread = 1 - (1 - rho**periods) / (periods * (1 - rho))
    return math.sqrt(periods) / math.sqrt(1 + 2 * rho / (1 - rho) * spread)
