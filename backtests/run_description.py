"""What the reports of a backtest say of it: its data, fill assumptions, benchmark, notes and open positions."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping
from importlib.metadata import version

import numpy as np
import pandas as pd

from backtests.data.bar_notes import SPLIT
from backtests.data.data_sets import DataSet
from backtests.gaps import gap_notes, jump_warnings, spans
from backtests.reports.breakdowns import OpenPosition
from backtests.reports.metrics import max_drawdown, sessions_per_year
from backtests.reports.run_info import RunInfo
from backtests.request import RunRequest
from backtests.run_result import RunResult
from config.version import version as package_version
from market.bars import BarTable
from market.trading_day import days_of
from risk.model import Position
from strategies.idle_settings import told_of_idle_cap
from strategies.run_notes import (
    absent_symbols,
    benchmark_in_part,
    held_without_bars,
    out_of_reach,
    with_dividends,
    with_interest,
    with_parked,
    without_benchmark,
)
from strategies.silent_signals import enlarged, without_effect
from strategies.without_volume import without_volume

ENTRIES_AT_MARKET = "market at the open of the bar after the decision"
ENTRIES_REST = "a limit a step from the open of the bar after the decision, for that bar"


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
    notes = (*notes, *(note for note in told_of_idle_cap(settings) if note not in notes))
    held = list(strategy.broker.ledger.positions.values())
    positions = spans(result.record, held, end)
    notes = (*gap_notes(data.table, settings.universe.traded, benchmark, positions, start, end), *notes)
    notes = (*notes, *held_without_bars(held, result.table, end))
    spoke = {decision.proposal.signal for decision in result.record.decisions}
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
        benchmark_drawdown=None if closes is None else _fall_at_bars(data.table, benchmark, start, end),
        sessions_per_year=sessions_per_year(data.table.opens_at),
        seconds=seconds,
        versions={"package": package_version(), "lumibot": version("lumibot"), "python": platform.python_version()},
        interrupted=result.interrupted,
        # Only of a file whose reader has found any: what a source has adjusted jumps by what really happened.
        warnings=jump_warnings(data.table, positions) if any(SPLIT in note for note in data.notes) else (),
        notes=(
            *data.notes,
            *notes,
            *with_dividends(result.record.dividends),
            *with_interest(result.record.interest),
            *with_parked(result.record.parked),
            *without_volume(strategy.feed.features, strategy.pipeline, start, end),
            *out_of_reach(strategy.feed.features, strategy.pipeline, end),
            *without_effect(strategy.feed.features, strategy.pipeline, spoke, start, end),
            *enlarged(strategy.pipeline),
        ),
        seed=request.seed,
        open_positions=open_at_the_end(held, strategy.broker.ledger.entry_fees, result.table, end),
    )


def open_at_the_end(
    held: Iterable[Position], entry_fees: Mapping[str, float], table: BarTable, end: pd.Timestamp
) -> tuple[OpenPosition, ...]:
    """Positions that the run ended with, at their last close in the window, less what their entries were charged."""
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
                unrealised=(price - position.entry_price) * position.quantity - entry_fees.get(position.symbol, 0.0),
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
    days = days_of(times - pd.Timedelta(microseconds=1))
    last = rows[np.append(days[1:] != days[:-1], True)]
    first = pd.Series(table.open[rows[:1], column], index=table.opens_at[rows[:1]])
    return pd.concat([first, pd.Series(table.close[last, column], index=table.closes_at[last])])


def _fall_at_bars(table: BarTable, symbol: str, start: pd.Timestamp, end: pd.Timestamp) -> float | None:
    """The benchmark's maximum drawdown at the closes of all its bars, as the run's is measured."""
    column = table.symbols.index(symbol)
    rows = np.flatnonzero((table.opens_at >= start) & (table.opens_at <= end) & np.isfinite(table.close[:, column]))
    return max_drawdown(np.array([table.open[rows[0], column], *table.close[rows, column]]))
