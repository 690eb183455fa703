"""What the venue took and the journal could not book: at the venue once, and followed from then on."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from brokers.desk.execution.order_gateway import OrderRefused
from brokers.desk.execution.order_requests import single
from brokers.desk.order_router import LumibotOrderRouter
from brokers.journal import State
from brokers.venue_errors import OutcomeUnknown, VenueUnavailable
from config.errors import Refusal
from risk.model import Plan
from tests.brokers.desk.closing_scene import closes
from tests.brokers.desk.entry_scene import buys, leave_behind, sent
from tests.brokers.desk.scene import Scene, changes, held, read_quote
from tests.brokers.desk.test_orders_by_hand import hand_holds, lose_exits
from tests.brokers.desk.test_stop_only_venue import BTC, Day
from tests.brokers.desk.test_unwritable_journal import WRITES
from tests.brokers.kraken.scene import SETTINGS, KrakenScene
from tests.brokers.rehearsal.kraken.market import served


class Full:
    """A disk that is full from the venue's next answer on, until there is room again."""

    def __init__(self, scene: Any) -> None:
        with scene.journal._store.transaction() as connection:
            self.database = connection.connection.driver_connection
        self.times = 0

    def fill(self) -> None:
        self.times += 1
        self.database.set_authorizer(lambda action, *_: action in WRITES)

    def make_room(self) -> None:
        self.database.set_authorizer(None)


def full_after(scene: Scene, request: str, meant: Callable[[Any], bool] = lambda what: True) -> Full:
    """The disk is full as the first answer to such a request comes."""
    full = Full(scene)

    def mishap(name: str, when: str) -> None:
        if (name, when) == (request, "after") and not full.times and meant(scene.wire.calls[-1][1]):
            full.fill()

    scene.wire.mishap = mishap
    return full


def quoted_above(scene: Scene) -> None:
    """The quote lies above the market, so that a limit rests."""
    raw = {"bp": "102", "ap": "102.02"}
    scene.quoted = lambda symbol: read_quote(
        symbol, raw | {"t": scene.exchange.now.isoformat()}, scene.exchange.now, timedelta(minutes=5)
    )


def sold(scene: Scene) -> float:
    rows = scene.exchange.orders("all", nested=True, limit=500)
    flat = [order for row in rows for order in (row, *(row["legs"] or ()))]
    return sum(float(order["filled_qty"]) for order in flat if order["side"] == "sell")


@pytest.mark.parametrize("kind", ["exit", "trim", "partial"])
def test_a_sale_leaves_the_shares_of_a_hand_alone(scene, kind):
    held(scene)
    hand_holds(scene, 100)
    quoted_above(scene)
    full = full_after(scene, "submit")
    scene.adjust(kind, quantity=20)
    scene.settle(1)
    assert full.times == 1
    full.make_room()
    scene.settle(2)
    assert len(closes(scene)) == 1
    scene.pass_time(1, AAPL=103)
    scene.settle(6)
    gone = 49 if kind == "exit" else 20
    assert sold(scene) == gone and scene.positions.book.manual == {"AAPL": 100}
    assert scene.stopped() == 49 - gone and scene.desk.closer.tasks == {}
    assert scene.agrees()


def test_a_sale_is_chased(scene):
    held(scene)
    quoted_above(scene)
    full = full_after(scene, "submit")
    scene.adjust("exit")
    scene.settle(2)
    assert full.times == 1
    full.make_room()
    scene.settle(30)
    assert len(closes(scene)) > 1 and scene.held() == 0


def test_exits_that_were_put_back_count_at_once(scene):
    held(scene)
    hand_holds(scene, 100)
    lose_exits(scene)
    full = full_after(scene, "submit")
    with scene.desk.iteration():
        scene.desk.reconcile()
    assert full.times == 1 and len(sent(scene)) == 1
    full.make_room()
    # Also without a look.
    scene.desk.work()
    scene.settle(6)
    assert len(sent(scene)) == 1 and scene.stopped() == 49
    assert scene.agrees()


def test_a_stop_that_was_moved_is_moved_once(scene):
    held(scene)
    full = full_after(scene, "replace")
    scene.adjust("tighten", stop=97.0)
    assert full.times == 1
    full.make_room()
    scene.settle(4)
    assert changes(scene) == ["replace"] and scene.stopped() == 49
    (stop,) = (order for order in scene.open() if order["type"] == "stop")
    assert float(stop["stop_price"]) == pytest.approx(97, abs=0.02)
    assert scene.agrees()


def test_an_entry_has_its_time_and_ends(scene, caplog):
    full = full_after(scene, "submit")
    leave_behind(scene)
    assert full.times == 1 and "AAPL" in scene.desk.entries.tasks
    full.make_room()
    with caplog.at_level(logging.INFO):
        scene.settle(8, 5)
    assert "AAPL: ending the entry, not filled in 30 s" in caplog.text and "restart" not in caplog.text
    assert [kind for kind, _ in buys(scene)] == ["limit", "market"]
    scene.settle(2)
    assert scene.held() == scene.stopped() > 0
    assert scene.agrees()


