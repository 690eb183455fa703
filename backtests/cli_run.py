"""One backtest from the command line: data in, run, files and summary out."""

from __future__ import annotations

import platform
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.live import Live
from rich.progress import Progress

from backtests.checks.lookahead import check
from backtests.data.data_sets import YAHOO, BarLength, DataSet, load_data, symbols_held, window
from backtests.data.file_universe import FROM_FILE
from backtests.data.reading.options import Hours, ReadOptions
from backtests.documents import lookahead_document, run_document, scan_document, show_document
from backtests.interruption import Interruption
from backtests.replay.engine import replay
from backtests.reports.breakdowns import OpenPosition
from backtests.reports.metrics import sessions_per_year
from backtests.reports.order_outcomes import with_outcomes
from backtests.reports.outputs import write_figures, write_report
from backtests.reports.run_files import default_folder, prepare_folder, unused
from backtests.reports.run_info import RunInfo
from backtests.reports.scoreboard import scoreboard_of
from backtests.reports.summary_screen import show_files, show_summary
from backtests.request import Engine, RunRequest
from backtests.run_inputs import write_inputs
from backtests.run_result import RunResult
from backtests.scan_screen import show_scan
from config import Settings
from config.errors import EXIT_FAILED, Refusal
from config.reading.error_messages import nearest, some
from config.values.counting import counted
from config.values.markets import NEW_YORK_EQUITY_MARKETS
from config.version import version as package_version
from market.bars import DAY_MINUTES, BarTable
from market.sectors import inverse_funds
from risk.model import Position
from strategies.adapt_to_bars import decides_on_days, fit
from strategies.registry import build_pipeline, build_signals, strategy_class
from strategies.run_notes import (
    absent_symbols,
    benchmark_in_part,
    held_without_bars,
    nothing_to_trade,
    out_of_reach,
    with_dividends,
    with_interest,
    with_parked,
    without_benchmark,
)

FROM_UNIVERSE = "--universe "
GENERAL_DEFAULT = "config/base.yaml"
REPLAYED = "combined"

ENTRIES_AT_MARKET = "market at the open of the bar after the decision"
ENTRIES_REST = "a limit a step from the open of the bar after the decision, for that bar"

OWN_DATA = (
    "not covered: data that a signal or a rule reads by itself, from a file or the network; only bars are altered"
)


def run(request: RunRequest, console: Console) -> int:
    """Carry out a backtest request; returns the exit status.

    Raises
    ------
    Refusal
        Before anything is simulated, for data or settings that can't be used.
    """
    settings = request.settings
    began = time.perf_counter()
    data = data_for(request, settings)
    start, end = window(data, request.start, request.end, settings.pace.day)
    # The run does so for itself; what it would refuse must be known before its folder is made.
    fit(build_pipeline(settings), data.table, settings)
    chosen = chosen_strategy(request)
    took = time.perf_counter() - began
    if request.once:
        return _one_iteration(request, data, chosen, end, console)
    if request.lookahead:
        return _check_lookahead(request, data, chosen, start, end, console)
    request = placed(request, start.date())
    assert request.out is not None
    folder = prepare_folder(request.out, request.overwrite)
    with _naming(folder):
        write_inputs(folder, request, data.hash)
    interruption = Interruption()
    failed = ""
    with interruption.listening():
        result = execute(
            data,
            chosen,
            settings,
            start,
            end,
            engine=request.engine,
            progress=not request.quiet,
            interruption=interruption,
        )
    result.record.decisions = with_outcomes(result.record)
    reached = _reached(result, start) if result.interrupted else end
    info = describe(request, data, result, start, reached, {"data": took, "engine": result.seconds})
    if result.interrupted:
        info = replace(info, notes=(_unfinished(result.interrupted, reached, end), *info.notes))
    with _naming(folder):
        figures = write_figures(folder, result.record, info)
        if not request.json:
            show_summary(console, result.record, info, figures)
        if request.scoreboard:
            console.print(scoreboard_of(result.record, settings.universe.sectors))
        if request.report and not result.interrupted:
            # Without a thread that refreshes it: a process of several cannot be copied for its tearsheet.
            with Live("drawing the report", console=console, auto_refresh=False, transient=True):
                failed = write_report(folder, result.record, info, result.table, figures, request.draw_all)
    if request.json:
        show_document(run_document(folder))
    else:
        show_files(console, info, folder)
    if failed:
        console.print(failed, style="red", highlight=False, soft_wrap=True)
    return EXIT_FAILED if failed or result.interrupted else 0


