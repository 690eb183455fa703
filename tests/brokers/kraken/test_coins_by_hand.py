"""Coins that were moved into the account: what was paid for them nobody here knows."""

from __future__ import annotations

import math
from decimal import Decimal
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from brokers.operator.account import look
from brokers.operator.positions import report
from brokers.operator.tables import positions_table
from config import load
from market.market import Market
from monitoring.state import JOURNAL_FILE
from risk.entry_gates import EntryGates
from risk.model import BracketTerms, Proposal
from tests.brokers.kraken.scene import BTC, ETH, SETTINGS, KrakenScene
from tests.brokers.kraken.test_below_the_minimum import leave_a_rest, state
from tests.brokers.rehearsal.kraken.market import served


def test_no_entry_price_and_no_profit_is_told_of_them_and_they_are_no_entry(tmp_path: Path):
    with served(account={"balances": {"XBT": "0.002"}}) as server:
        scene = KrakenScene(server, tmp_path, journal=str(tmp_path / JOURNAL_FILE))
        settings = load("active", overrides=[*SETTINGS, f"live.state_dir={tmp_path}"])
        scene.settle(4)
        assert scene.positions.book.manual[BTC] == Decimal("0.002")
        (found,) = report(look(scene.venue, settings), settings)
        assert math.isnan(found.entry) and math.isnan(found.profit) and found.price > 0
        printed = StringIO()
        Console(file=printed, width=300).print(positions_table([found]))
        assert "not known" in printed.getvalue() and "0.0000" not in printed.getvalue()
        gates = load("micro_cap").risk.modules["entry_gates"] | {"lot": 1e-8, "max_positions": 5, "restricted": ()}
        with scene.desk.iteration():
            scene.desk.look()
            book = scene.desk.reconcile()
        assert BTC in book.positions
        wish = Proposal(
            ETH, "buy", "x", 90.0, 3_000.0, 1.0, 2_970.0, 3_060.0, BracketTerms("buy", 0.01, 0.02), 0.005, ""
        )
        verdict = EntryGates(EntryGates.Config(**gates)).review(wish, book, object.__new__(Market))
        assert not verdict.code.startswith("INTERVAL")
        scene.close()


def test_what_is_left_of_ours_keeps_its_price_on_the_screens(tmp_path: Path):
    with served() as server:
        scene = KrakenScene(server, tmp_path)
        left = leave_a_rest(scene)
        scene.settle(2)
        view = scene.desk.state.view
        assert scene.positions.book.quantity(BTC) == left and BTC not in view.positions and BTC in view.dust
        (position,) = state(scene).positions
        assert position.price == pytest.approx(float(scene.price()), rel=0.001) and position.profit is not None
        scene.close()


def deposit(scene: KrakenScene, coins: str) -> None:
    scene.server.call(lambda exchange: exchange.balances.move("XBT", Decimal(coins)))
    scene.settle(12, 10)


ORDERS_OF_HANDS = [{"ordertype": "stop-loss", "price": "70000"}, {"ordertype": "limit", "price": "140000"}]


@pytest.mark.parametrize("order", ORDERS_OF_HANDS, ids=["stop", "limit"])
@pytest.mark.parametrize("holds", [True, False], ids=["stops hold", "stops hold nothing"])
def test_a_hands_order_over_all_of_its_own_coins_stays_where_a_part_of_them_is_dust(
    tmp_path: Path, holds: bool, order: dict[str, str], caplog
):
    with served(account={"stops_hold": holds}) as server:
        scene = KrakenScene(server, tmp_path)
        scene.enter(BTC, 100)
        scene.settle(3)
        deposit(scene, "0.0005")
        deposit(scene, "0.00004")
        assert scene.positions.book.manual[BTC] == Decimal("0.0005")
        assert scene.desk.state.view.dust_of(BTC) == Decimal("0.00004")
        (txid,) = server.by_hand("AddOrder", pair="XBTUSD", type="sell", volume="0.00054", **order)["txid"]
        scene.settle(12, 10)
        assert txid in [there.id for there in scene.open()] and "sent by hand" not in caplog.text
        if not holds and order["ordertype"] == "stop-loss":
            # One for a coin more would sell of ours.
            server.by_hand("AmendOrder", txid=txid, order_qty="0.00060")
            scene.settle(3)
            assert txid not in [there.id for there in scene.open()]
        scene.close()


