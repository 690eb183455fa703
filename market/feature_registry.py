"""The features that can be asked for by name: what each computes and how many bars it takes.

A name is the feature's word followed by its numbers: ``rsi_14``, ``atr_mean_14_20``, ``vwap``. All
lengths are a symbol's own bars, so a missing bar neither stretches nor breaks a window.
"""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd

from config.errors import Refusal
from market import indicators
from market.bars import FIELDS, BarTable
from market.indicator_library import Indicator, indicator
from market.indicators import OwnRows
from market.persistence import longest_loop
from market.timeframes import higher_bars

# A recursive average has forgotten its seed when this share of it is left.
SEED_LEFT_FRAC = 1e-8
# Bars that make up one of the next timeframe, at most: the sessions of a week.
HIGHER_BARS = 5
LIBRARY = "ta."
"""Begins the names of features that are indicators of pandas-ta-classic."""
UNSAID_BARS = 30
"""Longest period of an indicator whose name has no numbers, as far as its history is concerned."""


class OwnBars:
    """The bars of every symbol without holes, and the features computed from them so far.

    Parameters
    ----------
    bars : BarTable
        The table as it came.
    sane : ndarray of bool, shape (bars, symbols)
        Bars that may be read; all others count as missing.
    """

    def __init__(self, bars: BarTable, sane: np.ndarray) -> None:
        self._bars = bars
        self._sane = sane
        self._rows = OwnRows(sane)
        self._cache: dict[str, np.ndarray] = {}
        self._higher: tuple[np.ndarray, np.ndarray] | None = None

    def field(self, name: str) -> np.ndarray:
        """One of ``open high low close volume``, or ``session``."""
        if name not in self._cache:
            values = getattr(self._bars, name)
            self._cache[name] = self._by_row(values) if name == "session" else self._rows.pack(values)
        return self._cache[name]

    def table_row(self) -> np.ndarray:
        """Where each own bar stands in the table."""
        return self._by_row(np.arange(len(self._sane)))

    def higher_closes(self) -> tuple[np.ndarray, np.ndarray]:
        """Closes one timeframe up and how many are over at each own bar: see ``indicators.completed``."""
        if self._higher is None:
            ends, complete = higher_bars(self._bars)
            self._higher = indicators.completed(self.field("close"), self._by_row(ends), self._by_row(complete))
        return self._higher

    def feature(self, name: str) -> np.ndarray:
        """A feature in the same form, computed at most once."""
        if name not in self._cache:
            found = parse(name)
            self._cache[name] = found.entry.compute(self, *found.numbers)
        return self._cache[name]

    def on_grid(self, name: str) -> np.ndarray:
        """A feature at the rows of the table, NaN where a symbol has no readable bar."""
        return self._rows.unpack(self.feature(name))

    def _by_row(self, values: np.ndarray) -> np.ndarray:
        """One value per row of the table, for every symbol's own bars."""
        return self._rows.pack(np.broadcast_to(values[:, np.newaxis].astype(float), self._sane.shape))

    def library(self, indicator: Indicator) -> np.ndarray:
        """An indicator of the library over every symbol's own bars, each history once."""
        present = np.isfinite(self.field("close"))
        result = np.full(present.shape, np.nan)
        rows = self.table_row()
        for k, bars in enumerate(present.sum(axis=0).tolist()):
            if bars:
                index = self._bars.opens_at[rows[:bars, k].astype(int)]
                frame = pd.DataFrame({name: self.field(name)[:bars, k] for name in FIELDS}, index=index)
                result[:bars, k] = indicator.values(frame)
        return result

    def session_vwap(self) -> np.ndarray:
        """Sessions are common to all symbols, so this one is computed on the grid."""
        bars = self._bars
        close = np.where(self._sane, bars.close, np.nan)
        return self._rows.pack(indicators.session_vwap(bars.high, bars.low, close, bars.volume, bars.session))


Compute = Callable[..., np.ndarray]
Bars = Callable[..., int]


@dataclass(frozen=True, slots=True)
class Entry:
    """A registered feature: ``first`` bars until it has a value, ``settled`` bars until its seed is forgotten.

    A symbol is usable without a value of a feature that is not ``required``: who reads it says what then.
    Both counts are sessions for a feature ``by_session``.
    """

    form: str
    compute: Compute
    first: Bars
    settled: Bars
    numbers: int
    required: bool
    by_session: bool


@dataclass(frozen=True, slots=True)
class Parsed:
    """A feature name, understood."""

    entry: Entry
    numbers: tuple[int, ...]

    @property
    def first_bars(self) -> int:
        """Own bars a symbol needs before the feature has a value."""
        return self.entry.first(*self.numbers)

    @property
    def settled_bars(self) -> int:
        """Bars after which the value no longer depends on where the history began."""
        return self.entry.settled(*self.numbers)


