"""The venue's calendar of sessions."""

from __future__ import annotations

from datetime import date
from functools import cache

import pandas_market_calendars as market_calendars

from brokers.rehearsal.hours import POST_LENGTH, PRE_OPEN
from brokers.rehearsal.model import Json
from market.calendar import EXCHANGE, NEW_YORK

FIRST, LAST = date(1970, 1, 1), date(2029, 12, 31)


@cache
def _days() -> list[tuple[date, Json]]:
    """All sessions that Alpaca lists; a trade settles at the next of them."""
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
                "settlement_date": days[min(at + 1, len(days) - 1)].isoformat(),
            },
        )
        for at, day in enumerate(days)
    ]


def sessions(start: date | None, end: date | None) -> list[Json]:
    """GET /v2/calendar: sessions from ``start`` to ``end``, both included."""
    return [dict(body) for day, body in _days() if (start or FIRST) <= day <= (end or LAST)]
