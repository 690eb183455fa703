"""One backtest from the command line: data in, run, files and summary out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.live import Live

from backtests.data.data_sets import window
from backtests.documents import run_document, show_document
from backtests.execution import chosen_strategy, execute
from backtests.interruption import Interruption
from backtests.reports.order_outcomes import with_outcomes
from backtests.reports.outputs import write_figures, write_report
from backtests.reports.run_files import default_folder, prepare_folder, unused
from backtests.reports.scoreboard import scoreboard_of
from backtests.reports.summary_screen import show_files, show_summary
from backtests.request import RunRequest
from backtests.run_data import data_for
from backtests.run_description import describe
from backtests.run_inputs import write_inputs
from backtests.run_result import RunResult
from backtests.single_checks import check_lookahead, one_iteration
from config.errors import EXIT_FAILED
from strategies.adapt_to_bars import fit
from strategies.registry import build_pipeline


def run(request: RunRequest, console: Console) -> int:
    """Carry out a backtest request; returns the exit status.

    Raises
    ------
    Refusal
        Before anything is simulated, for data or settings that can't be used.
    """
    settings = request.settings
    began = time.perf_counter()
    data = data_for(request, settings)
    start, end = window(data, request.start, request.end, settings.pace.day)
    # The run does so for itself; what it would refuse must be known before its folder is made.
    fit(build_pipeline(settings), data.table, settings)
    chosen = chosen_strategy(request)
    took = time.perf_counter() - began
    if request.once:
        return one_iteration(request, data, chosen, end, console)
    if request.lookahead:
        return check_lookahead(request, data, chosen, start, end, console)
    request = placed(request, start.date())
    assert request.out is not None
    folder = prepare_folder(request.out, request.overwrite)
    with _naming(folder):
        write_inputs(folder, request, data.hash)
    interruption = Interruption()
    failed = ""
    with interruption.listening():
        result = execute(
            data,
            chosen,
            settings,
            start,
            end,
            engine=request.engine,
            progress=not request.quiet,
            interruption=interruption,
        )
    result.record.decisions = with_outcomes(result.record)
    reached = _reached(result, start) if result.interrupted else end
    info = describe(request, data, result, start, reached, {"data": took, "engine": result.seconds})
    if result.interrupted:
        info = replace(info, notes=(_unfinished(result.interrupted, reached, end), *info.notes))
    with _naming(folder):
        figures = write_figures(folder, result.record, info)
        if not request.json:
            show_summary(console, result.record, info, figures)
        if request.scoreboard:
            console.print(scoreboard_of(result.record, settings.universe.sectors))
        if request.report and not result.interrupted:
            # Without a thread that refreshes it: a process of several cannot be copied for its tearsheet.
            with Live("drawing the report", console=console, auto_refresh=False, transient=True):
                failed = write_report(folder, result.record, info, result.table, figures, request.draw_all)
    if request.json:
        show_document(run_document(folder))
    else:
        show_files(console, info, folder)
    if failed:
        console.print(failed, style="red", highlight=False, soft_wrap=True)
    return EXIT_FAILED if failed or result.interrupted else 0


def placed(request: RunRequest, start: date) -> RunRequest:
    """The request with the folder it writes into: a new one unless ``--out`` or ``--overwrite`` says otherwise.

    ``start`` is the first day that is run.
    """
    if request.out is not None:
        return request
    first = default_folder(request.mode, request.profile, start)
    return replace(request, out=first if request.overwrite else unused(first))


@contextmanager
def _naming(folder: Path) -> Iterator[None]:
    """Name the folder in what the system says of a file that could not be written."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(error.filename or folder)) from error


def _reached(result: RunResult, start: pd.Timestamp) -> pd.Timestamp:
    """The last bar that an interrupted run decided on."""
    rows = result.record.equity
    return pd.Timestamp(rows[-1].time) if rows else start


def _unfinished(signal: str, reached: pd.Timestamp, end: pd.Timestamp) -> str:
    return (
        f"Interrupted by {signal} at {reached:%Y-%m-%d %H:%M}, before the end of its window, {end:%Y-%m-%d}: these are "
        "not the figures of the whole run."
    )
