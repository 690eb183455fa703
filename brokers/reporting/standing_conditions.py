"""Tells of conditions that last: shares without a stop, a stream or a venue that is gone.

It needs no lock and no journal, so that it speaks while everything else waits.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from brokers.reporting.events import EventKind, about

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that is wrong for some subjects, and why.

    Parameters
    ----------
    kind : EventKind
    present : callable
        Subjects (symbols, hosts) of which it holds now, and why; must need no lock.
    after_s : float
        Local seconds that it has to last before it is told.
    text : str
        Of the log line, with ``{subject}``, ``{why}`` and ``{seconds}``.
    over : str
        Of the line that it has ended, with ``{subject}``, ``{end}`` and ``{seconds}``.
    end : callable, optional
        How it ended for a subject, in words; must need no lock.
    within : EventKind, optional
        A kind that tells the same: while that one is present this is not told. It has to be checked before this.
    same : callable, optional
        Whether that one is about the same now: a venue may be gone only in part. Must need no lock.
    at_most : callable, optional
        For how many local seconds at most it has lasted for a subject, where somebody measures that: what was told has
        ended where this has begun later. None where what comes and goes is one. Must need no lock.
    """

    kind: EventKind
    present: Callable[[], Mapping[str, str]]
    after_s: float
    text: str
    over: str
    end: Callable[[str], str] = lambda subject: ""
    within: EventKind | None = None
    same: Callable[[], bool] = lambda: True
    at_most: Callable[[str], float | None] = lambda subject: None


@dataclass(frozen=True, slots=True)
class Standing:
    """A condition that was told and has not ended; ``since`` is this machine's time."""

    kind: EventKind
    subject: str
    why: str
    since: datetime


class StandingConditions:
    """Checks conditions again and again; tells each once when it has lasted, again while it lasts, and its end.

    Parameters
    ----------
    conditions : sequence of Condition
    again_s : float
        Local seconds until one that lasts is told again.
    monotonic : callable, optional
        Local seconds.
    """

    def __init__(
        self,
        conditions: tuple[Condition, ...],
        again_s: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._conditions, self._again_s, self._monotonic = conditions, again_s, monotonic
        self._since: dict[tuple[EventKind, str], float] = {}
        self._seen: dict[tuple[EventKind, str], float] = {}
        self._longest: dict[tuple[EventKind, str], float] = {}
        self._told: dict[tuple[EventKind, str], float] = {}
        self._standing: dict[tuple[EventKind, str], Standing] = {}
        self._failed: set[EventKind] = set()

    def standing(self) -> tuple[Standing, ...]:
        """What was told and has not ended; may be asked from any thread."""
        return tuple(found for _, found in sorted(dict(self._standing).items()))

    def check(self) -> None:
        """Tell what is to be told now."""
        for condition in self._conditions:
            try:
                self._check(condition, self._monotonic())
                self._failed.discard(condition.kind)
            except Exception:
                # The others have to be told all the same; said once, as the next try comes in a moment.
                if condition.kind not in self._failed:
                    log.exception("whether %s lasts is not known", condition.kind)
                self._failed.add(condition.kind)

    def _check(self, condition: Condition, now: float) -> None:
        present = dict(condition.present())
        told_already = any(kind is condition.within for kind, _ in self._since) and condition.same()
        for subject, why in sorted(present.items()):
            key = (condition.kind, subject)
            self._seen[key] = now
            since = self._since.setdefault(key, now)
            if (most := condition.at_most(subject)) is not None:
                since = self._since[key] = max(since, now - most)
            lasted = now - since
            self._longest[key] = max(lasted, self._longest.get(key, 0.0))
            told = self._told.get(key, -math.inf)
            if lasted < condition.after_s or (now - told < self._again_s and since <= told):
                continue
            if told_already:
                continue
            self._told[key] = now
            self._standing[key] = Standing(condition.kind, subject, why, datetime.now(UTC) - timedelta(seconds=lasted))
            text = condition.text.format(subject=subject, why=why, seconds=f"{lasted:.0f}")
            log.error("%s", text, extra=about(condition.kind, subject, seconds=round(lasted, 1), why=why))
        # What comes and goes within that time is one condition: a stream that flaps is down.
        calm = [k for k, seen in self._seen.items() if k[0] is condition.kind and now - seen >= condition.after_s]
        for key in calm:
            # Of several, one after the other, the longest.
            lasted = max(self._seen.pop(key) - self._since.pop(key), self._longest.pop(key, 0.0))
            self._standing.pop(key, None)
            if self._told.pop(key, None) is not None:
                text = condition.over.format(subject=key[1], end=condition.end(key[1]), seconds=f"{lasted:.0f}")
                log.warning("%s", text, extra=about(condition.kind, key[1], over=True, seconds=round(lasted, 1)))
