"""When Python looks for reference cycles among the values of a process."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

COLLECT_AFTER = (50_000, 20, 20)
"""New objects after which Python looks for reference cycles, some MB at most. Its own 700 cost a tenth of a run."""


def collect_rarely() -> None:
    """Let Python look for reference cycles as seldom as our command line can afford."""
    gc.set_threshold(*COLLECT_AFTER)


@contextmanager
def loading() -> Iterator[None]:
    """Import modules without looking for reference cycles among what they make.

    All of it stays as long as the process, so it is not looked through later either, nor is what is alive by then.
    """
    before, collects = len(sys.modules), gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if len(sys.modules) > before:
            gc.freeze()
        if collects:
            gc.enable()
