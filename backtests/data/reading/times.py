"""Times as files hold them, in any of the forms that need no guess."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from backtests.data.reading.options import DateOrder, ReadOptions, shortened
from config.errors import Refusal

WAY_OUT = "write times as 2023-01-31 or 2023-01-31 09:35 (New York), or with an offset"
FIRST_YEAR, LAST_YEAR = 1900, 2100

# Counted since 1970: the number of digits tells the unit of any moment between 1973 and 2100.
EPOCHS = {
    "s": (1e8, 5e9, "seconds"),
    "ms": (1e11, 5e12, "milliseconds"),
    "us": (1e14, 5e15, "microseconds"),
    "ns": (1e17, 5e18, "nanoseconds"),
}
NANOSECONDS = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}
DAY_FIRST = "dates with the day first"
WHOLE = r"[0-9]{9,19}(?:\.0*)?"
_TAIL = (
    r"(?:(?:T|\s+|,\s*)(?P<hour>\d{1,2}):?(?P<minute>\d{2})(?::?(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?"
    r"(?:\s*(?P<half>[AaPp])\.?[Mm]\.?)?\s*(?P<offset>Z|z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)?)?"
)
_YEAR_FIRST = rf"(?P<year>\d{{4}})(?P<joint>[-/.]?)(?P<month>\d{{1,2}})(?P=joint)(?P<day>\d{{1,2}}){_TAIL}"
_YEAR_LAST = rf"(?P<one>\d{{1,2}})(?P<joint>[-/.])(?P<two>\d{{1,2}})(?P=joint)(?P<year>\d{{4}}){_TAIL}"
_NAMED = (
    r"(?:(?P<day>\d{1,2})[-\s](?P<name>[A-Za-z]{3,9})[-\s](?P<year>\d{4})"
    rf"|(?P<name_>[A-Za-z]{{3,9}})\s(?P<day_>\d{{1,2}}),?\s(?P<year_>\d{{4}})){_TAIL}"
)
_NO_TIMES = {
    r"\d{1,2}([-/. ])(?:\d{1,2}|[A-Za-z]{3,9})\1\d{2}(?:\s.*)?": "is not a time, as its year has two digits",
    r"[1-9]\d{4}(?:\.\d*)?": "is not a time but a spreadsheet's number of a day; format the column as dates there",
}
"""Forms of times that are not read, and why not."""
_NAMES_OF_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTHS = {name: number for number, name in enumerate(_NAMES_OF_MONTHS, 1)}


def parse_times(times: pd.Series[Any], path: Path, options: ReadOptions) -> tuple[pd.Series[Any], str]:
    """Datetimes of a column.

    Parameters
    ----------
    times : Series
        Text, numbers, dates or datetimes as the file has them; its index counts the rows from 0.
    path : Path
        For messages.
    options : ReadOptions

    Returns
    -------
    Series
        Nanoseconds, naive or aware (UTC) as written.
    str
        How they were read, where that is not plain; else empty.

    Raises
    ------
    Refusal
        One is no time, only some have an offset, or a date can be read in two ways.
    """
    how = ""
    if times.empty:
        return pd.Series(pd.DatetimeIndex([], dtype="datetime64[ns]"), times.index), how
    if pd.api.types.is_datetime64_any_dtype(times):
        parsed = times
    elif pd.api.types.is_numeric_dtype(times):
        parsed, how = _numbers(times, path)
    else:
        codes, texts = pd.factorize(times.astype(object), use_na_sentinel=False)
        # A missing time is text here and found to be none below.
        values, how = _texts(
            pd.Series(["" if pd.isna(t) else str(t).strip() for t in texts]), times, codes, path, options
        )
        parsed = pd.Series(values.take(codes), times.index)
    if parsed.isna().any():
        raise _no_time(times, parsed.isna(), path)
    years = parsed.dt.year
    odd = (years < FIRST_YEAR) | (years > LAST_YEAR)
    if odd.any():
        raise Refusal(
            f"{path}: datetime {shortened(times[odd.idxmax()])} at row {_row(odd)} holds a year out of range; {WAY_OUT}"
        )
    return parsed.dt.as_unit("ns"), how


def _row(bad: pd.Series[Any]) -> int:
    return int(bad.idxmax()) + 1


def _no_time(times: pd.Series[Any], bad: pd.Series[Any], path: Path) -> Refusal:
    value = times[bad.idxmax()]
    why = next((told for form, told in _NO_TIMES.items() if re.fullmatch(form, str(value).strip())), "is not a time")
    return Refusal(f"{path}: datetime {shortened(value)} at row {_row(bad)} {why}; {WAY_OUT}")


def _numbers(times: pd.Series[Any], path: Path) -> tuple[pd.Series[Any], str]:
    values = times.astype(float)
    if values.isna().any():
        raise _no_time(times, values.isna(), path)
    if values.between(19_000_101, 21_001_231).all():
        texts = times.astype("int64").astype(str)
        return pd.to_datetime(texts, format="%Y%m%d", errors="coerce"), "dates such as 20230131"
    scale = np.zeros(len(values), dtype="int64")
    units = []
    # Each number tells its own unit: an export may have gone over from one to another between two of its rows.
    for unit, (low, high, name) in EPOCHS.items():
        there = values.between(low, high).to_numpy()
        scale[there] = NANOSECONDS[unit]
        units += [name] if there.any() else []
    if scale.all():
        found = pd.DatetimeIndex(times.astype("int64").to_numpy() * scale, tz="UTC")
        return pd.Series(found, times.index), f"{' and '.join(units)} since 1970, UTC"
    raise Refusal(f"{path}: column datetime holds numbers that are no seconds or milliseconds since 1970; {WAY_OUT}")


def _texts(
    texts: pd.Series[Any], times: pd.Series[Any], codes: np.ndarray, path: Path, options: ReadOptions
) -> tuple[pd.DatetimeIndex, str]:
    """Each different text as a time, NaT where it is none."""
    if texts.str.fullmatch(WHOLE).all():
        numbers = pd.Series(texts.str.partition(".")[0].astype("int64"))
        found, how = _numbers(numbers, path)
        return pd.DatetimeIndex(found), how
    how = ""
    parts = texts.str.extract(f"^{_YEAR_FIRST}$")
    # Without joints the digits have to be all there: 2023111 has two meanings.
    short = (parts["joint"] == "") & ((parts["month"].str.len() < 2) | (parts["day"].str.len() < 2))
    parts = parts.where(~short)
    if parts["year"].isna().all():
        parts, how = _year_last(texts, times, codes, path, options)
    if parts["year"].isna().all():
        parts = _named(texts)
    aware = parts["offset"].notna() & (parts["offset"] != "")
    there = parts["year"].notna()
    if (aware & there).any() and not (aware | ~there).all():
        row = pd.Series((aware.to_numpy() != bool(aware[codes[0]]))[codes], times.index)
        raise Refusal(f"{path}: times with and without offset, first at row {_row(row)}; {WAY_OUT}")
    return _made(parts, bool(aware.any())), how


def _year_last(
    texts: pd.Series[Any], times: pd.Series[Any], codes: np.ndarray, path: Path, options: ReadOptions
) -> tuple[pd.DataFrame, str]:
    parts = texts.str.extract(f"^{_YEAR_LAST}$")
    there = parts["year"].notna()
    if not there.any():
        return parts.assign(month=np.nan, day=np.nan), ""
    one, two = parts["one"].astype(float), parts["two"].astype(float)
    first_is_day, second_is_day = (one > 12) & there, (two > 12) & there
    if first_is_day.any() and second_is_day.any():
        at = pd.Series((second_is_day if first_is_day[codes[0]] else first_is_day).to_numpy()[codes], times.index)
        raise Refusal(f"{path}: dates with the day first and with the month first (row {_row(at)}); {WAY_OUT}")
    evident: DateOrder | None = "dmy" if first_is_day.any() else "mdy" if second_is_day.any() else None
    order = evident or options.date_order
    sample = texts[there.idxmax()]
    if order is None:
        raise Refusal(
            f"{path}: dates such as {shortened(sample)} may have the day or the month first; say --date-order dmy or "
            "--date-order mdy"
        )
    if options.date_order not in (None, order):
        raise Refusal(f"{path}: its dates are {order}, not {options.date_order}; leave out --date-order")
    day, month = ("one", "two") if order == "dmy" else ("two", "one")
    how = DAY_FIRST if order == "dmy" else "dates with the month first"
    return parts.assign(month=parts[month], day=parts[day]), how


def _named(texts: pd.Series[Any]) -> pd.DataFrame:
    parts = texts.str.extract(f"^{_NAMED}$")
    for name in ("day", "name", "year"):
        parts[name] = parts[name].where(parts[name].notna(), parts[f"{name}_"])
    parts["month"] = [_MONTHS.get(str(name)[:3].lower(), np.nan) for name in parts["name"]]
    return parts.where(parts["month"].notna())


def _made(parts: pd.DataFrame, aware: bool) -> pd.DatetimeIndex:
    """Times from their parts; NaT where these make none."""
    number = {name: parts[name].astype(float) for name in ("year", "month", "day")}
    clock = {name: parts[name].astype(float).fillna(0.0) for name in ("hour", "minute", "second")}
    half = parts["half"].astype("string").str.lower().astype(object)
    twelve = pd.Series(half).notna()
    hour = clock["hour"].where(~twelve, clock["hour"] % 12 + 12 * (half == "p"))
    sane = (hour < 24) & (clock["minute"] < 60) & (clock["second"] < 60) & ~(twelve & ~clock["hour"].between(1, 12))
    days = pd.to_datetime(pd.DataFrame(number), errors="coerce").where(sane)
    fraction = ("0." + parts["fraction"].astype("string").fillna("0")).astype(float)
    seconds = hour * 3600 + clock["minute"] * 60 + clock["second"]
    found = days + pd.to_timedelta(seconds, unit="s") + pd.to_timedelta((fraction * 1e9).round(), unit="ns")
    if not aware:
        return pd.DatetimeIndex(found)
    text = (
        parts["offset"]
        .astype("string")
        .fillna("")
        .str.replace(":", "")
        .str.replace("^(?:Z|z|UTC|GMT)$", "+0000", regex=True)
    )
    minutes = text.str[1:3].replace("", "0").astype(float) * 60 + text.str[3:5].replace("", "0").astype(float)
    away: pd.Series[Any] = minutes.where(minutes < 24 * 60) * np.where(text.str.startswith("-"), -1, 1)
    return pd.DatetimeIndex(found - pd.to_timedelta(away, unit="min")).tz_localize("UTC")
