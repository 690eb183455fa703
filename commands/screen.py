"""What commands print: tables for people, or one JSON document for programs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from config.errors import Refusal

if TYPE_CHECKING:
    from rich.console import Console

PIPE_WIDTH = 200
"""Columns where nobody sees the edge: rich would take 80, too few for the tables."""


def console(json: bool) -> Console:
    """A console on standard output; on standard error where that is kept for a JSON document."""
    from commands.plain_console import PlainConsole

    stream = sys.stderr if json else sys.stdout
    return PlainConsole(file=stream, width=None if stream.isatty() else PIPE_WIDTH)


def show_json(document: Any) -> None:
    """Print one JSON document."""
    from backtests.reports.formatting import to_json_indented

    sys.stdout.write(f"{to_json_indented(document)}\n")


def write_out(out: Path | None, text: Callable[[], str]) -> None:
    """Write the file of ``--out``, where one is asked for, without a secret of this process.

    Raises
    ------
    Refusal
        If the file can't be written.
    """
    if out is None:
        return
    from backtests.reports.formatting import write_text

    try:
        write_text(out, text())
    except OSError as error:
        raise Refusal(f"--out {out}: cannot be written ({error.strerror}); name another file") from None
