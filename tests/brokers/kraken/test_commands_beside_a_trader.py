"""What a command that looks at the account says of the orders of the trader beside it."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from pathlib import Path

from brokers.kraken.connection.client import KrakenClient
from brokers.kraken.connection.nonce import Nonce
from brokers.kraken.connection.rest import KrakenRest
from brokers.kraken.venue import KrakenVenue
from brokers.network.admission import Admission
from brokers.operator.account import look
from brokers.venue_values import VenueListing
from config import load
from monitoring.state import JOURNAL_FILE
from tests.brokers.kraken.scene import BTC, ETH, SETTINGS, KrakenScene
from tests.brokers.kraken.scripted import NO_PAUSE
from tests.brokers.rehearsal.kraken.market import served


def test_the_traders_own_entry_and_stop_are_not_called_another_traders(tmp_path: Path, caplog):
    with served() as server:
        scene = KrakenScene(server, tmp_path, journal=str(tmp_path / JOURNAL_FILE))
        settings = load("active", overrides=[*SETTINGS, f"live.state_dir={tmp_path}"])
        scene.enter(BTC, 100)
        scene.settle(2)
        (stop,) = scene.open()
        server.by_hand("CancelOrder", txid=stop.id)
        scene.settle(20)
        scene.adjust("tighten", BTC, stop=89_000.0)
        # Filled in part, so that the rest of the entry is open.
        server.faults.venue.partial_fill_frac = 1.0
        scene.enter(ETH, 200)
        server.faults.venue.partial_fill_frac = 0.0
        assert scene.stopped() == scene.held() > 0
        assert {order.buy for symbol in (BTC, ETH) for order in scene.open(symbol)} == {True, False}
        open_ids = {order.id for symbol in (BTC, ETH) for order in scene.open(symbol)}
        # A process that has sent none of them, as a command is.
        scene.restart()
        outlook = look(scene.venue, settings)
        assert open_ids <= outlook.view.orders.keys()
        assert "another trader" not in caplog.text
        assert outlook.view.positions[BTC].quantity > Decimal(0)
        scene.settle(2)
        assert "another trader" not in caplog.text
        scene.close()


def test_an_order_that_the_trader_sends_while_a_command_looks_is_not_called_another_traders(tmp_path: Path, caplog):
    with served() as server:
        scene = KrakenScene(server, tmp_path, journal=str(tmp_path / JOURNAL_FILE))
        settings = load("active", overrides=[*SETTINGS, f"live.state_dir={tmp_path}"])
        scene.settle(1)
        admission = Admission()
        rest = KrakenRest(server.key, server.secret, nonce=Nonce(tmp_path / "nonce"), rates=scene.rates, url=server.url)
        beside = KrakenVenue(KrakenClient(rest, admission), scene.clock, "test", NO_PAUSE)
        listed = beside.orders_since

        def meanwhile(after: datetime) -> VenueListing:
            server.faults.venue.partial_fill_frac = 1.0
            scene.enter(ETH, 200)
            return listed(after)

        beside.orders_since = meanwhile  # type: ignore[method-assign]  # between journal and venue
        look(beside, settings)
        assert scene.open(ETH) and "another trader" not in caplog.text
        scene.journal.close()
        for path in tmp_path.glob(f"{JOURNAL_FILE}*"):
            path.unlink()
        empty = KrakenScene(server, tmp_path, journal=str(tmp_path / JOURNAL_FILE))
        look(KrakenVenue(KrakenClient(rest, admission), scene.clock, "test", NO_PAUSE), settings)
        assert caplog.text.count("another trader") >= 1, "one that no journal knows is told"
        empty.close()
