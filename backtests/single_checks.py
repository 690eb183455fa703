"""What the command line asks of a strategy besides a run: one decision, and whether any depends on later data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

import pandas as pd
from rich.console import Console
from rich.progress import Progress

from backtests.apart import apart
from backtests.checks.lookahead import Readings, Report, Runner, check, read
from backtests.data.data_sets import DataSet
from backtests.documents import lookahead_document, scan_document, show_document
from backtests.execution import execute
from backtests.request import Engine, RunRequest
from backtests.run_result import RunResult
from backtests.scan_screen import show_scan
from config import Settings
from config.errors import Refusal
from config.values.counting import counted
from market.bars import BarTable

OWN_DATA = (
    "not covered: data that a signal or a rule reads by itself, from the network or a file, one that an earlier run "
    "wrote included; only bars are altered, and each run starts anew in a process of its own"
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


@dataclass(frozen=True, slots=True)
class _Rerun:
    """The run on another table; a class, so that a process that is no copy of this one can be given it."""

    data: DataSet
    chosen: type[Any] | None
    settings: Settings
    start: pd.Timestamp
    end: pd.Timestamp
    engine: Engine

    def __call__(self, table: BarTable) -> RunResult:
        altered, last = replace(self.data, table=table), min(self.end, table.opens_at[-1])
        return execute(altered, self.chosen, self.settings, self.start, last, altered=True, engine=self.engine)


def check_lookahead(
    request: RunRequest,
    data: DataSet,
    chosen: type[Any] | None,
    start: pd.Timestamp,
    end: pd.Timestamp,
    console: Console,
) -> int:
    """Look for decisions that depend on later data; exit status 1 if there are any."""
    rerun = _Rerun(data, chosen, request.settings, start, end, request.engine)
    if request.engine == "lumibot":
        # Loaded once, by this process: those of the runs are copies of it.
        import_module("backtests.engine")
    # Without a thread that draws: only a process of one thread is copied safely.
    with Progress(console=console, transient=True, disable=request.quiet, auto_refresh=False) as progress:
        report = check(rerun, data.table, start, end, request.lookahead, request.seed, progress.track, _read_apart)
    if request.json:
        show_document(lookahead_document(report))
        return 0 if report.clean else 1
    cuts = ", ".join(f"{cut:%Y-%m-%d %H:%M}" for cut in report.cuts)
    console.print(f"cuts: {cuts}", highlight=False)
    console.print(f"compared: {report.decisions:,} decisions, {report.features:,} feature values", highlight=False)
    console.print(_short_looks(report, data.table), highlight=False, soft_wrap=True)
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


def _read_apart(run: Runner, table: BarTable) -> Readings:
    # What own code keeps in a module or a class would go from the run on all bars to those on fewer.
    return apart(read, run, table)


def _short_looks(report: Report, table: BarTable) -> str:
    """How much of the window a look of one bar ahead would show in: less than the decisions compared seem to say."""
    unit = "sessions" if table.daily else "bars"
    tested = len(report.cuts)
    return (
        f"looks of one bar ahead were tested at {tested:,} of {report.bars:,} {unit}, the last before each cut; "
        f"--cuts N tests at more"
    )
