"""Entries that rest at the venue and are not of this journal: another trader's, those of a lost journal, and hands'."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from brokers.desk.desk import LiveDesk
from brokers.desk.execution.order_gateway import OrderRefused
from brokers.desk.execution.order_requests import single
from brokers.desk.order_router import LumibotOrderRouter
from brokers.journal.order_ids import client_order_id
from brokers.kraken.answers.names import uuid_of
from brokers.live_state.snapshot import held_now
from risk.model import MANUAL
from tests.brokers.desk.scene import Scene
from tests.brokers.kraken.scene import BTC, ETH, KrakenScene
from tests.brokers.rehearsal.kraken.market import served

LOST = "the open order {} is an entry of another trader, or of a journal that was lost"


def name_of(scene: Scene | KrakenScene, symbol: str) -> str:
    return client_order_id("another", "combined", symbol, scene.desk.state.now, "entry")


def bought(scene: Scene, symbol: str, quantity: int) -> str:
    """Why a purchase of a subclass was refused, empty where it was sent."""
    try:
        LumibotOrderRouter(scene.desk).submit(single(symbol, "buy", quantity, 95.0))
    except OrderRefused as refused:
        return refused.code
    return ""


def alpaca_bid(scene: Scene, name: str, symbol: str = "AAPL", quantity: str = "60") -> str:
    terms = {"type": "limit", "limit_price": "95", "time_in_force": "gtc", "side": "buy"}
    sent = scene.exchange.submit({**terms, "symbol": symbol, "qty": quantity, "client_order_id": name})
    return str(sent["id"])


def kraken_bid(server: object, pair: str, price: str, volume: str, **more: str) -> str:
    terms = {"type": "buy", "ordertype": "limit", "price": price, "volume": volume}
    placed = server.by_hand("AddOrder", pair=pair, **terms, **more)  # type: ignore[attr-defined]  # the Kraken scene has it
    return str(placed["txid"][0])


@pytest.fixture
def scene(tmp_path: Path):
    made = Scene(tmp_path, overrides=("gate.max_order_notional_frac=0.105",))
    made.settle(2)
    yield made
    made.stop()


def test_at_kraken_nothing_is_entered_beside_one(tmp_path: Path):
    with served() as server:
        scene = KrakenScene(server, tmp_path)
        txid = kraken_bid(server, "XBTUSD", "50000", "0.002", cl_ord_id=uuid_of(name_of(scene, BTC)))
        scene.settle(1)
        (barred,) = scene.desk.reconcile().barred
        assert barred.symbol == BTC and barred.why.startswith(LOST.format(txid))
        server.by_hand("CancelOrder", txid=txid)
        scene.settle(1)
        assert scene.desk.reconcile().barred == ()
        scene.close()


def test_at_alpaca_nothing_is_entered_beside_one(scene: Scene):
    order = alpaca_bid(scene, name_of(scene, "AAPL"))
    alpaca_bid(scene, "of-a-hand", "MSFT", "5")
    scene.settle(1)
    (barred,) = scene.desk.reconcile().barred
    assert barred.symbol == "AAPL" and barred.why.startswith(LOST.format(order))
    scene.exchange.cancel(order)
    scene.settle(1)
    assert scene.desk.reconcile().barred == ()


def test_what_sells_bars_nothing(tmp_path: Path):
    with served(account={"balances": {"XBT": "0.002"}}) as server:
        scene = KrakenScene(server, tmp_path)
        name = uuid_of(name_of(scene, BTC))
        terms = {"type": "sell", "ordertype": "stop-loss", "price": "50000", "volume": "0.002"}
        server.by_hand("AddOrder", pair="XBTUSD", cl_ord_id=name, **terms)
        scene.settle(2)
        assert scene.desk.reconcile().barred == ()
        scene.close()


def test_at_kraken_a_bid_of_a_hand_takes_room_of_its_pair_alone(tmp_path: Path):
    with served() as server:
        scene = KrakenScene(server, tmp_path)
        txid = kraken_bid(server, "XBTUSD", "50000", "0.009")
        scene.settle(1)
        scene.enter(BTC, 100)
        assert scene.asked["AddOrder"] == 0
        (skipped,) = scene.desk.entries.refusals.skipped
        assert skipped.reason.startswith("GATE_SYMBOL_NOTIONAL: 549.")
        scene.enter(ETH, 100)
        scene.settle(2)
        assert scene.held(ETH) > 0
        server.by_hand("CancelOrder", txid=txid)
        scene.settle(1)
        scene.enter(BTC, 100)
        scene.settle(2)
        assert scene.held(BTC) > 0
        scene.close()


def test_at_alpaca_a_bid_of_a_hand_takes_room_of_its_symbol_alone(scene: Scene):
    order = alpaca_bid(scene, "of-a-hand")
    scene.settle(1)
    assert bought(scene, "AAPL", 60).startswith("GATE_SYMBOL_NOTIONAL: 11400.00 held and ordered of AAPL")
    assert bought(scene, "MSFT", 60) == "" and bought(scene, "AAPL", 40) == ""
    scene.exchange.cancel(order)
    scene.settle(2)
    assert bought(scene, "AAPL", 60) == ""


def test_a_purchase_at_market_whose_price_nobody_knows_leaves_no_room(scene: Scene):
    order = {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market", "time_in_force": "cls"}
    scene.exchange.submit({**order, "client_order_id": "of-a-hand"})
    scene.settle(1)
    assert [o.type for o in scene.state.view.purchases_by_hand("AAPL")] == ["market"]
    assert bought(scene, "AAPL", 1).startswith("GATE_SYMBOL_NOTIONAL: nan held and ordered of AAPL")


def by_hand_now(desk: LiveDesk) -> tuple[Decimal, Decimal]:
    """What hands hold by the screens, and how much of it is behind a stop."""
    ((position, _),) = (item for item in held_now(desk, None) if item[0].signal == MANUAL)
    return Decimal(str(position.quantity)), Decimal(str(position.protected_quantity))


@pytest.mark.parametrize("restart", [False, True])
def test_at_kraken_the_stop_that_such_an_entry_made_protects_what_it_bought(tmp_path: Path, restart: bool):
    with served() as server:
        scene = KrakenScene(server, tmp_path)
        close = {"close[ordertype]": "stop-loss", "close[price]": "80000"}
        kraken_bid(server, "XBTUSD", "89000", "0.002", cl_ord_id=uuid_of(name_of(scene, BTC)), **close)
        scene.enter(BTC, 100)
        scene.settle(3)
        scene.step(1, BTC="88900")
        scene.settle(4)
        if restart:
            scene.restart()
            scene.settle(3)
        assert by_hand_now(scene.desk) == (Decimal("0.002"), Decimal("0.002"))
        assert scene.positions.book.quantity(BTC) > 0
        scene.close()


@pytest.mark.parametrize("restart", [False, True])
def test_at_alpaca_the_exits_of_such_an_entry_protect_what_it_bought(scene: Scene, restart: bool):
    scene.enter("AAPL", 20)
    scene.settle(3)
    legs = {"stop_loss": {"stop_price": "90"}, "take_profit": {"limit_price": "130"}, "order_class": "bracket"}
    terms = {"type": "market", "time_in_force": "gtc", "side": "buy", "symbol": "AAPL", "qty": "10"}
    scene.exchange.submit({**terms, **legs, "client_order_id": name_of(scene, "AAPL")})
    scene.pass_time(1)
    scene.settle(4)
    if restart:
        scene.restart()
        scene.settle(3)
    assert by_hand_now(scene.desk) == (Decimal(10), Decimal(10))
