"""A quiet account at Kraken is looked at once a minute; what comes or ends in between is seen in time all the same."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from brokers.desk.execution.order_requests import single
from brokers.desk.lifecycle.shutdown import shut_down
from brokers.desk.lifecycle.wiring import LiveAccount
from brokers.desk.order_router import LumibotOrderRouter
from brokers.kraken.connection.rates import TIERS
from brokers.kraken.venue import limit_of
from brokers.order_types import TimeInForce
from tests.brokers.kraken.scene import BTC, KrakenScene
from tests.brokers.rehearsal.kraken.market import served

QUIET_S = 60.0


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[KrakenScene]:
    with served() as server:
        scene = KrakenScene(server, tmp_path)
        yield scene
        scene.close()


def pace(scene: KrakenScene) -> None:
    """Looks come as the smallest account's do, at Kraken's lowest tier."""
    scene.clock.local = lambda seconds: seconds  # type: ignore[method-assign]  # as it is outside of rehearsals
    scene.desk.looks._limit = limit_of(TIERS["starter"], QUIET_S)


@pytest.fixture
def timed(scene: KrakenScene, monkeypatch: pytest.MonkeyPatch) -> KrakenScene:
    """The same, by the venue's time instead of the test's."""
    pace(scene)
    clock = SimpleNamespace(monotonic=lambda: scene.clock.time.timestamp())
    monkeypatch.setattr("brokers.desk.venue_looks.time", clock)
    scene.desk.tick()
    return scene


def bid(scene: KrakenScene, price: float = 89_000) -> None:
    """A limit of a subclass that nothing follows and that rests below the market."""
    request = single(BTC, "buy", Decimal("0.001"), price, time_in_force=TimeInForce.GTC)
    LumibotOrderRouter(scene.desk).submit(request)


def watched(scene: KrakenScene, seconds: int) -> int:
    """How many looks the monitor's steps make in so many seconds."""
    before = scene.asked["OpenOrders"]
    for _ in range(seconds):
        scene.pass_time(1)
        scene.desk.tick()
    return scene.asked["OpenOrders"] - before


def hand_cancels(scene: KrakenScene) -> None:
    (stop,) = scene.open()
    scene.server.by_hand("CancelOrder", txid=stop.id)


def test_the_end_looks_once_more_and_puts_back_what_was_cancelled_since_the_last_look(scene):
    scene.enter(BTC, 100)
    scene.settle(3)
    pace(scene)
    hand_cancels(scene)
    scene.pass_time(2)
    looks = scene.asked["OpenOrders"]
    shut_down(scene.desk, 4.0)
    assert scene.stopped() == scene.held() > 0
    assert scene.asked["OpenOrders"] == looks + 1


def test_the_end_looks_until_the_cancel_of_an_entry_is_seen(scene, caplog):
    scene.settle(2)
    pace(scene)
    bid(scene)
    looks = scene.asked["OpenOrders"]
    shut_down(scene.desk, 6.0)
    assert scene.open() == [] and scene.journal.open_orders() == []
    assert scene.asked["OpenOrders"] <= looks + 3, "each is a request of what the next start may ask"
    told = [record.message for record in caplog.records if BTC in record.message]
    assert [line for line in told if "ending an entry" in line] == [f"{BTC}: ending an entry, the trader ends"]
    assert not any("waits on at the venue" in line for line in told)


def test_the_account_is_read_at_the_end_where_no_look_was_due(scene):
    scene.settle(2)
    pace(scene)
    scene.pass_time(5)
    before = scene.desk.state.view.account_time
    none: Any = SimpleNamespace(stop=lambda *args: None, journal=scene.journal, close=lambda: None, tell=lambda: None)
    LiveAccount(scene.desk, none, none, none, none, "1M", none, none, 60.0).close()
    assert scene.desk.state.view.account_time > before


@pytest.mark.parametrize("waits_s", [2, 200], ids=["at once", "after its patience"])
def test_what_a_subclass_bought_is_behind_a_stop_soon(timed, waits_s):
    bid(timed)
    watched(timed, waits_s)
    timed.pass_time(1, BTC="88990")
    assert timed.held() > 0 and timed.stopped() == 0
    for _ in range(16):
        timed.desk.tick()
        timed.pass_time(1)
    assert timed.stopped() == timed.held()
    assert max(timed.spells) <= (3 if waits_s == 2 else 17)


def test_an_entry_from_before_a_restart_is_seen_to_have_ended(timed):
    bid(timed)
    timed.restart()
    pace(timed)
    timed.desk.tick()
    assert timed.open() == []
    watched(timed, 3)
    assert timed.journal.open_orders() == []


def test_an_order_that_rests_for_long_leaves_requests_to_others(timed):
    at_rest = watched(timed, 600)
    assert at_rest == 600 // QUIET_S
    bid(timed)
    watched(timed, int(timed.settings.live.entry.patience_s) + 5)
    assert watched(timed, 600) <= 40, "a look in 15 s"
    timed.desk.state.room = lambda requests: False
    assert watched(timed, 600) == at_rest, "they give way to iterations"


def test_closing_everything_sees_that_an_entry_has_ended(timed, monkeypatch, caplog):
    bid(timed)
    watched(timed, 200)
    monkeypatch.setattr("brokers.desk.order_router.time.sleep", lambda seconds: timed.pass_time(seconds))
    began = timed.clock.time
    LumibotOrderRouter(timed.desk).sell_all(end_entries=True)
    assert timed.open() == [] and timed.journal.open_orders() == []
    assert "still being closed" not in caplog.text
    assert (timed.clock.time - began).total_seconds() < 10
