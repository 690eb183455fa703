"""``walk-forward``: parameters chosen on the past only, and traded in the window after it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from commands.composition import command
from commands.options import DataOptions, ScreenOptions, SeedOptions, SettingsOptions, UniverseOptions, a_count, a_whole
from commands.research.context import prepared
from commands.research.optimise import SearchOptions, WorkerOptions, planned
from commands.research.progress import progress
from commands.runs.request import merged
from commands.screen import console, show_json
from config.research import research
from config.values.counting import counted

DEFAULTS = research().walk_forward


@command(
    "risk-first walk-forward --grid exits.models.fixed.stop_frac=0.03,0.05 --start 2016-01-04 --out walk",
    "risk-first walk-forward --train 1Y --test 3M --anchored --search ranges.yaml --trials 40 --out walk",
)
def walk_forward(
    search: SearchOptions,
    universe: UniverseOptions,
    chosen: SettingsOptions,
    data: DataOptions,
    seed: SeedOptions,
    workers: WorkerOptions,
    screen: ScreenOptions,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the walk; an unfinished one is gone on with.")],
    train: Annotated[str, typer.Option(metavar="LENGTH", help="Training window: a number and D, W, M or Y.")] = (
        DEFAULTS.train
    ),
    test: Annotated[str, typer.Option(metavar="LENGTH", help="Test window after it.")] = DEFAULTS.test,
    anchored: Annotated[bool, typer.Option("--anchored", help="Training begins at the start and grows.")] = False,
    purge: Annotated[
        int | None, typer.Option(parser=a_whole, metavar="N", help="Sessions more to leave out before a test.")
    ] = None,
    embargo: Annotated[
        int | None,
        typer.Option(
            parser=a_whole,
            metavar="N",
            help=f"Sessions left out between train and test (default: {DEFAULTS.embargo_sessions}).",
        ),
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option(
            parser=a_count, metavar="N", help=f"Trials of each window, with --search (default: {DEFAULTS.trials})."
        ),
    ] = None,
) -> int:
    """Choose on the past, trade the next window, and so on.

    Parameters are chosen on each training window and traded in the test window after it; what was traded is judged.
    One account trades all test windows; what is open at a seam is kept under the settings it was opened with. Every
    trial of every window is registered and counted for good, and so is, as one trial, the test of what was chosen.
    """
    from backtests.research.search.executors import executor
    from backtests.research.search.registry import TrialRegistry
    from backtests.research.search.walk_forward import walk_forward as carried_out
    from backtests.research.search.windows import span, windows

    lengths = span(train, "--train"), span(test, "--test")
    if search.search is not None and trials is None:
        trials = DEFAULTS.trials
    space, plan = planned(search, seed, trials)
    found = prepared(merged(universe, chosen, data, seed, screen, mode="backtest"))
    context = found.context
    cut = windows(
        context.table,
        context.start,
        context.end,
        *lengths,
        anchored=anchored,
        purge=purge or 0,
        embargo=DEFAULTS.embargo_sessions if embargo is None else embargo,
        min_train_bars=DEFAULTS.min_train_bars,
    )
    each = space.size if space.grid is not None else plan.trials
    at_once = workers.workers or os.cpu_count() or 1
    with (
        executor(at_once, workers.cluster) as where,
        progress((each or 0) * len(cut), "trial", found.request.quiet, at_once) as bar,
    ):
        done = carried_out(
            out,
            context,
            cut,
            space,
            plan,
            where,
            TrialRegistry(workers.registry),
            found.data.hash,
            bar.update,
            found.data.notes,
        )
    document = done.document
    if screen.json:
        show_json(document)
        return 0
    figures = document["metrics"]
    efficiency = document["efficiency"]
    lines = (
        f"{document['verdict']}: {document['sentence']}",
        f"out of sample {document['test_start'][:10]} to {document['test_end'][:10]}: return "
        f"{figures['total_return'] or 0:z.1%}, drawdown {figures['max_drawdown'] or 0:.1%}, "
        f"{counted(figures['trades'], 'trade')}",
        f"return a year, test over train: {'–' if efficiency is None else f'{efficiency:.2f}'}; "
        f"{document['trials']} trials and 1 of the test windows together; {document['trials_ever']} ever on these data",
        f"{out / 'report.html'}",
    )
    console(screen.json).print("\n".join(lines), highlight=False, soft_wrap=True)
    return 0
