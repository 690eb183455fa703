"""What Kraken charges is in the journal: cash to the last digit, trades after fees, older journals go on."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import pytest

from brokers.journal import Journal
from brokers.live_state.snapshot import Moments, state_of
from brokers.operator.account import look
from brokers.operator.differences import Kind, compare
from brokers.operator.positions import report
from brokers.operator.track_record import verify
from brokers.rehearsal.kraken.reference.listings import FeeTier
from config import Settings, load
from monitoring.journal_fills import fills
from monitoring.journal_reader import JournalReader
from monitoring.state import JOURNAL_FILE
from tests.brokers.journal.databases import KEPT, execute, put
from tests.brokers.journal.told import fees_of
from tests.brokers.kraken.scene import BTC, ETH, SETTINGS, KrakenScene, scripted_day
from tests.brokers.rehearsal.kraken.account import SATURDAY
from tests.brokers.rehearsal.kraken.market import served

CENT = Decimal("0.01")
DUST = Decimal("1e-9")
"""Of a USD: an average price has twelve digits."""


def test_a_day_s_cash_agrees_and_its_trades_are_after_fees(tmp_path):
    with served() as server:
        scene = KrakenScene(server, tmp_path)
        begin = scene.cash()
        scripted_day(scene)
        charged = scene.client_fees()
        assert scene.faults() == []
        assert charged > 1
        assert fees_of(scene.journal) == charged
        assert abs(begin + scene.journal.cash_by_fills() - scene.cash()) < DUST
        own = scene.positions.book.ledger
        assert abs(Decimal(str(own.cash)) - scene.journal.cash_by_fills()) < CENT
        held = sum(own.entry_fees.values())
        before_fees = sum((t.exit_price - t.entry_price) * t.quantity for t in own.record.trades)
        after = sum(trade.pnl for trade in own.record.trades)
        assert len(own.record.trades) >= 3
        assert after == pytest.approx(before_fees - float(charged) + held, abs=0.01)
        assert sum(closed.pnl for closed in own.closed) <= after + 0.01
        scene.close()
    record = verify(tmp_path / "journal.sqlite")
    assert record.fees > 1
    assert abs(record.cash_change - record.cash_by_fills) < CENT / 100, "Kraken tells balances with four decimals"


def test_a_target_that_was_reached_can_be_a_loss_after_fees(tmp_path):
    """+0.5% before fees of 0.40% twice; what stops entries after losses has to see it."""
    with served(account={"fees": (FeeTier(Decimal(0), Decimal("0.40"), Decimal("0.40")),)}) as server:
        scene = KrakenScene(server, tmp_path)
        scene.enter(BTC, 100, target=0.005)
        scene.settle(2)
        scene.step(1, BTC="90460")
        scene.settle(5)
        (closed,) = scene.positions.book.ledger.closed
        (trade,) = scene.positions.book.ledger.record.trades
        assert trade.exit_price > trade.entry_price * 1.004
        assert closed.pnl < 0
        assert closed.r_multiple < 0
        scene.close()


def test_what_is_held_is_shown_after_the_fee_of_its_entry(tmp_path):
    with served() as server:
        scene, settings = kept_where_the_commands_look(server, tmp_path)
        scene.enter(BTC, 100)
        scene.settle(2)
        fee = float(scene.client_fees())
        scene.close()
        (held,) = report(look(scene.venue, settings), settings)
        assert held.fees == pytest.approx(fee)
        assert held.profit == pytest.approx(float(held.held) * (held.price - held.entry) - fee)
        assert held.unrealised_r == pytest.approx(held.profit / float(held.held) / held.risk)


def test_what_would_be_lost_at_the_stop_is_what_is_lost_there(tmp_path):
    with served() as server:
        scene = KrakenScene(server, tmp_path)
        scene.enter(BTC, 100)
        scene.settle(2)
        account = SimpleNamespace(
            desk=scene.desk, monitor=SimpleNamespace(heard=None, listening=True), pace_s=60.0,
            session=SimpleNamespace(mode="rehearse", profile="active"), alarm=SimpleNamespace(standing=tuple),
        )  # fmt: skip
        state = state_of(account, scene.settings, None, (), Moments(scene.clock.now()))
        (held,) = state.positions
        assert held.exit_fee_frac == 0.004
        scene.step(1, BTC=str(held.stop))
        scene.settle(2)
        assert scene.held() == 0
        lost = state.equity - float(scene.cash())
        assert held.lost_at_stop == pytest.approx(lost, abs=0.01), "the spread's tick aside"
        assert lost - (held.price - held.stop) * held.quantity > 0.3
        scene.close()


def test_reconcile_tells_a_fee_that_is_not_what_the_venue_charged(tmp_path):
    with served() as server:
        scene, settings = kept_where_the_commands_look(server, tmp_path)
        scene.enter(BTC, 100)
        scene.settle(2)
        scene.close()
        assert compare(scene.venue, settings, wait=lambda seconds: None).clean
        listing = scene.venue.orders_since

        def dearer(after):
            found = listing(after)
            orders = tuple(replace(o, fees=o.fees + CENT) if o.filled else o for o in found.orders)
            return replace(found, orders=orders)

        scene.venue.orders_since = dearer
        (wrong,) = compare(scene.venue, settings, wait=lambda seconds: None).differences
        assert wrong.kind is Kind.FEES
        assert Decimal(wrong.there) - Decimal(wrong.here) == CENT


def kept_where_the_commands_look(server, folder: Path) -> tuple[KrakenScene, Settings]:
    scene = KrakenScene(server, folder, journal=str(folder / JOURNAL_FILE))
    return scene, load("active", overrides=[*SETTINGS, f"live.state_dir={folder}"])


@pytest.mark.parametrize("where", ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def test_a_journal_of_version_2_is_traded_on(where, tmp_path, request):
    """Its stop is gone at this exchange and goes back; the sale has its fee, and the next trade has both."""
    if where == "postgresql":
        address = request.getfixturevalue("postgres").fresh()
        execute(address, (KEPT / "version_2.postgresql.sql").read_text())
    else:
        address = str(put(tmp_path / "journal.sqlite", 2))
    account = {"balances": {"ETH": "0.06636743"}, "cash_usd": "793.57869", "seed": 7}
    with served(account=account, start=SATURDAY + timedelta(hours=1)) as server:
        scene = KrakenScene(server, tmp_path, journal=address)
        known = scene.journal.cash_by_fills()
        scene.settle(25, 5)
        assert scene.held(ETH) == scene.stopped(ETH) == Decimal("0.06636743")
        assert fees_of(scene.journal) == 0
        scene.step(1, ETH="2900")
        scene.settle(4)
        assert scene.held(ETH) == 0
        scene.enter(BTC, 100)
        scene.settle(2)
        scene.step(1, BTC="95000")
        scene.settle(5)
        assert scene.faults() == []
        of_eth, of_btc = scene.positions.book.ledger.record.trades[-2:]
        orders = scene.journal.filled_orders()[-3:]
        assert all(item.order.fees > 0 for item in orders)
        assert abs(Decimal("793.57869") + scene.journal.cash_by_fills() - known - scene.cash()) < DUST
        gains = [(t.exit_price - t.entry_price) * t.quantity for t in (of_eth, of_btc)]
        fees = [float(item.order.fees) for item in orders]
        assert of_eth.pnl == pytest.approx(gains[0] - fees[0], abs=0.001), "what its entry cost was not kept then"
        assert of_btc.pnl == pytest.approx(gains[1] - fees[1] - fees[2], abs=0.001)
        scene.close()
    with Journal(address, "test") as journal:
        assert fees_of(journal) > 0


def test_the_screens_show_fills_one_by_one_where_totals_alone_were_told(tmp_path):
    with served() as server:
        scene = KrakenScene(server, tmp_path)
        server.faults.venue.partial_fill_frac = 1.0
        scene.enter(ETH, 200)
        scene.settle(8, 2)
        server.faults.venue.partial_fill_frac = 0.0
        for _ in range(6):
            scene.step(20)
        with JournalReader(tmp_path / "journal.sqlite").open() as db:
            shown = fills(db, symbol=ETH)
            bought = [fill for fill in shown if fill.side == "buy"]
            latest = fills(db, symbol=ETH, limit=2)
        held = float(scene.held(ETH))
        assert len(bought) > 2
        assert sum(fill.quantity for fill in bought) == pytest.approx(held)
        (entry,) = (item.order for item in scene.journal.filled_orders() if item.order.role == "entry")
        assert sum(fill.quantity * fill.price for fill in bought) == pytest.approx(float(entry.filled_notional))
        assert latest == shown[:2], "what a total added does not hang on how many are asked for"
        scene.close()
