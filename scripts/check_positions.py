#!/usr/bin/env python
"""Show each position: entry, price, stop, target, the way to both, what is protected and what would trigger now.

Usage: check_positions.py [--paper|--live] [--state-dir DIR]

It reads only, and may run beside a trader. 1 R is the distance from the entry to its first stop. A level in
brackets is known from the journal and is no order at the venue.
Exit status: 0 done, 2 refused the input.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from rich.console import Console

from brokers.operator.account import look, sign_in
from brokers.operator.positions import report
from brokers.operator.tables import positions_table
from brokers.venues import open_venue
from config.arguments import add_account, add_settings, add_state_folder, command, settings_of
from config.errors import exit_status

PIPE_WIDTH = 200


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    return exit_status(lambda: _run(argv))


def _run(argv: Sequence[str] | None) -> int:
    parser = command(__file__, __doc__)
    add_account(parser)
    add_state_folder(parser)
    add_settings(parser)
    args = parser.parse_args(argv)
    settings = settings_of(args)
    venue = open_venue(settings, args.paper)
    sign_in(venue, args.paper)
    reports = report(look(venue, settings), settings)
    console = Console(width=None if sys.stdout.isatty() else PIPE_WIDTH)
    console.print(positions_table(reports) if reports else "No positions.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
