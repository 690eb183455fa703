"""``trade``: Alpaca's paper account, or real money at Alpaca or Kraken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from commands.composition import command
from commands.options import (
    ConsentOptions,
    FolderOptions,
    MoneyOptions,
    PaceOptions,
    ScoreboardOptions,
    ScreenOptions,
    SeedOptions,
    SettingsOptions,
    StateOptions,
    UniverseOptions,
    VenueOptions,
    money_of,
)
from commands.runs.request import merged, start


@dataclass(frozen=True, kw_only=True)
class SingleOptions:
    """One iteration instead of a run."""

    once: Annotated[bool, typer.Option("--once", help="One iteration, told in full, then exit.")] = False
    scan: Annotated[bool, typer.Option("--scan", help="Like --once, and submit nothing.")] = False


@command(
    "risk-first trade --scan",
    "risk-first trade --profile intraday --state-dir state",
    "risk-first trade --live --dotenv keys.env",
    "risk-first trade --live --venue kraken --dotenv kraken.env",
)
def trade(
    money: MoneyOptions,
    single: SingleOptions,
    universe: UniverseOptions,
    chosen: SettingsOptions,
    pace: PaceOptions,
    venue: VenueOptions,
    state: StateOptions,
    consent: ConsentOptions,
    seed: SeedOptions,
    folder: FolderOptions,
    board: ScoreboardOptions,
    screen: ScreenOptions,
) -> int:
    """Trade on paper, or real money at Alpaca or Kraken.

    Keys come from ALPACA_API_KEY and ALPACA_API_SECRET in the environment, with --venue kraken from KRAKEN_API_KEY and
    KRAKEN_API_SECRET, or from --dotenv FILE; at Kraken all money is real. Real money needs --live and a typed word,
    or --yes. Ctrl-C, SIGTERM and SIGHUP end it within seconds; stops and targets stay at the broker.
    """
    groups = (universe, chosen, pace, venue, state, consent, seed, folder, board, screen)
    return start(merged(*groups, mode=money_of(money), once=single.once, scan=single.scan))
