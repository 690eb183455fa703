"""When the monitor looks at the venue next: how long it waits for news, and how far ahead of its pace news may get."""

from __future__ import annotations

from collections.abc import Callable, Collection

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
UNCOVERED_LONG, UNCOVERED_LONG_S = 10.0, 4.0
"""Once shares have been uncovered for the first, and nothing was told of them in that time, looks without news come
once in the second: nothing new is likely to come, and what is to be sent for them needs requests too."""


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
        self._since: dict[str, float] = {}
        """Since when shares of a symbol have been uncovered, or when something was told of it."""
        self._uncovered = False

    def pause_s(self, now: float, *, busy: bool, uncovered: Collection[str]) -> float:
        """The venue's seconds for which news are waited for after a look; ``uncovered`` are symbols."""
        self._since = {symbol: self._since.get(symbol, now) for symbol in uncovered}
        self._uncovered = not all(self.waits(symbol, now) for symbol in uncovered)
        if self._uncovered:
            soon = self._paid - now < self._local(UNCOVERED_AHEAD_S)
            return UNCOVERED_S if soon else UNCOVERED_LATER_S
        if uncovered:
            return UNCOVERED_LONG_S
        return BUSY_S if busy else IDLE_S

    def waits(self, symbol: str, now: float) -> bool:
        """Whether shares of a symbol have been uncovered for so long that no quote of it hurries a look."""
        return now - self._since.get(symbol, now) >= self._local(UNCOVERED_LONG)

    def hears(self, symbol: str) -> None:
        """Something was told of a symbol's orders: what comes of it is looked for soon again."""
        self._since.pop(symbol, None)

    def delay_s(self, now: float) -> float:
        """Local seconds from news, or the end of the pause, to the look: several news may come together."""
        most = UNCOVERED_MOST_AHEAD_S if self._uncovered else AHEAD_S
        # No look waits for longer than the pace, whatever was looked at before it.
        ahead = min(self._paid - now - self._local(most), self._local(BUSY_S))
        return max(ahead, min(self._local(LEAST_S), LEAST_S))

    def looks(self, now: float) -> None:
        """A look begins."""
        self._paid = max(self._paid, now) + self._local(BUSY_S)
