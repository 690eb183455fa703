"""The venue's time, from what it said last and how long ago that was."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass(frozen=True, slots=True)
class VenueTime:
    """What the venue's clock says; all timezone-aware."""

    now: datetime
    is_open: bool
    next_open: datetime
    next_close: datetime

    def open_at(self, moment: datetime) -> bool:
        """Whether the regular session is on at a later moment, as far as this tells."""
        return moment < self.next_close and (self.is_open or moment >= self.next_open)


def _utcnow() -> datetime:
    return datetime.now(UTC)


class VenueClock:
    """Gives the venue's present time between two readings of its clock; never runs backwards.

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

    def heard(self, venue_time: datetime, sent: float, received: float) -> None:
        """The venue said its time in answer to a request; both moments by the local monotonic clock."""
        with self._mutex:
            self._heard = (venue_time.astimezone(UTC), (sent + received) / 2)

    def local(self, venue_seconds: float) -> float:
        """Local seconds in so many of the venue's."""
        return venue_seconds / self.speed
