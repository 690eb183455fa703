"""What a hand does at the venue: found in the next iterations, told with the right size, handled as specified."""

from __future__ import annotations

import logging
import math
from decimal import Decimal

import pytest

from brokers.alpaca.listings import positions_of
from brokers.desk.entry_halts import KillLevel
from brokers.desk.reconcile.manual_positions import lot_of, right_size
from brokers.rehearsal.core.settings import VenueSettings
from brokers.venue_errors import VenueUnavailable
from brokers.venue_values import VenuePosition
from config import load
from config.errors import Refusal
from risk.model import Plan
from tests.brokers.desk.scene import WIDE_GATE, Scene


def position(**told: str) -> VenuePosition:
    return positions_of([{"symbol": "X", **told}]).by_symbol["X"]


def by_hand(scene: Scene, symbol: str, quantity: int, side: str = "buy", **terms: str) -> dict[str, object]:
    order = scene.exchange.submit(
        {"symbol": symbol, "qty": str(quantity), "side": side, "type": "market", "time_in_force": "day", **terms}
    )
    scene.pass_time(1)
    return order


def test_hand_made_positions_are_told_with_the_size_that_would_be_right(tmp_path, caplog):
    settings = VenueSettings(cash_usd=Decimal(106_400), half_spread_usd=Decimal(0))
    scene = Scene(tmp_path, settings=settings, prices={"PLTR": 170.77, "TSLA": 443.18})
    by_hand(scene, "PLTR", 291)
    by_hand(scene, "TSLA", 76)
    with caplog.at_level(logging.WARNING):
        scene.step()
    told = caplog.text
    assert "PLTR: 291 shares made by hand, 49694.07 USD, 46.7% of the account; 62 would be right" in told
    assert "TSLA: 76 shares made by hand, 33681.68 USD, 31.7% of the account; 24 would be right" in told
    assert right_size(scene.settings, 106_400, 170.77, 1) == 62
    # Profiles of small accounts name an amount, which is less than their fraction of the account.
    assert right_size(load("micro_cap"), 99.0, 100.0, 1e-8) == pytest.approx(0.2)
    book = scene.desk.reconcile()
    assert {s: p.quantity for s, p in book.positions.items()} == {"PLTR": 291, "TSLA": 76}
    # Counted, and left alone.
    assert book.opened_today_usd == pytest.approx(83_375.75)
    assert book.budget.week_usd == pytest.approx(83_375.75)
    scene.settle()
    assert not [call for call in scene.wire.calls if call[0] in ("submit", "cancel", "replace")]
    scene.stop()


def test_an_order_of_ours_that_a_restored_journal_lacks_is_made_by_hand_until_it_is_adopted(tmp_path, caplog):
    scene = Scene(tmp_path)
    scene.stop()
    kept = (tmp_path / "journal.sqlite").read_bytes()
    scene.start()
    scene.enter("AAPL", 50)
    scene.settle(2)
    scene.stop()
    (tmp_path / "journal.sqlite").write_bytes(kept)
    (tmp_path / "weekly_budget.json").unlink()
    with caplog.at_level(logging.WARNING):
        scene.start()
        scene.settle(4)
    assert scene.positions.book.manual == {"AAPL": 49} and not scene.positions.book.ledger.positions
    told = [r.getMessage() for r in caplog.records if "an id like ours" in r.getMessage()]
    assert len(told) == 1 and "live.adopt+=AAPL" in told[0]
    scene.stop()
    scene.settings = load(overrides=[*WIDE_GATE, "live.adopt+=AAPL"])
    scene.start()
    scene.settle(4)
    assert scene.positions.book.quantity("AAPL") == 49 and scene.protected
    scene.stop()


def test_a_position_from_before_is_found_without_its_order(tmp_path, caplog):
    scene = Scene(tmp_path)
    scene.exchange.submit({"symbol": "NVDA", "qty": "9", "side": "buy", "type": "market", "time_in_force": "day"})
    scene.pass_time(1)
    scene.wire.orders_since = lambda after, nested=True: []
    scene.settle(4)
    assert scene.positions.book.manual == {"NVDA": Decimal(9)}
    assert "NVDA: +9 shares without an order of ours" in caplog.text
    assert scene.journal.positions_by_fills() == {"NVDA": Decimal(9)}
    scene.stop()


def test_an_adopted_position_gets_its_stop(tmp_path):
    scene = Scene(tmp_path, overrides=["live.adopt=[PLTR]"])
    by_hand(scene, "PLTR", 30)
    scene.settle(4)
    assert scene.stopped("PLTR") == 30
    stop = next(order for order in scene.open("PLTR") if order["type"] == "stop")
    assert Decimal(stop["stop_price"]) == Decimal("95.01")
    scene.stop()


def test_a_stop_cancelled_by_hand_comes_back(scene):
    scene.enter()
    scene.settle(2)
    stop = next(order for order in scene.open() if order["type"] == "stop")
    scene.exchange.cancel(stop["id"])
    scene.pass_time(1)
    assert scene.stopped() == 0
    scene.settle(3)
    assert scene.stopped() == scene.held() == 49
    again = next(order for order in scene.open() if order["type"] == "stop")
    assert again["stop_price"] == stop["stop_price"]
    assert [spell.symbol for spell in scene.desk.protector.log.intervals][-1] == "AAPL"


