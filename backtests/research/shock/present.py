"""The present book: of a trader by its state file, or of a backtest at its end."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import pandas as pd

from backtests.recorded_settings import recorded_settings
from backtests.replay.engine import ReplayRun
from config import Settings
from config.errors import Refusal
from config.values.closed_trades import CLOSED_TRADES_KEPT
from market.sectors import INVERSE, UNCLASSIFIED
from monitoring.state import PositionState, TraderState
from monitoring.whatif import BETA_BARS, beta, fund_leverages
from risk.interface import RiskModule
from risk.model import ClosedTrade, Position
from strategies.registry import build_pipeline

Closes = Mapping[str, Mapping[int, float]]


@dataclass(frozen=True, slots=True)
class Held:
    """A position, its price in USD, and how far it moves for each move of the market, with the reason."""

    position: Position
    price: float
    sector: str
    slope: float
    why: str


@dataclass(frozen=True, slots=True)
class PresentBook:
    """What the shocks are applied to; money in USD.

    ``halted`` gives the sessions that are left of each halt in force.
    """

    time: datetime
    equity: float
    equity_peak: float
    held: tuple[Held, ...]
    closed: tuple[ClosedTrade, ...]
    halted: Mapping[str, int]
    chain: tuple[RiskModule, ...]
    settings: Settings


def book_of_trader(state: TraderState, closes: Closes) -> PresentBook:
    """What a trader held at its last iteration.

    Parameters
    ----------
    state : TraderState
    closes : mapping
        Closes by symbol and opening time, from which betas are measured.

    Raises
    ------
    Refusal
        The trader has not looked at its account yet, or wrote settings that this program does not read.
    """
    if state.equity is None or state.book_time is None:
        raise Refusal("the trader has not looked at its account yet; ask again after its first iteration")
    settings = recorded_settings(state.settings)
    chain = build_pipeline(settings).chain
    benchmark = settings.universe.benchmark
    held = tuple(
        Held(_position(p), p.price, p.sector, *slope(p.symbol, p.sector, benchmark, chain, closes))
        for p in state.positions
        if p.price
    )
    losses = max((int(x.used) for x in state.limits if x.halts and x.unit == "trades"), default=0)
    streak = tuple(ClosedTrade("", state.book_time, state.book_time, -1.0, -1.0) for _ in range(losses))
    # How long a halt still lasts does not matter: no entry is looked for.
    halted = {halt.name: 1 for halt in state.halts}
    peak = state.equity if state.equity_peak is None else max(state.equity, state.equity_peak)
    return PresentBook(state.book_time, state.equity, peak, held, streak, halted, chain, settings)


def slope(symbol: str, sector: str, benchmark: str, chain: Sequence[RiskModule], closes: Closes) -> tuple[float, str]:
    """How far a symbol moves for each move of the market, and why so."""
    funds = fund_leverages(chain)
    if symbol in funds:
        return -funds[symbol], f"inverse fund, {funds[symbol]:g}x"
    if sector == INVERSE:
        return -1.0, "inverse fund, taken as 1x"
    if symbol == benchmark:
        return 1.0, "the benchmark"
    found = beta(closes.get(symbol, {}), closes.get(benchmark, {}))
    return (1.0, "as the market, beta not known") if found is None else (found, f"beta {found:.2f}")


def _position(p: PositionState) -> Position:
    nan = math.nan
    best = [price for price in (p.entry_price, p.price) if price is not None]
    return Position(
        symbol=p.symbol,
        quantity=p.quantity,
        entry_price=p.entry_price or p.price or nan,
        entry_time=p.entry_time,
        stop=nan if p.stop is None else p.stop,
        target=nan if p.target is None else p.target,
        initial_stop=nan if p.initial_stop is None else p.initial_stop,
        signal=p.signal,
        role="hedge" if p.role == "hedge" else "entry",
        protected_quantity=p.protected,
        initial_quantity=p.quantity,
        best_price=max(best) if p.quantity > 0 else min(best),
    )


def book_of_run(run: ReplayRun) -> PresentBook:
    """What a backtest held at its end."""
    broker, settings, table = run.broker, run.settings, run.table
    last = int(table.opens_at.searchsorted(pd.Timestamp(run.times[-1]), side="right"))
    first = max(0, last - BETA_BARS - 1)
    stamps = [int(opened.timestamp()) for opened in table.opens_at[first:last]]
    closes = {
        symbol: {
            stamp: float(close)
            for stamp, close in zip(stamps, table.close[first:last, k], strict=True)
            if math.isfinite(close)
        }
        for k, symbol in enumerate(table.symbols)
    }
    chain, sectors = run.pipeline.chain, settings.universe.sectors
    marks = dict(zip(table.symbols, broker.marks_at(last - 1), strict=True))
    held = tuple(
        Held(
            replace(position, protected_quantity=broker.protected_quantity(symbol)),
            marks[symbol],
            sectors.get(symbol, UNCLASSIFIED),
            *slope(symbol, sectors.get(symbol, UNCLASSIFIED), settings.universe.benchmark, chain, closes),
        )
        for symbol, position in sorted(broker.ledger.positions.items())
    )
    equity, book = broker.equity(), run.book
    peak = equity if book is None or math.isnan(book.equity_peak) else max(equity, book.equity_peak)
    halted = {} if book is None else dict.fromkeys(book.halted, 1)
    closed = tuple(broker.ledger.closed[-CLOSED_TRADES_KEPT:])
    return PresentBook(run.times[-1], equity, peak, held, closed, halted, chain, settings)
