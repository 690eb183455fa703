"""What a reader must know of a run that its figures don't show: what was not there, and what could not happen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import numpy as np
import pandas as pd

from config.reading.error_messages import some
from market.bars import BarTable
from market.features import FeatureTable
from market.market import Market
from market.trading_day import in_day_zone
from risk.brackets import FixedBracket
from risk.lots import EPSILON
from risk.model import Position
from risk.sector_cap import SectorCap
from strategies.pipeline import ATR, Pipeline

UNKNOWN = "not known to the source: "
FULL_BOOK = 4
"""Positions below which a universe is told to be too narrow: as many as a scan's budget takes at most."""


def without_benchmark(symbol: str, table: BarTable | None) -> str:
    """The note of a run that is compared with nothing."""
    if table is not None and symbol in table.symbols:
        return f"no benchmark: no bar of {symbol} has ended in the window"
    return f"no benchmark: the data hold no bars of {symbol}; name one with --benchmark"


def benchmark_in_part(table: BarTable, symbol: str, start: pd.Timestamp, end: pd.Timestamp) -> tuple[str, ...]:
    """A note about a benchmark that has bars in the window, but none in its first or in its last session."""
    window = np.flatnonzero((table.opens_at >= start) & (table.opens_at <= end))
    ends = window[np.isfinite(table.close[window, table.symbols.index(symbol)])][[0, -1]]
    if (table.session[ends] == table.session[window[[0, -1]]]).all():
        return ()
    first, last = table.opens_at[ends]
    return (benchmark_of_span(symbol, in_day_zone(first), in_day_zone(last)),)


def benchmark_of_span(symbol: str, first: datetime, last: datetime) -> str:
    """The note about a benchmark that is known from one day to another, and not over the whole run."""
    span = f"from {first:%Y-%m-%d} to {last:%Y-%m-%d}"
    return f"the benchmark {symbol} has bars {span} only: its figures are of this span, not of the whole run"


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


def unknown(symbols: Sequence[str], universe: Sequence[str]) -> tuple[str, ...]:
    """A note about symbols of the universe that were to be traded and aren't there, if there are any."""
    if not symbols:
        return ()
    return (f"{UNKNOWN}{some(symbols)}; traded: {len(universe) - len(symbols)} of {len(universe)} symbols",)


def without_unknown(notes: Iterable[str]) -> tuple[str, ...]:
    """The notes less the one about missing symbols, for screens that have a place of their own for these."""
    return tuple(note for note in notes if not note.startswith(UNKNOWN))


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


def with_interest(usd: float) -> tuple[str, ...]:
    """A note about interest on idle cash, if there was any."""
    return (f"interest of {usd:,.2f} USD on idle cash is in cash and equity, not in the trades",) if usd else ()


def with_parked(usd: float) -> tuple[str, ...]:
    """A note about what parked cash brought, if there was any."""
    return (f"{usd:+,.2f} USD from T-bill funds, which count as cash, are not in the trades",) if usd else ()


