"""Says that shares are without a stop, or that nobody can look, while whoever should say it waits.

The thread needs no lock of the desk and nothing of the journal: it reads how long the desk's lock has been held and
what was without a stop when that was last known.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping

from brokers.reporting.events import EventKind, about
from brokers.reporting.standing_conditions import Standing, StandingConditions

POLL_S = 0.5
HELD_S = 6.0
"""Local seconds that one step may hold the desk while shares are without a stop before that is logged."""
HELD_AT_REST_S = 20.0
"""The same while every share has its stop: longer than an iteration may ask the venue."""
AGAIN_S = 15.0
"""Local seconds until the same is logged again."""

log = logging.getLogger(__name__)


class WatchedLock:
    """A lock that its holder may take again, and of which anybody can tell how long it has been held."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._depth = 0
        self._since: float | None = None

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """As of ``threading.RLock``."""
        if not self._lock.acquire(blocking, timeout):
            return False
        self._depth += 1
        if self._depth == 1:
            self._since = time.monotonic()
        return True

    def release(self) -> None:
        self._depth -= 1
        if not self._depth:
            self._since = None
        self._lock.release()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()

    @property
    def held_s(self) -> float:
        """Local seconds for which it has been held without a pause; 0 if it is free."""
        since = self._since
        return 0.0 if since is None else time.monotonic() - since


class UnprotectedAlarm:
    """Tells loudly of a desk that is held up.

    Parameters
    ----------
    lock : WatchedLock
        The desk's.
    unprotected : callable
        Symbols with shares that no stop covered when that was last known, and why; must need no lock.
    conditions : StandingConditions, optional
        What else is checked as often.
    """

    def __init__(
        self,
        lock: WatchedLock,
        unprotected: Callable[[], Mapping[str, str]],
        conditions: StandingConditions | None = None,
    ) -> None:
        self._conditions = conditions
        self._lock = lock
        self._unprotected = unprotected
        self._told = -AGAIN_S
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="unprotected-alarm", daemon=True)

    def standing(self) -> tuple[Standing, ...]:
        """The conditions that were told and have not ended."""
        return () if self._conditions is None else self._conditions.standing()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread; it is not waited for."""
        self._stop.set()

    def _run(self) -> None:
        failed = False
        while not self._stop.wait(POLL_S):
            try:
                self.check()
                failed = False
            except Exception:
                # An alarm that ends with its first surprise tells nothing; said once, as it tries again in a moment.
                if not failed:
                    log.exception("whether the desk is held up is not known")
                failed = True
            if self._conditions is not None:
                self._conditions.check()

    def check(self) -> None:
        """Log what has to be known now."""
        held, unprotected = self._lock.held_s, self._unprotected()
        if held < (HELD_S if unprotected else HELD_AT_REST_S) or time.monotonic() - self._told < AGAIN_S:
            return
        self._told = time.monotonic()
        what = "; ".join(f"{symbol} has {why}" for symbol, why in sorted(unprotected.items()))
        log.error(
            "one step has taken %.0f s and nothing is looked after: the journal or the venue does not answer; %s",
            held,
            what or "every position had its stop when it was last looked at",
            extra=about(EventKind.ERROR, held_s=held),
        )
