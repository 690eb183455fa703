"""A run that is asked to end: Ctrl-C, SIGTERM or SIGHUP, noticed at the next bar instead of in the middle of one."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

from config.process.signal_wait import SignalWait

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class RunInterrupted(Exception):
    """The run ends here, because it was asked to."""


class Interruption:
    """Whether a signal has asked the run to end, and which."""

    def __init__(self) -> None:
        self._wait = SignalWait()
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
            self._wait.end()

    def wait(self, seconds: float) -> bool:
        """Wait so long for a signal; whether one has come."""
        return self._wait.wait(seconds)

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
