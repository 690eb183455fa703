"""Whether each symbol's bars keep New York's hours, on each side of a clock change: times of another zone do not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from backtests.data.reading.options import ReadOptions
from config.errors import Refusal
from config.values.counting import counted
from config.values.markets import SESSION_MINUTES

MINUTE = pd.Timedelta(minutes=1)
HOUR = 60
ALL_YEAR = {"10:30": "Etc/GMT+4", "08:30": "Etc/GMT+5"}
"""Zones of one offset all year, New York's of summer and of winter, by when its sessions begin the other half-year."""
FEWEST_SESSIONS = 3
"""Sessions in a row from which on they are judged: of two, an initial offering or a halt may be the reason."""
DENSE_FRAC = 0.5
"""Share of a session's bars from which on a day is judged: of what hardly trades an hour may well have no bar."""


@dataclass(frozen=True, slots=True)
class SessionBars:
    """Intraday bars beside the sessions of their days.

    Parameters
    ----------
    symbols : Series of str, shape (bars,)
    times : DatetimeIndex, shape (bars,)
        Openings in New York's time.
    minutes : int
        Length of a bar.
    days : DatetimeIndex
        The days that have bars, ascending; naive.
    place : ndarray of int, shape (bars,)
        Which of ``days`` each bar is of.
    opens, closes : DatetimeIndex, shape (bars,)
        Of the session of each bar's day.
    judged : ndarray of bool, shape (bars,)
        Bars of symbols and days that have sessions.
    """

    symbols: pd.Series
    times: pd.DatetimeIndex
    minutes: int
    days: pd.DatetimeIndex
    place: np.ndarray
    opens: pd.DatetimeIndex
    closes: pd.DatetimeIndex
    judged: np.ndarray


@dataclass(frozen=True, slots=True)
class _Run:
    """Sessions in a row of one symbol; ``keys`` are those of ``_Sessions``."""

    symbol: str
    keys: np.ndarray
    first: pd.Timestamp
    last: pd.Timestamp


