"""Lumibot's own orders: the same gate, the same switches, and closes that do not fight the desk."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from brokers.desk.entry_halts import KillLevel
from brokers.desk.execution.order_gateway import OrderRefused
from brokers.desk.execution.order_requests import single
from brokers.desk.lifecycle.shutdown import shut_down
from brokers.desk.order_router import LumibotOrderRouter
from brokers.venue_requests import OrderChange
from tests.brokers.desk.closing_scene import RunningClock
from tests.brokers.desk.scene import Json, Scene, changes, held
from tests.brokers.desk.watching import watching


@pytest.fixture
def scene(scene: Scene) -> Scene:
    scene.desk.reconcile()
    return scene


@pytest.fixture
def router(scene: Scene) -> LumibotOrderRouter:
    return LumibotOrderRouter(scene.desk)


def market(symbol: str, side: str, quantity: int) -> Json:
    return {"symbol": symbol, "side": side, "type": "market", "qty": str(quantity), "time_in_force": "day"}


def limit_at(price: str) -> OrderChange:
    return OrderChange(limit_price=Decimal(price))


def stop_at(price: str) -> OrderChange:
    return OrderChange(stop_price=Decimal(price))


def of(scene: Scene, kind: str, side: str, symbol: str = "AAPL") -> Json:
    (found,) = [o for o in scene.open(symbol) if o["type"] == kind and o["side"] == side]
    return found


def resting(scene: Scene, symbol: str = "AAPL") -> Json:
    """An entry that the market has left behind."""
    scene.exchange.on_quote(scene.exchange.now, {symbol: Decimal(101)})
    scene.enter(symbol, 40)
    scene.prices[symbol] = Decimal(101)
    scene.step(1)
    scene.wire.calls.clear()
    return of(scene, "limit", "buy", symbol)


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(OrderRefused) as refused:
        call()
    return refused.value.code


def test_an_entry_is_not_replaced_past_the_gate(scene, router):
    entry = resting(scene)
    # Ask 101.01: 10% through it is 111.11.
    assert refusal(lambda: router.replace(entry["id"], limit_at("114.00"))).startswith("GATE_COLLAR")
    assert refusal(lambda: router.replace(entry["id"], limit_at("100.005"))).startswith("GATE_TICK")
    assert changes(scene) == []
    assert router.replace(entry["id"], limit_at("100.50")).native["limit_price"] == "100.5"
    assert changes(scene) == ["replace"]


def test_an_order_is_not_counted_beside_the_one_that_takes_its_place(tmp_path):
    # Of 100,000 USD: room for one such order in a day, not for two.
    scene = Scene(tmp_path, overrides=["gate.max_day_notional_frac=0.05", "sizing.max_notional_frac=0.05"])
    entry = resting(scene)
    router = LumibotOrderRouter(scene.desk)
    assert router.replace(entry["id"], limit_at("100.50")).native["limit_price"] == "100.5"
    assert refusal(lambda: router.submit(single("MSFT", "buy", 40, None))).startswith("GATE_DAY_NOTIONAL")
    scene.stop()


def test_an_exit_is_moved_whatever_the_market_does(scene, router):
    held(scene)
    stop = of(scene, "stop", "sell")
    scene.quoted = lambda symbol: pytest.fail("an exit needs no quote")
    assert router.replace(stop["id"], stop_at("97.00")).native["stop_price"] == "97"


def test_what_a_hand_ordered_is_not_replaced(scene, router):
    order = scene.exchange.submit(market("AAPL", "buy", 5) | {"type": "limit", "limit_price": "90"})
    scene.settle(2)
    assert refusal(lambda: router.replace(order["id"], limit_at("91.00"))).startswith("DESK_UNKNOWN")


def test_a_scan_changes_nothing(scene, router):
    held(scene)
    scene.desk.submit = False
    stop = of(scene, "stop", "sell")
    for call in (
        lambda: router.submit(single("MSFT", "buy", 10, None)),
        lambda: router.submit(single("AAPL", "sell", 10, None)),
        lambda: router.replace(stop["id"], stop_at("97.00")),
        lambda: router.cancel(stop["id"]),
        lambda: router.close("AAPL", 1.0),
        lambda: router.sell_all(end_entries=True),
    ):
        assert refusal(call).startswith("DESK_SCAN")
    assert changes(scene) == []


def test_a_process_that_ends_takes_no_more(scene, router):
    held(scene)
    shut_down(scene.desk, 1.0)
    assert refusal(lambda: router.sell_all(end_entries=True)).startswith("DESK_LEAVING")
    assert refusal(lambda: router.submit(single("MSFT", "buy", 10, None))).startswith("DESK_LEAVING")
    assert changes(scene) == []


@pytest.mark.parametrize("why", ["kill switch: stop", "halted for this session by crash", "venue: timeout"])
def test_what_stops_entries_stops_those_of_lumibot_and_no_exit(scene, router, why):
    held(scene, "MSFT")
    entry = resting(scene)
    if why.startswith("kill"):
        scene.desk.halts.kill.pull(KillLevel.STOP)
    elif why.startswith("halted"):
        scene.desk.halts.crashed(RuntimeError("boom"), scene.exchange.now)
    else:
        scene.desk.halts.passing["venue"] = "timeout"
    assert refusal(lambda: router.submit(single("NVDA", "buy", 10, None))) == f"DESK_STOPPED: {why}"
    assert refusal(lambda: router.replace(entry["id"], limit_at("100.50"))) == f"DESK_STOPPED: {why}"
    assert changes(scene) == []
    router.replace(of(scene, "stop", "sell", "MSFT")["id"], stop_at("97.00"))
    router.cancel(entry["id"])
    assert changes(scene) == ["replace", "cancel"]


def test_a_sale_beside_the_exits_names_the_way_out(scene, router):
    held(scene)
    code = refusal(lambda: router.submit(single("AAPL", "sell", 49, None)))
    assert code == "DESK_HELD: exits hold the shares of AAPL; close_position() and sell_all() cancel them first"


def test_everything_of_ours_is_sold_while_the_watch_looks_on(scene, router):
    held(scene)
    held(scene, "MSFT")
    scene.exchange.submit(market("TSLA", "buy", 3))
    entry = resting(scene, "NVDA")
    running = RunningClock(scene)
    with watching(scene):
        router.sell_all(end_entries=True)
    running.stop()
    assert [scene.held(s) for s in ("AAPL", "MSFT", "NVDA", "TSLA")] == [0, 0, 0, 3]
    assert scene.exchange.orders(nested=True) == []
    assert entry["id"] in [what for name, what in scene.wire.calls if name == "cancel"]
    # One sale each, and no exits in between.
    sent = [what for name, what in scene.wire.calls if name == "submit"]
    assert sorted((order["symbol"], order["side"], order.get("order_class")) for order in sent) == [
        ("AAPL", "sell", None), ("MSFT", "sell", None),
    ]  # fmt: skip
    assert scene.agrees()


def test_a_part_is_sold_and_the_rest_keeps_its_stop(scene, router):
    held(scene)
    running = RunningClock(scene)
    with watching(scene):
        assert router.close("AAPL", 0.5)
    running.stop()
    assert scene.held() == scene.stopped() == 25
    assert not router.close("MSFT", 1.0)


@pytest.mark.parametrize("frac", [0.0, -0.5, 1.5, 50.0, float("nan")])
def test_what_is_no_part_of_a_position_is_refused(scene, router, frac):
    held(scene)
    assert refusal(lambda: router.close("AAPL", frac)).startswith("GATE_QUANTITY")
    assert not scene.desk.closer.tasks


def test_a_part_below_a_lot_is_refused_and_the_position_stays_behind_its_stop(scene, router):
    scene.enter("AAPL", 2)
    scene.settle(3)
    assert scene.held() == 1
    with pytest.raises(OrderRefused, match=r"GATE_LOT: 0\.5 of 1 AAPL is less than a lot"):
        router.close("AAPL", 0.5)
    scene.settle(2)
    assert scene.held() == scene.stopped() == 1


def test_waiting_for_a_close_has_an_end(scene, router, caplog, monkeypatch):
    monkeypatch.setattr("brokers.desk.order_router.CLOSE_WITHIN_S", 1.0)
    held(scene)
    router.sell_all(end_entries=False)  # The venue's time stands still.
    assert "still being closed: AAPL" in caplog.text
    scene.settle(5)
    assert scene.held() == 0


def test_what_hands_bought_is_sold_as_theirs(scene, router):
    scene.exchange.submit(market("AAPL", "buy", 50))
    scene.settle(3)
    router.submit(single("AAPL", "sell", 20, None))
    scene.settle(3)
    assert scene.positions.book.manual == {"AAPL": 30}
    assert scene.positions.book.quantity("AAPL") == 0
    assert not scene.desk.busy
    # A limit that rests is the hand's too, and stays.
    router.submit(single("AAPL", "sell", 30, 101))
    scene.settle(3)
    assert of(scene, "limit", "sell")["status"] == "new"
    scene.step(1, AAPL=102)
    scene.settle(3)
    assert (scene.held(), scene.positions.book.total("AAPL")) == (0, 0)
    assert scene.desk.record.trades == []
    scene.desk.halts.kill.pull(KillLevel.FLATTEN)
    scene.settle(2)
    assert scene.desk.flattened


def test_nothing_is_opened_in_a_symbol_that_is_in_doubt(scene, router):
    scene.positions.renamed = {"AAPL": "AAPL seems to be called B now"}
    assert refusal(lambda: router.submit(single("AAPL", "buy", 5, None))).startswith("DESK_DOUBT")
    router.submit(single("MSFT", "buy", 5, None))
