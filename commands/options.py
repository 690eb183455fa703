"""The options that commands share: each is defined here once, and means the same everywhere."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from config.errors import Refusal
from config.reading.arguments import DEFAULT_PROFILE

DATA_SOURCES = ("yahoo", "alpaca", "embedded")
DEFAULT_DATA = "embedded"
DEFAULT_SEED = 0
SETTING_OF: Mapping[str, str] = {
    "--strategy": "strategy=NAME",
    "--symbols": "universe.symbols=[A,B]",
    "--universe": "universe.symbols=[A,B]",
    "--cap": "universe.cap=N",
    "--benchmark": "universe.benchmark=SYM",
    "--budget": "account.budget_usd=USD",
    "--sleeptime": "pace.sleeptime=TIME",
    "--speed": "pace.speed=N",
    "--state-dir": "live.state_dir=DIR",
}
"""Options that are short for a setting: what a command that lacks them takes instead, after ``--set``."""


def a_day(text: str) -> date:
    """A day as ``YYYY-MM-DD``."""
    try:
        if len(text) != len("YYYY-MM-DD"):
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{shortened(text)} is not a day; write YYYY-MM-DD, e.g. 2024-06-28") from None


def a_whole(text: str) -> int:
    """A whole number from 0 up."""
    try:
        if not (text.isascii() and text.isdigit()):
            raise ValueError
        return int(text)
    except ValueError:
        raise typer.BadParameter(f"{shortened(text)} is not a whole number from 0 up") from None


def a_count(text: str) -> int:
    """A whole number from 1 up."""
    try:
        if not (text.isascii() and text.isdigit() and int(text)):
            raise ValueError
        return int(text)
    except ValueError:
        raise typer.BadParameter(f"{shortened(text)} is not a whole number from 1 up") from None


_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}\.\d{3}$")
"""A number whose point may set thousands apart."""


def an_amount(text: str) -> float:
    """An amount of money; one whose point may set thousands apart is refused."""
    if _THOUSANDS.match(text):
        # Where a comma begins decimals it is a thousand times as much.
        ways = f"{float(text):.2f}", text.replace(".", "")
        raise typer.BadParameter(f"{shortened(text)} may be {' or '.join(ways)}; write {' or '.join(ways)}")
    return a_number(text)


def a_number(text: str) -> float:
    """Any number; whether it is finite and in its bounds is for the settings to say."""
    try:
        return float(text)
    except ValueError:
        raise typer.BadParameter(f"{shortened(text)} is not a number; write e.g. 100000") from None


def shortened(text: str) -> str:
    """What was written, in quotes and short enough for a sentence."""
    return repr(text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…")


LONGEST_SHOWN = 40


@dataclass(frozen=True, kw_only=True)
class SettingsOptions:
    """Which settings are used."""

    profile: Annotated[str, typer.Option(metavar="NAME", help="Settings profile.")] = DEFAULT_PROFILE
    config: Annotated[list[str], typer.Option(metavar="FILE", help="YAML laid over it; repeatable.")] = field(
        default_factory=list
    )
    set_: Annotated[list[str], typer.Option("--set", metavar="KEY=VALUE", help="One setting; repeatable.")] = field(
        default_factory=list
    )
    venue: Annotated[
        str | None, typer.Option(metavar="alpaca|kraken", help="Where is traded; kraken picks the profile by balance.")
    ] = None


@dataclass(frozen=True, kw_only=True)
class ScreenOptions:
    """How much is told, and in which form."""

    json: Annotated[bool, typer.Option("--json", help="One JSON document on standard output, nothing else.")] = False
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar and no log lines but warnings.")] = False
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Say more: settings that were chosen and where; every line of the log.")
    ] = False


@dataclass(frozen=True, kw_only=True)
class UniverseOptions:
    """What is traded by which strategy, and what it is compared with."""

    strategy: Annotated[
        str | None, typer.Option(metavar="NAME", help="Name in the registry (default: the settings', combined).")
    ] = None
    symbols: Annotated[str | None, typer.Option(metavar="A,B", help="What to trade, separated by commas.")] = None
    universe: Annotated[Path | None, typer.Option(metavar="FILE.csv", help="What to trade, column symbol.")] = None
    cap: Annotated[int | None, typer.Option(parser=a_count, metavar="N", help="Keep the first N symbols.")] = None
    benchmark: Annotated[str | None, typer.Option(metavar="SYM", help="What to compare with.")] = None


@dataclass(frozen=True, kw_only=True)
class DataOptions:
    """Historical bars and the window of them."""

    data: Annotated[
        str | None,
        typer.Option(
            metavar="SOURCE",
            help=f"yahoo, alpaca, embedded, a .parquet or .csv file or a folder of them (default: {DEFAULT_DATA}).",
        ),
    ] = None
    date_order: Annotated[
        Literal["dmy", "mdy"] | None, typer.Option(help="What a file's date such as 03/04/2022 means.")
    ] = None
    timezone: Annotated[
        str | None,
        typer.Option(metavar="ZONE", help="Of a file's times without offset (default: New York's; of coins say it)."),
    ] = None
    decimal: Annotated[
        Literal["point", "comma"] | None, typer.Option(help="What a file's number such as 1,234 or 1.234 means.")
    ] = None
    labels: Annotated[
        Literal["begin", "end"] | None, typer.Option(help="Which moment of an intraday bar a file's time is.")
    ] = None
    start: Annotated[date | None, typer.Option(parser=a_day, metavar="YYYY-MM-DD", help="First day.")] = None
    end: Annotated[date | None, typer.Option(parser=a_day, metavar="YYYY-MM-DD", help="Last day, included.")] = None
    budget: Annotated[float | None, typer.Option(parser=an_amount, metavar="USD", help="Cash at the start.")] = None


@dataclass(frozen=True, kw_only=True)
class SeedOptions:
    """What is random."""

    seed: Annotated[
        int | None, typer.Option(parser=a_whole, metavar="N", help=f"For what is random (default: {DEFAULT_SEED}).")
    ] = None


@dataclass(frozen=True, kw_only=True)
class FolderOptions:
    """Where the files of a run go."""

    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder for the run's files (default: a new one below runs/).")
    ] = None
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files of an earlier run in it.")] = False


@dataclass(frozen=True, kw_only=True)
class ScoreboardOptions:
    """Measures beside goals."""

    scoreboard: Annotated[bool, typer.Option("--scoreboard", help="Print the daily scoreboard after a run.")] = False


@dataclass(frozen=True, kw_only=True)
class ReportOptions(ScoreboardOptions):
    """What a backtest shows beside its figures."""

    draw_all: Annotated[bool, typer.Option("--draw-all", help="Draw every trade, not only a choice of them.")] = False
    no_report: Annotated[
        bool, typer.Option("--no-report", help="Tables and figures only: no pictures, page and tearsheet.")
    ] = False


@dataclass(frozen=True, kw_only=True)
class EngineOptions:
    """What drives a backtest."""

    engine: Annotated[
        Literal["lumibot", "replay"],
        typer.Option(help="Lumibot's loop, or the faster replay, which writes the same files."),
    ] = "lumibot"


@dataclass(frozen=True, kw_only=True)
class PaceOptions:
    """How often a run against a venue decides."""

    sleeptime: Annotated[
        str | None, typer.Option(metavar="TIME", help="Time between iterations, e.g. 30S, 5M, 1H.")
    ] = None


@dataclass(frozen=True, kw_only=True)
class SpeedOptions:
    """How fast a rehearsal runs."""

    speed: Annotated[
        float | None,
        typer.Option(parser=a_number, metavar="N", help="With a rehearsal: seconds of the venue in one of ours."),
    ] = None


@dataclass(frozen=True, kw_only=True)
class KeyOptions:
    """Where keys come from besides the environment."""

    dotenv: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Read keys from this file; refused when others can read it."),
    ] = None


@dataclass(frozen=True, kw_only=True)
class VenueOptions(KeyOptions):
    """Where the venue is, and whose keys are used."""

    alpaca_url: Annotated[
        str | None, typer.Option(metavar="BASE", help="One host for Alpaca's orders, data and stream.")
    ] = None


@dataclass(frozen=True, kw_only=True)
class StateOptions:
    """Which trader is meant."""

    state_dir: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="The trader's state folder (default: the settings' live.state_dir)."),
    ] = None


@dataclass(frozen=True, kw_only=True)
class MoneyOptions:
    """Paper or real money."""

    paper: Annotated[bool, typer.Option("--paper", help="The paper account (default).")] = False
    live: Annotated[bool, typer.Option("--live", help="The account with real money.")] = False


def money_of(options: Any) -> Literal["paper", "live"]:
    """Which account ``--paper`` and ``--live`` name; Refusal for both."""
    if options.paper and options.live:
        raise Refusal("argument --live: not allowed with argument --paper; see --help")
    return "live" if options.live else "paper"


@dataclass(frozen=True, kw_only=True)
class ConsentOptions:
    """The word that real money needs."""

    yes: Annotated[bool, typer.Option("--yes", help="With --live: without a typed confirmation.")] = False


def show_version(asked: bool) -> None:
    """Print the version and end, if that was asked for."""
    if asked:
        from config.version import version

        typer.echo(f"risk-first {version()}")
        raise typer.Exit


@dataclass(frozen=True, kw_only=True)
class VersionOption:
    """The version of the package."""

    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=show_version, help="Print the version and exit.")
    ] = False
