"""The settings and the client of the account that an operator's command looks at."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from commands.composition import gathered
from commands.options import MoneyOptions, ScreenOptions, SettingsOptions, StateOptions, VenueOptions, money_of
from commands.venue_choice import KRAKEN, VENUES, override
from config.errors import Refusal

if TYPE_CHECKING:
    from brokers.ports import Venue
    from config import Settings

BESIDE_A_REHEARSAL = "status, explain, whatif, scoreboard, dashboard and kill work beside it, with --state-dir"


def settings_of(*groups: Any, screen: ScreenOptions, trades: bool = False) -> Settings:
    """The merged settings of the groups of options that a command takes; one that sends no order takes a trader's."""
    from config.reading.arguments import addresses
    from config.reading.dotenv import with_keys
    from config.reading.loader import load
    from config.values.secrets import Secrets

    options = gathered(*groups)
    overrides = [*addresses(options.get("alpaca_url")), *override(options.get("venue"))]
    if (folder := options.get("state_dir")) is not None:
        overrides.append(("--state-dir", "live.state_dir", folder))
    environment = with_keys(os.environ, options.get("dotenv"), frozenset(Secrets.model_fields))
    settings = load(
        options["profile"],
        options["config"],
        options["set_"],
        arguments=overrides,
        environment=environment,
        trades=trades,
    )
    if screen.verbose:
        from commands.runs.request import tell_settings
        from commands.screen import console

        tell_settings(settings, console(json=True))
    return settings


def signed_in(
    money: MoneyOptions, venue: VenueOptions, state: StateOptions, chosen: SettingsOptions, screen: ScreenOptions
) -> tuple[Venue, Settings]:
    """A venue whose keys the broker has taken, and the settings.

    Raises
    ------
    Refusal
        The settings, the keys or the broker's answer are not in order.
    """
    from brokers.operator.account import sign_in
    from brokers.venues import open_venue
    from config.process.environment import own_the_run
    from config.values.secrets import ALPACA_VARIABLES, KRAKEN_VARIABLES

    settings = settings_of(chosen, state, venue, screen=screen)
    refuse_rehearsal(settings)
    kraken = settings.broker.venue == KRAKEN
    if missing := settings.secrets.missing(KRAKEN_VARIABLES if kraken else ALPACA_VARIABLES):
        raise Refusal(
            f"{settings.broker.venue.title()} keys are missing: set {' and '.join(missing)} in the environment; a "
            f"rehearse run has keys of its own: {BESIDE_A_REHEARSAL} RUN/state"
        )
    # What only reads looks at whichever account the keys are of; Kraken has one kind alone.
    paper = money_of(money) == "paper" and not kraken
    own_the_run()
    account = open_venue(settings, paper)
    sign_in(account, paper)
    return account, settings


def refuse_rehearsal(settings: Settings) -> None:
    """Refuse the state folder of a ``rehearse`` run: address and keys of its exchange are its process's alone."""
    folder = Path(settings.live.state_dir)
    try:
        mode = json.loads((folder.parent / "run.json").read_text(encoding="utf-8"))["mode"]
    except (OSError, ValueError, KeyError, TypeError):
        return
    if mode == "rehearse":
        # A trader of Kraken asks the real one alone: there is no other rehearsal to lead to.
        paper = "; for the others start python -m brokers.rehearsal, and trade --paper with the keys it prints"
        raise Refusal(
            f"{folder}: is the state of a rehearse run, whose exchange no other process can ask; {BESIDE_A_REHEARSAL} "
            f"{folder}{'' if settings.broker.venue == KRAKEN else paper}"
        )


def require_known_broker(broker: str) -> None:
    """Refuse a broker that nobody here trades at."""
    if broker not in VENUES:
        raise Refusal(f"--broker {broker}: is not known here; write {' or '.join(VENUES)}")
