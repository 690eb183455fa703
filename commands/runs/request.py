"""From arguments to a request: merges the settings, refuses what cannot be run, and starts the run."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from commands.composition import gathered, given
from commands.options import (
    DATA_SOURCES,
    DEFAULT_DATA,
    DEFAULT_SEED,
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
)
from commands.venue_choice import KRAKEN, chosen_profile, override
from config.errors import OwnCodeError, Refusal
from config.reading.dotenv import with_keys
from config.values.data_files import DATA_FILES, way_out_of
from config.values.secrets import ALPACA_VARIABLES, Secrets

if TYPE_CHECKING:
    from backtests.data.reading.options import ReadOptions
    from backtests.request import Mode, RunRequest
    from config import Settings
    from config.reading.loader import Override, RecordedSettings

READING = ("date_order", "timezone", "decimal", "labels")
"""Options that settle what a file leaves open."""
SLOWEST, FASTEST = 1, 10_000


@dataclass(frozen=True, kw_only=True)
class RunArguments(
    UniverseOptions,
    SettingsOptions,
    DataOptions,
    SeedOptions,
    FolderOptions,
    ReportOptions,
    EngineOptions,
    SpeedOptions,
    PaceOptions,
    VenueOptions,
    StateOptions,
    ConsentOptions,
    ScreenOptions,
):
    """Everything that a run can be asked for.

    Parameters
    ----------
    mode : {"backtest", "rehearse", "paper", "live"} or None
        None takes paper where there are keys, else a rehearsal.
    once, scan : bool
        One iteration only; ``scan`` submits nothing.
    lookahead : int or None
        Instead of a run: at how many moments to check that later data change nothing; None is a run.
    recorded : RecordedSettings or None
        Of a run that is repeated; they lie below the user's own.
    file_symbol : str or None
        The symbol of that run's file, where the file does not name it.
    """

    mode: Mode | None = None
    once: bool = False
    scan: bool = False
    lookahead: int | None = None
    recorded: RecordedSettings | None = None
    file_symbol: str | None = None


def merged(*groups: Any, **more: Any) -> RunArguments:
    """The arguments of a run from the groups of options that its command takes."""
    return RunArguments(**gathered(*groups), **more)


def start(arguments: RunArguments) -> int:
    """Carry out a run; returns the exit status.

    Raises
    ------
    Refusal
        Before anything is started.
    """
    arguments = resolved(arguments)
    mode, settings = settled(arguments)
    request = requested(arguments, mode, settings)
    refuse_what_is_missing(request, chosen=arguments.mode is not None, yes=arguments.yes)
    return carry_out(request)


def carry_out(request: RunRequest, *, quietly: bool = False) -> int:
    """Run a request; returns the exit status. ``quietly`` keeps the figures from the screen."""
    from commands.screen import console
    from config.process.collector import loading
    from config.process.environment import own_the_run

    own_the_run()
    screen = console(request.json)
    screen.quiet = quietly
    if request.verbose:
        tell_settings(request.settings, screen)
    try:
        # Lumibot takes seconds to import, so nothing above may reach it.
        if request.mode != "backtest":
            with loading():
                from backtests.live.live_runs import run_live
            return run_live(request, screen)
        with loading():
            from backtests.cli_run import run
        return run(request, screen)
    except OwnCodeError as error:
        if request.verbose and error.__cause__ is not None:
            traceback.print_exception(error.__cause__)
        raise


def resolved(arguments: RunArguments) -> RunArguments:
    """The arguments with the mode and the profile that are meant, told where the balance picked it; the same again."""
    from config.reading.loader import load

    environment = _environment(arguments)
    mode = _mode(arguments, environment)
    stated = override(arguments.venue)
    choice = chosen_profile(
        arguments.profile,
        arguments.venue,
        arguments.strategy,
        arguments.budget,
        live=mode in ("paper", "live"),
        settings_of=lambda profile: load(
            profile,
            arguments.config,
            arguments.set_,
            arguments=[*stated, *_overrides(replace(arguments, strategy=None))],
            environment=environment,
        ),
    )
    if choice.told:
        stream = sys.stderr if arguments.json else sys.stdout
        stream.write(f"{choice.told}\n")
    strategy = None if arguments.strategy == choice.profile else arguments.strategy
    return replace(arguments, profile=choice.profile, strategy=strategy)


def _environment(arguments: RunArguments) -> Mapping[str, str]:
    return with_keys(os.environ, arguments.dotenv, frozenset(Secrets.model_fields))


def _mode(arguments: RunArguments, environment: Mapping[str, str]) -> Mode:
    """The mode that is asked for; without one, the paper account where its keys are there, else a rehearsal."""
    if arguments.mode is not None:
        return arguments.mode
    # Kraken has no paper accounts, and real money is never a guess.
    no_keys = bool(Secrets.from_environment(environment).missing(ALPACA_VARIABLES))
    return "rehearse" if no_keys or arguments.venue == KRAKEN else "paper"


def settled(arguments: RunArguments, *, alone: bool = False) -> tuple[Mode, Settings]:
    """Mode and merged settings, with everything that can be wrong with them refused.

    Parameters
    ----------
    arguments : RunArguments
    alone : bool, default=False
        Only the settings are asked for, so that nobody has named data for them to fit where no mode is named.
    """
    from backtests.argument_use import refuse_unread
    from backtests.request import EMBEDDED_OVERLAY
    from config.reading.loader import load
    from strategies.registry import STRATEGIES, build_pipeline

    arguments = resolved(arguments)
    environment = _environment(arguments)
    mode = _mode(arguments, environment)
    settings_alone = alone and arguments.mode is None
    if not settings_alone:
        refuse_unread(given(arguments) - {"mode", "recorded", "file_symbol"}, mode, chosen=arguments.mode is not None)
    embedded = arguments.data == DEFAULT_DATA or (arguments.data is None and not settings_alone)
    embedded &= settings_alone or mode in ("backtest", "rehearse")
    stated = _overrides(arguments)

    def loaded(overlays: Iterable[Path], more: Iterable[Override] = ()) -> Settings:
        return load(
            arguments.profile,
            arguments.config,
            arguments.set_,
            overlays,
            [*stated, *more],
            environment,
            arguments.recorded,
        )

    below: tuple[Path, ...] = ()
    settings = loaded(below)
    # The embedded stocks bring their own universe; a rehearsal at Kraken has coins of its own.
    if embedded and settings.broker.venue != KRAKEN:
        below = (EMBEDDED_OVERLAY,)
        settings = loaded(below)
    if arguments.data is not None and arguments.data not in DATA_SOURCES and mode in ("backtest", "rehearse"):
        _refuse_no_data(arguments.data)
        # Imported here: settings alone need no reader of files.
        from backtests.data.file_universe import file_universe

        if more := file_universe(settings, arguments.data, _reading(arguments)):
            settings = loaded(below, more)
    place = "--strategy" if arguments.strategy else f"{settings.source_of('strategy')}: strategy"
    STRATEGIES.require(settings.strategy, place)
    build_pipeline(settings)
    return mode, settings


def _overrides(arguments: RunArguments) -> list[tuple[str, str, Any]]:
    """Arguments that stand for a setting: where it is said, its key and value."""
    from config.reading.arguments import addresses
    from config.reading.universe import read_universe

    symbols, sectors = None, None
    if arguments.symbols is not None and arguments.universe is not None:
        raise Refusal("argument --universe: not allowed with argument --symbols; leave one of them out")
    if arguments.symbols is not None:
        symbols = [name.strip() for name in arguments.symbols.split(",") if name.strip()]
    elif arguments.universe is not None:
        symbols, sectors = read_universe(arguments.universe)
    from_symbols = "--symbols" if arguments.universe is None else f"--universe {arguments.universe}"
    stated = (
        ("--strategy", "strategy", arguments.strategy),
        (from_symbols, "universe.symbols", symbols),
        (from_symbols, "universe.sectors", sectors),
        ("--cap", "universe.cap", arguments.cap),
        ("--benchmark", "universe.benchmark", arguments.benchmark),
        ("--budget", "account.budget_usd", arguments.budget),
        ("--sleeptime", "pace.sleeptime", arguments.sleeptime),
        ("--state-dir", "live.state_dir", arguments.state_dir),
        *addresses(arguments.alpaca_url),
        *override(arguments.venue),
    )
    return [item for item in stated if item[2] is not None]


def requested(arguments: RunArguments, mode: Mode, settings: Settings) -> RunRequest:
    """The request, once the settings are known."""
    from backtests.request import RunRequest

    speed, first, last = arguments.speed, arguments.start, arguments.end
    if speed is not None and not SLOWEST <= speed <= FASTEST:
        raise Refusal(f"--speed {speed:g}: give a number from {SLOWEST} to {FASTEST}")
    if first and last and last < first:
        raise Refusal(f"--end {last} is before --start {first}; exchange them or choose another window")
    data = DEFAULT_DATA if arguments.data is None else arguments.data
    if data not in DATA_SOURCES:
        _refuse_no_data(data)
    elif unread := next((name for name in READING if getattr(arguments, name) is not None), None):
        raise Refusal(f"--{unread.replace('_', '-')} is read with a file only; leave it out or give --data FILE")
    return RunRequest(
        strategy=settings.strategy,
        profile=arguments.profile,
        mode=mode,
        data=data,
        start=first,
        end=last,
        budget=settings.account.budget_usd,
        seed=DEFAULT_SEED if arguments.seed is None else arguments.seed,
        out=arguments.out,
        overwrite=arguments.overwrite,
        once=arguments.once or arguments.scan,
        scan=arguments.scan,
        lookahead=arguments.lookahead or 0,
        draw_all=arguments.draw_all,
        report=not arguments.no_report,
        scoreboard=arguments.scoreboard,
        quiet=arguments.quiet or arguments.json,
        verbose=arguments.verbose,
        json=arguments.json,
        speed=speed,
        settings=settings,
        reading=_reading(arguments),
        engine=arguments.engine,
    )


def _reading(arguments: RunArguments) -> ReadOptions:
    """What settles that which a file leaves open; the only symbol named is that of a file that names none."""
    from backtests.data.reading.options import ReadOptions

    symbols = [name for name in (arguments.symbols or "").split(",") if name.strip()]
    only = symbols[0] if len(symbols) == 1 else arguments.file_symbol
    return ReadOptions(arguments.date_order, arguments.timezone, arguments.decimal, only, labels=arguments.labels)


def _refuse_no_data(data: str) -> None:
    from config.reading.error_messages import closest, no_file

    path = Path(data)
    if path.is_dir():
        return
    if path.suffix.lower() not in DATA_FILES:
        way_out = way_out_of(path) or closest(data, DATA_SOURCES)
        raise Refusal(f"--data {data}: is no source and no .parquet or .csv file; {way_out}")
    if not path.is_file():
        raise Refusal(
            f"--data {data}: {no_file(path)}; give the path of a .parquet or .csv file, or of a folder of them"
        )


def refuse_what_is_missing(request: RunRequest, chosen: bool, yes: bool = False) -> None:
    """Refuse modes that cannot run here and now; tell the mode where none was chosen."""
    from config.values.secrets import ALPACA_VARIABLES, KRAKEN_VARIABLES

    mode, settings = request.mode, request.settings
    kraken = settings.broker.venue == KRAKEN
    missing = settings.secrets.missing(KRAKEN_VARIABLES if kraken else ALPACA_VARIABLES)
    way_out = f"set {' and '.join(missing)} in the environment"
    if mode == "paper" and kraken:
        raise Refusal(
            "--paper: Kraken has no paper accounts; rehearse with --rehearse, or trade real money with --live"
        )
    if mode in {"paper", "live"} and missing:
        raise Refusal(f"--{mode} needs {settings.broker.venue.title()} keys: {way_out}")
    if mode == "backtest":
        if request.data == "alpaca" and missing:
            raise Refusal(f"--data alpaca needs Alpaca keys: {way_out}")
        return
    if mode == "live" and not kraken:
        for key in ("pace.sleeptime", "pace.market"):
            if (source := settings.source_of(key)).startswith("--"):
                raise Refusal(f"{source}: {key} of equities is not changed for one run with --live; use a profile")
    if not chosen:
        name = settings.broker.venue.title()
        keys = f"{name} keys are not set" if missing else f"{name} keys are set"
        stream = sys.stderr if request.json else sys.stdout
        stream.write(f"=== No mode was given and {keys}: {mode.upper()} ===\n")
    if mode == "live" and not yes:
        confirm("This trades real money.")


def confirm(what: str) -> None:
    """Real money needs a typed word; Refusal without it."""
    sys.stderr.write(f"{what} Type LIVE to go on: ")
    sys.stderr.flush()
    if not sys.stdin.isatty() or sys.stdin.readline().strip() != "LIVE":
        raise Refusal("--live was not confirmed; type LIVE when asked, or add --yes")


def tell_settings(settings: Settings, screen: Any) -> None:
    """Which settings the user chose, and where; the verbose part of every command."""
    for key, value, source in settings.chosen():
        screen.print(f"setting {key} = {value} ({source})", highlight=False, markup=False, soft_wrap=True)
