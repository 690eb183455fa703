"""The watch between iterations: it outlives whatever goes wrong, and nothing waits for the next iteration."""

from __future__ import annotations

import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from brokers.alpaca.listings import update_of
from brokers.alpaca.quote_stream import AlpacaQuoteStream
from brokers.desk.execution.protection import Protector
from brokers.desk.look_pace import (
    BUSY_S,
    IDLE_S,
    LEAST_S,
    UNCOVERED_LATER_S,
    UNCOVERED_LONG,
    UNCOVERED_LONG_S,
    UNCOVERED_MOST_AHEAD_S,
    LookPace,
)
from brokers.desk.monitor import Monitor
from brokers.venue_errors import LockedOut, VenueUnavailable
from tests.brokers.desk.scene import Json, Scene, fill, held
from tests.brokers.desk.watching import Hurried, watching
from tests.live_venue import wait_until


@pytest.fixture
def scene(scene: Scene) -> Scene:
    held(scene)
    return scene


@contextmanager
def locked_journal(scene: Scene) -> Iterator[None]:
    """Another program holds the file, for longer than a writer waits."""
    connection = sqlite3.connect(scene.folder / "journal.sqlite", isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


def until(scene: Scene, condition: Callable[[], bool]) -> None:
    """Let the venue's time run until something is so."""

    def reached() -> bool:
        with scene.desk.lock:
            scene.pass_time(0.5)
            return condition()

    wait_until(reached, 10)


def impatient(scene: Scene) -> None:
    """A writer gives up at once."""
    with scene.journal._store.transaction() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout = 20")


class Brisk:
    """A clock by which two seconds of the venue pass in a twentieth of one."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    def local(self, seconds: float) -> float:
        return seconds / 40

    def now(self) -> datetime:
        return self._scene.exchange.now


def test_news_without_end_of_uncovered_shares_take_three_fifths_of_the_rate_limit(scene, monkeypatch):
    clock: Any = Brisk(scene)
    looks: list[float] = []
    monkeypatch.setattr(scene.desk, "tick", lambda: looks.append(time.monotonic()))
    scene.desk.protector.log.see("AAPL", Decimal(10), Decimal(0))
    monitor = Monitor(scene.desk, clock)
    monitor.start()
    began = time.monotonic()
    while (lasted := time.monotonic() - began) < 1.0:
        monitor.price("AAPL", 1, 2)
        time.sleep(0.002)
    monitor.stop(5)
    ahead = UNCOVERED_MOST_AHEAD_S
    # The first ones at once, then in the pace of a desk that is busy: a thirtieth of a minute, three requests each.
    # Once the shares are uncovered for long, quotes hurry none.
    assert 2 <= sum(time - looks[0] <= clock.local(BUSY_S) for time in looks) <= ahead / BUSY_S + 2
    assert lasted / clock.local(BUSY_S) / 2 < len(looks) <= (lasted + clock.local(ahead)) / clock.local(BUSY_S) + 2


def test_what_an_iteration_has_just_seen_is_not_looked_at_again(scene, monkeypatch):
    clock: Any = Brisk(scene)
    looks: list[float] = []
    monkeypatch.setattr(scene.desk, "tick", lambda: looks.append(time.monotonic()))
    monitor = Monitor(scene.desk, clock)
    monitor.start()
    end = time.monotonic() + 20 * clock.local(BUSY_S)
    while time.monotonic() < end:
        scene.state.view = replace(scene.state.view)
        time.sleep(clock.local(BUSY_S) / 10)
    assert len(looks) <= 2
    before = len(looks)
    wait_until(lambda: len(looks) > before, 5)
    # News do not wait for that.
    scene.state.view = replace(scene.state.view)
    before = len(looks)
    monitor._news.set()
    wait_until(lambda: len(looks) > before, 5)
    monitor.stop(5)


def test_orders_that_are_not_ours_do_not_hurry_the_watch(scene):
    clock: Any = Hurried(scene)
    monitor = Monitor(scene.desk, clock)
    told: list[Json] = []
    scene.told = lambda events: told.extend(events) or []
    for symbol, hurried in (("PLTR", False), ("AAPL", True)):
        order = {"symbol": symbol, "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}
        scene.exchange.submit(order)
        scene.pass_time(1)
        for event in told:
            monitor.hear(update_of(event))
        assert monitor._news.is_set() is hurried
        told.clear()


def test_the_watch_reads_the_clock_when_it_is_time_and_goes_on_without_it(scene):
    def gone(name: str, phase: str) -> None:
        if name == "venue_clock":
            raise VenueUnavailable("no answer")

    scene.exchange.cancel(next(order["id"] for order in scene.open() if order["type"] == "stop"))
    scene.wire.calls.clear()
    scene.desk.tick()
    assert "venue_clock" not in [name for name, _ in scene.wire.calls]
    scene.clock.due, scene.wire.mishap = True, gone
    for _ in range(3):
        scene.pass_time(1)
        scene.desk.tick()
    assert [name for name, _ in scene.wire.calls].count("venue_clock") == 3
    assert scene.stopped() == 49


def test_a_locked_journal_stops_entries_while_it_lasts_and_never_the_watch(scene):
    impatient(scene)
    passing = scene.desk.halts.passing
    with watching(scene) as monitor:
        with locked_journal(scene):
            wait_until(lambda: "the journal" in passing, 10)
            scene.deaf = True
            scene.exchange.cancel(scene.open()[0]["id"])
            assert monitor._thread.is_alive()
        wait_until(lambda: not passing, 10)
        until(scene, lambda: scene.stopped() == 49)
        assert monitor._thread.is_alive()
    assert scene.desk.halts.reasons(scene.exchange.now) == []
    scene.enter("MSFT", 40)
    scene.settle(2)
    assert scene.held("MSFT") == 39


def test_a_trade_update_that_cannot_be_booked_is_found_at_the_venue(scene):
    impatient(scene)
    clock: Any = Hurried(scene)
    monitor = Monitor(scene.desk, clock)
    heard: list[Json] = []
    scene.told = lambda events: heard.extend(events) or []
    scene.exchange.cancel(scene.open()[0]["id"])
    scene.pass_time(1)
    assert heard
    with locked_journal(scene):
        for event in heard:
            monitor.hear(update_of(event))
    assert set(scene.desk.halts.passing) == {"the journal"}
    scene.settle(3)
    assert scene.stopped() == 49
    assert scene.desk.halts.passing == {}


def test_a_surprise_halts_entries_and_the_watch_goes_on(scene, monkeypatch):
    looks = []

    def surprise(self, symbol, keep=None):
        looks.append(symbol)
        if len(looks) == 1:
            raise RuntimeError("boom")

    monkeypatch.setattr(Protector, "tend", surprise)
    with watching(scene):
        wait_until(lambda: len(looks) >= 3, 10)
    assert scene.desk.halts.reasons(scene.exchange.now) == ["halted for this session by crash"]


def test_what_is_bare_can_be_asked_for_while_it_changes(scene):
    protector, over = scene.desk.protector, threading.Event()

    def change() -> None:
        while not over.is_set():
            for k in range(6):
                protector.log.see(f"S{k}", Decimal(10), Decimal(0))
            for k in range(6):
                protector.log.see(f"S{k}", Decimal(0), Decimal(0))

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    thread = threading.Thread(target=change)
    thread.start()
    try:
        ends = time.monotonic() + 1.0
        while time.monotonic() < ends:
            assert set(protector.log.present) <= {f"S{k}" for k in range(6)}
    finally:
        over.set()
        thread.join()
        sys.setswitchinterval(before)


def test_the_stream_of_prices_outlives_a_listener_that_fails(monkeypatch):
    monkeypatch.setattr("brokers.alpaca.quote_stream.FIRST_WAIT_S", 0.05)
    tries = []

    class Socket:
        def __enter__(self) -> Socket:
            tries.append(1)
            return self

        def __exit__(self, *_: object) -> None: ...

        def recv(self, timeout: float) -> str:
            time.sleep(0.01)
            return '[{"T": "q", "S": "AAPL", "bp": 1, "ap": 2}]'

    def fail(symbol: str, bid: float, ask: float) -> None:
        raise RuntimeError("dictionary changed size during iteration")

    monkeypatch.setattr("brokers.alpaca.quote_stream.connect", lambda *_, **__: Socket())
    stream = AlpacaQuoteStream("ws://127.0.0.1:9", "key", "secret")
    stream.start(fail)
    wait_until(lambda: len(tries) >= 2, 5)
    stream.stop()


def test_iterations_that_do_not_come_are_told(scene, caplog, monkeypatch):
    monkeypatch.setattr("brokers.desk.monitor.MISSED_S", 0.0)
    clock: Any = Hurried(scene)
    monitor = Monitor(scene.desk, clock, pace_s=0.05)
    monitor.start()
    try:
        wait_until(lambda: "no iteration for" in caplog.text)
    finally:
        monitor.stop(5)


def test_no_iterations_are_missed_while_the_market_is_closed_or_while_they_come(scene, caplog, monkeypatch):
    monkeypatch.setattr("brokers.desk.monitor.MISSED_S", 0.0)
    monitor = Monitor(scene.desk, scene.clock, pace_s=0.0)
    for _ in range(3):
        scene.step()
        monitor._miss_iterations()
    scene.pass_time(7 * 3600)
    for _ in range(3):
        monitor._miss_iterations()
    assert "no iteration" not in caplog.text


def test_shares_without_stop_or_sale_are_looked_at_soon_and_news_keep_their_part():
    """What a cancel has freed comes back without news; in the long run it stays at one look in two seconds."""
    pace, now, looks = LookPace(lambda seconds: seconds, 0.0), 0.0, []
    while now < 60:
        now += pace.pause_s(now, busy=True, uncovered={"AAPL"}) + pace.delay_s(now)
        pace.looks(now)
        looks.append(now)
    assert looks[0] < 0.5 and looks[1] - looks[0] < 0.5
    in_a_minute = max(sum(start <= time < start + 60 for time in looks) for start in looks)
    assert in_a_minute <= (60 + UNCOVERED_MOST_AHEAD_S) / BUSY_S + 1
    assert pace.pause_s(now + 60, busy=False, uncovered=()) == IDLE_S


def looks_of(pace: LookPace, begins: float, lasts: float, told: tuple[float, ...] = ()) -> list[float]:
    """When looks come at uncovered shares of a symbol that has a quote every tenth of a second, and news at times."""
    now, looks, news = begins, list[float](), list(told)
    while now < begins + lasts:
        due = now + pace.pause_s(now, busy=True, uncovered={"AAPL"})
        if news and news[0] <= due:
            due = max(now, news.pop(0))
            pace.hears("AAPL")
        elif not pace.waits("AAPL", now + 0.1):
            due = now + 0.1
        now = due + pace.delay_s(due)
        pace.looks(now)
        looks.append(now)
    return looks


def test_shares_without_a_stop_for_long_leave_most_of_the_rate_limit_to_others():
    """Quotes included: a look is three requests, and the lookup of an order without an answer one in four seconds."""
    looks = looks_of(LookPace(lambda seconds: seconds, 0.0), 0.0, 180)
    first = [time for time in looks if time <= UNCOVERED_LONG]
    assert len(first) >= 10 and first[2] < 1, "at first as soon as ever"
    minutes = [sum(start <= time < start + 60 for time in looks) for start in range(120)]
    assert max(minutes) <= 30 and max(minutes) * 3 + 16 <= 140 - 4 * 7, "iterations every 15 s have their seven each"
    assert minutes[-1] <= 60 / UNCOVERED_LONG_S + 1


def test_what_was_told_of_uncovered_shares_has_looks_come_soon_again():
    pace = LookPace(lambda seconds: seconds, 0.0)
    looks = looks_of(pace, 0.0, 70, told=(60.0,))
    after = [time for time in looks if time >= 60]
    assert after[0] < 60.5 and after[3] < 62
    # So do others that lose their stop meanwhile.
    pace.pause_s(200, busy=True, uncovered={"AAPL"})
    assert pace.pause_s(220, busy=True, uncovered={"AAPL"}) == UNCOVERED_LONG_S
    assert pace.pause_s(220, busy=True, uncovered={"AAPL", "MSFT"}) < 1


def test_in_a_minute_of_much_news_uncovered_shares_are_still_looked_at_within_a_second():
    pace, now = LookPace(lambda seconds: seconds, 0.0), 0.0
    for _ in range(30):
        now += pace.delay_s(now)
        pace.looks(now)
    assert pace.delay_s(now) > 1.5, "news wait for their turn by now"
    for _ in range(3):
        before = now
        now += pace.pause_s(now, busy=True, uncovered={"AAPL"}) + pace.delay_s(now)
        assert now - before < UNCOVERED_LATER_S + 2 * LEAST_S
        pace.looks(now)
    pace.pause_s(now, busy=True, uncovered=())
    assert 1.5 < pace.delay_s(now) <= BUSY_S, "after them news wait for one pace and no longer"


def test_a_part_is_cancelled_before_anything_is_asked(scene):
    scene.exchange.on_quote(scene.exchange.now, {"AAPL": Decimal(101)})
    scene.enter("AAPL", 15)
    fill(scene, 8)
    scene.wire.calls.clear()
    scene.desk.tick()
    assert scene.wire.calls[0][0] == "cancel"


def test_a_part_is_cancelled_while_the_next_look_waits_for_its_turn(scene, monkeypatch):
    """Until the entry has ended nothing protects its part, and in a minute of much news a look is two seconds away."""
    scene.exchange.on_quote(scene.exchange.now, {"AAPL": Decimal(101)})
    scene.enter("AAPL", 15)
    clock: Any = type("Venue", (), {"local": lambda _, seconds: seconds, "now": lambda _: scene.exchange.now})()
    monitor = Monitor(scene.desk, clock)
    while monitor._pace.delay_s(now := time.monotonic()) < BUSY_S:
        monitor._pace.looks(now)
    looks: list[float] = []
    monkeypatch.setattr(scene.desk, "tick", lambda: looks.append(time.monotonic()))
    monitor.start()
    scene.wire.calls.clear()
    told = time.monotonic()
    with scene.desk.lock:
        fill(scene, 8)
        # No quote makes known that an entry has filled, however many come.
        for _ in range(3):
            monitor._news.set()
            time.sleep(2 * LEAST_S)
        assert scene.wire.calls == []
    monitor._told.set()
    wait_until(lambda: [name for name, *_ in scene.wire.calls] == ["cancel"], BUSY_S / 2)
    wait_until(lambda: bool(looks), 2 * BUSY_S)
    monitor.stop(5)
    assert looks[0] - told > BUSY_S / 2 and [name for name, *_ in scene.wire.calls] == ["cancel"]


def test_the_watch_outlives_an_error_while_it_waits_for_its_turn(scene, monkeypatch):
    monitor, calls = Monitor(scene.desk, Brisk(scene)), []

    def fail() -> None:
        calls.append(time.monotonic())
        raise RuntimeError("boom")

    monkeypatch.setattr(scene.desk.symbol_work, "end_parts", fail)
    monkeypatch.setattr(monitor._pace, "delay_s", lambda now: 3 * LEAST_S)
    monitor.start()
    monitor._told.set()
    monitor._news.set()
    wait_until(lambda: len(calls) >= 2, 5)
    assert monitor._thread.is_alive()
    monitor.stop(5)
    assert scene.desk.halts.reasons(scene.exchange.now) == ["halted for this session by crash"]


def test_while_the_venue_is_gone_no_watch_over_stops_is_promised(scene, caplog, monkeypatch):
    monkeypatch.setattr("brokers.desk.monitor.MISSED_S", 0.0)
    monitor = Monitor(scene.desk, scene.clock, pace_s=0.0)
    scene.step()
    locked = LockedOut("locked out by Kraken until 12:15; nothing is looked at")

    def refused(name: str, phase: str) -> None:
        raise locked

    scene.wire.mishap = refused
    with pytest.raises(LockedOut):
        scene.desk.tick()
    for _ in range(2):
        monitor._miss_iterations()
    assert "and the venue is not seen: locked out by Kraken until 12:15" in caplog.text
    assert "goes on" not in caplog.text


def test_while_only_data_are_gone_the_venue_counts_as_seen(scene, caplog, monkeypatch):
    monkeypatch.setattr("brokers.desk.monitor.MISSED_S", 0.0)
    scene.desk.halts.venue_gone = lambda: "circuit breaker open (data)"
    monitor = Monitor(scene.desk, scene.clock, pace_s=0.0)
    scene.step()
    for _ in range(2):
        monitor._miss_iterations()
    assert "no iteration for" in caplog.text and "the watch over stops goes on" in caplog.text
    assert "not seen" not in caplog.text


def test_the_watch_outlives_a_reconnect_that_fails(scene, caplog, monkeypatch):
    monkeypatch.setattr("brokers.desk.monitor.SILENT_S", 0.0)
    monkeypatch.setattr("brokers.desk.monitor.RECONNECT_S", 0.0)
    tries, looks = list[int](), list[int]()
    clock: Any = Hurried(scene)

    def fail() -> None:
        tries.append(1)
        raise RuntimeError("boom")

    monitor = Monitor(scene.desk, clock, reconnect=fail)
    monitor.listening, monitor._silent_since = True, 0.0
    monkeypatch.setattr(type(scene.desk.sync), "untold_fill", property(lambda sync: scene.exchange.now))
    monkeypatch.setattr(scene.desk, "tick", lambda: looks.append(1))
    monitor.start()
    try:
        wait_until(lambda: len(tries) >= 2 and bool(looks), 5)
        assert monitor._thread.is_alive()
    finally:
        monitor.stop(5)
    assert "whether the stream of trade updates tells anything is not known" in caplog.text


def test_a_look_that_fails_again_for_the_same_reason_is_told_of_once(scene, caplog):
    monitor = Monitor(scene.desk, scene.clock)

    def broken(name, phase):
        raise VenueUnavailable("the circuit breaker is open")

    scene.wire.mishap = broken
    for _ in range(4):
        monitor._look()
    scene.wire.mishap = lambda name, phase: None
    monitor._look()
    scene.wire.mishap = broken
    monitor._look()
    assert [r.levelname for r in caplog.records if r.message.startswith("watching: ")] == ["WARNING"] * 2
