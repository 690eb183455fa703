"""``scoreboard``: every day of a trader, measured."""

from __future__ import annotations

from typing import Annotated

import typer

from commands.composition import command
from commands.operator.account import settings_of
from commands.options import ScreenOptions, SettingsOptions, StateOptions, a_count
from config.errors import Refusal

SHOWN_DAYS = 20


@command(
    "risk-first scoreboard",
    "risk-first scoreboard --state-dir state --days 60",
    "risk-first scoreboard --json",
)
def scoreboard(
    state: StateOptions,
    chosen: SettingsOptions,
    screen: ScreenOptions,
    days: Annotated[
        int | None, typer.Option(parser=a_count, metavar="N", help=f"Days that are shown (default: {SHOWN_DAYS}).")
    ] = None,
) -> int:
    """Measure every day of a trader beside its goals.

    Win rate, profit factor, largest fall within a day, average R, exits by hand beside a bracket, entries filled within
    30 seconds of their sending, sectors held, and stop-outs by signal, beside what is hoped for. It needs no keys and
    may run beside a trader. Slippage and protected time are on the scoreboard of a run: --scoreboard.

    Exit status: 0 done, 2 refused the input.
    """
    from backtests.reports import scoreboard as board
    from backtests.reports.fill_measures import stop_outs
    from brokers.operator.account import journal_of
    from brokers.operator.journal_record import NOT_KEPT, record_of
    from commands.screen import console, show_json

    settings = settings_of(chosen, state, screen=screen)
    record = record_of(journal_of(settings))
    if not record.equity:
        raise Refusal(f"{settings.live.state_dir}: its journal has no day yet; a trader writes it while it trades")
    scores = board.scoreboard(record, sectors=settings.universe.sectors, unknown=NOT_KEPT)
    stopped = stop_outs(record.trades)
    if screen.json:
        show_json(
            {
                "scores": [
                    {"day": s.day, "measure": s.measure, "value": s.value, "goal": s.goal, "met": s.met} for s in scores
                ],
                "stop_outs": {name: {"stopped": count, "trades": of} for name, (count, of) in stopped.items()},
            }
        )
    else:
        console(json=False).print(board.scoreboard_screen(scores, SHOWN_DAYS if days is None else days, stopped))
    return 0
