"""What the command line asks of a strategy besides a run: one decision, and whether any depends on later data."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd
from rich.console import Console
from rich.progress import Progress

from backtests.checks.lookahead import check
from backtests.data.data_sets import DataSet
from backtests.documents import lookahead_document, scan_document, show_document
from backtests.execution import execute
from backtests.request import RunRequest
from backtests.run_result import RunResult
from backtests.scan_screen import show_scan
from config.errors import Refusal
from config.values.counting import counted
from market.bars import BarTable

OWN_DATA = (
    "not covered: data that a signal or a rule reads by itself, from a file or the network; only bars are altered"
)


def one_iteration(
    request: RunRequest, data: DataSet, chosen: type[Any] | None, at: pd.Timestamp, console: Console
) -> int:
    """Decide once, at the opening of the last bar of the window, and show everything that was weighed."""
    if data.table.opens_at[0] == at:
        raise Refusal(f"{data.source}: no bar closes before {at}; give a later --end")
    result = execute(data, chosen, request.settings, at, at, engine=request.engine, submit=not request.scan)
    if request.json:
        show_document(scan_document(result, data, scan=request.scan))
    else:
        show_scan(console, result, data, scan=request.scan)
    return 0


def check_lookahead(
    request: RunRequest,
    data: DataSet,
    chosen: type[Any] | None,
    start: pd.Timestamp,
    end: pd.Timestamp,
    console: Console,
) -> int:
    """Look for decisions that depend on later data; exit status 1 if there are any."""

    def rerun(table: BarTable) -> RunResult:
        last = min(end, table.opens_at[-1])
        altered = replace(data, table=table)
        return execute(altered, chosen, request.settings, start, last, altered=True, engine=request.engine)

    with Progress(console=console, transient=True, disable=request.quiet) as progress:
        report = check(rerun, data.table, start, end, request.lookahead, request.seed, on_run=progress.track)
    if request.json:
        show_document(lookahead_document(report))
        return 0 if report.clean else 1
    cuts = ", ".join(f"{cut:%Y-%m-%d %H:%M}" for cut in report.cuts)
    console.print(f"cuts: {cuts}", highlight=False)
    console.print(f"compared: {report.decisions:,} decisions, {report.features:,} feature values", highlight=False)
    if not report.decisions:
        console.print("nothing was decided before the cuts, so only features were compared", style="yellow")
    for leak in report.leaks:
        console.print(f"LEAK {leak.line}", style="red", highlight=False, soft_wrap=True)
    if report.clean:
        console.print("no look-ahead found", style="green")
        console.print(OWN_DATA, highlight=False, soft_wrap=True)
    else:
        console.print(counted(len(report.leaks), "leak"), style="red")
    return 0 if report.clean else 1
