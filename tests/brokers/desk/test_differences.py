"""Shares that came or went without an order: concluded late, taken back when they were where they had been."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.brokers.desk.scene import Scene

Rows = list[dict[str, Any]]


def behind(scene: Scene, seconds: float) -> None:
    """The listing of positions is so many seconds old."""
    seen: list[tuple[Any, Rows]] = []
    whole = scene.wire.positions

    def listed() -> Rows:
        seen.append((scene.exchange.now, whole()))
        old = [rows for time, rows in seen if time <= scene.exchange.now - timedelta(seconds=seconds)]
        return old[-1] if old else []

    scene.wire.positions = listed


def shown(scene: Scene, symbol: str, change: Callable[[dict[str, Any]], dict[str, Any] | None]) -> list[bool]:
    """A position is listed other than it is; an empty list afterwards ends that."""
    on, whole = [True], scene.wire.positions

    def listed() -> Rows:
        rows = [change(row) if on and row["symbol"] == symbol else row for row in whole()]
        return [row for row in rows if row is not None]

    scene.wire.positions = listed
    return on


def gone(row: dict[str, Any]) -> None:
    return None


def cancels(scene: Scene) -> int:
    return [name for name, _ in scene.wire.calls].count("cancel")


@pytest.mark.parametrize("seconds", [2.5, 20, 50])
def test_positions_that_are_listed_late_do_not_cost_the_stops(scene, seconds):
    behind(scene, seconds)
    scene.step(3)
    scene.enter()
    scene.settle(60, 2)
    assert scene.positions.book.quantity("AAPL") == scene.held() == scene.stopped() == 49
    assert scene.positions.book.manual == {}
    assert cancels(scene) == 0


def test_orders_that_are_listed_late_make_no_position_of_a_hand(scene):
    scene.deaf = True
    scene.enter()
    kept = {name: getattr(scene.wire, name) for name in ("orders_since", "open_orders")}
    before = scene.wire.open_orders()
    for name in kept:
        setattr(scene.wire, name, lambda *given: before)
    for _ in range(5):
        scene.pass_time(5)
        scene.desk.look()
        assert scene.positions.book.manual == {}
    for name, real in kept.items():
        setattr(scene.wire, name, real)
    scene.settle(3)
    assert scene.positions.book.quantity("AAPL") == scene.stopped() == 49
    assert scene.positions.book.manual == {}


def test_missing_shares_are_ours_until_they_have_been_missing_for_long(scene):
    scene.enter()
    scene.settle(3)
    scene.pass_time(120)
    shown(scene, "AAPL", lambda row: {**row, "qty": "29", "qty_available": "0"})
    scene.settle(3, 5)
    assert scene.positions.book.quantity("AAPL") == 49
    scene.step(25)
    assert scene.positions.book.quantity("AAPL") == 29


def test_two_looks_are_too_few_whatever_the_time_between_them(scene):
    scene.enter()
    scene.settle(3)
    scene.pass_time(120)
    shown(scene, "AAPL", gone)
    scene.desk.look()
    scene.pass_time(60)
    scene.desk.look()
    assert scene.positions.book.quantity("AAPL") == 49


def test_nothing_is_cancelled_in_the_step_that_concludes(scene):
    scene.enter()
    scene.settle(3)
    scene.pass_time(120)
    on = shown(scene, "AAPL", gone)
    while scene.positions.book.quantity("AAPL"):
        scene.pass_time(10)
        with scene.desk.iteration():
            scene.desk.look()
            scene.desk.work()
    assert cancels(scene) == 0
    assert scene.stopped() == 49
    on.clear()
    scene.settle(3)
    assert cancels(scene) == 0


def test_shares_that_come_back_are_ours_again_and_protected(scene):
    scene.enter()
    scene.settle(3)
    scene.pass_time(120)
    on = shown(scene, "AAPL", gone)
    scene.settle(8, 10)
    assert scene.positions.book.quantity("AAPL") == scene.stopped() == 0
    on.clear()
    scene.settle(5)
    assert scene.positions.book.quantity("AAPL") == scene.held() == scene.stopped() == 49
    assert scene.positions.book.manual.get("AAPL", Decimal(0)) == 0
    assert scene.positions.book.portions == []
    assert scene.agrees()
    scene.restart()
    scene.settle(3)
    assert scene.positions.book.quantity("AAPL") == scene.stopped() == 49


def test_shares_bought_later_are_not_those_that_went(scene):
    scene.enter()
    scene.settle(3)
    scene.pass_time(120)
    hand = {"symbol": "AAPL", "side": "sell", "type": "market", "qty": "20", "time_in_force": "day"}
    stop = next(order for order in scene.open() if order["type"] == "stop")
    scene.exchange.cancel(stop["id"])
    scene.pass_time(1)
    scene.pass_time(1)
    scene.exchange.submit(hand)
    kept = scene.wire.orders_since
    scene.wire.orders_since = lambda after, nested=True: [r for r in kept(after, nested) if r["qty"] != "20"]
    scene.settle(8, 10)
    assert scene.positions.book.quantity("AAPL") == scene.stopped() == 29
    scene.step(1, AAPL=94)
    scene.settle(3)
    scene.step(120, AAPL=100)
    assert scene.positions.book.symbols == set()
    scene.exchange.submit(hand | {"side": "buy"})
    scene.settle(4)
    assert (scene.positions.book.quantity("AAPL"), scene.positions.book.manual["AAPL"]) == (0, 20)


def test_a_position_is_not_left_while_its_shares_are_unsettled(scene, caplog):
    scene.enter()
    scene.settle(3)
    scene.pass_time(120)
    scene.exchange.cancel(next(order for order in scene.open() if order["type"] == "stop")["id"])
    on = shown(scene, "AAPL", lambda row: {**row, "qty": "60", "qty_available": "60"})
    scene.step(1, AAPL=90)
    scene.settle(3)
    assert "AAPL: not left before its shares are settled, STOP_PASSED" in caplog.text
    assert scene.desk.closer.tasks == {}
    on.clear()
    scene.settle(10)
    assert scene.held() == 0


@pytest.mark.parametrize("later", [0, 10])
def test_a_fill_by_hand_whose_order_is_found_after_a_restart_counts_once(scene, later):
    scene.deaf = True
    scene.exchange.submit(
        {"symbol": "TSLA", "side": "buy", "type": "limit", "limit_price": "99", "qty": "100", "time_in_force": "gtc"}
    )
    for _ in range(5):
        scene.step(120)
    kept = scene.wire.orders_since
    scene.wire.orders_since = lambda after, nested=True: [r for r in kept(after, nested) if r["qty"] != "100"]
    scene.step(2, TSLA=98.9)
    scene.settle(4, 2)
    assert scene.positions.book.manual == {"TSLA": Decimal(100)}
    scene.wire.orders_since = kept
    if later:
        scene.exchange.submit(
            {"symbol": "TSLA", "side": "buy", "type": "market", "qty": str(later), "time_in_force": "day"}
        )
        scene.settle(2)
    spent = scene.positions.opened_today()
    scene.restart()
    scene.step(1)
    for _ in range(3):
        assert scene.positions.book.manual == {"TSLA": Decimal(100 + later)}
        assert scene.positions.opened_today() == pytest.approx(spent, rel=0.01)
        assert scene.positions.book.ledger.budget.day_usd == pytest.approx(spent, rel=0.01)
        scene.settle(2, 40)
    assert scene.agrees()


def test_the_exits_of_a_hands_entry_are_the_hands(scene):
    scene.exchange.submit(
        {"symbol": "TSLA", "side": "buy", "type": "market", "qty": "20", "time_in_force": "gtc",
         "order_class": "bracket", "take_profit": {"limit_price": "120"}, "stop_loss": {"stop_price": "90"}}
    )  # fmt: skip
    scene.settle(3)
    assert scene.positions.book.manual == {"TSLA": Decimal(20)}
    scene.step(1, TSLA=89)
    scene.settle(3)
    assert scene.held("TSLA") == 0
    assert scene.positions.book.ledger.positions == {}
    assert scene.positions.book.symbols == set()
