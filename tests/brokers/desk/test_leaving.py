"""The end of a process: every share keeps its stop, nothing new is sent, and what waits is named."""

from __future__ import annotations

import logging
import threading
from decimal import Decimal
from types import SimpleNamespace

import pytest

from brokers.alpaca.limits import Need, SlidingWindowLimiter
from brokers.desk.execution.order_gateway import OrderRefused
from brokers.desk.execution.order_requests import single
from brokers.desk.lifecycle.shutdown import shut_down
from brokers.desk.lifecycle.wiring import LiveAccount
from brokers.venue_errors import NotSent, RateLimited, VenueUnavailable
from risk.model import Plan
from tests.brokers.desk.drills import exits_of
from tests.brokers.desk.scene import Scene, changes, fill, held, slow_cancels


def part_of(scene: Scene) -> None:
    """An entry of 14 shares of which 8 are filled, and whose cancel is asked for."""
    scene.exchange.on_quote(scene.exchange.now, {"AAPL": Decimal(101)})
    scene.enter("AAPL", 15)
    fill(scene, 8)
    scene.step(0.1)
    scene.step(0.1)
    assert changes(scene) == ["submit", "cancel"]


def test_a_surplus_is_taken_away_by_the_smallest_group(scene):
    slow_cancels(scene, 30)
    part_of(scene)
    for _ in range(4):
        scene.step(1)
    assert scene.stopped() == 8, "after three seconds the part does not wait for its entry any longer"
    scene.wire.calls.clear()
    fill(scene, 6)
    assert (scene.held(), exits_of(scene, "AAPL")) == (14, 22)
    scene.step(0.1)
    assert changes(scene) == ["cancel"]
    bare = []
    for _ in range(40):
        scene.step(1)
        bare.append(scene.stopped() < 14)
    assert not any(bare)
    assert exits_of(scene, "AAPL") == 14


def test_a_part_waits_for_the_end_of_its_entry(scene):
    slow_cancels(scene, 1.5)
    part_of(scene)
    scene.step(0.5)
    assert exits_of(scene, "AAPL") == 0
    fill(scene, 6)
    scene.settle(5, 0.5)
    assert scene.held() == scene.stopped() == exits_of(scene, "AAPL") == 14
    assert "oco" not in {order["order_class"] for order in scene.open()}


@pytest.mark.parametrize("after", range(6))
def test_a_stop_of_the_process_leaves_as_many_exits_as_shares(scene, after, monkeypatch):
    """Whenever it comes, while the rest of an entry fills after its part was covered."""
    monkeypatch.setattr("brokers.desk.lifecycle.shutdown.time.sleep", lambda seconds: scene.pass_time(0.5))
    slow_cancels(scene, 6)
    part_of(scene)
    steps = [
        lambda: scene.step(2), lambda: scene.step(2), lambda: fill(scene, 6),
        lambda: scene.step(0.1), lambda: scene.step(0.1), lambda: scene.step(0.5),
    ]  # fmt: skip
    for step in steps[:after]:
        step()
    assert (exits_of(scene, "AAPL") == 22) == (after >= 3), "there are exits for more shares than are held"
    shut_down(scene.desk, 5.0)
    scene.pass_time(8)
    assert exits_of(scene, "AAPL") == scene.stopped() == scene.held() > 0


def test_a_process_that_ends_makes_no_share_bare_for_a_surplus(scene, monkeypatch, caplog):
    """One group for too many shares: in the next step they would get a smaller one, and there may be none."""
    monkeypatch.setattr("brokers.desk.lifecycle.shutdown.time.sleep", lambda seconds: scene.pass_time(0.5))
    scene.enter("AAPL", 50)
    scene.settle(2)
    monkeypatch.setattr(type(scene.positions.book), "quantity", lambda self, symbol: Decimal(40))
    scene.wire.calls.clear()
    shut_down(scene.desk, 0.5)
    assert changes(scene) == []
    assert scene.stopped() == 49


def test_exits_are_not_renewed_while_the_process_ends(scene):
    scene.enter("AAPL", 50)
    scene.settle(2)
    scene.pass_time(80 * 24 * 3600, AAPL=100)
    scene.wire.calls.clear()
    shut_down(scene.desk, 0.5)
    assert changes(scene) == []
    assert scene.stopped() == 49


def test_what_a_renewal_cancelled_is_looked_at_soon(scene):
    scene.enter("AAPL", 50)
    scene.settle(2)
    scene.pass_time(80 * 24 * 3600, AAPL=100)
    assert not scene.desk.busy
    scene.step(1)
    assert scene.desk.busy
    scene.settle(3)
    assert scene.stopped() == 49
    assert not scene.desk.busy


def test_what_another_thread_still_tries_after_the_end_is_no_news(scene, caplog):
    held(scene)
    shut_down(scene.desk, 0.5)
    scene.stop()
    caplog.clear()
    with scene.desk.iteration():
        scene.desk.reconcile()
    assert [record.message for record in caplog.records if record.levelno >= logging.ERROR] == []


