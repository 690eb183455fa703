"""``export``: a journal as a bundle that others can check without this program."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from commands.composition import command
from commands.operator.verify import JournalOptions, address_of, document_of
from commands.options import ScreenOptions, SettingsOptions, StateOptions
from config.values.counting import counted
from config.values.printable import one_line


@command("risk-first export bundle", "risk-first export bundle --state-dir state --json")
def export(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="New or empty; gets rows.jsonl, derived.jsonl and manifest.json.")
    ],
    named: JournalOptions,
    state: StateOptions,
    chosen: SettingsOptions,
    screen: ScreenOptions,
) -> int:
    """Write a journal as a bundle that others can check.

    The journal is verified first. ``tools/verify_bundle.py`` checks a bundle by itself.

    Exit status: 0 written, 2 the journal is not what was written, or the input was refused.
    """
    from brokers.operator.bundle import export as export_bundle
    from commands.screen import show_json

    record = export_bundle(address_of(named, chosen, state, screen), folder, tuple(named.adopt))
    if screen.json:
        show_json({"folder": str(folder), **document_of(record)})
    else:
        sys.stdout.write(
            f"{one_line(str(folder))}: {counted(sum(record.counts.values()), 'row')} of the chain, "
            f"{counted(len(record.trades), 'trade')}\n"
            f"head {record.head}\n"
        )
    return 0
