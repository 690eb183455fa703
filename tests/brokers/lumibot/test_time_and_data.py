"""The live broker's clock and its prices."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from lumibot.entities import Asset

from brokers.lumibot.market_hours import in_extended_hours
from brokers.network.clock import VenueClock
from tests.brokers.alpaca_venue import Scene
from tests.brokers.rehearsal.venue import Venue, at

MINUTE = timedelta(minutes=1)


# ---- time ---------------------------------------------------------------------------------------------


def scene_at(text: str, market: str = "NASDAQ") -> Scene:
    return Scene(Venue(now=at(text)), market)


@pytest.mark.parametrize(
    ("now", "is_open", "to_open", "to_close"),
    [
        ("2026-03-10 09:00", False, 1800, 0),
        ("2026-03-10 15:59", True, 0, 60),
        ("2026-03-10 16:30", False, 17 * 3600, 0),
        ("2026-11-27 12:59", True, 0, 60),
        ("2026-11-26 12:00", False, 21.5 * 3600, 0),
    ],
)
def test_the_venue_says_when_the_market_is_open(now: str, is_open: bool, to_open: float, to_close: float) -> None:
    broker = scene_at(now).broker
    assert broker.is_market_open() is is_open
    assert broker.get_time_to_open() == pytest.approx(to_open, abs=2)
    assert broker.get_time_to_close() == pytest.approx(to_close, abs=2)


def test_the_venue_s_clock_is_asked_once_until_the_next_boundary() -> None:
    scene = scene_at("2026-03-10 15:00")
    for _ in range(50):
        scene.broker.is_market_open()
        scene.broker.get_time_to_close()
    assert scene.client.asked == ["clock"]
    scene.venue.advance(at("2026-03-10 16:01"))
    assert not scene.broker.is_market_open()


def test_a_boundary_is_kept_while_the_venue_is_out_of_reach() -> None:
    scene = scene_at("2026-03-10 09:29")
    assert not scene.broker.is_market_open()
    scene.client.down = True
    scene.venue.advance(at("2026-03-10 09:31"))
    assert scene.broker.is_market_open()
    scene.venue.advance(at("2026-03-10 16:01"))
    assert not scene.broker.is_market_open()


def test_a_venue_that_was_never_heard_is_closed() -> None:
    scene = scene_at("2026-03-10 12:00")
    scene.client.down = True
    assert not scene.broker.is_market_open()
    assert scene.broker.get_time_to_close() == 0


def test_a_venue_that_never_closes_is_not_asked() -> None:
    scene = scene_at("2026-03-08 03:00", "24/7")
    assert scene.broker.is_market_open()
    assert scene.broker.get_time_to_close() == float("inf")
    assert scene.client.asked == []


@pytest.mark.parametrize(
    ("now", "close", "after", "expected"),
    [
        ("2026-03-10 20:00", True, False, "2026-03-10 16:00"),
        ("2026-03-10 20:00", False, True, "2026-03-11 09:30"),
        ("2026-03-14 20:00", False, False, "2026-03-16 09:30"),
        ("2026-11-27 10:00", True, False, "2026-11-27 13:00"),
    ],
)
def test_market_hours_are_those_of_the_venue_s_day(now: str, close: bool, after: bool, expected: str) -> None:
    assert scene_at(now).broker.market_hours(close=close, next=after) == at(expected)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-03-10 03:59", False),
        ("2026-03-10 04:00", True),
        ("2026-03-10 19:59", True),
        ("2026-03-10 20:00", False),
        # Half a day: the close is at 13:00.
        ("2026-11-27 16:59", True),
        ("2026-11-27 17:00", False),
        ("2026-03-14 12:00", False),
    ],
)
def test_extended_hours_end_four_hours_after_the_close(now: str, expected: bool) -> None:
    assert in_extended_hours(at(now)) is expected


def test_the_strategy_s_time_is_the_venue_s() -> None:
    scene = scene_at("2026-03-10 10:00")
    assert scene.broker.data_source.get_datetime() == scene.venue.now
    assert scene.broker.data_source.get_datetime().utcoffset() == timedelta(hours=-4)
    assert scene.broker.get_timestamp() == scene.venue.now.timestamp()


def running(scene: Scene, speed: float) -> None:
    """Let the venue's time pass by itself."""
    start = scene.venue.now
    clock = VenueClock(speed=speed)
    clock.heard(start, time.monotonic(), time.monotonic())
    scene.client.clock = clock
    scene.client.venue = SimpleNamespace(clock=lambda: (scene.venue.advance(clock.now()), scene.venue.clock())[1])


