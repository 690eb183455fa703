"""What makes a table of bars fit to compute from: readable times, order, sane prices, one bar length."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from config.error_messages import some
from config.errors import Refusal
from market.bar_tables import DAILY_FROM_MINUTES, DAILY_RUN, DAILY_TO_MINUTES, spacings
from market.bars import FIELDS, PRICES, ROUNDING_FRAC
from market.calendar import NEW_YORK

# Sessions close at full and half hours, half days included: daily stamps that differ by less are no session's.
CLOSING_STEP_S = 1_800

OFFSET = r"\d:\d\d.*(?:Z|[+-]\d\d:?\d\d)$"


def row_number(bad: pd.Series[Any]) -> int:
    """Number of the first faulty row, counted from 1 after the header."""
    return int(bad.index[int(np.argmax(bad.to_numpy(dtype=bool)))]) + 1


def parse_times(times: pd.Series[Any], path: Path) -> pd.Series[Any]:
    """Datetimes as nanoseconds, naive or aware as written."""
    way_out = "write times as 2023-01-31 or 2023-01-31 09:35 (New York), or with an offset"
    if pd.api.types.is_datetime64_any_dtype(times):
        parsed = times
    else:
        if pd.api.types.is_numeric_dtype(times):
            raise Refusal(f"{path}: column datetime holds numbers; {way_out}")
        codes, texts = pd.factorize(times.astype(str))
        aware = pd.Series(texts).str.contains(OFFSET).to_numpy()
        if aware.any() and not aware.all():
            mixed = pd.Series(aware[codes] != aware[codes[0]], times.index)
            raise Refusal(f"{path}: times with and without offset, first at row {row_number(mixed)}; {way_out}")
        values = pd.to_datetime(texts, format="ISO8601", errors="coerce", utc=bool(aware.any()))
        parsed = pd.Series(values.take(codes), times.index)
    if parsed.isna().any():
        row = row_number(parsed.isna())
        raise Refusal(f"{path}: datetime {str(times[row - 1])!r} at row {row} is not a time; {way_out}")
    try:
        stamps: pd.Series[Any] = parsed.dt.as_unit("ns")
    except pd.errors.OutOfBoundsDatetime as error:
        raise Refusal(f"{path}: column datetime holds a year out of range; {way_out}") from error
    return stamps


def check_order(frame: pd.DataFrame, path: Path) -> None:
    """Refuse bars that are there twice or out of order within their symbol."""
    twice = frame.duplicated(["symbol", "datetime"])
    if twice.any():
        raise Refusal(f"{path}: {_where(frame, twice)} is there twice; remove one of the rows")
    back = frame.groupby("symbol", observed=True)["datetime"].diff() < pd.Timedelta(0)
    if back.any():
        raise Refusal(f"{path}: {_where(frame, back)} comes after a later bar; sort the file by symbol and datetime")


def _where(frame: pd.DataFrame, bad: pd.Series[Any]) -> str:
    row = row_number(bad)
    bar = frame.loc[row - 1]
    return f"{bar['symbol']} {bar['datetime']:%Y-%m-%d %H:%M} at row {row}"


def check_numbers(frame: pd.DataFrame, path: Path) -> None:
    """Make the five fields floats in place and refuse bars that cannot be."""
    for name in FIELDS:
        values = pd.to_numeric(frame[name], errors="coerce").astype(float)
        bad = values.isin([np.inf, -np.inf]) | values.isna()
        if bad.any():
            raise Refusal(f"{path}: {name} of {_where(frame, bad)} is not a number; fill it or remove the row")
        frame[name] = values
        wrong = values <= 0 if name in PRICES else values < 0
        if wrong.any():
            what = "not above zero" if name in PRICES else "negative"
            raise Refusal(f"{path}: {name} of {_where(frame, wrong)} is {what}; correct or remove the row")
    for name in ("low", "open", "close"):
        above = frame[name] > frame["high"] * (1 + ROUNDING_FRAC)
        if above.any():
            raise Refusal(f"{path}: high of {_where(frame, above)} is below its {name}; correct or remove the row")
    for name in ("open", "close"):
        below = frame[name] < frame["low"] * (1 - ROUNDING_FRAC)
        if below.any():
            raise Refusal(f"{path}: low of {_where(frame, below)} is above its {name}; correct or remove the row")


def to_exchange_time(frame: pd.DataFrame, path: Path) -> pd.Series[Any]:
    """Recognise daily or intraday by the spacing; naive session dates or New York times."""
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
        return _session_dates(frame, path)
    length = gaps.median()
    # Bars longer than taken for would be read before they close, shorter ones would be read late.
    uneven = list(stats.index[(stats["min"] > length) | (stats["median"] < length)])
    if uneven or length % 1:
        raise Refusal(
            f"{path}: bars are mostly {length:g} minutes apart, but not those of "
            f"{some(uneven) if uneven else 'whole minutes'}; give bars of one length in whole minutes"
        )
    local: pd.Series[Any]
    if times.dt.tz is not None:
        local = times.dt.tz_convert(NEW_YORK)
        return local
    local = times.dt.tz_localize(NEW_YORK, ambiguous="NaT", nonexistent="NaT")
    if local.isna().any():
        raise Refusal(
            f"{path}: {_where(frame, local.isna())} is no unique time in New York; give times with their offset"
        )
    return local


def _session_dates(frame: pd.DataFrame, path: Path) -> pd.Series[Any]:
    """Naive dates: as written when all stamps are midnights, else the date in New York."""
    times = frame["datetime"]
    if times.dt.tz is not None and not (times == times.dt.normalize()).all():
        times = times.dt.tz_convert(NEW_YORK)
    of_day = (times - times.dt.normalize()).dt.total_seconds()
    off = (of_day - of_day.iloc[0]) % CLOSING_STEP_S != 0
    if off.any():
        raise Refusal(
            f"{path}: {_where(frame, off)} is neither daily nor intraday, its time of day fits no session that "
            f"{_where(frame, ~off)} fits; give all daily bars one time of day"
        )
    dates: pd.Series[Any] = times.dt.tz_localize(None).dt.normalize()
    return dates