def placed(request: RunRequest, start: date) -> RunRequest:
    """The request with the folder it writes into: a new one unless ``--out`` or ``--overwrite`` says otherwise.

    ``start`` is the first day that is run.
    """
    if request.out is not None:
        return request
    first = default_folder(request.mode, request.profile, start)
    return replace(request, out=first if request.overwrite else unused(first))


@contextmanager
def _naming(folder: Path) -> Iterator[None]:
    """Name the folder in what the system says of a file that could not be written."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(error.filename or folder)) from error


def _reached(result: RunResult, start: pd.Timestamp) -> pd.Timestamp:
    """The last bar that an interrupted run decided on."""
    rows = result.record.equity
    return pd.Timestamp(rows[-1].time) if rows else start


def _unfinished(signal: str, reached: pd.Timestamp, end: pd.Timestamp) -> str:
    return (
        f"Interrupted by {signal} at {reached:%Y-%m-%d %H:%M}, before the end of its window, {end:%Y-%m-%d}: these are "
        "not the figures of the whole run."
    )


def data_for(request: RunRequest, settings: Settings, *, has_been: bool = False) -> DataSet:
    """The bars that the settings' universe, modules and benchmark need.

    ``has_been`` is for who looks at a run afterwards: its bars are what they are, whatever length the settings that it
    kept would ask for, and so are its symbols.
    """
    symbols = list(dict.fromkeys([*build_pipeline(settings).symbols(), settings.universe.benchmark]))
    length = None
    if not has_been and not decides_on_days(settings):
        length = length_of(settings, put_together=request.mode == "backtest")
    data = load_data(
        request.data,
        symbols,
        request.start,
        request.end,
        intraday=wants_intraday(settings),
        seed=request.seed,
        traded=settings.universe.traded,
        options=replace(request.reading, hours=hours_of(settings)),
        length=length,
    )
    if told := [note for note in (told_universe(settings, data), told_days(settings, data.table)) if note]:
        data = replace(data, notes=(*data.notes, *told))
    if not has_been:
        refuse_misspelt(settings, data, request.reading)
    if set(settings.universe.traded) <= set(data.missing):
        raise Refusal(nothing_to_trade(data.source, settings.universe.traded, "--symbols"))
    benchmark = settings.universe.benchmark
    if benchmark in data.missing and settings.provenance.chosen("universe.benchmark"):
        raise Refusal(
            f"{settings.source_of('universe.benchmark')}: {data.source} has no bars of {benchmark} to compare with; "
            f"name a benchmark that it has, e.g. one of {some(data.table.symbols)}"
        )
    return data


def refuse_misspelt(settings: Settings, data: DataSet, reading: ReadOptions) -> None:
    """Refuse a symbol that the user typed and the data lack, if they hold one of nearly the same name.

    Others are told and left out. So are those of a file of symbols, which nobody typed for this run, and tickers that
    the settings know by their sector. Whether Yahoo would know another name is not asked.

    Raises
    ------
    Refusal
    """
    universe, source = settings.universe, settings.source_of("universe.symbols")
    typed = settings.provenance.chosen("universe.symbols") and not source.startswith((FROM_FILE, FROM_UNIVERSE))
    absent = [symbol for symbol in universe.traded if symbol in data.missing and symbol not in universe.sectors]
    if not typed or not absent or data.source == YAHOO:
        return
    others = set(symbols_held(data.source, reading)) - set(universe.traded)
    for symbol in absent:
        if near := nearest(symbol, others):
            raise Refusal(
                f"{source}: {data.source} has no bars of {symbol}; did you mean {near}? If not, leave {symbol} out"
            )


def hours_of(settings: Settings) -> Hours:
    """Which hours' bars a run reads: those in which it would trade."""
    if settings.pace.market not in NEW_YORK_EQUITY_MARKETS:
        return "all"
    return "extended" if settings.live.extended_hours.enabled else "regular"


def length_of(settings: Settings, *, put_together: bool) -> BarLength:
    """The bars that a run decides on; the general default stands back for daily ones."""
    source = settings.source_of("pace.bars")
    return BarLength(settings.pace.bars, source, strict=source != GENERAL_DEFAULT, put_together=put_together)


