"""Coins that are too few for an order: told once with their worth, written off by name, with a line on every screen."""

from __future__ import annotations

import logging
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from brokers.desk.execution.order_gateway import OrderRefused
from brokers.desk.order_router import LumibotOrderRouter
from brokers.live_state.snapshot import Moments, state_of
from brokers.operator.account import look
from brokers.operator.differences import compare
from brokers.operator.emergency import clean_up
from brokers.operator.positions import report
from brokers.operator.tables import remainder_lines
from brokers.operator.track_record import verify
from commands.operator.verify import tell
from config import load
from monitoring.state import JOURNAL_FILE, StateWriter, read_state
from tests.brokers.kraken.scene import BTC, DOGE, SETTINGS, KrakenScene
from tests.brokers.rehearsal.kraken.market import served


def leave_a_rest(scene: KrakenScene) -> Decimal:
    """An offer at the target that a hand cancels when less than the least volume is left; returns what is left."""
    least = scene.venue.reference.required(BTC).ordermin
    scene.enter(BTC, 10)
    scene.settle(2)
    scene.server.faults.venue.partial_fill_frac = 1.0
    scene.step(1, BTC="95000")
    for _ in range(40):
        if 0 < scene.held() < least:
            break
        scene.step(1)
    scene.server.faults.venue.partial_fill_frac = 0.0
    (offer,) = (order for order in scene.open() if not order.buy)
    scene.server.by_hand("CancelOrder", txid=offer.id)
    return scene.held()


def state(scene: KrakenScene) -> Any:
    account = SimpleNamespace(
        desk=scene.desk, monitor=SimpleNamespace(heard=None, listening=True), pace_s=60.0,
        session=SimpleNamespace(mode="rehearse", profile="active"), alarm=SimpleNamespace(standing=tuple),
    )  # fmt: skip
    return state_of(account, scene.settings, None, (), Moments(scene.clock.now()))


def test_a_rest_that_cannot_be_sold_is_told_once_written_off_and_shown(tmp_path: Path, caplog, capsys):
    caplog.set_level(logging.INFO)
    with served() as server:
        scene = KrakenScene(server, tmp_path, journal=str(tmp_path / JOURNAL_FILE))
        settings = load("active", overrides=[*SETTINGS, f"live.state_dir={tmp_path}"])
        left = leave_a_rest(scene)
        assert left > 0
        worth = float(left * scene.price())
        for _ in range(30):
            scene.step(5)
        assert not scene.positions.book.ledger.positions and not scene.desk.closer.tasks
        assert scene.held() == left and not scene.halts.halted(scene.clock.now())
        told = [(r.levelname, r.getMessage()) for r in caplog.records if "minimum" in r.getMessage()]
        (warned, gone) = told
        assert warned[0] == "WARNING" and f"{worth:.2f} USD, are below Kraken's minimum of 0.00005 BTC" in warned[1]
        assert gone[0] == "INFO" and f"{worth:.2f} USD" in gone[1] and "no position any more" in gone[1]
        assert "share" not in "".join(r.getMessage() for r in caplog.records)
        assert "without an order of ours" not in caplog.text
        assert scene.desk.reconcile().barred == (), "nobody else has closed anything"
        (shown,) = state(scene).remainders
        assert (shown.symbol, shown.quantity) == (BTC, float(left)) and shown.usd == pytest.approx(worth, abs=0.01)
        StateWriter(tmp_path / "trader.json").write(state(scene))
        assert read_state(tmp_path / "trader.json").remainders == (shown,)
        scene.close()
        outlook = look(scene.venue, settings)
        assert f"{worth:.2f} USD, are below the venue's minimum" in remainder_lines(outlook.view.remainders)[0]
        found = compare(scene.venue, settings, wait=lambda seconds: None)
        assert found.clean and [there.symbol for there in found.remainders] == [BTC]
    record = verify(tmp_path / JOURNAL_FILE)
    assert float(record.written_off) == pytest.approx(worth, abs=0.01)
    assert abs(record.cash_change - record.cash_by_fills) < Decimal("0.01"), "what is written off moves no cash"
    tell(record, SimpleNamespace(json=False))
    said = capsys.readouterr().out
    assert f"{worth:.2f} USD of coins below the venue's minimum" in said
    assert len(record.trades) > 1 and " 1 trade, 0 positions at the end" in said, "one purchase is one trade"


