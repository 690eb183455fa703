"""Waits of the desk, and pauses between attempts that come to nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from brokers.network.clock import elapsed

__all__ = ["Backoff", "Waits", "elapsed"]

MOST_DOUBLINGS = 30
"""Of a pause: from a second on these are decades, and every pause has a bound below."""


@dataclass(slots=True)
class Backoff:
    """A pause that doubles from one failure in a row to the next.

    Parameters
    ----------
    first_s, longest_s : float
        Seconds of the venue.
    failures : int
        In a row.
    failed_at : datetime, optional
        When the last one was; None lets the next attempt go at once.
    """

    first_s: float
    longest_s: float
    failures: int = 0
    failed_at: datetime | None = None

    def failed(self, now: datetime) -> None:
        self.failures += 1
        self.failed_at = now

    def succeeded(self) -> None:
        self.failures, self.failed_at = 0, None

    def pauses(self, now: datetime, longest_s: float | None = None) -> bool:
        """Whether the pause since the last failure goes on; ``longest_s`` bounds it further."""
        if self.failed_at is None:
            return False
        longest = self.longest_s if longest_s is None else min(longest_s, self.longest_s)
        # A power of many failures is no number any more: the pause is at its longest before.
        doublings = min(self.failures - 1, MOST_DOUBLINGS)
        pause = timedelta(seconds=min(self.first_s * 2**doublings, longest))
        return not elapsed(now, self.failed_at, pause)


class Waits:
    """Waits for what is on its way, in one symbol each.

    Parameters
    ----------
    now : callable
        The time of the venue.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._since: dict[tuple[str, str], datetime] = {}

    def goes_on(self, symbol: str, what: str, there: bool, most: timedelta) -> bool:
        """Whether to wait for something: while it is ``there``, but no longer than ``most`` at a time."""
        if not there:
            self._since.pop((symbol, what), None)
            return False
        now = self._now()
        if not elapsed(now, self._since.setdefault((symbol, what), now), most):
            return True
        self._since[symbol, what] = now
        return False

    def forget(self, symbol: str) -> None:
        """There is nothing more to wait for in this symbol."""
        self._since = {key: since for key, since in self._since.items() if key[0] != symbol}
