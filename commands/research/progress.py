"""How far a long command is: a bar on a terminal, a line a minute where standard error is kept in a file."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any, TextIO

from config.values.counting import counted

EVERY_S = 60.0
FIRST_S = 10.0
"""Seconds of work before the first estimate: the first results are slower, as features are computed for them. Where
fewer are left than that, none is told: the result is there soon enough.
"""


def progress(total: int | None, unit: str, quiet: bool, at_once: int = 1) -> Any:
    """What is told of each that ended, on standard error: a bar on a terminal, lines elsewhere, nothing if quiet.

    Parameters
    ----------
    total : int or None
        How many there will be, as far as that is known.
    unit : str
        What they are called, one of them.
    quiet : bool
    at_once : int, default=1
        How many run at the same time: only after so many is the pace known.
    """
    from tqdm import tqdm

    if quiet or sys.stderr.isatty():
        return tqdm(total=total, unit=unit, disable=quiet, leave=False)
    return ProgressLines(total, unit, at_once)


class ProgressLines:
    """An estimate as soon as the pace is known, and then a line a minute.

    Parameters
    ----------
    total, unit, at_once
        See ``progress``.
    stream : text stream, optional
        Default: standard error.
    clock : callable
        Seconds.
    """

    def __init__(
        self,
        total: int | None,
        unit: str,
        at_once: int = 1,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._total, self._unit, self._at_once = total, unit, at_once
        self._stream, self._clock = stream or sys.stderr, clock
        self._before = self._done = 0
        self._begun = self._told = clock()
        self._estimated = False

    def __enter__(self) -> ProgressLines:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is left open."""

    def update(self, number: int = 1) -> None:
        """So many more have ended; several together are those of an earlier start, which say nothing of the pace."""
        if number > 1:
            self._before += number
            return
        self._done += number
        now = self._clock()
        if now - self._told >= EVERY_S:
            self._tell(now)
        elif not self._estimated and self._done >= self._at_once and now - self._begun >= FIRST_S:
            self._estimated = True
            if (self._left_s(now) or 0.0) >= FIRST_S:
                self._tell(now)

    def _left_s(self, now: float) -> float | None:
        if not self._total or not self._done:
            return None
        return (now - self._begun) / self._done * max(0, self._total - self._before - self._done)

    def _tell(self, now: float) -> None:
        ended, left = self._before + self._done, self._left_s(now)
        of = counted(ended, self._unit) if not self._total else f"{ended:,d} of {counted(self._total, self._unit)}"
        rest = "" if left is None else f", about {_span(left)} left"
        print(f"{of} ended after {_span(now - self._begun)}{rest}", file=self._stream, flush=True)
        self._told = now


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"
