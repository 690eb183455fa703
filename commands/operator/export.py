"""``risk-first export``: a journal as a bundle that others can check without this program."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from brokers.journal.address import journal_address
from brokers.operator.bundle import export
from commands.operator.verify import Address, Adopted
from config.errors import exit_status
from config.secrets import Secrets

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def command(
    folder: Annotated[Path, typer.Argument(help="new or empty; gets rows.jsonl, derived.jsonl and manifest.json")],
    journal: Address = "",
    adopt: Adopted = None,
) -> None:
    """Verify the journal and write it as a bundle; ``tools/verify_bundle.py`` checks it.

    Exit status: 0 written, 2 the journal is not what was written, or the input was refused.
    """

    def run() -> int:
        address = journal or journal_address(Secrets.from_environment(os.environ))
        record = export(address, folder, tuple(adopt or ()))
        typer.echo(f"{folder}: {sum(record.counts.values())} rows of the chain, {len(record.trades)} trades")
        typer.echo(f"head {record.head}")
        return 0

    raise typer.Exit(exit_status(run))
