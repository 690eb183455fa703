"""Whose midnight ends a day of budgets and halts: New York's, or UTC's where coins are traded.

One process trades one account, so it is set once, when a run's settings are known, and holds for all of its threads.
"""

from __future__ import annotations

from datetime import date, datetime, time
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    # Commands that only read settings come by here, and pandas takes a third of a second.
    import pandas as pd

DEFAULT = "America/New_York"

_zone = ZoneInfo(DEFAULT)
_asked: tuple[object, ZoneInfo, date] = (object(), _zone, date.min)


def use_day_of(name: str) -> None:
    """Let days turn at midnight in a zone from here on."""
    global _zone  # noqa: PLW0603  # the one place that holds it
    _zone = ZoneInfo(name)


def day_zone() -> ZoneInfo:
    """The zone whose midnight ends a day."""
    return _zone


def day_of(moment: datetime) -> date:
    """The day that a moment belongs to."""
    return date_in(_zone, moment)


def date_in(zone: ZoneInfo, moment: datetime) -> date:
    """The date in a zone at a moment."""
    global _asked  # noqa: PLW0603  # the one place that holds it
    # All that happens at one bar of a backtest asks of the same moment.
    known = _asked
    if known[0] is not moment or known[1] is not zone:
        _asked = known = (moment, zone, moment.astimezone(zone).date())
    return known[2]


def in_day_zone(moment: datetime) -> datetime:
    """A moment in the zone whose days count."""
    return moment.astimezone(_zone)


def begin_of(day: date) -> datetime:
    """When a day begins."""
    return datetime.combine(day, time.min, _zone)


def days_of(times: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """The day of each time, without a zone."""
    return times.tz_convert(_zone).tz_localize(None).normalize()