def told_days(settings: Settings, table: BarTable) -> str:
    """That the run decides on days, where a trader with the same settings decides more often; else empty."""
    if not table.daily or settings.pace.bars == DAY_MINUTES:
        return ""
    return (
        f"decided on days, as the data are; a trader decides on bars of {counted(settings.pace.bars, 'minute')} "
        f"({settings.source_of('pace.bars')}: pace.bars)"
    )


def told_universe(settings: Settings, data: DataSet) -> str:
    """What is traded, where the file says it, and which of its symbols are not; else empty."""
    if not settings.source_of("universe.symbols").startswith(FROM_FILE):
        return ""
    traded = settings.universe.traded
    told = f"universe: {counted(len(traded), 'symbol')} of the file"
    left = [s for s in sorted(inverse_funds(settings.universe.sectors)) if s in data.table.symbols and s not in traded]
    return f"{told}; {some(left)} left to the hedge" if left else told


def wants_intraday(settings: Settings) -> bool:
    """Whether a signal is on that means nothing on daily bars."""
    return any(signal.intraday_only for signal in build_signals(settings))


def chosen_strategy(request: RunRequest) -> type[Any] | None:
    """The strategy's class; None for the replay engine, which needs no Lumibot and runs the package's own alone.

    Raises
    ------
    Refusal
        If the replay engine is asked for another strategy.
    """
    if request.engine == "lumibot":
        return strategy_class(request.strategy)
    if request.strategy != REPLAYED:
        raise Refusal(
            f"--engine replay: runs the decisions of strategy {REPLAYED}, not the hooks of {request.strategy}; "
            "take --engine lumibot"
        )
    return None


def execute(
    data: DataSet,
    chosen: type[Any] | None,
    settings: Settings,
    start: pd.Timestamp,
    end: pd.Timestamp,
    *,
    altered: bool = False,
    engine: Engine = "lumibot",
    **options: Any,
) -> RunResult:
    """Run on the source that the data came from: Yahoo's through Lumibot's own class, others from the table.

    ``altered`` tells that the table is no longer what the source itself would say. The replay engine takes the same
    bars and dividends.
    """
    if engine == "replay":
        dividends = {}
        if data.source == YAHOO and not altered:
            from backtests.yahoo_runs import yahoo_dividends

            dividends = yahoo_dividends(data.table, start.date(), end.date())
        return replay(settings, data.table, start, end, dividends=dividends, **options)
    # Imported here: the replay engine needs no Lumibot.
    from backtests.engine import run_source, run_table

    if chosen is None:
        raise ValueError("the Lumibot engine needs a strategy class")
    if data.source != YAHOO:
        return run_table(chosen, settings, data.table, start, end, **options)
    from backtests.yahoo_runs import preload, yahoo_source

    source = yahoo_source(start.date(), end.date())
    if altered:
        preload(source, data.table)
    sessions = int(((data.table.opens_at >= start) & (data.table.opens_at <= end)).sum())
    return run_source(chosen, settings, source, sessions, **options)


def describe(
    request: RunRequest,
    data: DataSet,
    result: RunResult,
    start: pd.Timestamp,
    end: pd.Timestamp,
    seconds: dict[str, float],
) -> RunInfo:
    """What the report says about where the figures come from."""
    settings, strategy = request.settings, result.strategy
    fills = settings.fills.model_dump()
    benchmark = settings.universe.benchmark
    closes = benchmark_closes(data.table, benchmark, start, end)
    missing, _ = absent_symbols(data.missing, strategy.pipeline)
    notes = strategy.notes
    if closes is None:
        notes = (*notes, without_benchmark(benchmark, data.table))
    else:
        notes = (*notes, *benchmark_in_part(data.table, benchmark, start, end))
    notes = (*notes, *held_without_bars(strategy.broker.ledger.positions.values(), result.table, end))
    return RunInfo(
        mode="backtest",
        strategy=request.strategy,
        profile=request.profile,
        evidence=settings.told_evidence(request.profile),
        data_source=data.source,
        data_hash=data.hash,
        config_hash=settings.config_hash,
        start=start,
        end=end,
        symbols=tuple(symbol for symbol in settings.universe.traded if symbol not in missing),
        missing_symbols=missing,
        fill_assumptions={
            **fills,
            "ambiguous_bar": "stop before target",
            "entries": ENTRIES_REST if settings.fills.entry_rests else ENTRIES_AT_MARKET,
            "gaps": "at the open",
        },
        benchmark=benchmark if closes is not None else "",
        benchmark_closes=closes,
        sessions_per_year=sessions_per_year(data.table.opens_at),
        seconds=seconds,
        versions={"package": package_version(), "lumibot": version("lumibot"), "python": platform.python_version()},
        interrupted=result.interrupted,
        notes=(
            *data.notes,
            *notes,
            *with_dividends(result.record.dividends),
            *with_interest(result.record.interest),
            *with_parked(result.record.parked),
            *out_of_reach(strategy.feed.features, strategy.pipeline, end),
        ),
        seed=request.seed,
        open_positions=open_at_the_end(strategy.broker.ledger.positions.values(), result.table, end),
    )


