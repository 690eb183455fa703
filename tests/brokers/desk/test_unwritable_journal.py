"""A journal that can be read and not written: what would have to be sent in an order's place could not be."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from brokers.journal import Journal
from tests.brokers.desk.closing_scene import closes
from tests.brokers.desk.scene import changes, held, read_quote
from tests.brokers.desk.test_stop_only_venue import BTC, Day

WRITES = {sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE}


@contextmanager
def unwritable(journal: Journal) -> Iterator[None]:
    """As on a full disk, or a database that has become a standby."""
    with journal._store.transaction() as connection:
        database = connection.connection.driver_connection
    database.set_authorizer(lambda action, *_: sqlite3.SQLITE_DENY if action in WRITES else sqlite3.SQLITE_OK)
    yield
    database.set_authorizer(None)


@pytest.mark.parametrize("kind", ["trim", "exit"])
def test_a_position_stays_behind_its_stop_while_its_sale_could_not_be_journaled(scene, kind):
    held(scene)
    with unwritable(scene.journal):
        scene.adjust(kind, quantity=20)
        scene.settle(5)
        assert changes(scene) == [] and scene.stopped() == 49
        assert "the journal" in scene.desk.halts.passing
    scene.settle(6)
    assert scene.held() == scene.stopped() == (29 if kind == "trim" else 0)
    assert scene.agrees()


def test_a_sale_waits_on_while_the_next_could_not_be_journaled(scene):
    held(scene)
    # The quote lies above the market, so that the limit rests.
    raw = {"bp": "102", "ap": "102.02"}
    scene.quoted = lambda symbol: read_quote(
        symbol, raw | {"t": scene.exchange.now.isoformat()}, scene.exchange.now, timedelta(minutes=5)
    )
    scene.adjust("exit")
    scene.settle(3)
    asked = changes(scene)
    assert len(closes(scene)) == 1
    with unwritable(scene.journal):
        scene.settle(12)
        assert changes(scene) == asked
    scene.settle(30)
    assert len(closes(scene)) == 4 and scene.held() == 0


def test_a_stop_is_not_exchanged_for_a_target_that_could_not_be_journaled(tmp_path):
    day = Day(tmp_path)
    day.bought()
    with unwritable(day.journal):
        for _ in range(4):
            day.step(1, "104000")
        assert day.venue.stopped(BTC) == day.held > 0
    day.settle(8)
    assert day.held == 0
