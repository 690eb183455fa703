#!/usr/bin/env python
"""Rehearse some days, check that all books agree at the end, and compare the decisions with the backtester's."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import typer

from commands.composition import command
from commands.options import (
    DataOptions,
    FolderOptions,
    PaceOptions,
    ScreenOptions,
    SeedOptions,
    SettingsOptions,
    SpeedOptions,
    UniverseOptions,
)
from commands.runs.request import RunArguments, merged, requested, settled
from config import Refusal

BAR_MINUTES = 5


@command("tools/drills/rehearse_days.py --data bars.parquet --start 2022-11-10 --end 2022-11-11 --out runs/days")
def rehearse_days(
    universe: UniverseOptions,
    chosen: SettingsOptions,
    data: DataOptions,
    speed: SpeedOptions,
    pace: PaceOptions,
    seed: SeedOptions,
    folder: FolderOptions,
    screen: ScreenOptions,
    inverse: Annotated[bool, typer.Option("--inverse", help="Add the synthetic SYN_INV_SPY, made from SPY.")] = False,
) -> int:
    """Rehearse some days, check that all books agree at the end, and compare the decisions with the backtester's.

    The bars are first laid on the venue's grid (regular hours, cents) and written to DIR/bars.parquet, from which
    both runs read; DIR/live and DIR/backtest are their folders. --data FILE, --start and --out are needed.

    Exit status: 0 done, 1 books disagree or a difference is unexplained, 2 refused the input.
    """
    return _rehearse(merged(universe, chosen, data, speed, pace, seed, folder, screen), inverse)


def _rehearse(arguments: RunArguments, inverse: bool) -> int:
    if arguments.out is None or arguments.start is None or arguments.data is None or not Path(arguments.data).is_file():
        raise Refusal("--data FILE, --start and --out are needed here")
    # Lumibot takes seconds to import, so nothing above may reach it.
    from rich.console import Console

    from backtests.checks.comparison import compare
    from backtests.checks.comparison_report import counts_table, markdown
    from backtests.cli_run import run
    from backtests.data.bar_files import read_bars
    from backtests.data.session_bars import session_bars, with_inverse
    from backtests.live.live_runs import run_live
    from backtests.live.rehearsal_monitor import RehearsalWatch
    from backtests.reports.run_files import prepare_folder
    from config.environment import own_the_run

    folder = prepare_folder(arguments.out, arguments.overwrite)
    bars = session_bars(read_bars(arguments.data, end=arguments.end), BAR_MINUTES)
    data = folder / "bars.parquet"
    (with_inverse(bars) if inverse else bars).to_parquet(data)
    own_the_run()
    console, watch = Console(), RehearsalWatch()
    # Both are settled before the first runs: what it takes an hour for must not end at a typing error.
    live = replace(arguments, data=str(data), mode="rehearse", out=folder / "live")
    tested = replace(live, mode="backtest", out=folder / "backtest", speed=None, sleeptime=None)
    rehearsal, backtest = requested(live, *settled(live)), requested(tested, *settled(tested))
    status = run_live(rehearsal, console, watch)
    console.print(watch.table())
    for line in watch.disagreements:
        console.print(f"[red]disagreement:[/] {line}")
    status = status or run(backtest, console)
    if status:
        return status
    result = compare(folder / "live", folder / "backtest")
    (folder / "comparison.md").write_text(markdown(result), encoding="utf-8")
    console.print(counts_table(result))
    return 1 if watch.disagreements or result.unexplained else 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    return rehearse_days.main(argv, Path(__file__).name)


if __name__ == "__main__":
    sys.exit(main())
