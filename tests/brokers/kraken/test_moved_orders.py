"""Orders of ours that get another price and stay the same order: the journal follows, and what reads it does too."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from brokers.desk.execution.last_stop import last_stop
from brokers.desk.execution.order_gateway import OrderRefused
from brokers.desk.execution.order_requests import single
from brokers.desk.order_router import LumibotOrderRouter
from brokers.desk.reconcile.journal_sync import JournalSync
from brokers.journal import Journal, State
from brokers.order_types import OrderRole, TimeInForce
from brokers.rehearsal.core.model import Order
from brokers.venue_requests import OrderChange
from tests.brokers.kraken.scene import BTC, ETH, SETTINGS, KrakenScene
from tests.brokers.rehearsal.kraken.market import served

KEPT = (*(stated for stated in SETTINGS if "min_cash" not in stated), "gate.min_cash_frac=0.5")


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[KrakenScene]:
    """Coins behind their stop at 88,200.1."""
    with served(account={"cash_usd": 1_000}) as server:
        scene = KrakenScene(server, tmp_path)
        scene.enter(BTC, 100)
        scene.settle(2)
        scene.step(1, BTC="93000")
        yield scene
        scene.close()


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[KrakenScene]:
    """Half of 1,000 USD has to be left, and an order through Lumibot waits: 0.004 BTC at 40,000."""
    with served(account={"cash_usd": 1_000}) as server:
        scene = KrakenScene(server, tmp_path, stated=KEPT)
        scene.settle(2)
        request = single(BTC, "buy", Decimal("0.004"), 40_000, time_in_force=TimeInForce.GTC)
        LumibotOrderRouter(scene.desk).submit(request)
        scene.settle(2)
        yield scene
        scene.close()


def resting(scene: KrakenScene) -> Order:
    (order,) = scene.open(BTC)
    return order


def taken_away(scene: KrakenScene, stop: Order) -> None:
    """Without a process a hand cancels the stop; then a process begins."""
    scene.journal.close()
    scene.server.call(lambda exchange: exchange.cancel(stop))
    scene.pass_time(2)
    scene.start()
    scene.pass_time(1, BTC="93000")
    scene.settle(3)


def amended_by_hand(scene: KrakenScene, order: Order, **terms: str) -> None:
    scene.server.by_hand("AmendOrder", txid=order.id, **terms)


def test_a_stop_that_was_tightened_goes_back_to_its_last_level(scene):
    scene.adjust("tighten", BTC, stop=92_000.0)
    scene.settle(2)
    taken_away(scene, resting(scene))
    assert resting(scene).stop_price == Decimal(92_000)
    rows = [order for order in scene.journal.run_orders() if order.role == OrderRole.STOP]
    assert State.REJECTED not in {order.state for order in rows}, "the venue has taken all of them"


def test_a_stop_whose_amendment_was_not_answered_goes_back_to_the_level_that_the_venue_showed(scene):
    scene.die = scene.rest.die = ("AmendOrder", scene.asked["AmendOrder"] + 1, "after")
    scene.adjust("tighten", BTC, stop=92_000.0)
    scene.settle(12, 10)
    taken_away(scene, resting(scene))
    assert resting(scene).stop_price == Decimal(92_000)


@pytest.mark.parametrize("seen", [True, False], ids=["seen", "not seen"])
def test_a_stop_that_a_hand_moved_goes_back_to_where_the_hand_put_it(scene, seen):
    stop = resting(scene)
    if seen:
        amended_by_hand(scene, stop, trigger_price="90500")
        scene.settle(1)
        amended_by_hand(scene, stop, trigger_price="91000")
        scene.settle(2)
    else:
        scene.journal.close()
        amended_by_hand(scene, stop, trigger_price="91000")
    taken_away(scene, stop)
    assert resting(scene).stop_price == Decimal(91_000)
    rows = len(scene.journal.run_orders())
    scene.settle(3)
    scene.restart()
    scene.settle(2)
    assert len(scene.journal.run_orders()) == 0 < rows, "what is known is entered once"


@pytest.fixture
def as_of_old(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Until it is called, an amendment is booked as refused and no price is followed: such journals exist."""

    def refused(journal: Journal, client_order_id: str, name: str) -> None:
        journal.event(name, State.REJECTED, reason="the venue calls it otherwise")

    monkeypatch.setattr(Journal, "amended", refused)
    monkeypatch.setattr(JournalSync, "_follow_price", lambda *args: None)
    return monkeypatch.undo