def open_at_the_end(held: Iterable[Position], table: BarTable, end: pd.Timestamp) -> tuple[OpenPosition, ...]:
    """Positions that the run ended with, valued at their last close in the window."""
    row = int(table.opens_at.searchsorted(end, side="right"))
    found = []
    for position in sorted(held, key=lambda one: one.symbol):
        closes = table.close[:row, table.symbols.index(position.symbol)]
        known = closes[np.isfinite(closes)]
        price = float(known[-1]) if len(known) else position.entry_price
        found.append(
            OpenPosition(
                symbol=position.symbol,
                quantity=position.quantity,
                entry_time=position.entry_time,
                entry_price=position.entry_price,
                price=price,
                stop=position.stop,
                unrealised=(price - position.entry_price) * position.quantity,
            )
        )
    return tuple(found)


def benchmark_closes(table: BarTable, symbol: str, start: pd.Timestamp, end: pd.Timestamp) -> pd.Series | None:
    """Closes of the benchmark's days over the window, led by its first open; None if the data don't have it.

    So the first session counts for it as it does for the run.
    """
    if symbol not in table.symbols:
        return None
    column = table.symbols.index(symbol)
    rows = np.flatnonzero((table.opens_at >= start) & (table.opens_at <= end) & np.isfinite(table.close[:, column]))
    if not len(rows):
        return None
    times = table.closes_at[rows]
    # A bar that closes at midnight ends its day, it doesn't begin the next one.
    days = (times - pd.Timedelta(microseconds=1)).date
    last = rows[np.append(days[1:] != days[:-1], True)]
    first = pd.Series(table.open[rows[:1], column], index=table.opens_at[rows[:1]])
    return pd.concat([first, pd.Series(table.close[last, column], index=table.closes_at[last])])


def _one_iteration(
    request: RunRequest, data: DataSet, chosen: type[Any] | None, at: pd.Timestamp, console: Console
) -> int:
    """Decide once, at the opening of the last bar of the window, and show everything that was weighed."""
    if data.table.opens_at[0] == at:
        raise Refusal(f"{data.source}: no bar closes before {at}; give a later --end")
    result = execute(data, chosen, request.settings, at, at, engine=request.engine, submit=not request.scan)
    if request.json:
        show_document(scan_document(result, data, scan=request.scan))
    else:
        show_scan(console, result, data, scan=request.scan)
    return 0


def _check_lookahead(
    request: RunRequest,
    data: DataSet,
    chosen: type[Any] | None,
    start: pd.Timestamp,
    end: pd.Timestamp,
    console: Console,
) -> int:
    """Look for decisions that depend on later data; exit status 1 if there are any."""

    def rerun(table: BarTable) -> RunResult:
        last = min(end, table.opens_at[-1])
        altered = replace(data, table=table)
        return execute(altered, chosen, request.settings, start, last, altered=True, engine=request.engine)

    with Progress(console=console, transient=True, disable=request.quiet) as progress:
        report = check(rerun, data.table, start, end, request.lookahead, request.seed, on_run=progress.track)
    if request.json:
        show_document(lookahead_document(report))
        return 0 if report.clean else 1
    cuts = ", ".join(f"{cut:%Y-%m-%d %H:%M}" for cut in report.cuts)
    console.print(f"cuts: {cuts}", highlight=False)
    console.print(f"compared: {report.decisions:,} decisions, {report.features:,} feature values", highlight=False)
    if not report.decisions:
        console.print("nothing was decided before the cuts, so only features were compared", style="yellow")
    for leak in report.leaks:
        console.print(f"LEAK {leak.line}", style="red", highlight=False, soft_wrap=True)
    if report.clean:
        console.print("no look-ahead found", style="green")
        console.print(OWN_DATA, highlight=False, soft_wrap=True)
    else:
        console.print(counted(len(report.leaks), "leak"), style="red")
    return 0 if report.clean else 1
