"""Several positions are closed in turn: a process that is killed in the middle leaves few of them without exits."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from brokers.desk.entry_halts import KillLevel
from brokers.desk.execution import closing
from brokers.rehearsal.core.faults import FaultPlan
from tests.brokers.desk import scene as scenes
from tests.brokers.desk.scene import Scene

SIX = ("AAPL", "AMD", "MSFT", "NVDA", "PLTR", "TSLA")
ANSWER_S = 0.3


class Watched:
    """Lets time pass with each request, and counts the positions that have neither a stop nor a sale after it."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.most = 0
        scene.wire.mishap = self.see

    def see(self, name: str, phase: str) -> None:
        if phase == "before":
            self.scene.exchange.on_quote(self.scene.exchange.now + timedelta(seconds=ANSWER_S), {})
        bare = [row["symbol"] for row in self.scene.exchange.positions() if not self._covered(row)]
        self.most = max(self.most, len(bare))

    def _covered(self, row) -> bool:
        held, resting = Decimal(row["qty"]), self.scene.open(row["symbol"])
        sold = sum(Decimal(o["qty"]) - Decimal(o["filled_qty"]) for o in resting if o["type"] != "stop")
        return self.scene.stopped(row["symbol"]) >= held or sold >= held


def six_held(folder: Path, faults: FaultPlan | None = None) -> Scene:
    scene = Scene(folder, faults=faults)
    for symbol in SIX:
        scene.enter(symbol, 10)
        scene.settle(2)
    assert [scene.stopped(symbol) for symbol in SIX] == [9] * 6
    return scene


@pytest.fixture(autouse=True)
def six_symbols(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scenes, "SYMBOLS", SIX)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    scene = six_held(tmp_path)
    yield scene
    scene.stop()


def until_flat(scene: Scene, steps: int = 60) -> float:
    """Venue seconds until nothing is held."""
    began = scene.exchange.now
    for _ in range(steps):
        scene.step(0.25)
        if not scene.exchange.positions():
            return (scene.exchange.now - began).total_seconds()
    raise AssertionError(f"held after {steps} steps: {[row['symbol'] for row in scene.exchange.positions()]}")


def test_flatten_leaves_few_positions_without_exits_at_a_time(scene):
    watched = Watched(scene)
    scene.desk.halts.kill.pull(KillLevel.FLATTEN)
    took = until_flat(scene)
    assert watched.most <= closing.AT_ONCE
    assert scene.agrees() and [scene.open(symbol) for symbol in SIX] == [[]] * 6
    # All at once took 10.7 s, with up to six of them bare.
    assert took < 15


def test_exits_that_rules_decide_on_together_are_sent_in_turn_too(scene):
    watched = Watched(scene)
    for symbol in SIX:
        scene.adjust("exit", symbol)
    until_flat(scene)
    assert watched.most <= closing.AT_ONCE


def test_what_waits_for_its_turn_keeps_its_exits_and_may_leave_by_them(scene):
    scene.desk.halts.kill.pull(KillLevel.FLATTEN)
    scene.step(0.1)
    scene.pass_time(0.1)
    assert [scene.stopped(symbol) for symbol in SIX] == [0, 0, 9, 9, 9, 9]
    scene.pass_time(0.1, TSLA=94)
    scene.pass_time(0.1)
    assert scene.held("TSLA") == 0
    until_flat(scene)
    assert scene.agrees()


def test_one_whose_shares_do_not_come_back_keeps_the_others_waiting_for_a_while_only(tmp_path):
    scene = six_held(tmp_path, FaultPlan(late_release_frac=1.0, late_release=timedelta(seconds=20)))
    scene.desk.halts.kill.pull(KillLevel.FLATTEN)
    scene.settle(70)
    assert scene.exchange.positions() == []
    assert scene.agrees()
    scene.stop()


def test_a_position_without_exits_is_sold_without_waiting(scene):
    (stop,) = [order for order in scene.open("TSLA") if order["type"] == "stop"]
    scene.exchange.cancel(stop["id"])
    scene.deaf = True
    scene.pass_time(1)
    scene.pass_time(1)
    scene.desk.halts.kill.pull(KillLevel.FLATTEN)
    scene.step(0.5)
    assert [order["type"] for order in scene.open("TSLA")] == ["limit"]
    until_flat(scene)
