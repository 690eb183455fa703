"""A failure that comes again for the same reason is told once."""

from __future__ import annotations

import logging

import pytest

from brokers.reporting.repeated_reasons import RepeatedReasons
from brokers.venue_errors import RateLimited, VenueUnavailable
from tests.brokers.desk.conftest import scene  # noqa: F401  # a fixture
from tests.brokers.desk.scene import Scene

BREAKER, SILENT = VenueUnavailable("the circuit breaker is open"), VenueUnavailable("503 no answer")
TOLD = {logging.WARNING: "told"}


class Times:
    def __init__(self) -> None:
        self.now = 0.0
        self.reasons = RepeatedReasons(lambda: self.now)

    def levels(self, *errors: Exception) -> list[str]:
        return [TOLD.get(self.reasons.level(error), "") for error in errors]


def test_a_reason_is_told_once_until_it_is_over_or_another_one_comes() -> None:
    times = Times()
    assert times.levels(*[BREAKER] * 3, *[SILENT] * 2) == ["told", "", "", "told", ""]
    times.reasons.over()
    assert times.levels(SILENT, SILENT) == ["told", ""]


def test_reasons_that_alternate_are_told_once_a_minute() -> None:
    times, told = Times(), []
    for second in range(0, 121, 5):
        times.now = second
        told += times.levels(BREAKER, SILENT)
    assert told.count("told") == 6


def test_another_number_is_no_other_reason_and_each_key_has_its_own() -> None:
    reasons = RepeatedReasons(lambda: 0.0)
    assert reasons.level(VenueUnavailable("wait 12 s"), "AAPL") == logging.WARNING
    assert reasons.level(VenueUnavailable("wait 11 s"), "AAPL") == logging.DEBUG
    assert reasons.level(VenueUnavailable("wait 11 s"), "MSFT") == logging.WARNING


def test_what_is_told_elsewhere_is_not_told_here_unless_it_has_to_be() -> None:
    reasons, limited = RepeatedReasons(lambda: 0.0), RateLimited("own rate limit", told=True)
    assert reasons.level(limited) == reasons.level(limited) == logging.DEBUG
    assert reasons.level(limited, usual=logging.WARNING) == logging.WARNING


def test_a_clock_that_is_not_heard_is_told_of_once(
    scene: Scene,  # noqa: F811  # the fixture
    caplog: pytest.LogCaptureFixture,
) -> None:
    def silent(name: str, phase: str) -> None:
        if name == "venue_clock":
            raise BREAKER

    scene.desk.look()
    scene.wire.mishap, scene.clock.due = silent, True
    for _ in range(5):
        scene.desk.look(clock=False)
    assert [r.levelname for r in caplog.records if "clock was not heard" in r.message] == ["WARNING"]
