"""What makes a table of bars fit to compute from: readable times, order, sane prices, one bar length."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from backtests.data.bar_notes import around_the_clock
from backtests.data.reading.column_checks import check_column, where
from backtests.data.reading.options import ReadOptions
from config.errors import Refusal
from config.reading.error_messages import some
from config.values.markets import NEW_YORK
from market.bar_tables import DAILY_FROM_MINUTES, DAILY_RUN, DAILY_TO_MINUTES, spacings
from market.bars import DAY_MINUTES, FARTHEST_TIMES, FIELDS, ROUNDING_FRAC
from market.calendar import REGULAR_CLOSE, REGULAR_OPEN

# Sessions close at full and half hours, half days included: daily stamps that differ by less are no session's.
CLOSING_STEP_S = 1_800

# Naive times are New York's if more of them than this lie in the session there, and another zone's if that holds
# nearly all of them: a file of the session's bars alone has one such zone.
NEW_YORKS_FROM, ANOTHERS_FROM = 0.90, 0.98
SEVERAL_FROM = 0.4
"""Share of rows with another bar of a time, from which on they are of several symbols: half of them for two alike."""
OTHER_ZONES = ("UTC", "America/Chicago", "Europe/London", "Europe/Berlin", "America/Los_Angeles", "Asia/Tokyo")


def check_order(frame: pd.DataFrame, path: Path) -> tuple[pd.DataFrame, list[str]]:
    """The bars in order of time, and a note where they were not; bars that are there twice are refused."""
    twice = frame.duplicated(["symbol", "datetime"])
    if twice.any():
        other = twice & ~frame.duplicated()
        if frame["symbol"].nunique() == 1 and other.mean() >= SEVERAL_FROM:
            raise Refusal(
                f"{path}: {where(frame, twice)} is there twice, and so are most times, as if the rows of several "
                "symbols were in it; head the column that names them symbol"
            )
        raise Refusal(f"{path}: {where(frame, twice)} is there twice; remove one of the rows")
    back = frame.groupby("symbol", observed=True)["datetime"].diff() < pd.Timedelta(0)
    if not back.any():
        return frame, []
    return frame.sort_values(["symbol", "datetime"], kind="stable"), ["rows were not in order of time and were sorted"]


def check_numbers(frame: pd.DataFrame, path: Path) -> None:
    """Refuse bars that cannot be."""
    for name in FIELDS:
        check_column(frame, name, frame[name], path)
    for name in ("low", "open", "close"):
        above = frame[name] > frame["high"] * (1 + ROUNDING_FRAC)
        if above.any():
            raise Refusal(f"{path}: high of {where(frame, above)} is below its {name}; correct or remove the row")
    for name in ("open", "close"):
        below = frame[name] < frame["low"] * (1 - ROUNDING_FRAC)
        if below.any():
            raise Refusal(f"{path}: low of {where(frame, below)} is above its {name}; correct or remove the row")
    body = frame[["open", "close"]]
    for name, times in (("high", frame["high"] / body.max(axis=1)), ("low", body.min(axis=1) / frame["low"])):
        far = times > FARTHEST_TIMES
        if far.any():
            raise Refusal(
                f"{path}: {name} of {where(frame, far)} is more than {FARTHEST_TIMES:g} times away from its open and "
                "close; correct or remove the row"
            )


def to_exchange_time(frame: pd.DataFrame, path: Path, options: ReadOptions) -> tuple[pd.Series[Any], int]:
    """Recognise daily or intraday by the spacing.

    Returns
    -------
    Series
        Naive session dates of daily bars, New York times of intraday ones.
    int
        Length of a bar in minutes.
    """
    if options.timezone is not None and frame["datetime"].dt.tz is not None:
        raise Refusal(f"{path}: its times have an offset or are counted from 1970; leave out --timezone")
    times = frame["datetime"]
    category = frame["symbol"].cat
    gaps = spacings(category.codes.to_numpy(), pd.DatetimeIndex(times))
    if gaps.empty:
        raise Refusal(f"{path}: one bar per symbol, so that its length is unknown; give at least two")
    stats = gaps.groupby(level=0).agg(["median", "min"])
    stats.index = category.categories[stats.index]
    daily = stats["median"] >= DAILY_FROM_MINUTES
    if gaps.median() >= DAILY_FROM_MINUTES:
        mixed = list(stats.index[stats["min"] < DAILY_FROM_MINUTES])
    else:
        slow = (gaps >= DAILY_FROM_MINUTES).astype(int)
        runs = slow.groupby([slow.index, (slow == 0).cumsum().to_numpy()]).sum().groupby(level=0).max()
        mixed = sorted({*stats.index[daily], *category.categories[runs.index[runs >= DAILY_RUN]]})
    if mixed:
        raise Refusal(f"{path}: daily and intraday bars together (see {some(mixed)}); put them into separate files")
    if daily.all():
        weekly = list(stats.index[stats["median"] > DAILY_TO_MINUTES])
        if weekly:
            raise Refusal(f"{path}: bars of {some(weekly)} are further apart than a day; give daily or intraday bars")
        return _session_dates(frame, path, options), DAY_MINUTES
    length = gaps.median()
    # Bars longer than taken for would be read before they close, shorter ones would be read late.
    uneven = list(stats.index[(stats["min"] > length) | (stats["median"] < length)])
    if uneven or length % 1:
        raise Refusal(
            f"{path}: bars are mostly {length:g} minutes apart, but not those of "
            f"{some(uneven) if uneven else 'whole minutes'}; give bars of one length in whole minutes"
        )
    if times.dt.tz is not None:
        return times.dt.tz_convert(NEW_YORK), int(length)
    zone = options.timezone or options.unsaid_timezone
    local = times.dt.tz_localize(zone, ambiguous="NaT", nonexistent="NaT")
    if local.isna().any():
        raise Refusal(
            f"{path}: {where(frame, local.isna())} is no unique time in {zone}, where clocks change; give times with "
            f"their offset, or say whose they are, e.g. --timezone UTC"
        )
    if options.timezone is None and zone == NEW_YORK and around_the_clock(frame).all():
        raise Refusal(
            f"{path}: its times have no offset, and nothing tells the zone of what trades around the clock; say "
            f"--timezone UTC, as most exports of coins are written, or --timezone {NEW_YORK}"
        )
    if zone == NEW_YORK and options.timezone is None and (other := _looks_like(times)):
        raise Refusal(
            f"{path}: its times have no offset and look like those of {other}, where they begin with the session; say "
            f"--timezone {other}, or --timezone {NEW_YORK} if they are New York's"
        )
    return local.dt.tz_convert(NEW_YORK), int(length)


def _looks_like(times: pd.Series[Any]) -> str:
    """The zone in which naive times are those of sessions, if New York is not; empty if none is."""
    if _inside(times.dt.tz_localize(NEW_YORK, ambiguous="NaT", nonexistent="NaT")) > NEW_YORKS_FROM:
        return ""
    for zone in OTHER_ZONES:
        local = times.dt.tz_localize(zone, ambiguous="NaT", nonexistent="NaT").dt.tz_convert(NEW_YORK)
        if _inside(local) >= ANOTHERS_FROM:
            return zone
    return ""


def _inside(times: pd.Series[Any]) -> float:
    """The share of times from 09:30 to 16:00."""
    of_day = times - times.dt.normalize()
    return float(((of_day >= REGULAR_OPEN) & (of_day < REGULAR_CLOSE)).mean())


def _session_dates(frame: pd.DataFrame, path: Path, options: ReadOptions) -> pd.Series[Any]:
    """Naive dates: as written when all stamps are midnights, else the date in New York."""
    times = frame["datetime"]
    if options.timezone is not None:
        times = times.dt.tz_localize(options.timezone, ambiguous="NaT", nonexistent="NaT")
        if times.isna().any():
            raise Refusal(f"{path}: {where(frame, times.isna())} is no unique time in {options.timezone}; give offsets")
    if times.dt.tz is not None and not (times == times.dt.normalize()).all():
        times = times.dt.tz_convert(NEW_YORK)
    of_day = (times - times.dt.normalize()).dt.total_seconds()
    off = (of_day - of_day.iloc[0]) % CLOSING_STEP_S != 0
    if off.any():
        raise Refusal(
            f"{path}: {where(frame, off)} is neither daily nor intraday, its time of day fits no session that "
            f"{where(frame, ~off)} fits; give all daily bars one time of day"
        )
    dates: pd.Series[Any] = times.dt.tz_localize(None).dt.normalize()
    return dates
