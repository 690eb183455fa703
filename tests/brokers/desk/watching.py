"""A desk that is looked after between iterations."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from brokers.desk.monitor import Monitor
from tests.brokers.desk.scene import Scene


class Hurried:
    """A clock by which a watch looks all the time."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    def local(self, seconds: float) -> float:
        return min(seconds, 0.05)

    def now(self) -> datetime:
        return self._scene.exchange.now


@contextmanager
def watching(scene: Scene) -> Iterator[Monitor]:
    clock: Any = Hurried(scene)
    monitor = Monitor(scene.desk, clock)
    monitor.start()
    try:
        yield monitor
    finally:
        monitor.stop(5)
        assert not monitor._thread.is_alive()
