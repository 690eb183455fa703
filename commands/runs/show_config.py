"""``show-config``: the merged settings, secrets masked."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from commands.composition import command
from commands.options import KeyOptions, ScreenOptions, SettingsOptions, UniverseOptions
from commands.runs.request import RunArguments, merged, settled, tell_settings


@command(
    "risk-first show-config --profile swing",
    "risk-first show-config --set sizing.risk_frac=0.01 --verbose",
    "risk-first show-config > mine.yaml && risk-first backtest --config mine.yaml",
)
def show_config(
    universe: UniverseOptions,
    chosen: SettingsOptions,
    keys: KeyOptions,
    screen: ScreenOptions,
    data: Annotated[
        str | None, typer.Option(metavar="SOURCE", help="Fit the settings to the embedded data, as its runs do.")
    ] = None,
) -> int:
    """Print the merged settings, secrets masked.

    What is printed can be read again with --config.
    """
    return show(merged(universe, chosen, keys, screen, data=data))


def show(arguments: RunArguments) -> int:
    """Print the settings of a command line; returns the exit status."""
    import yaml

    from commands.screen import console, show_json

    _, settings = settled(arguments, alone=True)
    if arguments.verbose:
        tell_settings(settings, console(json=True))
    if arguments.json:
        show_json(settings.as_dict(masked=True))
    else:
        text = yaml.safe_dump(settings.as_dict(masked=True), sort_keys=False, allow_unicode=True, width=110)
        sys.stdout.write(text)
    return 0
