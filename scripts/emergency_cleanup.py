#!/usr/bin/env python
"""Cancel every open order at the venue, sell positions worth less than a dollar, purge unknown symbols from the state.

Usage: emergency_cleanup.py --broker alpaca [--dry-run] [--paper|--live] [--state-dir DIR]

Positions are kept, and are without stops afterwards: what is unprotected is told at the end. It needs the journal
for itself, so stop the trader first (a dry run may look beside it). A second run finds nothing to do.
Exit status: 0 done, 1 something is left, 2 refused the input.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from brokers.operator.emergency import clean_up
from config.arguments import add_account, add_settings, add_state_folder, command, settings_of
from config.errors import Refusal, exit_status


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    return exit_status(lambda: _run(argv))


def _run(argv: Sequence[str] | None) -> int:
    parser = command(__file__, __doc__)
    parser.add_argument("--broker", choices=("alpaca", "kraken"), required=True, help="whose orders")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and change nothing")
    parser.add_argument("--yes", action="store_true", help="with --live: without a typed confirmation")
    add_account(parser)
    add_state_folder(parser)
    add_settings(parser)
    args = parser.parse_args(argv)
    if args.broker == "kraken":
        raise Refusal("--broker kraken: is not available in this version; cancel orders there on Kraken's own site")
    settings = settings_of(args)
    if not args.paper and not args.dry_run and not args.yes:
        _confirm()
    settled = clean_up(settings, args.paper, args.dry_run, lambda line: print(line, flush=True))
    print("Dry run: nothing was changed." if args.dry_run else "Done." if settled else "Not everything is settled.")
    return 0 if settled else 1


def _confirm() -> None:
    """Orders on real money are cancelled for a typed word only."""
    print("This cancels every order of the live account, stops included. Type LIVE to go on: ", end="", flush=True)
    if not sys.stdin.isatty() or sys.stdin.readline().strip() != "LIVE":
        raise Refusal("--live was not confirmed; type LIVE when asked, or add --yes")


if __name__ == "__main__":
    sys.exit(main())
