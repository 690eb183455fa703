"""A desk at a venue of its own, for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.brokers.desk.scene import Scene


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """Nothing held, nothing sent; modules that begin with more go on from it in a fixture of the same name."""
    scene = Scene(tmp_path)
    yield scene
    scene.stop()