_REGISTRY: dict[str, Entry] = {}


def feature(
    word: str, *, first: Bars, settled: Bars | None = None, required: bool = True, by_session: bool = False
) -> Callable[[Compute], Compute]:
    """Register ``compute(own, *numbers)`` under ``word``; its arguments after ``own`` are the name's numbers."""

    def register(compute: Compute) -> Compute:
        numbers = list(inspect.signature(compute).parameters)[1:]
        form = "_".join([word, *(f"<{n}>" for n in numbers)])
        _REGISTRY[word] = Entry(form, compute, first, settled or first, len(numbers), required, by_session)
        return compute

    return register


def forms() -> dict[str, str]:
    """Features of this package: the word of each, and how it is written with its numbers."""
    return {word: entry.form for word, entry in _REGISTRY.items()}


def reads_volume(name: str) -> bool:
    """Whether a column is the volume or is computed from it."""
    if name.startswith(LIBRARY):
        return indicator(name.removeprefix(LIBRARY)).reads_volume
    return "volume" in name or "vwap" in name


def parse(name: str) -> Parsed:
    """Find a feature by its name; ``ta.`` before it makes it an indicator of the library, see ``library``.

    Raises
    ------
    Refusal
        Unknown word, wrong count of numbers, or a number below 1.
    """
    if name.startswith(LIBRARY):
        return _of_library(name)
    match = re.fullmatch(r"([a-z_]+?)((?:_\d+)*)", name)
    entry = _REGISTRY.get(match.group(1)) if match else None
    numbers = tuple(int(n) for n in match.group(2).split("_")[1:]) if match else ()
    if entry is None or len(numbers) != entry.numbers or any(n < 1 for n in numbers):
        known = ", ".join(sorted(e.form for e in _REGISTRY.values()))
        raise Refusal(f"no feature is called {name!r}: a module's needs() may name {known} (numbers from 1 up)")
    return Parsed(entry, numbers)


@cache
def _of_library(name: str) -> Parsed:
    """An indicator as a feature. A symbol is usable without a value of it: a rule that reads none is silent."""
    found = indicator(name.removeprefix(LIBRARY))
    longest = max(found.numbers, default=UNSAID_BARS)
    entry = Entry(
        form=name,
        compute=lambda own: own.library(found),
        first=lambda: longest,
        settled=lambda: max(1 + _wilder_bars(longest), 1 + sum(found.numbers)),
        numbers=0,
        required=False,
        by_session=False,
    )
    return Parsed(entry, ())


def _recursive(weight: Callable[[int], float]) -> Bars:
    return lambda bars: bars + math.ceil(math.log(SEED_LEFT_FRAC) / math.log1p(-min(weight(bars), 0.999)))


_wilder_bars = _recursive(lambda bars: 1 / bars)
_ema_bars = _recursive(lambda bars: 2 / (bars + 1))


@feature("rsi", first=lambda bars: bars + 1, settled=lambda bars: 1 + _wilder_bars(bars))
def _rsi(own: OwnBars, bars: int) -> np.ndarray:
    return indicators.rsi(own.field("close"), bars)


@feature("atr", first=lambda bars: bars + 1, settled=lambda bars: 1 + _wilder_bars(bars))
def _atr(own: OwnBars, bars: int) -> np.ndarray:
    return indicators.atr(own.field("high"), own.field("low"), own.field("close"), bars)


@feature(
    "atr_mean",
    first=lambda atr_bars, mean_bars: atr_bars + mean_bars,
    settled=lambda atr_bars, mean_bars: _wilder_bars(atr_bars) + mean_bars,
)
def _atr_mean(own: OwnBars, atr_bars: int, mean_bars: int) -> np.ndarray:
    return indicators.rolling_mean(own.feature(f"atr_{atr_bars}"), mean_bars)


@feature("adx", first=lambda bars: 2 * bars, settled=lambda bars: 2 * _wilder_bars(bars))
def _adx(own: OwnBars, bars: int) -> np.ndarray:
    return indicators.adx(own.field("high"), own.field("low"), own.field("close"), bars)


@feature("ema", first=lambda bars: bars, settled=_ema_bars)
def _ema(own: OwnBars, bars: int) -> np.ndarray:
    return indicators.ema(own.field("close"), bars)


@feature(
    "higher_ema",
    first=lambda bars: HIGHER_BARS * bars,
    settled=lambda bars: HIGHER_BARS * _ema_bars(bars),
    required=False,
)
def _higher_ema(own: OwnBars, bars: int) -> np.ndarray:
    closes, known = own.higher_closes()
    return indicators.as_known(indicators.ema(closes, bars), known)


