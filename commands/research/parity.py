"""``parity``: what a live session recorded, decided again."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commands.composition import command
from commands.options import ScreenOptions

if TYPE_CHECKING:
    from config import Settings


@command(
    "risk-first parity state",
    "risk-first parity runs/rehearse-intraday-2022-05-06 --out parity.html",
    "risk-first parity state --set risk.modules.sector_cap.max_positions=2 --json",
)
def parity(
    place: Annotated[
        Path, typer.Argument(metavar="PLACE", help="State folder of a trader, folder of a live run, or one day's file.")
    ],
    screen: ScreenOptions,
    set_: Annotated[list[str], typer.Option("--set", metavar="KEY=VALUE", help="One setting; repeatable.")] = [],  # noqa: B006  # typer copies it
    out: Annotated[Path | None, typer.Option(metavar="FILE.html", help="Write a page too.")] = None,
) -> int:
    """Decide again on what a live session recorded.

    A trader keeps the bars, the book and the plan of each iteration in its state folder. The same pipeline decides
    again on each and has to say the same; differences are listed by cause, and whether settings or the program were
    changed since. With --set it says what other settings would have decided on the same days.

    Exit status: 0 every difference is explained, 1 one is not, 2 refused the input.
    """
    from rich.table import Table

    from backtests.checks.parity import parity as checked
    from backtests.checks.parity_report import MEANINGS, document, gaps, parity_page
    from backtests.checks.snapshots import snapshot_files
    from commands.research.progress import progress
    from commands.screen import console, show_json, write_out
    from config.process.environment import own_the_run

    own_the_run()
    files = snapshot_files(place)
    with progress(None, "iteration", screen.quiet or screen.json) as bar:
        found = checked(files, _changed(set_), bar.update)
    write_out(out, lambda: parity_page(found))
    if screen.json:
        show_json(document(found))
        return 1 if found.unexplained else 0
    printer = console(json=False)
    printer.print(found.sentence(), style="bold", highlight=False, soft_wrap=True)
    for text in gaps(found):
        printer.print(text, highlight=False)
    if found.differences:
        table = Table("cause", "decisions", "meaning")
        for cause, count in found.counts.items():
            table.add_row(str(cause), str(count), MEANINGS[cause])
        printer.print(table)
    return 1 if found.unexplained else 0


def _changed(sets: list[str]) -> Callable[[Settings], Settings] | None:
    """What makes other settings of the recorded ones; None where they decide as they are."""
    if not sets:
        return None

    def changed(recorded: Settings) -> Settings:
        from backtests.run_inputs import settings_text
        from config import load

        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "recorded.yaml"
            file.write_text(settings_text(recorded), encoding="utf-8")
            return load(overlays=[file], overrides=sets)

    return changed
