"""Splits and new names of what is held: the same position in other shares, protected at the same levels."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from brokers.desk.reconcile.corporate_actions import Basis, split_of
from brokers.desk.reconcile.position_book import replay
from brokers.journal.snapshot import read_snapshot
from brokers.operator.account import Outlook
from brokers.operator.positions import _last_level
from tests.brokers.desk.scene import Scene, hang
from tests.brokers.journal.told import told as explained


@pytest.fixture
def scene(tmp_path):
    scene = Scene(tmp_path)
    scene.enter()
    scene.settle(3)
    scene.pass_time(120)
    yield scene
    scene.stop()


def split(scene: Scene, factor: str, *, left: str | None = None, adjusted: bool = False, exits: bool = False) -> None:
    """The venue splits AAPL: quantity times ``factor`` (or ``left``), resting orders cancelled unless ``exits``."""
    scene.desk.look()
    scene.deaf = True
    if not exits:
        stop = next(order for order in scene.open() if order["type"] == "stop")
        scene.exchange.cancel(stop["id"])
        scene.exchange.advance(scene.exchange.now + timedelta(seconds=2))
    ledger, by = scene.exchange._state.ledger, Decimal(factor)
    holding = ledger.holdings["AAPL"]
    holding.qty = Decimal(left) if left else holding.qty * by
    holding.average /= by
    price = scene.prices["AAPL"] / by
    scene.prices["AAPL"] = ledger.prices["AAPL"] = price


def stop_price(scene: Scene) -> Decimal:
    return Decimal(next(order for order in scene.open() if order["type"] == "stop")["stop_price"])


def test_a_split_scales_the_position_and_its_levels(scene, caplog):
    split(scene, "10")
    with caplog.at_level(logging.WARNING):
        scene.settle(3)
    position = scene.positions.book.ledger.positions["AAPL"]
    assert position.quantity == scene.held() == scene.stopped() == 490
    assert position.entry_price == pytest.approx(10.001)
    assert (position.stop, position.target) == (pytest.approx(9.501), pytest.approx(11.501))
    assert stop_price(scene) == Decimal("9.51"), "95.01 / 10, up to the next cent"
    assert scene.positions.book.manual == {}
    assert scene.desk.record.trades == []
    assert "AAPL: 49 shares became 490, positions" in caplog.text
    assert scene.journal.positions_by_fills() == {"AAPL": Decimal(490)}


def test_a_split_is_known_after_a_restart(scene):
    split(scene, "10")
    scene.settle(3)
    scene.restart()
    scene.settle(3)
    position = scene.positions.book.ledger.positions["AAPL"]
    assert (position.quantity, position.initial_quantity) == (490, 490)
    assert scene.stopped() == 490
    assert scene.desk.protector.levels(position).stop == pytest.approx(9.5, abs=0.01)
    scene.exchange.cancel(next(order for order in scene.open() if order["type"] == "stop")["id"])
    scene.pass_time(1)
    scene.settle(3)
    assert stop_price(scene) == Decimal("9.51")
    scene.adjust("exit")
    scene.settle(5)
    (trade,) = scene.desk.record.trades
    assert (trade.quantity, trade.entry_price) == (490, pytest.approx(10.001))
    assert trade.pnl == pytest.approx(490 * (trade.exit_price - 10.001))
    assert scene.held() == 0
    assert scene.agrees()


def test_a_split_while_the_trader_was_down_is_found(scene):
    split(scene, "10")
    scene.restart()
    scene.settle(3)
    assert scene.positions.book.quantity("AAPL") == scene.held() == scene.stopped() == 490
    assert stop_price(scene) == Decimal("9.51")


def test_a_stop_that_was_tightened_is_scaled_too(scene):
    scene.adjust("tighten", stop=98.0)
    scene.settle(2)
    scene.pass_time(120)
    split(scene, "4")
    scene.settle(3)
    assert stop_price(scene) == Decimal("24.5")


def test_a_split_soon_after_an_order_of_ours_is_not_waited_for(scene):
    """New shares count as made by hand until then, and have no stop."""
    scene.adjust("tighten", stop=98.0)
    scene.settle(2)
    split(scene, "4")
    scene.settle(3)
    assert scene.positions.book.quantity("AAPL") == scene.held() == scene.stopped() == 196
    assert stop_price(scene) == Decimal("24.5")
    assert scene.positions.book.manual == {}


@pytest.mark.parametrize("ticks", [0, 3])
def test_a_split_soon_after_an_entry_is_not_waited_for(tmp_path, ticks):
    scene = Scene(tmp_path)
    scene.enter()
    scene.settle(2 + ticks)
    split(scene, "10")
    scene.settle(3)
    assert scene.positions.book.quantity("AAPL") == scene.held() == scene.stopped() == 490
    assert stop_price(scene) == Decimal("9.51")
    scene.stop()


def test_the_best_price_is_in_present_shares(scene):
    position = scene.desk.reconcile().positions["AAPL"]
    # Of a bar that is too old to be in the table any more.
    seen = scene.desk.books._best._seen
    seen["AAPL"] = replace(seen["AAPL"], dropped=120.0)
    assert scene.desk.reconcile().positions["AAPL"].best_price == 120 > position.entry_price
    split(scene, "10")
    scene.settle(2)
    assert scene.desk.reconcile().positions["AAPL"].best_price == pytest.approx(10.001)


def test_hands_shares_are_split_with_ours(scene):
    scene.exchange.submit({"symbol": "AAPL", "qty": "30", "side": "buy", "type": "market", "time_in_force": "day"})
    scene.settle(2)
    scene.pass_time(120)
    split(scene, "3")
    scene.restart()
    scene.settle(3)
    assert scene.positions.book.quantity("AAPL") == scene.stopped() == 147
    assert scene.positions.book.manual == {"AAPL": Decimal(90)}
    assert scene.held() == 237


def test_a_reverse_split_pays_the_fraction_in_cash(scene):
    split(scene, "0.1", left="4")
    scene.settle(3)
    position = scene.positions.book.ledger.positions["AAPL"]
    assert position.quantity == scene.held() == scene.stopped() == 4
    assert position.entry_price == pytest.approx(1000.1)
    assert stop_price(scene) == Decimal("950.1")
    (trade,) = scene.desk.record.trades
    assert (trade.quantity, trade.exit_reason) == (pytest.approx(0.9), "manual")


def test_exits_that_the_venue_left_at_the_old_price_are_cancelled_first(scene):
    old = {order["id"] for order in scene.open()}
    split(scene, "10", exits=True)
    # The market is still closed to stops.
    scene.desk.look()
    scene.desk.work()
    scene.settle(5)
    assert not old & {order["id"] for order in scene.open()}
    assert scene.held() == scene.stopped() == 490
    assert stop_price(scene) == Decimal("9.51")


def test_the_scripts_know_of_the_split(scene):
    split(scene, "10")
    scene.desk.look()
    snapshot = read_snapshot(scene.folder / "journal.sqlite")
    own = replay(snapshot.filled, lambda order: None, splits=snapshot.splits)
    assert own.quantity("AAPL") == 490
    assert _last_level(Outlook(scene.state.view, snapshot, own), "AAPL", "stop", 0.0) == pytest.approx(9.501)


@pytest.mark.parametrize(
    ("before", "after", "ratio"),
    [
        ((49, 100), (490, 10), (49, 490)),
        ((49, "100.013"), (147, "33.34"), (49, 147)),
        ((-49, 100), (-490, 10), (49, 490)),
        ((49, 100), ("51.45", "95.24"), (49, "51.45")),
        ((50, 100), (5, 1000), (50, 5)),
        ((49, 100), ("4.9", 1000), (49, "4.9")),
        ((49, 100), (4, 1000), (10, 1)),
        ((49, 100), (5, 1000), (10, 1)),
        ((49, 100), (24, 200), (2, 1)),
        ((49, 100), (73, "66.667"), (2, 3)),
        ((-49, 100), (-73, "66.667"), (2, 3)),
        # What hands do: bought at any price, sold at any price, turned around.
        ((49, 100), (98, 100), None),
        ((49, 100), (490, 91), None),
        ((49, 100), (29, 100), None),
        ((1000, 100), (1004, 100), None),
        ((2, 100), (1, 120), None),
        ((2, 100), (3, 80), None),
        ((49, 100), (74, "66.667"), None),
        ((49, 100), (3, 1000), None),
        ((49, 100), (-490, 10), None),
        ((49, 100), (0, 0), None),
    ],
)
def test_only_a_split_leaves_what_was_paid_as_it_was(before, after, ratio):
    told = split_of(Basis(*map(Decimal, before)), Basis(*map(Decimal, after)))
    assert told == (None if ratio is None else tuple(map(Decimal, ratio)))


def test_a_position_under_a_new_name_is_told_and_left(scene, caplog):
    whole = scene.wire.positions
    scene.wire.positions = lambda: [{**row, "symbol": "APPL2"} for row in whole()]
    scene.wire.calls.clear()
    with caplog.at_level(logging.ERROR):
        scene.settle(20, 20)
    assert scene.positions.book.quantity("AAPL") == scene.stopped() == 49
    assert scene.positions.book.manual == {}
    assert not [name for name, _ in scene.wire.calls if name in ("submit", "cancel", "replace")]
    told = [record.message for record in caplog.records]
    assert told == ["AAPL seems to be called APPL2 now; see docs/operating.md, no entries in either"]
    kept = explained(scene.journal.name, "AAPL").orders
    assert any(told[0] in event.reason for order in kept for event in order.events)
    for symbol in ("AAPL", "APPL2"):
        assert scene.positions.doubt(symbol) == told[0]
    scene.restart()
    scene.settle(3)
    assert scene.positions.book.quantity("AAPL") == 49


@pytest.mark.parametrize("beside", [0, 30])
def test_an_exit_whose_cancel_hangs_after_a_split_keeps_its_own_shares_waiting_and_no_others(scene, beside):
    old = {order["id"] for order in scene.open()}
    if beside:
        hands = {"symbol": "AAPL", "qty": str(beside), "side": "buy", "type": "market", "time_in_force": "day"}
        scene.exchange.submit(hands)
        scene.settle(2)
    scene.pass_time(7 * 3600)  # The market is closed to stops.
    split(scene, "10", exits=True)
    hang(scene, lambda order: order["id"] in old)
    cancel = scene.wire.cancel
    asked = []
    scene.wire.cancel = lambda name: asked.append(name) if name in old else cancel(name)
    scene.settle(10, 2)
    assert len(asked) <= 2
    scene.settle(10, 2)
    assert len(asked) > 1
    new = [order for order in scene.open() if order["id"] not in old and order["type"] == "stop"]
    assert [(order["qty"], order["stop_price"]) for order in new] == [("441", "9.51")]
    # What it does not hold is sold too, and no more; the old stop itself is triggered at the open.
    scene.wire.calls.clear()
    scene.adjust("exit")
    scene.settle(30, 2)
    scene.step(17 * 3600, AAPL=10)
    scene.settle(3)
    sold = [what["qty"] for name, what in scene.wire.calls if name == "submit" and what["type"] != "stop"]
    assert set(sold) == {"441"}
    assert (scene.held(), scene.positions.book.quantity("AAPL")) == (10 * beside, 0)


def adjust_exits(scene: Scene, factor: int) -> None:
    """The venue splits AAPL and adjusts what rests there, as nobody looks."""
    scene.deaf = True
    ledger = scene.exchange._state.ledger
    ledger.holdings["AAPL"].qty *= factor
    ledger.holdings["AAPL"].average /= factor
    scene.prices["AAPL"] = ledger.prices["AAPL"] = scene.prices["AAPL"] / factor
    for order in scene.exchange._state.orders.values():
        if order.open and order.symbol == "AAPL":
            order.qty *= factor
            order.stop_price = order.stop_price and order.stop_price / factor
            order.limit_price = order.limit_price and round(order.limit_price / factor, 2)


@pytest.mark.parametrize("by_hand", [0, 60])
def test_a_split_is_found_in_an_exit_that_filled_after_it(scene, by_hand):
    if by_hand:
        order = {"symbol": "AAPL", "qty": str(by_hand), "side": "buy", "type": "market", "time_in_force": "day"}
        scene.exchange.submit(order)
        scene.settle(3)
    adjust_exits(scene, 10)
    scene.stop()
    scene.pass_time(1, AAPL=9.4)
    scene.pass_time(3600)
    assert scene.held() == 10 * by_hand
    scene.deaf = False
    scene.wire.calls.clear()
    scene.start()
    for _ in range(4):
        scene.step()
        assert scene.positions.book.quantity("AAPL") == 0
    assert scene.positions.book.total("AAPL") == scene.held()
    (trade,) = scene.desk.record.trades
    assert (trade.quantity, trade.entry_price, trade.exit_reason) == (490, pytest.approx(10.001), "stop")
    assert trade.pnl == pytest.approx(490 * (trade.exit_price - 10.001))
    assert not [name for name, _ in scene.wire.calls if name in ("submit", "cancel", "replace")]


def test_an_adjusted_exit_that_fills_later_is_no_second_split(scene):
    adjust_exits(scene, 10)
    scene.settle(3)
    assert scene.positions.book.quantity("AAPL") == scene.stopped() == 490
    scene.step(1, AAPL=9.4)
    scene.settle(3)
    assert len(scene.journal.splits()) == 1
    assert (scene.positions.book.quantity("AAPL"), scene.held()) == (0, 0)
    (trade,) = scene.desk.record.trades
    assert (trade.quantity, trade.entry_price) == (490, pytest.approx(10.001))


def test_an_adjusted_target_that_fills_in_part_leaves_the_rest_at_its_levels(scene):
    adjust_exits(scene, 10)
    scene.exchange.faults.partial_fill_frac = 1.0
    scene.exchange.on_quote(scene.exchange.now, {"AAPL": Decimal("11.52")})
    scene.pass_time(0, AAPL=11.4)
    scene.exchange.faults.partial_fill_frac = 0.0
    assert 0 < scene.held() < 490
    scene.restart()
    scene.settle(4)
    assert (
        scene.positions.book.total("AAPL") == scene.positions.book.quantity("AAPL") == scene.held() == scene.stopped()
    )
    position = scene.positions.book.ledger.positions["AAPL"]
    assert position.entry_price == pytest.approx(10.001)
    assert scene.desk.protector.levels(position).stop == pytest.approx(9.5, abs=0.01)
