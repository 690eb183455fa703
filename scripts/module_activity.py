#!/usr/bin/env python
"""Run a backtest and print how often each rule acted in it, and when it first did.

Usage: module_activity.py [--markdown] [arguments of live_trader.py --backtest]

    module_activity.py --profile swing --data bars.parquet --start 2022-01-03

No files are written. Exit status: 0 done, 2 refused the input.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import live_trader
from config import Refusal
from config.environment import own_the_run
from config.errors import exit_status

PIPE_WIDTH = 120
NOT_HERE = ("once", "scan", "lookahead", "show_config", "out", "overwrite", "draw_all", "scoreboard")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    return exit_status(lambda: _run(argv))


def _run(argv: Sequence[str] | None) -> int:
    parser = live_trader.parser()
    parser.prog = Path(__file__).name
    parser.add_argument("--markdown", action="store_true", help="as a markdown table")
    args = parser.parse_args(argv)
    if args.mode not in {None, "backtest"}:
        raise Refusal(f"--{args.mode}: activity is counted in backtests only; leave it out or give --backtest")
    for name in NOT_HERE:
        if getattr(args, name):
            raise Refusal(f"--{name.replace('_', '-')}: only counts are printed here; leave it out")
    args.mode = "backtest"
    mode, settings = live_trader._settings(args)
    request = live_trader._request(args, mode, settings)
    live_trader._refuse_what_is_missing(request, chosen=True)
    own_the_run()
    # Lumibot takes seconds to import, so nothing above may reach it.
    from rich.console import Console

    from backtests.cli_run import data_for, execute
    from backtests.data.data_sets import window
    from backtests.reports.activity import Tightening, activity, activity_markdown, activity_table
    from strategies.registry import strategy_class

    chosen = strategy_class(request.strategy)
    tightened: list[Tightening] = []

    def watched(self: Any) -> None:
        chosen.on_trading_iteration(self)
        tightened.extend((self.plan.time, change) for change in self.plan.adjustments if change.kind == "tighten")

    data = data_for(request, settings)
    start, end = window(data, request.start, request.end)
    watching = type(chosen.__name__, (chosen,), {"on_trading_iteration": watched})
    result = execute(data, watching, settings, start, end, progress=not request.quiet)
    rows = activity(result.record, result.strategy.pipeline.chain, tightened)
    title = f"{request.strategy}, profile {request.profile}, {data.source}, {start:%Y-%m-%d} to {end:%Y-%m-%d}"
    if args.markdown:
        print(f"{title}\n\n{activity_markdown(rows)}", end="")
    else:
        # Into a pipe rich would write 80 columns, too few for the dates.
        Console(width=None if sys.stdout.isatty() else PIPE_WIDTH).print(activity_table(rows, title))
    return 0


if __name__ == "__main__":
    sys.exit(main())