def test_a_rest_that_an_order_still_sells_is_not_written_off(tmp_path: Path):
    with served() as server:
        scene = KrakenScene(server, tmp_path)
        least = scene.venue.reference.required(BTC).ordermin
        scene.enter(BTC, 10)
        scene.settle(2)
        scene.server.faults.venue.partial_fill_frac = 1.0
        scene.step(1, BTC="95000")
        while scene.held() >= least:
            scene.step(1)
        scene.pass_time(0, BTC="93000")
        scene.server.faults.venue.partial_fill_frac = 0.0
        for _ in range(30):
            scene.step(5)
        assert scene.positions.book.quantity(BTC) == scene.held() > 0 and len(scene.open()) == 1
        scene.step(1, BTC="95000")
        scene.settle(3)
        assert scene.held() == 0 and scene.faults() == []
        assert [item.order.role for item in scene.journal.filled_orders()] == ["entry", "target"]
        scene.close()


def test_the_cleanup_names_what_is_below_the_minimum_and_worth_dollars(tmp_path: Path, monkeypatch):
    with served(account={"cash_usd": 50, "balances": {"XBT": "0.00004"}}) as server:
        monkeypatch.setenv("KRAKEN_API_KEY", server.key)
        monkeypatch.setenv("KRAKEN_API_SECRET", server.secret)
        stated = [f"broker.kraken.url={server.url}", f"live.state_dir={tmp_path / 'state'}"]
        said: list[str] = []
        assert clean_up(load("micro_cap", overrides=stated), True, True, said.append)
        (line,) = (line for line in said if "BTC/USD" in line)
        assert line.startswith("dust left: 0.00004 BTC/USD, worth 3.") and "no order below 0.00005" in line


def test_coins_that_a_hand_has_sold_bar_their_symbol_and_are_called_coins(tmp_path: Path):
    with served() as server:
        scene = KrakenScene(server, tmp_path)
        scene.enter(BTC, 100)
        scene.settle(2)
        for order in scene.open():
            scene.server.by_hand("CancelOrder", txid=order.id)
        scene.pass_time(1)
        scene.server.by_hand("AddOrder", pair="XBTUSD", type="sell", ordertype="market", volume=str(scene.held()))
        scene.settle(4)
        assert scene.held() == 0
        (barred,) = scene.desk.reconcile().barred
        assert barred.symbol == BTC and barred.why.startswith("coins of ours were closed by an order that is not ours")
        scene.close()


DUST = "0.00004"


def pass_stop(scene: KrakenScene, within_s: int = 20) -> None:
    """The market passes a stop that is not triggered, and the position is sold."""
    scene.server.faults.venue.stops_stick = "untriggered"
    (stop,) = scene.open()
    for _ in range(within_s):
        scene.step(1, BTC=str(stop.stop_price - 500))
        if not scene.positions.book.quantity(BTC):
            break
    scene.server.faults.venue.stops_stick = ""


