"""One position after the other in the same symbol: each has levels of its own, whatever the last one left."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.brokers.desk.scene import Json, Scene


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """A position that was bought at 100 and left at its target, and a market at 150."""
    scene = Scene(tmp_path)
    scene.enter()
    scene.settle(2)
    scene.adjust("tighten", stop=97.0)
    scene.settle(2)
    scene.step(1, AAPL=115.2)
    scene.settle(2)
    assert scene.held() == 0
    scene.step(60, AAPL=150)
    scene.wire.calls.clear()
    yield scene
    scene.stop()


def exits_sent(scene: Scene) -> list[tuple[str, str, str]]:
    sent = [what for name, what in scene.wire.calls if name == "submit" and what.get("order_class") == "oco"]
    return [(o["qty"], o["stop_loss"]["stop_price"], o["take_profit"]["limit_price"]) for o in sent]


def order_of(scene: Scene, kind: str) -> Json:
    (order,) = (order for order in scene.open() if order["type"] == kind)
    return order


def test_a_trim_of_the_second_position_leaves_the_rest_at_its_own_levels(scene):
    scene.enter("AAPL", 60)
    scene.settle(2)
    assert scene.held() == 59
    scene.adjust("trim", quantity=10)
    scene.settle(4)
    assert exits_sent(scene) == [("49", "142.51", "172.51")]
    assert scene.held() == scene.stopped() == 49
    assert scene.desk.record.trades[-1].exit_reason == "trim"
    position = scene.desk.reconcile().positions["AAPL"]
    assert (position.stop, position.target) == (142.51, 172.51)


def test_a_part_of_the_second_entry_is_covered_at_its_own_levels(scene):
    scene.in_part("AAPL", 151, lambda: scene.enter("AAPL", 60))
    part = scene.held()
    assert 0 < part < 59
    scene.settle(2)
    assert exits_sent(scene)[0] == (str(part), "142.51", "172.51")
    scene.settle(12)
    assert scene.held() == scene.stopped() == 59


def test_a_target_that_a_hand_moved_is_kept_after_a_restart(scene):
    scene.enter("AAPL", 60)
    scene.settle(2)
    scene.exchange.replace(order_of(scene, "limit")["id"], {"limit_price": "160"})
    scene.settle(2)
    assert scene.desk.reconcile().positions["AAPL"].target == 160
    scene.exchange.cancel(order_of(scene, "stop")["id"])
    scene.pass_time(1)
    assert scene.open() == []
    scene.restart()
    scene.settle(2)
    assert Decimal(order_of(scene, "limit")["limit_price"]) == 160
    assert Decimal(order_of(scene, "stop")["stop_price"]) == Decimal("142.51")
