"""Bars that are kept at Kraken: a question for more history is asked, and what is kept is bounded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from brokers.kraken import account_view
from tests.brokers.kraken.scripted import scripted

BTC = "BTC/USD"
HOUR_S = 3_600


class Hours:
    """Hour bars up to now, the newest 720 alone and those after what was asked for."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self, fields: dict[str, str]) -> Any:
        newest = int(self.now.timestamp()) // HOUR_S * HOUR_S
        times = range(newest - 719 * HOUR_S, newest + 1, HOUR_S)
        rows = [[time, "1", "1", "1", "1", "1", "1", 1] for time in times if time > int(fields["since"])]
        return {"XXBTZUSD": rows, "last": 0}


@pytest.fixture
def kept(tmp_path, monkeypatch):
    hours = Hours(datetime(2026, 3, 3, 12, 5, tzinfo=UTC))
    venue, rest, _ = scripted(tmp_path, {"OHLC": hours})
    monkeypatch.setattr(venue.clock, "now", lambda: hours.now)
    return venue, rest, hours


def test_more_history_is_asked_for_and_less_is_not(kept):
    venue, rest, hours = kept
    back = [len(venue.bars([BTC], 60, hours.now - timedelta(hours=h))) for h in (11, 500, 300, 11, 2_000, 1_500)]
    assert back == [10, 499, 299, 10, 719, 719]
    assert rest.count("OHLC") == 3


def test_what_is_new_is_added_and_the_oldest_go(kept, monkeypatch):
    monkeypatch.setattr(account_view, "MOST_KEPT", 800)
    venue, _, hours = kept
    start = hours.now - timedelta(hours=2_000)
    for _ in range(5):
        found = venue.bars([BTC], 60, start)
        hours.now += timedelta(hours=30)
    assert len(found) == 800
    assert found["datetime"].iloc[-1] == datetime(2026, 3, 8, 11, tzinfo=UTC)
    assert found["datetime"].is_monotonic_increasing
