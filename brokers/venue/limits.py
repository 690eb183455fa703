"""How often the venue may be asked, and when to stop asking."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable

WINDOW_S = 60.0

log = logging.getLogger(__name__)


class TokenBucket:
    """Lets at most ``limit`` requests through in any minute.

    A bucket that refills steadily lets twice its size through in the first minute; this one counts what was
    sent in the last sixty seconds.

    Parameters
    ----------
    limit : int, default=200
    reserve : int, default=20
        Kept for essential requests, so that reading prices never keeps an order waiting.
    clock, sleep : callable, optional
        Seconds that only grow, and waiting for some of them.
    """

    def __init__(
        self,
        limit: int = 200,
        reserve: int = 20,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.limit = limit
        self.reserve = reserve
        self._clock = clock
        self._sleep = sleep
        self._sent: deque[float] = deque()
        self._closed_until = 0.0
        self._mutex = threading.Lock()

    def take(self, essential: bool, max_wait_s: float) -> bool:
        """Wait for a place and take it; False if there is none within ``max_wait_s``."""
        deadline = self._clock() + max_wait_s
        while (wait := self._try(essential)) > 0:
            if self._clock() + wait > deadline:
                return False
            self._sleep(wait)
        return True

    def turned_away(self, seconds: float) -> None:
        """The venue said that it was too much: nothing goes for so long."""
        with self._mutex:
            self._closed_until = max(self._closed_until, self._clock() + seconds)

    def _try(self, essential: bool) -> float:
        """Take a place; otherwise the seconds until one may be free."""
        with self._mutex:
            now = self._clock()
            while self._sent and now - self._sent[0] >= WINDOW_S:
                self._sent.popleft()
            if now < self._closed_until:
                return self._closed_until - now
            most = self.limit if essential else self.limit - self.reserve
            if len(self._sent) < most:
                self._sent.append(now)
                return 0.0
            return max(self._sent[len(self._sent) - most] + WINDOW_S - now, 0.001)


class CircuitBreaker:
    """Opens after failures in a row; while it is open nothing is sent, but for one trial per cool-down.

    Parameters
    ----------
    failures : int, default=3
    cool_down_s : float, default=10
    clock : callable, optional
    """

    def __init__(
        self, failures: int = 3, cool_down_s: float = 10.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.most = failures
        self.cool_down_s = cool_down_s
        self._clock = clock
        self._failed = 0
        self._opened: float | None = None
        self._mutex = threading.Lock()

    @property
    def open(self) -> bool:
        """Whether the venue counts as gone."""
        return self._opened is not None

    def permits(self) -> bool:
        """Whether a request may be sent now; one that may while open is the trial."""
        with self._mutex:
            if self._opened is None:
                return True
            now = self._clock()
            if now - self._opened < self.cool_down_s:
                return False
            self._opened = now
            return True

    def failed(self) -> None:
        """A request had no proper answer."""
        with self._mutex:
            self._failed += 1
            if self._failed >= self.most:
                if self._opened is None:
                    log.error("circuit breaker open: %d requests in a row had no answer", self._failed)
                self._opened = self._clock()

    def answered(self) -> None:
        """The venue answered, whatever it said."""
        with self._mutex:
            if self._opened is not None:
                log.warning("circuit breaker closed: the venue answers again")
            self._failed, self._opened = 0, None
