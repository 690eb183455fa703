"""Parameter search from the data to the folder: trials, verdict, tables and report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from backtests.reports.formatting import to_json_indented, write_text
from backtests.research.bootstrap import intervals
from backtests.research.overfit import Verdict, judge
from backtests.research.search.executors import Executor
from backtests.research.search.registry import TrialRegistry
from backtests.research.search.report import study_report
from backtests.research.search.space import Space
from backtests.research.search.study import Plan, Study, StudyResult
from backtests.research.search.trials import Trial, TrialContext, all_settings, require_keys, session_labels
from backtests.research.tables import csv_rows
from config.research import research
from config.values.counting import counted


@dataclass(frozen=True, slots=True)
class Optimised:
    """A finished search. ``best`` is the number of the trial with the highest objective."""

    study: StudyResult
    best: int
    verdict: Verdict
    document: dict[str, Any]

    @property
    def trial(self) -> Trial:
        """The best trial."""
        return self.study.trials[self.best]


def optimise(
    folder: Path,
    context: TrialContext,
    space: Space,
    plan: Plan,
    executor: Executor,
    registry: TrialRegistry,
    data_hash: str,
    on_trial: Callable[[int], Any] = lambda _: None,
    notes: tuple[str, ...] = (),
) -> Optimised:
    """Carry a search out, or go on with it, and write its files.

    Parameters
    ----------
    folder : Path
        ``summary.json``, ``trials.csv``, ``returns.csv`` and ``report.html`` are written into it.
    context, space, plan, executor, registry, data_hash, on_trial
        See ``Study``.
    notes : tuple of str
        What a reader must know of the data.

    Raises
    ------
    Refusal
        If the search can't be carried out, or every configuration of it was refused.
    """
    known = all_settings(context.settings)
    require_keys(known, list(space.distributions), "--search" if space.grid is None else "--grid")
    space = space.typed(known)
    result = Study(folder, context, space, plan, registry, data_hash).run(executor, on_trial)
    numbers = sorted(result.trials)
    returns = np.column_stack([result.trials[n].returns for n in numbers])
    ever = registry.count(data_hash)
    verdict = judge(
        returns,
        [f"trial {n}" for n in numbers],
        periods=context.sessions_per_year,
        counted=ever,
        trades=[result.trials[n].trades for n in numbers],
    )
    best = max(numbers, key=lambda n: (result.trials[n].objective(plan.objective), -n))
    document = _document(result, best, verdict, context, plan, data_hash, ever, notes)
    write_text(folder / "trials.csv", _trials_csv(result, plan))
    header = ["session", *(str(n) for n in numbers)]
    rows = ([day, *values] for day, values in zip(session_labels(context), returns.tolist(), strict=True))
    write_text(folder / "returns.csv", csv_rows([header, *rows]))
    write_text(folder / "report.html", study_report(document, result, verdict, plan))
    # The summary comes last: where it is, the folder is complete.
    write_text(folder / "summary.json", to_json_indented(document) + "\n")
    return Optimised(result, best, verdict, document)


def _document(
    result: StudyResult,
    best: int,
    verdict: Verdict,
    context: TrialContext,
    plan: Plan,
    data_hash: str,
    ever: int,
    notes: tuple[str, ...],
) -> dict[str, Any]:
    trial = result.trials[best]
    rules = research()
    found = intervals(
        trial.returns,
        context.sessions_per_year,
        rules.bootstrap.repetitions,
        rules.bootstrap.confidence,
        rules.bootstrap.seed,
    )
    judged = verdict.document()
    weak = [
        f"the best trial made {counted(trial.trades, 'trade')}: {rules.overfit.min_trades} are the least to judge by"
    ]
    return {
        "study": result.name,
        "sampler": plan.sampler,
        "seed": plan.seed,
        "objective": plan.objective,
        "data_hash": data_hash,
        "start": context.start.isoformat(),
        "end": context.end.isoformat(),
        "trials": len(result.trials),
        "refused": len(result.refused),
        "failed": result.failed,
        "trials_ever": ever,
        "best": {
            "number": best,
            "parameters": trial.parameters,
            "config_hash": trial.config_hash,
            "sharpe": trial.told_sharpe,
            "sharpe_interval": None if trial.told_sharpe is None else [found.sharpe.low, found.sharpe.high],
            "total_return": trial.total_return,
            "max_drawdown": trial.max_drawdown,
            "max_drawdown_interval": [found.max_drawdown.low, found.max_drawdown.high],
            "trades": trial.trades,
        },
        "dsr": judged["dsr"],
        "pbo": judged["pbo"],
        "psr": judged["psr"],
        "verdict": judged["verdict"],
        "sentence": verdict.sentence(),
        "interval_confidence": rules.bootstrap.confidence,
        "fill_assumptions": {k: v for k, v in context.settings["fills"].items() if v is not None},
        "notes": [*notes, *(weak if trial.trades < rules.overfit.min_trades else [])],
        "seconds": round(result.seconds, 3),
    }


def _trials_csv(result: StudyResult, plan: Plan) -> str:
    keys = list(dict.fromkeys(key for trial in result.trials.values() for key in trial.parameters))
    header = [
        "number",
        "state",
        *keys,
        "objective",
        "sharpe",
        "total_return",
        "max_drawdown",
        "trades",
        "config_hash",
        "reason",
    ]
    rows: list[list[Any]] = [header]
    for number in sorted({*result.trials, *result.refused}):
        trial = result.trials.get(number)
        if trial is None:
            rows.append([number, "refused", *[""] * (len(keys) + 6), result.refused[number]])
            continue
        values = [trial.parameters.get(key, "") for key in keys]
        rows.append(
            [
                number,
                "complete",
                *values,
                trial.objective(plan.objective),
                "" if trial.told_sharpe is None else trial.told_sharpe,
                trial.total_return,
                trial.max_drawdown,
                trial.trades,
                trial.config_hash,
                "",
            ]
        )
    return csv_rows(rows)
