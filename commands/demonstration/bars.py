"""Synthetic bars, made for the demonstration: no real price history, and the same at each run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from config.values.markets import NEW_YORK
from market.calendar import session_times, sessions_until

DAY = "2026-01-02"
"""The session that plays at the exchange."""
PRICES = {"AAPL": 250.0, "PLTR": 170.77, "TSLA": 443.18, "PENNY": 0.4}
MINUTES = 5
SESSION_BARS = 78
FALL_BARS = 40
VOLUME = 40_000


def day_at_the_exchange(after_ten: Mapping[str, Sequence[float]], falling: Sequence[str] = ()) -> pd.DataFrame:
    """Five-minute bars of two sessions.

    Parameters
    ----------
    after_ten : mapping
        Closes of a symbol from 10:00 on as fractions of its price at 10:00; the last one stays. Others don't move.
    falling : sequence of str
        Symbols that have come down to their price by 10:00, so that their RSI is low.
    """
    days = sessions_until(pd.Timestamp(DAY), 2)
    opens, _ = session_times(days)
    times = pd.DatetimeIndex(
        [start + pd.Timedelta(minutes=MINUTES * k) for start in opens for k in range(SESSION_BARS)]
    ).tz_convert(NEW_YORK)
    ten = SESSION_BARS + 6
    frames = []
    for number, (symbol, price) in enumerate(PRICES.items()):
        closes = np.full(len(times), price)
        # A small swing, so that there is a range to measure.
        closes[:ten] *= 1 + 0.0005 * np.sin(np.arange(ten) + number)
        if symbol in falling:
            first = ten - FALL_BARS
            closes[:first] *= 1.06
            closes[first:ten] = price * np.linspace(1.06, 1.0, FALL_BARS)
        closes[ten - 1] = price
        path = after_ten.get(symbol, ())
        closes[ten : ten + len(path)] = price * np.asarray(path)
        if len(path):
            closes[ten + len(path) :] = price * path[-1]
        frames.append(_frame(symbol, times, np.append(closes[:1], closes[:-1]), closes, 0.0005))
    return pd.concat(frames, ignore_index=True)


CRYPTO = ("MARA", "RIOT", "COIN", "MSTR", "HOOD")
LEADERS = ("AAPL", "MSFT", "GOOGL", "NVDA", "TSLA")
CALM = ("KO", "JNJ", "XOM", "CAT")


def two_years(seed: int = 7) -> pd.DataFrame:
    """Daily bars of two years: five crypto shares that move together and widely, leaders, calm shares and funds."""
    days = sessions_until(pd.Timestamp(DAY), 500)
    random = np.random.default_rng(seed)
    market = _shocks(random, len(days), 0.008)
    crypto = _shocks(random, len(days), 0.045)
    frames = []
    for symbol in (*CRYPTO, *LEADERS, *CALM, "SPY", "QQQ"):
        own = random.normal(0, {True: 0.02, False: 0.008}[symbol in CRYPTO], len(days))
        shocks = market + own + (crypto if symbol in CRYPTO else 0.0)
        frames.append(_daily(symbol, days, shocks, random))
    frames.append(_daily("SH", days, -market, random, start=15.0))
    return pd.concat(frames, ignore_index=True)


def crypto_slide() -> pd.DataFrame:
    """Daily bars of eighty sessions, in the last fifteen of which five crypto shares slide together."""
    days = sessions_until(pd.Timestamp(DAY), 80)
    random = np.random.default_rng(5)
    slide = np.concatenate([np.zeros(65), np.full(15, -0.009)])
    common = random.normal(0, 0.004, len(days))
    frames = [
        _daily(symbol, days, slide + common + random.normal(0, 0.002, len(days)), random, start=40.0 + 20 * number)
        for number, symbol in enumerate(CRYPTO)
    ]
    frames += [_daily(symbol, days, random.normal(0, 0.004, len(days)), random) for symbol in (*CALM, "SPY")]
    return pd.concat(frames, ignore_index=True)


def overheated() -> pd.DataFrame:
    """Daily bars of sixty sessions, at whose end four of the five leaders have risen for weeks."""
    days = sessions_until(pd.Timestamp(DAY), 60)
    random = np.random.default_rng(3)
    rises = np.concatenate([np.zeros(30), np.full(30, 0.012)])
    frames = []
    for symbol in (*LEADERS, "SPY", "QQQ"):
        drift = rises if symbol not in ("TSLA", "SPY", "QQQ") else rises / 6
        frames.append(_daily(symbol, days, drift + random.normal(0, 0.004, len(days)), random))
    frames.append(_daily("SH", days, random.normal(0, 0.003, len(days)), random, start=40.0))
    return pd.concat(frames, ignore_index=True)


def _shocks(random: np.random.Generator, days: int, width: float) -> np.ndarray:
    """Returns whose width changes slowly, as those of markets do."""
    slow = np.exp(0.3 * np.sin(np.arange(days) / 25.0))
    return random.normal(0, width, days) * slow


def _daily(
    symbol: str, days: pd.DatetimeIndex, returns: np.ndarray, random: np.random.Generator, start: float = 100.0
) -> pd.DataFrame:
    closes = start * np.exp(np.cumsum(returns))
    width = float(np.std(returns))
    opens = np.append(start, closes[:-1]) * np.exp(random.normal(0, width * 0.3, len(days)))
    volume = np.round(VOLUME * np.exp(random.normal(0, 0.4, len(days))))
    return _frame(symbol, days, opens, closes, width * 0.5).assign(volume=volume)


def _frame(symbol: str, times: pd.DatetimeIndex, opens: np.ndarray, closes: np.ndarray, width: float) -> pd.DataFrame:
    high, low = np.maximum(opens, closes) * (1 + width), np.minimum(opens, closes) * (1 - width)
    digits = 4
    prices = {"open": opens, "high": high, "low": low, "close": closes}
    return pd.DataFrame(
        {"symbol": symbol, "datetime": times, **{k: np.round(v, digits) for k, v in prices.items()}, "volume": VOLUME}
    )
