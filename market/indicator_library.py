"""Indicators of pandas-ta-classic by name, each checked once for looking ahead."""

from __future__ import annotations

import importlib
import inspect
import math
import re
import warnings
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from config.errors import Refusal
from config.reading.error_messages import closest
from config.values.markets import NEW_YORK

SERIES = {"open_": "open", "open": "open", "high": "high", "low": "low", "close": "close", "volume": "volume"}
NOT_NUMBERS = ("offset", "talib", "kwargs")
TRIED_BARS = 240
"""Bars of the made-up history that an indicator is tried on, beyond three times its numbers."""
LONG, SHORTER = 500, 1.2
"""Numbers that together are more bars than ``LONG`` are tried first on ``SHORTER`` times as many: an indicator that
goes through its whole window at every bar is several times as fast there as over three times as many."""
MOST_BARS = 2_000
"""Of a name's numbers together, eight years of days: at them the slowest indicator is tried in five seconds, at five
times as many in minutes; and a live feed asks for many times as many bars."""
CUTS = (1, 2, 5, 30)
"""Bars by which that history is cut: what was known before a cut must not change with what comes after it."""


MOST_DIGITS, LONGEST_NAME = 12, 60
"""Digits of a number, and characters of a name, that a refusal shows."""


@dataclass(frozen=True, slots=True)
class Indicator:
    """One column of one indicator: ``macd_12_26_9.macds`` is column ``macds`` of ``macd`` with three numbers."""

    name: str
    word: str
    numbers: tuple[int, ...]
    column: str

    def parameters(self) -> list[inspect.Parameter]:
        """What the numbers of the name stand for, in the library's order."""
        found = inspect.signature(getattr(_library(), self.word)).parameters
        return [p for name, p in found.items() if name not in NOT_NUMBERS and name not in SERIES]

    @property
    def reads_volume(self) -> bool:
        """Whether it is computed from the volume."""
        volume = inspect.signature(getattr(_library(), self.word)).parameters.get("volume")
        return volume is not None and volume.default is inspect.Parameter.empty

    def values(self, frame: pd.DataFrame) -> np.ndarray:
        """The indicator over bars in a frame with open, high, low, close and volume, NaN where it has no value."""
        function = getattr(_library(), self.word)
        given: dict[str, Any] = {}
        for name, parameter in inspect.signature(function).parameters.items():
            if name in SERIES and parameter.default is inspect.Parameter.empty:
                given[name] = frame[SERIES[name]]
            elif name == "talib":
                given[name] = False
        taken = [parameter.name for parameter in self.parameters()]
        given |= dict(zip(taken, self.numbers, strict=False))
        if len(self.numbers) > len(taken):
            raise Refusal(f"{self.name}: {self.word} takes fewer numbers than {len(self.numbers)}")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = function(**given)
        if isinstance(found, tuple):
            found = found[0]
        if found is None:
            return np.full(len(frame), np.nan)
        if isinstance(found, pd.DataFrame):
            found = found[self._choose(found)]
        values: np.ndarray = pd.Series(found).reindex(frame.index).to_numpy(dtype=float)
        return values

    def _choose(self, found: pd.DataFrame) -> str:
        """The column that is meant, by how its name begins."""
        words = {str(name): re.sub(r"(_[\d.]+)*$", "", str(name)).lower() for name in found.columns}
        fits = [name for name, word in words.items() if word == self.column]
        if len(fits) == 1:
            return fits[0]
        plain = self.name.partition(".")[0]
        choices = ", ".join(f"{plain}.{word}" for word in words.values())
        raise Refusal(f"{self.name}: {self.word} has several columns, name one of {choices}")