def test_the_next_entry_of_a_plan_waits_for_the_journal(scene):
    scene.desk.reconcile()
    full = full_after(scene, "submit")
    # There is room again as the second entry begins.
    done = scene.desk.entries.begin

    def begin(*entry: Any) -> None:
        done(*entry)
        full.make_room()

    scene.desk.entries.begin = begin
    proposals = tuple(scene.proposal(symbol, 20) for symbol in ("AAPL", "MSFT"))
    scene.desk.execute(Plan(scene.exchange.now, entries=proposals))
    assert [order["symbol"] for order in sent(scene)] == ["AAPL"]
    (skipped,) = scene.desk.entries.refusals.skipped
    assert skipped.symbol == "MSFT" and skipped.reason.startswith("DESK_STOPPED: the journal")


def test_the_rest_of_an_entry_is_bought_once(scene, caplog):
    scene.desk.reconcile()
    scene.in_part("AAPL", 101, lambda: scene.enter("AAPL", 50, iterate=False))
    begun = len(buys(scene))
    full = full_after(scene, "submit", lambda what: what["side"] == "buy")
    with caplog.at_level(logging.INFO):
        for _ in range(25):
            scene.step(1)
            full.make_room()
        scene.settle(4)
    assert full.times == 1 and len(buys(scene)) == begun + 1
    assert scene.held() == scene.stopped() == 49 and "not bought" not in caplog.text
    assert scene.agrees()


def test_an_offer_at_the_target_is_followed(tmp_path: Path):
    day = Day(tmp_path)
    day.bought()
    full, submit, offers = Full(day), day.venue.submit, []

    def taken(request: Any, name: str, opens: bool) -> Any:
        ack = submit(request, name, opens)
        offers.append(name)
        if not full.times:
            full.fill()
        return ack

    day.venue.submit = taken
    for _ in range(6):
        day.step(1, "104000")
        full.make_room()
    assert full.times == 1 and len(offers) == 1
    assert day.held == day.positions.book.quantity(BTC) == 0


def test_a_refusal_keeps_its_shares_waiting_no_longer_than_to_the_next_look(scene):
    held(scene)
    lose_exits(scene)
    full = Full(scene)
    # The venue says no, and that cannot be written.
    real = scene.wire.submit

    def refused(payload: Any) -> Any:
        full.fill()
        return real({**payload, "qty": "500"})

    scene.wire.submit = refused
    scene.step(1)
    assert full.times == 1
    scene.wire.submit = real
    full.make_room()
    scene.settle(5)
    assert scene.stopped() == 49
    assert scene.sync.refused == {} and State.JOURNALED not in {order.state for order in scene.journal.run_orders()}


def test_a_name_that_the_venue_knows_is_not_sent_again_where_it_cannot_be_asked_for(scene):
    held(scene)
    hand_holds(scene, 100)
    quoted_above(scene)
    real, ask, left = scene.wire.submit, scene.wire.order_by_client_id, [1]

    def twice(payload: Any) -> Any:
        real(payload)
        return real(payload)

    def unheard(name: str) -> Any:
        if left.pop() if left else 0:
            raise VenueUnavailable("no answer")
        return ask(name)

    scene.wire.submit, scene.wire.order_by_client_id = twice, unheard
    scene.adjust("exit")
    scene.settle(1)
    scene.wire.submit = real
    scene.settle(2)
    assert left == []
    scene.pass_time(1, AAPL=103)
    scene.settle(4)
    assert sold(scene) == 49 and scene.positions.book.manual == {"AAPL": 100}


def test_a_subclass_cannot_send_the_same_again(scene):
    scene.desk.reconcile()
    router = LumibotOrderRouter(scene.desk)
    full = full_after(scene, "submit")
    order = single("AAPL", "buy", 10, 99.0)
    with pytest.raises(OutcomeUnknown) as unknown:
        router.submit(order)
    full.make_room()
    scene.desk.halts.looked()
    scene.desk.halts.looked()
    with pytest.raises(OrderRefused, match="DESK_PENDING"):
        router.submit(order)
    scene.settle(2)
    assert len(sent(scene)) == 1
    assert scene.journal.order(unknown.value.client_order_id).state is State.WORKING


def test_the_part_of_an_entry_counts_once_where_its_rest_could_not_be_planned(tmp_path: Path, caplog):
    stated = (*SETTINGS, "live.entry.rest=market", "live.entry.patience_s=5")
    with served() as server, caplog.at_level(logging.INFO):
        scene = KrakenScene(server, tmp_path, stated=stated)
        scene.settle(1)
        server.faults.venue.partial_fill_frac = 1.0
        scene.enter(BTC, 200)
        scene.step(0.3)
        scene.step(0.1, BTC="90300")
        server.faults.venue.partial_fill_frac = 0.0
        part = scene.held()
        plan, failed = scene.journal.plan_order, list[str]()

        def full(intent: Any) -> str:
            if intent.role == "entry" and not failed:
                failed.append(intent.symbol)
                raise Refusal("the journal is full")
            return plan(intent)

        scene.journal.plan_order = full
        scene.settle(12)
        assert failed and scene.held() == scene.stopped() == part > 0
        assert caplog.text.count(f"{part} bought at") == 1
        assert "coins not bought, the journal: the journal is full" in caplog.text
        scene.close()