class _Sessions:
    """Each symbol's full days of bars, by symbol and day, and what each lacks."""

    def __init__(self, bars: SessionBars) -> None:
        codes, names = pd.factorize(bars.symbols)
        self._names, self._days = names, bars.days
        self.key = codes.astype(np.int64) * len(bars.days) + bars.place
        self._judged, size = bars.judged, len(names) * len(bars.days)
        ends = bars.times + bars.minutes * MINUTE
        before, after = ends <= bars.opens, bars.times >= bars.closes
        inside = ~(before | after)
        # Counted per symbol and day; a day is judged where it has bars enough.
        counts = self._counted(np.ones(len(self.key), dtype=bool), size)
        self.full = np.flatnonzero(counts >= max(1.0, DENSE_FRAC * SESSION_MINUTES / bars.minutes))
        has = {
            name: self._counted(np.asarray(chosen), size)[self.full] > 0
            for name, chosen in (
                ("before", before),
                ("after", after),
                ("inside", inside),
                ("first", inside & (bars.times < bars.opens + HOUR * MINUTE)),
                ("last", inside & (ends > bars.closes - HOUR * MINUTE)),
            )
        }
        late = ~has["first"] & ~has["before"] & has["after"]
        early = ~has["last"] & ~has["after"] & has["before"]
        self.displaced = late | early | ~has["inside"]
        self.without_first = ~has["first"] & ~self.displaced
        self.without_last = ~has["last"] & ~self.displaced

    def _counted(self, chosen: np.ndarray, size: int) -> np.ndarray:
        return np.bincount(self.key[chosen & self._judged], minlength=size)

    def runs(self, chosen: np.ndarray) -> list[_Run]:
        """Where the days that are chosen among the full ones are enough in a row."""
        owner = self.full // len(self._days)
        edges = np.flatnonzero((np.diff(owner) != 0) | (np.diff(chosen.astype(int)) != 0)) + 1
        found = []
        for keys, flags in zip(np.split(self.full, edges), np.split(chosen, edges), strict=True):
            if len(keys) >= FEWEST_SESSIONS and flags[0]:
                first, last = (self._days[int(key) % len(self._days)] for key in (keys[0], keys[-1]))
                found.append(_Run(str(self._names[int(keys[0]) // len(self._days)]), keys, first, last))
        return found

    def others_of(self, run: _Run) -> tuple[int, list[str]]:
        """How many full days of a run's symbol are not displaced, and the other symbols that have such days."""
        right = self.full[~self.displaced] // len(self._days)
        names = [str(self._names[code]) for code in np.unique(right)]
        own = int((self._names[right] == run.symbol).sum()) if len(right) else 0
        return own, [name for name in names if name != run.symbol]


def refuse_other_clocks(bars: SessionBars, options: ReadOptions, path: Path, doubt: str, *, offset: bool) -> list[str]:
    """Refuse a symbol whose sessions lie beside New York's, throughout or for a stretch; notes about less than that.

    Displaced is a full day of bars that has none in the session's first hour, none before and some behind the session;
    or the other way round; or none in the session. Bars of extended hours fill the session besides.

    Parameters
    ----------
    bars : SessionBars
    options : ReadOptions
        What was said of the times' zone.
    path : Path
        For messages.
    doubt : str
        What to say of the zone where all of the file is displaced.
    offset : bool
        Whether the file's times had an offset.

    Returns
    -------
    list of str
        Where sessions in a row have no bar in their first or last hour, and none beyond either.

    Raises
    ------
    Refusal
        Sessions in a row are displaced.
    """
    if not bars.judged.any():
        return []
    sessions = _Sessions(bars)
    if runs := sessions.runs(sessions.displaced):
        run = runs[0]
        theirs = bars.times[np.isin(sessions.key, run.keys)]
        first, last = usual_hours(theirs)
        own, others = sessions.others_of(run)
        if own:
            beside = f", and those of {counted(own, 'other session')} of it do not"
            way_out = _changing_clock(first, options, offset=offset)
        elif others:
            beside = f", and those of {others[0]} do not"
            way_out = (
                f"the offset of {run.symbol}'s times looks wrong; correct it"
                if offset
                else f"all symbols are read in one zone; write the times of {run.symbol} in that of the others"
            )
            way_out += ", or leave the symbol out with --symbols, as where it is of another exchange"
        else:
            beside, way_out = "", doubt
        raise Refusal(
            f"{path}: the bars of {run.symbol} from {run.first:%Y-%m-%d} to {run.last:%Y-%m-%d} lie beside the "
            f"session, from {first} to {last} in New York{beside}: {way_out}"
        )
    return [
        f"{run.symbol} has no bar in the {which} hour of {counted(len(run.keys), 'session')} in a row, "
        f"{run.first:%Y-%m-%d} to {run.last:%Y-%m-%d}"
        for which, chosen in (("first", sessions.without_first), ("last", sessions.without_last))
        for run in sessions.runs(chosen)
    ]


def _changing_clock(first: str, options: ReadOptions, *, offset: bool) -> str:
    """What to do where the sessions of one symbol keep New York's hours for a part of the time only."""
    if offset:
        return (
            "the offset looks wrong on one side of a clock change; give times without an offset and say whose they are "
            "with --timezone, e.g. --timezone America/New_York"
        )
    if options.timezone is not None:
        return f"--timezone {options.timezone} changes its clock on other days than the times do; say another zone"
    fixed = ALL_YEAR.get(first)
    example = f", e.g. --timezone {fixed} for {fixed[-1]} hours behind UTC all year" if fixed else ""
    return f"their clock does not change when New York's does; say whose times they are with --timezone{example}"


def usual_hours(times: pd.DatetimeIndex) -> tuple[str, str]:
    """The usual first and last time of a day's bars."""
    local = times.tz_localize(None)
    days = local.normalize()
    since = pd.Series(np.asarray((local - days) / MINUTE)).groupby(np.asarray(days))
    first, last = (divmod(int(edge.median()), 60) for edge in (since.min(), since.max()))
    return f"{first[0]:02d}:{first[1]:02d}", f"{last[0]:02d}:{last[1]:02d}"
