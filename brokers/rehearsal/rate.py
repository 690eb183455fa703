"""Requests a minute, counted as the venue counts them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

MINUTE_S = 60.0


class RateLimit:
    """So many requests in each minute.

    The minute is one of the venue: at ``speed`` 60 it is over after one second here, so that a hurried client
    is granted as many requests in a session as it would have at the venue.

    Parameters
    ----------
    per_minute : int
    speed : float
        Venue seconds per second.
    wall : callable
        Seconds since 1970.
    """

    def __init__(self, per_minute: int, speed: float = 1.0, wall: Callable[[], float] = time.time) -> None:
        self._per_minute, self._length, self._wall = per_minute, MINUTE_S / speed, wall
        self._ends, self._left = -math.inf, per_minute

    def take(self) -> bool:
        """Count a request; False if it is one too many."""
        now = self._wall()
        if now >= self._ends:
            self._ends, self._left = now + self._length, self._per_minute
        self._left -= 1
        return self._left >= 0

    def headers(self) -> dict[str, str]:
        """What every answer carries."""
        return {
            "X-RateLimit-Limit": str(self._per_minute),
            "X-RateLimit-Remaining": str(max(self._left, 0)),
            "X-RateLimit-Reset": str(math.ceil(self._ends)),
        }
