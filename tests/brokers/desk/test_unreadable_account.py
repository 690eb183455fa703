"""An account whose equity cannot be read: nothing is entered, no halt believes a zero, and stops and exits go on."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from brokers.venue_errors import AccountUnreadable
from brokers.venue_values import VenueAccount
from risk.drawdown_halt import DrawdownHalt
from risk.peak_halt import PeakHalt
from tests.brokers.desk.scene import TUESDAY, Scene, held
from tests.risk.helpers import module

TODAY = TUESDAY.date()


@pytest.fixture
def scene(tmp_path):
    made = Scene(tmp_path, halters=[module(DrawdownHalt), module(PeakHalt)])
    yield made
    made.stop()


def without_equity(scene: Scene) -> None:
    account = scene.wire.account
    scene.wire.account = lambda: {name: value for name, value in account().items() if name != "equity"}


def test_it_trips_no_halt_and_enters_nothing(scene, caplog):
    held(scene)
    rows, account = len(scene.desk.record.equity), scene.wire.account
    without_equity(scene)
    scene.step(1)
    scene.enter("NVDA", 10)
    assert scene.journal.halts(TODAY) == frozenset()
    assert "account: the account cannot be read: it has no equity" in scene.desk.entries.refusals.skipped[-1].reason
    assert len(scene.desk.record.equity) == rows, "an equity of before is no reading of now"
    scene.wire.account = account
    scene.step(1)
    scene.enter("NVDA", 10)
    assert len(scene.open("NVDA")) > 0
    assert caplog.text.count("entries are stopped; account: the account cannot be read") == 1


def test_what_is_held_keeps_its_stop_and_can_be_sold(scene):
    held(scene)
    without_equity(scene)
    scene.exchange.cancel(next(order["id"] for order in scene.open() if order["type"] == "stop"))
    scene.settle(4)
    assert scene.stopped() == scene.held() == 49
    scene.adjust("exit")
    scene.settle(6)
    assert scene.held() == 0


def test_the_opening_of_a_session_waits_for_an_equity_that_is_read(scene):
    scene.step(1)
    without_equity(scene)
    scene.pass_time(timedelta(days=1).total_seconds())
    scene.desk.look()
    book = scene.desk.reconcile()
    assert book.session_open_equity == book.equity == 100_000
    assert scene.journal.session_open_equity(TODAY + timedelta(days=1)) is None
    del scene.wire.account
    scene.step(1)
    assert scene.journal.session_open_equity(TODAY + timedelta(days=1)) == Decimal(100_000)


def ticks(scene: Scene, number: int) -> list[str]:
    """What a watch that comes every two seconds has asked."""
    scene.wire.calls.clear()
    scene.clock.due = True
    for _ in range(number):
        scene.desk.tick()
        scene.pass_time(2)
    return [name for name, _ in scene.wire.calls]


def test_the_opening_of_a_session_is_not_asked_for_at_every_look(scene):
    scene.step(1)
    calls: list[int] = []
    account = scene.wire.account
    scene.wire.account = lambda: calls.append(1) or {k: v for k, v in account().items() if k != "equity"}
    scene.pass_time(timedelta(days=1).total_seconds())
    asked = ticks(scene, 10)
    assert (asked.count("open_orders"), len(calls)) == (10, 2)
    scene.wire.account = account
    ticks(scene, 4)
    assert scene.journal.session_open_equity(TODAY + timedelta(days=1)) == Decimal(100_000)


def test_an_opening_that_is_not_known_hurries_no_look_where_requests_are_few(scene):
    scene.step(1)
    without_equity(scene)
    scene.pass_time(timedelta(days=1).total_seconds())
    looks = scene.desk.looks
    looks._limit = looks.opening._limit = replace(looks._limit, quiet_s=3_600.0)
    # The first of them learns that the session is on.
    scene.desk.look()
    scene.desk.look()
    asked = ticks(scene, 60)
    assert "open_orders" not in asked, "in two minutes"


@pytest.mark.parametrize("alone", [True, False])
def test_a_block_that_is_told_without_equity_counts(scene, alone):
    held(scene)
    before = scene.state.view

    def account() -> VenueAccount:
        raise AccountUnreadable("the account cannot be read: BTC/USD has no price", VenueAccount("x", blocked="closed"))

    venue: Any = scene.state.venue
    venue.account = account
    if alone:
        scene.state.see_account()
    else:
        scene.desk.look()
        assert scene.desk.halts.account == "closed"
    view = scene.state.view
    assert view.account == replace(before.account, blocked="closed"), "equity, cash and name as they were"
    assert (view.account_time, bool(view.account_unreadable)) == (before.account_time, True)
