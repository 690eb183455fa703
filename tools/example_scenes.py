"""Small markets, books and proposals on which each rule shows what it says; for the documentation."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from market.market import Market
from risk.model import Book, BracketTerms, ClosedTrade, DeployedBudget, Position, Proposal

NOW = datetime(2024, 3, 4, 15, 0, tzinfo=UTC)
BARS = 61
BAR = timedelta(minutes=30)
EQUITY = 100_000.0
PRICES = {
    "NVDA": 170.0,
    "AAPL": 180.0,
    "MSFT": 400.0,
    "GOOGL": 140.0,
    "TSLA": 200.0,
    "AMD": 200.0,
    "COIN": 220.0,
    "MARA": 20.0,
    "RIOT": 12.0,
    "SPY": 510.0,
    "QQQ": 440.0,
    "SH": 13.0,
    "SPXS": 9.0,
    "SQQQ": 11.0,
    "BIL": 91.5,
}
SECTORS = {
    "NVDA": "mega_tech",
    "AAPL": "mega_tech",
    "MSFT": "mega_tech",
    "GOOGL": "mega_tech",
    "AMD": "semis",
    "TSLA": "autos",
    "COIN": "crypto_adjacent",
    "MARA": "crypto_adjacent",
    "RIOT": "crypto_adjacent",
}
# Readings that make every built-in signal speak for NVDA; those of the other symbols are the same, the RSI aside.
READINGS = {
    "rsi_14": 24.0,
    "atr_14": 4.0,
    "atr_mean_14_20": 3.5,
    "adx_14": 31.0,
    "high_20": 168.0,
    "low_20": 150.0,
    "roc_10": 0.04,
    "mean_volume_20": 900.0,
    "bars_aligned_9_21_50": 2.0,
    "bars_above_ema_9": 2.0,
    "vwap": 167.0,
    "bars_above_vwap": 1.0,
    "session_bar": 8.0,
    "session_rows_20": 20.0,
    "higher_ema_9": 166.0,
    "higher_ema_21": 162.0,
}

RSI_STEP = 0.4


@dataclass(frozen=True, slots=True)
class Scene:
    """One moment: what is held, what the readings are, and what somebody wants to buy."""

    book: Book
    wish: Proposal
    readings: dict[str, float]

    def market(self, needs: Sequence[str]) -> Market:
        """The market of the scene; columns that nothing here knows are there and hold no reading."""
        closes = NOW.timestamp() - BAR.total_seconds() * np.arange(BARS)[::-1]
        shape = (BARS, len(PRICES))
        # Prices jump up and down together, each with a ripple of its own, and the last one stands far above
        # those at which most was traded.
        bars, symbols = np.arange(BARS)[:, None], np.arange(len(PRICES))[None, :]
        wave = np.where(bars % 4 == 0, 0.95, 0.92) + 0.015 * np.sin(bars * symbols)
        wave[-1] = 1.0
        mark = wave * np.array(list(PRICES.values()))
        columns = dict.fromkeys(("open", "high", "low", "close", "mark"), mark)
        columns |= {"volume": np.full(shape, 1200.0), "usable": np.ones(shape, dtype=bool)}
        columns |= {name: np.full(shape, math.nan) for name in needs if name not in columns}
        columns |= {name: np.full(shape, value) for name, value in (READINGS | self.readings).items()}
        columns["rsi_14"] = columns["rsi_14"] + RSI_STEP * symbols
        return Market(
            time=NOW,
            row=BARS - 1,
            symbols=tuple(PRICES),
            index={symbol: k for k, symbol in enumerate(PRICES)},
            columns=columns,
            sectors=SECTORS,
            times=np.stack([closes - BAR.total_seconds(), closes]),
        )


def wish(symbol: str = "NVDA", quantity: float = 58, **changes: Any) -> Proposal:
    """An entry by mean reversion behind the fixed bracket."""
    price = PRICES[symbol]
    terms = BracketTerms("buy", stop_frac=0.05, target_frac=0.15)
    stop, target = terms.at(price)
    made = Proposal(
        symbol=symbol,
        side="buy",
        signal="mean_reversion",
        score=80.0,
        price=price,
        atr=4.0,
        stop=stop,
        target=target,
        terms=terms,
        quantity=quantity,
        reason="",
    )
    return replace(made, **changes)


def position(symbol: str, usd: float, entry: float = 1.0, **changes: Any) -> Position:
    """A long worth about ``usd`` that was bought at ``entry`` times the present price."""
    price, quantity = PRICES[symbol] * entry, float(usd // PRICES[symbol])
    values: dict[str, Any] = {
        "symbol": symbol,
        "quantity": quantity,
        "entry_price": price,
        "entry_time": NOW - 6 * BAR,
        "stop": price * 0.95,
        "target": price * 1.15,
        "initial_stop": price * 0.95,
        "initial_quantity": quantity,
        "best_price": max(price, PRICES[symbol]),
        "protected_quantity": quantity,
    }
    return Position(**values | changes)


def book(*positions: Position, **changes: Any) -> Book:
    """An account of 100,000 USD that has deployed nothing yet."""
    values: dict[str, Any] = {
        "time": NOW,
        "equity": EQUITY,
        "cash": EQUITY,
        "positions": {p.symbol: p for p in positions},
        "session_open_equity": EQUITY,
        "equity_peak": EQUITY,
        "budget": DeployedBudget(NOW.date()),
    }
    return Book(**values | changes)


def scenes() -> Iterator[Scene]:
    """What the documentation shows; of several scenes on which a rule does the same, the first is shown."""
    today, hot = NOW.date(), {"rsi_14": 76.0}
    losers = [ClosedTrade("AAPL", NOW, NOW, -100.0 if k % 3 else 100.0, -0.5) for k in range(20)]
    three = [position(symbol, 8_000) for symbol in ("COIN", "MARA", "RIOT")]
    for state, wanted, readings in (
        (book(), wish(rank=3, batch=3), {}),
        (book(), wish(rank=5, batch=5), {}),
        (book(*three), wish("AMD"), {}),
        (book(*three), wish("NVDA", rank=2), {"higher_ema_9": 158.0}),
        (book(*three[:2], position("AAPL", 8_000)), wish("RIOT", 800), {}),
        (book(cash=20_000.0), wish(), {}),
        (book(cash=16_000.0), wish(), {}),
        (book(budget=DeployedBudget(today, 15_000.0, 1, 15_000.0, 1)), wish(), {}),
        (book(budget=DeployedBudget(today, 19_000.0, 2, 36_000.0, 4)), wish(), {}),
        (book(equity=96_500.0), wish(), {}),
        (book(equity_peak=112_000.0), wish(), {}),
        (book(closed_trades=losers), wish(quantity=117), {}),
        (book(closed_trades=losers[1:3] * 3), wish(), {}),
        (book(position("AMD", 16_400.0)), wish(), {}),
        (book(position("AMD", 9_000.0, 0.90)), wish(), {}),
        (book(position("AMD", 9_000.0, 0.999)), wish(), {}),
        (book(), wish("SH", 1_000, role="hedge", signal="inverse_hedge"), hot),
        (book(position("AMD", 9_000.0, 0.95)), wish(), hot),
        (book(position("SH", 9_000.0, role="hedge")), wish(), {}),
        (book(position("SH", 21_000.0, role="hedge")), wish("SQQQ", 500, role="hedge"), hot),
        (book(position("BIL", 60_000.0), cash=40_000.0), wish(), {}),
    ):
        yield Scene(state, wanted, readings)


def pair_market(gap: float) -> Market:
    """Two years of days in which NVDA and AAPL keep together, and NVDA stands off by ``gap`` at the end."""
    random, bars = np.random.default_rng(4), 500
    walk, apart = random.normal(0, 0.015, bars).cumsum(), random.normal(0, 0.04, bars)
    apart[-1] = gap
    closes = np.exp(np.column_stack([walk + apart, walk]))
    closes *= [PRICES["NVDA"] / closes[-1, 0], PRICES["AAPL"] / closes[-1, 1]]
    opens = NOW.timestamp() - 86_400.0 * np.arange(bars, 0, -1)
    usable = np.ones((bars, 2), dtype=bool)
    return Market(
        time=NOW,
        row=bars - 1,
        symbols=("NVDA", "AAPL"),
        index={"NVDA": 0, "AAPL": 1},
        columns={"close": closes, "mark": closes, "usable": usable},
        sectors=SECTORS,
        times=np.stack([opens, opens + 23_400]),
    )