def test_an_exit_without_a_position_is_cancelled(scene, caplog):
    scene.enter("NVDA")
    scene.settle(2)
    scene.step(1, NVDA=94)
    by_hand(scene, "NVDA", 10, "sell", type="limit", limit_price="130")
    scene.settle(3)
    assert scene.open("NVDA") == []
    assert "there is no position" in caplog.text


def test_an_entry_waiting_by_hand_is_left_to_its_owner(scene):
    by_hand(scene, "NVDA", 10, type="limit", limit_price="80")
    scene.settle(4)
    assert len(scene.open("NVDA")) == 1


def test_shares_of_ours_sold_by_hand_are_ours_no_more(scene):
    scene.enter()
    scene.settle(2)
    stop = next(order for order in scene.open() if order["type"] == "stop")
    scene.exchange.cancel(stop["id"])
    scene.pass_time(1)
    scene.pass_time(1)
    by_hand(scene, "AAPL", 20, "sell")
    scene.settle(5)
    assert scene.held() == scene.stopped() == 29
    assert scene.positions.book.quantity("AAPL") == 29
    assert scene.agrees()


def test_the_kill_switch_stops_entries_and_its_second_level_sells(scene):
    scene.enter()
    scene.settle(2)
    scene.desk.halts.kill.pull(KillLevel.STOP)
    scene.enter("MSFT")
    scene.settle(2)
    assert scene.held("MSFT") == 0
    assert scene.desk.entries.refusals.skipped[-1].reason == "DESK_STOPPED: kill switch: stop"
    assert scene.stopped() == 49
    scene.desk.halts.kill.pull(KillLevel.FLATTEN)
    scene.settle(6)
    assert scene.held() == 0
    assert scene.open() == []
    assert scene.desk.flattened


def test_a_crash_ends_entries_for_the_session_and_the_restart_knows(scene):
    with scene.desk.iteration():
        raise RuntimeError("boom")
    scene.restart()
    scene.enter()
    assert "halted for this session by crash" in scene.desk.entries.refusals.skipped[-1].reason
    scene.pass_time(24 * 3600, AAPL=100)
    scene.enter()
    scene.settle(2)
    assert scene.held() == 49


def test_the_session_opening_equity_survives_a_restart(scene):
    opened = scene.desk.reconcile().session_open_equity
    scene.enter()
    scene.settle(2)
    scene.step(1, AAPL=80)
    scene.restart()
    book = scene.desk.reconcile()
    assert book.session_open_equity == opened == 100_000
    assert book.equity < 100_000


def test_a_scan_sends_nothing(scene):
    scene.desk.submit = False
    scene.desk.reconcile()
    scene.desk.execute(Plan(scene.exchange.now, entries=(scene.proposal("AAPL", 10),)))
    assert not [call for call in scene.wire.calls if call[0] == "submit"]


def test_a_journal_that_fails_keeps_entries_back_until_it_works_again(scene, monkeypatch):
    def full(*args, **kwargs):
        raise Refusal("journal.sqlite3: the disk is full; make room")

    scene.enter()
    scene.settle(2)
    monkeypatch.setattr(scene.observer, "look", full)
    monkeypatch.setattr(scene.desk.looks, "_looked", -math.inf)
    with pytest.raises(VenueUnavailable):
        scene.desk.snapshot()
    monkeypatch.undo()
    scene.enter("MSFT", iterate=False)
    assert "the journal: journal.sqlite3: the disk is full" in scene.desk.entries.refusals.skipped[-1].reason
    # Usable again is what made no error from one look to the next.
    scene.desk.tick()
    scene.enter("MSFT")
    assert len(scene.desk.entries.refusals.skipped) == 1
    assert "MSFT" in scene.desk.entries.tasks


def test_on_a_full_disk_nothing_is_entered_and_what_is_held_stays_protected(scene, monkeypatch):
    scene.enter()
    scene.settle(2)
    room, quantity = [False], scene.held()
    monkeypatch.setattr(scene.journal, "keeps_room", lambda: room[0])
    (stop,) = (order for order in scene.open() if order["type"] == "stop")
    scene.exchange.cancel(stop["id"])
    scene.pass_time(1)
    assert not scene.protected()
    scene.settle(3)
    assert scene.protected()
    assert scene.held() == quantity
    scene.enter("MSFT", iterate=False)
    assert "the disk: it is full" in scene.desk.entries.refusals.skipped[-1].reason
    room[0] = True
    scene.settle(2)
    scene.enter("MSFT")
    assert "MSFT" in scene.desk.entries.tasks


def test_an_option_counts_with_its_hundred_shares_and_coins_come_in_parts(scene):
    option = position(qty="2", market_value="2240", current_price="11.2", asset_class="us_option")
    assert option.unit_price == 1120
    coin = position(qty="0.0123", market_value="848.70", current_price="69000", asset_class="crypto")
    assert float(coin.unit_price) == pytest.approx(69_000)
    assert right_size(scene.settings, 106_400, 69_000, lot_of(coin, 1)) == pytest.approx(10_640 / 69_000)
    assert position(qty="3", market_value="0", avg_entry_price="5").unit_price == 5