def test_dust_that_a_hands_order_sells_is_not_counted_as_free_a_second_time(tmp_path: Path):
    with served() as server:
        scene = KrakenScene(server, tmp_path)
        scene.enter(BTC, 100)
        scene.settle(3)
        deposit(scene, "0.0005")
        deposit(scene, "0.00004")
        sale = {"ordertype": "limit", "price": "140000", "volume": "0.00054"}
        server.by_hand("AddOrder", pair="XBTUSD", type="sell", **sale)
        scene.settle(2)
        (stop,) = (order for order in scene.open() if order.type == "stop")
        server.by_hand("CancelOrder", txid=stop.id)
        scene.step(1)
        scene.step(1)
        assert scene.stopped() == scene.positions.book.quantity(BTC), "all of ours are free for their stop"
        scene.close()


def test_dust_that_became_a_trade_by_hand_is_not_counted_beside_it_any_more(tmp_path: Path):
    with served() as server:
        scene = KrakenScene(server, tmp_path)
        scene.enter(BTC, 100)
        scene.settle(3)
        deposit(scene, "0.00004")
        assert scene.desk.state.view.dust_of(BTC) == Decimal("0.00004")
        scene.server.call(lambda exchange: exchange.balances.move("XBT", Decimal("0.001")))
        scene.pass_time(2)
        # Between two iterations, which leave the account as it was.
        scene.core.observer.look(account=False)
        scene.positions.separate_dust()
        assert scene.desk.state.view.dust_of(BTC) == 0
        scene.close()


@pytest.mark.parametrize("usd", [100, 400])
@pytest.mark.parametrize("sales", [("0.001",), ("0.002",), ("0.001", "0.001")])
def test_a_sale_of_coins_that_had_just_come_takes_none_of_ours(tmp_path: Path, usd: int, sales: tuple[str, ...]):
    """Kraken shows the balance after a sale a look before it shows the sale, with less there, or with nothing more."""
    with served() as server:
        scene = KrakenScene(server, tmp_path)
        ours = entered(scene, usd)
        server.call(lambda exchange: exchange.balances.move("XBT", Decimal("0.002")))
        scene.settle(2, 4)
        for volume in sales:
            server.by_hand("AddOrder", pair="XBTUSD", type="sell", ordertype="market", volume=volume)
            stays_whole(scene, ours, steps=2)
        stays_whole(scene, ours, steps=60)
        left = Decimal("0.002") - sum(map(Decimal, sales))
        assert scene.positions.book.manual.get(BTC, Decimal(0)) == left and scene.held() == ours + left
        scene.journal.close()


@pytest.mark.parametrize("parts", [("0.002",), ("0.0005", "0.0015")])
def test_a_sale_in_parts_of_more_coins_than_ours_takes_none_of_ours(tmp_path: Path, parts: tuple[str, ...]):
    with served() as server:
        scene = KrakenScene(server, tmp_path)
        ours = entered(scene, 100)
        assert ours < Decimal("0.002")
        server.call(lambda exchange: exchange.balances.move("XBT", Decimal("0.002")))
        scene.settle(2, 4)
        price = f"{float(scene.price()) * 1.005:.1f}"
        server.by_hand("AddOrder", pair="XBTUSD", type="sell", ordertype="limit", volume="0.002", price=price)
        scene.settle(1, 2)
        for part in parts:
            (ask,) = (order for order in scene.open(BTC) if not order.buy and order.type == "limit")
            server.call(lambda exchange, ask=ask, part=part: exchange.life.fill(ask, Decimal(part), Decimal(price)))
            stays_whole(scene, ours, steps=2)
        stays_whole(scene, ours, steps=60)
        assert not scene.positions.book.manual.get(BTC, 0) and scene.held() == ours
        scene.journal.close()


def entered(scene: KrakenScene, usd: int) -> Decimal:
    """Coins of ours that are two minutes old; how many."""
    scene.enter(BTC, usd)
    scene.settle(3)
    scene.settle(30, 4)
    return scene.positions.book.quantity(BTC)


def stays_whole(scene: KrakenScene, ours: Decimal, steps: int) -> None:
    for _ in range(steps):
        scene.step(2)
        assert scene.stopped() == scene.positions.book.quantity(BTC) == ours
