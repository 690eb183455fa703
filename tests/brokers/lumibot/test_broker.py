"""The live broker: orders leave by the door, the account is one snapshot, Lumibot's loop runs on."""

from __future__ import annotations

import sys
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest
from lumibot.entities import Asset
from lumibot.strategies import Strategy

from brokers.alpaca.errors import AlpacaRefusal
from brokers.desk.execution.order_gateway import OrderRefused
from brokers.desk.lifecycle.wiring import LiveAccount
from brokers.venue_errors import OutcomeUnknown
from tests.brokers.alpaca_venue import STRATEGY, Scene
from tests.brokers.rehearsal.venue import Venue

# Half a cent of spread on each side, to the cent.
FILL = ("fill", 10, 100.01)


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_without_a_router_nothing_is_sent() -> None:
    scene = Scene(router=False)
    order = scene.bracket()
    assert order.status == "error"
    assert "NO_ROUTER" in order.error_message
    assert scene.told.events == [("error",)]
    assert scene.venue.orders("all") == []


@pytest.mark.parametrize("error", [OrderRefused("GATE_TICK: no"), AlpacaRefusal(403, 40310000, "insufficient qty")])
def test_a_refused_order_ends_in_an_error_event_and_raises_nothing(scene: Scene, error: Exception) -> None:
    scene.router.fails = error
    order = scene.bracket()
    assert (order.status, order.error_message) == ("error", str(error))
    assert scene.told.events == [("error",)]
    assert scene.broker.get_tracked_order(order.identifier) is order


def test_the_legs_of_a_sent_bracket_are_its_children_at_the_venue(scene: Scene) -> None:
    order = scene.bracket()
    legs = {leg["type"]: leg["id"] for leg in scene.venue.order(order.identifier, nested=True)["legs"]}
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
    scene.router.silent = True
    order = scene.bracket()
    assert order.identifier == "ours-0"
    assert order.is_active()
    scene.venue.wait()
    scene.look()
    assert order.is_filled()
    assert scene.told.without_new() == [FILL]
    assert len(scene.broker.get_tracked_orders(STRATEGY)) == 3


def test_an_order_without_an_answer_ends_as_an_error_once_the_desk_gives_it_up(scene: Scene) -> None:
    client, given_up = scene.client, set[str]()

    def look() -> Any:
        listing, native = client.open_orders(), client.account()
        return SimpleNamespace(listing=listing, positions={}, account=SimpleNamespace(native=native))

    scene.broker.link = SimpleNamespace(look=look, given_up=given_up.__contains__)
    scene.router.fails = OutcomeUnknown("timeout")
    scene.router.fails.client_order_id = "ours-0"
    order = scene.bracket()
    for _ in range(3):
        scene.look()
        assert order.is_active()
        order._known_since = -1e9  # however long ago
    given_up.add("ours-0")
    scene.look()
    assert (order.status, order.error_message) == ("error", "NOT_SENT: the venue has no order ours-0")
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
    assert scene.told.without_new() == [FILL]
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
    with pytest.raises(AlpacaRefusal):
        scene.broker.modify_order(stop, stop_price=97.0)
    assert stop.stop_price == 95.0


def test_a_cancelled_bracket_ends_with_one_event_each(scene: Scene) -> None:
    order = scene.bracket(limit_price=90.0, secondary_stop_price=85.0)
    scene.broker.cancel_orders([order, *order.child_orders])
    assert scene.router.asked == [("cancel", order.identifier)]
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
    assert scene.told.without_new() == [FILL]


@pytest.mark.parametrize("ends", [True, False])
def test_positions_are_closed_through_the_door(scene: Scene, ends: bool) -> None:
    scene.broker.sell_all(STRATEGY, cancel_open_orders=ends)
    assert scene.broker.close_position(STRATEGY, Asset("AAPL"), 0.5) is None
    assert scene.router.asked == [("sell_all", str(ends)), ("close", "AAPL 0.5")]
    assert scene.router.sent == []


def test_a_position_that_the_desk_does_not_hold_is_closed_by_an_order(scene: Scene) -> None:
    scene.venue.buy()
    scene.look()
    scene.broker.sync_positions(SimpleNamespace(name=STRATEGY))
    scene.router.closes = False
    order = scene.broker.close_position(STRATEGY, Asset("AAPL"))
    assert (order.side, order.quantity) == ("sell", 10)
    assert scene.router.sent[-1]["side"] == "sell"


def test_a_sale_that_is_refused_raises_nothing(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    scene.router.fails = OrderRefused("DESK_SCAN: a scan sends nothing")
    scene.broker.sell_all(STRATEGY)
    assert "sell_all was refused: DESK_SCAN" in caplog.text


def test_cancel_open_orders_reaches_orders_of_an_earlier_run(scene: Scene) -> None:
    name = scene.venue.send(kind="limit", limit_price="50")
    scene.broker.cancel_open_orders(STRATEGY)
    scene.venue.wait()
    assert scene.venue.status(name) == "canceled"


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


class Followed(Strategy):
    """Notes who follows its calls."""

    def initialize(self) -> None: ...

    def on_trading_iteration(self) -> None:
        self.parameters["followers"].append(sys.getprofile())


def test_lumibot_follows_no_call_of_an_iteration(scene: Scene) -> None:
    followers: list[Any] = []
    strategy = Followed(scene.broker, name=STRATEGY, budget=None, parameters={"followers": followers})
    strategy._executor._on_trading_iteration_callable()
    LiveAccount.spare_lumibot(SimpleNamespace(), strategy)  # type: ignore[arg-type]  # a stand-in
    strategy._executor._on_trading_iteration_callable()
    assert followers[0] is not None, "by itself Lumibot follows each call, for local variables"
    assert followers[1] is None


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
    assert strategy.fills == [("buy", 10.0, 100.01), ("sell_to_close", 10.0, 94.89)]
