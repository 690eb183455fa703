"""Entries that may wait no longer: stopped, or after the close; what filled keeps its stop. Leaving leaves orders."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from brokers.desk.entry_halts import KillLevel
from brokers.desk.execution.entry_task import together
from brokers.desk.execution.order_requests import single
from brokers.desk.lifecycle.shutdown import shut_down
from brokers.desk.order_router import LumibotOrderRouter
from brokers.journal import State
from brokers.order_types import TimeInForce
from brokers.rehearsal.core.faults import FaultPlan
from brokers.venue_errors import NotSent, OutcomeUnknown, VenueUnavailable
from brokers.venue_requests import OrderChange
from tests.brokers.desk.closing_scene import RunningClock, closes
from tests.brokers.desk.entry_scene import buys, leave_behind
from tests.brokers.desk.scene import Scene, held, lost, read_quote

FRIDAY = datetime(2023, 3, 10, 20, 59, 40, tzinfo=UTC)
"""Twenty seconds before the close."""
MONDAY = datetime(2023, 3, 13, 13, 30, 5, tzinfo=UTC)


def stop(scene: Scene) -> None:
    scene.desk.halts.kill.pull(KillLevel.STOP)


def halt(scene: Scene) -> None:
    scene.desk.halts.halt("drawdown_halt", scene.state.now, "equity fell")


def purchases(scene: Scene, symbol: str = "AAPL") -> list[str]:
    return [order["status"] for order in scene.open(symbol) if order["side"] == "buy"]


def fail(scene: Scene, *calls: str) -> None:
    """Some requests have no answer from now on."""

    def mishap(name: str, when: str) -> None:
        if name in calls:
            raise VenueUnavailable("504")

    scene.wire.mishap = mishap


def subclass_buys(scene: Scene, limit: str) -> str:
    """An order through Lumibot; its id at the venue."""
    request = single("AAPL", "buy", 10, float(limit), time_in_force=TimeInForce.GTC)
    return LumibotOrderRouter(scene.desk).submit(request).id


@pytest.mark.parametrize("forbid", [stop, halt])
def test_what_stops_entries_ends_one_that_waits(scene, forbid):
    leave_behind(scene)
    scene.step(1)
    forbid(scene)
    scene.settle(2)
    assert purchases(scene) == []
    # Off again, it stays ended.
    scene.desk.halts.kill.pull(KillLevel.OFF)
    scene.settle(10, 4)
    assert buys(scene) == [("limit", "39")]
    assert scene.desk.entries.tasks == {}


def test_what_stops_entries_between_cancel_and_rest_stops_the_rest(scene):
    leave_behind(scene)
    scene.step(30)
    stop(scene)
    scene.settle(5)
    assert buys(scene) == [("limit", "39")]
    assert scene.held() == 0


def test_a_reason_that_passes_ends_no_waiting_entry_and_a_look_that_failed_is_none(scene):
    leave_behind(scene)
    scene.step(1)
    fail(scene, "orders_since")
    scene.step(1)
    assert "venue" in scene.desk.halts.passing
    scene.wire.mishap = lambda name, when: None
    scene.step(1)
    assert purchases(scene) == ["new"]
    scene.settle(5, 8)
    assert buys(scene) == [("limit", "39"), ("market", "39")]


def test_a_part_that_filled_before_the_stop_keeps_its_protection(tmp_path):
    faults = FaultPlan(seed=1, partial_fill_frac=1.0)
    scene = Scene(tmp_path, faults=faults)
    scene.enter("AAPL", 40)
    stop(scene)
    scene.step()
    part = scene.held()
    assert 0 < part < 39
    faults.partial_fill_frac = 0.0
    scene.settle(6)
    assert len(buys(scene)) == 1
    assert scene.held() == scene.stopped() == part
    scene.stop()


@pytest.mark.parametrize("extended", [False, True])
def test_an_entry_is_over_when_its_session_is(tmp_path, extended):
    scene = Scene(tmp_path, start=FRIDAY)
    if not extended:
        whole = scene.window
        scene.desk.entries.window = lambda: replace(whole(), closed="the market is closed" * whole().extended)
    leave_behind(scene)
    scene.settle(9, 4)
    assert scene.exchange.now > FRIDAY.replace(hour=21, minute=0, second=0)
    assert scene.open() == []
    scene.pass_time((MONDAY - scene.exchange.now).total_seconds(), AAPL=100)
    scene.pass_time(5)
    assert scene.held() == 0
    assert buys(scene) == [("limit", "39")]
    scene.stop()


def test_leaving_ends_entries_whoever_sent_them_and_leaves_exits(scene, caplog):
    held(scene)
    scene.exchange.on_quote(scene.exchange.now, {"MSFT": Decimal(101)})
    scene.enter("MSFT", 40)
    scene.prices["MSFT"] = Decimal(101)
    subclass_buys(scene, "90")
    scene.step()
    running = RunningClock(scene)
    shut_down(scene.desk, 3.0)
    running.stop()
    assert purchases(scene) == purchases(scene, "MSFT") == []
    assert scene.held() == scene.stopped() == 49
    assert "waits on at the venue" not in caplog.text


def test_an_entry_that_cannot_be_cancelled_while_leaving_is_named(scene, caplog):
    scene.exchange.on_quote(scene.exchange.now, {"MSFT": Decimal(101)})
    scene.enter("MSFT", 40)
    scene.prices["MSFT"] = Decimal(101)
    scene.step()

    def no_cancel(name: str, when: str) -> None:
        if name == "cancel":
            raise NotSent("the venue cannot be reached")

    scene.wire.mishap = no_cancel
    running = RunningClock(scene)
    shut_down(scene.desk, 1.0)
    running.stop()
    assert purchases(scene, "MSFT") == ["new"]
    assert "MSFT: an entry waits on at the venue, the next start ends it" in caplog.text


def test_leaving_covers_the_part_of_an_entry_that_filled(tmp_path):
    faults = FaultPlan(seed=1, partial_fill_frac=1.0)
    scene = Scene(tmp_path, faults=faults)
    scene.enter("AAPL", 40)
    scene.pass_time(1)
    part = scene.held()
    assert 0 < part < 39
    faults.partial_fill_frac = 0.0
    running = RunningClock(scene)
    shut_down(scene.desk, 3.0)
    running.stop()
    assert scene.held() == scene.stopped() == part
    assert purchases(scene) == []


def flatten_after_restart(scene: Scene) -> None:
    leave_behind(scene)
    scene.restart()
    scene.desk.halts.kill.pull(KillLevel.FLATTEN)


def test_flatten_ends_when_no_entry_can_be_filled_any_more(scene):
    flatten_after_restart(scene)
    scene.wire.mishap = lost("cancel", "before", times=3)
    scene.settle(3)
    assert purchases(scene) == ["new"]
    assert not scene.desk.flattened
    scene.settle(4)
    assert purchases(scene) == []
    assert scene.desk.flattened


def test_flatten_sells_what_filled_before_the_cancel(tmp_path):
    scene = Scene(tmp_path, faults=FaultPlan(cancel_race_frac=1.0))
    flatten_after_restart(scene)
    scene.settle(12)
    assert scene.desk.flattened
    assert (scene.held(), scene.open()) == (0, [])
    assert scene.agrees()
    scene.stop()


def test_flatten_waits_for_the_outcome_of_an_entry_without_an_answer(scene):
    scene.desk.reconcile()
    scene.wire.mishap = lost("submit", "before")
    scene.enter(iterate=False)
    assert scene.journal.open_orders()[0].state is State.UNKNOWN
    scene.restart()
    scene.desk.halts.kill.pull(KillLevel.FLATTEN)
    scene.settle(10, 4)
    assert not scene.desk.flattened
    # After a minute it has not arrived.
    scene.settle(8, 4)
    assert scene.desk.flattened


def test_an_entry_of_a_subclass_waits_as_long_as_it_likes(scene):
    scene.settle(1)
    there = subclass_buys(scene, "98")
    scene.settle(5, 20)
    assert scene.exchange.order(there)["status"] == "new"


def changed_by_subclass(scene: Scene) -> None:
    entry = next(order for order in scene.open() if order["side"] == "buy")
    LumibotOrderRouter(scene.desk).replace(entry["id"], OrderChange(limit_price=Decimal("98.5")))


def test_so_does_one_that_a_subclass_has_moved(scene):
    leave_behind(scene)
    scene.step(1)
    changed_by_subclass(scene)
    scene.settle(5, 20)
    assert purchases(scene) == ["new"]
    assert buys(scene) == [("limit", "39")]


def moved_by_hand(scene: Scene, symbol: str, limit: str) -> None:
    (entry,) = (order for order in scene.open(symbol) if order["side"] == "buy")
    scene.exchange.replace(entry["id"], {"limit_price": limit})


def test_so_does_one_of_a_subclass_that_a_hand_has_moved(scene):
    scene.settle(1)
    subclass_buys(scene, "98")
    scene.settle(2)
    for limit in ("97", "96"):
        moved_by_hand(scene, "AAPL", limit)
        scene.settle(4)
        assert purchases(scene) == ["new"]
    stop(scene)
    scene.settle(3)
    assert purchases(scene) == []


def test_an_entry_of_the_desk_s_that_a_hand_has_moved_is_ended_and_told_as_such(scene, caplog):
    scene.settle(2)
    # The market has left the quote that the entry was sent at.
    scene.exchange.on_quote(scene.exchange.now, {"MSFT": Decimal(101)})
    scene.enter("MSFT", 40)
    scene.settle(1)
    moved_by_hand(scene, "MSFT", "100.3")
    scene.settle(4)
    assert purchases(scene, "MSFT") == []
    assert "MSFT: ending an entry, a hand has put it in the place of ours" in caplog.text
    assert "ended with an error" not in caplog.text


def restart(scene: Scene) -> None:
    scene.restart()


def abandon(scene: Scene) -> None:
    scene.desk.entries.abandon("the subclass sells all")


@pytest.mark.parametrize("end", [stop, halt, restart, abandon])
def test_what_ends_an_entry_of_a_subclass(scene, end: Callable[[Scene], None]):
    scene.settle(1)
    there = subclass_buys(scene, "98")
    scene.settle(2)
    end(scene)
    scene.settle(3)
    assert scene.exchange.order(there)["status"] == "canceled"


def test_a_part_of_a_subclass_s_entry_is_covered_at_once(scene):
    scene.settle(1)
    scene.in_part("AAPL", 101, lambda: subclass_buys(scene, "100.02"))
    part = scene.held()
    assert 0 < part < 10
    scene.settle(6)
    assert scene.held() == scene.stopped() == part
    assert purchases(scene) == []


# Looks that fail.


def ticks(scene: Scene, count: int, seconds: float = 2.0) -> None:
    for _ in range(count):
        scene.pass_time(seconds)
        with scene.desk.iteration():
            scene.desk.tick()


@pytest.mark.parametrize("forgotten", [False, True])
def test_entries_end_without_a_look(scene, forgotten):
    leave_behind(scene)
    if forgotten:
        scene.restart()
    fail(scene, "orders_since")
    stop(scene)
    ticks(scene, 3)
    assert purchases(scene) == []
    assert buys(scene) == [] if forgotten else [("limit", "39")]


def test_the_rest_of_an_entry_is_not_bought_without_a_look(scene):
    leave_behind(scene)
    scene.step(1)
    fail(scene, "orders_since")
    ticks(scene, 20)
    assert purchases(scene) == []
    assert buys(scene) == [("limit", "39")]


def test_without_a_look_a_stop_that_rests_is_not_given_up(scene):
    held(scene)
    fail(scene, "orders_since")
    scene.desk.halts.kill.pull(KillLevel.FLATTEN)
    ticks(scene, 10)
    assert scene.stopped() == 49
    scene.wire.mishap = lambda name, when: None
    ticks(scene, 5)
    assert scene.desk.flattened


def test_a_sale_under_way_goes_on_without_a_look(scene):
    held(scene)
    quote = {"bp": "102", "ap": "102.02"}
    scene.quoted = lambda symbol: read_quote(
        symbol, quote | {"t": scene.exchange.now.isoformat()}, scene.exchange.now, timedelta(minutes=5)
    )
    scene.adjust("exit")
    scene.settle(2)
    assert closes(scene) == [("49", "101.89")]
    fail(scene, "orders_since")
    ticks(scene, 24)
    # What became of each is told by the stream.
    assert closes(scene) == [("49", "101.89")] * 3 + [("49", None)]
    assert scene.held() == 0
    scene.wire.mishap = lambda name, when: None
    scene.settle(3)
    assert scene.agrees()


def test_bare_shares_are_covered_without_a_look(scene):
    held(scene)
    scene.exchange.cancel(next(o for o in scene.open() if o["type"] == "stop")["id"])
    scene.pass_time(1)

    def mishap(name: str, when: str) -> None:
        if name == "submit" and when == "before":
            raise NotSent("not sent")

    scene.wire.mishap = mishap
    ticks(scene, 2)
    assert scene.stopped() == 0
    fail(scene, "orders_since")
    ticks(scene, 5)
    assert scene.stopped() == 49


def test_nothing_is_sold_by_an_old_view(scene):
    held(scene)
    scene.adjust("exit")
    fail(scene, "submit")
    scene.settle(1)
    fail(scene, "orders_since")
    scene.pass_time(90)
    scene.wire.calls.clear()
    ticks(scene, 5)
    assert "submit" not in {name for name, _ in scene.wire.calls}


def test_a_cancel_without_an_answer_is_asked_again_after_all(scene):
    leave_behind(scene)
    scene.step(1)
    stop(scene)
    asked = []

    def mishap(name: str, when: str) -> None:
        if name == "cancel" and when == "before" and len(asked) < 2:
            asked.append(name)
            raise OutcomeUnknown("no answer")

    scene.wire.mishap = mishap
    scene.settle(6, 2)
    assert purchases(scene) == []


def test_orders_of_a_symbol_count_together(scene):
    scene.settle(1)
    for limit in ("98", "96"):
        subclass_buys(scene, limit)
        scene.settle(1)
    book = scene.desk.reconcile()
    assert (book.pending["AAPL"].quantity, book.pending["AAPL"].price) == (20, 97.0)
    assert book.promised_cash == 1_940


def test_orders_of_a_subclass_beside_an_entry_count_with_it(scene):
    leave_behind(scene)
    scene.step(1)
    alone = scene.desk.reconcile().pending["AAPL"]
    subclass_buys(scene, "98")
    scene.settle(1)
    assert len(purchases(scene)) == 2
    both = scene.desk.reconcile().pending["AAPL"]
    assert (alone.quantity, both.quantity) == (39, 49)
    assert both.notional == pytest.approx(alone.notional + 980)


def test_orders_with_levels_count_with_all_that_they_risk(scene):
    wishes = [scene.proposal("AAPL", 10, price=100.0, stop=95.0), scene.proposal("AAPL", 30, price=96.0, stop=93.0)]
    both = together(wishes)
    assert both.notional == sum(wish.notional for wish in wishes)
    assert both.quantity * both.risk_per_share == pytest.approx(10 * 5 + 30 * 3)


def test_a_market_order_without_a_proposal_counts_at_what_it_was_measured_at(scene):
    scene.settle(1)
    scene.wire.mishap = lost("submit", "after")
    with pytest.raises(OutcomeUnknown):
        LumibotOrderRouter(scene.desk).submit(single("AAPL", "buy", 10, None))
    waits = scene.desk.entries.pending()["AAPL"]
    assert waits.quantity == 10 and waits.price >= 100


def test_a_restart_forgets_no_entry_that_nobody_filled(scene):
    scene.settle(1)
    there = subclass_buys(scene, "98")
    begun = scene.exchange.now
    assert [begun - time < timedelta(seconds=1) for time in scene.desk.entries.sent] == [True]
    scene.settle(3)
    scene.exchange.cancel(there)
    scene.settle(3)
    leave_behind(scene)
    second = scene.exchange.now
    scene.settle(20, 4)
    held(scene, "MSFT")
    scene.restart()
    known = list(scene.desk.entries.sent)
    assert known == sorted(known)
    for moment in (begun, second):
        assert any(abs(time - moment) < timedelta(seconds=1) for time in known)
    assert min(known) >= begun - timedelta(seconds=1)
    assert list(scene.desk.reconcile().entries_sent) == known


def test_an_order_of_this_run_that_nothing_follows_is_not_told_as_an_earlier_one_s(scene, caplog):
    leave_behind(scene)
    scene.desk.entries.tasks.clear()
    scene.settle(2)
    assert purchases(scene) == []
    assert "AAPL: ending an entry, nothing follows it since its sending ended with an error" in caplog.text
    assert "from before the restart" not in caplog.text
