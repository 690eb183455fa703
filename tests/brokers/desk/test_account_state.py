"""An account that the venue lets open nothing: a halt with that name, and stops go on."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.brokers.desk.scene import changes, held


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"account_blocked": True}, "it is blocked"),
        ({"trading_blocked": True}, "trading is blocked"),
        ({"trade_suspended_by_user": True}, "trading is suspended by its owner"),
        ({"status": "ACCOUNT_CLOSED"}, "its status is ACCOUNT_CLOSED"),
    ],
)
def test_an_account_that_is_blocked_while_running_is_a_halt_with_that_name(scene, caplog, state, words):
    held(scene)
    scene.exchange.on_quote(scene.exchange.now, {"MSFT": Decimal(101)})
    scene.enter("MSFT", 20)
    account = scene.wire.account
    scene.wire.account = lambda: {**account(), **state}
    stop = next(order for order in scene.open() if order["type"] == "stop")
    scene.exchange.cancel(stop["id"])
    scene.wire.calls.clear()
    for _ in range(4):
        scene.step(1)
        scene.enter("NVDA", 10)
    assert scene.stopped() == scene.held() == 49
    # The entry that waited is cancelled, nothing is entered, and the stop goes back.
    assert sorted(changes(scene)) == ["cancel", "submit"]
    assert scene.desk.entries.skipped[-1].reason == f"DESK_STOPPED: the account: {words}"
    assert caplog.text.count(f"entries are stopped; the account: {words}") == 1
    scene.wire.account = account
    scene.step(1)
    scene.enter("NVDA", 10)
    assert changes(scene).count("submit") == 2
