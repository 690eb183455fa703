"""A venue that answers and cannot be looked at is told with its reason, and what is known of it is called old."""

from __future__ import annotations

import logging
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from brokers.alpaca.errors import BadKeys
from brokers.desk.lifecycle.wiring import _covered, standing_conditions
from brokers.desk.look_watch import OVERDUE_S, LookWatch
from brokers.desk.monitor import Monitor
from brokers.notifications.log_notices import NoticeHandler
from brokers.reporting.standing_conditions import StandingConditions
from brokers.venue_errors import NotSent, VenueError
from config.operating import operating
from config.values.masker import Masker
from tests.brokers.desk.scene import Scene, held

REFUSED = BadKeys(401, None, "unauthorized.", {})


class Watched:
    """The conditions of a desk, with local time in the test's hand."""

    def __init__(self, scene: Scene, gone: str = "") -> None:
        self.now, self.gone, alarms = 0.0, gone, operating().alarms
        self.monitor = Monitor(scene.desk, scene.clock, pace_s=60.0)
        self.conditions = StandingConditions(
            standing_conditions(scene.desk, self.monitor, lambda: self.gone, alarms), alarms.again_s, lambda: self.now
        )

    def until(self, moment: float) -> None:
        while self.now < moment:
            self.now += 0.5
            self.conditions.check()


def refusing(scene: Scene, error: VenueError = REFUSED) -> Any:
    """The venue answers every question with a refusal; returns how it was before."""

    def refused(*_: object, **__: object) -> Any:
        raise error

    before = scene.wire.open_orders
    scene.wire.open_orders = refused
    return before


def look(scene: Scene) -> None:
    with pytest.raises(VenueError):
        scene.desk.tick()


def test_refused_keys_are_told_with_the_way_out_and_so_is_their_end(scene, caplog):
    held(scene)
    caplog.set_level(logging.INFO)
    notices = []
    handler = NoticeHandler(notices.append, Masker(), lambda: None)
    logging.getLogger().addHandler(handler)
    try:
        watched, before = Watched(scene), refusing(scene)
        look(scene)
        watched.until(5)
        assert "NOT SEEN" not in caplog.text
        watched.until(9)
        told = "VENUE NOT SEEN for 6 s: the keys are refused (401 unauthorized.); set the new pair and start the trader"
        assert caplog.text.count(told) == 1
        assert [x.kind for x in watched.conditions.standing()] == ["venue_unseen"]
        scene.wire.open_orders = before
        scene.desk.tick()
        watched.until(30)
        assert "the venue is seen again after" in caplog.text and watched.conditions.standing() == ()
        about = [(n.critical, "venue" in n.text.lower()) for n in notices if "seen" in n.text.lower()]
        assert about == [(True, True), (False, True)], "the owner hears of it and of its end"
    finally:
        logging.getLogger().removeHandler(handler)


def test_a_venue_that_is_down_is_not_told_of_twice(scene, caplog):
    held(scene)
    watched = Watched(scene, gone="circuit breaker open (trading)")
    refusing(scene, NotSent("circuit breaker open (trading)"))
    look(scene)
    watched.until(20)
    assert "VENUE DOWN" in caplog.text and "NOT SEEN" not in caplog.text
    # It answers again, and says no to everything.
    watched.gone = ""
    watched.until(25)
    assert "VENUE NOT SEEN" in caplog.text


def test_looks_that_do_not_come_at_all_are_noticed():
    now = [0.0]
    watch = LookWatch(lambda: 15.0, lambda: now[0])
    now[0] = 1_000.0
    assert watch.why == "", "nobody has begun to look"
    watch.looked()
    now[0] += 30.0 + OVERDUE_S
    assert watch.why == ""
    now[0] += 1.0
    assert "no look was possible" in watch.why
    watch.looked()
    assert watch.why == ""


def test_missing_iterations_say_whether_the_watch_goes_on_and_that_they_came_back(scene, caplog, monkeypatch):
    monkeypatch.setattr("brokers.desk.monitor.MISSED_S", 0.0)
    held(scene)
    monitor = Monitor(scene.desk, scene.clock, pace_s=0.0)
    monitor._miss_iterations()
    monitor._miss_iterations()
    assert "nothing is decided, the watch over stops goes on" in caplog.text
    before = refusing(scene)
    look(scene)
    caplog.clear()
    monitor._miss_iterations()
    assert "and the venue is not seen: the keys are refused (401 unauthorized.)" in caplog.text
    assert "goes on" not in caplog.text
    scene.wire.open_orders = before
    with scene.desk.iteration():
        pass
    monitor._miss_iterations()
    assert "iterations come again after" in caplog.text


def test_a_host_of_data_that_is_gone_hides_no_refused_keys(scene, caplog):
    held(scene)
    watched = Watched(scene, gone="circuit breaker open (data)")
    scene.wire.gone_for_data_alone = True
    refusing(scene)
    look(scene)
    watched.until(20)
    assert "VENUE DOWN" in caplog.text and "VENUE NOT SEEN for 6 s: the keys are refused" in caplog.text


@pytest.mark.parametrize(("least", "told"), [("1e-9", "a fraction, which no stop can cover"), ("1", "minimum")])
def test_shares_that_stay_without_a_stop_are_said_to_be_what_they_are(scene, monkeypatch, least, told):
    held(scene)
    before = scene.desk.positions.last_protection("AAPL")
    positions, rules = scene.desk.positions, type(scene.state.rules)
    monkeypatch.setattr(type(positions.book.ledger), "quantity", lambda self, symbol: 0.4)
    monkeypatch.setattr(positions, "last_protection", lambda symbol: replace(before, protected=Decimal(0)))
    monkeypatch.setattr(rules, "least", lambda self, symbol, price: Decimal(least))
    assert told in _covered(scene.desk, "AAPL")
