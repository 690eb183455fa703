"""Fractions of a share, by hand or by a split: whole shares keep their stop, and everything can be left."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from brokers.alpaca.errors import AlpacaRefusal
from brokers.desk.entry_halts import KillLevel
from tests.brokers.desk.scene import Scene


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """49 shares of ours, of which a hand has sold a half after cancelling the exits."""
    scene = Scene(tmp_path)
    scene.enter()
    scene.settle(2)
    scene.exchange.cancel(next(order["id"] for order in scene.open() if order["type"] == "stop"))
    for _ in range(2):
        scene.pass_time(1)
    by_hand(scene, "sell", "0.5")
    scene.wire.calls.clear()
    yield scene
    scene.stop()


def by_hand(scene: Scene, side: str, quantity: str) -> None:
    scene.exchange.submit({"symbol": "AAPL", "qty": quantity, "side": side, "type": "market", "time_in_force": "day"})
    scene.pass_time(1)


def singles(scene: Scene) -> list[tuple[str, str, str]]:
    sent = [what for name, what in scene.wire.calls if name == "submit" and "order_class" not in what]
    return [(order["qty"], order["type"], order["time_in_force"]) for order in sent]


def test_whole_shares_keep_their_stop_and_the_fraction_is_told_once(scene, caplog):
    scene.settle(6, 30)
    assert (scene.held(), scene.stopped()) == (Decimal("48.5"), 48)
    assert caplog.text.count("0.5 of a share cannot be behind a stop") == 1
    # Nothing is under way for it.
    assert scene.desk.protector.log.present == {}
    assert not scene.desk.busy
    assert scene.desk.reconcile().positions["AAPL"].protected_quantity == 48


@pytest.mark.parametrize("how", ["exit", "flatten"])
def test_the_whole_shares_are_sold_and_then_the_fraction_at_market(scene, how):
    scene.settle(4)
    scene.wire.calls.clear()
    if how == "exit":
        scene.adjust("exit")
    else:
        scene.desk.halts.kill.pull(KillLevel.FLATTEN)
    scene.settle(8)
    assert singles(scene) == [("48", "limit", "day"), ("0.5", "market", "day")]
    assert scene.held() == 0
    assert scene.open() == []
    assert scene.agrees()


def test_a_trim_leaves_whole_shares_protected(scene):
    scene.settle(4)
    scene.adjust("trim", quantity=20)
    scene.settle(6)
    assert (scene.held(), scene.stopped()) == (Decimal("28.5"), 28)


def test_the_fraction_follows_when_the_stop_has_sold_the_rest(scene):
    scene.settle(4)
    scene.step(1, AAPL=94)
    scene.settle(5)
    assert scene.held() == 0
    assert [(t.quantity, t.exit_reason) for t in scene.desk.record.trades[-2:]] == [(48, "stop"), (0.5, "close")]


def test_an_adopted_position_with_a_fraction_gets_its_stop(tmp_path):
    scene = Scene(tmp_path, overrides=["live.adopt=[AAPL]"])
    by_hand(scene, "buy", "10.5")
    scene.settle(5)
    assert (scene.held(), scene.stopped()) == (Decimal("10.5"), 10)
    scene.stop()


def test_an_adopted_fraction_alone_is_kept(tmp_path):
    scene = Scene(tmp_path, overrides=["live.adopt=[AAPL]"])
    by_hand(scene, "buy", "0.5")
    scene.settle(5)
    assert scene.held() == Decimal("0.5")
    assert not scene.desk.busy
    scene.stop()


def test_a_fraction_that_the_venue_does_not_take_is_tried_less_and_less_often(scene):
    scene.settle(4)
    submit = scene.wire.submit

    def refuse(payload):
        if Decimal(payload["qty"]) < 1:
            scene.wire.calls.append(("submit", payload))
            raise AlpacaRefusal(422, None, 'asset "AAPL" is not fractionable', {})
        return submit(payload)

    scene.wire.submit = refuse
    scene.wire.calls.clear()
    scene.adjust("exit")
    scene.settle(300, 2)
    assert scene.held() == Decimal("0.5")
    assert len(singles(scene)) < 20
