"""Orders are taken and looks fail, beside coins of the owner's: what is ours is sold once, and nothing else."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from brokers.desk.lifecycle.shutdown import shut_down
from brokers.venue_errors import VenueError
from tests.brokers.desk.scene import Scene, held, read_quote
from tests.brokers.desk.test_orders_by_hand import hand_holds
from tests.brokers.kraken.scene import BTC, KrakenScene
from tests.brokers.kraken.turned_away import TurnedAway
from tests.brokers.rehearsal.kraken.market import served, set_price

OWNER_S = Decimal("0.002")
LOOKS = ("OpenOrders", "BalanceEx")
BESIDE = {"balances": {"XBT": str(OWNER_S)}}


def bought(server: Any, folder: Any) -> KrakenScene:
    scene = KrakenScene(server, folder)
    scene.enter(BTC, 100)
    scene.settle(3)
    return scene


def offers(scene: KrakenScene) -> list[Any]:
    return [order for order in scene.open() if order.type == "limit"]


def offer(scene: KrakenScene, kind: str = "target") -> None:
    """What is sold is offered, and rests: the market falls before the offer arrives."""
    inner, fallen = scene.rest._sent, list[str]()

    def racing(path: str, api: str, method: str, params: Any) -> Any:
        if path == "AddOrder" and not fallen:
            fallen.append(path)
            set_price(scene.server, "93000" if kind == "target" else "89000", BTC)
        return inner(path, api, method, params)

    scene.rest._sent = racing  # type: ignore[method-assign]  # in the place of the wire
    if kind == "target":
        scene.pass_time(1, BTC="93700")
    else:
        scene.adjust("exit", BTC)
    for _ in range(8):
        with suppress(VenueError):
            scene.desk.tick()
        if offers(scene):
            return
        scene.pass_time(1)
    raise AssertionError("nothing was offered")


def left_to_owner(scene: KrakenScene) -> None:
    """Both prices come that resting orders wait for, and time to fill in parts."""
    for price in ("96000", "80000"):
        for _ in range(8):
            scene.pass_time(5, BTC=price)
    assert scene.held() >= OWNER_S, "coins of the owner's were sold"


@pytest.mark.parametrize("seen", [False, True], ids=["no look since the offer", "a look has shown the offer"])
@pytest.mark.parametrize("own_stop", [False, True], ids=["the entry's stop", "a stop sent by itself"])
def test_no_stop_is_sent_beside_an_offer_that_nobody_can_look_at(tmp_path, own_stop, seen):
    """Coins of the owner's beside ours: the venue would take both, and both would be sold."""
    with served(account=BESIDE) as server:
        scene = KrakenScene(server, tmp_path)
        scene.enter(BTC, 100)
        scene.settle(3)
        if own_stop:
            # Some of ours leave by hand, so that the stop is sent anew for what is left.
            server.call(lambda exchange: exchange.balances.move("XBT", Decimal("-0.0023")))
            scene.settle(40)
            server.call(lambda exchange: exchange.balances.move("XBT", Decimal("0.002")))
            scene.settle(3)
        server.faults.venue.partial_fill_frac = 1.0
        away = TurnedAway(scene, "EAPI:Invalid nonce", 40.0, LOOKS, since="AddOrder")
        scene.pass_time(1, BTC="95000")
        for _ in range(20):
            if away.began is None:
                away.tick()
                scene.pass_time(1)
        assert len(offers(scene)) == 1 and scene.stopped() == 0
        if seen:
            away.seconds = 0
            away.tick()
            away.seconds = 40.0
        for _ in range(16):
            away.watch(2)
            assert scene.stopped() == 0 or not offers(scene), "sold twice"
        for _ in range(20):
            away.watch(2)
        assert not offers(scene) and scene.stopped() == scene.positions.book.quantity(BTC), "looks came back"
        scene.close()


@pytest.mark.parametrize("failing", [False, True], ids=["looks succeed", "looks fail"])
def test_leaving_during_an_offer_leaves_one_order_for_our_coins(tmp_path, failing):
    with served(account=BESIDE) as server:
        scene = bought(server, tmp_path)
        offer(scene)
        if failing:
            away = TurnedAway(scene, "EAPI:Invalid nonce", 1e9, LOOKS)
            away.began = scene.clock.time
        shut_down(scene.desk, 4.0)
        ours = scene.held() - OWNER_S
        assert sum((o.remaining(Decimal(1)) for o in scene.open()), Decimal(0)) == ours > 0
        assert failing or scene.stopped() == ours, "the offer was cancelled before the stop went back"
        left_to_owner(scene)
        scene.close()


