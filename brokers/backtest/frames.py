"""The frames of a Lumibot script as one table: bars of one length, or the sentence that says which are not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from config.errors import Refusal
from config.reading.error_messages import some
from config.values.symbols import spelled
from market.bar_tables import DAILY_FROM_MINUTES, DAILY_RUN, DAILY_TO_MINUTES, NANOSECONDS, frames_to_table
from market.bars import DAY_MINUTES, FIELDS, BarTable
from market.calendar import nanoseconds

# Fewer gaps may all be holes: a bar in every hour of one session is the least that tells hourly bars.
JUDGED_GAPS = 6
SOURCE = "pandas"


def pandas_table(pandas_data: Mapping[Any, Any]) -> BarTable:
    """The table of ``pandas_data``.

    Bars become known when one bar's length has passed, so all have to be of that length: a daily bar among
    5-minute bars would show its close a day ahead.

    Parameters
    ----------
    pandas_data : mapping
        Lumibot's keys (asset and quote) and ``Data``.

    Raises
    ------
    Refusal
        If there are no bars, or bars of several lengths.
    """
    frames = {spelled(key[0].symbol): data.df[list(FIELDS)] for key, data in pandas_data.items()}
    timesteps = {spelled(key[0].symbol): str(data.timestep) for key, data in pandas_data.items()}
    times = {symbol: pd.DatetimeIndex(frame.index) for symbol, frame in frames.items() if len(frame)}
    _refuse_several_timesteps(timesteps, times)
    daily = "day" in timesteps.values()
    if daily or not times:
        _refuse_other_than_daily(times)
        return frames_to_table(frames, daily=daily, source=SOURCE)
    return frames_to_table(frames, daily=False, source=SOURCE, minutes=_common_length(times))


def _refuse_several_timesteps(timesteps: Mapping[str, str], times: Mapping[str, pd.DatetimeIndex]) -> None:
    kinds = list(timesteps.values())
    usual = max(kinds, key=kinds.count, default="")
    odd = next((kind for kind in kinds if kind != usual), None)
    if odd is not None:
        few, rest = ([s for s, kind in timesteps.items() if kind == wanted] for wanted in (odd, usual))
        raise _uneven(few, _declared(odd, few, times), rest, _declared(usual, rest, times))


def _declared(timestep: str, symbols: Iterable[str], times: Mapping[str, pd.DatetimeIndex]) -> float:
    """Minutes of a bar, by the timestep if that says it, else by how far the bars lie apart."""
    if timestep != "minute":
        return {"day": DAY_MINUTES, "hour": 60}[timestep]
    return _usual([times[symbol] for symbol in symbols if symbol in times]) or 1


def _refuse_other_than_daily(times: Mapping[str, pd.DatetimeIndex]) -> None:
    for symbol, index in times.items():
        gaps = _gaps(index)
        if (gaps < DAILY_FROM_MINUTES).any():
            raise Refusal(
                f"{SOURCE}: bars of {symbol} are {_told(float(gaps.min()))} apart, but their timestep is day; give "
                "intraday bars timestep='minute'"
            )
        if len(gaps) >= DAILY_RUN and np.median(gaps) > DAILY_TO_MINUTES:
            rest = [other for other in times if other != symbol]
            raise _uneven([symbol], float(np.median(gaps)), rest, DAY_MINUTES)


def _common_length(times: Mapping[str, pd.DatetimeIndex]) -> int:
    """Minutes of every intraday bar."""
    length = _usual(times.values())
    if length is None:
        raise Refusal(
            f"{SOURCE}: no two bars of {some(list(times))} lie within a day, so that their length is unknown; give "
            "daily bars timestep='day'"
        )
    for symbol, index in times.items():
        other = _other_length(index, length)
        if other is not None:
            raise _uneven([symbol], other, [name for name in times if name != symbol], length)
    if length % 1:
        raise Refusal(f"{SOURCE}: bars are {length:g} minutes apart; give bars in whole minutes")
    return int(length)


def _other_length(index: pd.DatetimeIndex, length: float) -> float | None:
    """What a frame's bars are longer or shorter than ``length`` by its spacing; None if they may be of that length.

    A symbol that trades seldom leaves holes, so that only regular steps speak for longer bars.
    """
    if _daily_run(index):
        return DAY_MINUTES
    inside = _gaps_inside_days(index)
    if not len(inside):
        return None
    median = float(np.median(inside))
    if median < length:
        return median
    step, count = _mode(inside)
    regular = len(inside) >= JUDGED_GAPS and count > len(inside) / 2
    return step if regular and inside.min() > length else None


def _daily_run(index: pd.DatetimeIndex) -> bool:
    """Whether there are bars a day or more apart, all at one time of the day: daily bars, whatever else there is."""
    of_day = (index - index.normalize()).to_numpy()
    slow = (np.diff(nanoseconds(index)) >= DAILY_FROM_MINUTES * NANOSECONDS) & (of_day[1:] == of_day[:-1])
    runs = np.lib.stride_tricks.sliding_window_view(slow, DAILY_RUN) if len(slow) >= DAILY_RUN else slow[:0]
    return bool(runs.all(axis=-1).any()) if len(runs) else False


def _usual(indexes: Iterable[pd.DatetimeIndex]) -> float | None:
    """Minutes that lie most often between two bars of a day; None if no day has two."""
    inside = np.concatenate([np.empty(0), *map(_gaps_inside_days, indexes)])
    return _mode(inside)[0] if len(inside) else None


def _mode(gaps: np.ndarray) -> tuple[float, int]:
    values, counts = np.unique(gaps, return_counts=True)
    at = int(counts.argmax())
    return float(values[at]), int(counts[at])


def _gaps(index: pd.DatetimeIndex) -> np.ndarray:
    """Minutes between bars; a bar that is there twice is no gap."""
    gaps: np.ndarray = np.diff(nanoseconds(index)) / NANOSECONDS
    return gaps[gaps > 0]


def _gaps_inside_days(index: pd.DatetimeIndex) -> np.ndarray:
    days = nanoseconds(index.normalize())
    gaps = np.diff(nanoseconds(index)) / NANOSECONDS
    inside: np.ndarray = gaps[(gaps > 0) & (days[1:] == days[:-1])]
    return inside


def _uneven(few: list[str], minutes: float, rest: list[str], usual: float) -> Refusal:
    others = f"those of {some(rest)} {_told(usual)}" if rest else f"bars are to be {_told(usual)} apart"
    return Refusal(
        f"{SOURCE}: bars of {some(few)} are {_told(minutes)} apart, {others}; give bars of one length, and run "
        "the others by themselves"
    )


def _told(minutes: float) -> str:
    if minutes < DAILY_FROM_MINUTES:
        return "a minute" if minutes == 1 else f"{minutes:g} minutes"
    return "a day" if minutes <= DAILY_TO_MINUTES else f"{minutes / DAY_MINUTES:g} days"
