"""Bars to replay: a long table, checked once more, laid on the venue's grid and cut to what is asked for."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from brokers.rehearsal.core.hours import TradingHours
from config.errors import Refusal
from config.values.symbols import spelled
from market.bar_tables import DAILY_FROM_MINUTES
from market.bars import DAY_MINUTES, FIELDS, PRICES
from market.calendar import nanoseconds

COLUMNS = ("symbol", "datetime", *FIELDS)
# What a session is looked for in: no closure of an exchange lasts longer.
FORTNIGHT = timedelta(days=14)
MINUTE_NS = 60_000_000_000
NAME = "the bars to replay"
SMALLEST_PRICE = 0.0001
"""USD; of US shares."""


@dataclass(frozen=True, slots=True)
class Bars:
    """Bars of several symbols, ascending by symbol and time.

    Parameters
    ----------
    frame : DataFrame
        symbol, datetime, open, high, low, close (on the venue's grid), volume.
    opens, closes : ndarray of int
        When each bar begins and ends, nanoseconds UTC. A daily bar spans its session.
    minutes : int
        Bar length; 1440 for daily bars.
    hours : TradingHours
        Of the venue that they are played at.
    """

    frame: pd.DataFrame
    opens: np.ndarray
    closes: np.ndarray
    minutes: int
    hours: TradingHours

    @property
    def symbols(self) -> list[str]:
        return sorted(self.frame["symbol"].unique())


def load_bars(
    frame: pd.DataFrame,
    hours: TradingHours,
    symbols: Sequence[str] | None = None,
    ticks: Mapping[str, Decimal] | None = None,
    whole_shares: bool = True,
) -> Bars:
    """Check the bars to replay and lay them on the venue's grid.

    Prices are rounded to the venue's grid, since nothing else can be traded there.

    Parameters
    ----------
    frame : DataFrame
        Long table as the reader of bar files gives it: symbol, datetime, open, high, low, close, volume. Naive times
        are those of the venue's zone; intraday bars are labelled by their open, daily ones by their date.
    hours : TradingHours
        When the venue trades; a daily bar spans its session.
    symbols : sequence of str, optional
        Keep these; all by default.
    ticks : mapping, optional
        Distance between prices by symbol; by default the grid of US shares, cents from $1 on and hundredths of a
        cent below.
    whole_shares : bool
        Whether volumes are rounded to whole shares.

    Raises
    ------
    Refusal
        A column or a symbol is missing, or a bar is impossible here.
    """
    missing = [column for column in COLUMNS if column not in frame.columns]
    if missing:
        raise Refusal(f"{NAME}: no column {', '.join(missing)}; it needs the columns {', '.join(COLUMNS)}")
    frame = frame[list(COLUMNS)].assign(symbol=frame["symbol"].astype(str))
    wanted = [spelled(symbol) for symbol in symbols or ()]
    absent = sorted(set(wanted) - set(frame["symbol"]))
    if absent:
        raise Refusal(f"{NAME}: no bars of {', '.join(absent)}; choose other --symbols")
    if wanted:
        frame = frame[frame["symbol"].isin(wanted)]
    if frame.empty:
        raise Refusal(f"{NAME}: no rows; give a file with bars")
    frame = frame.assign(datetime=_times(frame["datetime"], hours)).sort_values(["symbol", "datetime"])
    frame = frame.reset_index(drop=True)
    _check(frame, ticks)
    minutes = _minutes(frame)
    opens, closes = spans(pd.DatetimeIndex(frame["datetime"]), minutes, hours)
    return Bars(_on_the_grid(frame, ticks, whole_shares), opens, closes, minutes, hours)


def play_as_of(bars: Bars, as_of: date, start: date | None = None, sessions: int | None = None) -> tuple[Bars, date]:
    """Move all bars so that the first day played becomes a session of another date.

    Parameters
    ----------
    bars : Bars
    as_of : date
        Where the first day played goes; the next session where this is none.
    start : date or datetime, optional
        The first day played, or its moment, in the file's dates.
    sessions : int, optional
        Days played; without ``start`` they are the file's last.

    Returns
    -------
    Bars
        Each day as many sessions away from the first as in the file; times of day stay.
    date or datetime
        ``start`` moved likewise.

    Raises
    ------
    Refusal
        The file has no day to begin with.
    """
    hours = bars.hours
    local = pd.DatetimeIndex(bars.frame["datetime"]).tz_convert(hours.zone).tz_localize(None)
    days = sorted({stamp.date() for stamp in local.normalize().unique()})
    if start is None:
        first = days[-min(sessions or 1, len(days))]
    else:
        if isinstance(start, datetime):
            start = start.astimezone(hours.zone) if start.tzinfo else start.replace(tzinfo=hours.zone)
        wanted = start.date() if isinstance(start, datetime) else start
        first = next((day for day in days if day >= wanted), days[-1])
        if first < wanted:
            raise Refusal(f"no bars on or after {wanted}: the data end on {days[-1]}; choose an earlier --start")
    before, after = (first - days[0]).days, (days[-1] - first).days
    old = _sessions(hours, days[0], days[-1], days)
    # Weekends and holidays lie elsewhere there: twice the time and a fortnight holds as many sessions.
    new = hours.sessions(as_of - 2 * timedelta(days=before) - FORTNIGHT, as_of + 2 * timedelta(days=after) + FORTNIGHT)
    shift = bisect_left(new, as_of) - old.index(first)
    moved = {day: pd.Timestamp(new[at + shift]) - pd.Timestamp(day) for at, day in enumerate(old)}
    offsets = pd.to_timedelta([moved[stamp.date()] for stamp in local.normalize()])
    times = (local + offsets).tz_localize(hours.zone, ambiguous="NaT", nonexistent="NaT")
    if any(pd.isna(times)):
        raise Refusal(
            f"the bars of {days[0]} to {days[-1]} cannot be played as of {as_of}: some fall on the hour that "
            "a change of the clock leaves out or repeats; choose another date"
        )
    frame = bars.frame.assign(datetime=times)
    opens, closes = spans(times, bars.minutes, hours)
    moved_start: date = new[old.index(first) + shift]
    if isinstance(start, datetime) and start.date() == first:
        moved_start = datetime.combine(moved_start, start.time(), hours.zone)
    return replace(bars, frame=frame, opens=opens, closes=closes), moved_start


def _sessions(hours: TradingHours, start: date, end: date, days: list[date]) -> list[date]:
    """The venue's sessions in the file's window, and what else the file has for one."""
    return sorted({*hours.sessions(start, end), *days})


def _times(times: pd.Series[Any], hours: TradingHours) -> pd.Series[Any]:
    """Times of the venue; a day is its midnight there."""
    if not pd.api.types.is_datetime64_any_dtype(times):
        raise Refusal(f"{NAME}: column datetime holds no times; read the file as a backtest does")
    if times.dt.tz is None:
        times = times.dt.tz_localize(hours.zone, ambiguous="NaT", nonexistent="NaT")
    if times.isna().any():
        raise Refusal(f"{NAME}: column datetime holds what is no time in {_city(hours)}; give times with their offset")
    local: pd.Series[Any] = times.dt.tz_convert(hours.zone)
    return local


def _city(hours: TradingHours) -> str:
    return hours.zone.key.rsplit("/", 1)[-1].replace("_", " ")


def _check(frame: pd.DataFrame, ticks: Mapping[str, Decimal] | None) -> None:
    twice = frame.duplicated(["symbol", "datetime"])
    if twice.any():
        raise Refusal(f"{NAME}: the bar {_bar(frame, twice)} is there twice; remove one of them")
    for field in FIELDS:
        frame[field] = pd.to_numeric(frame[field], errors="coerce").astype(float)
        bad = ~np.isfinite(frame[field]) | (frame[field] <= 0 if field in PRICES else frame[field] < 0)
        if bad.any():
            raise Refusal(f"{NAME}: {field} of the bar {_bar(frame, bad)} is no possible number; correct the file")
        if ticks is not None or field not in PRICES:
            continue
        if (small := frame[field] < SMALLEST_PRICE / 2).any():
            raise Refusal(
                f"{NAME}: {field} of the bar {_bar(frame, small)} is below {SMALLEST_PRICE:g} USD, the smallest price "
                "that can be traded here; leave the symbol out"
            )
    # Adjusted prices carry rounding noise.
    upside_down = frame["high"] < frame["low"] * (1 - 1e-6)
    if upside_down.any():
        raise Refusal(f"{NAME}: high of the bar {_bar(frame, upside_down)} is below its low; correct the file")


def _bar(frame: pd.DataFrame, bad: pd.Series[bool]) -> str:
    row = frame.loc[bad.idxmax()]
    return f"{row['symbol']} {row['datetime']:%Y-%m-%d %H:%M}"


def _minutes(frame: pd.DataFrame) -> int:
    """The commonest distance between bars, 1440 for whole days."""
    gaps = frame.groupby("symbol")["datetime"].diff().dropna().dt.total_seconds() // 60
    if gaps.empty:
        raise Refusal(f"{NAME}: one bar per symbol, so that its length is unknown; give at least two")
    minutes = int(gaps.mode().iloc[0])
    if minutes >= DAILY_FROM_MINUTES:
        return DAY_MINUTES
    if minutes < 1:
        raise Refusal(f"{NAME}: bars shorter than a minute; put them together to minutes first")
    return minutes


def spans(times: pd.DatetimeIndex, minutes: int, hours: TradingHours) -> tuple[np.ndarray, np.ndarray]:
    """When bars begin and end, nanoseconds UTC; one ends with the phase of the day it began in."""
    dates, which = np.unique(times.tz_localize(None).normalize(), return_inverse=True)
    opens, closes = (bound[which] for bound in hours.bounds(pd.DatetimeIndex(dates)))
    if minutes == DAY_MINUTES:
        return opens, closes
    starts = nanoseconds(times)
    ends = starts + minutes * MINUTE_NS
    for edge in (opens, closes):
        # A bar ends with the phase of the day it began in.
        ends = np.where((starts < edge) & (ends > edge), edge, ends)
    return starts, ends


def _on_the_grid(frame: pd.DataFrame, ticks: Mapping[str, Decimal] | None, whole_shares: bool) -> pd.DataFrame:
    prices = frame[list(PRICES)]
    if ticks is None:
        prices = prices.round(2).where(prices >= 1, prices.round(4).clip(lower=SMALLEST_PRICE))
    else:
        tick = frame["symbol"].map({symbol: float(tick) for symbol, tick in ticks.items()})
        places = frame["symbol"].map({symbol: -int(tick.as_tuple().exponent) for symbol, tick in ticks.items()})
        counted = prices.div(tick, axis=0).round().clip(lower=1).mul(tick, axis=0)
        prices = pd.concat([counted[places == n].round(n) for n in sorted(set(places))]).sort_index()
    prices["high"], prices["low"] = prices.max(axis=1), prices.min(axis=1)
    volume = frame["volume"].round().astype("int64") if whole_shares else frame["volume"]
    return prices.assign(symbol=frame["symbol"], datetime=frame["datetime"], volume=volume)
