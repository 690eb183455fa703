"""What Lumibot is told of orders: everything, once."""

from __future__ import annotations

from typing import Any

import pytest

from brokers.rehearsal.core.faults import FaultPlan
from tests.brokers.alpaca_venue import STRATEGY, Scene
from tests.brokers.rehearsal.venue import Venue

# Half a cent of spread on each side, to the cent.
FILL = ("fill", 10, 100.01)


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_doubled_events_are_told_once(scene: Scene) -> None:
    scene.bracket()
    scene.venue.wait()
    scene.stream(times=3)
    scene.look()
    assert scene.told.without_new() == [FILL]


def test_a_fill_that_the_stream_lost_is_told_by_the_next_look(scene: Scene) -> None:
    order = scene.order()
    scene.broker.submit_order(order)
    scene.venue.wait()
    scene.lose()
    scene.look()
    scene.look()
    assert order.is_filled()
    assert scene.told.without_new() == [FILL]


def test_lost_partial_fills_are_made_up_for(scene: Scene) -> None:
    order = scene.order()
    scene.broker.submit_order(order)
    raw = scene.venue.order(order.identifier)
    for filled, average, status in (("3", "100", "partially_filled"), ("10", "101.4", "filled")):
        event = {"event": "fill", "price": "104", "qty": "2"}
        scene.broker.heard(
            {**event, "order": raw | {"filled_qty": filled, "filled_avg_price": average, "status": status}}
        )
    assert scene.told.without_new() == [("partial_fill", 3, 100), ("fill", 7, 102)]


def test_an_event_that_comes_before_the_answer_is_not_lost(scene: Scene) -> None:
    raw = scene.venue.order(scene.venue.send())
    scene.venue.wait()
    scene.stream()
    assert scene.told.events == []
    scene.broker.track(raw, STRATEGY)
    assert scene.told.without_new() == [FILL]


def test_events_of_orders_that_live_on_end_nothing(scene: Scene) -> None:
    order = scene.bracket(limit_price=90.0, secondary_stop_price=85.0)
    raw = scene.venue.order(order.identifier)
    for status in ("pending_cancel", "pending_replace", "stopped", "suspended", "done_for_day", "calculated"):
        scene.broker.heard({"event": status, "order": raw | {"status": status}})
        assert order.is_active(), status
    scene.broker.heard({"event": "expired", "order": raw | {"status": "expired"}})
    assert scene.told.without_new() == [("canceled",)]
    assert order.transactions == []


def test_an_order_of_the_desk_is_tracked_with_its_legs(scene: Scene) -> None:
    entry, target, stop = scene.venue.bracket()
    scene.broker.track(scene.venue.order(entry, nested=True), STRATEGY)
    assert {o.identifier for o in scene.broker.get_tracked_orders(STRATEGY)} == {entry, target, stop}
    scene.venue.wait()
    scene.stream()
    moved = scene.venue.replace(stop, {"stop_price": "97"})
    scene.broker.track(moved, STRATEGY)
    scene.venue.wait()
    scene.stream()
    scene.look()
    assert scene.told.without_new() == [FILL]
    assert scene.broker.find(stop).stop_price == 97.0
    assert len(scene.broker.get_tracked_orders(STRATEGY)) == 3


def test_orders_of_an_earlier_run_are_adopted_without_their_history(scene: Scene) -> None:
    name = scene.venue.send(kind="limit", limit_price="90")
    scene.look()
    assert [o.identifier for o in scene.broker.get_tracked_orders(STRATEGY)] == [name]
    scene.look()
    assert scene.told.events == []


def test_an_old_snapshot_does_not_bring_an_order_back(scene: Scene) -> None:
    order = scene.order()
    scene.broker.submit_order(order)
    scene.broker.refresh()
    scene.venue.wait()
    scene.stream()
    scene.broker.sync_orders(None)
    assert order.is_filled()
    assert scene.client.asked.count("order") == 0


def test_listeners_hear_of_orders_that_nobody_here_knows(scene: Scene) -> None:
    heard: list[Any] = []
    scene.broker.trade_listeners.append(heard.append)
    scene.venue.send()
    scene.venue.wait()
    scene.stream()
    assert [event["event"] for event in heard] == [event["event"] for event in scene.venue.events]
    assert scene.broker.get_tracked_orders(STRATEGY) == []


def test_an_old_snapshot_does_not_move_a_stop_back(scene: Scene) -> None:
    stop = scene.bracket().child_orders[1]
    scene.venue.wait()
    scene.stream()
    scene.broker.refresh()
    scene.broker.modify_order(stop, stop_price=97.0)
    new = stop.identifier
    scene.broker.sync_orders(None)
    assert (stop.identifier, stop.stop_price) == (new, 97.0)
    assert scene.client.asked.count("order") == 0


def test_an_old_row_does_not_take_back_what_is_known(scene: Scene) -> None:
    order = scene.bracket(limit_price=90.0, secondary_stop_price=85.0)
    raw = scene.venue.order(order.identifier)
    later = raw | {"updated_at": "2026-03-10T15:00:00Z", "status": "pending_cancel"}
    scene.broker.heard({"event": "pending_cancel", "order": later})
    scene.broker.heard({"event": "new", "order": raw})
    assert order.status == "cancelling"


@pytest.mark.parametrize("told", [{"order_replace_rejected", "rejected"}, {"rejected"}, set()])
def test_a_stop_whose_replacement_was_refused_stands_as_it_was(told: set[str]) -> None:
    scene = Scene(Venue(faults=FaultPlan(replace_refused_frac=1)))
    stop = scene.bracket().child_orders[1]
    scene.venue.wait()
    scene.stream()
    old = stop.identifier
    scene.broker.modify_order(stop, stop_price=97.0)
    assert stop.identifier != old
    scene.venue.wait()
    for event in scene.venue.events:
        if event["event"] in told:
            scene.broker.heard(event)
    scene.look()
    assert (stop.identifier, stop.stop_price) == (old, 95.0)
    assert stop.is_active()


def test_an_order_that_is_newer_than_the_snapshot_is_not_missed(scene: Scene) -> None:
    scene.broker.refresh()
    scene.bracket(limit_price=90.0, secondary_stop_price=85.0)
    scene.broker.sync_orders(None)
    assert scene.client.asked.count("order") == 0
