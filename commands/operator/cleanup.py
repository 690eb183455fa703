"""``cleanup``: every open order cancelled, dust sold, unknown symbols purged."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Annotated

import typer

from commands.composition import command
from commands.operator.account import refuse_rehearsal, require_known_broker, settings_of
from commands.options import (
    ConsentOptions,
    MoneyOptions,
    ScreenOptions,
    SettingsOptions,
    StateOptions,
    VenueOptions,
    money_of,
)
from commands.runs.request import confirm
from commands.venue_choice import KRAKEN


@command(
    "risk-first cleanup --broker alpaca --dry-run",
    "risk-first cleanup --broker alpaca --live --yes",
    "risk-first cleanup --broker kraken --live",
)
def cleanup(
    broker: Annotated[str, typer.Option(metavar="alpaca|kraken", help="Whose orders.")],
    money: MoneyOptions,
    venue: VenueOptions,
    state: StateOptions,
    consent: ConsentOptions,
    chosen: SettingsOptions,
    screen: ScreenOptions,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and change nothing.")] = False,
) -> int:
    """Cancel all orders, sell dust, purge symbols.

    Positions are kept, and are without stops afterwards: what is unprotected is told at the end. It needs the
    journal for itself, so stop the trader first (a dry run may look beside it). A second run finds nothing to do.

    Exit status: 0 done, 1 something is left, 2 refused the input.
    """
    from brokers.operator.emergency import clean_up
    from commands.screen import show_json
    from config.process.environment import own_the_run

    require_known_broker(broker)
    settings = settings_of(replace(chosen, venue=broker), state, venue, screen=screen, trades=True)
    refuse_rehearsal(settings)
    # What is looked at without a change is whichever account the keys are of.
    paper = money_of(money) == "paper" and not (dry_run and broker == KRAKEN)
    if not paper and not dry_run and not consent.yes:
        confirm("This cancels every order of the live account, stops included.")
    own_the_run()
    actions: list[str] = []

    def say(line: str) -> None:
        actions.append(line)
        # What a program reads comes as one document in the end; who watches sees each step before it happens.
        stream = sys.stderr if screen.json else sys.stdout
        stream.write(f"{line}\n")
        stream.flush()

    done = clean_up(settings, paper, dry_run, say)
    if screen.json:
        show_json({"dry_run": dry_run, "settled": done, "actions": actions})
    else:
        say("Dry run: nothing was changed." if dry_run else "Done." if done else "Not everything is settled.")
    return 0 if done else 1
