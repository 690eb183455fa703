from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from brokers.network.clock import VenueClock
from tests.brokers.alpaca.scripted import FakeClock

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


def read(venue: VenueClock, local: FakeClock, after: float, said: timedelta) -> bool:
    """A reading that many local seconds later; ``said`` since noon."""
    local.now += after
    return venue.heard(NOON + said, local.now, local.now)


def test_one_reading_that_is_far_off_counts_for_nothing():
    local = FakeClock()
    venue = clock(local)
    assert read(venue, local, 0, 0 * SECOND)
    for wrong in (timedelta(hours=5), timedelta(hours=-5)):
        assert not read(venue, local, 10, wrong)
        assert venue.now() == NOON + local.now * SECOND
        assert read(venue, local, 10, (local.now + 10) * SECOND)
    assert venue.now() == NOON + 40 * SECOND


def test_two_readings_that_agree_are_believed_forward_and_back():
    local = FakeClock()
    venue = clock(local)
    read(venue, local, 0, 0 * SECOND)
    slept = timedelta(hours=8)
    assert not read(venue, local, 60, slept)
    assert not read(venue, local, 60, timedelta(hours=3))
    assert not read(venue, local, 60, slept + 120 * SECOND)
    assert read(venue, local, 60, slept + 180 * SECOND)
    assert venue.now() == NOON + slept + 180 * SECOND
    # It was wrong all the same: time goes back instead of standing still for eight hours.
    assert not read(venue, local, 60, 300 * SECOND)
    assert read(venue, local, 60, 360 * SECOND)
    local.now += 3600
    assert venue.now() == NOON + 3960 * SECOND


@pytest.mark.parametrize(("speed", "believed"), [(1.0, False), (120.0, True)])
def test_what_is_far_is_measured_in_local_time(speed, believed):
    local = FakeClock()
    venue = clock(local, speed)
    read(venue, local, 0, 0 * SECOND)
    assert read(venue, local, 1, timedelta(minutes=5)) is believed


def test_it_is_to_be_read_each_minute_and_at_once_in_doubt():
    local = FakeClock()
    venue = clock(local)
    assert venue.due
    read(venue, local, 0, 0 * SECOND)
    assert not venue.due
    local.now = 59.0
    assert not venue.due
    assert not read(venue, local, 0, timedelta(hours=5))
    assert venue.due
    assert read(venue, local, 1, 60 * SECOND)
    assert not venue.due
    local.now = 120.0
    assert venue.due


def test_it_speaks_utc():
    venue = clock(FakeClock())
    venue.heard(NOON.astimezone(timezone(timedelta(hours=-4))), 0.0, 0.0)
    assert venue.now().tzinfo is UTC
    assert venue.now() == NOON
