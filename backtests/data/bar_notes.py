"""What is legal in a file and means something else: bars outside sessions or off the grid, jumps like splits'.

And a last line without an end, behind which there may have been more.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from backtests.data.reading.options import ReadOptions
from backtests.data.session_clock import HOUR, MINUTE, SessionBars, refuse_other_clocks, usual_hours
from config.errors import Refusal
from config.reading.error_messages import some
from config.values.counting import counted
from config.values.markets import SESSION_MINUTES
from market.bars import DAY_MINUTES
from market.calendar import session_times, sessions_among

BEFORE_OPEN = pd.Timedelta(hours=5, minutes=30)
AFTER_CLOSE = pd.Timedelta(hours=4)
# Two days of seven are weekends; a market with this share of its bars there has no sessions.
OPEN_AT_WEEKENDS_FROM = 0.15
SATURDAY = 5
# Holidays fall on Mondays and Fridays, but no year has more than a tenth of them; a weekday with less than this share
# of the bars has none.
RARE_DAY_FRAC = 0.02
COVERED_FROM = 0.75
SPLIT = "like an unadjusted"
LONGEST_END = 64
"""Bytes at the end of a file among which the end of its last line is looked for."""

RATIOS = {
    2.0: "2:1",
    3.0: "3:1",
    4.0: "4:1",
    5.0: "5:1",
    6.0: "6:1",
    7.0: "7:1",
    8.0: "8:1",
    10.0: "10:1",
    15.0: "15:1",
    20.0: "20:1",
    25.0: "25:1",
    30.0: "30:1",
    40.0: "40:1",
    50.0: "50:1",
    100.0: "100:1",
    1.5: "3:2",
}
# A night's own move on top of a split, by the ratio from which on it is allowed for: real moves of a third are not so
# rare, real moves to a fifth are.
NIGHT_FRACS = {1.5: 0.02, 2.0: 0.08, 5.0: 0.12}


def cut_off(files: Sequence[Path]) -> list[str]:
    """Files of text whose last line has no end: a number in it may be the beginning of one."""
    open_ended = [file for file in files if not _ends(file)]
    if not open_ended:
        return []
    others = f" and {len(open_ended) - 1} more" if len(open_ended) > 1 else ""
    return [
        f"the last line of {open_ended[0].name}{others} has no line end: where a file was cut off, its last bar is not "
        "what was written"
    ]


def _ends(file: Path) -> bool:
    with file.open("rb") as stream:
        stream.seek(0, os.SEEK_END)
        stream.seek(max(stream.tell() - LONGEST_END, 0))
        # A line end of UTF-16 has a NUL on one of its sides.
        return stream.read().rstrip(b"\0 \t").endswith((b"\n", b"\r"))


def kept_hours(
    frame: pd.DataFrame, minutes: int, options: ReadOptions, path: Path, *, offset: bool
) -> tuple[pd.DataFrame, list[str]]:
    """The bars that a venue would have had, and what was left out.

    Parameters
    ----------
    frame : DataFrame
        Long table; naive session dates of daily bars, New York times of intraday ones.
    minutes : int
        Length of a bar; 1440 for daily ones.
    options : ReadOptions
        Of its ``hours`` bars are kept. A currency pair, and what has bars at weekends, trades around the clock: all of
        its bars are kept.
    path : Path
        For messages.
    offset : bool
        Whether the file's times had an offset.

    Raises
    ------
    Refusal
        Nothing is left, or what is looks like bars of other days or hours than the file says.
    """
    hours = options.hours
    if hours != "all":
        _refuse_other_days(frame, path)
    whole = around_the_clock(frame) if hours != "all" else np.ones(len(frame), dtype=bool)
    times = pd.DatetimeIndex(frame["datetime"])
    days = times if times.tz is None else times.tz_localize(None).normalize()
    unique = days.unique().sort_values()
    place = unique.get_indexer(days)
    holiday = ~sessions_among(unique)[place] & ~whole
    gone, notes = holiday.copy(), []
    if holiday.any():
        notes.append(f"{_counted(holiday)} on days without a session left out, first {_first(frame, holiday)}")
    if minutes < DAY_MINUTES:
        opens, closes = (edge[place] for edge in session_times(unique))
        ends = times + minutes * MINUTE
        outside = np.asarray((ends <= opens) | (times >= closes)) & ~whole & ~holiday
        if outside.any():
            beyond = outside
            if hours == "extended":
                beyond = outside & np.asarray((times < opens - BEFORE_OPEN) | (times >= closes + AFTER_CLOSE))
                notes.append(f"{_counted(outside & ~beyond)} outside 09:30–16:00 kept, as extended hours are on")
            if beyond.any():
                span = "04:00–20:00" if hours == "extended" else "09:30–16:00 (half days: to 13:00)"
                notes.append(f"{_counted(beyond)} outside {span} left out, first {_first(frame, beyond)}")
                _refuse_other_hours(times, minutes, beyond, whole | holiday, path, _doubt(options, offset=offset))
            gone |= beyond
        # Hours said to be labelled by their beginnings may lie beside the session by as much as one of them.
        if hours != "all" and not (options.labels == "begin" and minutes >= HOUR):
            bars = SessionBars(frame["symbol"], times, minutes, unique, place, opens, closes, ~(whole | holiday))
            notes += refuse_other_clocks(bars, options, path, _doubt(options, offset=offset), offset=offset)
        off = _off_the_grid(times, minutes, ~gone & ~whole) | _off_the_grid(times.tz_convert("UTC"), minutes, whole)
        if off.any():
            notes.append(f"{_counted(off)} off the grid of {minutes} minutes left out, first {_first(frame, off)}")
        gone |= off
    if gone.all():
        raise Refusal(
            f"{path}: {notes[0].replace(' left out', '')}; give bars of New York's sessions, or of a market that never "
            "closes with --set market=24/7"
        )
    return (frame[~gone] if gone.any() else frame), notes


def _refuse_other_days(frame: pd.DataFrame, path: Path) -> None:
    """Refuse bars of an exchange's symbols that are dated a day late or early: at weekends, and on four days besides.

    What trades around the clock has bars on all seven.
    """
    day = frame["datetime"].dt.dayofweek
    for symbol, own in day.groupby(frame["symbol"], observed=True):
        counts = own.value_counts(normalize=True)
        at_weekends = float(counts[counts.index >= SATURDAY].sum())
        if "/" in str(symbol) or at_weekends < OPEN_AT_WEEKENDS_FROM:
            continue
        lacking = [name for number, name in ((0, "Monday"), (4, "Friday")) if counts.get(number, 0.0) < RARE_DAY_FRAC]
        if lacking:
            late = lacking[0] == "Monday"
            raise Refusal(
                f"{path}: {at_weekends:.0%} of the bars of {symbol} are dated {'Saturday' if late else 'Sunday'}, and "
                f"hardly any {lacking[0]}: its dates look a day {'late' if late else 'early'}; correct them"
            )


def _refuse_other_hours(
    times: pd.DatetimeIndex, minutes: int, beyond: np.ndarray, apart: np.ndarray, path: Path, doubt: str
) -> None:
    """Refuse where most bars lie outside the session and those inside do not fill it: times of another zone."""
    judged = times[~apart]
    inside = times[~apart & ~beyond]
    if not len(inside) or beyond.sum() <= len(judged) / 2:
        return
    of_day = inside.tz_localize(None) - inside.tz_localize(None).normalize()
    span = (of_day.max() - of_day.min()) / MINUTE + minutes
    # Bars of extended hours lie outside for the most part too, and cover the session all the same.
    if span >= SESSION_MINUTES * COVERED_FROM:
        return
    first, last = usual_hours(judged)
    utc = usual_hours(judged.tz_convert("UTC"))
    raise Refusal(
        f"{path}: {int(beyond.sum()):,} of {len(times):,} bars lie outside the session, as their times are {first} to "
        f"{last} in New York and {utc[0]} to {utc[1]} in UTC: {doubt}"
    )


def _doubt(options: ReadOptions, *, offset: bool) -> str:
    """What of the times' zone may be wrong, and the way out."""
    if offset:
        return (
            "the offset in the file looks wrong; give times without an offset and say whose they are with --timezone, "
            "e.g. --timezone America/New_York"
        )
    if options.timezone is not None:
        return f"--timezone {options.timezone} looks wrong; say the zone whose times they are"
    return (
        "they have no offset and were taken as New York's; say whose they are with --timezone, e.g. --timezone "
        "Europe/Athens, as many brokers' servers have it"
    )


