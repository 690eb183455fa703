"""A wait that a signal ends, also where the thread that handles the signal is the one that waits."""

from __future__ import annotations

import contextlib
import threading


class SignalWait:
    """Ended once, by a handler of signals or by another thread.

    An event would not do: a handler that sets one while its own thread is about to wait for it waits for ever. Nor
    would a queue: one whose time is up before it begins to wait, as on a busy machine, waits for ever too.
    """

    def __init__(self) -> None:
        self.ended = False
        self._lock = threading.Lock()
        self._lock.acquire()

    def end(self) -> None:
        """End the wait, for good."""
        self.ended = True
        # Who came first, also a handler that came into the middle of this, has released it.
        with contextlib.suppress(RuntimeError):
            self._lock.release()

    def wait(self, seconds: float) -> bool:
        """Wait so long for the end; whether it has come."""
        if not self.ended:
            self._lock.acquire(timeout=seconds)
        return self.ended
