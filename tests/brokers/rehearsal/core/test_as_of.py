"""A file's days played as of another date."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
import requests

from brokers.rehearsal.alpaca.us_hours import US_HOURS
from brokers.rehearsal.core.hours import AlwaysOpen
from brokers.rehearsal.core.replay_bars import load_bars, play_as_of
from config.errors import Refusal
from tests.brokers.rehearsal.market import bars
from tests.brokers.rehearsal.venue import NEW_YORK, at
from tests.brokers.rehearsal.wire import Wire

TODAY = date(2026, 11, 30)


def days(frame: pd.DataFrame) -> list[str]:
    return sorted({f"{stamp:%Y-%m-%d}" for stamp in frame["datetime"]})


def test_each_day_goes_as_many_sessions_away_as_it_was() -> None:
    loaded = load_bars(bars(), US_HOURS)
    moved, start = play_as_of(loaded, TODAY, date(2026, 3, 10))
    assert start == TODAY
    # Friday after Thanksgiving is the session before, a weekend and all.
    assert days(moved.frame) == ["2026-11-27", "2026-11-30", "2026-12-01"]
    clock = loaded.frame["datetime"].dt.strftime("%H:%M")
    assert (moved.frame["datetime"].dt.strftime("%H:%M") == clock).all()
    # Summer time then, winter time now: the open is an hour later in UTC.
    assert (moved.opens % 86_400_000_000_000)[0] == 14.5 * 3_600_000_000_000
    pd.testing.assert_frame_equal(
        moved.frame.drop(columns="datetime"), loaded.frame.drop(columns="datetime"), check_exact=True
    )
    assert loaded.frame["datetime"].iloc[0] == at("2026-03-09 09:30")


def test_gaps_of_the_file_stay_and_a_weekend_goes_to_the_next_session() -> None:
    loaded = load_bars(bars(days=("2026-03-05", "2026-03-09", "2026-03-11")), US_HOURS)
    moved, start = play_as_of(loaded, date(2026, 11, 28), date(2026, 3, 9))
    assert start == TODAY
    assert days(moved.frame) == ["2026-11-25", "2026-11-30", "2026-12-02"]


def test_the_last_sessions_by_default_and_a_moment_moves_with_its_day() -> None:
    loaded = load_bars(bars(), US_HOURS)
    assert days(play_as_of(loaded, TODAY, sessions=2)[0].frame)[1] == "2026-11-30"
    assert days(play_as_of(loaded, TODAY)[0].frame)[2] == "2026-11-30"
    _, start = play_as_of(loaded, TODAY, at("2026-03-10 11:00"))
    assert start == at("2026-11-30 11:00")
    assert play_as_of(loaded, TODAY, datetime.fromisoformat("2026-03-10T11:00"))[1] == at("2026-11-30 11:00")


def test_daily_bars_span_the_sessions_they_go_to() -> None:
    frame = bars(minutes=5).groupby("symbol").head(3).assign(
        datetime=[*pd.to_datetime(["2026-03-09", "2026-03-10", "2026-03-11"])] * 2
    )  # fmt: skip
    moved, _ = play_as_of(load_bars(frame, US_HOURS), date(2026, 11, 27), date(2026, 3, 9))
    lengths = (moved.closes - moved.opens) / 3_600_000_000_000
    assert list(lengths[:3]) == [3.5, 6.5, 6.5]


def test_a_market_that_is_always_open_moves_by_days() -> None:
    frame = bars(days=("2026-03-07", "2026-03-08"))
    moved, start = play_as_of(load_bars(frame, AlwaysOpen()), date(2026, 11, 28), date(2026, 3, 7))
    assert start == date(2026, 11, 28)
    assert days(moved.frame) == ["2026-11-28", "2026-11-29"]


def test_a_start_after_the_data_is_refused() -> None:
    with pytest.raises(Refusal, match="no bars on or after 2027-01-01"):
        play_as_of(load_bars(bars(), US_HOURS), TODAY, date(2027, 1, 1))


def test_clients_that_go_by_their_own_clock_get_history() -> None:
    """As a notebook asks: the last week up to now, by the machine's clock."""
    today = datetime.now(NEW_YORK).date()
    with Wire(start=date(2026, 3, 11), as_of=today) as wire:
        now = wire.server.now
        assert now.astimezone(NEW_YORK).date() >= today
        assert now.astimezone(NEW_YORK).strftime("%H:%M") == "09:25"
        here = datetime.now(ZoneInfo("UTC"))
        query = f"timeframe=1Day&start={(here - timedelta(days=9)).isoformat()[:19]}Z&end={here.isoformat()[:19]}Z"
        status, body = wire.ask("GET", f"/v2/stocks/AAPL/bars?feed=iex&{requests.utils.requote_uri(query)}")
        assert status == 200
        found: list[Any] = body["bars"]
        assert len(found) == 2
        assert all(today - timedelta(days=9) < date.fromisoformat(bar["t"][:10]) < now.date() for bar in found)