@pytest.mark.parametrize("gone", [True, False], ids=["the stop is gone", "the stop rests"])
def test_a_stop_of_an_earlier_position_that_was_tightened_tells_nothing_of_the_present_one(as_of_old, scene, gone):
    scene.adjust("tighten", BTC, stop=92_000.0)
    scene.settle(2)
    scene.adjust("exit", BTC)
    scene.settle(6)
    assert not scene.held(BTC)
    scene.pass_time(100_000, BTC="85000")
    scene.settle(2)
    scene.enter(BTC, 100)
    scene.settle(3)
    held, stop = scene.held(BTC), resting(scene)
    assert held
    as_of_old()
    scene.journal.close()
    if gone:
        scene.server.call(lambda exchange: exchange.cancel(stop))
    scene.pass_time(2)
    scene.start()
    scene.settle(5)
    assert (scene.held(BTC), resting(scene).stop_price) == (held, stop.stop_price)
    told = [order for order in scene.journal.run_orders() if order.reason == "moved at the venue"]
    assert not told


def test_a_stop_that_was_tightened_and_booked_as_of_old_goes_back_to_its_last_level(as_of_old, scene):
    scene.adjust("tighten", BTC, stop=92_000.0)
    scene.settle(2)
    as_of_old()
    taken_away(scene, resting(scene))
    assert resting(scene).stop_price == Decimal(92_000)


def test_what_became_of_a_tightened_stop_is_told_at_its_last_price(scene):
    scene.adjust("tighten", BTC, stop=92_000.0)
    scene.settle(2)
    since = scene.positions.book.entries[BTC].journaled_at
    found = scene.journal.last_stop(BTC, since)
    assert (found.stop_price, found.state) == (Decimal(92_000), State.WORKING)
    scene.journal.event(found.client_order_id, State.CANCELLED, "ended")
    scene.positions.state.view.orders = {}
    assert last_stop(BTC, scene.positions) == "the last one, at 92000, is cancelled by the journal"


def test_an_entry_that_was_moved_was_sent_once(kept):
    sent = list(kept.desk.entries.sent)
    kept.pass_time(7_200)
    amended_by_hand(kept, resting(kept), limit_price="41000")
    kept.settle(2)
    kept.restart()
    assert len(sent) == 1 and list(kept.desk.entries.sent) == pytest.approx(sent, abs=timedelta(seconds=5))


@pytest.mark.parametrize("how", ["lumibot", "hand", "hand, seen after a restart", "not shown"])
def test_a_limit_that_was_moved_counts_at_its_new_price(kept, how):
    order = resting(kept)
    assert kept.positions.account_state(BTC).cash == pytest.approx(840)
    if how == "lumibot":
        LumibotOrderRouter(kept.desk).replace(order.id, OrderChange(limit_price=Decimal(88_000)))
    else:
        amended_by_hand(kept, order, limit_price="88000")
    if how == "hand, seen after a restart":
        kept.journal.close()
        kept.start()
        # It waits on, or there would be nothing to count.
        kept.desk.entries._end_untended = lambda symbol: None
    kept.settle(2)
    if how == "not shown":
        kept.positions.state.view.orders = {}
    account = kept.positions.account_state(BTC)
    assert (account.cash, account.symbol_notional) == pytest.approx((648, 352))
    assert kept.desk.entries.pending()[BTC].price == 88_000
    with pytest.raises(OrderRefused, match="GATE_CASH"):
        kept.desk.gateway.place(
            single(ETH, "buy", Decimal("0.06"), 2_900), OrderRole.ENTRY, kept.clock.now(), opens=True, quote=3_000.0
        )