def test_the_wait_for_the_open_passes_at_the_venue_s_pace() -> None:
    scene = scene_at("2026-03-10 09:29:50")
    running(scene, speed=100)
    began = time.monotonic()
    scene.broker._await_market_to_open(0)
    assert scene.broker.is_market_open()
    assert 0.05 < time.monotonic() - began < 1


def test_a_wait_ends_with_the_run() -> None:
    scene = scene_at("2026-03-10 16:30")
    strategy = SimpleNamespace(_executor=SimpleNamespace(stop_event=threading.Event()))
    threading.Timer(0.05, strategy._executor.stop_event.set).start()
    began = time.monotonic()
    scene.broker._await_market_to_open(60, strategy=strategy)
    assert time.monotonic() - began < 0.9


def test_the_wait_for_the_close_ends_before_it_by_so_many_minutes() -> None:
    scene = scene_at("2026-03-10 15:59")
    scene.broker._await_market_to_close(1)
    scene.broker.process_pending_orders(strategy=None)


# ---- prices -------------------------------------------------------------------------------------------


def rows(*opens: pd.Timestamp) -> list[dict[str, Any]]:
    return [
        {"t": when.tz_convert("UTC").isoformat().replace("+00:00", "Z"), "o": 1, "h": 2, "l": 0.5, "c": 1.5, "v": 10}
        for when in opens
    ]


def test_last_prices_come_in_one_request() -> None:
    scene = Scene()
    scene.client.quotes = {"AAPL": {"bp": 99.9, "ap": 100.1}, "MSFT": {"bp": 0, "ap": 50.0}}
    assets = [Asset("AAPL"), Asset("MSFT"), Asset("BRK.B")]
    prices = scene.broker.get_last_prices(assets)
    assert [prices[asset] for asset in assets] == [pytest.approx(100.0), 50.0, None]
    assert scene.client.asked == ["quotes AAPL,MSFT,BRK.B"]
    scene.client.down = True
    assert scene.broker.get_last_price(Asset("AAPL")) is None


def test_bars_come_in_one_request_without_delay_and_without_the_forming_one() -> None:
    scene = scene_at("2026-03-10 10:00:30")
    now = pd.Timestamp(at("2026-03-10 10:00"))
    scene.client.rows = {name: rows(*(now - n * MINUTE for n in (3, 2, 1, 0))) for name in ("AAPL", "MSFT")}
    bars = scene.broker.data_source.get_bars([Asset("AAPL"), Asset("MSFT")], 2, "minute")
    assert scene.client.asked == ["bars AAPL,MSFT 1"]
    assert list(bars[Asset("MSFT")].df.index) == [now - 2 * MINUTE, now - MINUTE]
    assert bars[Asset("AAPL")].df["close"].tolist() == [1.5, 1.5]
    assert scene.broker.data_source._delay == timedelta(0)


@pytest.mark.parametrize(("now", "count"), [("2026-03-10 15:59", 1), ("2026-03-10 16:00", 2)])
def test_today_s_daily_bar_is_complete_at_the_close(now: str, count: int) -> None:
    scene = scene_at(now)
    scene.client.rows = {"AAPL": rows(*(pd.Timestamp(at(f"2026-03-{day} 00:00")) for day in ("09", "10")))}
    assert len(scene.broker.data_source.get_historical_prices(Asset("AAPL"), 5, "day").df) == count


def test_hours_are_put_together_from_half_hours() -> None:
    scene = scene_at("2026-03-10 12:15")
    first = pd.Timestamp(at("2026-03-10 10:00"))
    scene.client.rows = {"AAPL": rows(*(first + n * 30 * MINUTE for n in range(5)))}
    frame = scene.broker.data_source.get_historical_prices(Asset("AAPL"), 5, "hour").df
    assert scene.client.asked == ["bars AAPL 30"]
    assert list(frame.index) == [first, first + 60 * MINUTE]
    assert frame["volume"].tolist() == [20, 20]


def test_bars_outside_regular_hours_are_left_out_if_asked() -> None:
    scene = scene_at("2026-03-10 10:00")
    early, regular = (pd.Timestamp(at(f"2026-03-10 {t}")) for t in ("09:00", "09:45"))
    scene.client.rows = {"AAPL": rows(early, regular)}
    frame = scene.broker.data_source.get_historical_prices(Asset("AAPL"), 5, "minute", include_after_hours=False).df
    assert list(frame.index) == [regular]


def test_prices_of_what_is_no_stock_are_refused() -> None:
    with pytest.raises(ValueError, match="no stock"):
        Scene().broker.get_last_price(Asset("BTC", asset_type="crypto"))
