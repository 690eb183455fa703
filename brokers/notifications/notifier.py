"""Sends notices from one thread: critical ones first and until they are delivered, the others together.

``put`` only appends to a list under a lock that is never held while anything is sent or written, so whoever reports an
order waits for nobody.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from brokers.notifications.notice import Notice
from brokers.notifications.targets import Channel
from config.operating import Notifications

TITLE = "risk-first"
LONGEST = 1_500
"""Characters of one message; what does not fit is counted in its last line."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Target:
    channel: Channel
    failures: int = 0
    next_try: float = -math.inf


@dataclass(slots=True, eq=False)
class _Waiting:
    notice: Notice
    put: float
    attempts: dict[int, int] = field(default_factory=dict)
    """By the number of the target; a target that is done with it is not in here."""
    delivered: bool = False
    failed: bool = False


class Notifier:
    """One queue, one thread.

    Parameters
    ----------
    channels : sequence of Channel
    settings : Notifications
    keep : callable, optional
        Writes down the notices that nobody has received yet, all of them each time; called in the thread only.
    left : sequence of Notice
        What is written down from an earlier run.
    title : str
        Of each message: which trader tells.
    monotonic : callable, optional
        Local seconds.
    """

    def __init__(
        self,
        channels: Sequence[Channel],
        settings: Notifications,
        keep: Callable[[list[Notice]], None] | None = None,
        left: Sequence[Notice] = (),
        title: str = TITLE,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._title = title
        self._targets = [_Target(channel) for channel in channels]
        self._settings, self._keep, self._monotonic = settings, keep, monotonic
        self._changed = threading.Condition()
        self._kept: list[Notice] = list(left)
        self._waiting = [self._entered(notice, monotonic(), failed=True) for notice in left]
        self._same: dict[str, tuple[float, int]] = {}
        self._given_up: list[Notice] = []
        self._ends = math.inf
        self._thread = threading.Thread(target=self._run, name="notifications", daemon=True)
        self.delivered = 0
        """Messages that were delivered, each to one address."""
        self.longest_s = 0.0
        """Longest time from a critical notice to its delivery."""

    def start(self) -> None:
        self._thread.start()

    def put(self, notice: Notice) -> None:
        """Take a notice; returns at once."""
        now = self._monotonic()
        with self._changed:
            if notice.ends:
                # A condition that comes back is news again.
                self._same.pop(notice.ends, None)
            last, times = self._same.get(notice.key, (-math.inf, 0))
            if now - last < self._settings.same_within_s:
                self._same[notice.key] = (last, times + 1)
                return
            if times:
                notice = replace(notice, text=f"{notice.text} (and {times} times since it was told last)")
            self._same[notice.key] = (now, 0)
            self._waiting.append(self._entered(notice, now))
            if notice.critical:
                # An address that failed a while ago may work again: this does not wait for the end of its pause.
                for target in self._targets:
                    target.next_try = min(target.next_try, now)
            self._make_room(now)
            self._changed.notify()

    def _entered(self, notice: Notice, now: float, *, failed: bool = False) -> _Waiting:
        return _Waiting(notice, now, dict.fromkeys(range(len(self._targets)), 0), failed=failed)

    def close(self, within_s: float) -> list[Notice]:
        """Send what waits as far as the time allows; returns what nobody has received."""
        with self._changed:
            self._ends = self._monotonic() + within_s
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join(within_s + 0.2)
        with self._changed:
            left = self._given_up + [item.notice for item in self._waiting if not item.delivered]
        # An attempt may still hang: who closes the journal next must not be waited for by it.
        keep, self._keep = self._keep, None
        if keep is not None and left != self._kept:
            _kept(keep, left)
        return left

    def _make_room(self, now: float) -> None:
        kept = self._settings.kept
        while len(self._waiting) > kept:
            plain = next((item for item in self._waiting if not item.notice.critical), self._waiting[0])
            self._waiting.remove(plain)
        del self._given_up[:-kept]
        if len(self._same) > kept:
            recent = self._settings.same_within_s
            self._same = {key: told for key, told in self._same.items() if now - told[0] < recent}

    def _run(self) -> None:
        while True:
            with self._changed:
                step = self._next()
                while step is None:
                    if self._ends < math.inf:
                        return
                    self._changed.wait(self._pause())
                    step = self._next()
            target, items = step
            self._write_down(items)
            self._attempt(target, items)

    def _next(self) -> tuple[int, list[_Waiting]] | None:
        """Target and notices of the next message; what is critical goes first, to the target that worked last."""
        now = self._monotonic()
        if now >= self._ends:
            return None
        order = sorted(range(len(self._targets)), key=lambda number: self._targets[number].failures)
        ending = self._ends < math.inf
        ready = [
            n for n in order if self._targets[n].next_try <= now or (ending and self._targets[n].next_try < math.inf)
        ]
        for critical in (True, False):
            for number in ready:
                items = [i for i in self._waiting if i.notice.critical is critical and number in i.attempts]
                if items and (critical or ending or self._company_over(items, now)):
                    return number, items
        return None

    def _company_over(self, items: list[_Waiting], now: float) -> bool:
        return now - min(item.put for item in items) >= self._settings.batch_s

    def _pause(self) -> float | None:
        """Seconds until something may be due without news; None if nothing waits."""
        now = self._monotonic()
        times = []
        for item in self._waiting:
            ready = item.put if item.notice.critical else item.put + self._settings.batch_s
            times += [max(ready, self._targets[number].next_try) for number in item.attempts]
        return max(min(times) - now, 0.01) if times else None

    def _attempt(self, number: int, items: list[_Waiting]) -> None:
        target, critical = self._targets[number], items[0].notice.critical
        title = f"{self._title}: CRITICAL" if critical else self._title
        done = target.channel.send(title, _text([item.notice for item in items]), critical)
        now = self._monotonic()
        news: list[str] = []
        with self._changed:
            if done:
                self.delivered += 1
            if done and target.failures:
                news.append(f"{target.channel.name} works again")
            if not done and not target.failures:
                news.append(f"{target.channel.name} does not take them ({target.channel.why}), it is tried again")
            target.failures = 0 if done else target.failures + 1
            pauses = self._settings.retry_s
            target.next_try = now if done else now + pauses[min(target.failures, len(pauses)) - 1]
            if not done and self._ends < math.inf:
                # At the end each address is tried once more, and no second time.
                target.next_try = math.inf
            for item in items:
                news += self._attempted(item, number, done=done)
            if not done:
                # What waits behind a critical one would have failed as well, and is to survive a kill like it.
                for item in self._waiting:
                    item.failed = item.failed or number in item.attempts
            self._waiting = [item for item in self._waiting if item.attempts]
        if done and critical:
            self.longest_s = max(self.longest_s, *(now - item.put for item in items))
        # Never under the lock: a handler may hand a record back to ``put``, and who logs would wait for who logs.
        for text in news:
            log.warning("notifications: %s", text)
        self._write_down([])

    def _attempted(self, item: _Waiting, number: int, *, done: bool) -> list[str]:
        """Count an attempt; returns what is to be logged of it."""
        if done:
            item.delivered = True
            del item.attempts[number]
            return []
        item.failed = True
        item.attempts[number] += 1
        # What is critical is given up at one address only after another has taken it.
        if item.attempts[number] >= self._settings.attempts and (item.delivered or not item.notice.critical):
            del item.attempts[number]
            if not item.attempts and not item.delivered:
                self._given_up.append(item.notice)
                return [f"nobody could be told: {item.notice.line}"]
        return []

    def _write_down(self, about_to_send: list[_Waiting]) -> None:
        """Keep what is critical before it is tried, anything else once it has failed."""
        keep = self._keep
        if keep is None:
            return
        with self._changed:
            sending = {id(item) for item in about_to_send if item.notice.critical}
            wanted = self._given_up + [
                item.notice for item in self._waiting if not item.delivered and (item.failed or id(item) in sending)
            ]
        if wanted != self._kept and _kept(keep, wanted):
            self._kept = wanted


def _kept(keep: Callable[[list[Notice]], None], notices: list[Notice]) -> bool:
    try:
        keep(notices)
    except Exception as error:
        # The journal may be away for the same reason that is told of.
        log.debug("undelivered notifications could not be written down: %s", error)
        return False
    return True


def _text(notices: Sequence[Notice]) -> str:
    lines: list[str] = []
    length = 0
    for number, notice in enumerate(notices):
        length += len(notice.line) + 1
        if lines and length > LONGEST:
            lines.append(f"… and {len(notices) - number} more, see the log")
            break
        lines.append(notice.line[:LONGEST])
    return "\n".join(lines)


def first_of(notices: Sequence[Notice], now: datetime) -> str:
    """Notices of an earlier run in one sentence."""
    ages = [now - notice.time for notice in notices]
    oldest = max(ages)
    return (
        f"{len(notices)} notification{'s' if len(notices) > 1 else ''} of an earlier run reached nobody, the oldest "
        f"{oldest.total_seconds() / 60:.0f} minutes ago: {notices[0].line}"
    )
