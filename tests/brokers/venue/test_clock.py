from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from brokers.venue.clock import VenueClock
from tests.brokers.venue.scripted import FakeClock

NOON = datetime(2026, 9, 28, 16, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def clock(local: FakeClock, speed: float = 1.0) -> VenueClock:
    return VenueClock(speed, monotonic=local, wall=lambda: NOON - timedelta(days=1))


def test_the_wall_is_believed_until_the_venue_was_heard():
    local = FakeClock()
    venue = clock(local)
    assert venue.now() == NOON - timedelta(days=1)
    venue.heard(NOON, 0.0, 2.0)
    local.now = 2.0
    assert venue.now() == NOON + SECOND


def test_time_passes_at_the_venue_s_speed():
    local = FakeClock()
    venue = clock(local, speed=60.0)
    venue.heard(NOON, 0.0, 0.0)
    local.now = 1.0
    assert venue.now() == NOON + 60 * SECOND
    assert venue.local(30.0) == 0.5


def test_now_never_runs_backwards():
    local = FakeClock()
    venue = clock(local)
    venue.heard(NOON, 0.0, 0.0)
    local.now = 10.0
    assert venue.now() == NOON + 10 * SECOND
    venue.heard(NOON + 5 * SECOND, 10.0, 10.0)
    assert venue.now() == NOON + 10 * SECOND
    local.now = 16.0
    assert venue.now() == NOON + 11 * SECOND


def test_it_speaks_utc():
    venue = clock(FakeClock())
    venue.heard(NOON.astimezone(timezone(timedelta(hours=-4))), 0.0, 0.0)
    assert venue.now().tzinfo is UTC
    assert venue.now() == NOON
