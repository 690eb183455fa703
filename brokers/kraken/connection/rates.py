"""Kraken's two limits, counted here before Kraken does: requests of a key, and order work in a pair."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from brokers.kraken.connection.errors import LOCKOUT_S, LOCKOUT_TRY_S, LOCKOUT_URGENT_S, PAUSE_S
from config.values.markets import NEW_YORK_ZONE

ITERATION, LOOK = 3, 2
"""Private requests: open orders and balances; an iteration may have to ask for what has ended."""
COMMAND = 4
"""Those of a command that looks: balances as it signs in, then what has ended, open orders and balances."""
NAP_S = 0.1
"""Longest time that a request waits without asking whether it is still wanted."""
TRIAL_S = 20.0
"""Local seconds within which the request that tries whether a lockout is over has had its answer."""

log = logging.getLogger(__name__)


class Category(StrEnum):
    """What a request is for; each has a least interval in the settings."""

    ENTRY = "entry"
    EXIT = "exit"
    MONITORING = "monitoring"
    QUERY = "query"


class Work(StrEnum):
    """What the matching engine is asked to do with an order."""

    ADD = "add"
    AMEND = "amend"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class Tier:
    """Limits of an account's level of verification; ``*_decay`` is what is forgotten in a second."""

    rest: float
    rest_decay: float
    engine: float
    engine_decay: float


TIERS = {
    "starter": Tier(15, 0.33, 60, 1.0),
    "intermediate": Tier(20, 0.5, 125, 2.34),
    "pro": Tier(20, 1.0, 180, 3.75),
}
PENALTIES: dict[Work, tuple[int, tuple[tuple[float, int], ...]]] = {
    Work.ADD: (1, ()),
    Work.AMEND: (1, ((5, 3), (10, 2), (15, 1))),
    Work.CANCEL: (0, ((5, 8), (10, 6), (15, 5), (45, 4), (90, 2), (300, 1))),
}
"""Fixed part, and what comes on top below an age in seconds, since the order was made or last amended."""
COSTS = {"Ledgers": 2, "QueryLedgers": 2, "TradesHistory": 2}
UNCOUNTED = frozenset({"AddOrder", "AmendOrder", "CancelOrder", "CancelOrderBatch", "AddOrderBatch", "CancelAll"})


def cost_of(endpoint: str) -> int:
    """What a private request adds to the counter of its key."""
    return 0 if endpoint in UNCOUNTED else COSTS.get(endpoint, 1)


def penalty(work: Work, age_s: float) -> int:
    """What order work adds to the counter of its pair, by the age of the order."""
    fixed, steps = PENALTIES[work]
    return fixed + next((extra for below, extra in steps if age_s < below), 0)


@dataclass(slots=True)
class Counter:
    """Counts up with what is asked and down with time; ``peak`` is the highest it was."""

    most: float
    decay: float
    level: float = 0.0
    peak: float = 0.0
    at: float = 0.0

    def now(self, time_s: float) -> float:
        self.level = max(0.0, self.level - (time_s - self.at) * self.decay)
        self.at = time_s
        return self.level

    def wait(self, cost: float, reserve: float, time_s: float) -> float:
        """Seconds until so much fits below the limit less a reserve."""
        over = self.now(time_s) + cost - (self.most - reserve)
        return 0.0 if over <= 0 else over / self.decay

    def add(self, cost: float, time_s: float) -> None:
        self.level = self.now(time_s) + cost
        self.peak = max(self.peak, self.level)

    def held(self, time_s: float) -> AbstractContextManager[None]:
        """Around reading and counting up; this one is nobody else's."""
        return nullcontext()

    def left_to_trader(self) -> float:
        """How much is left to a trader that asks beside this process."""
        return 0.0


