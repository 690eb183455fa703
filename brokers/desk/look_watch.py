"""Whether the venue is looked at as it should be, and why not: for whoever tells of it, without a lock."""

from __future__ import annotations

import time
from collections.abc import Callable

from brokers.venue_errors import KeysRefused, VenueError

OVERDUE_PAUSES, OVERDUE_S = 2, 20.0
"""So many of the longest pauses between two looks and local seconds more without one are told without an error, too."""


class LookWatch:
    """Keeps when the venue was looked at last, and the error of the looks since then.

    Parameters
    ----------
    pause_s : callable
        Local seconds of the longest pause between two looks while all is well.
    monotonic : callable, optional
        Local seconds.
    """

    def __init__(self, pause_s: Callable[[], float], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._pause_s, self._monotonic = pause_s, monotonic
        self._seen_at: float | None = None
        self._failed = ""

    def looked(self) -> None:
        """The venue showed how things stand."""
        self._seen_at, self._failed = self._monotonic(), ""

    def failed(self, error: VenueError) -> None:
        """A look had no answer that shows it."""
        self._failed = in_words(error)

    @property
    def why(self) -> str:
        """Why what is known of the venue is old, in words; empty while the looks succeed and before the first one."""
        if self._failed or self._seen_at is None:
            return self._failed
        since = self._monotonic() - self._seen_at
        overdue = since > OVERDUE_PAUSES * self._pause_s() + OVERDUE_S
        return "no look was possible, for want of requests or because another step holds the desk" if overdue else ""


def in_words(error: VenueError) -> str:
    """Why a look failed, with the way out where a person has to find it."""
    if isinstance(error, KeysRefused):
        return f"the keys are refused ({error}); set the new pair and start the trader again"
    return str(error)
