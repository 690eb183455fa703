"""Shares that the broker shows and the books have not counted yet, in the state file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from monitoring.signs import signs
from monitoring.status import status
from tests.brokers.desk.scene import Scene
from tests.brokers.desk.test_surplus_sold import come, hide
from tests.brokers.live_state.test_recorder import written


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """49 shares of ours."""
    made = Scene(tmp_path / "state", overrides=[f"live.state_dir={tmp_path / 'state'}"])
    made.enter()
    made.settle()
    hide(made)
    yield made
    made.stop()


def told(scene: Scene) -> list[str]:
    return [str(sign) for sign in signs(status(written(scene))) if sign.kind == "difference"]


def test_shares_that_came_without_an_order_are_named_until_they_count(scene):
    come(scene, 5)
    scene.step()
    assert told(scene) == [], "listings of two moments differ for a moment after each fill"
    scene.settle(4)
    (line,) = told(scene)
    assert line.startswith("Difference: AAPL: 5 shares more at the broker than in the books since 10:00:1")
    assert line.endswith(", not yet counted")
    scene.settle(70)
    assert scene.positions.book.manual == {"AAPL": 5} and told(scene) == []


def test_shares_that_went_are_named_too(scene):
    rows = scene.wire.positions
    scene.wire.positions = lambda: [{**row, "qty": "48"} for row in rows()]
    scene.settle(5)
    assert "AAPL: 1 share fewer at the broker than in the books" in told(scene)[0]
