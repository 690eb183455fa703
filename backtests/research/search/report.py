"""The report of a parameter search: verdict, best trials, the surface of the objective, and what the splits said."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from backtests.reports.metrics import SHORTEST_ANNUALISED
from backtests.research import page
from backtests.research.overfit import UNDEFINED, Verdict, figure
from backtests.research.search.study import Plan, StudyResult
from backtests.research.search.trials import Trial
from config.values.counting import counted

SHOWN = 20
MOST_STEPS = 12
"""Values of a searched range are gathered into so many steps of equal count in the map."""


def study_report(document: dict[str, Any], result: StudyResult, verdict: Verdict, plan: Plan) -> str:
    """The page.

    Parameters
    ----------
    document : dict
        The summary.
    result : StudyResult
    verdict : Verdict
    plan : Plan
    """
    best = document["best"]
    parts = [
        page.paragraph(f"{document['verdict']}: {document['sentence']}", "verdict"),
        page.paragraph(
            f"{document['trials']} trials from {document['start'][:10]} to {document['end'][:10]}, "
            f"{document['trials_ever']} ever on these data; {document['refused']} configurations were refused, "
            f"{document['failed']} trials were interrupted. Past results promise nothing.",
            "note",
        ),
        page.heading("Figures"),
        page.table(["figure", "value"], _figures(document, verdict, result.trials[best["number"]].too_short)),
        page.heading("The best trial"),
        page.table(["setting", "value"], [[k, page.told(v)] for k, v in best["parameters"].items()]),
        page.heading(f"The best {min(SHOWN, len(result.trials))} trials by {plan.objective}"),
        _best(result, plan),
    ]
    surface = _surface(list(result.trials.values()), plan.objective)
    if surface:
        parts += [page.heading(f"Mean {plan.objective} over the two settings that move it most"), surface]
    if verdict.cross is not None:
        parts += [
            page.heading("Where the best half's choice came in the other half"),
            page.paragraph(
                f"Logits of the ranks over {len(verdict.cross.logits):,} splits; at or below 0 it was no better "
                f"than the middle. That share is the probability of overfitting, {verdict.cross.pbo:.3f} "
                "(0.5 = chance).",
            ),
            page.histogram(verdict.cross.logits.tolist(), 0.0, "logit of the rank out of sample"),
        ]
    fills = ", ".join(f"{name} {value:g}" for name, value in document["fill_assumptions"].items())
    parts.append(page.paragraph(f"Fills as assumed: {fills}. " + " ".join(document["notes"]), "note"))
    return page.page(f"Parameter search {document['study']}", parts)


def _figures(document: dict[str, Any], verdict: Verdict, too_short: bool) -> list[list[Any]]:
    best = document["best"]
    fall_low, fall_high = best["max_drawdown_interval"]
    share = f"{document['interval_confidence']:.0%}"
    sharpe = f"{UNDEFINED}, as the account never moved"
    if too_short:
        sharpe = f"{UNDEFINED}, as the window is too short: a ratio a year takes {SHORTEST_ANNUALISED} days"
    if best["sharpe"] is not None:
        low, high = best["sharpe_interval"]
        sharpe = f"{best['sharpe']:.2f} ({share} interval {low:.2f} to {high:.2f})"
    track_record, backtest = verdict.lengths("sessions")
    return [
        ["Sharpe ratio a year", sharpe],
        ["total return", f"{best['total_return']:.1%}"],
        ["largest drawdown", f"{best['max_drawdown']:.1%} ({share} interval {fall_low:.1%} to {fall_high:.1%})"],
        ["trades", best["trades"]],
        [
            "deflated Sharpe ratio",
            f"{figure(verdict.dsr, '.3f')}, a probability; {counted(verdict.counted, 'trial')} counted",
        ],
        ["probability of overfitting", verdict.pbo_told()],
        ["shortest backtest", backtest],
        ["shortest track record", track_record],
    ]


def _best(result: StudyResult, plan: Plan) -> str:
    ranked = sorted(result.trials.items(), key=lambda item: (-item[1].objective(plan.objective), item[0]))[:SHOWN]
    keys = list(dict.fromkeys(key for _, trial in ranked for key in trial.parameters))
    rows = [
        [
            str(number),
            *[page.told(trial.parameters.get(key)) for key in keys],
            figure(trial.told_sharpe, ".2f"),
            f"{trial.total_return:.1%}",
            f"{trial.max_drawdown:.1%}",
            trial.trades,
        ]
        for number, trial in ranked
    ]
    short = [key.rpartition(".")[2] for key in keys]
    return page.table(["number", *short, "Sharpe", "return", "drawdown", "trades"], rows)


def _surface(trials: list[Trial], objective: str) -> str:
    """The map over the two settings whose values differ most in their mean objective; empty below two trials."""
    scores = np.array([trial.objective(objective) for trial in trials])
    labels = {key: _steps([trial.parameters.get(key) for trial in trials]) for key in trials[0].parameters}
    moving = [key for key, steps in labels.items() if len(set(steps)) > 1]
    if not moving or len(trials) < 2:
        return ""
    means = {
        key: [scores[[k for k, s in enumerate(labels[key]) if s == step]].mean() for step in set(labels[key])]
        for key in moving
    }
    moving.sort(key=lambda key: -float(np.std(means[key])))
    x, y = moving[0], moving[1] if len(moving) > 1 else ""
    down = labels[y] if y else [""] * len(trials)
    cells: dict[tuple[str, str], list[float]] = defaultdict(list)
    for one, other, score in zip(labels[x], down, scores.tolist(), strict=True):
        cells[other, one].append(score)
    columns, rows = _ordered(labels[x]), _ordered(down)
    values = [[float(np.mean(cells[r, c])) if (r, c) in cells else None for c in columns] for r in rows]
    return page.heat_map(rows, columns, values, x.rpartition(".")[2], y.rpartition(".")[2])


def _steps(values: list[Any]) -> list[str]:
    """Values as labels; many different numbers become ranges of equal count."""
    distinct = set(map(str, values))
    numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
    if len(distinct) <= MOST_STEPS or not numbers:
        return [page.told(v) for v in values]
    array = np.array(values, dtype=float)
    edges = np.unique(np.quantile(array, np.linspace(0, 1, MOST_STEPS // 2 + 1)))
    place = np.clip(np.searchsorted(edges, array, side="right") - 1, 0, len(edges) - 2)
    return [f"{edges[k]:.3g}+" for k in place]


def _ordered(labels: list[str]) -> list[str]:
    def rank(label: str) -> tuple[int, float, str]:
        try:
            return (0, float(label.rstrip("+").replace(",", "")), label)
        except ValueError:
            return (1, 0.0, label)

    return sorted(set(labels), key=rank)
