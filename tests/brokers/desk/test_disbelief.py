"""Orders of ours that the venue shows in words nobody knows, or as something else than what was sent."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from brokers.journal import State
from tests.brokers.desk.scene import Json, Scene, changes, held


@pytest.fixture
def scene(scene: Scene) -> Scene:
    held(scene)
    return scene


def show(scene: Scene, meant: str, **changed: Any) -> list[bool]:
    """The venue shows orders of a type otherwise than they are; an empty list afterwards shows them as they are."""
    on = [True]

    def row(raw: Json) -> Json:
        legs = [row(leg) for leg in raw.get("legs") or ()] or None
        return {**raw, "legs": legs, **(changed if on and raw["type"] == meant else {})}

    for name in ("orders_since", "open_orders", "order", "submit"):
        whole = getattr(scene.wire, name)

        def shown(*given: Any, whole: Any = whole) -> Any:
            answer = whole(*given)
            return [row(raw) for raw in answer] if isinstance(answer, list) else row(answer)

        setattr(scene.wire, name, shown)
    return on


@pytest.mark.parametrize("changed", [{"type": "stop_on_quote", "order_type": "stop_on_quote"}, {"status": "dozing"}])
def test_exits_that_cannot_be_read_count_and_nothing_more_is_sent(scene, caplog, changed):
    on = show(scene, "stop", **changed)
    scene.deaf = True
    scene.settle(10)
    scene.adjust("exit")
    scene.adjust("tighten", stop=98.0)
    scene.settle(10)
    assert changes(scene) == []
    assert scene.positions.protection("AAPL").protected == 49
    assert scene.desk.protector.log.present == {}
    assert caplog.text.count("AAPL: nothing is sent in it before that changes") == 1
    assert scene.positions.doubt("AAPL")
    on.clear()
    scene.settle(6)
    assert scene.held() == 0
    assert scene.agrees()


def test_a_pair_whose_stop_cannot_be_read_in_the_answer_is_not_sent_again(tmp_path):
    scene = Scene(tmp_path)
    scene.deaf = True
    on = show(scene, "stop", type="stop_on_quote", order_type="stop_on_quote")
    scene.enter("AAPL", 50)
    scene.settle(10)
    assert changes(scene) == ["submit"]
    on.clear()
    scene.settle(3)
    assert changes(scene) == ["submit"]
    assert scene.held() == scene.stopped() == 49
    scene.stop()


def test_an_order_that_a_hand_sent_in_words_nobody_knows_costs_us_no_stop(scene):
    scene.exchange.submit(
        {"symbol": "AAPL", "side": "buy", "qty": "5", "type": "limit", "limit_price": "80", "time_in_force": "gtc"}
    )
    stop = next(order for order in scene.open() if order["type"] == "stop")
    scene.exchange.cancel(stop["id"])
    whole = scene.wire.open_orders
    scene.wire.open_orders = lambda: [
        {**row, "type": "iceberg"} if row["limit_price"] == "80" else row for row in whole()
    ]
    scene.settle(4)
    assert scene.stopped() == 49


@pytest.mark.parametrize(
    "changed",
    [
        {"symbol": "TSLA"},
        {"side": "buy"},
        {"qty": "999999"},
        {"symbol": "TSLA", "side": "buy", "qty": "999999"},
    ],
)
def test_an_order_shown_as_another_is_neither_booked_nor_cancelled(scene, caplog, changed):
    show(scene, "stop", **changed)
    scene.deaf = True
    scene.settle(8)
    assert changes(scene) == []
    assert scene.stopped() == 49
    assert scene.agrees()
    assert "AAPL: the venue contradicts the journal, no entries this session" in caplog.text
    assert "journal" in scene.journal.halts(scene.exchange.now.date())
    assert scene.positions.book.symbols == {"AAPL"}


@pytest.mark.parametrize(
    "changed",
    [
        {"symbol": "TSLA", "side": "sell", "qty": "999999", "filled_qty": "999999", "filled_avg_price": "0.01"},
        {"filled_avg_price": "0.01", "filled_qty": "49", "status": "filled"},
        {"filled_avg_price": "100", "filled_qty": "50", "status": "filled"},
        {"side": "sell"},
    ],
)
def test_an_answer_that_is_about_something_else_is_not_booked(tmp_path, caplog, changed):
    scene = Scene(tmp_path)
    scene.deaf = True
    submit = scene.wire.submit
    scene.wire.submit = lambda payload: {**submit(payload), **changed}
    scene.exchange.on_quote(scene.exchange.now, {"AAPL": Decimal(101)})
    scene.enter("AAPL", 50)
    (order,) = scene.journal.run_orders()
    assert (order.state, order.filled_quantity) == (State.UNKNOWN, 0)
    assert "nothing is booked" in caplog.text
    scene.step(1)
    assert "journal" in scene.journal.halts(scene.exchange.now.date())
    scene.enter("MSFT", 50)
    assert [order.symbol for order in scene.journal.run_orders() if order.role == "entry"] == ["AAPL"]
    scene.settle(6)
    assert scene.agrees()
    assert scene.protected()
    scene.stop()
