#!/usr/bin/env python
"""Rehearse some days, check that all books agree at the end, and compare the decisions with the backtester's.

Usage: rehearse_days.py --data FILE --start YYYY-MM-DD --end YYYY-MM-DD --out DIR [arguments of live_trader.py]

The bars are first laid on the venue's grid (regular hours, cents) and written to DIR/bars.parquet, from which
both runs read; DIR/live and DIR/backtest are their folders. --inverse adds the synthetic SYN_INV_SPY.
Exit status: 0 done, 1 books disagree or a difference is unexplained, 2 refused the input.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import live_trader
from backtests.data.bar_files import read_bars
from backtests.data.session_bars import session_bars, with_inverse
from backtests.reports.outputs import prepare_folder
from config import Refusal
from config.environment import own_the_run
from config.errors import exit_status

NOT_HERE = ("once", "scan", "lookahead", "show_config")
BAR_MINUTES = 5


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    return exit_status(lambda: _run(argv))


def _run(argv: Sequence[str] | None) -> int:
    parser = live_trader.parser()
    parser.prog = Path(__file__).name
    parser.add_argument("--inverse", action="store_true", help="add the synthetic SYN_INV_SPY, made from SPY")
    args = parser.parse_args(argv)
    for name in (args.mode, *NOT_HERE):
        if name and getattr(args, name, True):
            raise Refusal(f"--{name.replace('_', '-')}: this script chooses what is run; leave it out")
    if args.out is None or args.start is None or args.data is None or not Path(args.data).is_file():
        raise Refusal("--data FILE, --start and --out are needed here")
    folder = prepare_folder(args.out, args.overwrite)
    bars = session_bars(read_bars(args.data, end=args.end), BAR_MINUTES)
    data = folder / "bars.parquet"
    (with_inverse(bars) if args.inverse else bars).to_parquet(data)
    args.data = str(data)
    own_the_run()
    # Lumibot takes seconds to import, so nothing above may reach it.
    from rich.console import Console

    from backtests.checks.comparison import compare
    from backtests.checks.comparison_report import counts_table, markdown
    from backtests.cli_run import run
    from backtests.live_runs import run_live
    from backtests.rehearsal_monitor import RehearsalWatch

    console, watch = Console(), RehearsalWatch()
    # Both are settled before the first runs: what it takes an hour for must not end at a typing error.
    args.mode, args.out = "rehearse", folder / "live"
    rehearsal = live_trader._request(args, *live_trader._settings(args))
    args.mode, args.out, args.speed, args.sleeptime = "backtest", folder / "backtest", None, None
    backtest = live_trader._request(args, *live_trader._settings(args))
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


if __name__ == "__main__":
    sys.exit(main())
