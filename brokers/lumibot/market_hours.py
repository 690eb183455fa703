"""Lumibot's questions about time, answered by the venue's clock."""

from __future__ import annotations

import datetime as dt
import logging
import math
import threading
import time
from functools import lru_cache
from typing import Any

import pandas as pd

from brokers.alpaca.client import VenueClient
from brokers.reporting.repeated_reasons import RepeatedReasons
from brokers.venue_errors import VenueError
from brokers.venue_values import VenueTime
from config.values.markets import NEW_YORK, NEW_YORK_ZONE
from market.calendar import is_session, last_session, session_times

ALWAYS = "24/7"
SLICE_S = 1.0
RETRY_S = 2.0
PRE_OPEN = pd.Timedelta(hours=4)
"""After midnight in New York: when extended hours begin."""
AFTER_CLOSE = pd.Timedelta(hours=4)
"""After the close, on a half day too, extended hours end."""

log = logging.getLogger(__name__)


class VenueHours:
    """Mixed into a Lumibot broker: market hours by what the venue says, cached until it opens or closes next.

    Times are the venue's, which in a rehearsal may run faster than the computer's.
    """

    client: VenueClient
    market: str
    extended_hours: bool = False
    _stop_event: threading.Event

    def __init__(self) -> None:
        self._hours: VenueTime | None = None
        self._asked_hours = -math.inf
        self._reasons = RepeatedReasons()
        self._hours_mutex = threading.Lock()

    def get_timestamp(self) -> float:
        """The venue's time as seconds since 1970."""
        return self.client.clock.now().timestamp()

    def is_market_open(self) -> bool:
        """Whether orders can be filled now: in regular hours, and in the extended ones where they count."""
        if self.market == ALWAYS or self.in_regular_hours():
            return True
        return self.extended_hours and in_extended_hours(self.client.clock.now())

    def in_regular_hours(self) -> bool:
        """Whether the regular session is on, by the venue's clock; False as long as it was never heard."""
        hours, now = self._known_hours()
        return hours is not None and hours.open_at(now)

    def get_time_to_open(self) -> float:
        """Seconds of the venue until the market opens; 0 while it is open."""
        if self.is_market_open():
            return 0.0
        hours, now = self._known_hours()
        return math.inf if hours is None else max((hours.next_open - now).total_seconds(), 0.0)

    def get_time_to_close(self) -> float:
        """Seconds of the venue until the market closes; 0 while it is closed, endless if it never does."""
        if self.market == ALWAYS:
            return math.inf
        hours, now = self._known_hours()
        if hours is None or not self.is_market_open():
            return 0.0
        return max((hours.next_close - now).total_seconds(), 0.0)

    def market_hours(
        self, market: str = "", close: bool = True, next: bool = False, date: dt.datetime | None = None
    ) -> pd.Timestamp:
        """Open or close of the session of a day (the venue's today), or of the first one after it."""
        day = (date or self.client.clock.now()).astimezone(NEW_YORK_ZONE).date()
        opens, closes = _session(day, next)
        return closes if close else opens

    def process_pending_orders(self, strategy: Any = None) -> None:
        """Nothing: Lumibot's wait for the close asks for what only its backtests have."""

    def _await_market_to_open(self, timedelta: float | None = None, strategy: Any = None) -> None:
        while not self.is_market_open() and self._wait(self.get_time_to_open() - 60 * (timedelta or 0), strategy):
            pass

    def _await_market_to_close(self, timedelta: float | None = None, strategy: Any = None) -> None:
        while self.is_market_open() and self._wait(self.get_time_to_close() - 60 * (timedelta or 0), strategy):
            pass

    def _wait(self, venue_seconds: float, strategy: Any) -> bool:
        """Wait a slice of the time; False once it is over or the run is to end."""
        stops = [self._stop_event]
        if (executor := getattr(strategy, "_executor", None)) is not None:
            stops.append(executor.stop_event)
        if venue_seconds <= 0 or any(stop.is_set() for stop in stops):
            return False
        stops[-1].wait(min(SLICE_S, self.client.clock.local(venue_seconds)))
        return True

    def _known_hours(self) -> tuple[VenueTime | None, dt.datetime]:
        """What the venue said last, asked anew once the market has opened or closed since; and its time."""
        with self._hours_mutex:
            kept, now = self._hours, self.client.clock.now()
            # Before that moment where the venue's clock was far ahead as it told its hours, and is back.
            over = kept is None or not kept.now <= now < min(kept.next_open, kept.next_close)
            if over and time.monotonic() - self._asked_hours >= self.client.clock.local(RETRY_S):
                self._asked_hours = time.monotonic()
                try:
                    self._hours = self.client.venue_clock()
                    self._reasons.over()
                except VenueError as error:
                    log.log(self._reasons.level(error), "the venue's clock was not heard: %s", error)
            return self._hours, self.client.clock.now()


def in_extended_hours(now: dt.datetime) -> bool:
    """Whether it is between 04:00 in New York and four hours after the close, on a day with a session."""
    moment = pd.Timestamp(now)
    local = moment.tz_convert(NEW_YORK).tz_localize(None)
    day = local.normalize()
    if not is_session(day) or local - day < PRE_OPEN:
        return False
    _, closes = _session(day.date(), False)
    return bool(moment < closes + AFTER_CLOSE)


@lru_cache(maxsize=64)
def _session(day: dt.date, after: bool) -> tuple[pd.Timestamp, pd.Timestamp]:
    """Open and close of the first session on a day or later, or of the one after that."""
    found = pd.Timestamp(day)
    for step in range(1 + after):
        found += pd.Timedelta(days=step)
        while last_session(found) != found:
            found += pd.Timedelta(days=1)
    opens, closes = session_times(pd.DatetimeIndex([found]))
    return opens[0], closes[0]
