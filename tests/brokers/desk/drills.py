"""Days of a desk that go wrong: killed at any call, or with mishaps drawn by a seed, and what must hold afterwards."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

from brokers.desk.lifecycle import shutdown
from brokers.desk.lifecycle.shutdown import shut_down
from brokers.desk.look_pace import BUSY_S, IDLE_S
from brokers.rehearsal.core.faults import FaultPlan
from brokers.venue_errors import NotSent, OutcomeUnknown, VenueUnavailable
from tests.brokers.desk.scene import Scene

CHANGING = ("submit", "replace", "cancel")
SETTLE_STEPS = 25
RESTART_STEPS = 6
"""Iterations, a second or more apart, in which a desk that was started again has to be where it should be."""


class Killed(BaseException):
    """The process is gone; nothing in it may catch this."""


@dataclass
class Babble:
    """A stream that tells some events twice, some late, and not in their order."""

    chance: Random
    late: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
        events, self.late = self.late + events, []
        told = []
        for event in events:
            self.late += [event] * (self.chance.random() < 0.2)
            told += [event] * self.chance.choice([0, 1, 1, 1, 2])
        self.chance.shuffle(told)
        return told


@dataclass
class Naked:
    """How long shares of ours were without a working stop at the venue, whatever the desk believes."""

    since: dict[str, datetime] = field(default_factory=dict)
    spells: list[float] = field(default_factory=list)

    def look(self, scene: Scene) -> None:
        now = scene.exchange.now
        for symbol in ("AAPL", "MSFT", "NVDA"):
            if scene.stopped(symbol) < abs(scene.held(symbol)):
                self.since.setdefault(symbol, now)
            elif symbol in self.since:
                self.spells.append((now - self.since.pop(symbol)).total_seconds())


def scripted_day(scene: Scene, tick: Callable[[], None]) -> None:
    """Everything a desk does, once: fills in parts and not at all, stop, target, trim, tighten, exit, flatten."""

    def step(seconds: float = 1.0, **prices: float) -> None:
        tick()
        scene.step(seconds, **prices)

    def send(action: Callable[[], None]) -> None:
        with scene.desk.iteration():
            action()

    send(lambda: scene.enter("AAPL", 50))
    step(1, AAPL=100)
    scene.exchange.faults.partial_fill_frac = 1.0
    send(lambda: scene.enter("MSFT", 40))
    step()
    scene.exchange.faults.partial_fill_frac = 0.0
    for _ in range(4):
        step()
    send(lambda: scene.adjust("trim", "AAPL", quantity=20))
    for _ in range(4):
        step()
    send(lambda: scene.adjust("tighten", "AAPL", stop=97.0))
    step()
    send(lambda: scene.adjust("partial", "MSFT", quantity=10))
    for _ in range(4):
        step()
    scene.pass_time(1, NVDA=100)
    send(lambda: scene.enter("NVDA", 30))
    step(0.1, NVDA=103)
    for _ in range(4):
        step(12)
    step(1, AAPL=96)
    for _ in range(2):
        step()
    send(lambda: scene.adjust("exit", "MSFT"))
    for _ in range(4):
        step()
    step(1, NVDA=125)
    for _ in range(3):
        step()


def exits_of(scene: Scene, symbol: str) -> Decimal:
    """Shares that armed exits of a symbol would sell, the largest order of each group counted; none if it is short."""
    groups: dict[str, Decimal] = {}
    for order in scene.exchange._state.open_orders(symbol):
        if not order.buy and (order.group is None or order.group.entry is None or order.group.armed):
            left, name = order.remaining(Decimal(1)), order.id if order.group is None else order.group.id
            groups[name] = max(groups.get(name, Decimal(0)), left)
    return sum(groups.values(), Decimal(0))


def faults_of(scene: Scene) -> list[str]:
    """What must not be, found at the venue and in the journal."""
    found = []
    orders = scene.exchange.orders("all", limit=500, nested=False)
    for symbol in ("AAPL", "MSFT", "NVDA"):
        held, stopped = scene.held(symbol), scene.stopped(symbol)
        if held < 0:
            found.append(f"{symbol}: sold {-held} that were not there")
        if stopped != abs(held):
            found.append(f"{symbol}: {held} held, {stopped} behind a stop")
        if (exits := exits_of(scene, symbol)) != abs(held):
            found.append(f"{symbol}: {held} held, exits for {exits}")
    if not scene.agrees():
        found.append(f"journal {scene.journal.positions_by_fills()} and venue disagree, or their cash does")
    known = set(scene.journal.venue_ids())
    found += [f"the journal doesn't know {order['id']}" for order in orders if order["id"] not in known]
    entries = [order for order in orders if order["side"] == "buy" and Decimal(order["filled_qty"]) > 0]
    for symbol, most in (("AAPL", 50), ("MSFT", 40), ("NVDA", 30)):
        bought = sum(Decimal(o["filled_qty"]) for o in entries if o["symbol"] == symbol)
        if bought > most * scene.asked.get(symbol, 1):
            found.append(f"{symbol}: {bought} bought, {most} were decided")
    return found


def faults_of_leaving(scene: Scene, within_s: float = 30.0) -> list[str]:
    """End the process, with a venue that answers: what must not be then, however it was just before."""
    log, named = logging.getLogger("brokers.desk.lifecycle.shutdown"), list[str]()
    keep = logging.Handler()
    keep.emit = lambda record: named.append(record.getMessage())
    disabled, level = logging.root.manager.disable, log.level
    logging.disable(logging.NOTSET)
    log.addHandler(keep)
    log.setLevel(logging.INFO)
    before = len(scene.wire.calls)
    sleep, shutdown.time.sleep = shutdown.time.sleep, lambda seconds: scene.pass_time(1)
    try:
        shut_down(scene.desk, within_s)
    finally:
        shutdown.time.sleep = sleep
        log.removeHandler(keep)
        log.setLevel(level)
        logging.disable(disabled)
    scene.pass_time(1)
    found = [
        f"after leaving: sent {what['side']} {what['qty']} {what['symbol']} that protects nothing"
        for name, what in scene.wire.calls[before:]
        if name == "submit" and what.get("order_class") != "oco"
    ]
    for symbol in ("AAPL", "MSFT", "NVDA"):
        held, exits = scene.held(symbol), exits_of(scene, symbol)
        if exits != abs(held):
            found.append(f"after leaving: {symbol}: {held} held, exits for {exits}")
        for order in scene.exchange._state.open_orders(symbol):
            waits = order.role == "entry" or order.group is None
            if waits and not any(symbol in line and "waits on" in line for line in named):
                found.append(f"after leaving: {symbol}: an order that waits is not named")
    return found


def calls_of(folder: Path) -> list[str]:
    """Names of all calls of the scripted day, undisturbed."""
    scene = Scene(folder)
    scripted_day(scene, lambda: None)
    scene.stop()
    return [name for name, _ in scene.wire.calls]


def killed_at(folder: Path, call: int, phase: str) -> tuple[list[str], Naked]:
    """The scripted day, ended at its ``call``-th call; a new process on the same journal; what is wrong then."""
    scene = Scene(folder)
    count = [0]

    def mishap(name: str, when: str) -> None:
        count[0] += when == "before"
        if count[0] == call and when == phase:
            raise Killed

    scene.wire.mishap = mishap
    with suppress(Killed):
        scripted_day(scene, lambda: None)
    scene.exchange.faults.partial_fill_frac = 0.0
    scene.pass_time(1)
    scene.restart()
    naked, found = Naked(), list[str]()
    naked.look(scene)
    for _ in range(RESTART_STEPS):
        scene.step(1)
        naked.look(scene)
    if naked.since:
        found.append(f"{RESTART_STEPS} iterations after the restart still without a stop: {sorted(naked.since)}")
    for _ in range(SETTLE_STEPS):
        scene.step(3)
        naked.look(scene)
    found += faults_of(scene)
    scene.stop()
    return found, naked


def troubled_day(folder: Path, seed: int) -> tuple[list[str], Naked]:
    """A random day with random mishaps; then they end, things settle, and what is wrong is told."""
    chance = Random(seed)
    faults = FaultPlan(
        seed=seed,
        partial_fill_frac=chance.choice([0, 0, 0.1, 0.5]),
        late_release_frac=chance.choice([0, 0, 0.5]),
        late_release=timedelta(seconds=5),
        cancel_race_frac=chance.choice([0, 0, 0.3]),
        replace_refused_frac=chance.choice([0, 0, 0.5]),
        silent_sibling_cancel=chance.random() < 0.3,
    )
    scene = Scene(folder, faults=faults)
    rate = chance.choice([0.0, 0.03, 0.1])

    def mishap(name: str, when: str) -> None:
        if chance.random() >= rate:
            return
        if name in CHANGING:
            raise OutcomeUnknown("no answer") if when == "after" or chance.random() < 0.5 else NotSent("not sent")
        raise VenueUnavailable("no answer")

    scene.wire.mishap = mishap
    deaf, naked = chance.choice([0.0, 0.2, 1.0]), Naked()
    if chance.random() < 0.5:
        scene.told = Babble(chance)
    wrong_clock = chance.random() < 0.3
    price = {"AAPL": 100.0, "MSFT": 100.0, "NVDA": 100.0}
    for _ in range(40):
        symbol = chance.choice(list(price))
        price[symbol] = round(max(20.0, price[symbol] * (1 + chance.gauss(0, 0.012))), 2)
        scene.deaf = chance.random() < deaf
        if wrong_clock:
            scene.clock.wrong = timedelta(seconds=chance.choice([0, 0, 0, 2, -2, 45, -45]))
        scene.step(1, **{symbol: price[symbol]})
        naked.look(scene)
        watch(scene, chance.choice([0, 2, 5, 35]), naked)
        with scene.desk.iteration():
            _act(scene, chance)
        if chance.random() < 0.03:
            scene.restart()
            scene.wire.mishap = mishap
    scene.wire.mishap = lambda name, when: None
    scene.deaf, scene.clock.wrong = False, timedelta(0)
    scene.exchange.faults = FaultPlan(seed=seed)
    found = faults_of_leaving(scene)
    scene.restart()
    for _ in range(SETTLE_STEPS):
        scene.step(3)
        naked.look(scene)
    found += faults_of(scene)
    scene.stop()
    return found, naked


def watch(scene: Scene, seconds: float, naked: Naked) -> None:
    """Time between two iterations, in which the desk is looked after as its monitor does."""
    while seconds > 0:
        pause = min(seconds, BUSY_S if scene.desk.busy else IDLE_S)
        scene.step(pause)
        naked.look(scene)
        seconds -= pause


def _act(scene: Scene, chance: Random) -> None:
    symbol = chance.choice(["AAPL", "MSFT", "NVDA"])
    held = scene.desk.positions.book.quantity(symbol)
    what = chance.choice(["enter", "enter", "trim", "partial", "exit", "tighten", "nothing"])
    pending = scene.desk.entries.pending()
    if what == "enter" and not held and symbol not in pending:
        scene.asked[symbol] = scene.asked.get(symbol, 0) + 1
        scene.enter(symbol, {"AAPL": 50, "MSFT": 40, "NVDA": 30}[symbol], iterate=False)
    elif what in ("trim", "partial") and held > 4:
        scene.adjust(what, symbol, quantity=float(held // 3))
    elif what == "exit" and held:
        scene.adjust("exit", symbol)
    elif what == "tighten" and held:
        scene.adjust("tighten", symbol, stop=float(scene.prices[symbol]) * 0.98)
