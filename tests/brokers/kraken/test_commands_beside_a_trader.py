"""What a command that looks at the account says of the orders of the trader beside it."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from brokers.operator.account import look
from config import load
from monitoring.state import JOURNAL_FILE
from tests.brokers.kraken.scene import BTC, ETH, SETTINGS, KrakenScene
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
