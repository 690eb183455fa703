"""When the monitor looks at the venue next: how long it waits for news, and how far ahead of its pace news may get."""

from __future__ import annotations

from collections.abc import Callable

BUSY_S, IDLE_S, LEAST_S = 2.0, 15.0, 0.1
"""Seconds of the venue between two looks: while something is under way, at rest, and after news."""
UNCOVERED_S = 0.25
"""While shares have neither stop nor sale at the venue: those that a cancel has freed come back without any news."""

AHEAD_S = 12.0
"""So far ahead of one look in ``BUSY_S`` news may get, then they wait. A look is three requests or more: so many
take half of what the venue allows in a minute, and leave the rest to what is to be sent."""
UNCOVERED_AHEAD_S, UNCOVERED_LATER_S = 6.0, 1.0
"""The same for looks without news while shares are uncovered, so that some are left for those with news; further ahead
they come once in the latter time."""
UNCOVERED_MOST_AHEAD_S = 18.0
"""So far ahead may looks get while shares are uncovered, so that they come soon in a minute of much news too. They take
three fifths of what the venue allows then."""


class LookPace:
    """Keeps to one look in ``BUSY_S`` in the long run, with some sooner where they matter.

    Parameters
    ----------
    local : callable
        Local seconds of so many of the venue's.
    now : float
        Local monotonic seconds.
    """

    def __init__(self, local: Callable[[float], float], now: float) -> None:
        self._local = local
        self._paid = now
        """Up to when the looks so far would last, one in ``BUSY_S``."""
        self._uncovered = False

    def pause_s(self, now: float, *, busy: bool, uncovered: bool) -> float:
        """The venue's seconds for which news are waited for after a look."""
        self._uncovered = uncovered
        if uncovered:
            soon = self._paid - now < self._local(UNCOVERED_AHEAD_S)
            return UNCOVERED_S if soon else UNCOVERED_LATER_S
        return BUSY_S if busy else IDLE_S

    def delay_s(self, now: float) -> float:
        """Local seconds from news, or the end of the pause, to the look: several news may come together."""
        most = UNCOVERED_MOST_AHEAD_S if self._uncovered else AHEAD_S
        # No look waits for longer than the pace, whatever was looked at before it.
        ahead = min(self._paid - now - self._local(most), self._local(BUSY_S))
        return max(ahead, min(self._local(LEAST_S), LEAST_S))

    def looks(self, now: float) -> None:
        """A look begins."""
        self._paid = max(self._paid, now) + self._local(BUSY_S)
