#!/usr/bin/env python
"""Compare the journal with the venue: positions, orders, fills, protection, and what hands hold.

Usage: reconcile_alpaca.py [--paper|--live] [--state-dir DIR]

It reads only, and may run beside a trader. What differs is looked at twice, and told if it still does.
Exit status: 0 no differences, 1 differences, 2 refused the input.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from rich.console import Console

from brokers.operator.account import sign_in
from brokers.operator.differences import compare
from brokers.operator.tables import differences_table, manual_position_lines
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
    found = compare(venue, settings)
    console = Console(width=None if sys.stdout.isatty() else PIPE_WIDTH)
    if not found.clean:
        console.print(differences_table(found.differences))
    for line in manual_position_lines(found.by_hand):
        console.print(line, highlight=False)
    compared = f"{found.positions} positions and {found.orders} open orders at the venue"
    count = len(found.differences)
    console.print(f"{compared}: {count or 'no'} difference{'' if count == 1 else 's'}.", highlight=False)
    return 0 if found.clean else 1


if __name__ == "__main__":
    sys.exit(main())
