"""How long all requests of one step may take together."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from brokers.venue_errors import NotSent

LEAST_S = 0.2
"""Less time than this is not worth a request."""

_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


@contextmanager
def time_budget(seconds: float) -> Iterator[None]:
    """Bound the time of all requests made inside, by this thread; an outer budget stays in force."""
    outer = _deadline.get()
    mine = time.monotonic() + seconds
    token = _deadline.set(mine if outer is None else min(mine, outer))
    try:
        yield
    finally:
        _deadline.reset(token)


@contextmanager
def uncounted() -> Iterator[None]:
    """Time spent inside, as on waiting for something, uses nothing of the innermost budget up."""
    began = time.monotonic()
    try:
        yield
    finally:
        deadline = _deadline.get()
        if deadline is not None:
            _deadline.set(deadline + time.monotonic() - began)


def time_left() -> float:
    """Seconds until the budget is used up; infinite without one."""
    deadline = _deadline.get()
    return math.inf if deadline is None else deadline - time.monotonic()


def seconds_left(most: float) -> float:
    """Seconds that a request may take, at most ``most``; NotSent where too few are left."""
    deadline = _deadline.get()
    left = most if deadline is None else min(most, deadline - time.monotonic())
    if left < LEAST_S:
        raise NotSent("the time for this step is used up")
    return left
