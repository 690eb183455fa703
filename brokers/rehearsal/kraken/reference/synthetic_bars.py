"""Hourly bars of coins, made up by a random generator: no market ever traded them.

They are for a first run without a file. Returns follow a common factor and one of each coin's own, with fat tails and
a volatility that comes in clusters; no result on them says anything about any market.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

NOTE = "synthetic bars: made by a random generator, no market ever traded them"
FIRST_DAY, DAYS = "2025-01-01", 400
HOURS = 24
TAIL = 4.0
"""Degrees of freedom of the shocks: the fewer, the fatter the tails."""
PERSISTENCE, RESPONSE = 0.97, 0.25
"""How much of an hour's volatility stays, and how strongly it follows the last shock."""
LOWEST, HIGHEST = 0.35, 4.0
"""Bounds of the volatility, in multiples of the usual."""


@dataclass(frozen=True, slots=True)
class Made:
    """One coin: first price (USD), usual volatility of an hour, share of the common factor, coins traded an hour."""

    symbol: str
    price: float
    volatility: float
    common: float
    volume: float


COINS = (
    Made("BTC/USD", 60_000.0, 0.0045, 0.90, 60.0),
    Made("ETH/USD", 3_000.0, 0.0058, 0.85, 700.0),
    Made("SOL/USD", 140.0, 0.0085, 0.75, 9_000.0),
    Made("DOGE/USD", 0.12, 0.0090, 0.70, 4_000_000.0),
    Made("XRP/USD", 0.60, 0.0070, 0.70, 900_000.0),
)


def synthetic_bars(seed: int = 0, days: int = DAYS, first_day: str = FIRST_DAY) -> pd.DataFrame:
    """A long table of hourly bars, UTC, the same for the same arguments.

    Parameters
    ----------
    seed : int, default=0
    days : int, default=400
    first_day : str, default="2025-01-01"

    Returns
    -------
    DataFrame
        symbol, datetime (UTC, labelled by the opening), open, high, low, close, volume.
    """
    random = np.random.default_rng(seed)
    times = pd.date_range(first_day, periods=days * HOURS, freq="h", tz="UTC")
    level = _clustered(random, len(times))
    shared = _shocks(random, len(times))
    return pd.concat([_coin(random, coin, times, level, shared) for coin in COINS], ignore_index=True)


def _shocks(random: np.random.Generator, count: int) -> np.ndarray:
    """Fat-tailed shocks of unit variance."""
    shocks: np.ndarray = np.clip(random.standard_t(TAIL, count) * np.sqrt((TAIL - 2) / TAIL), -8, 8)
    return shocks


def _clustered(random: np.random.Generator, count: int) -> np.ndarray:
    """Volatility of each hour in multiples of the usual."""
    noise, logarithm, levels = random.standard_normal(count), 0.0, np.empty(count)
    for hour in range(count):
        logarithm = PERSISTENCE * logarithm + RESPONSE * np.sqrt(1 - PERSISTENCE**2) * 2 * noise[hour]
        levels[hour] = np.exp(logarithm)
    clipped: np.ndarray = np.clip(levels, LOWEST, HIGHEST)
    return clipped


def _coin(
    random: np.random.Generator, coin: Made, times: pd.DatetimeIndex, level: np.ndarray, shared: np.ndarray
) -> pd.DataFrame:
    own = _shocks(random, len(times))
    scale = coin.volatility * level
    moves = scale * (coin.common * shared + np.sqrt(1 - coin.common**2) * own) - scale**2 / 2
    close = coin.price * np.exp(np.cumsum(moves))
    opening = np.concatenate([[coin.price], close[:-1]])
    # How far a random walk goes beyond both ends of the hour.
    reach = scale[:, None] * np.abs(random.standard_normal((len(times), 2))) * 0.5
    high = np.maximum(opening, close) * np.exp(reach[:, 0])
    low = np.minimum(opening, close) * np.exp(-reach[:, 1])
    volume = coin.volume * level * np.exp(random.normal(0.0, 0.5, len(times)))
    return pd.DataFrame(
        {"symbol": coin.symbol, "datetime": times, "open": opening, "high": high, "low": low, "close": close}
    ).assign(volume=np.round(volume, 8))
