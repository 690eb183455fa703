"""The calendar library's New York exchange, without the hundred others that the library loads with it.

They and the packages below them take four fifths of its import, for every command. Whoever asks the library for a
calendar by name gets it from the library's own list, which is loaded then.
"""

from importlib import import_module
from types import ModuleType
from typing import Any

from config.process.later import standing_in

_LIST = "pandas_market_calendars.calendar_registry"


def _get_calendar(*args: Any, **named: Any) -> Any:
    return import_module(_LIST).get_calendar(*args, **named)


def _get_calendar_names() -> Any:
    return import_module(_LIST).get_calendar_names()


_list = ModuleType(_LIST)
vars(_list).update(get_calendar=_get_calendar, get_calendar_names=_get_calendar_names)

with standing_in({_LIST: _list}):
    from pandas_market_calendars.calendars.nyse import NYSEExchangeCalendar

__all__ = ["NYSEExchangeCalendar"]
