"""A condition is told once it has lasted, again while it lasts, and at its end."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

import pytest

from brokers.reporting.events import EventKind, event_of
from brokers.reporting.standing_conditions import Condition, StandingConditions


class World:
    def __init__(self):
        self.now, self.bare = 0.0, {}
        condition = Condition(
            EventKind.UNPROTECTED, lambda: self.bare, 8.0, "{subject}: {why} for {seconds} s", "{subject}: {seconds} s"
        )
        self.conditions = StandingConditions((condition,), 300.0, lambda: self.now)

    def until(self, moment):
        while self.now < moment:
            self.now += 0.5
            self.conditions.check()


@pytest.fixture
def world(caplog):
    caplog.set_level(logging.INFO)
    return World()


def told(caplog):
    found = [(record.levelname, event_of(record).over, record.message) for record in caplog.records]
    caplog.clear()
    return found


def test_what_ends_in_time_is_never_told(world, caplog):
    world.bare = {"AAPL": "10 shares"}
    world.until(8)
    world.bare = {}
    world.until(30)
    assert told(caplog) == []


def test_what_lasts_is_told_once_then_again_and_its_end(world, caplog):
    world.bare = {"AAPL": "10 shares", "MSFT": "5 shares"}
    world.until(300)
    assert [line[2] for line in told(caplog)] == ["AAPL: 10 shares for 8 s", "MSFT: 5 shares for 8 s"]
    world.until(309)
    assert [line[2] for line in told(caplog)] == ["AAPL: 10 shares for 308 s", "MSFT: 5 shares for 308 s"]
    world.bare = {"MSFT": "5 shares"}
    world.until(320)
    assert told(caplog) == [("WARNING", True, "AAPL: 308 s")]


def test_what_comes_and_goes_is_one_condition(world, caplog):
    for second in range(1, 30):
        world.bare = {"stream": "lost"} if second % 2 else {}
        world.until(second)
    assert [line[2] for line in told(caplog)] == ["stream: lost for 8 s"]


def test_what_somebody_measures_lasts_no_longer_than_that(caplog):
    """A subject whose shares are others by now begins anew."""
    now, began = [0.0], [0.0]
    condition = Condition(
        EventKind.UNPROTECTED,
        lambda: {"AAPL": "10 shares"},
        8.0,
        "{subject}: {seconds} s",
        "{subject}",
        at_most=lambda subject: now[0] - began[0],
    )
    conditions = StandingConditions((condition,), 300.0, lambda: now[0])
    for second in range(60):
        now[0] = second
        began[0] = second - second % 5 if second < 30 else 30
        conditions.check()
    assert [line[2] for line in told(caplog)] == ["AAPL: 8 s"]


def test_what_comes_back_is_told_anew(world, caplog):
    for start in (0, 30):
        world.bare = {"AAPL": "10 shares"}
        world.until(start + 10)
        world.bare = {}
        world.until(start + 30)
    assert [line[0] for line in told(caplog)] == ["ERROR", "WARNING", "ERROR", "WARNING"]


def test_what_was_told_and_lasts_can_be_asked_for(world):
    world.bare = {"AAPL": "10 shares"}
    world.until(7.5)
    assert world.conditions.standing() == ()
    world.until(12)
    (found,) = world.conditions.standing()
    assert (found.kind, found.subject, found.why) == (EventKind.UNPROTECTED, "AAPL", "10 shares")
    assert 7 < (datetime.now(UTC) - found.since).total_seconds() < 10
    world.bare = {}
    world.until(30)
    assert world.conditions.standing() == ()


def test_a_condition_that_cannot_be_told_keeps_no_other_from_it(caplog):
    broken, now = [True], [0.0]

    def present():
        if broken:
            raise RuntimeError("dictionary changed size during iteration")
        return {}

    conditions = StandingConditions(
        (
            Condition(EventKind.VENUE_DOWN, present, 8.0, "{subject}", "{subject}"),
            Condition(EventKind.UNPROTECTED, lambda: {"AAPL": "bare"}, 8.0, "{subject}: {why}", "{subject}"),
        ),
        300.0,
        lambda: now[0],
    )
    for second in range(20):
        now[0] = float(second)
        conditions.check()
    assert [record.getMessage() for record in caplog.records] == ["whether venue_down lasts is not known", "AAPL: bare"]
    broken.clear()
    conditions.check()
    broken.append(True)
    conditions.check()
    assert caplog.text.count("whether venue_down lasts is not known") == 2