def test_coins_that_were_there_before_do_not_hold_up_the_sale_and_stay_what_they_are(tmp_path: Path, caplog):
    caplog.set_level(logging.INFO)
    with served(account={"balances": {"XBT": DUST}}) as server:
        scene = KrakenScene(server, tmp_path, journal=str(tmp_path / JOURNAL_FILE))
        settings = load("active", overrides=[*SETTINGS, f"live.state_dir={tmp_path}"])
        scene.enter(BTC, 100)
        scene.settle(3)
        scene.settle(10, 10)
        ours = scene.positions.book.quantity(BTC)
        assert scene.held() == ours + Decimal(DUST) and not any(scene.positions.book.manual.values())
        (shown,) = state(scene).remainders
        assert (shown.symbol, shown.quantity) == (BTC, float(DUST)) and shown.usd == pytest.approx(3.6, abs=0.05)
        outlook = look(scene.venue, settings)
        assert [(there.symbol, there.quantity) for there in outlook.view.remainders] == [(BTC, Decimal(DUST))]
        (told,) = report(outlook, settings)
        assert (told.owner, told.held, told.protected) == ("ours", ours, ours)
        found = compare(scene.venue, settings, wait=lambda seconds: None)
        assert found.clean and not found.by_hand and [there.symbol for there in found.remainders] == [BTC]
        pass_stop(scene)
        scene.settle(10, 10)
        assert not scene.positions.book.quantity(BTC) and scene.held() == Decimal(DUST)
        assert [there.quantity for there in scene.desk.state.view.remainders] == [Decimal(DUST)]
        assert "by hand" not in caplog.text and "written off" not in caplog.text and "settled" not in caplog.text
        scene.close()
    assert verify(tmp_path / JOURNAL_FILE).written_off == 0


def test_a_position_just_bought_is_sold_at_a_passed_stop_beside_what_was_there(tmp_path: Path):
    with served(account={"balances": {"XBT": DUST}}) as server:
        scene = KrakenScene(server, tmp_path)
        scene.enter(BTC, 100)
        scene.settle(3)
        pass_stop(scene)
        assert not scene.positions.book.quantity(BTC) and scene.held() == Decimal(DUST)
        scene.close()


def test_coins_that_a_hand_sends_beside_ours_do_not_hold_up_the_sale(tmp_path: Path):
    with served() as server:
        scene = KrakenScene(server, tmp_path)
        scene.enter(BTC, 100)
        scene.settle(3)
        # As a deposit: no order of the account tells of it.
        server.call(lambda exchange: exchange.balances.move("XBT", Decimal("0.001")))
        scene.settle(1)
        pass_stop(scene)
        assert not scene.positions.book.quantity(BTC) and scene.held() == Decimal("0.001")
        scene.settle(10, 10)
        assert scene.positions.book.manual[BTC] == Decimal("0.001"), "these are no dust"
        scene.close()


@pytest.mark.parametrize(
    ("kind", "part", "left"), [("partial", 1.05, "all"), ("trim", 1.05, "none"), ("trim", 0.5, "all")]
)
def test_a_part_is_sold_only_where_it_and_the_rest_are_enough_for_an_order(tmp_path: Path, caplog, kind, part, left):
    caplog.set_level(logging.INFO)
    with served() as server:
        scene = KrakenScene(server, tmp_path)
        scene.settle(1)
        least = float(scene.venue.rules.least(DOGE, Decimal(0)))
        scene.enter(DOGE, least * float(scene.price(DOGE)) * 1.9)
        scene.settle(4)
        bought = scene.held(DOGE)
        for _ in range(2):
            scene.adjust(kind, DOGE, quantity=least * part)
            scene.settle(4)
        assert scene.held(DOGE) == scene.stopped(DOGE) == (bought if left == "all" else 0)
        assert caplog.text.count("below the venue's minimum of 40") == 1
        assert (
            "are below Kraken's minimum" not in caplog.text and "without a stop, protection refused" not in caplog.text
        )
        scene.close()


def test_a_part_that_leaves_too_little_is_refused_to_a_subclass(tmp_path: Path):
    with served() as server:
        scene = KrakenScene(server, tmp_path)
        scene.settle(1)
        least = float(scene.venue.rules.least(DOGE, Decimal(0)))
        scene.enter(DOGE, least * float(scene.price(DOGE)) * 1.9)
        scene.settle(4)
        with pytest.raises(OrderRefused, match=r"leaves .* below the venue's minimum of 40"):
            LumibotOrderRouter(scene.desk).close(DOGE, 0.6)
        assert len(scene.open(DOGE)) == 1
        scene.close()
