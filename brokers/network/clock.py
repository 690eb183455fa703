"""The venue's time, from what it said last and how long ago that was."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

FAR_S = 30.0
"""Local seconds: a reading that is farther off than the venue's time in these has to be said twice."""
READ_S = 60.0
"""Seconds of the venue after which its clock is read again."""


def _utcnow() -> datetime:
    return datetime.now(UTC)


def elapsed(now: datetime, since: datetime, span: timedelta) -> bool:
    """Whether ``span`` is over since ``since``; a clock that was put back behind ``since`` lengthens no wait."""
    return not since <= now < since + span


class VenueClock:
    """Gives the venue's present time between two readings of its clock.

    It never runs backwards, unless the venue says twice that it was far ahead: one wrong answer must move no timer, and
    one that was believed must not stop all of them until its time has come.

    Parameters
    ----------
    speed : float, default=1
        Seconds of the venue in one of ours; above 1 in rehearsals only.
    monotonic, wall : callable, optional
        Local seconds that only grow; the local time, believed until the venue was heard.
    """

    def __init__(
        self,
        speed: float = 1.0,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], datetime] = _utcnow,
    ) -> None:
        self.speed = speed
        self.monotonic = monotonic
        self._wall = wall
        self._heard: tuple[datetime, float] | None = None
        self._doubtful: tuple[datetime, float] | None = None
        self._newest: datetime | None = None
        self._mutex = threading.Lock()

    def now(self) -> datetime:
        """The venue's time, UTC."""
        with self._mutex:
            if self._heard is None:
                return self._wall()
            said, at = self._heard
            present = said + timedelta(seconds=(self.monotonic() - at) * self.speed)
            self._newest = present if self._newest is None else max(self._newest, present)
            return self._newest

    @property
    def due(self) -> bool:
        """Whether to read the venue's clock: a minute after it was heard, at once where a reading is in doubt.

        A machine that slept doesn't know for how long.
        """
        with self._mutex:
            if self._heard is None or self._doubtful is not None:
                return True
            return self.monotonic() - self._heard[1] >= self.local(READ_S)

    @property
    def in_doubt(self) -> bool:
        """Whether the last reading was far from the one before and has not been confirmed."""
        with self._mutex:
            return self._doubtful is not None

    def heard(self, venue_time: datetime, sent: float, received: float) -> bool:
        """The venue said its time in answer to a request; both moments by the local monotonic clock.

        False if it is far from what it said before: it counts once the next reading agrees with it.
        """
        reading = venue_time.astimezone(UTC), (sent + received) / 2
        with self._mutex:
            if self._heard is not None and self._far(self._heard, reading):
                if self._doubtful is None or self._far(self._doubtful, reading):
                    self._doubtful = reading
                    return False
                self._newest = None
            self._heard, self._doubtful = reading, None
            return True

    def _far(self, before: tuple[datetime, float], reading: tuple[datetime, float]) -> bool:
        # In local time, as where the venue's runs faster, the time that an answer takes is so much more of it.
        passed = (reading[0] - before[0]).total_seconds() / self.speed
        return abs(passed - (reading[1] - before[1])) > FAR_S

    def local(self, venue_seconds: float) -> float:
        """Local seconds in so many of the venue's."""
        return venue_seconds / self.speed
