"""``scoreboard``: every day of a trader, measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from commands.composition import command
from commands.operator.account import settings_of
from commands.options import KeyOptions, ScreenOptions, SettingsOptions, StateOptions, a_count
from config.errors import Refusal

if TYPE_CHECKING:
    from rich.table import Table

    from monitoring.record_table import RecordTable

SHOWN_DAYS = 20
_MET = {True: "yes", False: "no", None: "–"}


@command(
    "risk-first scoreboard",
    "risk-first scoreboard --state-dir state --days 60",
    "risk-first scoreboard --json",
)
def scoreboard(
    state: StateOptions,
    chosen: SettingsOptions,
    keys: KeyOptions,
    screen: ScreenOptions,
    days: Annotated[
        int | None, typer.Option(parser=a_count, metavar="N", help=f"Days that are shown (default: {SHOWN_DAYS}).")
    ] = None,
) -> int:
    """Measure every day of a trader beside its goals.

    Win rate, profit factor, largest fall within a day, average R, slippage, exits by hand beside a bracket, position
    time protected, sectors held, entries filled within 30 seconds, stop-outs by signal and halts, of every day in
    the journal. It asks no broker and may run beside a trader.

    Exit status: 0 done, 2 refused the input.
    """
    from backtests.reports.halts import halts_told
    from backtests.reports.live_scoreboard import board
    from brokers.operator.account import journal_of
    from commands.screen import console, show_json
    from monitoring.journal_reader import JournalReader

    settings = settings_of(chosen, state, keys, screen=screen)
    found = board(JournalReader(journal_of(settings)), settings.universe.sectors)
    if not found["days"]:
        raise Refusal(f"{settings.live.state_dir}: its journal has no day yet; a trader writes it while it trades")
    if screen.json:
        show_json(found)
        return 0
    printer = console(json=False)
    printer.print(_total(found["total"]))
    for name, (stopped, trades) in found["stop_outs"].items():
        printer.print(f"stopped out: {name} {stopped} of {trades}, {stopped / trades:.0%}", highlight=False)
    for line in halts_told([(halt["text"], halt["refused"]) for halt in found["halts"]]):
        printer.print(line, highlight=False)
    printer.print()
    printer.print(_daily(found["days"][: SHOWN_DAYS if days is None else days]))
    for note in found["notes"]:
        printer.print(note, style="dim", highlight=False)
    return 0


def _total(scores: Sequence[dict[str, Any]]) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="dim")
    table.add_column("")
    for heading in ("measured", "goal", "met"):
        table.add_column(heading, justify="right")
    for score in scores:
        table.add_row(score["label"], score["text"], score["goal"], _MET[score["met"]])
    return table


def _daily(days: Sequence[dict[str, Any]]) -> RecordTable:
    from monitoring.record_table import Column, RecordTable

    labels = [score["label"].replace("Maximum daily", "Daily") for score in (days[0]["scores"] if days else ())]
    table = RecordTable([Column("day"), Column("trades", right=True), *(Column(label, right=True) for label in labels)])
    for day in days:
        table.add(day["day"], str(day["trades"]), *(score["text"] for score in day["scores"]))
    return table
