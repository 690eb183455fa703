"""The present book: of a trader by its state file, or of a backtest at its end."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from backtests.end_state import Closes, closing_book, closing_prices, recent_closes
from backtests.recorded_settings import recorded_settings
from backtests.replay.engine import ReplayRun
from config import Settings
from config.errors import Refusal
from config.values.closed_trades import CLOSED_TRADES_KEPT
from market.sectors import INVERSE, UNCLASSIFIED
from monitoring.state import PositionState, TraderState
from monitoring.whatif import beta, fund_leverages
from risk.interface import RiskModule
from risk.model import ClosedTrade, Position
from strategies.registry import build_pipeline


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
    book, settings = closing_book(run), run.settings
    closes, prices = recent_closes(run), closing_prices(run)
    chain, sectors = run.pipeline.chain, settings.universe.sectors
    held = tuple(
        Held(
            position,
            prices[symbol],
            sectors.get(symbol, UNCLASSIFIED),
            *slope(symbol, sectors.get(symbol, UNCLASSIFIED), settings.universe.benchmark, chain, closes),
        )
        for symbol, position in sorted(book.positions.items())
    )
    halted = dict.fromkeys(book.halted, 1)
    closed = tuple(run.broker.ledger.closed[-CLOSED_TRADES_KEPT:])
    return PresentBook(run.times[-1], book.equity, book.equity_peak, held, closed, halted, chain, settings)
