"""Whether a file's times are those at which its bars begin or end: bars are read by their openings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from backtests.data.bar_notes import AFTER_CLOSE, BEFORE_OPEN, around_the_clock
from backtests.data.reading.options import ReadOptions, ends_of_bars
from config.errors import Refusal
from market.bars import DAY_MINUTES
from market.calendar import session_times

# Of a symbol's days: those that have a bar behind their beginning and none that holds it, and those with one at their
# end's own time, in regular and in extended hours. The last day of a file may be cut off, and one without trades at the
# opening is no rarity.
NO_OPENING_FROM, AT_CLOSE_FROM = 0.9, 0.5


def openings(frame: pd.DataFrame, minutes: int, options: ReadOptions, path: Path) -> pd.DataFrame:
    """The bars by the times at which they begin.

    Parameters
    ----------
    frame : DataFrame
        Long table; naive session dates of daily bars, New York times of intraday ones.
    minutes : int
        Length of a bar; 1440 for daily ones.
    options : ReadOptions
        ``labels`` says what the times are; else they are openings, unless they look like ends.
    path : Path
        For messages.

    Raises
    ------
    Refusal
        The times look like ends, or are said to be those of days.
    """
    if minutes >= DAY_MINUTES:
        if options.labels == "end":
            raise Refusal(f"{path}: its bars are days, which are read by their dates; leave out --labels")
        return frame
    if options.labels == "begin" or frame.empty:
        return frame
    times = pd.DatetimeIndex(frame["datetime"])
    days = times.tz_localize(None).normalize()
    unique = days.unique().sort_values()
    opens, closes = (edge[unique.get_indexer(days)] for edge in session_times(unique))
    if options.labels == "end":
        return frame.assign(datetime=_begun(times, opens, closes, minutes))
    edges = ((opens, closes), (opens - BEFORE_OPEN, closes + AFTER_CLOSE))
    if not any((times == last).any() for _, last in edges):
        return frame
    exchange = ~around_the_clock(frame)
    for first, last in edges:
        if symbol := _ending(frame[exchange], minutes, first[exchange], last[exchange]):
            at = int(np.argmax(np.asarray(frame["symbol"] == symbol)))
            raise ends_of_bars(
                path,
                f"{symbol} has bars from {times[at]:%H:%M} to {last[at]:%H:%M} and none at {first[at]:%H:%M}, so that "
                "its times look like",
            )
    return frame


def _ending(frame: pd.DataFrame, minutes: int, first: pd.DatetimeIndex, last: pd.DatetimeIndex) -> str:
    """A symbol whose times look like ends, where its days begin at ``first`` and end at ``last``; empty without one."""
    times = pd.DatetimeIndex(frame["datetime"])
    at_end = np.asarray(times == last)
    if not at_end.any():
        return ""
    length = pd.Timedelta(minutes=minutes)
    holds = np.asarray((times > first - length) & (times <= first))
    behind = np.asarray((times > first) & (times <= first + length))
    judged = holds | behind | at_end
    marks = pd.DataFrame({"holds": holds, "behind": behind, "end": at_end})[judged]
    by = [frame["symbol"].astype(str).to_numpy()[judged], times.tz_localize(None).normalize()[judged]]
    sessions = marks.groupby(by).any()
    sessions["none"] = sessions["behind"] & ~sessions["holds"]
    shares = sessions.groupby(level=0)[["none", "end"]].mean()
    found = shares.index[(shares["none"] >= NO_OPENING_FROM) & (shares["end"] >= AT_CLOSE_FROM)]
    return str(found[0]) if len(found) else ""


def _begun(
    times: pd.DatetimeIndex, opens: pd.DatetimeIndex, closes: pd.DatetimeIndex, minutes: int
) -> pd.DatetimeIndex:
    """When bars began that ended at ``times``: a length earlier, or less where the close cut the last one short."""
    length = pd.Timedelta(minutes=minutes)
    since = (times - opens) % length
    # Bars of an hour end at 10:30, 11:30 and so on, the last one at 16:00.
    short = (times == closes) & (since > pd.Timedelta(0)) & _on_grid(since)
    begun: pd.DatetimeIndex = times - since.where(short, length)
    return begun


def _on_grid(since: pd.TimedeltaIndex) -> bool:
    """Whether most bars end whole lengths after the opening."""
    return bool((since == pd.Timedelta(0)).mean() > 0.5)
