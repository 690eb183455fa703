"""When to stop asking a host that does not answer."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from enum import StrEnum

FIRST_S = 1.0
"""Local seconds until the first trial."""

log = logging.getLogger(__name__)


class BreakerState(StrEnum):
    """What a circuit breaker does with requests; ``TRIAL``: one is under way, the others are held back."""

    CLOSED = "closed"
    OPEN = "open"
    TRIAL = "trial"


class CircuitBreaker:
    """Opens after failures in a row; while it is open nothing is sent but what is urgent, and one trial per pause.

    The first trial comes soon, as a few answers that failed in a row may be all there was; each that fails doubles the
    pause. ``listeners`` hear of every change as (state before, state now), outside its lock.

    Parameters
    ----------
    name : str, default="trading"
        Of the host that it stands for.
    most : int, default=3
        Failures in a row that open it.
    cool_down_s : float, default=10
        The longest pause, and how long a trial without an outcome holds the others back.
    first_s : float, default=1
        The pause until the first trial, local seconds as all of them.
    clock : callable, optional
    """

    def __init__(
        self,
        name: str = "trading",
        most: int = 3,
        cool_down_s: float = 10.0,
        first_s: float = FIRST_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.most = most
        self.cool_down_s = cool_down_s
        self.first_s = first_s
        self.listeners: list[Callable[[BreakerState, BreakerState], None]] = [self._tell_the_log]
        self._clock = clock
        self._failures = 0
        self._state = BreakerState.CLOSED
        self._since = self._pause_s = 0.0
        self._mutex = threading.Lock()

    @property
    def state(self) -> BreakerState:
        """Closed, open, or open with a trial under way."""
        return self._state

    @property
    def open(self) -> bool:
        """Whether the venue counts as gone; a trial under way does not change that."""
        return self._state is not BreakerState.CLOSED

    @property
    def failures(self) -> int:
        """Requests in a row that had no proper answer."""
        return self._failures

    @property
    def ready(self) -> bool:
        """Whether ``permits`` would say yes now; takes nothing."""
        with self._mutex:
            return self._ready()

    def permits(self) -> bool:
        """Whether a request may be sent now; one that may while open is the trial."""
        with self._mutex:
            if not self._ready():
                return False
            if self._state is BreakerState.CLOSED:
                return True
            self._since = self._clock()
            before, self._state = self._state, BreakerState.TRIAL
        self._changed(before, BreakerState.TRIAL)
        return True

    def failed(self) -> None:
        """A request had no proper answer."""
        with self._mutex:
            self._failures += 1
            before = self._state
            # Urgent requests that fail while it is open must not put off the next trial.
            if self._failures >= self.most and before is not BreakerState.OPEN:
                self._pause_s = 2 * self._pause_s if before is BreakerState.TRIAL else self.first_s
                self._state, self._since = BreakerState.OPEN, self._clock()
            now = self._state
        self._changed(before, now)

    def answered(self) -> None:
        """The venue answered, whatever it said."""
        with self._mutex:
            before, self._state, self._failures = self._state, BreakerState.CLOSED, 0
        self._changed(before, BreakerState.CLOSED)

    def _ready(self) -> bool:
        if self._state is BreakerState.CLOSED:
            return True
        pause = min(self._pause_s, self.cool_down_s) if self._state is BreakerState.OPEN else self.cool_down_s
        return self._clock() - self._since >= pause

    def _changed(self, before: BreakerState, now: BreakerState) -> None:
        if before is not now:
            for listener in tuple(self.listeners):
                listener(before, now)

    def _tell_the_log(self, before: BreakerState, now: BreakerState) -> None:
        if now is BreakerState.CLOSED:
            log.warning("circuit breaker closed (%s): the venue answers again", self.name)
        elif before is BreakerState.CLOSED:
            log.error("circuit breaker open (%s): too many requests in a row had no answer", self.name)
