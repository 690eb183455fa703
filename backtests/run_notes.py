"""What a reader must know of a run that its figures don't show: what was not there, and what could not happen."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from backtests.bar_checks import some
from backtests.plain import decimal
from risk.model import Position
from strategies.bars import BarTable
from strategies.features import FeatureTable
from strategies.pipeline import Pipeline


def without_benchmark(symbol: str) -> str:
    """The note of a run that is compared with nothing."""
    return f"no benchmark: the data hold no bars of {symbol}; name one with --benchmark"


def benchmark_in_part(table: BarTable, symbol: str, start: pd.Timestamp, end: pd.Timestamp) -> tuple[str, ...]:
    """A note about a benchmark that has bars in the window, but none in its first or in its last session."""
    window = np.flatnonzero((table.opens_at >= start) & (table.opens_at <= end))
    ends = window[np.isfinite(table.close[window, table.symbols.index(symbol)])][[0, -1]]
    if (table.session[ends] == table.session[window[[0, -1]]]).all():
        return ()
    first, last = table.opens_at[ends]
    span = f"from {first:%Y-%m-%d} to {last:%Y-%m-%d}"
    return (f"the benchmark {symbol} has bars {span} only: its figures are of this span, not of the whole run",)


def held_without_bars(positions: Iterable[Position], table: BarTable, end: pd.Timestamp) -> tuple[str, ...]:
    """A note about what is still held at ``end`` of symbols whose bars ended in an earlier session."""
    session = table.session[table.opens_at.searchsorted(end, side="right") - 1]
    last_rows = table.last_rows()
    stuck = []
    for position in positions:
        k = table.symbols.index(position.symbol)
        last = last_rows[k]
        if table.session[last] < session:
            close = table.close[np.isfinite(table.close[:, k]), k][-1]
            stuck.append(
                f"{decimal(position.quantity)} {position.symbol} at {close:.2f} since {table.opens_at[last]:%Y-%m-%d}"
            )
    if not stuck:
        return ()
    return (f"positions whose bars ended are valued at their last close, and no stop can act: {some(stuck)}",)


def absent_symbols(missing: Iterable[str], pipeline: Pipeline) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What is missing of the symbols that were to be traded, and notes about those that only rules look at."""
    missing = tuple(missing)
    helpers = [s for s in missing if s not in pipeline.universe and s in pipeline.symbols()]
    notes = (f"no bars of {some(helpers)}, which rules only watch or hedge with",) if helpers else ()
    return tuple(s for s in missing if s in pipeline.universe), notes


def out_of_reach(features: FeatureTable, pipeline: Pipeline, end: pd.Timestamp) -> tuple[str, ...]:
    """A note about features that no traded symbol had enough bars for, up to the last decision at ``end``."""
    names = features.too_long_for(pipeline.universe, features.bars.row_closed_at(end))
    if not names:
        return ()
    return (f"no symbol has enough history for {', '.join(names)}; give earlier bars or a shorter period",)
