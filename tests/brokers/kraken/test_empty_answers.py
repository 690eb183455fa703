"""Kraken answers one question with an empty listing for a while: what was read before holds."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.brokers.kraken.scene import BTC, KrakenScene
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
