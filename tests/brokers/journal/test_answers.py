"""What is asked again before anything is written is not read again, and is never older than the last writing."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import event

from brokers.journal import Journal, JournalConflict
from brokers.journal.database.store import Store
from brokers.record import EquityRow
from config.errors import Refusal
from tests.brokers.journal.conftest import ACCOUNT, BEGIN
from tests.brokers.journal.test_journal import ENTRY, PLAN, SESSION


class Counted:
    """The statements that read a journal's tables, as they come."""

    def __init__(self, journal: Journal) -> None:
        self.statements: list[str] = []
        event.listen(journal._store._connection, "before_cursor_execute", self._take)

    def _take(self, _connection: Any, _cursor: Any, statement: str, *_others: Any) -> None:
        if statement.startswith("SELECT"):
            self.statements.append(statement)

    def during(self, act: Callable[[], Any]) -> int:
        before = len(self.statements)
        act()
        return len(self.statements) - before


@pytest.fixture
def journal(tmp_path):
    with Journal(tmp_path / "journal.sqlite3", ACCOUNT) as opened:
        yield opened


def questions(journal: Journal) -> list[Callable[[], Any]]:
    return [
        journal.open_orders,
        journal.unresolved,
        lambda: journal.halts(SESSION),
        lambda: journal.last_halt("drawdown_halt"),
        lambda: journal.session_open_equity(SESSION),
    ]


def test_the_same_is_read_once_until_something_is_written(journal):
    counted = Counted(journal)
    name = journal.plan_order(ENTRY)
    for ask in questions(journal):
        assert counted.during(ask) == 1
        assert counted.during(ask) == 0
    assert counted.during(lambda: journal.order(name)) == 1
    assert counted.during(lambda: [ask() for ask in questions(journal)]) == 0
    journal.sent(name)
    assert counted.during(lambda: [ask() for ask in questions(journal)]) == 5
    # These change nothing of what is kept.
    journal.decisions(PLAN)
    journal.equity(EquityRow(BEGIN, 100_000.0, 90_000.0, 10_000.0, 0.0, 1))
    assert counted.during(lambda: [ask() for ask in questions(journal)]) == 0
    journal.open_orders().clear()
    assert [order.client_order_id for order in journal.open_orders()] == [name]


def test_a_refused_writing_counts_as_one(journal):
    counted = Counted(journal)
    journal.open_orders()
    with pytest.raises(JournalConflict):
        journal.event("nobody", "filled")
    assert counted.during(journal.open_orders) == 1


def test_a_journal_that_was_moved_is_refused_whatever_was_read_of_it(journal, tmp_path):
    assert journal.open_orders() == []
    (tmp_path / "journal.sqlite3").rename(tmp_path / "elsewhere")
    with pytest.raises(Refusal, match="was moved"):
        journal.open_orders()
    (tmp_path / "elsewhere").rename(tmp_path / "journal.sqlite3")


def test_where_another_process_might_write_everything_is_read(journal, monkeypatch):
    # A server's session may be lost without a word, and with it what keeps others out.
    counted = Counted(journal)
    monkeypatch.setattr(journal._store, "read_since", lambda: None)
    for _ in range(2):
        assert counted.during(lambda: [ask() for ask in questions(journal)]) == 5


def test_answers_are_those_of_a_journal_that_reads_everything(journal, monkeypatch):
    chance, names, changed = Random(5), [], 0
    writings: list[Callable[[], Any]] = [
        lambda: names.append(journal.plan_order(replace(ENTRY, sequence=len(names)))),
        lambda: journal.sent(chance.choice(names)),
        lambda: journal.unknown(chance.choice(names), "no answer"),
        lambda: journal.event(chance.choice(names), "cancelled"),
        lambda: journal.halt(SESSION, "drawdown_halt", BEGIN + timedelta(minutes=chance.randint(0, 9)), "lost"),
        lambda: journal.open_session(SESSION, Decimal(100_000), BEGIN),
        lambda: journal.decisions(PLAN),
    ]
    writings[0]()
    last: list[Any] = []
    for _ in range(70):
        with suppress(ValueError):
            chance.choice(writings)()
        answers = [ask() for ask in questions(journal)]
        with monkeypatch.context() as patched:
            patched.setattr(journal._store, "read_since", lambda: None)
            # What was kept is there again afterwards.
            patched.setattr(journal, "_answers", (None, {}))
            assert [ask() for ask in questions(journal)] == answers
        changed += answers != last
        last = answers
    assert changed > 15


def test_a_journal_that_was_damaged_is_refused_whatever_was_read_of_it(journal, monkeypatch):
    class Damaged:
        def execute(self, _statement: str) -> Any:
            raise sqlite3.DatabaseError("file is not a database")

    connection = SimpleNamespace(connection=SimpleNamespace(driver_connection=Damaged()))
    for ask in questions(journal):
        ask()
    monkeypatch.setattr(journal._store, "_present", lambda: connection)
    for ask in questions(journal):
        with pytest.raises(Refusal, match="is damaged; restore it from a copy"):
            ask()


def test_a_reader_keeps_nothing(journal, tmp_path):
    store = Store(tmp_path / "journal.sqlite3", None, writer=False)
    assert store.read_since() is None
    store.close()


def test_what_another_connection_writes_is_read(journal, tmp_path):
    """Nobody should; but a lock can be removed by hand."""
    name = journal.plan_order(ENTRY)
    assert [order.state for order in journal.open_orders()] == ["journaled"]
    other = sqlite3.connect(tmp_path / "journal.sqlite3", isolation_level=None)
    other.execute("UPDATE orders SET state = 'cancelled' WHERE client_order_id = ?", (name,))
    other.close()
    assert journal.open_orders() == []
