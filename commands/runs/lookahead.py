"""``lookahead``: no decision may depend on later data."""

from __future__ import annotations

from typing import Annotated

import typer

from commands.composition import command
from commands.options import (
    DataOptions,
    ScreenOptions,
    SeedOptions,
    SettingsOptions,
    UniverseOptions,
    a_count,
)
from commands.runs.request import merged, start

DEFAULT_CUTS = 5


@command("risk-first lookahead", "risk-first lookahead --cuts 3 --data bars.parquet --profile intraday")
def lookahead(
    universe: UniverseOptions,
    chosen: SettingsOptions,
    data: DataOptions,
    seed: SeedOptions,
    screen: ScreenOptions,
    cuts: Annotated[
        int | None,
        typer.Option(parser=a_count, metavar="N", help=f"Moments to cut the data at (default: {DEFAULT_CUTS})."),
    ] = None,
) -> int:
    """Check that no decision depends on later data.

    The same backtest is run again on data that end at so many moments; every feature and every decision before a
    cut must be the same. Only bars are altered: data that a signal or a rule reads by itself, from a file for
    instance, are the same in every run, so that a look ahead into them is not found.

    Exit status: 0 no look-ahead found, 1 something depends on later bars, 2 refused the input.
    """
    chosen_cuts = DEFAULT_CUTS if cuts is None else cuts
    return start(merged(universe, chosen, data, seed, screen, mode="backtest", lookahead=chosen_cuts))
