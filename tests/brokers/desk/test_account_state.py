"""An account that the venue lets open nothing: a halt with that name, and stops go on."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from brokers.alpaca.errors import AlpacaRefusal
from brokers.desk.entry_halts import KillLevel, KillSwitch
from brokers.desk.execution.order_gateway import OrderRefused
from brokers.desk.execution.refused_protection import RefusedProtections
from tests.brokers.desk.scene import SYMBOLS, Scene, changes, held, read_quote


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
    assert scene.desk.entries.refusals.skipped[-1].reason == f"DESK_STOPPED: the account: {words}"
    assert caplog.text.count(f"entries are stopped; the account: {words}") == 1
    scene.wire.account = account
    scene.step(1)
    scene.enter("NVDA", 10)
    assert changes(scene).count("submit") == 2


def test_a_blocked_account_is_asked_for_soon_and_makes_no_flood_of_orders(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    scene = Scene(tmp_path)
    for symbol in SYMBOLS[:4]:
        held(scene, symbol)
    account, blocked = scene.wire.account, {"trading_blocked": True}

    def refusing(method: str, phase: str) -> None:
        if (method, phase) == ("submit", "before") and blocked:
            raise AlpacaRefusal(403, 40310000, "trading is blocked", {})

    scene.wire.account, scene.wire.mishap = (lambda: {**account(), **blocked}), refusing
    for order in [order for symbol in SYMBOLS[:4] for order in scene.open(symbol)]:
        if order["type"] == "limit":
            scene.exchange.cancel(order["id"])
    scene.wire.calls.clear()
    caplog.clear()
    iterations = scene.desk.iterations
    for number in range(90):
        scene.pass_time(2)
        scene.desk.tick()
        if number == 5:
            assert scene.desk.halts.account == "trading is blocked", "no iteration was needed to hear of it"
    # Two tries of each before the account was asked, or one, and then one a minute: three minutes.
    assert changes(scene).count("submit") <= 4 * (2 + 3)
    assert [name for name, _ in scene.wire.calls].count("account") <= 20
    assert scene.desk.iterations == iterations
    lines = [record.getMessage() for record in caplog.records]
    assert not [line for line in lines if line.endswith("; protection")], "nothing was sent"
    assert sum("protection refused: VENUE_REFUSED: trading is blocked" in line for line in lines) == 4
    assert lines.count("entries are stopped; the account: trading is blocked") == 1
    blocked.clear()
    for _ in range(8):
        scene.pass_time(2)
        scene.desk.tick()
    assert scene.protected()
    assert len([line for line in (r.getMessage() for r in caplog.records) if line.endswith("; protection")]) == 4
    assert "entries are allowed again" in caplog.text
    scene.stop()


def block(scene: Scene) -> dict[str, bool]:
    """The account takes no order until what is returned is emptied."""
    account, blocked = scene.wire.account, {"trading_blocked": True}

    def refusing(method: str, phase: str) -> None:
        if (method, phase) == ("submit", "before") and blocked:
            raise AlpacaRefusal(403, 40310000, "trading is blocked", {})

    scene.wire.account, scene.wire.mishap = (lambda: {**account(), **blocked}), refusing
    return blocked


@pytest.mark.parametrize("known", [True, False])
def test_no_exit_is_cancelled_for_a_sale_that_a_blocked_account_cannot_make(scene, caplog, known):
    for symbol in ("AAPL", "MSFT", "NVDA"):
        held(scene, symbol)
    scene.pass_time(60)
    blocked = block(scene)
    if known:
        scene.step()
    scene.wire.calls.clear()
    KillSwitch(scene.folder).pull(KillLevel.FLATTEN)
    for _ in range(60):
        scene.pass_time(2)
        scene.desk.tick()
        assert all(scene.stopped(symbol) == scene.held(symbol) == 49 for symbol in ("AAPL", "MSFT", "NVDA"))
    assert changes(scene) == []
    assert [name for name, _ in scene.wire.calls].count("account") <= 120 / 30 + 1
    told = "AAPL: the account takes no order, trading is blocked; nothing is cancelled for its sale"
    assert caplog.text.count(told) == 1
    assert set(scene.desk.closer.told().values()) == {"it cannot be sold now, and waits behind its stop"}
    blocked.clear()
    scene.step()
    scene.settle(8)
    assert not any(scene.held(symbol) for symbol in ("AAPL", "MSFT", "NVDA"))
    assert scene.agrees()


def test_the_end_of_a_block_is_seen_without_an_iteration(scene):
    held(scene)
    blocked = block(scene)
    scene.step()
    scene.adjust("exit")
    blocked.clear()
    for _ in range(40):
        scene.pass_time(2)
        scene.desk.tick()
    assert scene.held() == 0


def test_a_sale_that_waits_is_not_chased_while_the_account_takes_no_order(scene):
    held(scene)
    quote = {"bp": "102", "ap": "102.02"}
    scene.quoted = lambda symbol: read_quote(
        symbol, quote | {"t": scene.exchange.now.isoformat()}, scene.exchange.now, timedelta(minutes=5)
    )
    scene.adjust("exit")
    scene.settle(2)
    assert [order["type"] for order in scene.open()] == ["limit"]
    block(scene)
    scene.settle(20)
    assert [order["type"] for order in scene.open()] == ["limit"], "it is the only exit that there can be"


def test_exits_near_their_end_are_not_renewed_while_none_could_follow(scene):
    held(scene)
    blocked = block(scene)
    scene.step()
    for order in scene.exchange._state.orders.values():
        if order.open:
            order.expires = scene.exchange.now + timedelta(days=1)
    scene.wire.calls.clear()
    scene.settle(4)
    assert changes(scene) == []
    assert scene.stopped() == 49
    blocked.clear()
    scene.settle(6)
    assert changes(scene) == ["cancel", "submit"]
    assert scene.stopped() == 49


def test_exits_near_their_end_are_not_renewed_in_a_symbol_that_the_venue_does_not_trade(scene, caplog):
    held(scene)
    asset = scene.wire.asset
    scene.wire.asset = lambda symbol: {**asset(symbol), "tradable": False}
    for order in scene.exchange._state.orders.values():
        if order.open:
            order.expires = scene.exchange.now + timedelta(days=1)
    scene.settle(20, 3)
    assert changes(scene) == []
    assert scene.stopped() == 49
    assert caplog.text.count("stays, the venue does not trade it now") == 1
    assert [name for name, _ in scene.wire.calls].count("asset") <= 3
    scene.wire.asset = asset
    scene.settle(34)
    assert changes(scene) == ["cancel", "submit"]
    assert scene.stopped() == 49


def test_many_positions_of_a_blocked_account_are_tried_in_turn(scene):
    refused = RefusedProtections(scene.state)
    names, began = [f"S{number}" for number in range(30)], scene.exchange.now
    for name in names:
        refused.add(name, (), OrderRefused("VENUE_REFUSED"))
    scene.state.view = replace(scene.state.view, account=replace(scene.state.view.account, blocked="it is blocked"))
    tried = []
    while scene.exchange.now - began < timedelta(minutes=11):
        scene.pass_time(2)
        for name in names:
            if not refused.pauses(name, ("another",)):
                tried.append(name)
                refused.add(name, ("another",), OrderRefused("VENUE_REFUSED"))
    assert {tried.count(name) for name in names} == {2}
