"""Random walks as markets: a common factor, jumps overnight, missing bars."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from config import Settings, load
from market.bar_tables import to_table
from market.bars import BarTable

SYMBOLS = ("AAA", "BBB", "CCC", "DDD", "EEE", "FFF", "GGG", "HHH", "SH", "AAPL", "MSFT", "GOOGL")
TRADED = SYMBOLS[:8]
BARS = 160


def market(seed: int, volatility: float, jumps: float, gaps: float, bars: int = BARS) -> BarTable:
    """Random walks that share a common factor, with jumps overnight and missing bars."""
    rng = np.random.default_rng(seed)
    shape = (bars, len(SYMBOLS))
    common = rng.normal(0, volatility, (bars, 1))
    moves = 0.6 * common + rng.normal(0, volatility, shape)
    overnight = np.where(rng.random(shape) < jumps, rng.normal(0, 0.12, shape), rng.normal(0, volatility / 3, shape))
    close = rng.uniform(3, 400, len(SYMBOLS)) * np.exp(np.cumsum(moves + overnight, axis=0))
    opens = close * np.exp(-moves)
    wick = np.abs(rng.normal(0, volatility, shape))
    high, low = np.maximum(opens, close) * (1 + wick), np.minimum(opens, close) / (1 + wick)
    days = pd.bdate_range("2023-01-02", periods=bars)
    parts = []
    for k, symbol in enumerate(SYMBOLS):
        there = rng.random(bars) >= gaps
        columns = {"open": opens, "high": high, "low": low, "close": close}
        frame = pd.DataFrame({name: values[there, k].round(4) for name, values in columns.items()})
        frame["high"], frame["low"] = frame.max(axis=1), frame.min(axis=1)
        parts.append(frame.assign(symbol=symbol, datetime=days[there], volume=1e6))
    return to_table(pd.concat(parts), SYMBOLS, "random")


def settings_on_market(profile: str, overrides: Mapping[str, Any]) -> Settings:
    """A profile that trades the random walks, in four sectors, from low scores on."""
    return load(
        profile=profile,
        overrides={
            "universe.symbols": list(TRADED),
            "universe.sectors": {symbol: f"sector {k % 4}" for k, symbol in enumerate(TRADED)},
            "universe.benchmark": SYMBOLS[0],
            "universe.cap": None,
            "selection.min_confidence": 0.2,
            **overrides,
        },
    )
