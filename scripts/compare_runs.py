#!/usr/bin/env python
"""Compare a live run's decisions with a backtest's of the same days, one by one, each difference by its cause.

Usage: compare_runs.py LIVE_DIR BACKTEST_DIR [--out FILE.md]

Exit status: 0 every difference is explained, 1 one is not, 2 refused the input.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from rich.console import Console

from backtests.checks.comparison import compare
from backtests.checks.comparison_report import counts_table, list_table, markdown
from config.errors import Refusal, exit_status

PIPE_WIDTH = 200


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    return exit_status(lambda: _run(argv))


def _run(argv: Sequence[str] | None) -> int:
    parser = argparse.ArgumentParser(prog=Path(__file__).name, description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("live", type=Path, metavar="LIVE_DIR", help="folder of a rehearse, paper or live run")
    parser.add_argument("backtest", type=Path, metavar="BACKTEST_DIR", help="folder of a backtest of the same days")
    parser.add_argument("--out", type=Path, metavar="FILE.md", help="write it down too")
    args = parser.parse_args(argv)
    found = compare(args.live, args.backtest)
    console = Console(width=None if sys.stdout.isatty() else PIPE_WIDTH)
    console.print(list_table(found))
    console.print(counts_table(found))
    if args.out is not None:
        try:
            args.out.write_text(markdown(found), encoding="utf-8")
        except OSError as error:
            raise Refusal(f"--out {args.out}: cannot be written ({error.strerror}); name another file") from None
    return 1 if found.unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
