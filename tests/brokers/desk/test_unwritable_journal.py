"""A journal that can be read and not written: what would have to be sent in an order's place could not be."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal

import pytest

from brokers.desk.lifecycle.shutdown import shut_down
from brokers.desk.lifecycle.wiring import standing_conditions
from brokers.desk.monitor import Monitor
from brokers.journal import Journal
from brokers.reporting.standing_conditions import StandingConditions
from brokers.venue_errors import VenueUnavailable
from config.operating import operating
from tests.brokers.desk.closing_scene import closes
from tests.brokers.desk.scene import Scene, changes, held, read_quote
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


def test_shares_that_lose_their_stop_meanwhile_are_told_of(scene, caplog):
    held(scene)
    alarm = standing(scene)
    with unwritable(scene.journal), caplog.at_level(logging.INFO):
        cancel_stop(scene)
        for _ in range(4):
            scene.step(2)
            alarm()
        assert changes(scene) == []
        (told,) = [r.message for r in caplog.records if r.message.startswith("UNPROTECTED")]
        assert told.startswith("UNPROTECTED AAPL: 49 shares without a working stop for ")
        assert "no entries, and no stops either, while the journal cannot be used" in caplog.text
        # Nobody but a hand can place one now.
        by_hand(scene)
        scene.step(2)
        assert scene.desk.protector.log.present == {}
    scene.settle(6)
    assert scene.held() == scene.stopped() == 49
    assert scene.agrees()


def test_a_stop_that_fills_meanwhile_leaves_nothing_bare(scene):
    held(scene)
    scene.deaf = True
    with unwritable(scene.journal):
        scene.step(1, AAPL=94)
        assert scene.held() == 0
        assert scene.desk.protector.log.present == {}
    scene.settle(3)
    assert scene.agrees()


def test_leaving_tells_what_the_venue_shows_though_nothing_can_be_booked(scene, caplog):
    held(scene)
    with unwritable(scene.journal), caplog.at_level(logging.INFO):
        cancel_stop(scene)
        shut_down(scene.desk, 0.5)
    assert "leaving: no order was possible" in caplog.text
    assert "AAPL had 49 shares without a working stop" in caplog.text
    assert "AAPL: left with 49 shares without a working stop; start again to protect it" in caplog.text
    assert "stay behind" not in caplog.text


def test_leaving_without_a_look_says_of_when_it_speaks(scene, caplog):
    held(scene)
    scene.wire.mishap = unanswered
    with caplog.at_level(logging.INFO):
        shut_down(scene.desk, 0.3)
    (stays,) = [r.message for r in caplog.records if "stay behind" in r.message]
    assert stays.endswith("; last known at 2023-03-07T10:00:02-05:00, not looked at since")
    assert "at 2023-03-07T10:00:02-05:00 every position had its stop" in caplog.text


def standing(scene):
    """Looks at the condition of shares without a stop; the machine's seconds are the venue's."""
    alarms, desk = operating({}).alarms, scene.desk
    parts = standing_conditions(desk, Monitor(desk, scene.clock), str, alarms)
    began = scene.exchange.now
    return StandingConditions(parts, alarms.again_s, lambda: (scene.exchange.now - began).total_seconds()).check


def test_a_position_that_was_closed_is_not_told_as_protected_again(tmp_path, caplog):
    for closed, said in ((False, "AAPL: protected again after"), (True, "AAPL: closed after")):
        (folder := tmp_path / said.split()[1]).mkdir()
        scene = Scene(folder)
        held(scene)
        check = standing(scene)
        missing = scene.desk.protector.log
        missing.see("AAPL", Decimal(49), Decimal(0))
        for _ in range(8):
            scene.pass_time(1)
            check()
        if closed:
            scene.exchange.on_quote(scene.exchange.now, {"AAPL": Decimal(90)})
            scene.hand_on()
            assert scene.positions.book.quantity("AAPL") == 0
        missing.see("AAPL", Decimal(49), Decimal(49))
        for _ in range(8):
            scene.pass_time(1)
            check()
        assert [said in r.message for r in caplog.records if r.message.startswith(("AAPL: protected", "AAPL: closed"))]
        assert said in caplog.text
        caplog.clear()
        scene.stop()


def cancel_stop(scene):
    (stop,) = [order for order in scene.open() if order["type"] == "stop"]
    scene.exchange.cancel(stop["id"])
    scene.deaf = True
    scene.pass_time(1)


def by_hand(scene):
    order = {"symbol": "AAPL", "side": "sell", "qty": "49", "type": "stop", "stop_price": "95", "time_in_force": "gtc"}
    scene.exchange.submit(order)


def unanswered(name, when):
    raise VenueUnavailable("no answer")


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