@cache
def _library() -> Any:
    """The library; seconds to import, so that only runs with such a rule pay for it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module("pandas_ta_classic")


def known() -> list[str]:
    """Names of all indicators."""
    return sorted({name for names in _library().Category.values() for name in names})


def refuse_too_many(name: str) -> None:
    """Refuse a name with numbers that are more bars than a rule may read.

    Raises
    ------
    Refusal
        Names the number and the bound.
    """
    told = f"all numbers of a name together are {MOST_BARS:,} bars at most"
    numbers = re.findall(r"(?<=_)\d+", name)
    for number in numbers:
        # The length first: a number of thousands of digits is none that Python reads.
        if len(number) > MOST_DIGITS:
            raise Refusal(f"{name[:LONGEST_NAME]}: {number[:MOST_DIGITS]}… is too many; {told}")
    if (total := sum(map(int, numbers))) > MOST_BARS:
        raise Refusal(f"{name[:LONGEST_NAME]}: {total:,} is too many; {told}")


@cache
def indicator(name: str) -> Indicator:
    """Find an indicator by its name and numbers, and try whether it looks ahead.

    Raises
    ------
    Refusal
        There is none of that name, it takes other numbers, cannot be computed, or a value of it changes with bars that
        come after it.
    """
    match = re.fullmatch(r"([a-z][a-z0-9]*(?:_[a-z][a-z0-9]*)*)((?:_\d+)*)(?:\.([a-z][a-z0-9]*))?", name)
    if match is None or match.group(1) not in known():
        word = match.group(1) if match else name
        raise Refusal(f"{name}: there is no indicator of that name; {closest(word, known())}")
    refuse_too_many(name)
    numbers = tuple(int(n) for n in match.group(2).split("_")[1:])
    found = Indicator(name, match.group(1), numbers, match.group(3) or "")
    for parameter, number in zip(found.parameters(), numbers, strict=False):
        if number == 0 and parameter.default != 0 and not parameter.name.endswith("type"):
            # The library takes 0 for its own default.
            raise Refusal(f"{name}: 0 is no {parameter.name} of {found.word}; write a number from 1 up")
    _refuse_looking_ahead(found)
    return found


def _refuse_looking_ahead(found: Indicator) -> None:
    try:
        frame, whole = _tried(found)
        parts = {cut: found.values(frame.iloc[:-cut]) for cut in CUTS}
    except Refusal:
        raise
    except Exception as error:
        raise Refusal(f"{found.name}: cannot be computed ({type(error).__name__}: {error})") from None
    if not np.isfinite(whole).any():
        raise Refusal(f"{found.name}: has no value in {len(frame)} bars; give other numbers")
    for part in parts.values():
        if not np.allclose(part, whole[: len(part)], rtol=1e-9, atol=1e-9, equal_nan=True):
            raise Refusal(f"{found.name}: looks ahead, its value at a bar changes with the bars after it; use another")


def _tried(found: Indicator) -> tuple[pd.DataFrame, np.ndarray]:
    """A made-up history that is long enough for the indicator, and its values there."""
    total = sum(found.numbers)
    if total > LONG:
        frame = made_up(TRIED_BARS + math.ceil(SHORTER * total))
        whole = found.values(frame)
        # Cuts show nothing where it has no values before them, as one that is taken of itself may not yet.
        if np.isfinite(whole[: -max(CUTS)]).sum() >= TRIED_BARS:
            return frame, whole
    frame = made_up(TRIED_BARS + 3 * total)
    return frame, found.values(frame)


def made_up(bars: int) -> pd.DataFrame:
    """Prices and volumes from a fixed seed, to try an indicator on."""
    random = np.random.default_rng(7)
    close = 100 * np.exp(np.cumsum(random.normal(0, 0.02, bars)))
    open_ = close * np.exp(random.normal(0, 0.01, bars))
    high, low = np.maximum(open_, close) * 1.01, np.minimum(open_, close) * 0.99
    index = pd.date_range("2020-01-01", periods=bars, freq="D", tz=NEW_YORK)
    columns = {"open": open_, "high": high, "low": low, "close": close, "volume": random.uniform(1e5, 1e6, bars)}
    return pd.DataFrame(columns, index=index)
