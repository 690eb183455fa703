#!/usr/bin/env python
"""Print why orders were sent, resized or refused, and what would have to change, from the journal.

Usage: explain.py SYMBOL|ORDER_ID [--journal FILE|URL]

The journal is DATABASE_URL where that is set, else state/journal.sqlite3; it may be in use.
Exit status: 0 done, 2 refused the input.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from rich.console import Console
from rich.table import Table
from rich.text import Text

from brokers.journal.address import journal_address
from brokers.journal.reader import read_explanation
from config.errors import Refusal, exit_status
from config.secrets import Secrets

PIPE_WIDTH = 200
NEW_YORK = ZoneInfo("America/New_York")
STYLES = {"decision": "bold", "order": "bold", "verdict": "", "event": "dim", "fill": "green"}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    return exit_status(lambda: _run(argv))


def _run(argv: Sequence[str] | None) -> int:
    parser = argparse.ArgumentParser(prog=Path(__file__).name, description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("wanted", metavar="SYMBOL|ORDER_ID", help="a ticker, a client order id or the venue's id")
    parser.add_argument("--journal", metavar="FILE|URL", help="default: DATABASE_URL, else state/journal.sqlite3")
    args = parser.parse_args(argv)
    address = args.journal or journal_address(Secrets.from_environment(os.environ))
    rows = read_explanation(address, args.wanted)
    if not rows:
        raise Refusal(f"{args.wanted}: nothing in the journal; give a ticker in capitals or an order's id")
    table = Table(title=f"{args.wanted}, New York time", title_justify="left")
    for heading in ("time", "what", "of", "why", "what would have to change"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        moment = row.time.astimezone(NEW_YORK).isoformat(sep=" ", timespec="seconds")
        cells = (Text(cell) for cell in (moment, row.kind, row.subject, row.text, row.change))
        table.add_row(*cells, style=STYLES[row.kind])
    console = Console(width=None if sys.stdout.isatty() else PIPE_WIDTH)
    console.print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
