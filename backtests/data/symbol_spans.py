"""Which part of a file's span each symbol has bars of: another beginning or end, bars that are missing, no volume."""

from __future__ import annotations

import pandas as pd

from backtests.data.bar_notes import around_the_clock
from config.values.counting import counted
from market.bars import DAY_MINUTES

LISTED = 30
"""Symbols that a note names; of others it says how many there are."""
UTC = "UTC"


def in_zone_of_days(frame: pd.DataFrame) -> pd.DataFrame:
    """The bars in the zone whose midnight ends their days: UTC where nothing of them has sessions."""
    if frame["datetime"].dt.tz is None or not around_the_clock(frame).all():
        return frame
    return frame.assign(datetime=frame["datetime"].dt.tz_convert(UTC))


def other_spans(frame: pd.DataFrame) -> list[str]:
    """A note about the symbols that begin on a later day than the file, or end on an earlier one."""
    times = frame["datetime"]
    edges = times.groupby(frame["symbol"], observed=True).agg(["min", "max"])
    first, last = times.min().date(), times.max().date()
    told = []
    for symbol, begins, ends in edges.itertuples():
        late = [f"from {_edge(begins)}"] if begins.date() > first else []
        early = [f"to {_edge(ends)}"] if ends.date() < last else []
        if late or early:
            told.append(" ".join([str(symbol), *late, *early]))
    return [f"other spans: {_listed(told)}"] if told else []


def without_volume(frame: pd.DataFrame) -> list[str]:
    """A note about bars whose volume is 0 or not told, by symbol, the most of them first."""
    lacking = ~(frame["volume"] > 0)
    if not lacking.any():
        return []
    counts = lacking.groupby(frame["symbol"], observed=True).agg(["sum", "size"]).sort_values("sum", ascending=False)
    told = [f"{symbol} {n:,} of {bars:,}" for symbol, n, bars in counts.itertuples() if n]
    return [f"no volume: {int(lacking.sum()):,} of {len(frame):,} bars: {_listed(told)}"]


def missing_bars(frame: pd.DataFrame, minutes: int) -> list[str]:
    """A note about bars that are missing between a symbol's first and last, where the market never closes."""
    whole = frame[around_the_clock(frame)]
    step = pd.Timedelta(minutes=minutes)
    told, places = [], []
    for symbol, times in whole["datetime"].groupby(whole["symbol"], observed=True):
        apart = times.diff()
        if lacking := round((times.iloc[-1] - times.iloc[0]) / step) + 1 - len(times):
            told.append(f"{lacking:,} of {symbol}")
            places.append((times[apart > step].iloc[0] - apart[apart > step].iloc[0] + step, str(symbol)))
    if not told:
        return []
    at, symbol = min(places)
    length = "a day" if minutes == DAY_MINUTES else counted(minutes, "minute")
    return [f"gaps: bars of {length} missing: {_listed(told)}; first {symbol} {_moment(at)}"]


def _edge(at: pd.Timestamp) -> str:
    """A day; where it has no session, the hour as well."""
    return _moment(at) if str(at.tz) == UTC else f"{at:%Y-%m-%d}"


def _moment(at: pd.Timestamp) -> str:
    return f"{at:%Y-%m-%d}" if at.tz is None else f"{at:%Y-%m-%d %H:%M} {'UTC' if str(at.tz) == UTC else 'New York'}"


def _listed(told: list[str]) -> str:
    rest = len(told) - LISTED
    return ", ".join(told[:LISTED]) + (f" and {counted(rest, 'more symbol')}" if rest > 0 else "")
