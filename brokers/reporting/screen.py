"""The screen of a running trader: what happened in the venue's time, and no more than its owner wants to read."""

from __future__ import annotations

import logging
import math
import sys
from collections.abc import Callable
from datetime import datetime

from rich.console import Console
from rich.text import Text

from brokers.reporting.events import EventKind, event_of
from config.values.markets import NEW_YORK_ZONE
from config.values.masker import Masker
from config.values.printable import printable

QUIET_KINDS = frozenset({EventKind.READING, EventKind.UNPROTECTED})
"""Events that are in the log file only, unless they are warnings."""
STYLES = {logging.WARNING: "yellow", logging.ERROR: "bold red", logging.CRITICAL: "bold red"}
_DIM = frozenset({EventKind.HEARTBEAT, EventKind.REFUSAL, EventKind.RISK})


class Screen(logging.Handler):
    """Prints warnings and events; with ``everything`` all lines and tracebacks.

    Parameters
    ----------
    console : Console
    masker : Masker
    now : callable
        The venue's time, None before it is known.
    everything : bool
    same_within_s : float
        So long a warning that says the same again is only counted; the log file has each.
    """

    def __init__(
        self,
        console: Console,
        masker: Masker,
        now: Callable[[], datetime | None],
        *,
        everything: bool,
        same_within_s: float,
    ) -> None:
        super().__init__()
        self._same_within_s = same_within_s
        self._console, self._masker, self._now, self._everything = console, masker, now, everything
        self._same: dict[tuple[str, int, str], tuple[float, int]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        try:
            if self._wanted(record):
                self._print(record)
        except Exception:
            # A terminal that is closed costs the line, not the trader; the log file has it.
            return

    def _wanted(self, record: logging.LogRecord) -> bool:
        event = event_of(record)
        told = event is not None and event.kind not in QUIET_KINDS
        return self._everything or told or (record.levelno >= logging.WARNING and self._news(record))

    def _news(self, record: logging.LogRecord) -> bool:
        """Whether a warning has not been shown lately; how often it was left out stands in the next one."""
        key = record.name, record.lineno, record.getMessage()
        shown, left_out = self._same.get(key, (-math.inf, 0))
        if record.created - shown < self._same_within_s:
            self._same[key] = shown, left_out + 1
            return False
        recent = {k: told for k, told in self._same.items() if record.created - told[0] < self._same_within_s}
        self._same = recent | {key: (record.created, 0)}
        if left_out:
            record.left_out = left_out
        return True

    def _print(self, record: logging.LogRecord) -> None:
        event = event_of(record)
        venue = getattr(record, "venue_time", None) or self._now()
        moment = (venue or datetime.fromtimestamp(record.created, NEW_YORK_ZONE)).astimezone(NEW_YORK_ZONE)
        text = self._masker.line(record.getMessage())
        if left_out := getattr(record, "left_out", 0):
            text = f"{text} (and {left_out} times since it was shown)"
        if self._everything and record.exc_info:
            error = self._masker(logging.Formatter().formatException(record.exc_info))
            text = f"{text}\n{printable(error)}"
        if not self._console.is_terminal:
            self._console.file.write(f"{moment:%Y-%m-%dT%H:%M:%S%z} {record.levelname} {text}\n")
            self._console.file.flush()
            return
        word = "" if record.levelno < logging.WARNING else f"{record.levelname} "
        style = STYLES.get(record.levelno, "dim" if event is not None and event.kind in _DIM else "")
        line = Text(f"{moment:%H:%M:%S} ", style="dim") + Text(f"{word}{text}", style=style)
        self._console.print(line, soft_wrap=True, highlight=False)
        if self._console.file not in (sys.stdout, sys.stderr):
            self._console.file.flush()
