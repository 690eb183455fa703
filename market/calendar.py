"""Session times of the New York exchanges."""

from __future__ import annotations

from datetime import date
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from pandas.tseries.holiday import AbstractHolidayCalendar

from config.values.markets import NEW_YORK
from market.new_york_exchange import NYSEExchangeCalendar

EXCHANGE = "NYSE"
REGULAR_OPEN = pd.Timedelta(hours=9, minutes=30)
REGULAR_CLOSE = pd.Timedelta(hours=16)
SATURDAY = 5

_worked_out: list[tuple[int, int, pd.DatetimeIndex]] = []
"""First year, last year and sessions of each stretch of years that was worked out; shorter ones are cut from it."""


def nanoseconds(times: pd.DatetimeIndex) -> np.ndarray:
    """Times as whole nanoseconds since 1970 (UTC; naive times as if they were)."""
    return times.as_unit("ns").astype("int64").to_numpy()


@cache
def _sessions(first_year: int, last_year: int) -> pd.DatetimeIndex:
    """Session dates of whole years; the calendar takes long to work them out, and a live feed asks in every iteration.

    The calendar's own list of sessions works out each holiday up to the year 2200 first, whatever years are asked for,
    and by rules, too, that were given up a century ago.
    """
    for begins, ends, known in _worked_out:
        if begins <= first_year and last_year <= ends:
            return known[(known.year >= first_year) & (known.year <= last_year)]
    exchange = NYSEExchangeCalendar()
    first, last = pd.Timestamp(f"{first_year}-01-01"), pd.Timestamp(f"{last_year}-12-31")
    rules = [rule for rule in exchange.regular_holidays.rules if _holds_between(rule, first, last)]
    regular = AbstractHolidayCalendar(rules=rules).holidays(first, last)
    once = pd.DatetimeIndex(pd.to_datetime(exchange.adhoc_holidays, utc=True)).tz_localize(None)
    closed = np.concatenate([regular.to_numpy(), once.to_numpy()]).astype("datetime64[D]")
    days = np.arange(np.datetime64(first, "D"), np.datetime64(last, "D") + 1)
    open_days = days[np.is_busday(days, exchange.weekmask, closed)]
    sessions = pd.DatetimeIndex(open_days.astype("datetime64[ns]"))
    _worked_out.append((first_year, last_year, sessions))
    return sessions


@cache
def _schedule(first_year: int, last_year: int) -> pd.DataFrame:
    """The same sessions with their hours, half days included, which take as long again."""
    exchange, sessions = NYSEExchangeCalendar(), _sessions(first_year, last_year)
    _leave_out_other_times(exchange, pd.Timestamp(f"{first_year}-01-01"), pd.Timestamp(f"{last_year}-12-31"))
    if not (sessions.weekday == SATURDAY).any():
        # The exchange's own looks for Saturdays, on which it closed at noon until 1952.
        vars(exchange).update(days_at_time=super(NYSEExchangeCalendar, exchange).days_at_time)
    schedule: pd.DataFrame = exchange.schedule_from_days(sessions, NEW_YORK)
    return schedule


def _leave_out_other_times(exchange: NYSEExchangeCalendar, first: pd.Timestamp, last: pd.Timestamp) -> None:
    """Let a calendar work out early closes and late openings between two days alone, not those of a century."""
    by_rule, once = exchange.get_special_times, exchange.get_special_times_adhoc

    def by_rule_between(of_what: str) -> list[tuple[Any, Any]]:
        found = [(hour, _in_force(calendar, first, last)) for hour, calendar in by_rule(of_what)]
        return [(hour, calendar) for hour, calendar in found if calendar is not None]

    def once_between(of_what: str) -> list[tuple[Any, Any]]:
        found = [(hour, pd.DatetimeIndex(pd.to_datetime(list(days), utc=True))) for hour, days in once(of_what)]
        found = [(hour, days.tz_localize(None)) for hour, days in found]
        return [(hour, days) for hour, days in found if ((days >= first) & (days <= last)).any()]

    vars(exchange).update(get_special_times=by_rule_between, get_special_times_adhoc=once_between)


