"""The command line: reads arguments, refuses what cannot be run, and hands the rest on.

Exit status: 0 done, 1 ran and failed, 2 refused the input, 3 stopped by a halt or the kill switch.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from backtests.argument_use import refuse_unread
from backtests.request import EMBEDDED_OVERLAY, Mode, RunRequest
from config import Refusal, Settings, load
from config.arguments import Parser, add_settings, addresses
from config.environment import own_the_run
from config.error_messages import closest, no_file
from config.errors import exit_status
from config.secrets import ALPACA_VARIABLES, Secrets
from config.universe import read_universe
from strategies.registry import STRATEGIES, build_pipeline

DATA_SOURCES = ("yahoo", "alpaca", "embedded")
DATA_FILES = (".parquet", ".csv")
DEFAULT_DATA = "embedded"
DEFAULT_SEED = 0


def parser() -> Parser:
    """Every argument of the command line."""
    p = Parser(prog="live_trader.py", description="Runs a strategy in which the risk chain has the last word.",
               allow_abbrev=False)  # fmt: skip
    p.add_argument("--strategy", metavar="NAME", help="name in the registry (default: the settings', combined)")
    mode = p.add_mutually_exclusive_group()
    for name, text in (
        ("backtest", "on historical bars"),
        ("rehearse", "the live stack against the embedded exchange"),
        ("paper", "Alpaca's paper account"),
        ("live", "real money"),
    ):
        mode.add_argument(f"--{name}", dest="mode", action="store_const", const=name, help=text)
    single = p.add_mutually_exclusive_group()
    single.add_argument("--once", action="store_true", help="one iteration, told in full, then exit")
    single.add_argument("--scan", action="store_true", help="like --once, and submit nothing")
    add_settings(p)
    p.add_argument("--show-config", action="store_true", help="print the merged settings, secrets masked, and exit")
    p.add_argument("--data", metavar="SOURCE",
                   help=f"yahoo, alpaca, embedded or a .parquet or .csv file (default: {DEFAULT_DATA})")  # fmt: skip
    p.add_argument("--start", type=_day, metavar="YYYY-MM-DD", help="first day of a backtest")
    p.add_argument("--end", type=_day, metavar="YYYY-MM-DD", help="last day of a backtest, included")
    names = p.add_mutually_exclusive_group()
    names.add_argument("--symbols", metavar="A,B", help="what to trade, separated by commas")
    names.add_argument("--universe", type=Path, metavar="FILE.csv", help="what to trade, column symbol")
    p.add_argument("--cap", type=_count, metavar="N", help="keep the first N symbols")
    p.add_argument("--benchmark", metavar="SYM", help="what to compare with")
    p.add_argument("--budget", type=_number, metavar="USD", help="cash at the start of a backtest")
    p.add_argument("--seed", type=_whole, default=DEFAULT_SEED, metavar="N", help="for what is random (default: 0)")
    p.add_argument("--out", type=Path, metavar="DIR", help="folder for the run's files (default: below runs/)")
    p.add_argument("--overwrite", action="store_true", help="replace files of an earlier run in it")
    p.add_argument("--lookahead", type=_count, default=0, metavar="CUTS",
                   help="check instead that no decision depends on later data, at so many moments")  # fmt: skip
    p.add_argument("--draw-all", action="store_true", help="draw every trade, not only a choice of them")
    p.add_argument("--no-report", action="store_true", help="tables and figures only: no pictures, page and tearsheet")
    p.add_argument("--scoreboard", action="store_true", help="print the daily scoreboard after a backtest")
    p.add_argument("--speed", type=_number, metavar="N", help="with --rehearse: seconds of the venue in one of ours")
    p.add_argument("--quiet", action="store_true", help="no progress bar")
    p.add_argument("--sleeptime", metavar="TIME", help="time between iterations, e.g. 30S, 5M, 1H")
    p.add_argument("--yes", action="store_true", help="with --live: real money without a typed confirmation")
    p.add_argument("--alpaca-url", metavar="BASE", help="one host for Alpaca's orders, data and stream")
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    return exit_status(lambda: _run(parser().parse_args(argv)))


def _run(args: argparse.Namespace) -> int:
    mode, settings = _settings(args)
    STRATEGIES.require(
        settings.strategy, "--strategy" if args.strategy else f"{settings.source_of('strategy')}: strategy"
    )
    build_pipeline(settings)
    if args.show_config:
        print(yaml.safe_dump(settings.as_dict(masked=True), sort_keys=False, allow_unicode=True, width=110), end="")
        return 0
    request = _request(args, mode, settings)
    _refuse_what_is_missing(request, chosen=args.mode is not None, yes=args.yes)
    own_the_run()
    # Lumibot takes seconds to import, so nothing above may reach it.
    from rich.console import Console

    if request.mode != "backtest":
        from backtests.live_runs import run_live

        return run_live(request, Console())
    from backtests.cli_run import run

    return run(request, Console())


def _settings(args: argparse.Namespace) -> tuple[Mode, Settings]:
    """Mode and merged settings; without a mode, keys in the environment mean paper and none a rehearsal."""
    mode = args.mode
    if mode is None:
        mode = "rehearse" if Secrets.from_environment(os.environ).missing(ALPACA_VARIABLES) else "paper"
    # Asked for the settings alone, nobody has named data for them to fit.
    settings_alone = args.show_config and args.mode is None
    if not settings_alone:
        given = {name for name, value in vars(args).items() if value != parser().get_default(name)}
        refuse_unread(given, mode, chosen=args.mode is not None)
    embedded = args.data == DEFAULT_DATA or (args.data is None and not settings_alone)
    overlays = [EMBEDDED_OVERLAY] if embedded and (settings_alone or mode in ("backtest", "rehearse")) else []
    return mode, load(args.profile, args.config, args.set, overlays, _arguments(args))


def _arguments(args: argparse.Namespace) -> list[tuple[str, str, Any]]:
    """Arguments that stand for a setting: where it is said, its key and value."""
    symbols, sectors = None, None
    if args.symbols is not None:
        symbols = [name.strip().upper() for name in args.symbols.split(",") if name.strip()]
    elif args.universe is not None:
        symbols, sectors = read_universe(args.universe)
    from_symbols = "--symbols" if args.universe is None else f"--universe {args.universe}"
    stated = (
        ("--strategy", "strategy", args.strategy),
        (from_symbols, "universe.symbols", symbols),
        (from_symbols, "universe.sectors", sectors),
        ("--cap", "universe.cap", args.cap),
        ("--benchmark", "universe.benchmark", args.benchmark.upper() if args.benchmark else args.benchmark),
        ("--budget", "account.budget_usd", args.budget),
        ("--sleeptime", "pace.sleeptime", args.sleeptime),
        *addresses(args.alpaca_url),
    )
    return [item for item in stated if item[2] is not None]


def _request(args: argparse.Namespace, mode: Mode, settings: Settings) -> RunRequest:
    if args.speed is not None and not 1 <= args.speed <= 10_000:
        raise Refusal(f"--speed {args.speed:g}: give a number from 1 to 10000")
    if args.start and args.end and args.end < args.start:
        raise Refusal(f"--end {args.end} is before --start {args.start}; exchange them or choose another window")
    data = DEFAULT_DATA if args.data is None else args.data
    if data not in DATA_SOURCES:
        path = Path(data)
        if path.suffix not in DATA_FILES:
            raise Refusal(f"--data {data}: is no source and no .parquet or .csv file; {closest(data, DATA_SOURCES)}")
        if not path.is_file():
            raise Refusal(f"--data {data}: {no_file(path)}; give the path of a .parquet or .csv file")
    return RunRequest(
        strategy=settings.strategy,
        profile=args.profile,
        mode=mode,
        data=data,
        start=args.start,
        end=args.end,
        symbols=settings.universe.traded,
        universe=args.universe,
        cap=settings.universe.cap,
        benchmark=settings.universe.benchmark,
        budget=settings.account.budget_usd,
        seed=args.seed,
        out=args.out,
        overwrite=args.overwrite,
        once=args.once or args.scan,
        scan=args.scan,
        lookahead=args.lookahead,
        draw_all=args.draw_all,
        report=not args.no_report,
        scoreboard=args.scoreboard,
        quiet=args.quiet,
        speed=args.speed,
        settings=settings,
    )


def _refuse_what_is_missing(request: RunRequest, chosen: bool, yes: bool = False) -> None:
    """Refuse modes that cannot run here and now; tell the mode where none was chosen."""
    mode, settings = request.mode, request.settings
    missing = settings.secrets.missing(ALPACA_VARIABLES)
    if mode in {"paper", "live"} and missing:
        raise Refusal(f"--{mode} needs Alpaca keys: set {' and '.join(missing)} in the environment")
    if mode == "backtest":
        if request.data == "alpaca" and missing:
            raise Refusal(f"--data alpaca needs Alpaca keys: set {' and '.join(missing)} in the environment")
        return
    if mode == "live":
        for key in ("pace.sleeptime", "pace.market"):
            if (source := settings.source_of(key)).startswith("--"):
                raise Refusal(f"{source}: {key} of equities is not changed for one run with --live; use a profile")
    if not chosen:
        keys = "Alpaca keys are not set" if missing else "Alpaca keys are set"
        print(f"=== No mode was given and {keys}: {mode.upper()} ===")
    if mode == "live" and not yes:
        _confirm()


def _confirm() -> None:
    """Real money needs a typed word."""
    print("This trades real money. Type LIVE to go on: ", end="", flush=True)
    if not sys.stdin.isatty() or sys.stdin.readline().strip() != "LIVE":
        raise Refusal("--live was not confirmed; type LIVE when asked, or add --yes")


def _day(text: str) -> date:
    try:
        if len(text) != len("YYYY-MM-DD"):
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a day; write YYYY-MM-DD, e.g. 2024-06-28") from None


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 up")
    return int(text)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 up")
    return int(text)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number; write e.g. 100000") from None


if __name__ == "__main__":
    sys.exit(main())
