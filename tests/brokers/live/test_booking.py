"""From fills to the record: closed trades are what the fills say, also while an exit is still filling."""

from __future__ import annotations

import sqlite3
from decimal import Decimal
from pathlib import Path

from tests.brokers.live.scene import Scene


def kept(scene: Scene) -> list[tuple[str, str]]:
    connection = sqlite3.connect(scene.folder / "journal.sqlite")
    rows = connection.execute("SELECT exit_reason, quantity FROM trades").fetchall()
    connection.close()
    return rows


def recorded(scene: Scene) -> list[tuple[str, float]]:
    return [(trade.exit_reason, trade.quantity) for trade in scene.desk.record.trades]


def test_an_exit_that_fills_in_parts_is_recorded_with_all_of_them(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.enter()
    scene.settle(3)
    faults = scene.exchange._life.faults
    faults.partial_fill_frac = 1.0
    # The price touches the target and goes away again.
    for price in ("115.02", "114.9"):
        scene.exchange.on_quote(scene.exchange.now, {"AAPL": Decimal(price)})
    scene.hand_on()
    faults.partial_fill_frac = 0.0
    scene.step(1)
    part = 49 - float(scene.held())
    assert 0 < part < 49
    assert recorded(scene) == [("target", part)]
    scene.step(1, AAPL=115.5)
    scene.settle(4)
    assert scene.held() == 0
    assert recorded(scene) == [("target", 49)]
    assert kept(scene) == [("target", "49")]
    scene.stop()
