"""Times without a stop: each lot of shares is measured by itself, and what became of the last stop is told truly."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from brokers.desk.execution.last_stop import ended_stop, last_stop
from brokers.desk.execution.unprotected_log import UnprotectedLog
from brokers.reporting.events import EventKind
from brokers.reporting.standing_conditions import Condition, StandingConditions
from tests.brokers.desk.scene import Scene

BEGIN = datetime(2023, 3, 7, 15, 0, tzinfo=UTC)


class Times:
    """A log whose seconds pass when told to, and the alarm that reads it."""

    def __init__(self):
        self.second = 0.0
        self.log = UnprotectedLog(lambda: BEGIN + timedelta(seconds=self.second))
        self.conditions = StandingConditions(
            (
                Condition(
                    EventKind.UNPROTECTED,
                    lambda: self.log.waiting,
                    8.0,
                    "UNPROTECTED {subject}: {why} for {seconds} s",
                    "{subject}: protected again after {seconds} s",
                    at_most=self.log.since_bought,
                ),
            ),
            300.0,
            lambda: self.second,
        )

    def see(self, second, held, protected):
        while self.second < second:
            self.second += 0.5
            self.conditions.check()
        self.log.see("BTC/USD", Decimal(held), Decimal(protected))
        self.conditions.check()

    @property
    def spells(self):
        return [interval.seconds for interval in self.log.intervals]


@pytest.fixture
def times(caplog):
    caplog.set_level(logging.INFO)
    return Times()


def test_parts_that_follow_each_other_are_measured_each_from_its_own_fill(times, caplog):
    for second, held, protected in ((0, 10, 0), (3, 20, 10), (6, 30, 20), (9, 40, 30), (12, 40, 40)):
        times.see(second, held, protected)
    assert times.spells == [3, 3, 3, 3]
    assert "UNPROTECTED" not in caplog.text
    assert "nothing of it is without a stop any more, after 3.0 s" in caplog.text


def test_a_part_that_waits_is_told_of_although_later_ones_are_protected(times, caplog):
    times.see(0, 10, 0)
    for second in range(1, 10):
        times.see(second, 10 + second, second)
    assert times.log.seconds("BTC/USD") == 9
    assert "UNPROTECTED BTC/USD: 10 coins without a working stop, 3 of them for 8 s" in caplog.text
    times.see(10, 19, 19)
    assert max(times.spells) == 10


def test_a_stop_that_comes_and_goes_is_one_condition_for_the_alarm(times, caplog):
    times.see(0, 10, 10)
    for second in range(1, 14):
        times.see(second, 10, 0 if second % 2 else 10)
    assert "UNPROTECTED BTC/USD: 10 coins without a working stop for 8 s" in caplog.text


def alarms(caplog):
    return [record.getMessage() for record in caplog.records if record.name.endswith("standing_conditions")]


def test_a_spell_ends_when_its_shares_are_covered_and_the_alarm_names_the_present_number(times, caplog):
    times.see(0, 7, 0)
    times.see(7.5, 15, 0)
    times.see(8.5, 15, 7)
    for second, held, protected in ((12, 18, 15), (16, 18, 18)):
        times.see(second, held, protected)
    times.see(30, 18, 18)
    assert times.spells == [8.5, 4.5, 4]
    assert alarms(caplog) == [
        "UNPROTECTED BTC/USD: 15 coins without a working stop, 7 of them for 8 s",
        "BTC/USD: protected again after 8 s",
    ]


def test_shares_that_come_later_and_wait_too_long_are_told_of_as_well(times, caplog):
    times.see(0, 7, 0)
    times.see(8.5, 8, 7)
    times.see(18, 8, 8)
    times.see(30, 8, 8)
    assert alarms(caplog) == [
        "UNPROTECTED BTC/USD: 7 coins without a working stop for 8 s",
        "UNPROTECTED BTC/USD: 1 coin without a working stop for 8 s",
        "BTC/USD: protected again after 10 s",
    ]


def test_what_is_sold_without_a_stop_are_the_shares_that_have_waited_longest(times):
    times.see(0, 10, 0)
    times.see(2, 25, 0)
    times.see(5, 15, 0)
    assert (times.spells, times.log.seconds("BTC/USD")) == ([5], 3)
    times.see(6, 0, 0)
    assert (times.spells, times.log.present) == ([5, 4], {})


def test_more_stops_than_shares_cover_the_next_ones_too(times):
    times.see(0, 10, 15)
    times.see(1, 20, 15)
    assert times.log.present == {"BTC/USD": "5 coins without a working stop"}
    times.see(2, 20, 12)
    times.see(4, 20, 20)
    assert times.spells == [3, 2]


def test_the_last_stop_is_told_from_the_journal_where_no_look_shows_it(scene: Scene):
    scene.enter()
    scene.settle(2)
    (stop,) = [order for order in scene.open() if order["type"] == "stop"]
    scene.exchange.cancel(stop["id"])
    scene.pass_time(1)
    scene.desk.look()
    assert last_stop("AAPL", scene.positions) == "the last one, at 95.01, is canceled"
    # As after a restart: what ended before it is in no listing.
    scene.state.view = replace(scene.state.view, orders={})
    assert ended_stop("AAPL", scene.positions) == ""
    assert last_stop("AAPL", scene.positions) == "the last one, at 95.01, is cancelled by the journal"


def test_a_stop_of_an_earlier_position_is_not_called_this_one_s(scene: Scene):
    scene.enter()
    scene.settle(2)
    scene.step(1, AAPL=94.0)
    scene.settle(3)
    assert scene.held() == 0
    scene.step(60, AAPL=100.0)
    scene.enter()
    scene.settle(2)
    assert scene.held() == 49
    ended = {o.id: o for o in scene.state.view.orders.values() if not (o.is_stop and o.open)}
    scene.state.view = replace(scene.state.view, orders=ended)
    assert ended_stop("AAPL", scene.positions) == ""
    assert last_stop("AAPL", scene.positions) == "the last one, at 95.01, is working by the journal"


def test_a_stop_whose_cancel_was_confirmed_is_not_told_as_working(scene: Scene):
    scene.enter()
    scene.settle(2)
    (stop,) = scene.positions.protection("AAPL").stops
    scene.state.cancel_confirmed(stop.id)
    for told in (last_stop, ended_stop):
        assert told("AAPL", scene.positions) == "the last one, at 95.01, has ended: its cancel was confirmed"
    # The next look shows what the venue makes of it.
    scene.desk.look()
    assert "confirmed" not in last_stop("AAPL", scene.positions)
