"""Small markets, books and proposals for the tests of single rules."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from market.market import Market
from risk.interface import RiskModule
from risk.model import Book, BracketTerms, Position, Proposal, Side

NOW = datetime(2024, 3, 4, 15, 0, tzinfo=UTC)


def market(
    marks: Mapping[str, float | Sequence[float]],
    features: Mapping[str, Mapping[str, float]] | None = None,
    *,
    sectors: Mapping[str, str] | None = None,
    unusable: Collection[str] = (),
    row: int | None = None,
    closes: Sequence[datetime] | None = None,
) -> Market:
    """A market from marks (one value, or one per bar) and features at the last bar."""
    symbols = tuple(marks)
    series = [np.atleast_1d(np.asarray(marks[s], dtype=float)) for s in symbols]
    bars = max((len(s) for s in series), default=1)
    mark = np.column_stack([np.full(bars, s[0]) if len(s) == 1 else s for s in series])
    columns = dict.fromkeys(("open", "high", "low", "close", "mark"), mark)
    columns["volume"] = np.ones_like(mark)
    columns["usable"] = np.tile([s not in unusable for s in symbols], (bars, 1)) & np.isfinite(mark) & (mark > 0)
    for name, values in (features or {}).items():
        columns[name] = np.tile([values.get(s, np.nan) for s in symbols], (bars, 1)).astype(float)
    return Market(
        time=NOW,
        row=bars - 1 if row is None else row,
        symbols=symbols,
        index={s: k for k, s in enumerate(symbols)},
        columns=columns,
        sectors=sectors or {},
        times=None
        if closes is None
        else np.array([[c.timestamp() - 300 for c in closes], [c.timestamp() for c in closes]]),
    )


def position(symbol: str, quantity: float, price: float = 100.0, **changes: Any) -> Position:
    sign = 1 if quantity >= 0 else -1
    values: dict[str, Any] = {
        "symbol": symbol,
        "quantity": quantity,
        "entry_price": price,
        "entry_time": NOW,
        "stop": price * (1 - sign * 0.05),
        "target": price * (1 + sign * 0.15),
        "initial_stop": price * (1 - sign * 0.05),
    }
    return Position(**values | changes)


def proposal(symbol: str = "NVDA", quantity: float = 10.0, price: float = 100.0, **changes: Any) -> Proposal:
    side: Side = changes.get("side", "buy")
    terms = BracketTerms(side, stop_frac=0.05, target_frac=0.15)
    stop, target = terms.at(price)
    values: dict[str, Any] = {
        "symbol": symbol,
        "side": side,
        "signal": "mean_reversion",
        "score": 75.0,
        "price": price,
        "atr": 2.0,
        "stop": stop,
        "target": target,
        "terms": terms,
        "quantity": quantity,
        "reason": "",
    }
    return Proposal(**values | changes)


def book(
    *positions: Position,
    equity: float = 100_000.0,
    cash: float | None = None,
    pending: Sequence[Proposal] = (),
) -> Book:
    return Book(
        time=NOW,
        equity=equity,
        cash=equity if cash is None else cash,
        positions={p.symbol: p for p in positions},
        pending={p.symbol: p for p in pending},
    )


def module(cls: type[RiskModule], **settings: Any) -> Any:
    """A module as the loader makes it: settings validated from plain data."""
    return cls(cls.Config.model_validate(settings))
