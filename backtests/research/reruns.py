"""One configuration again without each of its risk rules, and over several assumptions about fills."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from backtests.research.search.executors import Executor
from backtests.research.search.trials import Trial, TrialContext, run_trial
from config.errors import Refusal


@dataclass(frozen=True, slots=True)
class BillLine:
    """What the run is without one rule; ``without`` is refused where the rest can't run by itself."""

    module: str
    without: Trial

    def document(self, whole: Trial) -> dict[str, Any]:
        """``return_cost`` is what the rule cost in return, ``drawdown_saved`` what it saved, fractions of 1."""
        w = self.without
        if w.refused:
            return {"module": self.module, "refused": w.refused}
        return {
            "module": self.module,
            "return_cost": w.total_return - whole.total_return,
            "drawdown_saved": w.max_drawdown - whole.max_drawdown,
            "sharpe_change": whole.sharpe - w.sharpe if whole.sharpe_known and w.sharpe_known else None,
            "trades_without": w.trades,
            "return_without": w.total_return,
            "drawdown_without": w.max_drawdown,
        }


def risk_bill(
    context: TrialContext, executor: Executor, on_trial: Callable[[int], Any] = lambda _: None
) -> tuple[Trial, list[BillLine]]:
    """The run with all its rules, and without each.

    Raises
    ------
    Refusal
        If the run itself can't be made or there is no rule in its chain.
    """
    chain = list(context.settings["risk"]["chain"])
    if not chain:
        raise Refusal("risk.chain is empty: there is no rule to leave out; name some, or choose another --profile")
    items: list[dict[str, Any]] = [{}, *(without(chain, name) for name in chain)]
    whole, *others = _told(executor, context, items, on_trial)
    if whole.refused:
        raise Refusal(whole.refused)
    return whole, [BillLine(name, trial) for name, trial in zip(chain, others, strict=True)]


def without(chain: Sequence[str], name: str) -> dict[str, Any]:
    """The setting that leaves one rule out of a chain."""
    return {"risk.chain": [module for module in chain if module != name]}


@dataclass(frozen=True, slots=True)
class BandCell:
    """The run under one assumption; slippage in hundredths of a percent, the fee a fraction of the traded value."""

    slippage_bps: float
    fee_frac: float
    trial: Trial


def band(
    context: TrialContext,
    slippage_bps: Sequence[float],
    fee_frac: Sequence[float],
    executor: Executor,
    on_trial: Callable[[int], Any] = lambda _: None,
) -> list[BandCell]:
    """The run over every combination of slippage (of market and stop orders) and fee, of limits that rest too."""
    pairs = list(itertools.product(slippage_bps, fee_frac))
    items: list[dict[str, Any]]
    items = [{"fills.market_slippage_bps": s, "fills.stop_slippage_bps": s, "fills.fee_frac": f} for s, f in pairs]
    if context.settings["fills"]["maker_fee_frac"] is not None:
        # A fee of their own would stay the same in every run.
        items = [{**item, "fills.maker_fee_frac": None} for item in items]
    trials = _told(executor, context, items, on_trial)
    for trial in trials:
        if trial.refused:
            raise Refusal(trial.refused)
    return [BandCell(s, f, trial) for (s, f), trial in zip(pairs, trials, strict=True)]


def spread(trials: Sequence[Trial], name: str) -> list[float] | None:
    """Lowest and highest of a figure; None where no trial has it."""
    known = [value for trial in trials if (value := getattr(trial, name)) is not None]
    return [min(known), max(known)] if known else None


def _told(
    executor: Executor, context: TrialContext, items: Sequence[dict[str, Any]], on_trial: Callable[[int], Any]
) -> list[Trial]:
    trials = []
    for trial in executor.map(run_trial, context, items):
        trials.append(trial)
        on_trial(1)
    return trials
