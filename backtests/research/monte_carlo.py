"""How much of a run is the timing of its entries, and how much of its drawdown the order of its trades.

A random strategy has the signals' own entries shifted to another time: as many are proposed, in the same symbols, as
long and as much together, with the same sizes, risk rules and exits. If many of them did as well, the signals' timing
added nothing. Rules that read the market refuse more of the shifted entries, so that a random strategy makes fewer
trades.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from backtests.replay.engine import ReplayRun, undisturbed
from backtests.reports.metrics import curve_metrics, excess_returns, session_closes
from backtests.research.search.executors import Executor
from backtests.research.search.trials import TrialContext, from_one_state, settings_with
from backtests.research.statistics import moves
from market.market import Market
from strategies.ensemble import Candidate, Ensemble


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run's figures; ``sharpe`` a year's, ``total_return`` and ``max_drawdown`` fractions of 1.

    ``sharpe`` is 0, to rank by, where nothing moved; ``too_short`` says that the window is too short for a ratio.
    ``refused`` are the entries that were proposed and that a rule refused.
    """

    sharpe: float
    total_return: float
    max_drawdown: float
    trades: int
    refused: int
    too_short: bool = False


@dataclass(frozen=True, slots=True)
class MonteCarlo:
    """``better`` is the share of random strategies with a Sharpe ratio at least that of the run, in (0, 1].

    It is None where the window is too short for a ratio.
    ``shuffled_drawdowns`` are those of the run's closed trades in random orders, USD, shape ``(runs,)``.
    """

    run: Outcome
    random: list[Outcome]
    better: float | None
    better_return: float
    drawdown_usd: float
    shuffled_drawdowns: np.ndarray


class _Moved(Ensemble):
    """Candidates at the bars they were moved to."""

    def __init__(self, ensemble: Ensemble, found: dict[int, list[Candidate]]) -> None:
        super().__init__(ensemble.signals, ensemble.config, ensemble.min_score)
        self.voting = False
        self._found = found

    def candidates(self, market: Market, eligible: np.ndarray, held: Callable[[str], bool]) -> list[Candidate]:
        return [c for c in self._found.get(market.row, ()) if not held(c.symbol)]


def monte_carlo(
    context: TrialContext, runs: int, seed: int, executor: Executor, on_run: Callable[[int], Any] = lambda _: None
) -> MonteCarlo:
    """Compare a run with random strategies and its trades with themselves in other orders.

    Parameters
    ----------
    context : TrialContext
    runs : int
        Random strategies, and random orders of the trades.
    seed : int
    executor : Executor
    on_run : callable, optional
        Told 1 for each random strategy that has just ended.
    """
    own, pnl = from_one_state(_own, context, settings_with(context.settings, {}), None)
    found: list[Outcome] = []
    for outcome in executor.map(run_random, context, [(seed, number) for number in range(runs)]):
        found.append(outcome)
        on_run(1)
    # All have the same window.
    short = any(outcome.too_short for outcome in (own, *found))
    rng = np.random.default_rng(seed)
    shuffled = np.array([_fall(rng.permutation(pnl)) for _ in range(runs)]) if len(pnl) else np.zeros(runs)
    return MonteCarlo(
        run=own,
        random=found,
        better=None if short else _share(sum(o.sharpe >= own.sharpe for o in found), runs),
        better_return=_share(sum(o.total_return >= own.total_return for o in found), runs),
        drawdown_usd=_fall(pnl),
        shuffled_drawdowns=shuffled,
    )


def run_random(context: TrialContext, which: tuple[int, int]) -> Outcome:
    """One random strategy, by the study's seed and its own number."""
    return from_one_state(_random, context, settings_with(context.settings, {}), which)


def _random(context: TrialContext, which: tuple[int, int]) -> Outcome:
    run = _prepared(context)
    run.pipeline.ensemble = _Moved(run.pipeline.ensemble, _moved(run, random.Random(f"{which[0]}-{which[1]}")))
    return _outcome(run, context)


def _own(context: TrialContext, _: None) -> tuple[Outcome, np.ndarray]:
    run = _prepared(context)
    outcome = _outcome(run, context)
    return outcome, np.array([trade.pnl for trade in run.record.trades])


def _prepared(context: TrialContext) -> ReplayRun:
    with undisturbed():
        return ReplayRun(
            settings_with(context.settings, {}),
            context.table,
            context.start,
            context.end,
            columns=context.columns,
            brief=True,
        )


def _outcome(run: ReplayRun, context: TrialContext) -> Outcome:
    with undisturbed():
        run.run()
    closes = session_closes(run.record)
    figures = curve_metrics(closes, context.sessions_per_year, context.cash_rate)
    short = figures["sharpe"] is None and moves(excess_returns(closes, context.cash_rate))
    sharpe, total, fall = (float(figures[name] or 0.0) for name in ("sharpe", "total_return", "max_drawdown"))
    refused = sum(decision.outcome == "refused" for decision in run.record.decisions)
    return Outcome(sharpe, total, fall, len(run.record.trades), refused, short)


def _moved(run: ReplayRun, generator: random.Random) -> dict[int, list[Candidate]]:
    """The run's candidates shifted in time, around the end to the beginning.

    All symbols are shifted by one random share of the window, each over the bars at which it can be entered: a signal
    that stays on for days still does, and symbols that fire together still do, at another time.
    """
    features = run.feed.features
    table = features.bars
    first = max(0, int(table.opens_at.searchsorted(run.times[0])) - 1)
    last = int(table.opens_at.searchsorted(run.times[-1])) - 1
    eligible = np.array([symbol in run.pipeline.universe for symbol in table.symbols], dtype=bool)
    usable = features.columns["usable"]
    bars = {s: np.flatnonzero(usable[first : last + 1, k]) + first for s, k in features.index.items()}
    share = generator.random()
    moved: dict[int, list[Candidate]] = defaultdict(list)
    for row in range(first, last + 1):
        market = features.market_at_row(row, table.opens_at[row])
        for candidate in run.pipeline.ensemble.candidates(market, eligible & usable[row], lambda _: False):
            if not candidate.refusal:
                mine = bars[candidate.symbol]
                place = int(mine.searchsorted(row)) + int(share * len(mine))
                moved[int(mine[place % len(mine)])].append(candidate)
    return {row: _distinct(found) for row, found in moved.items()}


def _distinct(found: list[Candidate]) -> list[Candidate]:
    """Best first, each symbol once."""
    best: dict[str, Candidate] = {}
    for candidate in sorted(found, key=lambda c: (-c.score, c.symbol)):
        best.setdefault(candidate.symbol, candidate)
    return list(best.values())


def _share(count: int, runs: int) -> float:
    """With the run itself among the random ones, so that no finite number of runs gives a share of 0."""
    return (count + 1) / (runs + 1)


def _fall(pnl: np.ndarray) -> float:
    curve = np.concatenate([[0.0], np.cumsum(pnl)])
    return float((np.maximum.accumulate(curve) - curve).max())
