"""A sale of the process before whose answer nobody heard, while its position is to be closed."""

from __future__ import annotations

from typing import Any

import pytest

from brokers.desk.entry_halts import KillLevel
from brokers.rehearsal.alpaca.errors import ApiError
from tests.brokers.desk.closing_scene import closes
from tests.brokers.desk.scene import Scene, held, lost


class Killed(BaseException):
    """The process ends within a request."""


def killed_within(scene: Scene, sale: str) -> list[Any]:
    """The process dies within a sale's request after its exits were cancelled, and starts again; what it had sent."""
    sent, submit = [], scene.wire.submit

    def killed(payload: Any) -> Any:
        if payload.get("order_class"):
            # What stays of the position gets its stop back before its sale.
            return submit(payload)
        sent.append(dict(payload))
        raise Killed

    held(scene)
    scene.wire.submit = killed
    with pytest.raises(Killed):
        if sale == "flatten":
            scene.desk.halts.kill.pull(KillLevel.FLATTEN)
            scene.settle(6)
        else:
            scene.adjust("trim", quantity=20)
            scene.settle(6)
    scene.desk.halts.kill.pull(KillLevel.FLATTEN)
    assert len(sent) == 1 and scene.stopped() < 49
    scene.restart()
    return sent


def sold(scene: Scene) -> float:
    rows = scene.exchange.orders("all", nested=True, limit=500)
    flat = {order["id"]: order for row in rows for order in (row, *(row["legs"] or ()))}
    return sum(float(order["filled_qty"]) for order in flat.values() if order["side"] == "sell")


@pytest.mark.parametrize("sale", ["flatten", "trim"])
def test_a_sale_that_the_venue_never_took_gives_way_to_the_stop_after_seconds(scene, sale):
    killed_within(scene, sale)
    scene.settle(6)
    assert scene.stopped() == 49 and closes(scene) == []
    scene.settle(70)
    assert scene.held() == 0 and sold(scene) == 49 and scene.desk.flattened
    assert scene.agrees()


@pytest.mark.parametrize("sale", ["flatten", "trim"])
@pytest.mark.parametrize("after_s", [1, 20, 45])
def test_a_sale_that_comes_late_sells_nothing_twice(scene, sale, after_s):
    (payload,) = killed_within(scene, sale)
    scene.settle(after_s)
    try:
        scene.exchange.submit(payload)
    except ApiError:
        assert after_s > 1 and scene.stopped() == 49, "its shares are behind the stop by then"
    scene.settle(80)
    assert scene.held() == 0 and sold(scene) == 49 and scene.desk.flattened
    assert scene.agrees()


def test_a_sale_that_comes_at_once_is_followed_and_not_sent_again(scene):
    (payload,) = killed_within(scene, "flatten")
    scene.step(0.2)
    scene.exchange.submit(payload)
    scene.settle(6)
    assert scene.held() == 0 and closes(scene) == []
    assert scene.agrees()


def test_shares_are_behind_a_stop_while_another_order_without_an_answer_keeps_their_close_waiting(scene):
    """Here a stop: neither it nor anything else is at the venue."""
    held(scene)
    (stop,) = (order for order in scene.open() if order["type"] == "stop")
    scene.exchange.cancel(stop["id"])
    scene.wire.mishap = lost("submit", "before")
    scene.settle(2)
    assert {order.role for order in scene.positions.unresolved("AAPL")} == {"target"}
    scene.restart()
    scene.desk.halts.kill.pull(KillLevel.FLATTEN)
    scene.settle(5)
    assert scene.stopped() == 49
    scene.settle(25)
    assert scene.held() == 0 and sold(scene) == 49
