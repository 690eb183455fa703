"""Probability of backtest overfitting by combinatorially symmetric cross-validation (CSCV).

Source: Bailey, Borwein, López de Prado and Zhu, "The Probability of Backtest Overfitting" (2017). The trial that is
best on one half of the blocks is ranked among all trials on the other half; the probability is the share of splits
in which it comes no higher than the middle. Chance is 0.5, and a single matrix scatters around it by about 0.14.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from backtests.rounding import NIL_DEVIATION

_CHUNK = 1024


@dataclass(frozen=True, slots=True)
class Cscv:
    """What the splits say.

    ``pbo`` is the share of ``logits`` at or below 0, shape ``(splits,)``. ``slope`` is that of the chosen trial's
    Sharpe ratio out of sample over the one in sample; ``loss_probability`` the share of splits in which the chosen
    trial lost out of sample. ``dominates`` tells that choosing was better than drawing a trial at random whatever
    return is wanted (first-order stochastic dominance out of sample). ``in_sample`` and ``out_of_sample`` are the
    chosen trials' Sharpe ratios of one observation, shape ``(splits,)``.
    """

    pbo: float
    logits: np.ndarray
    slope: float
    loss_probability: float
    dominates: bool
    in_sample: np.ndarray
    out_of_sample: np.ndarray


def cscv(returns: np.ndarray, blocks: int = 16) -> Cscv:
    """Cross-validate the choice among trials.

    Parameters
    ----------
    returns : ndarray of float, shape (observations, trials)
        Returns of every trial over the same periods, two trials at least.
    blocks : int, default=16
        Even; the last ``observations mod blocks`` rows are left out.

    Raises
    ------
    ValueError
        For an odd number of blocks, fewer than two trials or fewer than two observations a block.
    """
    values = np.asarray(returns, dtype=float)
    length = len(values) // blocks
    if blocks < 2 or blocks % 2:
        raise ValueError(f"blocks must be an even number from 2 up, not {blocks}")
    if values.ndim != 2 or values.shape[1] < 2:
        raise ValueError("the choice among fewer than two trials can't be cross-validated")
    if length < 2:
        raise ValueError(f"{len(values)} observations are too few for {blocks} blocks")
    parts = values[: length * blocks].reshape(blocks, length, -1)
    # Sums around the trial's own mean keep their digits when they are subtracted from each other.
    centre = parts.mean(axis=(0, 1))
    parts = parts - centre
    sums, squares = parts.sum(axis=1), (parts**2).sum(axis=1)
    half = blocks // 2
    # Each split and its mirror image use the same two halves: those with block 0 in sample are enough for both.
    chosen = [(0, *rest) for rest in combinations(range(1, blocks), half - 1)]
    logits, inside, outside, drawn = [], [], [], []
    for begin in range(0, len(chosen), _CHUNK):
        picked = np.zeros((min(_CHUNK, len(chosen) - begin), blocks))
        for row, members in enumerate(chosen[begin : begin + _CHUNK]):
            picked[row, members] = 1.0
        one = _ratios(picked @ sums, picked @ squares, centre, half * length)
        other = _ratios((1 - picked) @ sums, (1 - picked) @ squares, centre, half * length)
        for train, test in ((one, other), (other, one)):
            best = train.argmax(axis=1)
            rows = np.arange(len(best))
            found = test[rows, best]
            below = (test < found[:, None]).sum(axis=1)
            ties = (test == found[:, None]).sum(axis=1)
            omega = (below + (ties + 1) / 2) / (values.shape[1] + 1)
            logits.append(np.log(omega / (1 - omega)))
            inside.append(train[rows, best])
            outside.append(found)
            drawn.append(test.mean(axis=1))
    logit, train_best, test_best = map(np.concatenate, (logits, inside, outside))
    return Cscv(
        pbo=float((logit <= 0).mean()),
        logits=logit,
        slope=_slope(train_best, test_best),
        loss_probability=float((test_best < 0).mean()),
        dominates=_dominates(test_best, np.concatenate(drawn)),
        in_sample=train_best,
        out_of_sample=test_best,
    )


def _ratios(sums: np.ndarray, squares: np.ndarray, centre: np.ndarray, count: int) -> np.ndarray:
    """Sharpe ratios of one observation from sums around ``centre``; 0 where nothing moves."""
    variance = np.maximum(squares - sums**2 / count, 0.0) / (count - 1)
    deviation = np.sqrt(variance)
    ratios = np.zeros_like(sums)
    np.divide(sums / count + centre, deviation, out=ratios, where=deviation > NIL_DEVIATION)
    return ratios


def _slope(x: np.ndarray, y: np.ndarray) -> float:
    spread = x - x.mean()
    total = float(spread @ spread)
    return float(spread @ (y - y.mean())) / total if total > 0 else math.nan


def _dominates(chosen: np.ndarray, drawn: np.ndarray) -> bool:
    grid = np.concatenate([chosen, drawn])
    ours = np.searchsorted(np.sort(chosen), grid, side="right")
    theirs = np.searchsorted(np.sort(drawn), grid, side="right")
    return bool((ours <= theirs).all() and (ours < theirs).any())
