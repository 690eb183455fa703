"""Mishaps between client and venue, set while the server runs."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import Enum
from random import Random
from threading import Lock

from brokers.rehearsal.core.faults import FaultPlan


class Mishap(Enum):
    """What can happen to a request."""

    TOO_MANY = "429, not processed"
    SERVER_ERROR = "500, not processed"
    TIMEOUT_AFTER = "504 although it was processed"
    HANG_BEFORE = "processed and answered late; never answered nor processed without a time"
    HANG_AFTER = "processed, answered late or never"
    DROP_BEFORE = "the connection breaks, not processed"
    DROP_AFTER = "the connection breaks although it was processed"
    PROCESSED_LATE = "504 at once, processed many seconds later"


@dataclass(frozen=True, slots=True)
class Fault:
    """A mishap that strikes requests whose method and path match.

    Parameters
    ----------
    mishap : Mishap
    method, path : str
        Regular expressions; the method has to match whole, the path anywhere.
    skip : int
        Matching requests that pass first.
    times : int, optional
        Matching requests struck after that; None for all.
    frac : float
        Probability that one of them is struck.
    seconds : float, optional
        Local seconds that a hang lasts, None for ever. Of a request that is processed late the venue's seconds
        until then; None draws them from ``late_s``.
    text : str
        What the venue says in place of its usual words, where the mishap is an answer: processed or not, the client
        is told this.
    late_s : tuple of float
        Shortest and longest time until a late request is processed, seconds of the venue.
    """

    mishap: Mishap
    method: str = ".*"
    path: str = ""
    skip: int = 0
    times: int | None = 1
    frac: float = 1.0
    seconds: float | None = None
    text: str = ""
    late_s: tuple[float, float] = (5.0, 20.0)


@dataclass(frozen=True, slots=True)
class StreamFaults:
    """What becomes of trade updates on their way.

    Parameters
    ----------
    swallow_frac, duplicate_frac, delay_frac : float
        Probability of each mishap per update; updates that aren't delayed overtake those that are.
    delay_s : float
        Local seconds of a delay.
    swallow_next : int
        The next so many updates are lost.
    """

    swallow_frac: float = 0.0
    duplicate_frac: float = 0.0
    delay_frac: float = 0.0
    delay_s: float = 0.5
    swallow_next: int = 0


class NetworkFaults:
    """The mishaps in force; safe to use from any thread.

    Parameters
    ----------
    seed : int
        All chances are drawn from it.
    venue : FaultPlan
        The mishaps inside the venue, to be changed by assignment.
    """

    def __init__(self, seed: int, venue: FaultPlan) -> None:
        self.venue = venue
        self.clock_skew_s = 0.0
        self._random = Random(seed)
        # Of their own, so that lateness shifts no other chance.
        self._lateness = Random(f"late requests {seed}")
        self._lock = Lock()
        self._faults: list[Fault] = []
        self._stream = StreamFaults()

    def add(self, fault: Fault) -> None:
        """Put a fault in force; of several that match a request, the oldest strikes."""
        with self._lock:
            self._faults.append(fault)

    def strike(
        self,
        mishap: Mishap,
        method: str = ".*",
        path: str = "",
        nth: int = 1,
        seconds: float | None = None,
        text: str = "",
    ) -> None:
        """Strike the ``nth`` request from now that matches, once."""
        self.add(Fault(mishap, method, path, skip=nth - 1, seconds=seconds, text=text))

    def chance(
        self,
        mishap: Mishap,
        frac: float,
        method: str = ".*",
        path: str = "",
        seconds: float | None = None,
        text: str = "",
    ) -> None:
        """Strike each request that matches with a probability, until :meth:`clear`."""
        self.add(Fault(mishap, method, path, times=None, frac=frac, seconds=seconds, text=text))

    def stream(self, faults: StreamFaults) -> None:
        """Put the stream's mishaps in force, in place of those before."""
        with self._lock:
            self._stream = faults

    def clear(self) -> None:
        """End all mishaps of requests, stream and clock; those inside the venue stay."""
        with self._lock:
            self._faults.clear()
            self._stream = StreamFaults()
            self.clock_skew_s = 0.0

    def take(self, method: str, path: str) -> Fault | None:
        """What happens to a request that has come in; counts it."""
        with self._lock:
            struck: Fault | None = None
            left = list[Fault]()
            for fault in self._faults:
                matches = re.fullmatch(fault.method, method) is not None and re.search(fault.path, path) is not None
                if matches and fault.skip:
                    left.append(replace(fault, skip=fault.skip - 1))
                elif not matches or struck is not None or self._random.random() >= fault.frac:
                    left.append(fault)
                else:
                    struck = self._timed(fault)
                    if fault.times is None or fault.times > 1:
                        left.append(replace(fault, times=None if fault.times is None else fault.times - 1))
            self._faults = left
            return struck

    def _timed(self, fault: Fault) -> Fault:
        if fault.mishap is not Mishap.PROCESSED_LATE or fault.seconds is not None:
            return fault
        return replace(fault, seconds=self._lateness.uniform(*fault.late_s))

    def delays(self) -> list[float]:
        """Local seconds after which a trade update goes out, once for each copy; empty where it is lost."""
        with self._lock:
            faults = self._stream
            if faults.swallow_next:
                self._stream = replace(faults, swallow_next=faults.swallow_next - 1)
                return []
            if self._random.random() < faults.swallow_frac:
                return []
            copies = 2 if self._random.random() < faults.duplicate_frac else 1
            return [faults.delay_s if self._random.random() < faults.delay_frac else 0.0 for _ in range(copies)]
