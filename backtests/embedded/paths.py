"""Random intraday paths inside given daily bars, the same on every machine."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import numpy as np
import pandas as pd

from market.calendar import nanoseconds, session_times

DECIMALS = 4
POINTS_PER_BAR = 4
"""Steps of the path inside one bar: enough for bars with wicks on both sides."""
ROUGHNESS = 0.35
"""Spread of the noise between open, extremes and close, as a fraction of the day's range."""
TREND_SHARE = 0.75
"""How often the low of a rising day comes before its high, and the reverse on a falling day."""
EDGE_VOLUME = 2.5
"""Volume at the open and the close beyond that of midday, in multiples of the latter."""
VOLUME_NOISE = 0.4
"""Spread (log) of a bar's volume around the U shape."""
SESSION_STEP = 30
"""Minutes of which every session is a multiple."""

DAYS_AT_ONCE = 2048
"""Bounds the memory of a long window."""

MINUTE = 60_000_000_000
_GOLDEN, _MIX1, _MIX2 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def bars_within_days(
    days: pd.DataFrame, seeds: pd.Series[str], mirrored: np.ndarray, minutes: int
) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Fill daily bars with intraday ones.

    Parameters
    ----------
    days : DataFrame
        Long table of daily bars, ascending by symbol and date, index 0 … n-1.
    seeds : Series of str
        Name that, with the date, decides the path of each row.
    mirrored : ndarray of bool
        Rows whose path is the one of their seed turned upside down.
    minutes : int
        Bar length.

    Returns
    -------
    row : ndarray of int
        For each bar, the row of ``days`` it lies in.
    times : ndarray of int
        Opens of the bars, nanoseconds UTC.
    bars : dict of str to ndarray
        open, high, low, close, volume.
    """
    if minutes <= 0 or SESSION_STEP % minutes:
        raise ValueError(f"bars of {minutes} minutes do not fill a session; take a divisor of {SESSION_STEP}")
    dates, which = np.unique(days["datetime"].to_numpy("datetime64[ns]"), return_inverse=True)
    opens, closes = session_times(pd.DatetimeIndex(dates))
    begin = nanoseconds(opens)
    lengths = ((nanoseconds(closes) - begin) // (minutes * MINUTE))[which]
    keys = _keys(seeds, dates[which])
    ohlc = days[["open", "high", "low", "close"]].to_numpy()
    ohlc = np.where(mirrored[:, None], -ohlc[:, [0, 2, 1, 3]], ohlc)
    parts = []
    for length, rows in _chunks(lengths):
        path = _paths(keys[rows], ohlc[rows], length)
        path = np.round(np.where(mirrored[rows, None], -path, path), DECIMALS)
        bars = _split(path, length)
        bars["volume"] = _volumes(keys[rows], days["volume"].to_numpy()[rows], length).ravel()
        times = begin[which[rows], None] + np.arange(length) * (minutes * MINUTE)
        parts.append((np.repeat(rows, length), times.ravel(), bars))
    if not parts:
        return np.empty(0, int), np.empty(0, np.int64), {n: np.empty(0) for n in _split(np.zeros((1, 5)), 1)}
    row = np.concatenate([part[0] for part in parts])
    order = np.argsort(row, kind="stable")
    columns = {name: np.concatenate([part[2][name] for part in parts])[order] for name in parts[0][2]}
    return row[order], np.concatenate([part[1] for part in parts])[order], columns


def _chunks(lengths: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Rows of equal session length, a bounded number at a time."""
    for length in np.unique(lengths):
        rows = np.flatnonzero(lengths == length)
        for begin in range(0, len(rows), DAYS_AT_ONCE):
            yield int(length), rows[begin : begin + DAYS_AT_ONCE]


def _keys(seeds: pd.Series[str], dates: np.ndarray) -> np.ndarray:
    """One 64-bit number per symbol and date."""
    codes, names = pd.factorize(seeds)
    checksums = np.array([zlib.crc32(str(name).encode()) for name in names], dtype=np.uint64)
    day = dates.astype("datetime64[D]").astype(np.int64).astype(np.uint64)
    return _mix((checksums[codes] << np.uint64(32)) ^ day)


def _mix(x: np.ndarray) -> np.ndarray:
    """splitmix64: a fixed hash, because NumPy may change its generators' streams between versions."""
    x = x + _GOLDEN
    x = (x ^ (x >> np.uint64(30))) * _MIX1
    x = (x ^ (x >> np.uint64(27))) * _MIX2
    return np.asarray(x ^ (x >> np.uint64(31)))


