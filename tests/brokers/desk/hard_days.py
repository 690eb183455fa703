"""Days at a slow venue, by seed: how long shares are without a stop, and why.

The venue ends orders late and fills them meanwhile, arms exits beside others, takes requests 5 to 20 s late and loses
answers; the process is killed, and told to end in the middle of a request. Time passes in quarters of a second and
with every request, and what the venue holds is read from the venue itself.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

from brokers.alpaca.listings import update_of
from brokers.desk.lifecycle import shutdown
from brokers.desk.lifecycle.wiring import PROTECT_WITHIN_S
from brokers.desk.look_pace import BUSY_S, LookPace
from brokers.rehearsal.alpaca.errors import ApiError
from brokers.rehearsal.core.faults import FaultPlan
from brokers.venue_errors import NotSent, OutcomeUnknown, VenueError, VenueUnavailable
from tests.brokers.desk.drills import CHANGING, SETTLE_STEPS, Babble, exits_of, faults_of
from tests.brokers.desk.scene import Scene
from tests.brokers.desk.unprotected_spells import (
    ANSWERING,
    CLOSING,
    DATABASE,
    HELD,
    NO_ANSWER,
    RESTARTED,
    SILENT,
    Unprotected,
)
from tests.brokers.journal.troubled_server import TroubledServer

TRADED = {"AAPL": 50, "MSFT": 40, "NVDA": 30}
SLICE_S, FINE_S = 0.25, 0.1
"""Between two readings of the venue: at rest, and while something is under way."""
ITERATIONS = 20
AFTERWARDS_S = 30.0
"""How long the market goes on after the process has ended."""
TROUBLE_LASTS_S = 3.0
"""So long after an answer was lost what is missing counts as its consequence: an order without one is asked about."""
LONGEST_CANCEL = timedelta(seconds=2)
"""A venue that takes longer to end an order does not answer as it should."""
DECIDES_S = 0.5
"""Local seconds in which the desk is to have given its answer to a session that hangs."""
SETTLED_ANSWERS_S = 10.0
"""The same once no session hangs any more."""


class SlowVenue(FaultPlan):
    """Remembers until when the venue holds shares, or ends an order, later than it says it does."""

    now: Any = None
    until: datetime | None = None

    def extra_release_delay(self) -> timedelta:
        return self._noted(super().extra_release_delay(), timedelta(0))

    def cancel_delay(self) -> timedelta:
        return self._noted(super().cancel_delay(), LONGEST_CANCEL)

    def _noted(self, delay: timedelta, usual: timedelta) -> timedelta:
        if delay > usual and self.now is not None:
            until = self.now() + delay + timedelta(seconds=1)
            self.until = until if self.until is None else max(self.until, until)
        return delay


@dataclass
class HardDay:
    """One day by seed; what was wrong is in ``faults``, how long shares were bare in ``unprotected``."""

    folder: Path
    seed: int
    pace_s: float = 15.0
    server: TroubledServer | None = None
    faults: list[str] = field(default_factory=list)
    unprotected: Unprotected = field(default_factory=Unprotected)
    """Neither a stop nor a sale on its way through the market."""
    without_stop: Unprotected = field(default_factory=Unprotected)
    """No stop, whatever is being sold."""
    met: Counter[str] = field(default_factory=Counter)
    busiest: int = 0
    """Requests in the busiest minute."""

    def play(self) -> HardDay:
        chance = self.chance = Random(f"hard day {self.seed}")
        plan = SlowVenue(
            seed=self.seed,
            partial_fill_frac=chance.choice([0, 0.2, 0.6]),
            partial_pause=timedelta(seconds=chance.choice([0, 0.5, 2])),
            late_release_frac=chance.choice([0, 0, 0, 0.5]),
            cancel_race_frac=chance.choice([0, 0.3]),
            cancel_delay_frac=chance.choice([0.3, 1.0]),
            cancel_delay_s=chance.choice([(0.3, 2.0), (0.3, 2.0), (0.3, 2.0), (2.0, 6.0)]),
            replace_refused_frac=chance.choice([0, 0, 0.5]),
            silent_sibling_cancel=chance.random() < 0.3,
            legs_beside_others=chance.choice(["arm", "reserve"]),
        )
        self.rate, self.late_rate = chance.choice([0, 0, 0.02, 0.08]), chance.choice([0, 0, 0.1])
        self.latency_s, self.deaf = chance.choice([0.0, 0.05, 0.1]), chance.choice([0.0, 0.0, 0.0, 0.2])
        self.late: list[tuple[datetime, dict[str, Any]]] = []
        self.asked: deque[datetime] = deque()
        self.ends_at: int | None = None
        self.surplus: dict[str, int] = {}
        self.prices = dict.fromkeys(TRADED, 100.0)
        address = "" if self.server is None else self.server.fresh()
        overrides = [f"live.journal_answer_s={DECIDES_S}"] if self.server else []
        self.scene = scene = Scene(self.folder, faults=plan, journal=address, overrides=overrides)
        self.plan = plan
        plan.now = lambda: scene.exchange.now
        self.lost_until = self.silent_until = scene.exchange.now
        if chance.random() < 0.3:
            scene.told = Babble(chance)
        self.wire()
        self.pace = LookPace(lambda seconds: seconds, self.venue_s)
        for number in range(ITERATIONS):
            self.iterate(number)
            self.watch(self.pace_s)
            if chance.random() < 0.03:
                self.kill()
        self.leave()
        self.come_back()
        return self

    def wire(self) -> None:
        """Put the mishaps between the desk and the venue."""
        self.scene.wire.mishap = self.mishap
        self.scene.wire.submit = self.submit

    def submit(self, payload: Any) -> Any:
        """An order that the venue takes in only later says nothing now."""
        if self.scene.desk.shutting_down and payload.get("order_class") != "oco":
            self.faults.append(f"after leaving: sent {payload['side']} {payload['qty']} {payload['symbol']}")
        if self.chance.random() >= self.late_rate:
            wire = self.scene.wire
            return wire._call("submit", lambda: self.scene.exchange.submit(payload), payload)
        self.scene.wire.calls.append(("submit", payload))
        due = self.scene.exchange.now + timedelta(seconds=self.chance.uniform(5, 20))
        self.late.append((due, dict(payload)))
        self.met["processed late"] += 1
        self.lost_until = due + timedelta(seconds=TROUBLE_LASTS_S)
        raise OutcomeUnknown("no answer")

    def mishap(self, name: str, when: str) -> None:
        now = self.scene.exchange.now
        if when == "before":
            self.asked.append(now)
            while now - self.asked[0] > timedelta(seconds=60):
                self.asked.popleft()
            self.busiest = max(self.busiest, len(self.asked))
            if self.ends_at is not None:
                self.ends_at -= 1
                if self.ends_at == 0:
                    # A signal in the middle of a step: what is under way goes on until its next request.
                    self.scene.desk.shutting_down = True
                    self.met["signal in a request"] += 1
        if self.latency_s and when == "before":
            self.pass_time(self.latency_s, hears=False)
        if self.chance.random() >= self.rate:
            return
        self.met["answer lost"] += 1
        self.lost_until = self.scene.exchange.now + timedelta(seconds=TROUBLE_LASTS_S)
        if name in CHANGING:
            raise OutcomeUnknown("no answer") if when == "after" or self.chance.random() < 0.5 else NotSent("not sent")
        raise VenueUnavailable("no answer")

    # Time.

    def pass_time(self, seconds: float, hears: bool = True) -> bool:
        """Let a slice of time pass; whether the stream told the desk anything."""
        scene, chance = self.scene, self.chance
        moved = {}
        for symbol in TRADED:
            step = chance.gauss(0, 0.012 * (seconds / 15) ** 0.5)
            self.prices[symbol] = max(20.0, self.prices[symbol] * (1 + step))
            moved[symbol] = Decimal(str(round(self.prices[symbol], 2)))
        scene.prices |= moved
        scene.exchange.on_quote(scene.exchange.now + timedelta(seconds=seconds), moved)
        now = scene.exchange.now
        for item in [item for item in self.late if item[0] <= now]:
            self.late.remove(item)
            with suppress(ApiError):
                scene.exchange.submit(item[1])
        self.see()
        if not hears:
            return False
        news = bool(scene.events)
        events, scene.events[:] = list(scene.events), []
        for event in scene.told(events):
            # As the monitor takes them: what could not be booked is found at the venue.
            try:
                scene.desk.hear(update_of(event))
            except Exception as error:
                scene.desk.halts.crashed(error, scene.exchange.now)
        return news

    def sleep(self, seconds: float) -> None:
        """The pause of a process that ends; what protects is seen as soon as it does, not at the end of the pause."""
        slices = max(1, round(seconds / FINE_S))
        for _ in range(slices):
            self.pass_time(seconds / slices)

    def see(self) -> None:
        """What the venue holds, and what protects it."""
        scene, now = self.scene, self.scene.exchange.now
        for symbol in TRADED:
            held, stopped = scene.exchange._state.ledger.quantity(symbol), self.stopped(symbol)
            if held < 0:
                self.met["short"] += 1
                if (text := f"{symbol}: short of {-held}") not in self.faults:
                    self.faults.append(text)
            causes, selling = self.causes(symbol, now), self.selling(symbol)
            self.unprotected.look(symbol, abs(held), min(stopped + selling, abs(held)), now, causes)
            self.without_stop.look(symbol, abs(held), min(stopped, abs(held)), now, causes)

    def stopped(self, symbol: str) -> Decimal:
        """Shares behind a stop that the venue watches."""
        orders = self.scene.exchange._state.open_orders(symbol)
        armed = (o for o in orders if not o.buy and (o.group is None or o.group.entry is None or o.group.armed))
        return sum((o.remaining(Decimal(1)) for o in armed if o.type == "stop"), Decimal(0))

    def selling(self, symbol: str) -> Decimal:
        """Shares in a sale of ours that goes through the market."""
        orders = self.scene.exchange._state.open_orders(symbol)
        sales = (o for o in orders if not o.buy and o.group is None and o.type != "stop")
        return sum((o.remaining(Decimal(1)) for o in sales), Decimal(0))

    def causes(self, symbol: str, now: datetime) -> set[str]:
        found = set()
        if symbol in self.scene.desk.closer.tasks:
            found.add(CLOSING)
        if now <= self.lost_until or self.late:
            found.add(NO_ANSWER)
        if self.plan.until is not None and now <= self.plan.until:
            found.add(HELD)
        if now <= self.silent_until or isinstance(self.scene.told, Babble):
            found.add(SILENT)
        if self.server is not None and (self.server.troubled or "the journal" in self.scene.desk.halts.passing):
            found.add(DATABASE)
        return found

    # The process.

    def iterate(self, number: int) -> None:
        self.scene.deaf = self.chance.random() < self.deaf
        if self.server is not None and number % 8 == 7:
            self.server.heal()
        if self.server is not None and number % 8 == 5:
            self.met[self.server.trouble(self.chance, self.scene.journal)] += 1
        if self.scene.deaf:
            self.silent_until = self.scene.exchange.now + timedelta(seconds=self.pace_s + TROUBLE_LASTS_S)
        with self.scene.desk.iteration():
            self.scene.desk.look()
            self.scene.desk.reconcile()
        self.after_a_look()
        with self.scene.desk.iteration():
            self.act()
            self.act()

    def watch(self, seconds: float) -> None:
        """The time until the next iteration, in which the desk is looked after as its monitor does."""
        passed, since, news, pause = 0.0, 0.0, False, BUSY_S
        while passed < seconds and not self.scene.desk.shutting_down:
            slice_s = FINE_S if self.without_stop.open else SLICE_S
            if heard := self.pass_time(slice_s):
                self.end_parts()
            news = heard or news
            passed, since = passed + slice_s, since + slice_s
            delay = self.pace.delay_s(self.venue_s)
            if since < (delay if news else pause + delay):
                continue
            since, news, pause = 0.0, False, BUSY_S
            self.pace.looks(self.venue_s)
            failed = self.met["answer lost"]
            try:
                self.scene.desk.tick()
            except VenueError:
                self.met["look failed"] += 1
            except Exception as error:
                self.scene.desk.halts.crashed(error, self.scene.exchange.now)
            else:
                desk = self.scene.desk
                pause = self.pace.pause_s(self.venue_s, busy=desk.busy, uncovered=desk.uncovered)
                if failed == self.met["answer lost"]:
                    self.after_a_look()

    def end_parts(self) -> None:
        """What the monitor does of news for which no look comes yet."""
        try:
            self.scene.desk.end_parts()
        except Exception as error:
            self.scene.desk.halts.crashed(error, self.scene.exchange.now)

    @property
    def venue_s(self) -> float:
        return self.scene.exchange.now.timestamp()

    def after_a_look(self) -> None:
        """Exits beyond the position are being cancelled after one look, at the latest after the next."""
        for symbol in TRADED:
            left = {}
            for order in self.scene.exchange._state.open_orders(symbol):
                armed = order.group is None or order.group.entry is None or order.group.armed
                if not order.buy and armed and order.status != "pending_cancel":
                    name = order.id if order.group is None else order.group.id
                    left[name] = max(left.get(name, Decimal(0)), order.remaining(Decimal(1)))
            ending = any(o.status == "pending_cancel" for o in self.scene.exchange._state.open_orders(symbol))
            quiet = self.scene.exchange.now > self.lost_until and not self.late and not self.deaf
            too_many = sum(left.values(), Decimal(0)) > abs(self.scene.exchange._state.ledger.quantity(symbol))
            watched = self.server is None or not self.server.troubled
            counts = too_many and not ending and quiet and watched
            self.surplus[symbol] = self.surplus.get(symbol, 0) + 1 if counts else 0
            self.met["surplus"] += too_many
            if self.surplus[symbol] == 2:
                self.faults.append(f"{symbol}: a surplus of exits after a look, at {self.scene.exchange.now:%H:%M:%S}")

    def act(self) -> None:
        scene, chance = self.scene, self.chance
        symbol = chance.choice(list(TRADED))
        held = scene.desk.positions.book.quantity(symbol)
        what = chance.choice(["enter", "enter", "trim", "partial", "exit", "tighten", "nothing"])
        if what == "enter" and not held and symbol not in scene.desk.entries.pending():
            scene.asked[symbol] = scene.asked.get(symbol, 0) + 1
            scene.enter(symbol, TRADED[symbol], iterate=False)
        elif what in ("trim", "partial") and held > 4:
            scene.adjust(what, symbol, quantity=float(held // 3))
        elif what == "exit" and held:
            scene.adjust("exit", symbol)
        elif what == "tighten" and held:
            scene.adjust("tighten", symbol, stop=float(scene.prices[symbol]) * 0.98)

    def kill(self) -> None:
        """``kill -9``, some time without a process, and a new one."""
        self.met["killed"] += 1
        scene = self.scene
        if self.server is not None:
            self.server.heal()
        scene.stop()
        for _ in range(self.chance.choice([1, 8, 80])):
            self.pass_time(SLICE_S, hears=False)
        self.start()

    def start(self) -> None:
        if self.server is not None:
            self.server.heal()
        self.scene.events.clear()
        self.scene.start()
        for measure in (self.unprotected, self.without_stop):
            measure.restart(self.scene.exchange.now, RESTARTED)
        self.wire()

    # The end.

    def leave(self) -> None:
        """SIGTERM in the middle of whatever request comes next, or between two; then nobody is there any more."""
        scene, chance = self.scene, self.chance
        self.rate = self.late_rate = 0.0
        if self.server is not None:
            self.server.heal()
        self.lost_until = max([scene.exchange.now, *(due for due, _ in self.late)])
        scene.deaf, self.deaf = False, 0.0
        if chance.random() < 0.7:
            self.ends_at = chance.randrange(1, 25)
            for number in range(3):
                if not scene.desk.shutting_down:
                    self.iterate(number)
                self.watch(2)
        real = shutdown.time
        shutdown.time = SimpleNamespace(sleep=self.sleep, monotonic=lambda: scene.exchange.now.timestamp())
        try:
            shutdown.shut_down(scene.desk, PROTECT_WITHIN_S)
        finally:
            shutdown.time = real
        self.judge_leaving()

    def judge_leaving(self) -> None:
        """Every share behind its stop as the process ends, and also after the market has gone on without it."""
        self.judge_protection("after leaving")
        for _ in range(int(AFTERWARDS_S / SLICE_S)):
            self.pass_time(SLICE_S, hears=False)
        self.judge_protection("long after leaving")

    def judge_protection(self, when: str) -> None:
        ledger = self.scene.exchange._state.ledger
        for symbol in TRADED:
            held, stopped = ledger.quantity(symbol), self.stopped(symbol)
            if stopped < held and not self.late:
                self.faults.append(f"{when}: {symbol}: {held} held, {stopped} behind a stop")
            if (exits := exits_of(self.scene, symbol)) > held and not self.late:
                self.faults.append(f"{when}: {symbol}: {held} held, exits for {exits}")

    def come_back(self) -> None:
        """A new process after a venue and a server that are well again: everything settles."""
        scene = self.scene
        scene.exchange.faults = FaultPlan(seed=self.seed)
        self.latency_s = 0.0
        scene.told = lambda events: events
        # A machine that is busy with other work is no trouble of the server.
        scene.journal_answer_s = SETTLED_ANSWERS_S
        scene.stop()
        self.start()
        for _ in range(SETTLE_STEPS):
            scene.step(3)
            self.see()
        self.faults += faults_of(scene)
        scene.stop()


def worst_by_cause(days: Iterable[HardDay]) -> dict[str, float]:
    """Longest spell of each set of causes, in words; ``ANSWERING`` where there was none but the venue's own time."""
    worst: dict[str, float] = {}
    for day in days:
        for _, seconds, causes in day.unprotected.spells:
            name = ", ".join(sorted(causes)) or ANSWERING
            worst[name] = max(worst.get(name, 0.0), seconds)
    return worst
