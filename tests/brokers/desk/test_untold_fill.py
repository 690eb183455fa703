"""Fills that a look shows before any trade update tells of them: the newest alone is kept."""

from __future__ import annotations

from typing import Any

from brokers.alpaca.listings import update_of
from brokers.venue_values import NEVER
from tests.brokers.desk.scene import Scene, held


def test_an_update_that_tells_of_the_newest_fill_leaves_no_older_one_of_interest(scene: Scene) -> None:
    """A venue without a stream tells of no fill at all: what is kept must not grow with every order."""
    late: list[Any] = []
    assert scene.sync.untold_fill == NEVER

    def kept_back(events: list[Any]) -> list[Any]:
        late.extend(events)
        return []

    scene.told = kept_back
    held(scene, "AAPL")
    first = scene.sync.untold_fill
    scene.pass_time(60)
    held(scene, "MSFT")
    assert NEVER < first < scene.sync.untold_fill
    for event in late:
        if (update := update_of(event)).symbol == "MSFT":
            scene.desk.hear(update)
    assert scene.sync.untold_fill == NEVER


def test_an_older_fill_that_is_told_late_leaves_the_newest(scene: Scene) -> None:
    late: list[Any] = []

    def kept_back(events: list[Any]) -> list[Any]:
        late.extend(events)
        return []

    scene.told = kept_back
    held(scene, "AAPL")
    scene.pass_time(60)
    held(scene, "MSFT")
    newest = scene.sync.untold_fill
    for event in late:
        if (update := update_of(event)).symbol == "AAPL":
            scene.desk.hear(update)
    assert scene.sync.untold_fill == newest
