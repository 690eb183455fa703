"""Whose midnight ends a day."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from market.trading_day import DEFAULT, date_in, day_of, use_day_of


def test_the_same_moment_has_another_day_once_another_midnight_counts():
    late = datetime(2024, 3, 5, 1, 30, tzinfo=UTC)
    try:
        assert [day_of(late), day_of(late)] == [date(2024, 3, 4)] * 2
        use_day_of("UTC")
        assert [day_of(late), day_of(late)] == [date(2024, 3, 5)] * 2
    finally:
        use_day_of(DEFAULT)
    assert day_of(late) == date(2024, 3, 4)


def test_zones_and_moments_are_told_apart():
    early, late = datetime(2024, 3, 5, 1, 30, tzinfo=UTC), datetime(2024, 3, 5, 23, 30, tzinfo=UTC)
    dates = {"America/New_York": (4, 5), "UTC": (5, 5), "Asia/Tokyo": (5, 6)}
    for _ in range(2):
        for zone, days in dates.items():
            assert tuple(date_in(ZoneInfo(zone), moment).day for moment in (early, late)) == days
