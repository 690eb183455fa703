"""A run that is asked to end: Ctrl-C, SIGTERM or SIGHUP, noticed at the next bar instead of in the middle of one."""

from __future__ import annotations

import contextlib
import queue
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class RunInterrupted(Exception):
    """The run ends here, because it was asked to."""


class Interruption:
    """Whether a signal has asked the run to end, and which."""

    def __init__(self) -> None:
        # Not an event: a signal handler that sets one while its own thread is about to wait for it waits for ever.
        self._heard = queue.SimpleQueue[None]()
        self._ignored: frozenset[int] = frozenset()
        self.name = ""
        """Of the signal; empty while none came."""

    @property
    def asked(self) -> bool:
        return bool(self.name)

    def ask(self, number: int, frame: Any = None) -> None:
        """Note a signal; the first one counts, and none that was ignored when the run began."""
        if not self.asked and number not in self._ignored:
            self.name = signal.Signals(number).name
            self._heard.put(None)

    def wait(self, seconds: float) -> bool:
        """Wait so long for a signal; whether one has come."""
        if not self.asked:
            with contextlib.suppress(queue.Empty):
                self._heard.get(timeout=seconds)
        return self.asked

    def check(self) -> None:
        """Raise RunInterrupted if the run is to end."""
        if self.asked:
            raise RunInterrupted(self.name)

    @contextlib.contextmanager
    def listening(self, handler: Callable[[int, Any], None] | None = None) -> Iterator[None]:
        """Handle the signals inside, by ``handler`` if given; one that is ignored (``nohup``) stays so.

        Only the main thread can handle signals; in another one this does nothing.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.getsignal(number) for number in ENDING}
        self._ignored = frozenset(number for number, former in before.items() if former is signal.SIG_IGN)
        for number in before.keys() - self._ignored:
            signal.signal(number, handler or self.ask)
        try:
            yield
        finally:
            # All of them, as Lumibot handles SIGINT by itself, whatever it was.
            for number, former in before.items():
                signal.signal(number, former)
