"""The report of a walk-forward: verdict, curve out of sample, windows, and how far the chosen settings moved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from backtests.research import page
from backtests.research.overfit import figure
from config.values.counting import counted

if TYPE_CHECKING:
    from backtests.research.search.trials import Chosen


def walk_report(
    document: dict[str, Any], chosen: Sequence[Chosen], measured: Sequence[dict[str, Any]], closes: pd.Series
) -> str:
    """The page; ``closes`` is the equity out of sample by session."""
    seams = [int(closes.index.searchsorted(c.window.test_start)) for c in chosen[1:]]
    figures = document["metrics"]
    efficiency = document["efficiency"]
    parts = [
        page.paragraph(f"{document['verdict']}: {document['sentence']}", "verdict"),
        page.paragraph(
            f"{counted(document['trials'], 'trial')} in {counted(document['windows'], 'window')} and 1 of the test "
            f"windows together; {document['trials_ever']} ever on these data; "
            f"{counted(document['walk_forwards_ever'], 'walk-forward')} ever. Past results promise nothing.",
            "note",
        ),
        page.heading("Equity out of sample, windows divided by dashed lines"),
        page.curve(closes.tolist(), document["test_start"][:10], document["test_end"][:10], seams),
        page.heading("Figures"),
        page.table(
            ["figure", "value"],
            [
                ["total return", _percent(figures["total_return"])],
                ["return a year", _percent(figures["cagr"])],
                ["Sharpe ratio a year", figures["sharpe"]],
                ["largest drawdown", _percent(figures["max_drawdown"])],
                ["trades", figures["trades"]],
                ["probability that the Sharpe ratio is above 0", document["psr"]],
                ["the same, deflated for the walk-forwards ever made", document["dsr"]],
                ["return a year, test over train", "–" if efficiency is None else f"{efficiency:.2f}"],
                ["windows above zero", _percent(document["windows_above_zero"])],
                ["deviation of the windows' Sharpe ratios", document["sharpe_deviation"]],
            ],
        ),
        page.heading("Windows"),
        page.table(
            ["test", "trial", "train Sharpe", "train return", "test Sharpe", "test return", "test drawdown", "trades"],
            [
                [
                    f"{c.window.test_start:%Y-%m-%d} to {c.window.test_end:%Y-%m-%d}",
                    c.number,
                    figure(c.trial.told_sharpe, ".2f"),
                    _percent(c.trial.total_return),
                    figure(m["sharpe"], ".2f"),
                    _percent(m["total_return"]),
                    _percent(m["max_drawdown"]),
                    m["trades"],
                ]
                for c, m in zip(chosen, measured, strict=True)
            ],
        ),
        page.heading("Chosen settings from window to window"),
        page.table(
            ["setting", *[f"{c.window.test_start:%Y-%m}" for c in chosen], "share of the usual"],
            [
                [key, *[page.told(v) for v in entry["values"]], _percent(entry["usual_share"])]
                for key, entry in document["parameters"].items()
            ],
        ),
    ]
    fills = ", ".join(f"{name} {value:g}" for name, value in document["fill_assumptions"].items())
    parts.append(page.paragraph(f"Fills as assumed: {fills}. " + " ".join(document["notes"]), "note"))
    return page.page(f"Walk-forward {document['study']}", parts)


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:z.1%}"
