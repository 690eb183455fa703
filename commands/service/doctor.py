"""``doctor``: whether a trader can run here."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from commands.composition import command
from commands.operator.account import settings_of
from commands.options import MoneyOptions, ScreenOptions, SettingsOptions, StateOptions, VenueOptions, money_of

if TYPE_CHECKING:
    from brokers.health.checks import Check


@command("risk-first doctor", "risk-first doctor --live --state-dir state", "risk-first doctor --json")
def doctor(
    money: MoneyOptions,
    venue: VenueOptions,
    state: StateOptions,
    chosen: SettingsOptions,
    screen: ScreenOptions,
) -> int:
    """Check keys, account, clock, data, disk and journal.

    One line for each check, with the way out where it failed. It reads only, and may run beside a trader.

    Exit status: 0 all is in order, 1 a check failed, 2 refused the input.
    """
    from brokers.health.checks import Doctor
    from commands.screen import console, show_json
    from config.environment import own_the_run
    from config.operating import operating

    paper = money_of(money) == "paper"
    settings = settings_of(chosen, state, venue, screen=screen)
    own_the_run()
    found: list[Check] = []
    printer = console(screen.json)
    for check in Doctor(settings, operating(), paper).checks():
        found.append(check)
        if not screen.json:
            mark, style = ("ok  ", "green") if check.ok else ("FAIL", "bold red")
            way_out = f" → {check.way_out}" if check.way_out and not check.ok else ""
            printer.print(mark, style=style, end=" ")
            printer.print(f"{check.check}: {check.detail}{way_out}", markup=False, highlight=False, soft_wrap=True)
    if screen.json:
        show_json([dataclasses.asdict(check) for check in found])
    return 0 if all(check.ok for check in found) else 1
