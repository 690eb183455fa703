"""The live broker's orders: sent by the door, tracked with their legs, told of once."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from lumibot.entities import Asset
from lumibot.strategies import Strategy

from brokers.live.counter import OrderRefused
from brokers.lumibot_orders import order_of, payload_of, status_of
from brokers.venue.errors import OutcomeUnknown, VenueRefusal
from tests.brokers.alpaca_venue import STRATEGY, Scene
from tests.brokers.rehearsal.venue import Venue


@pytest.fixture
def scene() -> Scene:
    return Scene()


# ---- payloads -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, {"type": "market", "qty": "10", "time_in_force": "gtc"}),
        ({"limit_price": 99.123456}, {"type": "limit", "limit_price": "99.12"}),
        ({"limit_price": 0.123456}, {"type": "limit", "limit_price": "0.1235"}),
        ({"stop_price": 95.004}, {"type": "stop", "stop_price": "95"}),
        (
            {"stop_price": 95.0, "stop_limit_price": 94.5},
            {"type": "stop_limit", "stop_price": "95", "limit_price": "94.5"},
        ),
        ({"trail_percent": 0.05}, {"type": "trailing_stop", "trail_percent": "5"}),
        ({"trail_price": 1.5}, {"type": "trailing_stop", "trail_price": "1.5"}),
        ({"quantity": 0.5}, {"qty": "0.5", "time_in_force": "day"}),
        (
            {"limit_price": 99.0, "custom_params": {"extended_hours": True}},
            {"extended_hours": True, "time_in_force": "day"},
        ),
        (
            {
                "order_class": "bracket", "limit_price": 99.0, "secondary_limit_price": 110.123,
                "secondary_stop_price": 95.001,
            },
            {
                "type": "limit", "limit_price": "99", "order_class": "bracket",
                "take_profit": {"limit_price": "110.12"}, "stop_loss": {"stop_price": "95"},
            },
        ),
        (
            {"order_class": "oto", "secondary_stop_price": 95.0, "secondary_stop_limit_price": 94.0},
            {"type": "market", "order_class": "oto", "stop_loss": {"stop_price": "95", "limit_price": "94"}},
        ),
        (
            {"side": "sell", "order_class": "oco", "limit_price": 110.0, "stop_price": 95.0},
            {
                "type": "limit", "side": "sell", "order_class": "oco", "take_profit": {"limit_price": "110"},
                "stop_loss": {"stop_price": "95"},
            },
        ),
    ],
)  # fmt: skip
def test_an_order_becomes_alpaca_s_payload(scene: Scene, more: dict[str, Any], expected: dict[str, Any]) -> None:
    payload = payload_of(scene.order(**more))
    assert {key: payload[key] for key in expected} == expected
    assert payload["symbol"] == "AAPL"
    assert "client_order_id" not in payload


def test_a_payload_is_what_the_venue_takes(scene: Scene) -> None:
    assert scene.bracket(limit_price=99.123).status == "new"
    assert scene.door.sent[0]["limit_price"] == "99.12"


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"quantity": 0}, "ORDER_QUANTITY"),
        ({"custom_params": {"notional": 5}}, "ORDER_PARAMS"),
        ({"limit_price": 1.0, "custom_params": {"type": "market"}}, "ORDER_TYPE"),
        ({"order_type": "smart_limit"}, "ORDER_TYPE"),
        ({"trail_percent": 5}, "ORDER_PRICE"),
        ({"time_in_force": "gtd"}, "ORDER_TIME"),
        ({"order_class": "bracket", "secondary_limit_price": 110.0}, "ORDER_EXITS"),
        ({"order_class": "oto", "secondary_stop_price": 95.0, "secondary_trail_percent": 0.1}, "ORDER_EXITS"),
    ],
)
def test_what_the_venue_has_no_words_for_is_refused(scene: Scene, more: dict[str, Any], code: str) -> None:
    with pytest.raises(OrderRefused, match=code):
        payload_of(scene.order(**more))


@pytest.mark.parametrize("kind", ["crypto", "option", "future", "forex"])
def test_only_stocks_are_traded(scene: Scene, kind: str) -> None:
    order = scene.order()
    order.asset = Asset("X", asset_type=kind)
    with pytest.raises(OrderRefused, match="ORDER_ASSET"):
        payload_of(order)


# ---- reading ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("new", "new"), ("accepted", "new"), ("held", "new"), ("pending_new", "new"), ("pending_replace", "new"),
        ("stopped", "new"), ("suspended", "new"), ("done_for_day", "new"), ("pending_cancel", "cancelling"),
        ("replaced", "canceled"), ("expired", "canceled"), ("rejected", "error"), ("filled", "fill"),
    ],
)  # fmt: skip
def test_only_what_has_ended_is_read_as_ended(status: str, expected: str) -> None:
    assert status_of(status) == expected


def test_brackets_are_read_with_their_legs_as_orders_of_their_own(scene: Scene) -> None:
    entry, *legs = scene.venue.bracket()
    scene.broker.refresh()
    orders = scene.broker._parse_broker_orders(scene.broker._pull_broker_all_orders(), STRATEGY)
    assert [(o.identifier, o.order_class, o.parent_identifier) for o in orders] == [
        (entry, "simple", None),
        *((leg, "simple", entry) for leg in legs),
    ]


def test_a_notional_order_is_kept_with_what_was_filled(scene: Scene) -> None:
    name = scene.venue.send(notional="500")
    assert order_of(scene.venue.order(name), STRATEGY).quantity == 0
    scene.venue.wait()
    assert order_of(scene.venue.order(name), STRATEGY).quantity == 5


# ---- orders out ---------------------------------------------------------------------------------------


def test_without_a_door_nothing_is_sent() -> None:
    scene = Scene(door=False)
    order = scene.bracket()
    assert order.status == "error"
    assert "NO_DOOR" in order.error_message
    assert scene.told.events == [("error",)]
    assert scene.venue.orders("all") == []


@pytest.mark.parametrize("error", [OrderRefused("GATE_TICK: no"), VenueRefusal(403, 40310000, "insufficient qty")])
def test_a_refused_order_ends_in_an_error_event_and_raises_nothing(scene: Scene, error: Exception) -> None:
    scene.door.fails = error
    order = scene.bracket()
    assert (order.status, order.error_message) == ("error", str(error))
    assert scene.told.events == [("error",)]
    assert scene.broker.get_tracked_order(order.identifier) is order


def test_the_legs_of_a_sent_bracket_are_its_children_at_the_venue(scene: Scene) -> None:
    order = scene.bracket()
    legs = {leg["type"]: leg["id"] for leg in scene.venue.order(order.identifier, nested=True)["legs"]}  # type: ignore[attr-defined]
    target, stop = order.child_orders
    assert (target.identifier, stop.identifier) == (legs["limit"], legs["stop"])
    assert {leg.parent_identifier for leg in order.child_orders} == {order.identifier}
    assert all(scene.broker.get_tracked_order(leg.identifier) is leg for leg in order.child_orders)


def test_an_oco_is_tracked_as_the_venue_s_two_orders(scene: Scene) -> None:
    scene.venue.buy()
    order = scene.order("sell", order_class="oco", limit_price=110.0, stop_price=95.0)
    scene.broker.submit_order(order)
    scene.look()
    tracked = scene.broker.get_tracked_orders(STRATEGY)
    assert {o.identifier for o in tracked} == {order.identifier, order.child_orders[1].identifier}
    assert len(tracked) == 2
    assert (order.limit_price, order.stop_price) == (110.0, 95.0)


def test_an_order_without_an_answer_is_found_by_its_name(scene: Scene) -> None:
    scene.door.silent = True
    order = scene.bracket()
    assert order.identifier == "ours-0"
    assert order.is_active()
    scene.venue.wait()
    scene.look()
    assert order.is_filled()
    assert scene.told.without_new() == [("fill", 10, 100)]
    assert len(scene.broker.get_tracked_orders(STRATEGY)) == 3


def test_an_order_that_never_reached_the_venue_ends_as_an_error(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.door.fails = OutcomeUnknown("timeout")
    order = scene.bracket()
    scene.look()
    assert order.is_active()
    monkeypatch.setattr("brokers.account_snapshot.LOOKUP_S", 0)
    scene.look()
    assert order.status == "error"
    assert scene.told.events == [("error",)]


def test_a_moved_stop_has_moved_and_keeps_being_followed(scene: Scene) -> None:
    order = scene.bracket()
    scene.venue.wait()
    scene.stream()
    stop = order.child_orders[1]
    old = stop.identifier
    scene.broker.modify_order(stop, stop_price=97.004)
    assert stop.stop_price == 97.0
    assert stop.identifier != old
    scene.venue.wait()
    scene.stream()
    scene.look()
    assert scene.told.without_new() == [("fill", 10, 100)]
    assert stop.is_active()
    scene.venue.quote("96.9")
    scene.venue.wait()
    scene.stream()
    scene.look()
    fills = [event for event in scene.told.events if event[0] == "fill"]
    assert len(fills) == 2
    assert stop.is_filled()


def test_a_stop_that_could_not_be_moved_keeps_its_price(scene: Scene) -> None:
    stop = scene.bracket().child_orders[1]
    scene.venue.cancel(stop.identifier)
    scene.venue.wait()
    with pytest.raises(VenueRefusal):
        scene.broker.modify_order(stop, stop_price=97.0)
    assert stop.stop_price == 95.0


def test_a_cancelled_bracket_ends_with_one_event_each(scene: Scene) -> None:
    order = scene.bracket(limit_price=90.0, secondary_stop_price=85.0)
    scene.broker.cancel_orders([order, *order.child_orders])
    assert scene.door.asked == [("cancel", order.identifier)]
    scene.venue.wait()
    scene.stream(times=2)
    scene.look()
    assert scene.told.without_new() == [("canceled",)] * 3


def test_a_cancel_that_came_too_late_brings_the_fill(scene: Scene) -> None:
    order = scene.order()
    scene.broker.submit_order(order)
    scene.venue.wait()
    scene.broker.cancel_order(order)
    scene.stream()
    assert scene.told.without_new() == [("fill", 10, 100)]


def test_sell_all_waits_until_the_shares_are_free(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    order = scene.bracket()
    scene.venue.wait()
    scene.stream()
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        scene.venue.wait()

    monkeypatch.setattr("brokers.alpaca.time.sleep", sleep)
    scene.broker.sell_all(STRATEGY)
    scene.venue.wait()
    assert waits
    assert not order.child_orders[0].is_filled()
    assert scene.venue.positions() == []
    assert (scene.door.sent[-1]["side"], scene.door.sent[-1]["qty"]) == ("sell", "10")


def test_cancel_open_orders_reaches_orders_of_an_earlier_run(scene: Scene) -> None:
    name = scene.venue.send(kind="limit", limit_price="50")
    scene.broker.cancel_open_orders(STRATEGY)
    scene.venue.wait()
    assert scene.venue.status(name) == "canceled"


# ---- what is told -------------------------------------------------------------------------------------


def test_doubled_events_are_told_once(scene: Scene) -> None:
    scene.bracket()
    scene.venue.wait()
    scene.stream(times=3)
    scene.look()
    assert scene.told.without_new() == [("fill", 10, 100)]


def test_a_fill_that_the_stream_lost_is_told_by_the_next_look(scene: Scene) -> None:
    order = scene.order()
    scene.broker.submit_order(order)
    scene.venue.wait()
    scene.lose()
    scene.look()
    scene.look()
    assert order.is_filled()
    assert scene.told.without_new() == [("fill", 10, 100)]


def test_lost_partial_fills_are_made_up_for(scene: Scene) -> None:
    order = scene.order()
    scene.broker.submit_order(order)
    raw = scene.venue.order(order.identifier)
    for filled, average, status in (("3", "100", "partially_filled"), ("10", "101.4", "filled")):
        event = {"event": "fill", "price": "104", "qty": "2"}
        scene.broker.heard({**event, "order": raw | {"filled_qty": filled, "filled_avg_price": average, "status": status}})
    assert scene.told.without_new() == [("partial_fill", 3, 100), ("fill", 7, 102)]


def test_an_event_that_comes_before_the_answer_is_not_lost(scene: Scene) -> None:
    raw = scene.venue.order(scene.venue.send())
    scene.venue.wait()
    scene.stream()
    assert scene.told.events == []
    scene.broker.track(raw, STRATEGY)
    assert scene.told.without_new() == [("fill", 10, 100)]


def test_events_of_orders_that_live_on_end_nothing(scene: Scene) -> None:
    order = scene.bracket(limit_price=90.0, secondary_stop_price=85.0)
    raw = scene.venue.order(order.identifier)
    for status in ("pending_cancel", "pending_replace", "stopped", "suspended", "done_for_day", "calculated"):
        scene.broker.heard({"event": status, "order": raw | {"status": status}})
        assert order.is_active(), status
    scene.broker.heard({"event": "expired", "order": raw | {"status": "expired"}})
    assert scene.told.without_new() == [("canceled",)]
    assert order.transactions == []


def test_an_order_of_the_desk_is_tracked_with_its_legs(scene: Scene) -> None:
    entry, target, stop = scene.venue.bracket()
    scene.broker.track(scene.venue.order(entry, nested=True), STRATEGY)
    assert {o.identifier for o in scene.broker.get_tracked_orders(STRATEGY)} == {entry, target, stop}
    scene.venue.wait()
    scene.stream()
    moved = scene.venue.replace(stop, {"stop_price": "97"})
    scene.broker.track(moved, STRATEGY)
    scene.venue.wait()
    scene.stream()
    scene.look()
    assert scene.told.without_new() == [("fill", 10, 100)]
    assert scene.broker.find(stop).stop_price == 97.0
    assert len(scene.broker.get_tracked_orders(STRATEGY)) == 3


def test_orders_of_an_earlier_run_are_adopted_without_their_history(scene: Scene) -> None:
    name = scene.venue.send(kind="limit", limit_price="90")
    scene.look()
    assert [o.identifier for o in scene.broker.get_tracked_orders(STRATEGY)] == [name]
    scene.look()
    assert scene.told.events == []


def test_an_old_snapshot_does_not_bring_an_order_back(scene: Scene) -> None:
    order = scene.order()
    scene.broker.submit_order(order)
    scene.broker.refresh()
    scene.venue.wait()
    scene.stream()
    scene.broker.sync_orders(None)
    assert order.is_filled()
    assert scene.client.asked.count("order") == 0


def test_listeners_hear_of_orders_that_nobody_here_knows(scene: Scene) -> None:
    heard: list[Any] = []
    scene.broker.trade_listeners.append(heard.append)
    scene.venue.send()
    scene.venue.wait()
    scene.stream()
    assert [event["event"] for event in heard] == [event["event"] for event in scene.venue.events]
    assert scene.broker.get_tracked_orders(STRATEGY) == []


# ---- the snapshot -------------------------------------------------------------------------------------


def test_an_iteration_costs_three_requests(scene: Scene) -> None:
    for _ in range(2):
        balances = scene.broker._get_balances_at_broker(None, None)
        scene.broker.sync_positions(None)
        scene.broker._pull_all_orders(STRATEGY, None)
    assert scene.client.asked == ["open_orders", "positions", "account"]
    assert balances == (100_000.0, 0.0, 100_000.0)


def test_a_venue_out_of_reach_leaves_the_last_values_and_says_so(scene: Scene) -> None:
    scene.venue.buy()
    scene.broker.refresh()
    before = scene.broker._get_balances_at_broker(None, None)
    scene.client.down = True
    assert not scene.broker.refresh()
    assert scene.broker._get_balances_at_broker(None, None) == before
    assert [p.asset.symbol for p in scene.broker._pull_positions(None)] == ["AAPL"]
    assert scene.broker.snapshot.stale
    assert scene.broker.snapshot.age >= 0


def test_a_venue_that_was_never_heard_has_no_balances(scene: Scene) -> None:
    scene.client.down = True
    assert scene.broker._get_balances_at_broker(None, None) is None
    assert scene.broker._pull_position(None, Asset("AAPL")) is None


def test_building_the_broker_asks_nothing(scene: Scene) -> None:
    assert scene.client.asked == []
    assert scene.broker.api is scene.client.trading


# ---- Lumibot's own loop -------------------------------------------------------------------------------


class Scripted(Strategy):
    """Buys a bracket in its second iteration; the venue moves on before each."""

    def initialize(self, scene: Scene) -> None:
        self.scene, self.sleeptime = scene, "1S"
        self.iterations, self.fills, self.enough = 0, [], threading.Event()

    def on_trading_iteration(self) -> None:
        self.iterations += 1
        if self.iterations == 2:
            exits = {"secondary_limit_price": 110, "secondary_stop_price": 95}
            self.submit_order(self.create_order("AAPL", 10, "buy", order_class="bracket", **exits))
        if self.iterations == 4:
            self.scene.client.down = True
        if self.iterations == 5:
            self.scene.client.down = False
            self.scene.venue.quote("94.9")
        with self.scene.client.mutex:
            self.scene.venue.wait()
        self.scene.stream(times=2)
        if self.iterations >= 6:
            self.enough.set()

    def on_filled_order(self, position: Any, order: Any, price: float, quantity: float, multiplier: float) -> None:
        self.fills.append((str(order.side), quantity, price))


def test_lumibot_s_loop_runs_on_with_a_bracket_at_work() -> None:
    scene = Scene(Venue(), market="24/7")
    scene.broker._subscribers.remove(scene.told)
    strategy = Scripted(scene.broker, scene=scene, name=STRATEGY, budget=None)
    executor = strategy._executor
    executor.daemon = True
    executor.start()
    try:
        assert strategy.enough.wait(20)
        time.sleep(0.2)
    finally:
        executor.stop_event.set()
        executor.gracefully_exit()
        executor.join(5)
    assert not executor.is_alive()
    assert strategy.fills == [("buy", 10.0, 100.0), ("sell_to_close", 10.0, 94.9)]
