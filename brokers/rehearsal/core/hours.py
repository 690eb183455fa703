"""When a venue trades: sessions with their phases, as one venue has them, or always."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import UTC, date, datetime, time, timedelta
from enum import Enum
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from market.calendar import nanoseconds

DAY = timedelta(days=1)


class Phase(Enum):
    """What kind of trading there is at a moment."""

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


class TradingHours(ABC):
    """The sessions of a venue.

    Parameters
    ----------
    zone : ZoneInfo
        Where its days begin, and what times without a zone mean.
    """

    zone: ZoneInfo

    @abstractmethod
    def session_on(self, day: date) -> Session | None:
        """The session of a date, None where there is none."""

    @abstractmethod
    def sessions(self, start: date, end: date) -> list[date]:
        """The dates with a session from ``start`` to ``end``, both included, ascending."""

    @abstractmethod
    def bounds(self, dates: pd.DatetimeIndex) -> tuple[np.ndarray, np.ndarray]:
        """Open and close of regular trading on each of these (naive) dates, nanoseconds UTC."""

    def day_of(self, now: datetime) -> date:
        """The venue's date at a moment."""
        return now.astimezone(self.zone).date()

    def phase_at(self, now: datetime) -> Phase:
        """The phase a moment belongs to; a session's first moment is part of it, its last is not."""
        session = self.session_on(self.day_of(now))
        if session is None or not session.pre_open <= now < session.post_close:
            return Phase.CLOSED
        if now < session.open:
            return Phase.PRE
        return Phase.REGULAR if now < session.close else Phase.POST

    def same_phase(self, one: datetime, other: datetime) -> bool:
        """Whether a price of one time may still be traded on at the other."""
        return self.day_of(one) == self.day_of(other) and self.phase_at(one) is self.phase_at(other)

    def session_ahead(self, now: datetime, extended: bool = False) -> Session:
        """The session that an order entered now belongs to: its close (or post close) is the first still ahead."""
        day = self.day_of(now)
        while True:
            session = self.session_on(day)
            if session is not None and now < (session.post_close if extended else session.close):
                return session
            day += DAY

    def next_open(self, now: datetime) -> datetime:
        """When regular trading next begins, strictly after ``now``."""
        session = self.session_ahead(now)
        return session.open if now < session.open else self.session_ahead(session.close).open

    def phase_end(self, now: datetime) -> datetime | None:
        """When the phase of a moment ends; None on a day without a session and after its last phase."""
        session = self.session_on(self.day_of(now))
        if session is None:
            return None
        boundaries = (session.pre_open, session.open, session.close, session.post_close)
        return min((at for at in boundaries if at > now), default=None)


class AlwaysOpen(TradingHours):
    """A market that never closes; its days are UTC's."""

    zone = ZoneInfo("UTC")

    def session_on(self, day: date) -> Session | None:
        """The whole day."""
        begins = datetime.combine(day, time(), UTC)
        return Session(day, begins, begins, begins + DAY, begins + DAY)

    def sessions(self, start: date, end: date) -> list[date]:
        """Every day."""
        return [start + n * DAY for n in range((end - start).days + 1)]

    def bounds(self, dates: pd.DatetimeIndex) -> tuple[np.ndarray, np.ndarray]:
        """Midnight to midnight."""
        begins = nanoseconds(dates)
        return begins, begins + DAY // timedelta(microseconds=1) * 1_000

    def same_phase(self, one: datetime, other: datetime) -> bool:
        """The last price always counts."""
        return True
