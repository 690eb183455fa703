"""The venue's calendar of sessions."""

from __future__ import annotations

from datetime import date
from functools import cache
from threading import Lock

import pandas_market_calendars as market_calendars

from brokers.rehearsal.alpaca.errors import unprocessable
from brokers.rehearsal.alpaca.json_bodies import Json
from brokers.rehearsal.alpaca.queries import Query, choose, day
from brokers.rehearsal.alpaca.us_hours import POST_LENGTH, PRE_OPEN
from config.values.markets import NEW_YORK
from market.calendar import EXCHANGE

FIRST, LAST = date(1970, 1, 1), date(2029, 12, 31)
_building = Lock()


def all_sessions() -> list[tuple[date, Json]]:
    """All sessions that Alpaca lists; worked out once, which takes seconds, in whatever thread asks first."""
    with _building:
        return _days()


@cache
def _days() -> list[tuple[date, Json]]:
    schedule = market_calendars.get_calendar(EXCHANGE).schedule(FIRST, LAST, tz=NEW_YORK)
    days = [stamp.date() for stamp in schedule.index]
    opens, closes = schedule["market_open"].tolist(), schedule["market_close"].tolist()
    return [
        (
            day,
            {
                "date": day.isoformat(),
                "open": f"{opens[at]:%H:%M}",
                "close": f"{closes[at]:%H:%M}",
                "session_open": f"{PRE_OPEN:%H%M}",
                "session_close": f"{closes[at] + POST_LENGTH:%H%M}",
                # A trade settles at the next session.
                "settlement_date": days[min(at + 1, len(days) - 1)].isoformat(),
            },
        )
        for at, day in enumerate(days)
    ]


def sessions(query: Query) -> list[Json]:
    """GET /v2/calendar: sessions from ``start`` to ``end``, both included, by trading or by settlement date."""
    start, end = day(query, "start") or FIRST, day(query, "end") or LAST
    if end < start:
        raise unprocessable("end must not be before start")
    if choose(query, "date_type", ("TRADING", "SETTLEMENT"), "TRADING") == "SETTLEMENT":
        low, high = start.isoformat(), end.isoformat()
        return [dict(body) for _, body in all_sessions() if low <= str(body["settlement_date"]) <= high]
    return [dict(body) for day, body in all_sessions() if start <= day <= end]
