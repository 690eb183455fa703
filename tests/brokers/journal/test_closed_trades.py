"""Closed trades as the screens count them: a position is one, what was taken off early counts by itself."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from brokers.desk.reconcile.position_book import replay
from brokers.journal import Cumulative, Journal, OrderIntent
from brokers.order_types import Side
from monitoring import journal_trades
from monitoring.journal_reader import JournalReader
from tests.brokers.journal.conftest import ACCOUNT, BEGIN


def traded(journal: Journal, hour: float, side: Side, quantity: str, price: str, role: str, symbol: str) -> None:
    """An order that was sent at an hour and filled."""
    time = BEGIN + timedelta(hours=hour)
    name = journal.plan_order(OrderIntent("s", symbol, side, Decimal(quantity), "limit", role, time))
    journal.sent(name, f"venue {symbol} {hour}")
    journal.event(name, "filled", fills=[Cumulative(quantity, price, time)])


@pytest.fixture
def db(address, clock):
    with Journal(address, ACCOUNT, clock) as journal:
        traded(journal, 0, "buy", "1", "100", "entry", "BTC/USD")
        traded(journal, 1, "sell", "0.7", "110", "target", "BTC/USD")
        traded(journal, 2, "sell", "0.29", "90", "stop", "BTC/USD")
        # What was written off goes by no order of the venue.
        traded(journal, 3, "sell", "0.01", "90", "manual", "BTC/USD")
        traded(journal, 4, "buy", "1", "10", "entry", "ETH/USD")
        traded(journal, 5, "sell", "0.5", "12", "partial", "ETH/USD")
        traded(journal, 6, "sell", "0.5", "9", "stop", "ETH/USD")
        book = replay(journal.filled_orders(), lambda order: None)
        assert len(book.portions) == 5 and len(book.ledger.closed) == 2
        journal.trades({(p.entry_order, p.exit_order): p.trade for p in book.portions})
    with JournalReader(address).open() as statements:
        yield statements


def test_a_position_that_was_sold_in_parts_is_one_trade(db):
    (trade,) = journal_trades.trades(db, symbol="BTC/USD")
    assert trade.quantity == pytest.approx(1) and trade.profit == pytest.approx(7 - 2.9 - 0.1)
    assert trade.exit_price == pytest.approx(104) and trade.exit_reason == "target", "as most of it ended"
    assert trade.exit_time == BEGIN + timedelta(hours=3)


def test_what_was_taken_off_early_counts_by_itself(db):
    found = journal_trades.trades(db, symbol="ETH/USD")
    assert [(t.exit_reason, t.profit) for t in found] == [("stop", -0.5), ("partial", 1.0)]


def test_no_trade_is_cut_by_a_limit(db):
    assert [t.symbol for t in journal_trades.trades(db)] == ["ETH/USD", "ETH/USD", "BTC/USD"]
    assert [t.symbol for t in journal_trades.trades(db, limit=2)] == ["ETH/USD", "ETH/USD"]
    assert journal_trades.trades(db, symbol="BTC/USD", limit=1)[0].quantity == pytest.approx(1)


def test_rows_are_counted_as_the_trades_that_they_are(db):
    rows = db.rows("SELECT entry_order_id, exit_order_id, exit_reason FROM trades")
    assert len(rows) == 5 and journal_trades.count_trades(rows) == 3