def _counted(chosen: np.ndarray) -> str:
    return f"{int(chosen.sum()):,} of {len(chosen):,} bars"


def _first(frame: pd.DataFrame, chosen: np.ndarray) -> str:
    bar = frame.iloc[int(np.argmax(chosen))]
    form = "%Y-%m-%d" if frame["datetime"].dt.tz is None else "%Y-%m-%d %H:%M:%S"
    return f"{bar['symbol']} {bar['datetime']:{form}}"


def around_the_clock(frame: pd.DataFrame) -> np.ndarray:
    """Which bars are of symbols that no exchange's hours hold for."""
    pairs = [name for name in frame["symbol"].unique() if "/" in str(name)]
    weekend = pd.Series(frame["datetime"].dt.dayofweek.to_numpy() >= SATURDAY)
    share = weekend.groupby(frame["symbol"].to_numpy(), observed=True).mean()
    return np.asarray(frame["symbol"].isin([*pairs, *share.index[share >= OPEN_AT_WEEKENDS_FROM]]))


def _off_the_grid(times: pd.DatetimeIndex, minutes: int, judged: np.ndarray) -> np.ndarray:
    """Bars whose time of day has another phase than most have."""
    step = minutes * MINUTE
    phase = ((times.tz_localize(None) - times.tz_localize(None).normalize()) % step).to_numpy()
    if not judged.any():
        return judged
    different, counts = np.unique(phase[judged], return_counts=True)
    off: np.ndarray = judged & (phase != different[counts.argmax()])
    return off


