"""Requests a minute, limited and counted as the venue does it: by key, whichever client holds the key."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

MINUTE_S = 60.0


class Limit(Protocol):
    """How often a key may ask."""

    def take(self) -> bool:
        """Count a request; False if it is one too many."""

    def headers(self) -> dict[str, str]:
        """What every answer carries."""


class Unlimited:
    """For a face that counts by itself, by what is asked."""

    def take(self) -> bool:
        """Never one too many."""
        return True

    def headers(self) -> dict[str, str]:
        """None."""
        return {}


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


@dataclass(slots=True)
class RequestCount:
    """What one key has asked for.

    Parameters
    ----------
    minute_s : float
        Local seconds of a minute of the venue.
    wall : callable
        Seconds since 1970.
    """

    minute_s: float = MINUTE_S
    wall: Callable[[], float] = time.time
    total: int = 0
    refused: int = 0
    most_in_a_minute: int = 0
    _recent: deque[float] = field(default_factory=deque)

    def add(self, within: bool) -> None:
        """Count a request, and whether the rate limit let it through."""
        now = self.wall()
        self.total += 1
        self.refused += not within
        self._recent.append(now)
        self.most_in_a_minute = max(self.most_in_a_minute, self._in_the_minute(now))

    @property
    def last_minute(self) -> int:
        """Requests of the minute that ends now, wherever the rate limit's minute began."""
        return self._in_the_minute(self.wall())

    def _in_the_minute(self, now: float) -> int:
        while self._recent and self._recent[0] <= now - self.minute_s:
            self._recent.popleft()
        return len(self._recent)
