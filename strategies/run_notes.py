"""What a reader must know of a run that its figures don't show: what was not there, and what could not happen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import numpy as np
import pandas as pd

from config.error_messages import some
from market.bars import BarTable
from market.features import FeatureTable
from risk.model import Position
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
                f"{position.quantity:.10g} {position.symbol} at {close:.2f} since {table.opens_at[last]:%Y-%m-%d}"
            )
    if not stuck:
        return ()
    return (f"positions whose bars ended are valued at their last close, and no stop can act: {some(stuck)}",)


def nothing_to_trade(source: str, universe: Sequence[str], setting: str) -> str:
    """Why a run is refused whose source has none of the symbols; ``setting`` is where they were chosen."""
    return f"{source}: has no bars of {some(universe)}, so there is nothing to trade; choose other {setting}"


def unknown(symbols: Sequence[str]) -> tuple[str, ...]:
    """A note about symbols that were to be traded and aren't there, if there are any."""
    return (f"not known to the source: {some(symbols)}",) if symbols else ()


def without_unknown(notes: Iterable[str], missing: Sequence[str]) -> tuple[str, ...]:
    """The notes less the one about missing symbols, for reports that have a place of their own for these."""
    return tuple(note for note in notes if note not in unknown(missing))


def lacking(bars: BarTable, symbols: Iterable[str], end: datetime) -> tuple[str, ...]:
    """Which of the symbols have no bar that opens by ``end``."""
    begun = bars.opens_at.searchsorted(pd.Timestamp(end), side="right")
    there = np.atleast_1d(np.isfinite(bars.close[:begun]).any(axis=0))
    known = {symbol for symbol, has_bars in zip(bars.symbols, there, strict=True) if has_bars}
    return tuple(symbol for symbol in symbols if symbol not in known)


def without_faults(left_out: Mapping[str, int]) -> tuple[str, ...]:
    """A note about bars that were left out for their prices, if there were any."""
    if not left_out:
        return ()
    told = some([f"{symbol} ({count})" for symbol, count in left_out.items()])
    return (f"bars left out, as their prices are not above zero, not finite or at odds with each other: {told}",)


def with_dividends(usd: float) -> tuple[str, ...]:
    """A note about dividends, if there were any: without it trades and equity would not add up."""
    return (f"dividends of {usd:,.2f} USD are in cash and equity, not in the trades",) if usd else ()


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
