"""Many markets, books and wishes from a fixed seed, varied enough that any setting matters in one of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from zlib import crc32

import numpy as np

from market.market import Market
from risk.model import Book, ClosedTrade, DeployedBudget, Proposal
from tests.risk.helpers import NOW, position, proposal

SYMBOLS = ("AAPL", "MSFT", "GOOGL", "NVDA", "TSLA", "SPY", "QQQ", "SH", "SPXS", "SQQQ", "XXX")
SECTORS = {"AAPL": "mega", "MSFT": "mega", "GOOGL": "mega", "NVDA": "semis", "TSLA": "autos", "XXX": "mega"}
FUNDS = ("SH", "SPXS", "SQQQ")
BARS = 130
BAR_S = 1800


class AnyFeature(dict[str, np.ndarray]):
    """Columns by name, made up when first asked for: whatever a module names, there is a reading of it."""

    def __init__(self, seed: int, columns: dict[str, np.ndarray]) -> None:
        super().__init__(columns)
        self._seed = seed
        self._level = np.random.default_rng(seed).uniform(20, 95)

    def __missing__(self, name: str) -> np.ndarray:
        random = np.random.default_rng((self._seed, crc32(name.encode())))
        mark = self["mark"]
        if name.startswith(("rsi", "adx")):
            made = np.clip(random.normal(self._level, 12, mark.shape), 0, 100)
        elif name.startswith("atr"):
            made = mark * random.uniform(0.005, 0.04, mark.shape)
        else:
            made = mark * random.uniform(0.9, 1.1, mark.shape)
        self[name] = made
        return made

    def get(self, name: str, default: Any = None) -> Any:
        return self[name]


@dataclass(frozen=True, slots=True)
class Situation:
    book: Book
    market: Market
    wishes: tuple[Proposal, ...]


def situation(seed: int) -> Situation:
    """One of them; the same seed gives the same, in objects of its own."""
    random = np.random.default_rng(seed)
    on = _market(seed, random)
    last = {s: on.mark(s) for s in SYMBOLS}
    equity = float(random.uniform(20_000, 200_000))
    held = random.choice(SYMBOLS, random.integers(0, 8), replace=False).tolist()
    wishes = [
        proposal(
            symbol,
            float(random.choice([random.integers(1, 2_000), 1 + random.uniform(0, 0.2) * equity // last[symbol]])),
            last[symbol],
            side=str(random.choice(["buy", "buy", "sell_short"])),
            role=str(random.choice(["entry", "entry", "hedge"])),
            rank=int(random.integers(1, 7)),
            batch=int(random.integers(1, 7)),
        )
        for symbol in random.choice([s for s in SYMBOLS if s not in held], 3, replace=False).tolist()
    ]
    state = Book(
        time=NOW,
        equity=equity,
        cash=float(random.uniform(0, 1) * equity),
        positions={s: _position(s, last[s], equity, random) for s in held},
        pending={wishes[2].symbol: wishes[2]} if random.random() < 0.5 else {},
        session_open_equity=equity * float(random.uniform(0.94, 1.08)),
        equity_peak=equity * float(random.uniform(1.0, 1.25)),
        closed_trades=tuple(_closed_trade(n, random) for n in range(random.integers(0, 40))),
        budget=DeployedBudget(
            day=NOW.date(),
            day_usd=equity * float(random.uniform(0, 0.25)),
            day_positions=int(random.integers(0, 4)),
            week_usd=equity * float(random.uniform(0, 0.45)),
            week_positions=int(random.integers(0, 12)),
        ),
    )
    # Of their own, so that nothing else of a situation changes.
    apart = np.random.default_rng((seed, 1))
    if apart.random() < 0.6:
        ages = apart.uniform(1, 90, apart.integers(1, 4))
        state = replace(state, entries_sent=tuple(NOW - timedelta(seconds=float(age)) for age in ages))
    return Situation(state, on, tuple(wishes[:2]))


def _market(seed: int, random: np.random.Generator) -> Market:
    common = random.normal(0, 0.02, (BARS, 1))
    own = random.normal(0, random.uniform(0.0001, 0.03), (BARS, len(SYMBOLS)))
    mark = random.uniform(5, 400, len(SYMBOLS)) * np.exp(np.cumsum(common + own, axis=0))
    for k in random.choice(len(SYMBOLS), 2, replace=False):
        mark[: random.integers(0, BARS - 1), k] = np.nan
    usable = np.isfinite(mark)
    usable[-1, random.choice(len(SYMBOLS), random.integers(0, 4), replace=False)] = False
    columns = dict.fromkeys(("open", "close", "mark"), mark)
    columns |= {"high": mark * 1.01, "low": mark * 0.99, "usable": usable}
    columns["volume"] = random.uniform(1e3, 1e5, mark.shape)
    closes = NOW.timestamp() - BAR_S * np.arange(BARS)[::-1]
    return Market(
        time=NOW,
        row=BARS - 1,
        symbols=SYMBOLS,
        index={s: k for k, s in enumerate(SYMBOLS)},
        columns=AnyFeature(seed, columns),
        sectors=SECTORS,
        times=np.stack([closes - BAR_S, closes]),
    )


def _position(symbol: str, mark: float, equity: float, random: np.random.Generator) -> Any:
    sign = int(random.choice([-1, 1, 1, 1]))
    quantity = sign * float(1 + int(random.uniform(0, 0.25) * equity / mark))
    entry = mark * float(random.choice([random.uniform(0.8, 1.2), random.uniform(0.99, 1.01)]))
    best = max(entry, mark * random.uniform(1, 1.1)) if sign > 0 else min(entry, mark * random.uniform(0.9, 1))
    return position(
        symbol,
        quantity,
        entry,
        role="hedge" if symbol in FUNDS and random.random() < 0.7 else "entry",
        entry_time=NOW - timedelta(minutes=float(random.uniform(5, 400))),
        initial_quantity=quantity * int(random.choice([1, 1, 2])),
        best_price=float(best),
        partial_taken=bool(random.random() < 0.3),
    )


def _closed_trade(number: int, random: np.random.Generator) -> ClosedTrade:
    opened: datetime = NOW - timedelta(days=60 - number)
    pnl = float(random.normal(0, 100))
    return ClosedTrade("AAPL", opened, opened + timedelta(hours=5), pnl, pnl / 100)
