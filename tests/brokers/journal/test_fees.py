"""Fees in the journal: booked with an order's total, in cash and trades, checked at the start, new in version 3."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from decimal import Decimal

import pytest

from brokers.desk.reconcile.position_book import replay
from brokers.journal import Cumulative, Execution, Journal, OrderIntent
from brokers.journal.snapshot import read_snapshot
from brokers.operator.track_record import read, verify
from config.errors import Refusal
from monitoring import journal_queries, journal_trades
from monitoring.journal_reader import JournalReader
from tests.brokers.journal.conftest import ACCOUNT, BEGIN
from tests.brokers.journal.databases import KEPT, execute, put
from tests.brokers.journal.told import fees_of

OPEN_ETH = Decimal("0.06636743")


def _trade(journal: Journal) -> None:
    """One coin bought in two parts and sold, with fees that become known with the totals."""
    bought = journal.plan_order(OrderIntent("s", "BTC/USD", "buy", 1, "limit", "entry", BEGIN))
    journal.sent(bought, "venue-1")
    for quantity, price, fees in (("0.4", 100, "0.16"), ("1", 101, "0.404"), ("1", 101, "0.404")):
        journal.event(bought, "partially_filled", fills=[Cumulative(quantity, price, BEGIN, fees)])
    sold = journal.plan_order(OrderIntent("s", "BTC/USD", "sell", 1, "stop", "stop", BEGIN + timedelta(hours=1)))
    journal.sent(sold, "venue-2")
    # Told without its fee at first.
    journal.event(sold, "filled", fills=[Cumulative(1, 111, BEGIN + timedelta(hours=2))])
    journal.event(sold, "filled", fills=[Cumulative(1, 111, BEGIN + timedelta(hours=2), "0.888")])


def test_cash_and_the_trade_are_after_fees(address, clock):
    with Journal(address, ACCOUNT, clock) as journal:
        _trade(journal)
        assert fees_of(journal) == Decimal("1.292")
        assert journal.cash_by_fills() == Decimal(10) - Decimal("1.292")
        book = replay(journal.filled_orders(), lambda order: None)
        (trade,) = book.ledger.record.trades
        assert trade.pnl == pytest.approx(10 - 1.292)
        (closed,) = book.ledger.closed
        assert closed.pnl == pytest.approx(10 - 1.292), "what halts and budgets judge by"
        assert book.ledger.record.fees == pytest.approx(1.292)
        journal.trades({(p.entry_order, p.exit_order): p.trade for p in book.portions})
    with Journal(address, ACCOUNT, clock) as journal:
        assert fees_of(journal) == Decimal("1.292")
    assert len(verify(address).trades) == 1
    with JournalReader(address).open() as db:
        assert [order.fees for order in journal_queries.orders(db)] == [0.888, 0.404]
        assert [t.profit for t in journal_trades.trades(db)] == [8.708]


def test_what_a_venue_tells_no_fees_of_has_the_rows_of_before(address, clock):
    """The lines of the chain are those of version 2, so that a head that was written down stays the head."""
    with Journal(address, ACCOUNT, clock) as journal:
        name = journal.plan_order(OrderIntent("s", "AMD", "buy", 1, "limit", "entry", BEGIN))
        journal.event(name, "filled", fills=[Execution(1, 100, BEGIN, "a", 1), Cumulative(1, 100, BEGIN)])
        assert fees_of(journal) == 0
    rows = [line for line in read(address)[1] if '"table":"fills"' in line]
    assert len(rows) == 2
    assert not any("fees" in line for line in rows)


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("fills", "fees = '0.1' WHERE fees = '0.888'"),
        ("fills", "fees = '-1' WHERE fees = '0.888'"),
        ("orders", "fees = '0.1' WHERE side = 'sell'"),
        ("orders", "fees = 'x' WHERE side = 'sell'"),
    ],
)
def test_a_changed_fee_is_damage(tmp_path, clock, table, change):
    path = tmp_path / "journal.sqlite"
    with Journal(path, ACCOUNT, clock) as journal:
        _trade(journal)
    execute(str(path), f"UPDATE {table} SET {change}")
    with pytest.raises(Refusal, match=f"table {table}"):
        Journal(path, ACCOUNT, clock)


@pytest.fixture(params=["sqlite", "postgresql"])
def version_2(request: pytest.FixtureRequest, tmp_path) -> str:
    """A journal of version 2: three trades of coins, the last of them open behind its stop."""
    if request.param == "sqlite":
        return str(put(tmp_path / "state" / "journal.sqlite", 2))
    address = request.getfixturevalue("postgres").fresh()
    execute(address, (KEPT / "version_2.postgresql.sql").read_text())
    return address


def test_a_journal_of_version_2_is_read_as_it_is(version_2):
    before = read_snapshot(version_2)
    assert len(before.filled) == 5
    assert {order.fees for order in before.orders} == {Decimal(0)}
    with JournalReader(version_2).open() as db:
        assert db.version == 2
        assert {order.fees for order in journal_queries.orders(db)} == {0.0}


def test_a_journal_of_version_2_is_brought_to_3_and_its_chain_goes_on(version_2):
    before = read_snapshot(version_2)
    head = _head(version_2)
    for _ in range(2):
        with Journal(version_2, "test") as journal:
            assert journal.positions_by_fills() == {"ETH/USD": OPEN_ETH}
            assert fees_of(journal) == 0
        assert _head(version_2) == head, "no row was hashed anew"
        assert read_snapshot(version_2) == before
    assert verify(version_2).head == head


def test_an_upgrade_from_version_2_that_fails_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    path = put(tmp_path / "journal.sqlite", 2)
    rows = list(sqlite3.connect(path).iterdump())
    monkeypatch.setattr("brokers.journal.database.store._sign_tables", _fails)
    with pytest.raises(Refusal, match="No space left"):
        Journal(path, "test")
    monkeypatch.undo()
    assert list(sqlite3.connect(path).iterdump()) == rows
    assert list(sqlite3.connect(tmp_path / "journal.sqlite.version-2").iterdump()) == rows
    Journal(path, "test").close()


def _fails(connection) -> None:
    raise OSError(28, "No space left on device")


def _head(address: str) -> str:
    if "://" in address:
        import psycopg2

        connection = psycopg2.connect(address)
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT value FROM meta WHERE key = 'chain'")
            return str(cursor.fetchone()[0])
    return str(sqlite3.connect(address).execute("SELECT value FROM meta WHERE key = 'chain'").fetchone()[0])


def test_a_column_that_is_gone_is_damage(version_2):
    Journal(version_2, "test").close()
    execute(version_2, "ALTER TABLE orders DROP COLUMN fees")
    with pytest.raises(Refusal, match="is damaged"):
        Journal(version_2, "test")