def _uniform(keys: np.ndarray, stream: int, count: int) -> np.ndarray:
    """Numbers in (0, 1), shape (keys, count); different streams of a key are independent."""
    counter = np.arange(count, dtype=np.uint64) + np.uint64(stream << 32)
    bits = _mix(keys[:, None] ^ _mix(counter)[None, :])
    return np.asarray(((bits >> np.uint64(11)).astype(float) + 0.5) * 2.0**-53)


def _normal(keys: np.ndarray, stream: int, count: int) -> np.ndarray:
    radius = np.sqrt(-2.0 * np.log(_uniform(keys, stream, count)))
    return np.asarray(radius * np.cos(2.0 * np.pi * _uniform(keys, stream + 1, count)))


def _paths(keys: np.ndarray, ohlc: np.ndarray, length: int) -> np.ndarray:
    """Paths of ``length * POINTS_PER_BAR + 1`` points through open, both extremes and close of each row."""
    opening, high, low, closing = ohlc.T
    steps = length * POINTS_PER_BAR
    # Extremes come more often near the open and the close (arcsine law); never on the very ends.
    u = _uniform(keys, 0, 3)
    at = np.sort(1 + np.floor(np.sin(0.5 * np.pi * u[:, :2]) ** 2 * (steps - 2)).astype(int), axis=1)
    at[:, 1] = np.where(at[:, 0] == at[:, 1], np.minimum(at[:, 1] + 1, steps - 1), at[:, 1])
    at[:, 0] = np.where(at[:, 0] == at[:, 1], at[:, 0] - 1, at[:, 0])
    low_first = (u[:, 2] < TREND_SHARE) == (closing >= opening)
    first, second = np.where(low_first, low, high), np.where(low_first, high, low)

    knots = np.column_stack([np.zeros_like(at[:, 0]), at, np.full(len(at), steps)])
    levels = np.column_stack([opening, first, second, closing])
    grid = np.arange(steps + 1)
    segment = (grid[None, :] >= knots[:, 1:2]).astype(int) + (grid[None, :] >= knots[:, 2:3])
    left, right = np.take_along_axis(knots, segment, 1), np.take_along_axis(knots, segment + 1, 1)
    share = (grid[None, :] - left) / (right - left)

    walk = np.zeros((len(keys), steps + 1))
    walk[:, 1:] = np.cumsum(_normal(keys, 1, steps), axis=1) / np.sqrt(steps)
    walk_left, walk_right = np.take_along_axis(walk, left, 1), np.take_along_axis(walk, right, 1)
    bridge = walk - walk_left - share * (walk_right - walk_left)
    line_left, line_right = np.take_along_axis(levels, segment, 1), np.take_along_axis(levels, segment + 1, 1)
    span = (high - low)[:, None]
    path = line_left + share * (line_right - line_left) + ROUGHNESS * span * bridge

    # Fold what leaves the day's range back into it; the knots, where the bridge is zero, stay.
    ceiling = np.where(span > 0, span, 1.0)
    offset = np.mod(path - low[:, None], 2.0 * ceiling)
    path = low[:, None] + np.minimum(offset, 2.0 * ceiling - offset)
    path = np.asarray(np.where(span > 0, np.clip(path, low[:, None], high[:, None]), low[:, None]))
    np.put_along_axis(path, knots, levels, axis=1)
    return path


def _split(path: np.ndarray, length: int) -> dict[str, np.ndarray]:
    """Open, high, low, close of each bar; a bar opens where the one before closed."""
    inside = path[:, :-1].reshape(len(path), length, POINTS_PER_BAR)
    ends = path[:, POINTS_PER_BAR::POINTS_PER_BAR]
    return {
        "open": inside[:, :, 0].ravel(),
        "high": np.maximum(inside.max(axis=2), ends).ravel(),
        "low": np.minimum(inside.min(axis=2), ends).ravel(),
        "close": ends.ravel(),
    }


def _volumes(keys: np.ndarray, totals: np.ndarray, length: int) -> np.ndarray:
    """Whole shares per bar, U-shaped, adding up to the totals exactly; shape (rows, length)."""
    place = np.linspace(-1.0, 1.0, length)
    weight = (1.0 + EDGE_VOLUME * place**2) * np.exp(VOLUME_NOISE * _normal(keys, 3, length))
    share = np.cumsum(weight, axis=1) / weight.sum(axis=1, keepdims=True)
    share[:, -1] = 1.0
    return np.diff(np.round(share * totals[:, None]).astype(np.int64), axis=1, prepend=0)
