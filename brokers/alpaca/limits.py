"""How often the venue may be asked."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from enum import IntEnum

WINDOW_S = 60.0
NAP_S = 0.1
"""Longest time that a request waits without asking whether it is still wanted."""
AGAIN_S = 60.0
"""Seconds until it is told again that there is no room."""

log = logging.getLogger(__name__)


class Need(IntEnum):
    """What a request is for: each kind leaves a reserve to those below it here."""

    PRICES = 2
    LISTINGS = 1
    ORDERS = 0


class SlidingWindowLimiter:
    """Lets at most ``limit`` requests through in any minute.

    A bucket that refills steadily lets twice its size through in the first minute; this one counts what was
    sent in the last sixty seconds.

    Parameters
    ----------
    limit : int, default=200
    reserve : int, default=30
        Kept for what protects, leaves or cancels, and as much again for entries and listings, so that reading prices
        never keeps the state of the account waiting, and nothing a stop.
    clock, sleep : callable, optional
        Seconds that only grow, and waiting for some of them.
    window_s : float, default=60
        A minute of the venue in seconds of ``clock``; shorter where a rehearsal runs faster.
    """

    def __init__(
        self,
        limit: int = 200,
        reserve: int = 30,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        window_s: float = WINDOW_S,
    ) -> None:
        self.limit = limit
        self.reserve = reserve
        self.window_s = window_s
        self._clock = clock
        self._sleep = sleep
        self._sent: deque[float] = deque()
        self._closed_until = -math.inf
        self._drops = 0
        self._told = -math.inf
        self._mutex = threading.Lock()

    def take(self, need: Need, max_wait_s: float) -> bool:
        """Wait for a place and take it; False if there is none within ``max_wait_s``, or it is dropped meanwhile."""
        deadline, drops = self._clock() + max_wait_s, self._drops
        while (wait := self._try(need)) > 0:
            if self._clock() + wait > deadline:
                self._tell(f"{self.why_none(need)}; what has no room waits")
                return False
            while wait > 0 and self._drops == drops:
                self._sleep(min(wait, NAP_S))
                wait -= NAP_S
            if self._drops != drops:
                return False
        return True

    def room(self, need: Need, places: int) -> bool:
        """Whether so many requests could go now; takes no place."""
        with self._mutex:
            now = self._clock()
            self._forget(now)
            return now >= self._closed_until and len(self._sent) + places <= self.limit - need * self.reserve

    def told(self, limit: int, remaining: int, resets_in_s: float) -> None:
        """What the venue has counted: requests that this bucket knows nothing of count until the venue begins anew.

        They are those of an earlier process, or of another program with the same keys.
        """
        with self._mutex:
            now = self._clock()
            self._forget(now)
            others = limit - remaining - len(self._sent)
            if others > 0:
                at = now + min(max(resets_in_s, 0.0), self.window_s) - self.window_s
                self._sent = deque(sorted([*self._sent, *[at] * others]))

    @property
    def spent(self) -> str:
        """How much of the limit is used, in words."""
        with self._mutex:
            self._forget(self._clock())
            return self._spent_in_words()

    def why_none(self, need: Need) -> str:
        """Why a request found no place just now, in words."""
        with self._mutex:
            now = self._clock()
            self._forget(now)
            if now < self._closed_until:
                return f"429, too many requests: the venue takes none for {math.ceil(self._closed_until - now)} s more"
            kept = need * self.reserve
            if len(self._sent) >= self.limit:
                # In seconds of the venue, whose minute may be a shorter one here.
                wait_s = max(math.ceil(self._wait(need, now) * WINDOW_S / self.window_s), 1)
                return f"own rate limit: all {self.limit} requests of a minute are spent, this one can go in {wait_s} s"
            if len(self._sent) < self.limit - kept:
                return "the request found no room in the time it had"
            others = f", {kept} are kept for what matters more" if kept else ""
            return f"own rate limit: {self._spent_in_words()}{others}"

    def drop_waiting(self) -> None:
        """Send no request that waits now."""
        self._drops += 1

    def turned_away(self, seconds: float) -> None:
        """The venue said that it was too much: nothing goes for so long."""
        with self._mutex:
            self._closed_until = max(self._closed_until, self._clock() + seconds)
        self._tell(f"429, too many requests: nothing is asked or sent for {math.ceil(seconds)} s")

    def _tell(self, text: str) -> None:
        """Say that there is no room, once for all requests that find none."""
        with self._mutex:
            now = self._clock()
            if now - self._told < AGAIN_S:
                return
            self._told = now
        log.warning("%s", text)

    def _spent_in_words(self) -> str:
        return f"{len(self._sent)} of {self.limit} requests of a minute are spent"

    def _try(self, need: Need) -> float:
        """Take a place; otherwise the seconds until one may be free."""
        with self._mutex:
            now = self._clock()
            self._forget(now)
            if now < self._closed_until:
                return self._closed_until - now
            most = self.limit - need * self.reserve
            if len(self._sent) < most:
                self._sent.append(now)
                return 0.0
            return self._wait(need, now)

    def _wait(self, need: Need, now: float) -> float:
        """Seconds until a place may be free, as there is none."""
        most = self.limit - need * self.reserve
        return max(self._sent[len(self._sent) - most] + self.window_s - now, 0.001)

    def _forget(self, now: float) -> None:
        while self._sent and now - self._sent[0] > self.window_s:
            self._sent.popleft()