def _in_force(calendar: Any, first: pd.Timestamp, last: pd.Timestamp) -> Any:
    """A calendar's rules for some of the days; None where there are none. A day of the week is a rule by itself."""
    if isinstance(calendar, int):
        return calendar
    rules = [rule for rule in calendar.rules if _holds_between(rule, first, last)]
    return AbstractHolidayCalendar(rules=rules) if rules else None


def _holds_between(rule: Any, first: pd.Timestamp, last: pd.Timestamp) -> bool:
    """Whether a rule of holidays is in force on any of the days; a day that is observed on another may be a year's."""
    if rule.year is not None and not first.year - 1 <= rule.year <= last.year + 1:
        return False
    begun = rule.start_date is None or rule.start_date <= last
    return begun and (rule.end_date is None or rule.end_date >= first)


def session_times(dates: pd.DatetimeIndex) -> tuple[pd.DatetimeIndex, pd.DatetimeIndex]:
    """Open and close of the session on each date, half days included.

    Parameters
    ----------
    dates : DatetimeIndex
        Naive session dates, ascending. A date that is no session of the exchange (made-up data on a
        holiday) gets regular hours.

    Returns
    -------
    opens, closes : DatetimeIndex
        Timezone-aware (New York), same length as ``dates``.
    """
    if dates.empty:
        return _regular_times(dates)
    hours = _schedule(dates[0].year, dates[-1].year)[["market_open", "market_close"]].reindex(dates)
    known = hours["market_open"].notna().to_numpy()
    opens, closes = pd.DatetimeIndex(hours["market_open"]), pd.DatetimeIndex(hours["market_close"])
    if not known.all():
        regular_open, regular_close = _regular_times(dates)
        opens, closes = opens.where(known, regular_open), closes.where(known, regular_close)
    return opens.rename(None), closes.rename(None)


def _regular_times(dates: pd.DatetimeIndex) -> tuple[pd.DatetimeIndex, pd.DatetimeIndex]:
    return (dates + REGULAR_OPEN).tz_localize(NEW_YORK), (dates + REGULAR_CLOSE).tz_localize(NEW_YORK)


def last_session(day: pd.Timestamp) -> pd.Timestamp:
    """The newest session date on or before ``day`` (naive dates)."""
    return pd.Timestamp(sessions_until(day, 1)[-1])


def week_ends(dates: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """The last session of the week that each date belongs to.

    Parameters
    ----------
    dates : DatetimeIndex
        Naive dates, ascending. One after its week's last session (a market that trades at weekends)
        belongs to the week that begins.
    """
    if dates.empty:
        return dates
    # The last week in sight may be cut off, so the calendar is read one whole week further than any date's.
    sessions = _sessions(dates[0].year, (dates[-1] + pd.Timedelta(days=14)).year)
    week = sessions.to_period("W")
    ends = sessions[:-1][week[1:] != week[:-1]]
    return ends[ends.searchsorted(dates)]


def sessions_until(day: pd.Timestamp, count: int) -> pd.DatetimeIndex:
    """The last ``count`` session dates on or before ``day`` (naive dates)."""
    years = count // 240 + 1
    dates = _sessions(day.year - years, day.year)
    return dates[: dates.searchsorted(day, side="right")][-count:]


def sessions_after(day: date, count: int) -> tuple[date, ...]:
    """The next ``count`` session dates after ``day``."""
    # The days that are left of a year, or the next one as well: often it is read already.
    dates = _sessions(day.year, day.year)
    if dates.searchsorted(pd.Timestamp(day), side="right") + count > len(dates):
        dates = _sessions(day.year, day.year + count // 240 + 1)
    first = dates.searchsorted(pd.Timestamp(day), side="right")
    return tuple(dates[first : first + count].date)


def is_session(day: pd.Timestamp) -> bool:
    """Whether the exchange has a session on a (naive) date."""
    return day in _sessions(day.year, day.year)


def sessions_among(days: pd.DatetimeIndex) -> np.ndarray:
    """On which of some (naive) dates the exchange has a session."""
    if days.empty:
        return np.zeros(0, dtype=bool)
    return np.asarray(days.isin(_sessions(days.min().year, days.max().year)))