@feature("session_rows", first=lambda sessions: sessions, required=False, by_session=True)
def _session_rows(own: OwnBars, sessions: int) -> np.ndarray:
    return indicators.rows_of_sessions(own.field("session"), own.table_row(), sessions)


@feature("history", first=lambda bars: 1, settled=lambda bars: bars, required=False)
def _history(own: OwnBars, bars: int) -> np.ndarray:
    """How many bars there are, up to so many; to name it makes a live feed keep them."""
    count = 1.0 + np.arange(own.field("close").shape[0])[:, np.newaxis]
    return np.where(np.isfinite(own.field("close")), np.minimum(count, bars), np.nan)


@feature("persistence", first=lambda bars: bars + 1, required=False)
def _persistence(own: OwnBars, bars: int) -> np.ndarray:
    return longest_loop(own.field("close"), bars)


@feature("mean", first=lambda bars: bars)
def _mean(own: OwnBars, bars: int) -> np.ndarray:
    return indicators.rolling_mean(own.field("close"), bars)


@feature("roc", first=lambda bars: bars + 1)
def _roc(own: OwnBars, bars: int) -> np.ndarray:
    return indicators.roc(own.field("close"), bars)


@feature("high", first=lambda bars: bars + 1)
def _high(own: OwnBars, bars: int) -> np.ndarray:
    return indicators.before(indicators.rolling_max(own.field("high"), bars))


@feature("low", first=lambda bars: bars + 1)
def _low(own: OwnBars, bars: int) -> np.ndarray:
    return indicators.before(indicators.rolling_min(own.field("low"), bars))


@feature("mean_volume", first=lambda bars: bars + 1)
def _mean_volume(own: OwnBars, bars: int) -> np.ndarray:
    volume = own.field("volume")
    unknown = np.isnan(volume)
    usual = indicators.before(indicators.rolling_mean(np.where(unknown, 0.0, volume), bars))
    for column in np.flatnonzero((unknown & ~np.isnan(own.field("close"))).any(axis=0)):
        usual[bars:, column] = _mean_of_known(volume[:, column], bars)[bars:]
    return usual


def _mean_of_known(volume: np.ndarray, bars: int) -> np.ndarray:
    """Mean of so many known volumes before each bar, of fewer where there are no more; 0 where none is known."""
    known = ~np.isnan(volume)
    volumes, before = volume[known], np.cumsum(known) - known
    means = indicators.rolling_mean(volumes[:, np.newaxis], bars)[:, 0]
    means[: bars - 1] = np.cumsum(volumes[: bars - 1]) / np.arange(1, len(volumes[: bars - 1]) + 1)
    mean: np.ndarray = np.concatenate([[0.0], means])[before]
    return mean


@feature("vwap", first=lambda: 1, by_session=True)
def _vwap(own: OwnBars) -> np.ndarray:
    return own.session_vwap()


@feature("session_bar", first=lambda: 1, by_session=True)
def _session_bar(own: OwnBars) -> np.ndarray:
    session = own.field("session")
    same = np.zeros(session.shape, bool)
    same[1:] = session[1:] == session[:-1]
    return 1.0 + indicators.run_length(same)


@feature("bars_above_vwap", first=lambda: 1, by_session=True)
def _bars_above_vwap(own: OwnBars) -> np.ndarray:
    vwap = own.feature("vwap")
    run = np.minimum(indicators.run_length(own.field("close") > vwap), own.feature("session_bar"))
    return np.where(np.isnan(vwap), np.nan, run)


@feature("bars_above_ema", first=lambda bars: bars, settled=_ema_bars)
def _bars_above_ema(own: OwnBars, bars: int) -> np.ndarray:
    ema = own.feature(f"ema_{bars}")
    return _known_run(own.field("close") > ema, np.isnan(ema))


@feature(
    "bars_aligned",
    first=max,
    settled=lambda fast, middle, slow: _ema_bars(max(fast, middle, slow)),
)
def _bars_aligned(own: OwnBars, fast: int, middle: int, slow: int) -> np.ndarray:
    emas = [own.feature(f"ema_{bars}") for bars in (fast, middle, slow)]
    unknown = np.isnan(emas[0]) | np.isnan(emas[1]) | np.isnan(emas[2])
    return _known_run((emas[0] > emas[1]) & (emas[1] > emas[2]), unknown)


def _known_run(condition: np.ndarray, unknown: np.ndarray) -> np.ndarray:
    """Run length of a condition; one that holds at its first known row counts as old, not as just begun."""
    return np.where(unknown, np.nan, indicators.run_length(condition | unknown))