def test_a_restart_during_an_offer_ends_it_before_the_stop_goes_back(tmp_path):
    with served(account=BESIDE) as server:
        scene = bought(server, tmp_path)
        offer(scene)
        scene.restart()
        for _ in range(6):
            scene.step(1)
            assert not (offers(scene) and scene.stopped()), "both sell the same coins"
        assert scene.stopped() == scene.positions.book.quantity(BTC) > 0
        left_to_owner(scene)
        scene.close()


def test_a_restart_during_a_sale_beside_shares_by_hand_ends_it_before_the_exits_go_back(tmp_path):
    scene = Scene(tmp_path)
    held(scene)
    hand_holds(scene, 100)
    scene.pass_time(1)
    scene.settle(3)

    def quoted(symbol: str) -> Any:
        quote = {"bp": "102", "ap": "102.02", "t": scene.exchange.now.isoformat()}
        return read_quote(symbol, quote, scene.exchange.now, timedelta(minutes=5))

    scene.quoted = quoted
    scene.adjust("exit")
    scene.settle(2)
    (sale,) = scene.open()
    assert sale["type"] == "limit"
    scene.restart()
    for _ in range(5):
        scene.step(1)
        groups = {order.get("legs") is None and order["id"] for order in scene.open()}
        sales = [order for order in scene.open() if order["id"] == sale["id"] and order["status"] == "new"]
        assert not sales or len(groups) == 1, "both sell the same shares"
    assert {order["type"] for order in scene.open()} == {"limit", "stop"}


@pytest.mark.parametrize("beside", [False, True], ids=["nothing beside ours", "the owner's beside ours"])
def test_a_stop_that_sold_before_its_cancel_goes_back_for_what_is_left(tmp_path, beside):
    with served(account=BESIDE if beside else {"balances": {}}) as server:
        scene = bought(server, tmp_path)
        server.faults.venue.partial_fill_frac = 1.0
        TurnedAway(scene, "EAPI:Invalid nonce", 60.0, LOOKS)
        inner, fired = scene.rest._sent, list[str]()

        def racing(path: str, api: str, method: str, params: Any) -> Any:
            if path == "CancelOrder" and not fired:
                fired.append(path)
                server.advance_to(server.now + timedelta(seconds=1))
                set_price(server, "88100", BTC)
                server.advance_to(server.now + timedelta(seconds=1))
            return inner(path, api, method, params)

        scene.rest._sent = racing  # type: ignore[method-assign]  # in the place of the wire
        whole = scene.positions.book.quantity(BTC)
        scene.adjust("exit", BTC)
        owners = OWNER_S if beside else Decimal(0)
        left = scene.held() - owners
        assert 0 < left < whole and not scene.open()
        scene.pass_time(1, BTC="89500")
        for _ in range(10):
            scene.pass_time(2)
            with suppress(VenueError):
                scene.desk.tick()
        assert scene.stopped() == left == scene.positions.book.quantity(BTC)
        scene.close()


@pytest.mark.parametrize("kind", ["target", "exit"])
def test_a_sale_whose_cancel_was_confirmed_has_a_successor_without_a_look(tmp_path, kind):
    with served() as server:
        scene = bought(server, tmp_path)
        offer(scene, kind)
        away = TurnedAway(scene, "EAPI:Invalid nonce", 1e9, LOOKS)
        for _ in range(30):
            away.watch(2)
            if away.began is not None and not scene.open() and not scene.held():
                break
        assert away.began is not None, "the sale was cancelled while looks succeeded"
        if kind == "target":
            assert scene.stopped() == scene.held() > 0
        else:
            assert not scene.held() and not scene.open()
        scene.close()


def test_a_sale_is_not_cancelled_where_nobody_can_look(tmp_path):
    with served() as server:
        scene = bought(server, tmp_path)
        offer(scene, "exit")
        away = TurnedAway(scene, "EAPI:Invalid nonce", 60.0, LOOKS)
        away.began = scene.clock.time
        (sale,) = offers(scene)
        for _ in range(28):
            away.watch(2)
            assert [order.client_order_id for order in offers(scene)] == [sale.client_order_id]
        for _ in range(20):
            away.watch(2)
        assert not scene.held(), "it goes on once it can be looked at"
        scene.close()
