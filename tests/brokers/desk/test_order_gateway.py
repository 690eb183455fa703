"""The only door: gate, journal, wire, in this order, and what becomes of an order without an answer."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from brokers.alpaca.client import order_named
from brokers.desk.execution.order_gateway import OrderRefused
from brokers.desk.execution.order_requests import single
from brokers.journal import AlreadyPlanned, State
from brokers.order_types import VenueReason
from brokers.venue_errors import NotSent, VenueRefusal
from tests.brokers.desk.scene import Scene, lost


@pytest.fixture
def scene(scene: Scene) -> Scene:
    scene.desk.reconcile()
    return scene


def buy(scene: Scene, quantity: float = 10, **options):
    options = {"opens": True, "quote": 100.01} | options
    return scene.gateway.place(
        single("AAPL", "buy", quantity, 100.03), "entry", scene.exchange.now, levels=(95, 115), **options
    )


def asks(scene: Scene):
    """What the wire asks before it sends: whether a request may leave, and whether it is urgent."""
    allowed = scene.admission
    return (
        lambda method, path, body: allowed.admits(order_named(method, path, body)),
        lambda method, path, body: allowed.urgent(order_named(method, path, body)),
    )


def sent(scene: Scene) -> list[dict[str, object]]:
    return [what for name, what in scene.wire.calls if name == "submit"]


def stored(scene: Scene) -> list:
    return scene.journal.run_orders()


def test_an_order_carries_the_name_under_which_it_was_journaled(scene):
    def mishap(name: str, when: str) -> None:
        if (name, when) == ("submit", "before"):
            assert [o.state for o in stored(scene)] == [State.JOURNALED]

    scene.wire.mishap = mishap
    order = buy(scene)
    assert sent(scene)[0]["client_order_id"] == order.client_order_id
    assert order.venue_id
    assert order.state in (State.SENT, State.WORKING)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"quantity": 200}, "GATE_ORDER_NOTIONAL"),
        ({"quantity": 1.5}, "GATE_LOT"),
        ({"quote": float("nan")}, "GATE_QUOTE"),
        ({"quote": 80.0, "reference": 100.0}, "GATE_COLLAR"),
    ],
)
def test_what_the_gate_refuses_is_neither_journaled_nor_sent(scene, changes, code):
    with pytest.raises(OrderRefused, match=code):
        buy(scene, **changes)
    assert stored(scene) == sent(scene) == []


def test_a_refusal_of_the_venue_ends_the_order(scene):
    scene.exchange.submit({"symbol": "AAPL", "qty": "5", "side": "buy", "type": "market", "time_in_force": "day"})
    scene.pass_time(1)
    with pytest.raises(OrderRefused, match="VENUE_REFUSED: insufficient qty") as refused:
        scene.gateway.place(single("AAPL", "sell", 9, 99), "close", scene.exchange.now)
    assert refused.value.venue.status == 403
    assert stored(scene)[-1].state is State.REJECTED


def test_an_order_that_was_not_sent_is_over(scene):
    def mishap(name: str, when: str) -> None:
        raise NotSent("the circuit breaker is open")

    scene.wire.mishap = mishap
    with pytest.raises(OrderRefused, match="NOT_SENT"):
        buy(scene)
    assert stored(scene)[0].state is State.REJECTED


@pytest.mark.parametrize("phase", ["before", "after"])
def test_a_lost_answer_is_looked_up_and_never_sent_again(scene, phase):
    scene.wire.mishap = lost("submit", phase)
    order = buy(scene)
    assert order.state is State.UNKNOWN
    scene.settle(14, 5)
    assert [order["side"] for order in sent(scene)].count("buy") == 1
    found = scene.journal.order(order.client_order_id)
    assert found.state is (State.LOST if phase == "before" else State.FILLED)
    assert scene.held() == (0 if phase == "before" else 10)
    assert scene.agrees()


def test_the_venue_knowing_the_id_means_that_it_came_through(scene):
    real = scene.wire.submit

    def twice(payload):
        real(payload)
        return real(payload)

    scene.wire.submit = twice
    order = buy(scene)
    assert order.venue_id
    scene.settle(2)
    assert scene.held() == 10


def test_the_same_order_is_not_planned_twice(scene):
    intent = scene.gateway.intent(
        "AAPL", "buy", Decimal(10), "limit", "entry", scene.exchange.now, limit=Decimal("100.03")
    )
    scene.journal.plan_order(intent)
    with pytest.raises(AlreadyPlanned):
        scene.journal.plan_order(intent)


def test_only_requests_of_the_counter_are_admitted(scene):
    seen = []
    admits, _ = asks(scene)

    def mishap(name: str, when: str) -> None:
        if name == "submit":
            mine = {"client_order_id": sent(scene)[-1]["client_order_id"]}
            seen.append(admits("POST", "/orders", mine))
            seen.append(admits("POST", "/orders", {"client_order_id": "another"}))
            seen.append(admits("POST", "/orders", None))
            seen.append(admits("DELETE", "/positions", None))

    scene.wire.mishap = mishap
    order = buy(scene)
    assert seen == [True, False, False, False] * 2
    assert not admits("POST", "/orders", {"client_order_id": order.client_order_id})
    assert not admits("DELETE", "/orders", None)
    assert not admits("GET", "/orders", None)


def test_a_cancel_is_admitted_by_the_venues_id(scene):
    order, gateway, seen = buy(scene), scene.gateway, []
    admits, _ = asks(scene)
    scene.wire.mishap = lambda name, when: seen.append(admits("DELETE", f"/orders/{order.venue_id}", None))
    assert gateway.cancel(order.venue_id)
    assert seen == [True, True]


def test_a_cancel_that_was_accepted_is_not_asked_for_again_before_a_later_look(scene):
    order, gateway = buy(scene), scene.gateway
    scene.wire.calls.clear()

    def asked() -> int:
        return [name for name, _ in scene.wire.calls].count("cancel")

    assert gateway.cancel(order.venue_id) and gateway.cancel(order.venue_id)
    scene.pass_time(4)
    assert gateway.cancel(order.venue_id), "no look has shown what came of it"
    gateway.cancel_again(order.venue_id, scene.clock.now() - timedelta(seconds=9))
    assert asked() == 1
    assert not gateway.cancel(order.venue_id, seen_open=True), "whoever looks by itself may ask; it has ended"
    assert asked() == 2
    scene.desk.look()
    scene.pass_time(4)
    assert not gateway.cancel(order.venue_id), "by then it has ended, and the venue says so"
    assert asked() == 3


def test_an_order_that_the_venue_does_not_know_is_cancelled_once_before_a_later_look(scene):
    order, gateway = buy(scene), scene.gateway
    scene.wire.calls.clear()

    def gone(name: str, when: str) -> None:
        raise VenueRefusal("EOrder:Unknown order", VenueReason.NOT_FOUND)

    scene.wire.mishap = gone
    assert not gateway.cancel(order.venue_id) and not gateway.cancel(order.venue_id)
    assert [name for name, _ in scene.wire.calls] == ["cancel"]


def test_exits_and_cancels_are_urgent_and_entries_are_not(scene):
    seen = []
    _, urgent = asks(scene)

    def mishap(name: str, when: str) -> None:
        if (name, when) == ("submit", "before"):
            seen.append((name, urgent("POST", "/orders", sent(scene)[-1])))
        if (name, when) in (("replace", "before"), ("cancel", "before")):
            venue_id, patch = what if isinstance(what := scene.wire.calls[-1][1], tuple) else (what, None)
            seen.append((name, urgent("PATCH" if patch else "DELETE", f"/orders/{venue_id}", patch)))

    scene.wire.mishap = mishap
    scene.enter("AAPL", 50)
    scene.settle(3)
    scene.adjust("tighten", "AAPL", stop=97.0)
    scene.settle(2)
    scene.adjust("exit", "AAPL")
    scene.settle(3)
    assert scene.held() == 0
    assert seen == [("submit", False), ("replace", True), ("cancel", True), ("submit", True)]
    assert not urgent("POST", "/orders", {"client_order_id": "another"})


def test_a_cancel_without_an_answer_counts_as_asked(scene):
    order = buy(scene)
    scene.wire.mishap = lost("cancel", "before")
    assert scene.gateway.cancel(order.venue_id)
