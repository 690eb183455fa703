"""Coins that leave the account by hand, and the stop with them: what is left of ours is protected at once."""

from __future__ import annotations

import pytest

from tests.brokers.kraken.scene import BTC, KrakenScene
from tests.brokers.rehearsal.kraken.market import served


@pytest.mark.parametrize("stops_hold", [True, False])
def test_what_is_left_of_ours_is_protected_at_once_and_no_coin_more(tmp_path, caplog, stops_hold):
    with served(account={"stops_hold": stops_hold}) as server:
        scene = KrakenScene(server, tmp_path)
        scene.enter(BTC, 100)
        scene.settle(3)
        ours = scene.held()
        (stop,) = (order for order in scene.open() if order.type == "stop")
        server.by_hand("CancelOrder", txid=stop.id)
        server.call(lambda exchange: exchange.balances.move("XBT", -ours / 2))
        left = scene.held()
        scene.step(1)
        assert scene.positions.book.quantity(BTC) == ours, "they may have come back a moment later"
        scene.step(1)
        assert scene.stopped() == left > 0
        for _ in range(100):
            scene.step(1)
            assert scene.stopped() == left, "no stop is for coins that are gone"
        assert scene.faults() == [] and "Insufficient funds" not in caplog.text
        told = [text for text in scene.desk.protector.log.intervals if text.symbol == BTC]
        assert all(f"{left.normalize():f} coins" in spell.why for spell in told)
        scene.close()
