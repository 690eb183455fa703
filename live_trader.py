"""The command line of one strategy: every mode in one command, beside ``risk-first`` with a command for each.

Exit status: 0 done, 1 ran and failed, 2 refused the input, 3 stopped by a halt or the kill switch.
"""

from __future__ import annotations

import commands.interruption  # noqa: F401 - before the others, which take a while # isort: skip

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

import typer

from commands.composition import command
from commands.options import (
    ConsentOptions,
    DataOptions,
    EngineOptions,
    FolderOptions,
    PaceOptions,
    ReportOptions,
    ScreenOptions,
    SeedOptions,
    SettingsOptions,
    SpeedOptions,
    StateOptions,
    UniverseOptions,
    VenueOptions,
    VersionOption,
    a_count,
)
from commands.runs.request import RunArguments, merged, start
from config.errors import Refusal
from config.process.ending import end_process

if TYPE_CHECKING:
    from backtests.request import Mode

MODES: tuple[Mode, ...] = ("backtest", "rehearse", "paper", "live")


@dataclass(frozen=True, kw_only=True)
class ModeOptions:
    """What is done."""

    backtest: Annotated[bool, typer.Option("--backtest", help="Run on historical bars.")] = False
    rehearse: Annotated[bool, typer.Option("--rehearse", help="Run the live stack against the embedded exchange.")] = (
        False
    )
    paper: Annotated[bool, typer.Option("--paper", help="Trade Alpaca's paper account.")] = False
    live: Annotated[bool, typer.Option("--live", help="Trade real money.")] = False
    once: Annotated[bool, typer.Option("--once", help="One iteration, told in full, then exit.")] = False
    scan: Annotated[bool, typer.Option("--scan", help="Like --once, and submit nothing.")] = False
    show_config: Annotated[
        bool, typer.Option("--show-config", help="Print the merged settings, secrets masked, and exit.")
    ] = False
    lookahead: Annotated[
        int | None,
        typer.Option(
            parser=a_count,
            metavar="CUTS",
            help="Check instead that no decision depends on later data, at so many moments.",
        ),
    ] = None


@command(
    "python live_trader.py --strategy combined --backtest",
    "python live_trader.py --strategy combined --rehearse --profile intraday --speed 120",
    "python live_trader.py --strategy combined --paper --scan",
)
def live_trader(
    modes: ModeOptions,
    universe: UniverseOptions,
    chosen: SettingsOptions,
    data: DataOptions,
    seed: SeedOptions,
    folder: FolderOptions,
    report: ReportOptions,
    engine: EngineOptions,
    speed: SpeedOptions,
    pace: PaceOptions,
    venue: VenueOptions,
    state: StateOptions,
    consent: ConsentOptions,
    screen: ScreenOptions,
    version: VersionOption,
) -> int:
    """Run a strategy in which the risk chain has the last word.

    Without a mode, keys in the environment mean the paper account, and no keys a rehearsal.
    Each mode is a command of risk-first too, with the options that it reads.
    """
    groups = (universe, chosen, data, seed, folder, report, engine, speed, pace, venue, state, consent, screen)
    arguments = of_modes(modes, merged(*groups))
    if modes.show_config:
        from commands.runs.show_config import show

        return show(arguments)
    return start(arguments)


def of_modes(modes: ModeOptions, arguments: RunArguments) -> RunArguments:
    """The arguments with what the mode's options say; Refusal for two that exclude one another."""
    named = [name for name in MODES if getattr(modes, name)]
    for pair in (named, [name for name in ("once", "scan") if getattr(modes, name)]):
        if len(pair) > 1:
            raise Refusal(f"argument --{pair[1]}: not allowed with argument --{pair[0]}; see --help")
    return replace(arguments, mode=next(iter(named), None), once=modes.once, scan=modes.scan, lookahead=modes.lookahead)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    return live_trader.main(argv, "live_trader.py")


if __name__ == "__main__":
    end_process(main())
