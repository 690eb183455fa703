"""Stops that the market has passed and that do not fill."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from brokers.alpaca.quote_stream import MOST_SYMBOLS, AlpacaQuoteStream
from brokers.desk.execution.filling import Filling
from brokers.desk.execution.overdue_stops import OverdueStops
from brokers.desk.look_pace import BUSY_S, IDLE_S
from brokers.desk.monitor import Monitor
from tests.brokers.desk.scene import Json, Scene, held

NOTICED_S = 5


@pytest.fixture
def scene(scene: Scene) -> Scene:
    held(scene)
    scene.settle(2)
    return scene


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.levelno == logging.ERROR and "has not filled" in r.getMessage()]


@pytest.mark.parametrize("how", ["untriggered", "unfilled"])
def test_a_stop_that_sticks_is_told_within_seconds_and_its_position_closed(scene, how, caplog):
    scene.exchange.faults.stops_stick = how
    scene.step(1, AAPL=94)
    assert scene.held() == 49
    passed = 0
    while not errors(caplog):
        scene.step(1)
        passed += 1
        assert passed <= NOTICED_S
    scene.settle(15)
    assert scene.held() == 0
    assert not scene.open()
    assert scene.agrees()
    (told,) = errors(caplog)
    assert "AAPL: STOP_PASSED: 93.99 and 94.01 is beyond the stop 95" in told


def test_a_stop_that_fills_a_moment_later_is_left_alone(scene, caplog):
    scene.exchange.faults.stops_stick = "unfilled"
    scene.step(1, AAPL=94)
    scene.exchange.faults.stops_stick = ""
    scene.step(1, AAPL=94)
    scene.settle(5)
    assert scene.held() == 0 and scene.agrees()
    assert errors(caplog) == [] and "closing" not in caplog.text


def test_a_price_that_comes_back_leaves_the_stop_where_it_is(scene, caplog):
    scene.exchange.faults.stops_stick = "untriggered"
    for price in (94, 96, 94, 96, 95):
        scene.step(1, AAPL=price)
    scene.settle(5)
    assert scene.held() == scene.stopped() == 49
    assert errors(caplog) == []


def test_a_halted_share_is_told_of_and_left_to_the_venue(scene, caplog):
    """Its last price lies beyond the stop, and no quote comes any more."""
    scene.exchange.faults.stops_stick = "unfilled"
    scene.step(1, AAPL=94)
    scene.quote_age = timedelta(minutes=10)
    scene.settle(8)
    assert scene.held() == 49 and len(errors(caplog)) == 1
    assert "closing" not in caplog.text
    scene.quote_age = timedelta(0)
    scene.settle(15)
    assert scene.held() == 0 and scene.agrees()


def test_one_side_of_a_quote_is_no_witness(scene, caplog):
    scene.exchange.faults.stops_stick = "untriggered"
    whole = scene.quotes
    scene.step(1, AAPL=94)
    real = scene.quote("AAPL")
    scene.quoted = lambda symbol: real.__class__(symbol, real.bid, real.ask + 4, real.time)
    scene.settle(8)
    assert scene.held() == 49 and errors(caplog) == []
    assert whole(["AAPL"])


def test_a_part_that_fills_is_a_stop_that_works(scene, caplog):
    scene.exchange.faults.partial_fill_frac = 1.0
    scene.step(1, AAPL=94)
    for _ in range(4):
        scene.step(1, AAPL=94)
    assert "has not filled" not in caplog.text


def test_outside_the_session_no_price_is_a_reason(scene, monkeypatch):
    stops = scene.desk.overdue
    monkeypatch.setattr(type(scene.state), "in_session", property(lambda self: False))
    scene.exchange.faults.stops_stick = "untriggered"
    scene.step(1, AAPL=94)
    scene.settle(6)
    assert not stops.symbols and not stops.watching and scene.held() == 49


def test_a_quote_beyond_the_stop_wakes_the_watch(scene):
    monitor = Monitor(scene.desk, scene.clock)
    for bid, ask, news in ((95.0, 95.01, False), (94.99, 95.01, False), (94.98, 94.99, True)):
        monitor._news.clear()
        monitor.price("AAPL", bid, ask)
        assert monitor._news.is_set() is news
    assert not scene.desk.overdue.reaches("MSFT", 1, 1)


@pytest.mark.parametrize(("stream", "pause"), [(None, BUSY_S), ((), BUSY_S), (("MSFT",), BUSY_S), (("AAPL",), IDLE_S)])
def test_without_a_stream_of_its_prices_the_watch_looks_more_often(scene, stream, pause):
    there: Any = None if stream is None else SimpleNamespace(followed=stream, watch=lambda symbols: None)
    monitor = Monitor(scene.desk, scene.clock, stream=there)
    assert monitor._look() == pause
    scene.exchange.faults.stops_stick = "untriggered"
    scene.pass_time(1, AAPL=94)
    monitor._look()
    assert monitor._look() == BUSY_S and scene.desk.urgent
    scene.exchange.faults.stops_stick = ""


def test_symbols_with_a_stop_are_followed_first_and_one_that_is_not_is_looked_at(scene, monkeypatch):
    stream = AlpacaQuoteStream("ws://x", "key", "secret")
    others = {f"A{number:02}" for number in range(MOST_SYMBOLS + 5)}
    monkeypatch.setattr(type(scene.desk), "symbols", property(lambda desk: others | {"AAPL"}))
    monitor = Monitor(scene.desk, scene.clock, stream=stream)
    assert monitor._look() == BUSY_S
    assert stream._wanted[0] == "AAPL" and len(stream._wanted) == MOST_SYMBOLS
    stream._subscribe(SimpleNamespace(send=lambda text: None))
    assert monitor._look() == IDLE_S
    monkeypatch.setattr(scene.desk.overdue, "_levels", dict.fromkeys(others, (95.0, 1)))
    assert monitor._look() == BUSY_S


def test_a_stop_that_is_being_cancelled_is_not_watched(scene):
    stops, whole = scene.desk.overdue, scene.positions.protection
    assert list(stops.watched) == ["AAPL"]

    def pending(which):
        status = whole("AAPL")
        exits = tuple(replace(order, cancel_pending=order.cancel_pending or which(order)) for order in status.exits)
        return replace(status, exits=exits)

    other = SimpleNamespace(group="another", is_stop=False, cancel_pending=True)
    scene.positions.protection = lambda symbol: replace(whole(symbol), exits=(*whole(symbol).exits, other))
    stops.tend("AAPL")
    assert list(stops.watched) == ["AAPL"], "an exit of another group says nothing of it"
    scene.positions.protection = lambda symbol: pending(lambda order: not order.is_stop)
    stops.tend("AAPL")
    assert not stops.watched, "its pair is cancelled with it"


def test_a_short_is_watched_the_other_way_round():
    order = SimpleNamespace(
        stop_price=105, cancel_pending=False, is_stop=True, group="o", filled=0, id="o", status="new"
    )
    protection: Json = {"stops": [order], "exits": [order]}
    position = SimpleNamespace(quantity=-10)
    positions: Any = SimpleNamespace(
        book=SimpleNamespace(ledger=SimpleNamespace(positions={"X": position}), moved={}),
        protection=lambda symbol: SimpleNamespace(**protection),
    )
    state: Any = SimpleNamespace(
        in_session=True, now=None, view=SimpleNamespace(price=lambda symbol: 104.0),
        quote=lambda symbol: SimpleNamespace(problem="", prices=(105.5, 105.6)),
    )  # fmt: skip
    stops = OverdueStops(state, positions, lambda *_: None, Filling(state, positions), asks=False)
    stops.tend("X")
    assert not stops.symbols and stops.reaches("X", 105.1, 105.2) and not stops.reaches("X", 104.9, 105.2)
    state.view = SimpleNamespace(price=lambda symbol: 105.4)
    stops.tend("X")
    assert list(stops.symbols) == ["X"]


@pytest.mark.parametrize(
    ("quantity", "levels", "between", "beyond"),
    [(10, (95, 98), (96.9, 97.0), (94.8, 94.9)), (-10, (105, 102), (103.0, 103.1), (105.1, 105.2))],
)
def test_of_several_stops_the_one_farthest_from_the_market_is_watched(quantity, levels, between, beyond):
    orders = [
        SimpleNamespace(stop_price=level, cancel_pending=False, is_stop=True, group=str(level), filled=0)
        for level in levels
    ]
    position = SimpleNamespace(quantity=quantity)
    positions: Any = SimpleNamespace(
        book=SimpleNamespace(ledger=SimpleNamespace(positions={"X": position})),
        protection=lambda symbol: SimpleNamespace(stops=orders, exits=orders),
    )
    state: Any = SimpleNamespace(
        in_session=True, now=None, view=SimpleNamespace(price=lambda symbol: between[0]),
        quote=lambda symbol: SimpleNamespace(problem="", prices=between),
    )  # fmt: skip
    filling: Any = SimpleNamespace(goes_on=lambda order: False, is_last=lambda order: False)
    stops = OverdueStops(state, positions, lambda *_: None, filling, asks=False)
    stops.tend("X")
    assert not stops.symbols
    assert not stops.reaches("X", *between)
    assert stops.reaches("X", *beyond)
