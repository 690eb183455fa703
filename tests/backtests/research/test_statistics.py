"""Figures of many trials against the papers' numbers and another implementation."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest

from backtests.research.bootstrap import intervals, max_drawdown
from backtests.research.cross_validation import cscv
from backtests.research.statistics import (
    Moments,
    deflated_benchmark,
    deflated_sharpe,
    expected_max,
    lo_factor,
    lo_factor_ar1,
    min_backtest_years,
    min_track_record,
    moments,
    probabilistic_sharpe,
    sharpe_ratio,
)

PAPER = Moments(2.5 / math.sqrt(250), -3, 10, 1250)
VARIANCE = 0.5 / 250


def test_the_deflated_sharpe_ratio_of_the_paper():
    assert deflated_benchmark(100, VARIANCE) == pytest.approx(0.113172, abs=5e-7)
    assert deflated_sharpe(PAPER, 100, VARIANCE) == pytest.approx(0.900397, abs=5e-7)
    assert deflated_sharpe(PAPER, 46, VARIANCE) == pytest.approx(0.950502, abs=5e-7)
    normal = Moments(PAPER.sharpe, 0, 3, 1250)
    assert deflated_sharpe(normal, 88, VARIANCE) == pytest.approx(0.950491, abs=5e-7)
    assert deflated_sharpe(PAPER, 1, VARIANCE) == probabilistic_sharpe(PAPER)


@pytest.mark.parametrize(("skewness", "kurtosis", "expected"), [(0, 3, 0.9817), (-2.448, 10.164, 0.9134)])
def test_the_probabilistic_sharpe_ratio_of_the_paper(skewness, kurtosis, expected):
    assert probabilistic_sharpe(Moments(0.458, skewness, kurtosis, 24)) == pytest.approx(expected, abs=5e-5)


@pytest.mark.parametrize(("periods", "expected"), [(252, 688.2), (52, 147.1), (12, 38.88)])
def test_the_shortest_track_record(periods, expected):
    scale = math.sqrt(periods)
    found = min_track_record(Moments(2 / scale, 0, 3, 1), 1 / scale)
    assert found == pytest.approx(expected, abs=0.05)
    assert min_track_record(Moments(0.1, 0, 3, 1), 0.1) == math.inf


def test_the_shortest_track_record_is_where_the_probability_is_reached():
    m = Moments(0.09, -0.4, 5, 1)
    needed = min_track_record(m, confidence=0.95)
    assert probabilistic_sharpe(Moments(0.09, -0.4, 5, math.ceil(needed))) >= 0.95
    assert probabilistic_sharpe(Moments(0.09, -0.4, 5, math.floor(needed))) < 0.95


@pytest.mark.parametrize(
    ("trials", "expected", "years"),
    [(2, 0.5198, None), (5, 1.1926, None), (10, 1.5746, 2.479), (45, 2.2356, 4.998), (46, None, 5.036),
     (100, 2.5306, 6.404), (1000, 3.2551, 10.596)],
)  # fmt: skip
def test_the_best_of_many_worthless_trials(trials, expected, years):
    if expected is not None:
        assert expected_max(trials) == pytest.approx(expected, abs=5e-5)
    if years is not None:
        assert min_backtest_years(trials, 1.0) == pytest.approx(years, abs=5e-4)


def test_one_trial_is_not_deflated_and_none_is_no_number_of_trials():
    assert expected_max(1) == 0
    with pytest.raises(ValueError, match="at least 1"):
        expected_max(0)


@pytest.mark.parametrize(
    ("rho", "expected"), [(-0.2, 4.1708), (0, 3.4641), (0.1, 3.1601), (0.2, 2.8788), (0.5, 2.1213)]
)  # fmt: skip
def test_annualising_dependent_returns(rho, expected):
    assert lo_factor_ar1(rho, 12) == pytest.approx(expected, abs=5e-5)
    assert lo_factor([rho**k for k in range(1, 12)], 12) == pytest.approx(expected, abs=5e-5)


def test_another_implementation_agrees():
    measures = pytest.importorskip("skfolio.measures")
    rng = np.random.default_rng(4)
    trials = rng.standard_t(5, (900, 20)) * 0.01 + rng.normal(0.0003, 0.0003, 20)
    ratios = np.array([sharpe_ratio(trials[:, k]) for k in range(20)])
    best = trials[:, ratios.argmax()]
    found = moments(best)
    assert probabilistic_sharpe(found) == pytest.approx(measures.probabilistic_sharpe_ratio(best), abs=1e-12)
    theirs = measures.deflated_sharpe_ratio(best, trial_sharpe_ratios=ratios)
    assert deflated_sharpe(found, 20, float(ratios.var(ddof=1))) == pytest.approx(theirs, abs=1e-12)


def by_the_book(returns: np.ndarray, blocks: int) -> float:
    """The share of splits by loops, as the paper describes them."""
    parts = np.array_split(returns[: len(returns) // blocks * blocks], blocks)
    worse = []
    for chosen in combinations(range(blocks), blocks // 2):
        train = np.concatenate([parts[b] for b in chosen])
        test = np.concatenate([parts[b] for b in range(blocks) if b not in chosen])
        ratios = [[sharpe_ratio(half[:, k]) for k in range(returns.shape[1])] for half in (train, test)]
        best = int(np.argmax(ratios[0]))
        rank = 1 + sum(other < ratios[1][best] for other in ratios[1])
        omega = rank / (returns.shape[1] + 1)
        worse.append(math.log(omega / (1 - omega)) <= 0)
    return float(np.mean(worse))


@pytest.mark.parametrize(("rows", "blocks"), [(203, 8), (160, 6), (40, 4)])
def test_cross_validation_is_that_of_the_book(rows, blocks):
    returns = np.random.default_rng(rows).normal(0.0002, 0.01, (rows, 9))
    found = cscv(returns, blocks)
    assert found.pbo == pytest.approx(by_the_book(returns, blocks))
    assert len(found.logits) == math.comb(blocks, blocks // 2)


def test_noise_is_near_chance_and_a_planted_edge_is_not():
    noise = [cscv(np.random.default_rng(s).normal(0, 0.01, (1000, 60)), 10).pbo for s in range(12)]
    assert 0.4 < np.mean(noise) < 0.6 and np.std(noise) > 0.05
    edge = np.random.default_rng(1).normal(0, 0.01, (1000, 60))
    edge[:, :6] += 0.0015
    found = cscv(edge, 10)
    assert found.pbo < 0.05 and found.loss_probability < 0.05


def test_a_large_constant_shift_keeps_its_digits():
    returns = np.random.default_rng(2).normal(0, 1e-6, (320, 12)) + 0.5
    found = cscv(returns, 8)
    assert found.pbo == pytest.approx(by_the_book(returns, 8))


@pytest.mark.parametrize(
    ("shape", "blocks", "why"), [((100, 1), 4, "fewer than two"), ((100, 3), 5, "even"), ((7, 3), 4, "too few")]
)  # fmt: skip
def test_what_cannot_be_cross_validated(shape, blocks, why):
    with pytest.raises(ValueError, match=why):
        cscv(np.zeros(shape), blocks)


def test_a_trial_that_never_moves_has_a_ratio_of_zero():
    assert moments(np.zeros(10)) == Moments(0.0, 0.0, 3.0, 10)
    assert moments(np.full(10, 0.1)).sharpe == 0.0
    assert cscv(np.zeros((64, 3)), 4).out_of_sample.tolist() == [0.0] * 6


def test_intervals_hold_the_figure_and_repeat_with_the_seed():
    returns = np.random.default_rng(3).normal(0.0006, 0.01, 750)
    found = intervals(returns, 252, repetitions=200)
    assert found.sharpe.low < found.sharpe.value < found.sharpe.high
    assert 0 < found.max_drawdown.low < found.max_drawdown.high < 1
    assert found == intervals(returns, 252, repetitions=200)
    assert found.sharpe.value == pytest.approx(sharpe_ratio(returns) * math.sqrt(252))


def test_drawdown_counts_the_first_loss():
    assert max_drawdown(np.array([-0.1, 0.2, -0.5])) == pytest.approx(0.5)
    assert max_drawdown(np.array([-0.1, 0.2])) == pytest.approx(0.1)
