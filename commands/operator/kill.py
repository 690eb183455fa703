"""``kill``: the kill switch."""

from __future__ import annotations

import sys
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from commands.composition import command
from commands.operator.account import settings_of
from commands.options import ScreenOptions, SettingsOptions, StateOptions
from config.values.printable import one_line


class Wanted(StrEnum):
    """What the switch is set to; ``status`` only reads it."""

    STOP = "stop"
    FLATTEN = "flatten"
    OFF = "off"
    STATUS = "status"


@command("risk-first kill stop", "risk-first kill flatten --state-dir state", "risk-first kill status --json")
def kill(
    level: Annotated[Wanted, typer.Argument(metavar="stop|flatten|off|status", help="What to do.")],
    state: StateOptions,
    chosen: SettingsOptions,
    screen: ScreenOptions,
) -> int:
    """Stop entries, or sell everything: the kill switch.

    stop ends entries within one iteration, flatten also sells what the trader holds and ends it with status 3, off
    allows entries again. A trader that starts finds it as it was left. It needs no keys and no network.

    Exit status: 0 done, 2 refused the input.
    """
    from brokers.desk.entry_halts import KillLevel
    from brokers.operator.kill_switch import set_switch
    from commands.screen import show_json

    folder = Path(settings_of(chosen, state, screen=screen).live.state_dir)
    wanted = None if level is Wanted.STATUS else KillLevel(level.value)
    done = set_switch(folder, wanted, own=_of_settings(folder, state, chosen, screen))
    if screen.json:
        opens = None if done.sales_from is None else done.sales_from.isoformat()
        document = {"state_dir": str(folder), "before": done.before, "now": done.now, "meaning": done.meaning}
        show_json({**document, "sales_wait_for": opens})
    else:
        sys.stdout.write(f"{one_line(done.text)}\n")
    return 0


def _of_settings(folder: Path, state: StateOptions, chosen: SettingsOptions, screen: ScreenOptions) -> bool:
    """Whether a folder is the one that the settings name without ``--state-dir``."""
    if state.state_dir is None:
        return True
    return (
        folder.absolute() == Path(settings_of(chosen, screen=replace(screen, verbose=False)).live.state_dir).absolute()
    )
