"""From fills to the record: closed trades are what the fills say, also while an exit is still filling."""

from __future__ import annotations

import logging
import sqlite3
from decimal import Decimal

import pytest

from tests.brokers.desk.scene import Scene, held


def kept(scene: Scene) -> list[tuple[str, str]]:
    connection = sqlite3.connect(scene.folder / "journal.sqlite")
    rows = connection.execute("SELECT exit_reason, quantity FROM trades").fetchall()
    connection.close()
    return rows


def recorded(scene: Scene) -> list[tuple[str, float]]:
    return [(trade.exit_reason, trade.quantity) for trade in scene.desk.record.trades]


def touch_the_target(scene: Scene) -> None:
    """The price touches the target of a position and goes away again: a part of it is sold."""
    held(scene)
    faults = scene.exchange.faults
    faults.partial_fill_frac = 1.0
    for price in ("115.02", "114.9"):
        scene.exchange.on_quote(scene.exchange.now, {"AAPL": Decimal(price)})
    faults.partial_fill_frac = 0.0


def test_an_exit_that_fills_in_parts_is_recorded_with_all_of_them(scene: Scene) -> None:
    touch_the_target(scene)
    scene.hand_on()
    scene.step(1)
    part = 49 - float(scene.held())
    assert 0 < part < 49
    assert recorded(scene) == [("target", part)]
    scene.step(1, AAPL=115.5)
    scene.settle(4)
    assert scene.held() == 0
    assert recorded(scene) == [("target", 49)]
    assert kept(scene) == [("target", "49")]


def test_what_only_puts_the_rounding_of_an_average_right_is_told_to_nobody(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    touch_the_target(scene)
    scene.exchange.on_quote(scene.exchange.now, {"AAPL": Decimal("115.53")})
    with caplog.at_level(logging.INFO):
        # The listing has the average of both executions, rounded; the stream has them one by one, later.
        scene.desk.look()
        scene.hand_on()
    told = [record.message for record in caplog.records if record.message.startswith("target sell AAPL")]
    (order,) = [order for order in scene.journal.run_orders() if order.role == "target"]
    assert order.average_price is not None and order.average_price != round(order.average_price, 6)
    assert told == [f"target sell AAPL filled: 49 of 49 at {round(float(order.average_price), 6)}"]
