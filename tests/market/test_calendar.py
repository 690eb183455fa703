"""Sessions are the library's own, in far years too."""

from __future__ import annotations

import pandas as pd
import pandas_market_calendars as market_calendars
import pytest
from pandas.tseries.holiday import AbstractHolidayCalendar

from market import calendar
from market.calendar import is_session, session_times, sessions_after, sessions_among, week_ends


def test_sessions_and_hours_are_those_of_the_library():
    listed = market_calendars.get_calendar("NYSE").schedule("1995-01-01", "2030-12-31", tz="America/New_York")
    days = pd.DatetimeIndex(listed.index)
    opens, closes = session_times(days)
    assert (opens == pd.DatetimeIndex(listed["market_open"])).all()
    assert (closes == pd.DatetimeIndex(listed["market_close"])).all()
    every = pd.date_range("1995-01-01", "2030-12-31")
    assert (every[sessions_among(every)] == days).all()
    shortened = int((closes - opens < pd.Timedelta(hours=6)).sum())
    assert len(days) > 9_000 and shortened > 50


@pytest.mark.parametrize(("first", "last"), [(1966, 1970), (1985, 2001)])
def test_hours_of_past_years_are_those_of_the_library(first, last):
    """Days that ended early or began late once, and by rules that were given up."""
    listed = market_calendars.get_calendar("NYSE").schedule(f"{first}-01-01", f"{last}-12-31", tz="America/New_York")
    opens, closes = session_times(pd.DatetimeIndex(listed.index))
    assert (opens == pd.DatetimeIndex(listed["market_open"])).all()
    assert (closes == pd.DatetimeIndex(listed["market_close"])).all()
    assert (closes - opens < pd.Timedelta(hours=5)).any()


def test_early_closes_of_other_years_are_not_worked_out(monkeypatch):
    calendar._schedule.cache_clear()
    asked, real = [], AbstractHolidayCalendar.holidays
    monkeypatch.setattr(
        AbstractHolidayCalendar, "holidays", lambda *given: asked.append(given[0].rules) or real(*given)
    )
    session_times(pd.DatetimeIndex(["2015-03-02", "2016-11-25"]))
    rules = [rule for rules in asked for rule in rules]
    assert rules and all(rule.year in (None, 2014, 2015, 2016, 2017) for rule in rules)
    assert all(rule.end_date is None or rule.end_date.year >= 2015 for rule in rules)


def test_holidays_of_far_years_are_known():
    assert not is_session(pd.Timestamp("2034-12-25")) and not is_session(pd.Timestamp("2035-07-04"))
    assert [day.isoformat() for day in sessions_after(pd.Timestamp("2035-07-03").date(), 1)] == ["2035-07-05"]
    assert week_ends(pd.DatetimeIndex(["2035-07-02"]))[0] == pd.Timestamp("2035-07-06")


def test_a_shorter_stretch_of_years_is_cut_from_a_longer_one(monkeypatch):
    monkeypatch.setattr(calendar, "_worked_out", [])
    apart = [calendar._sessions.__wrapped__(year, year) for year in range(2019, 2024)]
    monkeypatch.setattr(calendar, "_worked_out", [])
    calendar._sessions.__wrapped__(2017, 2024)
    assert len(calendar._worked_out) == 1
    for year, days in zip(range(2019, 2024), apart, strict=True):
        assert calendar._sessions.__wrapped__(year, year).equals(days) and len(days) > 240
    assert len(calendar._worked_out) == 1


def test_dates_alone_are_worked_out_without_their_hours(monkeypatch):
    monkeypatch.setattr(calendar, "_schedule", None)
    day = pd.Timestamp("2031-12-24")
    assert [f"{each:%m-%d}" for each in sessions_after(day.date(), 2)] == ["12-26", "12-29"]
    assert is_session(day) and not is_session(pd.Timestamp("2031-12-25"))
    assert f"{week_ends(pd.DatetimeIndex([day]))[0]:%m-%d}" == "12-26"
