"""Trades by symbol, signal, exit and month, streaks, and what was still open at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

import numpy as np

from brokers.record import TradeRecord


@dataclass(frozen=True, slots=True)
class OpenPosition:
    """A position that the run ended with.

    ``quantity`` in shares, negative if short; ``price`` is the last known close in USD, ``unrealised`` the profit in
    USD, less the fees of the entry, that equity counts and no trade holds yet.
    """

    symbol: str
    quantity: float
    entry_time: datetime
    entry_price: float
    price: float
    stop: float
    unrealised: float


@dataclass(frozen=True, slots=True)
class Breakdown:
    """The trades of one group; ``None`` where a figure is not defined.

    ``pnl`` in USD, ``win_rate`` a fraction of 1, ``avg_r`` in R, ``profit_factor`` winners over losers, ``days_held``
    the mean of calendar days.
    """

    name: str
    trades: int
    pnl: float
    win_rate: float
    avg_r: float | None
    profit_factor: float | None
    days_held: float


@dataclass(frozen=True, slots=True)
class Streaks:
    """The longest runs of winning and of losing trades, in order of their exits."""

    winning: int
    losing: int


def by_symbol(trades: Sequence[TradeRecord]) -> list[Breakdown]:
    """Groups in order of what they earned, the best first."""
    return _ranked(trades, lambda trade: trade.symbol)


def by_signal(trades: Sequence[TradeRecord]) -> list[Breakdown]:
    """Groups in order of what they earned, the best first; what no signal proposed stands under its role."""
    return _ranked(trades, lambda trade: trade.signal or "no signal")


def by_exit(trades: Sequence[TradeRecord]) -> list[Breakdown]:
    """Groups in order of what they earned, the best first."""
    return _ranked(trades, lambda trade: trade.exit_reason or "no reason")


def by_month(trades: Sequence[TradeRecord]) -> list[Breakdown]:
    """Groups by the month of the exit, in order of time."""
    return sorted(_grouped(trades, lambda trade: f"{trade.exit_time:%Y-%m}"), key=lambda group: group.name)


def streaks(trades: Iterable[TradeRecord]) -> Streaks:
    """A trade without a profit is a losing one, as in the win rate."""
    ordered = sorted(trades, key=lambda trade: trade.exit_time)
    runs = [(won, sum(1 for _ in some)) for won, some in groupby(ordered, key=lambda trade: trade.pnl > 0)]
    return Streaks(
        winning=max((count for won, count in runs if won), default=0),
        losing=max((count for won, count in runs if not won), default=0),
    )


def _ranked(trades: Sequence[TradeRecord], name: Callable[[TradeRecord], str]) -> list[Breakdown]:
    return sorted(_grouped(trades, name), key=lambda group: (-group.pnl, group.name))


def _grouped(trades: Sequence[TradeRecord], name: Callable[[TradeRecord], str]) -> list[Breakdown]:
    groups: dict[str, list[TradeRecord]] = {}
    for trade in trades:
        groups.setdefault(name(trade), []).append(trade)
    return [_of(label, some) for label, some in groups.items()]


def _of(name: str, trades: Sequence[TradeRecord]) -> Breakdown:
    results = np.array([trade.pnl for trade in trades])
    multiples = np.array([trade.r_multiple for trade in trades])
    multiples = multiples[np.isfinite(multiples)]
    won, lost = float(results[results > 0].sum()), float(-results[results < 0].sum())
    held = [(trade.exit_time - trade.entry_time).total_seconds() / 86_400 for trade in trades]
    return Breakdown(
        name=name,
        trades=len(trades),
        pnl=float(results.sum()),
        win_rate=float((results > 0).mean()),
        avg_r=float(multiples.mean()) if len(multiples) else None,
        profit_factor=won / lost if lost > 0 else None,
        days_held=float(np.mean(held)),
    )
