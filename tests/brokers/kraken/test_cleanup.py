"""The clean-up at a rehearsed Kraken: a dry run changes nothing, the real one leaves no order and no dust."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from brokers.journal import Journal, OrderIntent, State
from brokers.journal.fills import Cumulative
from brokers.journal.snapshot import read_snapshot
from brokers.kraken.answers.names import uuid_of
from brokers.operator.emergency import clean_up
from brokers.rehearsal.kraken.server import KrakenServer
from brokers.rehearsal.serving.network_faults import Mishap
from brokers.venues import open_venue
from config import Settings, load
from tests.brokers.rehearsal.kraken.market import Wire, served, set_price

DUST = {"XBT": "0.00000500", "ETH": "0.0001", "SOL": "0.003", "DOGE": "3", "XBT.F": "0.0000001"}
"""Worth less than a dollar each, and all below the least that Kraken takes."""


@dataclass
class Cleaned:
    """An account with orders of hands, a stop, dust, and a symbol in the journal that Kraken does not know."""

    server: KrakenServer
    settings: Settings
    said: list[str] = field(default_factory=list)

    def run(self, dry_run: bool = False) -> bool:
        self.said.clear()
        return clean_up(self.settings, True, dry_run, self.said.append)

    def book(self) -> str:
        """A hash of everything that the venue has and the journal's file holds."""
        orders = self.server.call(lambda e: [(o.id, o.status, str(o.filled_qty)) for o in e.orders.values()])
        cash = self.server.call(lambda e: str(e._state.ledger.cash))
        rows = Path(self.settings.live.state_dir, "journal.sqlite3").read_bytes()
        return hashlib.sha256(repr((orders, cash)).encode() + rows).hexdigest()

    def open(self) -> int:
        return self.server.call(lambda exchange: len(exchange.open_orders()))


@pytest.fixture
def account(tmp_path: Path, monkeypatch: Any) -> Iterator[Cleaned]:
    balances = {**DUST, "SOL": "0.503"}
    with served(account={"cash_usd": 500, "balances": balances}) as server:
        monkeypatch.setenv("KRAKEN_API_KEY", server.key)
        monkeypatch.setenv("KRAKEN_API_SECRET", server.secret)
        stated = [f"broker.kraken.url={server.url}", f"live.state_dir={tmp_path / 'state'}"]
        settings = load("micro_cap", overrides=stated)
        wire = Wire(server)
        wire.nonce = 1_000
        for price in (50_000, 60_000):
            wire.private("AddOrder", pair="XBTUSD", type="buy", ordertype="limit", volume="0.001", price=str(price))
        wire.private("AddOrder", pair="SOLUSD", type="sell", ordertype="stop-loss", volume="0.5", price="100")
        wire.private("AddOrder", pair="SOLUSD", type="buy", ordertype="take-profit", volume="0.1", price="90")
        _with_unknown_symbol(settings, open_venue(settings, paper=True).account().id)
        yield Cleaned(server, settings)


def _with_unknown_symbol(settings: Settings, name: str) -> None:
    folder = Path(settings.live.state_dir)
    folder.mkdir(parents=True, exist_ok=True)
    venue = open_venue(settings, paper=True)
    now = venue.venue_clock().now
    with Journal(folder / "journal.sqlite3", name, lambda: now, 5.0) as journal:
        journal.begin_run("live", "combined", "micro_cap", "hash")
        intent = OrderIntent("combined", "AUT/USD", "buy", Decimal(100), "market", "entry", now, 0)
        order = journal.plan_order(intent)
        journal.event(order, State.FILLED, time=now, fills=[Cumulative(Decimal(100), Decimal("0.1"), now)])


def test_a_dry_run_changes_nothing(account):
    before = account.book()
    assert account.run(dry_run=True)
    assert account.book() == before
    assert sum(line.startswith("would cancel") for line in account.said) == 4
    assert sum("dust left" in line and "no order below" in line for line in account.said) == 3
    assert any(line.startswith("would purge AUT/USD") for line in account.said)


def test_the_real_run_leaves_no_order_and_the_second_does_nothing(account):
    assert account.run()
    assert account.open() == 0
    assert sum(line.startswith("cancel ") for line in account.said) == 4
    assert any(line.startswith("purge AUT/USD") for line in account.said)
    assert any("WITHOUT A STOP" in line and "SOL/USD" in line for line in account.said)
    assert account.run()
    assert not any(line.startswith(("cancel", "sell", "purge")) for line in account.said)


def test_a_cancel_that_fails_is_tried_again_and_told(account):
    account.server.faults.strike(Mishap.SERVER_ERROR, path="CancelOrder", text="EService:Busy")
    account.server.faults.strike(Mishap.DROP_BEFORE, path="CancelOrder", nth=2)
    assert account.run()
    assert account.open() == 0
    assert sum(line.startswith("cancel ") for line in account.said) > 4


def test_dust_that_kraken_takes_is_sold_and_booked_with_its_fee(account):
    """Below a dollar and above the least volume and cost: 45 coins at two cents."""
    set_price(account.server, "0.02", "DOGE/USD")
    state = account.server.call(lambda exchange: exchange._state)
    state.ledger.book(state.assets["DOGE/USD"], Decimal(42), Decimal(0), account.server.now)
    cash = account.server.call(lambda exchange: exchange._state.ledger.cash)
    assert account.run(dry_run=True)
    assert any(line.startswith("would sell dust: 45 DOGE/USD") for line in account.said), account.said
    assert account.run()
    assert any(line.startswith("sold 45 DOGE/USD") for line in account.said), account.said
    gained = account.server.call(lambda exchange: exchange._state.ledger.cash) - cash
    filled = read_snapshot(Path(account.settings.live.state_dir, "journal.sqlite3")).filled
    (sale,) = (item.order for item in filled if item.order.symbol == "DOGE/USD" and item.order.side == "sell")
    assert sale.fees > 0 and abs(sale.filled_notional - sale.fees - gained) < Decimal("1e-6")
    assert account.run()
    assert not any("sell dust" in line for line in account.said)


@pytest.mark.parametrize("dry_run", [True, False])
def test_an_order_that_the_journal_has_is_not_called_another_traders(account, caplog, dry_run):
    folder = Path(account.settings.live.state_dir)
    venue = open_venue(account.settings, paper=True)
    now = venue.venue_clock().now
    with Journal(folder / "journal.sqlite3", venue.account().id, lambda: now, 5.0) as journal:
        intent = OrderIntent("combined", "BTC/USD", "buy", Decimal("0.001"), "limit", "entry", now, 0, Decimal(40_000))
        name = journal.plan_order(intent)
    wire = Wire(account.server)
    wire.nonce = time.time_ns() // 1_000
    sent = {"type": "buy", "ordertype": "limit", "volume": "0.001", "price": "40000", "cl_ord_id": uuid_of(name)}
    (txid,) = wire.private("AddOrder", pair="XBTUSD", **sent)["result"]["txid"]
    account.run(dry_run)
    assert any(txid in line for line in account.said)
    assert "another trader" not in caplog.text
