"""Trading phases of a New York day as Alpaca knows them: pre 04:00, regular 09:30, post until 20:00."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from brokers.rehearsal.core.hours import Session, TradingHours
from config.values.markets import NEW_YORK
from market.calendar import is_session, nanoseconds, session_times, sessions_until

NEW_YORK_ZONE = ZoneInfo(NEW_YORK)
PRE_OPEN = time(4)
# Four hours after the close on a half day too (13:00 and 17:00).
POST_LENGTH = timedelta(hours=4)


class UsHours(TradingHours):
    """New York's sessions with the extended hours around them."""

    zone = NEW_YORK_ZONE

    def session_on(self, day: date) -> Session | None:
        """The session of a date, None on weekends and holidays."""
        return _session_on(day)

    def sessions(self, start: date, end: date) -> list[date]:
        """The dates with a session, both ends included."""
        known = sessions_until(pd.Timestamp(end), (end - start).days + 1)
        return [stamp.date() for stamp in known if stamp.date() >= start]

    def bounds(self, dates: pd.DatetimeIndex) -> tuple[np.ndarray, np.ndarray]:
        """Open and close on each date, half days included; regular hours where the exchange has no session."""
        opens, closes = session_times(dates)
        return nanoseconds(opens), nanoseconds(closes)


@cache
def _session_on(day: date) -> Session | None:
    stamp = pd.Timestamp(day)
    if not is_session(stamp):
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


US_HOURS = UsHours()
