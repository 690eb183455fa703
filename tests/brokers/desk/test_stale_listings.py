"""Listings of a moment ago: what a stream, an answer or an earlier look told of an order since then stays known."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from brokers.order_types import State
from tests.brokers.desk.scene import Json, Scene, changes, fill, held


class Late:
    """Shows the scene's orders in listings as they were so many seconds ago; single orders and positions are fresh."""

    def __init__(self, scene: Scene, seconds: float) -> None:
        self.scene, self.lag = scene, timedelta(seconds=seconds)
        self._past: list[tuple[datetime, list[Json]]] = []
        wire: Any = scene.wire
        wire.open_orders = lambda: self._listed("open_orders", self._open)
        wire.orders_since = lambda after, nested=True: self._listed(
            "orders_since", lambda rows: [row for row in rows if datetime.fromisoformat(row["submitted_at"]) > after]
        )
        self.keep()

    def keep(self) -> None:
        """Remember how orders are listed now."""
        rows = self.scene.exchange.orders("all", limit=500, direction="asc", nested=True)
        self._past.append((self.scene.exchange.now, deepcopy(rows)))

    def pass_time(self, seconds: float = 1.0, **prices: float) -> None:
        """As the scene does, in small steps which are remembered."""
        self.scene.pass_time(0, **prices)
        for _ in range(round(seconds / 0.25)):
            self.keep()
            self.scene.pass_time(0.25)
        self.keep()

    def step(self, seconds: float = 1.0, **prices: float) -> None:
        self.pass_time(seconds, **prices)
        self.scene.step(0)

    def _listed(self, name: str, chosen: Any) -> list[Json]:
        self.scene.wire.calls.append((name, None))
        until = self.scene.exchange.now - self.lag
        seen = [rows for time, rows in self._past if time <= until]
        return chosen(deepcopy(seen[-1] if seen else self._past[0][1]))

    @staticmethod
    def _open(rows: list[Json]) -> list[Json]:
        ends = ("filled", "canceled", "expired", "rejected", "replaced")
        return [row for row in rows if any(r["status"] not in ends for r in (row, *(row["legs"] or ())))]


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    scene = Scene(tmp_path)
    yield scene
    scene.stop()


def stop_of(scene: Scene) -> Any:
    return next(o for o in scene.exchange._state.open_orders("AAPL") if o.type == "stop")


def test_a_stop_that_sells_in_parts_is_no_surplus_by_a_listing_of_before(scene):
    held(scene)
    late = Late(scene, 1.5)
    stop = stop_of(scene)
    scene.exchange._life.fill(stop, Decimal(24), Decimal(95))
    scene.hand_on()
    late.step(0.5)
    assert scene.positions.book.quantity("AAPL") == 25
    assert changes(scene) == []
    assert scene.positions.protection("AAPL").protected == 25


def test_a_bracket_whose_entry_has_filled_is_left_whole_by_a_listing_of_before(scene, caplog):
    scene.desk.reconcile()
    late = Late(scene, 1.5)
    scene.exchange.on_quote(scene.exchange.now, {"AAPL": Decimal(102)})
    scene.enter(iterate=False)
    late.pass_time(2)
    (entry,) = (order for order in scene.exchange._state.open_orders("AAPL") if order.buy)
    assert not entry.filled_qty
    fill(scene, int(entry.qty))
    scene.wire.calls.clear()
    for _ in range(8):
        late.step(0.25)
        assert scene.positions.protection("AAPL").protected == 49
    assert changes(scene) == []
    assert "without a working stop" not in caplog.text


@pytest.mark.parametrize("forgotten", [False, True])
def test_an_order_that_has_ended_comes_back_by_no_listing(scene, forgotten):
    held(scene)
    late = Late(scene, 1.5)
    scene.exchange.cancel(stop_of(scene).id)
    scene.pass_time(0.25)
    scene.pass_time(0.25)
    assert scene.open() == []
    if forgotten:
        # A listing in between has shown none of it any more; the journal has its end.
        scene.state.view.orders = {name: o for name, o in scene.state.view.orders.items() if o.open}
    late.step(0.25)
    assert scene.stopped() == 49
    for _ in range(12):
        late.step(0.5)
    assert scene.stopped() == 49
    assert changes(scene) == ["submit"]


def test_what_is_listed_otherwise_for_long_is_asked_for_and_the_answer_counts(scene):
    held(scene)
    stop = stop_of(scene)
    # Nobody knows why, and the venue never says so again.
    known = replace(scene.state.view.orders[stop.id], state=State.CANCELLED, status="canceled")
    scene.state.view.orders[stop.id] = known
    scene.wire.calls.clear()

    def asked() -> int:
        return [name for name, _ in scene.wire.calls].count("order")

    scene.pass_time(1)
    scene.desk.look()
    assert scene.state.view.orders[stop.id].state is State.CANCELLED
    scene.pass_time(5)
    scene.desk.look()
    assert asked() == 0
    scene.pass_time(6)
    scene.desk.look()
    assert asked() == 1
    for _ in range(3):
        assert scene.state.view.orders[stop.id].open
        scene.pass_time(4)
        scene.desk.look()
    assert asked() == 1


@pytest.mark.parametrize("told", ["all", "no stop"])
def test_a_bracket_that_fills_at_once_is_known_before_it_is_listed(scene, told):
    scene.desk.reconcile()
    late = Late(scene, 1.5)
    if told == "no stop":
        scene.told = lambda events: [event for event in events if event["order"]["type"] != "stop"]
    late.pass_time(2)
    scene.enter(iterate=False)
    for _ in range(12):
        late.step(0.25)
        assert scene.positions.protection("AAPL").protected == 49 and scene.desk.protector.log.present == {}
    assert changes(scene) == ["submit"] and scene.held() == scene.stopped() == 49


def test_a_target_that_is_told_alone_just_after_the_entry_is_not_taken_for_one_without_a_stop(scene):
    scene.desk.reconcile()
    late = Late(scene, 1.5)
    late.pass_time(2)
    scene.enter(iterate=False)
    late.pass_time(0.25)
    view = scene.state.view
    view.orders = {name: order for name, order in view.orders.items() if not order.is_stop}
    scene.desk.work()
    assert changes(scene) == ["submit"], "not told of its stop, and not listed yet"
    for _ in range(12):
        late.step(0.25)
    assert changes(scene) == ["submit"] and scene.held() == scene.stopped() == 49


def test_an_answer_of_before_does_not_outweigh_what_was_told_since(scene):
    held(scene)
    stop = stop_of(scene)
    late = Late(scene, 12)
    # So late that the part which it sells is asked for by itself.
    scene.exchange._life.fill(stop, Decimal(24), Decimal(95))
    scene.hand_on()
    for _ in range(24):
        late.step(0.5)
    late.lag = timedelta(seconds=1.5)
    for _ in range(6):
        late.step(0.5)
    scene.wire.calls.clear()
    scene.exchange.cancel(stop.id)
    late.pass_time(0.5)
    late.step(0.25)
    assert scene.stopped() == 25 and changes(scene) == ["submit"]
