#!/usr/bin/env python
"""Run a backtest and print how often each rule acted in it, and when it first did."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import typer

from commands.composition import command
from commands.options import DataOptions, KeyOptions, ScreenOptions, SeedOptions, SettingsOptions, UniverseOptions
from commands.runs.request import RunArguments, merged, refuse_what_is_missing, requested, settled

PIPE_WIDTH = 120


@command("tools/module_activity.py --profile swing --data bars.parquet --start 2022-01-03")
def module_activity(
    universe: UniverseOptions,
    chosen: SettingsOptions,
    data: DataOptions,
    keys: KeyOptions,
    seed: SeedOptions,
    screen: ScreenOptions,
    markdown: Annotated[bool, typer.Option("--markdown", help="As a markdown table.")] = False,
) -> int:
    """Run a backtest and print how often each rule acted in it, and when it first did.

    No files are written. Exit status: 0 done, 2 refused the input.
    """
    return _count(merged(universe, chosen, data, keys, seed, screen, mode="backtest"), markdown)


def _count(arguments: RunArguments, markdown: bool) -> int:
    request = requested(arguments, *settled(arguments))
    refuse_what_is_missing(request, chosen=True)
    # Lumibot takes seconds to import, so nothing above may reach it.
    from rich.console import Console

    from backtests.data.data_sets import window
    from backtests.execution import execute
    from backtests.reports.activity import Tightening, activity, activity_markdown, activity_table
    from backtests.run_data import data_for
    from config.process.environment import own_the_run
    from strategies.registry import strategy_class

    own_the_run()
    chosen = strategy_class(request.strategy)
    tightened: list[Tightening] = []

    def watched(self: Any) -> None:
        chosen.on_trading_iteration(self)
        tightened.extend((self.plan.time, change) for change in self.plan.adjustments if change.kind == "tighten")

    data = data_for(request, request.settings)
    start, end = window(data, request.start, request.end, request.settings.pace.day)
    watching = type(chosen.__name__, (chosen,), {"on_trading_iteration": watched})
    result = execute(data, watching, request.settings, start, end, progress=not request.quiet)
    rows = activity(result.record, result.strategy.pipeline.chain, tightened)
    title = f"{request.strategy}, profile {request.profile}, {data.source}, {start:%Y-%m-%d} to {end:%Y-%m-%d}"
    if markdown:
        print(f"{title}\n\n{activity_markdown(rows)}", end="")
    else:
        # Into a pipe rich would write 80 columns, too few for the dates.
        Console(width=None if sys.stdout.isatty() else PIPE_WIDTH).print(activity_table(rows, title))
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    return module_activity.main(argv, Path(__file__).name)


if __name__ == "__main__":
    sys.exit(main())