def absent_symbols(missing: Iterable[str], pipeline: Pipeline) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What is missing of the symbols that were to be traded, and notes about those that only rules look at."""
    missing = tuple(missing)
    funds = {fund: module.name for module in pipeline.chain for fund in module.cash_funds}
    others = [s for s in missing if s not in pipeline.universe and s in pipeline.symbols()]
    helpers = [s for s in others if s not in funds]
    notes = [f"no bars of {some(helpers)}, which rules only watch or hedge with"] if helpers else []
    if lost := [s for s in others if s in funds]:
        told = f"no bars of {some(lost)}, in which {' and '.join(sorted({funds[s] for s in lost}))} parks cash"
        notes.append(told if len(lost) < len(funds) else f"{told}: idle cash stays cash")
    return tuple(s for s in missing if s in pipeline.universe), tuple(notes)


def out_of_reach(features: FeatureTable, pipeline: Pipeline, end: pd.Timestamp) -> tuple[str, ...]:
    """A note about features that no traded symbol had enough bars for, up to the last decision at ``end``."""
    names = features.too_long_for(pipeline.universe, features.bars.row_closed_at(end))
    if not names:
        return ()
    return (f"no symbol has enough history for {', '.join(names)}; give earlier bars or a shorter period",)


def fit_of_rules(pipeline: Pipeline, market: Market, equity: float) -> tuple[str, ...]:
    """What the rules can do little with, at the first readings: an account, symbols and settings that don't fit.

    Parameters
    ----------
    pipeline : Pipeline
    market : Market
        With at least one closed bar.
    equity : float
        Of the account, USD.
    """
    traded = [s for s in sorted(pipeline.universe) if market.usable(s)]
    return (
        *_below_one_lot(pipeline, {s: market.mark(s) for s in traded}, equity),
        *_capped_notional(pipeline, equity),
        *_stops_inside_one_atr(pipeline, market, traded),
        *_stops_below_zero(pipeline, market, traded),
        *_reachable_positions(pipeline, market),
    )


def _below_one_lot(pipeline: Pipeline, prices: Mapping[str, float], equity: float) -> tuple[str, ...]:
    """A note about symbols of which the notional cap buys not even one lot."""
    sizing = pipeline.sizing
    cap = sizing.max_notional_frac * equity
    dear = [s for s, price in prices.items() if price * sizing.lot > cap]
    if not dear:
        return ()
    if len(dear) == len(prices):
        cheapest = min(prices, key=lambda s: prices[s])
        return (
            f"nothing can be bought: {sizing.max_notional_frac:.0%} of {equity:,.0f} USD is {cap:,.2f}, and the "
            f"cheapest lot, of {cheapest}, costs {prices[cheapest] * sizing.lot:,.2f}; add cheaper symbols or raise "
            "sizing.max_notional_frac",
        )
    return (f"too dear for one lot at {cap:,.2f} USD a position, and never entered: {some(dear)}",)


def _capped_notional(pipeline: Pipeline, equity: float) -> tuple[str, ...]:
    """A note about a notional in USD that no entry reaches."""
    sizing = pipeline.sizing
    cap = sizing.max_notional_frac * equity
    if sizing.notional_usd is None or sizing.notional_usd <= cap:
        return ()
    return (
        f"no entry has the {sizing.notional_usd:,.2f} USD of sizing.notional_usd: sizing.max_notional_frac allows "
        f"{sizing.max_notional_frac:.0%} of {equity:,.0f} USD, {cap:,.2f}",
    )


def _stops_inside_one_atr(pipeline: Pipeline, market: Market, symbols: Sequence[str]) -> tuple[str, ...]:
    """A note about symbols whose fixed stop lies nearer than one ATR: they are stopped by an ordinary bar."""
    bracket = pipeline.bracket
    if not isinstance(bracket, FixedBracket):
        return ()
    inside = {}
    for symbol in symbols:
        price, atr = market.mark(symbol), market.value(ATR, symbol)
        distance = max(bracket.config.stop_frac * price, bracket.config.min_stop_atr * atr)
        if distance < atr:
            inside[symbol] = distance / atr
    if not inside:
        return ()
    told = some([f"{symbol} ({inside[symbol]:.1f} ATR)" for symbol in sorted(inside, key=lambda s: inside[s])])
    return (
        f"the fixed stop of {bracket.config.stop_frac:.1%} lies inside one ATR of {told}: an ordinary bar stops them; "
        "exits.models.fixed.min_stop_atr keeps it farther away",
    )


def _stops_below_zero(pipeline: Pipeline, market: Market, symbols: Sequence[str]) -> tuple[str, ...]:
    """Notes about signals whose stop, in ATR, would lie at or below zero for every symbol: they never enter."""
    if not pipeline.bracket.reads_stop_atr or not symbols:
        return ()
    nearest = min(market.value(ATR, symbol) / market.mark(symbol) for symbol in symbols)
    return tuple(
        f"{signal.name} enters nothing: its stop of {signal.config.stop_atr:g} ATR lies below zero for every symbol; "
        "lower its stop_atr"
        for signal in pipeline.signals
        if signal.side == "buy" and signal.config.stop_atr * nearest >= 1
    )


def _reachable_positions(pipeline: Pipeline, market: Market) -> tuple[str, ...]:
    """A note about a universe whose sectors cannot fill the book under the sector cap."""
    cap = next((m.config for m in pipeline.chain if isinstance(m, SectorCap)), None)
    if cap is None:
        return ()
    sizes = Counter(market.sector(s) for s in pipeline.universe)
    held: Counter[str] = Counter()
    # Filling the emptiest sectors first reaches as many positions as there can be.
    while True:
        total = sum(held.values()) + 1
        open_to = [
            s
            for s in sizes
            if held[s] < min(sizes[s], cap.max_positions)
            and (total < cap.share_from_positions or (held[s] + 1) / total <= cap.max_share_frac + EPSILON)
        ]
        if not open_to:
            break
        held[min(open_to, key=lambda s: (held[s], s))] += 1
    reached = sum(held.values())
    if reached >= min(len(pipeline.universe), FULL_BOOK):
        return ()
    return (
        f"under the sector cap (at most {cap.max_positions} positions in one sector, and {cap.max_share_frac:.0%} of "
        f"all positions, counted, not weighed by value) this universe of {len(pipeline.universe)} symbols in "
        f"{len(sizes)} sectors can hold {reached} positions at a time",
    )