@dataclass(frozen=True, slots=True)
class Jump:
    """A symbol's prices overnight, from a close to the open of ``day``; ``ratio`` is that of a split."""

    symbol: str
    day: pd.Timestamp
    close: float
    open: float
    ratio: str

    def __str__(self) -> str:
        return (
            f"{self.symbol} {self.day:%Y-%m-%d}: jump from {self.close:.6g} to {self.open:.6g} overnight, "
            f"{SPLIT} {self.ratio} split"
        )


def jumps(frame: pd.DataFrame) -> list[str]:
    """Notes about overnight jumps of prices at the ratios of splits: prices that nobody adjusted, perhaps."""
    return [str(jump) for jump in found_jumps(frame)]


def found_jumps(frame: pd.DataFrame) -> list[Jump]:
    """Overnight jumps of prices at the ratios of splits, in a long table that is sorted by symbol and time."""
    times = frame["datetime"]
    days = times if times.dt.tz is None else times.dt.tz_localize(None).dt.normalize()
    same = frame["symbol"].eq(frame["symbol"].shift()) & days.ne(days.shift())
    ratio = (frame["close"].shift() / frame["open"]).where(same).to_numpy(dtype=float)
    size = np.abs(np.log(ratio, where=np.isfinite(ratio), out=np.full(len(ratio), np.nan)))
    found = []
    for at in np.flatnonzero(size > np.log(min(RATIOS)) - max(NIGHT_FRACS.values())):
        plain = min(RATIOS, key=lambda k: abs(np.log(k) - size[at]))
        if abs(np.log(plain) - size[at]) > next(NIGHT_FRACS[k] for k in reversed(NIGHT_FRACS) if k <= plain):
            continue
        one, other = RATIOS[plain].split(":")
        told = RATIOS[plain] if ratio[at] > 1 else f"{other}:{one} (reverse)"
        before, bar = float(frame["close"].iloc[at - 1]), frame.iloc[at]
        found.append(Jump(str(bar["symbol"]), days.iloc[at], before, float(bar["open"]), told))
    return found


def gaps(frame: pd.DataFrame) -> list[str]:
    """Sessions without any bar between the first and the last of a symbol, counted; where the market has sessions."""
    frame = frame[~around_the_clock(frame)]
    if frame.empty:
        return []
    times: pd.Series[Any] = frame["datetime"]
    days = times if times.dt.tz is None else times.dt.tz_localize(None).dt.normalize()
    unique = pd.DatetimeIndex(days.unique()).sort_values()
    sessions = pd.DatetimeIndex(pd.date_range(unique[0], unique[-1]))
    sessions = sessions[sessions_among(sessions)]
    lacking = {}
    for symbol, own in days.groupby(frame["symbol"], observed=True):
        there = pd.DatetimeIndex(own.unique())
        due = sessions[(sessions >= there.min()) & (sessions <= there.max())]
        missing = due.difference(there)
        if len(missing):
            lacking[str(symbol)] = missing
    if not lacking:
        return []
    return [gaps_told(lacking)]


def gaps_told(lacking: Mapping[str, pd.DatetimeIndex]) -> str:
    """The note about the sessions that each symbol lacks; one that several lack is one session."""
    days = set().union(*lacking.values())
    alike = all(len(own) == len(days) for own in lacking.values())
    first = min(lacking, key=lambda symbol: lacking[symbol][0])
    return (
        f"gaps: {counted(len(days), 'session')} without a bar of {'' if alike else 'one or more of '}"
        f"{some(list(lacking))}, first {first} {lacking[first][0]:%Y-%m-%d}"
    )
