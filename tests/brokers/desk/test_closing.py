"""Closing: legs cancelled, shares awaited, what stays covered again, then a limit, a chase and the market."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from decimal import Decimal

import pytest

from brokers.desk.lifecycle.shutdown import shut_down
from brokers.rehearsal.alpaca.errors import ApiError
from brokers.rehearsal.core.faults import FaultPlan
from brokers.venue_errors import NotSent, OutcomeUnknown, VenueUnavailable
from tests.brokers.desk.closing_scene import RunningClock, closes
from tests.brokers.desk.scene import Scene, changes, held, lost, read_quote


@pytest.fixture
def scene(scene: Scene) -> Scene:
    held(scene)
    return scene


def test_an_exit_cancels_the_legs_waits_for_the_shares_and_sells_through_the_market(scene):
    scene.adjust("exit")
    # The promise of a cancel gives no shares back.
    assert changes(scene) == ["cancel"]
    scene.settle(2)
    assert changes(scene) == ["cancel", "submit"]
    # Bid 99.99, 0.1% through it, down to the cent.
    assert closes(scene) == [("49", "99.89")]
    scene.settle(2)
    assert scene.held() == 0
    assert scene.open() == []
    assert [(t.quantity, t.exit_reason) for t in scene.desk.record.trades] == [(49, "close")]
    assert scene.desk.closer.tasks == {}
    assert scene.agrees()


def test_nothing_is_sent_before_the_venue_has_released_the_shares(tmp_path):
    scene = Scene(tmp_path, faults=FaultPlan(late_release_frac=1.0, late_release=timedelta(seconds=5)))
    held(scene)
    scene.adjust("exit")
    scene.settle(5)
    assert closes(scene) == []
    scene.settle(4)
    assert scene.held() == 0
    assert scene.journal.unresolved() == []
    scene.stop()


@pytest.mark.parametrize("kind", ["trim", "partial"])
def test_what_stays_is_covered_before_the_rest_goes(scene, kind):
    scene.adjust(kind, quantity=20)
    scene.settle(4)
    sent = [what for name, what in scene.wire.calls if name == "submit"]
    assert [(order.get("order_class"), order["qty"]) for order in sent] == [("oco", "29"), (None, "20")]
    assert scene.held() == scene.stopped() == 29
    assert scene.desk.record.trades[-1].exit_reason == kind
    stop = next(order for order in scene.open() if order["type"] == "stop")
    assert Decimal(stop["stop_price"]) == Decimal("95.01")


def test_a_limit_that_does_not_fill_is_chased_and_then_goes_at_market(scene):
    raw = {"bp": "102", "ap": "102.02"}
    scene.quoted = lambda symbol: read_quote(
        symbol, raw | {"t": scene.exchange.now.isoformat()}, scene.exchange.now, timedelta(minutes=5)
    )
    scene.adjust("exit")
    scene.settle(30)
    # The market stands at 100: limits at 102 less 0.1% wait; one and two chases, then market.
    assert closes(scene) == [("49", "101.89")] * 3 + [("49", None)]
    assert scene.held() == 0
    assert scene.agrees()


def test_no_more_is_sold_than_the_venue_holds(scene):
    scene.exchange.cancel(next(order for order in scene.open() if order["type"] == "stop")["id"])
    scene.pass_time(1)
    # Twenty are gone, nobody knows where to: a sale of all would be refused, or sell short.
    scene.exchange._state.ledger.holdings["AAPL"].qty = Decimal(29)
    scene.adjust("exit")
    scene.settle(20, 2)
    assert [quantity for quantity, _ in closes(scene)] == ["29"]
    assert scene.held() == 0


def test_what_is_free_does_not_wait_for_shares_that_an_order_goes_on_holding(tmp_path):
    scene = Scene(tmp_path)
    scene.exchange.faults.partial_fill_frac = 1.0
    scene.enter()
    scene.settle(1)
    scene.exchange.faults.partial_fill_frac = 0.0
    scene.settle(14)
    held_on, other = (order for order in scene.open() if order["type"] == "stop")
    life = scene.exchange._life
    end, stuck = life._settle_cancel, Decimal(held_on["qty"])
    life._settle_cancel = lambda order: None if order.qty == stuck else end(order)
    scene.wire.calls.clear()
    scene.adjust("exit")
    scene.settle(20, 2)
    assert closes(scene)[0][0] == other["qty"]
    assert scene.held() == stuck
    scene.stop()


def test_without_a_quote_it_goes_at_market(scene):
    scene.quoted = lambda symbol: read_quote(symbol, None, scene.exchange.now, timedelta(minutes=5))
    scene.adjust("exit")
    scene.settle(4)
    assert closes(scene) == [("49", None)]
    assert scene.held() == 0


def test_an_exit_overtakes_a_trim(scene):
    scene.adjust("trim", quantity=20)
    scene.adjust("exit")
    scene.settle(6)
    assert scene.held() == 0
    assert scene.open() == []
    assert scene.agrees()


def test_a_trim_does_not_hold_back_an_exit(scene):
    scene.adjust("exit")
    scene.adjust("trim", quantity=20)
    scene.settle(6)
    assert scene.held() == 0


def test_the_same_again_changes_nothing(scene):
    scene.adjust("exit")
    scene.step()
    scene.adjust("exit")
    scene.settle(4)
    scene.adjust("exit")
    scene.settle(2)
    assert changes(scene) == ["cancel", "submit"]


def test_a_trim_for_less_than_a_share_is_none(scene):
    scene.adjust("trim", quantity=0.4)
    scene.settle(2)
    assert changes(scene) == []
    assert scene.stopped() == 49


def test_a_stop_that_fires_first_leaves_nothing_to_sell(scene):
    scene.adjust("exit")
    scene.wire.calls.clear()
    scene.settle(1)
    scene.step(1, AAPL=90)
    scene.settle(5)
    assert scene.held() == 0
    assert scene.open() == []
    assert scene.agrees()


@pytest.mark.parametrize("phase", ["before", "after"])
@pytest.mark.parametrize("call", ["cancel", "submit"])
def test_a_lost_answer_sells_once(scene, call, phase):
    scene.wire.mishap = lost(call, phase)
    scene.adjust("exit")
    # A sale that never arrived is sent again after a minute.
    scene.settle(75 if (call, phase) == ("submit", "before") else 25)
    assert scene.held() == 0
    assert scene.open() == []
    assert scene.agrees()


def test_a_restart_while_closing_brings_the_protection_back(scene):
    scene.adjust("exit")
    scene.pass_time(1)
    assert scene.stopped() == 0
    scene.restart()
    scene.settle(3)
    assert scene.held() == scene.stopped() == 49


def test_a_target_or_stop_does_not_meet_the_desk(scene):
    scene.step(1, AAPL=94)
    scene.settle(3)
    assert changes(scene) == []
    assert scene.held() == 0
    assert scene.desk.record.trades[-1].exit_reason == "stop"


def test_ending_in_mid_close_puts_the_stop_back_and_sells_nothing(tmp_path):
    scene = Scene(tmp_path, faults=FaultPlan(late_release_frac=1.0, late_release=timedelta(seconds=0.2)))
    held(scene)
    scene.adjust("exit")
    assert changes(scene) == ["cancel"]
    running = RunningClock(scene)
    shut_down(scene.desk, 2.0)
    running.stop()
    assert scene.held() == scene.stopped() == 49
    assert closes(scene) == []
    scene.stop()


def test_ending_with_a_sale_at_the_venue_takes_it_back(scene):
    scene.exchange.faults = FaultPlan()
    scene.quoted = lambda symbol: read_quote(
        symbol,
        {"bp": "101", "ap": "101.02", "t": scene.exchange.now.isoformat()},
        scene.exchange.now,
        timedelta(minutes=5),
    )
    scene.adjust("exit")
    scene.settle(2)
    assert [o["type"] for o in scene.open()] == ["limit"]
    assert scene.stopped() == 0
    running = RunningClock(scene)
    shut_down(scene.desk, 2.0)
    running.stop()
    assert scene.held() == scene.stopped() == 49
    assert scene.agrees()


def test_nothing_begins_after_the_end_has_begun(scene):
    shut_down(scene.desk, 1.0)
    scene.adjust("exit")
    scene.enter("MSFT")
    assert changes(scene) == []


def test_ending_without_anything_bare_takes_one_look_and_changes_nothing(scene):
    shut_down(scene.desk, 1.0)
    assert [name for name, _ in scene.wire.calls] == ["orders_since", "open_orders", "positions"]


def intents(scene: Scene) -> list[str]:
    return [what["position_intent"] for name, what in scene.wire.calls if name == "submit"]


def test_every_order_says_whether_it_opens_or_closes(scene):
    scene.adjust("trim", quantity=20)
    scene.settle(4)
    scene.adjust("exit")
    scene.enter("MSFT", 10)
    scene.settle(4)
    assert sorted(intents(scene)) == ["buy_to_open"] + 3 * ["sell_to_close"]


@pytest.mark.parametrize("late", [1, 5, 14, 30, 61])
def test_a_sale_that_the_venue_takes_late_sells_nothing_twice(scene, late):
    """It is not there when it is asked for; meanwhile the stop goes back and holds the shares."""
    assert sold_with_the_first_sale_taken(scene, late, price=100) <= 12


@pytest.mark.parametrize("late", [5, 14, 90])
def test_where_the_market_has_passed_the_stop_meanwhile_the_nearest_one_holds_the_shares(scene, late):
    """The sale has no outcome for a minute, and the old stop is no longer taken."""
    assert sold_with_the_first_sale_taken(scene, late, price=94) <= 12


def sold_with_the_first_sale_taken(scene, late, price):
    """Seconds in which shares had no stop, where the venue takes the first sale so late and says nothing of it."""
    delayed = []
    submit = scene.wire.submit

    def hang(payload):
        if "order_class" in payload or delayed:
            return submit(payload)
        delayed.append(payload)
        raise OutcomeUnknown("no answer")

    scene.wire.submit = hang
    scene.adjust("exit")
    bare = 0
    for second in range(90):
        scene.step(1, AAPL=price)
        if second == late:
            with suppress(ApiError):
                scene.exchange.submit(delayed[0])
        bare += scene.stopped() < scene.held()
        assert scene.held() >= 0
    assert delayed and scene.held() == 0
    assert scene.agrees()
    assert sum(Decimal(o["filled_qty"]) for o in scene.exchange.orders("all", limit=500) if o["side"] == "sell") == 49
    return bare


def test_a_sale_without_an_answer_is_sent_again_after_a_minute_and_its_stop_goes_back_before(scene):
    scene.wire.mishap = lost("submit", "before")
    scene.adjust("exit")
    scene.settle(3)
    scene.settle(4)
    assert scene.stopped() == 49
    scene.settle(48)
    assert closes(scene) == [("49", "99.89")]
    scene.settle(12)
    assert len(closes(scene)) == 2
    assert scene.held() == 0


def test_a_sale_that_was_not_sent_goes_on_without_a_look(scene):
    """Its shares are free: the venue never saw the order that could not be sent."""
    left = [1]

    def mishap(name, when):
        if name == "submit" and when == "before" and left:
            left.clear()
            raise NotSent("the rate limit leaves no room")
        if name == "orders_since" and not left:
            raise VenueUnavailable("no answer")

    scene.wire.mishap = mishap
    scene.adjust("exit")
    scene.settle(2)
    assert not left
    for _ in range(4):
        scene.pass_time(1)
        with pytest.raises(VenueUnavailable):
            scene.desk.tick()
    assert scene.held() == 0


def test_what_was_sold_is_not_told_as_unprotected_beside_shares_that_came_meanwhile(scene):
    """Nobody knows for a minute whose shares those are; ours are gone all the same, by orders of ours."""
    whole = scene.wire.positions()[0]
    came = {**whole, "qty": "5", "qty_available": "5"}
    listed = scene.wire.positions
    scene.adjust("exit")
    scene.settle(2)
    assert "AAPL" in scene.desk.protector.log.present and scene.held() == 49
    scene.wire.positions = lambda: [{**row, "qty": str(int(row["qty"]) + 5)} for row in listed()] or [came]
    scene.settle(3)
    assert scene.positions.book.quantity("AAPL") == scene.held() == 0
    assert scene.desk.manual.unsettled("AAPL"), "five shares came, nobody knows from where"
    assert not scene.desk.protector.log.present


@pytest.mark.parametrize("behind", [0.0, 0.4])
def test_a_stop_that_sells_just_now_is_left_to_it_also_by_a_clock_that_is_a_little_behind(tmp_path, behind):
    scene = Scene(tmp_path)
    scene.clock.wrong = -timedelta(seconds=behind)
    held(scene)
    scene.pass_time(20)
    scene.desk.look()
    group = next(o for o in scene.exchange._state.open_orders("AAPL") if o.type == "stop")
    scene.exchange._life.fill(group, Decimal(10), Decimal(95))
    scene.hand_on()
    scene.wire.calls.clear()
    scene.adjust("exit")
    assert changes(scene) == [], "what the stop has left would be without one while another order is on its way"
