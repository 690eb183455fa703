"""``explain``: why orders were sent, resized or refused."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from commands.composition import command
from commands.operator.account import settings_of
from commands.options import KeyOptions, ScreenOptions, SettingsOptions, StateOptions, a_count
from config.errors import Refusal

if TYPE_CHECKING:
    from brokers.journal.explain import ExplainRow, Explanation

NEW_YORK = ZoneInfo("America/New_York")
DEFAULT_LAST = 20
STYLES = {"decision": "bold", "order": "bold", "verdict": "", "event": "dim", "fill": "green"}
BEGINS = ("decision", "order")


@command(
    "risk-first explain AAPL",
    "risk-first explain AAPL --run runs/backtest-active-2013-01-02 --last 5",
    "risk-first explain rf-20240304-AAPL-entry-1 --state-dir state --verbose",
)
def explain(
    wanted: Annotated[str, typer.Argument(metavar="SYMBOL|ORDER_ID", help="A ticker, or an order's id.")],
    state: StateOptions,
    chosen: SettingsOptions,
    keys: KeyOptions,
    screen: ScreenOptions,
    run: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Read the folder of a run instead of a trader's journal.")
    ] = None,
    journal: Annotated[
        str | None, typer.Option(metavar="FILE|URL", help="Read this journal (default: the state folder's).")
    ] = None,
    last: Annotated[
        int | None, typer.Option(parser=a_count, metavar="N", help=f"How many (default: {DEFAULT_LAST}).")
    ] = None,
) -> int:
    """Say why orders were sent, resized or refused.

    What each rule said, what became of the order, and what would have to change; the latest first. The journal is
    DATABASE_URL where that is set, else the one in the state folder; it may be in use. Rules that changed nothing
    are counted only, unless --verbose.

    Exit status: 0 done, 2 refused the input.
    """
    from commands.screen import console, show_json

    if sum(given is not None for given in (run, journal, state.state_dir)) > 1:
        raise Refusal("--run, --journal and --state-dir name three places; give one of them")
    found = _found(wanted, run, journal, last or DEFAULT_LAST, state, chosen, keys, screen)
    if not found.rows:
        where = "the journal" if run is None else str(run)
        raise Refusal(f"{wanted}: nothing in {where}; give a ticker in capitals or an order's id")
    groups = sorted(_groups(found.rows), key=lambda group: group[0].time, reverse=True)
    if screen.json:
        show_json(_document(wanted, found, groups))
        return 0
    printer = console(json=False)
    printer.print(_table(wanted, groups, everything=screen.verbose))
    printer.print(f"{_counted(found)}, the latest first.", highlight=False)
    return 0


def _found(
    wanted: str, run: Path | None, journal: str | None, last: int,
    state: StateOptions, chosen: SettingsOptions, keys: KeyOptions, screen: ScreenOptions,
) -> Explanation:  # fmt: skip
    from brokers.journal.address import JOURNAL_FILE
    from brokers.journal.reader import read_explanation
    from brokers.operator.account import journal_of

    if run is not None:
        from backtests.run_explanation import run_explanation

        kept = run / "state" / JOURNAL_FILE
        # A rehearsal's own journal knows more than its files.
        return read_explanation(kept, wanted, last) if kept.is_file() else run_explanation(run, wanted, last)
    if journal is not None:
        return read_explanation(journal, wanted, last)
    settings = settings_of(chosen, state, keys, screen=screen)
    return read_explanation(journal_of(settings), wanted, last)


def _groups(rows: Iterable[ExplainRow]) -> Iterator[list[ExplainRow]]:
    """A decision with its verdicts, an order with its events and fills."""
    group: list[ExplainRow] = []
    for row in rows:
        if row.kind in BEGINS and group:
            yield group
            group = []
        group.append(row)
    yield group


def _table(wanted: str, groups: Sequence[Sequence[ExplainRow]], *, everything: bool) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table(title=f"{wanted}, New York time", title_justify="left")
    for heading in ("time", "what", "of", "why", "what would have to change"):
        table.add_column(heading, overflow="fold")
    for group in groups:
        shown = [row for row in group if everything or row.kind != "verdict" or row.change]
        for row in shown:
            moment = row.time.astimezone(NEW_YORK).isoformat(sep=" ", timespec="seconds")
            cells = (Text(cell) for cell in (moment, row.kind, row.subject, row.text, row.change))
            table.add_row(*cells, style=STYLES[row.kind])
        if silent := len(group) - len(shown):
            table.add_row("", "", "", f"{silent} more rules changed nothing", "", style="dim")
    return table


def _counted(found: Explanation) -> str:
    parts = [
        f"{shown} of {total} {noun}{'' if total == 1 else 's'}"
        for noun, (shown, total) in (("decision", found.decisions), ("order", found.orders))
    ]
    return f"Shown: {parts[0]} and {parts[1]}"


def _document(wanted: str, found: Explanation, groups: Sequence[Sequence[ExplainRow]]) -> dict[str, Any]:
    return {
        "wanted": wanted,
        "decisions": {"shown": found.decisions[0], "of": found.decisions[1]},
        "orders": {"shown": found.orders[0], "of": found.orders[1]},
        "groups": [
            [
                {"time": row.time, "kind": row.kind, "of": row.subject, "why": row.text, "change": row.change or None}
                for row in group
            ]
            for group in groups
        ],
    }
