"""The venue that the operator's scripts are run against."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from brokers.operator import cleanup
from tests.scripts.venue import Place, place


@pytest.fixture(autouse=True)
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here takes the venue half a second."""
    monkeypatch.setattr(cleanup, "POLL_S", 0.05)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    with place(tmp_path, monkeypatch) as found:
        yield found
