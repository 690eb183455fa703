"""Kraken answers one question with an empty listing for a while: what was read before holds."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.brokers.kraken.scene import BTC, ETH, KrakenScene
from tests.brokers.rehearsal.kraken.market import served

LISTINGS = ("Assets", "AssetPairs", "BalanceEx", "Ticker", "OpenOrders", "ClosedOrders", "QueryOrders")


class Emptied:
    """Kraken with an empty answer to one question, while ``on``."""

    def __init__(self, scene: KrakenScene, endpoint: str) -> None:
        self._before, self._endpoint, self.on, self.asked = scene.rest._sent, endpoint, True, 0
        scene.rest._sent = self._sent  # type: ignore[method-assign]  # in the place of the wire

    def _sent(self, path: str, api: str, method: str, params: Any) -> Any:
        answer = self._before(path, api, method, params)
        if path == self._endpoint and self.on:
            self.asked += 1
            return {"error": [], "result": {}}
        return answer


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[KrakenScene]:
    with served() as server:
        scene = KrakenScene(server, tmp_path)
        scene.enter(BTC, 100)
        scene.settle(3)
        assert scene.stopped() == scene.held() > 0
        yield scene
        scene.close()


def old_pairs(scene: KrakenScene) -> None:
    """Pairs are due to be read again."""
    scene.venue.reference._read_at = scene.venue.reference._tried_at = -math.inf


def hand_cancels(scene: KrakenScene) -> None:
    (stop,) = scene.open()
    scene.server.by_hand("CancelOrder", txid=stop.id)


@pytest.mark.parametrize("endpoint", LISTINGS)
def test_an_empty_listing_changes_no_books_and_halts_nothing(scene, endpoint):
    old_pairs(scene)
    equity, held = scene.desk.state.equity, scene.held()
    kraken = Emptied(scene, endpoint)
    scene.settle(40, 5)
    assert scene.stopped() == scene.held() == held
    assert scene.desk.state.equity == pytest.approx(equity, rel=0.01)
    kraken.on = False
    scene.settle(3)
    hand_cancels(scene)
    scene.settle(3)
    assert scene.stopped() == held and scene.faults() == []
    assert scene.positions.book.adjustments.get(BTC, []) == []
    assert not scene.desk.halts.stopped(scene.clock.now())


@pytest.mark.parametrize("endpoint", ["BalanceEx", "OpenOrders", "ClosedOrders"])
def test_an_empty_listing_after_a_start_changes_no_books_either(scene, endpoint):
    held = scene.held()
    scene.restart()
    kraken = Emptied(scene, endpoint)
    scene.settle(40, 5)
    assert scene.stopped() == scene.positions.book.quantity(BTC) == held
    assert not scene.desk.halts.halted(scene.clock.now())
    kraken.on = False
    hand_cancels(scene)
    scene.settle(3)
    assert scene.stopped() == held
    assert scene.faults() == [] and scene.positions.book.adjustments.get(BTC, []) == []


def test_an_open_order_that_is_left_out_after_a_start_is_sent_no_second_time(scene):
    scene.enter(ETH, 100)
    scene.settle(3)
    scene.restart()
    before = scene.rest._sent

    def without_btc(path: str, api: str, method: str, params: Any) -> Any:
        answer = before(path, api, method, params)
        if path == "OpenOrders":
            listed = answer["result"]["open"]
            answer["result"]["open"] = {txid: row for txid, row in listed.items() if "ETH" in row["descr"]["pair"]}
        return answer

    scene.rest._sent = without_btc
    scene.settle(40, 5)
    assert len(scene.open(BTC)) == len(scene.open(ETH)) == 1 and scene.faults() == []


@pytest.mark.parametrize("restarted", [False, True])
def test_an_account_without_cash_or_coins_is_in_doubt_for_an_hour_as_well(tmp_path, restarted):
    with served() as server:
        scene = KrakenScene(server, tmp_path)
        scene.settle(2)
        if restarted:
            scene.restart()
        Emptied(scene, "BalanceEx")
        scene.settle(3, 60)
        assert scene.desk.state.view.account_unreadable and not scene.desk.state.view.complete
        scene.close()


@pytest.mark.parametrize("restarted", [False, True])
def test_what_a_hand_has_taken_away_is_gone_after_an_hour_of_empty_answers(scene, restarted):
    if restarted:
        scene.restart()
    kraken = Emptied(scene, "BalanceEx")
    scene.settle(70, 60)
    assert scene.stopped() == scene.held() > 0, "an order that sells holds coins"
    assert not scene.desk.state.view.complete
    hand_cancels(scene)
    scene.server.call(lambda exchange: exchange.balances.move("XBT", -exchange._state.ledger.quantity(BTC)))
    scene.settle(5, 60)
    view = scene.desk.state.view
    assert view.complete and not view.account_unreadable and view.account.equity == 0
    assert scene.positions.book.symbols == set() and scene.open() == []
    kraken.on = False
    scene.settle(3, 60)
    assert scene.desk.state.equity > 0 and scene.positions.book.symbols == set()


@pytest.mark.parametrize("endpoint", ["Assets", "AssetPairs"])
def test_a_stop_is_put_back_by_the_pairs_that_were_read_before(scene, endpoint, caplog):
    old_pairs(scene)
    kraken = Emptied(scene, endpoint)
    hand_cancels(scene)
    scene.settle(6, 5)
    assert scene.stopped() == scene.held() > 0
    assert kraken.asked == 1, "they are read again in half an hour"
    assert "no longer lists" not in caplog.text
    assert "could not be read again (Kraken lists no pair against USD that can be read)" in caplog.text
