"""The venue's clock was told hours ahead, and is put back: no wait that began meanwhile lasts until that time comes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

from brokers.desk.data.overdue_bars import OverdueBars
from brokers.desk.execution.remnants import Remnants
from brokers.desk.execution.unprotected_log import UnprotectedLog
from brokers.desk.monitor import Monitor
from brokers.desk.plan_execution import PlanExecution
from brokers.desk.reconcile.inflight_orders import InflightOrders
from brokers.lumibot.market_hours import VenueHours
from brokers.order_types import OrderRole, VenueReason
from brokers.venue_errors import VenueRefusal
from brokers.venue_values import VenueTime
from risk.model import Plan
from tests.brokers.desk.scene import Scene, held, lost
from tests.brokers.desk.test_differences import shown

AHEAD = timedelta(hours=3)
NOW = datetime(2023, 3, 7, 15, 0, tzinfo=UTC)


def ahead(scene: Scene) -> None:
    scene.clock.wrong = AHEAD
    scene.journal._clock = scene.clock.now


def put_back(scene: Scene) -> None:
    scene.clock.wrong = timedelta(0)


def test_an_order_without_an_answer_has_its_minute_from_then(scene):
    held(scene)
    ahead(scene)
    scene.wire.mishap = lost("submit", "before")
    scene.adjust("exit")
    scene.settle(2)
    put_back(scene)
    scene.settle(50)
    assert scene.held() == 49, "it may still be on its way"
    scene.settle(30)
    assert scene.held() == 0


def test_an_order_that_the_venue_denies_is_given_up_after_the_usual_time():
    lost_orders: list[str] = []

    def denied(venue_id: str) -> None:
        raise VenueRefusal("unknown order", VenueReason.NOT_FOUND)

    state: Any = SimpleNamespace(now=NOW + AHEAD, venue=SimpleNamespace(order=denied))
    sync: Any = SimpleNamespace(lose=lambda name, why: lost_orders.append(name))
    order: Any = SimpleNamespace(client_order_id="order", venue_id="id", symbol="AAPL")
    inflight = InflightOrders(state, SimpleNamespace(), sync)  # type: ignore[arg-type]  # a stand-in
    inflight._answered(order)
    for second in (0, 10, 20, 29, 30):
        state.now = NOW + timedelta(seconds=second)
        assert lost_orders == []
        inflight._answered(order)
    assert lost_orders == ["order"]


def test_shares_that_went_by_hand_are_ours_no_more_after_the_usual_time(scene):
    held(scene)
    ahead(scene)
    shown(scene, "AAPL", lambda row: {**row, "qty": "40", "qty_available": "0"})
    scene.settle(2)
    put_back(scene)
    scene.settle(25)
    assert scene.positions.book.quantity("AAPL") == 49
    scene.settle(80)
    assert scene.positions.book.quantity("AAPL") == 40


def test_what_is_without_a_stop_is_told_after_the_usual_time():
    now = [NOW + AHEAD]
    log = UnprotectedLog(lambda: now[0])
    log.see("AAPL", Decimal(10), Decimal(0))
    now[0] = NOW
    assert log.seconds("AAPL") == 0
    log.see("AAPL", Decimal(10), Decimal(0))
    now[0] = NOW + timedelta(seconds=9)
    assert log.seconds("AAPL") == 9


def test_entries_that_wait_for_cash_are_given_up():
    refused: list[Any] = []
    work = SimpleNamespace(
        entries=SimpleNamespace(refusals=SimpleNamespace(add=lambda *told: refused.append(told))),
        closer=SimpleNamespace(tasks={}),
    )
    state = SimpleNamespace(now=NOW, view=SimpleNamespace(account_time=NOW))
    core: Any = SimpleNamespace(
        state=state, positions=None, gateway=SimpleNamespace(shutting_down=False), sync=SimpleNamespace(alarms=[])
    )
    plans = PlanExecution(core, SimpleNamespace(), frozenset(), work)  # type: ignore[arg-type]  # a stand-in
    wish: Any = SimpleNamespace(symbol="AAPL")
    plans._unfunded = Plan(NOW, entries=(wish,)), NOW + AHEAD
    plans.resume()
    assert [told[2] for told in refused] == ["DESK_STOPPED: the sale that was to bring its cash took too long"]


def test_overdue_bars_are_told_again():
    bars = OverdueBars(["AAPL"])
    bars._told["AAPL"] = NOW + AHEAD
    assert bars._may_be_told("AAPL", NOW)


def test_hours_that_were_told_of_another_time_are_asked_for_anew():
    """As of three days later, when the exchange opens on Friday, though it is Tuesday."""
    hours, later = VenueHours(), NOW + timedelta(days=3)
    told = VenueTime(NOW, True, NOW + timedelta(days=1), NOW + timedelta(hours=4))
    clock = SimpleNamespace(now=lambda: NOW, local=lambda seconds: seconds)
    hours.client = SimpleNamespace(clock=clock, venue_clock=lambda: told)  # type: ignore[assignment]  # a stand-in
    hours.market = "NYSE"
    hours._hours = VenueTime(later, False, later + timedelta(hours=1), later + timedelta(hours=5))
    assert hours.in_regular_hours()


def test_a_stream_that_tells_nothing_is_found_out(scene):
    monitor = Monitor(scene.desk, scene.clock)
    ahead(scene)
    monitor.stream_state(True)
    put_back(scene)
    monitor._see_stream()
    scene.told = lambda events: []
    scene.pass_time(10)
    held(scene)
    monitor._see_stream()
    assert monitor.stream_down


def test_what_is_left_of_a_share_is_tried_again():
    portion = SimpleNamespace(entry_order="entry", trade=SimpleNamespace(exit_reason=OrderRole.STOP))
    book = SimpleNamespace(entries={"AAPL": SimpleNamespace(client_order_id="entry")}, portions=[portion])
    left: list[str] = []
    state: Any = SimpleNamespace(now=NOW, least=lambda symbol: Decimal(0))
    remnants = Remnants(state, SimpleNamespace(book=book), lambda symbol, why: left.append(symbol))  # type: ignore[arg-type]  # a stand-in
    remnants._tried["AAPL"] = NOW + AHEAD
    remnants.sell("AAPL", Decimal("0.5"))
    remnants.sell("AAPL", Decimal("0.5"))
    assert left == ["AAPL"]
