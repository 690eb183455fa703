"""Trading phases of a New York day as Alpaca knows them: pre 04:00, regular 09:30, post until 20:00."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from enum import Enum
from functools import cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pandas as pd

from market.calendar import NEW_YORK, last_session, session_times

NEW_YORK_ZONE = ZoneInfo(NEW_YORK)
PRE_OPEN = time(4)
# Four hours after the close on a half day too (13:00 and 17:00).
POST_LENGTH = timedelta(hours=4)
DAY = timedelta(days=1)


class Phase(Enum):
    CLOSED = "closed"
    PRE = "pre"
    REGULAR = "regular"
    POST = "post"


class Session(NamedTuple):
    """One day of trading: the four times at which its phases begin and end."""

    day: date
    pre_open: datetime
    open: datetime
    close: datetime
    post_close: datetime


@cache
def session_on(day: date) -> Session | None:
    """The session of a date, None on weekends and holidays."""
    stamp = pd.Timestamp(day)
    if last_session(stamp) != stamp:
        return None
    opens, closes = session_times(pd.DatetimeIndex([stamp]))
    close = closes[0].to_pydatetime().astimezone(NEW_YORK_ZONE)
    return Session(
        day,
        datetime.combine(day, PRE_OPEN, NEW_YORK_ZONE),
        opens[0].to_pydatetime().astimezone(NEW_YORK_ZONE),
        close,
        close + POST_LENGTH,
    )


def phase_at(now: datetime) -> Phase:
    """The phase a moment belongs to; a session's first moment is part of it, its last is not."""
    session = session_on(now.astimezone(NEW_YORK_ZONE).date())
    if session is None or not session.pre_open <= now < session.post_close:
        return Phase.CLOSED
    if now < session.open:
        return Phase.PRE
    return Phase.REGULAR if now < session.close else Phase.POST


def same_phase(one: datetime, other: datetime) -> bool:
    """Whether a price of one time may still be traded on at the other."""
    days = one.astimezone(NEW_YORK_ZONE).date(), other.astimezone(NEW_YORK_ZONE).date()
    return days[0] == days[1] and phase_at(one) is phase_at(other)


def session_ahead(now: datetime, extended: bool = False) -> Session:
    """The session that an order entered now belongs to: the first whose close (or post close) is still ahead."""
    day = now.astimezone(NEW_YORK_ZONE).date()
    while True:
        session = session_on(day)
        if session is not None and now < (session.post_close if extended else session.close):
            return session
        day += DAY


def next_open(now: datetime) -> datetime:
    """When regular trading next begins, strictly after ``now``."""
    session = session_ahead(now)
    return session.open if now < session.open else session_ahead(session.close).open