@dataclass(slots=True)
class RateModel:
    """What Kraken has counted of one key, as far as this process knows.

    Parameters
    ----------
    tier : Tier
    reserve : float
        Part of the requests' counter that is kept for look-ups of what protects or has no answer.
    clock : callable, optional
        Local seconds that only grow.
    speed : float
        Seconds of the venue in one of ours.
    counter : Counter, optional
        Of the requests; one that other processes share, else one of its own.
    now : callable, optional
        The venue's time, in which the end of a lockout is told.

    Attributes
    ----------
    locked : str
        Until when Kraken takes no request of this account, in words; empty while it does.
    """

    tier: Tier
    reserve: float = 4.0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    speed: float = 1.0
    counter: Counter | None = None
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    locked: str = ""
    rest: Counter = field(init=False)
    engines: dict[str, Counter] = field(default_factory=dict)
    _born: dict[str, float] = field(default_factory=dict)
    _closed_until: float = -math.inf
    _urgent_closed_until: float = -math.inf
    _paused_until: float = -math.inf
    _locked_at: float = -math.inf
    _drops: int = 0
    _granted: float = 0.0
    """What a command beside a trader may still ask of that for which there was room when it began."""
    _mutex: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        own = Counter(self.tier.rest, self.tier.rest_decay * self.speed, at=self.clock())
        self.rest = own if self.counter is None else self.counter

    def take(self, endpoint: str, max_wait_s: float, *, urgent: bool) -> bool:
        """Wait for room for a private request and take it; False if there is none in that time."""
        cost, ends, drops = cost_of(endpoint), self.clock() + max_wait_s, self._drops
        while True:
            with self._mutex, self.rest.held(now := self.clock()):
                wait = self._wait(cost, now, urgent)
                if wait <= 0:
                    self.rest.add(cost, now)
                    if cost:
                        self._granted = max(0.0, (self._granted or COMMAND) - cost)
                    if self.locked:
                        # One request tries whether it is over; the others wait for what it hears.
                        self._urgent_closed_until = now + TRIAL_S
                        self._closed_until = max(self._closed_until, now + TRIAL_S)
                    return True
            if now + wait > ends or self._drops != drops:
                return False
            self.sleep(min(wait, NAP_S))

    def _wait(self, cost: float, now: float, urgent: bool, *, anew: bool = False) -> float:
        """Local seconds until a request may go; not above 0 where it may.

        A command beside a trader begins where there is room for all that it asks, and then asks it: what it asked
        before it found none would be asked again.
        """
        beside, kept = self.rest.left_to_trader(), 0.0 if urgent else self.reserve
        if beside:
            # Nothing of another process's is urgent beside a trader.
            kept = self.reserve
            if cost and (anew or self._granted < cost):
                cost, kept = max(cost, COMMAND), kept + beside
        counted = max(self.rest.wait(cost, kept, now), self._paused_until - now) if cost else 0.0
        return max(counted, (self._urgent_closed_until if urgent else self._closed_until) - now)

    def room(self, cost: float) -> bool:
        """Whether requests of so much could go now beside the reserve."""
        with self._mutex, self.rest.held(now := self.clock()):
            return self._wait(cost, now, urgent=False) <= 0

    def work(self, pair: str, work: Work, order_id: str, *, urgent: bool) -> bool:
        """Count order work in a pair; False where it would pass the limit.

        What is urgent goes beyond a tenth that is kept for it.
        """
        with self._mutex:
            now, tier = self.clock(), self.tier
            engine = self._engine(pair, now)
            born = self._born.get(order_id)
            # An order of an earlier process is as old as nobody knows: the worst is counted for it.
            age = 0.0 if born is None else (now - born) * self.speed
            cost = penalty(work, age)
            if engine.wait(cost, 0 if urgent else tier.engine / 10, now) > 0:
                return False
            engine.add(cost, now)
            if work is Work.CANCEL:
                self._born.pop(order_id, None)
            elif order_id:
                self._born[order_id] = now
            return True

    def pair_full(self, pair: str) -> float:
        """Kraken said that it was too much order work in a pair; returns the local seconds until more of it may go.

        The pair has others who work in it, or its counter is from before this process: each refused request counts as
        well, so that its limit is left time to forget.
        """
        with self._mutex:
            engine = self._engine(pair, now := self.clock())
            engine.level = max(engine.now(now), engine.most + PAUSE_S / self.speed * engine.decay)
            return engine.wait(1, 0, now)

    def _engine(self, pair: str, now: float) -> Counter:
        tier = self.tier
        return self.engines.setdefault(pair, Counter(tier.engine, tier.engine_decay * self.speed, at=now))

    def born(self, order_id: str, age_s: float = 0.0) -> None:
        """An order was made so many seconds of the venue ago."""
        with self._mutex:
            self._born.setdefault(order_id, self.clock() - age_s / self.speed)

    def full(self, seconds: float, *, counted: bool = False) -> None:
        """Kraken said that it was too much: the counter is at its limit, and nothing goes for so long.

        Where it was the ``counted`` requests, work with orders goes on: a stop can be placed meanwhile.
        """
        with self._mutex, self.rest.held(now := self.clock()):
            self.rest.add(max(0.0, self.rest.most - self.rest.now(now)), now)
            ends = now + seconds / self.speed
            self._paused_until = max(self._paused_until, ends)
            if not counted:
                self._closed_until = max(self._closed_until, ends)
                self._urgent_closed_until = max(self._urgent_closed_until, ends)

    def lock_out(self) -> None:
        """Kraken has locked the account out: nothing goes but one try in between and one at the end.

        What protects may try once before.
        """
        with self._mutex:
            now = self.clock()
            began = not self.locked or (now - self._locked_at) * self.speed >= LOCKOUT_S
            if began:
                self._locked_at = now
            urgent, again, ends = (
                self._locked_at + seconds / self.speed for seconds in (LOCKOUT_URGENT_S, LOCKOUT_TRY_S, LOCKOUT_S)
            )
            self._closed_until = again if now < again else ends
            self._urgent_closed_until = urgent if began else self._closed_until
            until = f"locked out by Kraken until {self._told(ends - now)}"
            tried = f"; it is tried once before, at {self._told(again - now)}" if now < again else ""
            self.locked = f"{until}; nothing is looked at{tried}"
        log.error("%s; stops that rest at Kraken go on, none is placed, moved or cancelled", self.locked)

    def let_in(self) -> None:
        """Kraken has answered otherwise: a lockout is over."""
        with self._mutex:
            if not self.locked:
                return
            self.locked, self._closed_until, self._urgent_closed_until = "", -math.inf, -math.inf
        log.warning("Kraken takes requests of this account again")

    def waits_for_lockout(self, *, urgent: bool = False) -> bool:
        """Whether a lockout holds requests back now."""
        return bool(self.locked) and self.clock() < (self._urgent_closed_until if urgent else self._closed_until)

    def _told(self, seconds: float) -> str:
        """The venue's time in so many local seconds."""
        then = self.now() + timedelta(seconds=seconds * self.speed)
        return f"{then.astimezone(NEW_YORK_ZONE):%H:%M}"

    def drop_waiting(self) -> None:
        """Send no request that waits now."""
        self._drops += 1

    def wait_s(self, endpoint: str, *, urgent: bool = False) -> float:
        """Local seconds until there is room for a request; beside a trader for all of a command that begins anew."""
        with self._mutex, self.rest.held(now := self.clock()):
            return max(0.0, self._wait(cost_of(endpoint), now, urgent, anew=True))

    @property
    def spent(self) -> str:
        """How much of the limit is used, in words."""
        with self._mutex, self.rest.held(now := self.clock()):
            return f"{self.rest.now(now):.1f} of {self.rest.most:g} counted"

    @property
    def peaks(self) -> tuple[float, float]:
        """The highest that the requests' counter was, and the highest of a pair's."""
        return self.rest.peak, max((engine.peak for engine in self.engines.values()), default=0.0)