def test_everything_that_stays_is_named(scene, caplog):
    scene.enter("MSFT", 50)
    scene.settle(2)
    scene.exchange.on_quote(scene.exchange.now, {"AAPL": Decimal(101)})
    scene.enter("AAPL", 40)
    with caplog.at_level(logging.INFO):
        shut_down(scene.desk, 1.0)
    told = [record.message for record in caplog.records if record.name == "brokers.desk.lifecycle.shutdown"]
    assert told == [
        "AAPL: an entry waits on at the venue, the next start ends it: buy limit of 39 at 100.07",
        "MSFT: 49 shares stay behind: sell stop of 49 at 95.01; sell limit of 49 at 115.01",
    ]


def test_a_sale_that_waits_for_the_rate_limit_is_dropped_and_its_stop_goes_back(scene, monkeypatch):
    scene.enter("AAPL", 50)
    scene.settle(2)
    # There is room after ten seconds, so that the sale waits for it and is not refused at once.
    bucket = SlidingWindowLimiter(limit=1, reserve=0, window_s=10.0)
    assert bucket.take(Need.ORDERS, 0)
    waits = threading.Event()

    def limited(name: str, when: str) -> None:
        if name == "submit" and when == "before" and not scene.desk.shutting_down:
            waits.set()
            if not bucket.take(Need.ORDERS, 20):
                raise NotSent("the rate limit leaves no room")

    scene.wire.mishap = limited
    # The client's own bucket, so that the way from the end of the process to it is tried too.
    scene.wire.bucket = SimpleNamespace(**{**vars(scene.wire.bucket), "drop_waiting": bucket.drop_waiting})
    scene.adjust("exit")
    monkeypatch.setattr("brokers.desk.lifecycle.shutdown.time.sleep", lambda seconds: scene.pass_time(0.5))
    iterating = threading.Thread(target=scene.settle, args=(2,))
    iterating.start()
    assert waits.wait(5)
    shut_down(scene.desk, 5.0)
    iterating.join(5)
    assert scene.held() == scene.stopped() == 49
    assert {order["order_class"] for order in scene.exchange.orders("all")} == {"bracket", "oco"}


def test_nothing_is_entered_once_the_process_ends(scene):
    """The end comes while a plan of two entries is being sent."""
    scene.desk.reconcile()

    def ends(name: str, when: str) -> None:
        scene.desk.shutting_down = scene.desk.shutting_down or (name, when) == ("submit", "after")

    scene.wire.mishap = ends
    now = scene.exchange.now
    scene.desk.execute(Plan(now, entries=(scene.proposal("AAPL", 50), scene.proposal("MSFT", 40))))
    assert changes(scene) == ["submit"]
    with pytest.raises(OrderRefused, match="DESK_LEAVING"):
        scene.gateway.place(single("NVDA", "buy", 1, None), "entry", now, opens=True, quote=100.0)


def test_what_waits_is_named_without_the_lock_too(scene, caplog):
    scene.exchange.on_quote(scene.exchange.now, {"AAPL": Decimal(101)})
    scene.enter("AAPL", 40)
    taken, done = threading.Event(), threading.Event()

    def hold() -> None:
        with scene.desk.lock:
            taken.set()
            done.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    assert taken.wait(5)
    shut_down(scene.desk, 0.2)
    done.set()
    holder.join(5)
    assert "leaving: no look was possible" in caplog.text
    assert "AAPL: an entry waits on at the venue, the next start ends it: buy limit of 39 at 100.07" in caplog.text


def test_without_a_look_a_part_does_not_get_exits_beside_those_of_its_entry(scene):
    slow_cancels(scene, 2)
    part_of(scene)
    scene.deaf = True
    fill(scene, 6)
    scene.wire.mishap = unanswered
    for _ in range(8):
        scene.pass_time(1)
        with pytest.raises(VenueUnavailable):
            scene.desk.tick()
    assert exits_of(scene, "AAPL") == 14


def unanswered(name: str, when: str) -> None:
    if name in ("orders_since", "open_orders", "positions"):
        raise VenueUnavailable("no answer")


def test_the_last_state_has_the_cash_of_the_end(scene):
    held(scene)
    scene.desk.look()
    before = scene.state.view.account.cash
    scene.pass_time(2, AAPL=90)
    assert scene.held() == 0
    scene.desk.tick()
    assert scene.state.view.account.cash == before
    told = []
    nothing = SimpleNamespace(stop=lambda *args: None, tell=lambda: None, journal=scene.journal, close=lambda: None)
    recorder = SimpleNamespace(stop=lambda ended: told.append(scene.state.view.account.cash))
    account = LiveAccount(
        scene.desk, nothing, nothing, nothing, nothing, "1M", nothing, nothing, 60.0, recorder=recorder
    )
    account.close()
    assert told == [Decimal(scene.exchange.account()["cash"])]
    assert told[0] > before


def test_one_reason_that_lasts_is_told_once_while_the_process_ends(scene, caplog, monkeypatch):
    held(scene)
    monkeypatch.setattr("brokers.desk.lifecycle.shutdown.time.sleep", lambda seconds: None)
    tries = []

    def spent(name: str, phase: str) -> None:
        tries.append(name)
        raise RateLimited(f"own rate limit: all 200 requests of a minute are spent, this one can go in {len(tries)} s")

    scene.wire.mishap = spent
    shut_down(scene.desk, 0.3)
    assert len(tries) > 3
    assert sum(record.message.startswith("leaving: own rate limit") for record in caplog.records) == 1
