"""Tells why something does not succeed once, however often it is tried again for the same reason."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable

from brokers.venue_errors import VenueError, level_of

AGAIN_S = 60.0
"""Local seconds in which a reason that alternates with others is told once."""
NUMBERS = re.compile(r"\d+")


class RepeatedReasons:
    """How loudly the reason of a failure is logged: as usual where it is another one than before, else for debugging.

    Numbers in it make it no other reason. Each thing that is tried has a ``key`` of its own.

    Parameters
    ----------
    monotonic : callable, optional
        Local seconds.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._last: dict[str, str] = {}
        self._told: dict[str, dict[str, float]] = {}

    def level(self, error: Exception, key: str = "", usual: int | None = None) -> int:
        """The level for ``error``, nothing having succeeded since the one before; ``usual`` is that of news."""
        if usual is None:
            usual = level_of(error) if isinstance(error, VenueError) else logging.WARNING
        if usual <= logging.DEBUG:
            return usual
        reason, now = NUMBERS.sub("", str(error)), self._monotonic()
        last, told = self._last.get(key), self._told.setdefault(key, {})
        self._last[key] = reason
        if reason == last or now - told.get(reason, -AGAIN_S) < AGAIN_S:
            return logging.DEBUG
        told[reason] = now
        return usual

    def over(self, key: str = "") -> None:
        """It has succeeded: the next failure is told whatever its reason is."""
        self._last.pop(key, None)
        self._told.pop(key, None)
