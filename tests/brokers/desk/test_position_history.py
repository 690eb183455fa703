"""The position book that follows fill by fill is the book that a replay of everything gives."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from brokers.desk.reconcile import position_history
from brokers.desk.reconcile.position_history import PositionHistory
from brokers.journal import OrderIntent, State
from brokers.journal.fills import Cumulative
from tests.brokers.desk.scene import Scene
from tests.brokers.desk.written_days import DAY, Written, a_day, an_order


@pytest.mark.parametrize("seed", range(6))
def test_what_follows_fill_by_fill_is_what_a_replay_gives(seed, monkeypatch):
    if seed % 2:
        # A short memory meets its end more often.
        monkeypatch.setattr(position_history, "STEP", 4)
        monkeypatch.setattr(position_history, "KEPT", 3)
    chance, journal, seen = Random(seed), Written(), Counter()
    history = PositionHistory(journal, ("MSFT",))
    history.update(DAY)
    minute, incremental, fell_back = 0.0, 0, 0
    for number in range(110):
        minute += chance.choice([0, 0.5, 1, 5, 400])
        for more in range(chance.choice([1, 1, 1, 2, 3])):
            a_day(chance, journal, 10 * number + more, minute, seen)
        before = history.replays
        book = history.update(DAY)
        # By their text: not-a-number differs from itself.
        assert repr(book) == repr(journal.replayed())
        incremental += history.replays == before
        fell_back += history.replays > before
    assert incremental > 40
    assert fell_back > (2 if seed % 2 else 0)
    assert min(seen[kind] for kind in ("new", "more", "late", "split", "difference", "back", "moved")) > 0, seen


def test_a_book_that_was_handed_out_stays_as_it_was():
    chance, journal = Random(1), Written()
    history = PositionHistory(journal)
    for number in range(100):
        journal.put(an_order(chance, number, number))
        book = history.update(DAY)
        if number == 60:
            kept, text = book, repr(book)
    assert repr(kept) == text
    assert history.update(DAY) is book


def test_a_fill_books_a_few_events_whatever_the_account_age(monkeypatch):
    chance, journal = Random(2), Written()
    for number in range(3000):
        journal.put(an_order(chance, number, number))
    history = PositionHistory(journal)
    history.update(DAY)
    monkeypatch.setattr(journal, "filled_orders", lambda: pytest.fail("all of history was loaded"))
    most = 0
    for number in range(3000, 3300):
        journal.put(an_order(chance, number, number))
        before = history.booked
        history.update(DAY)
        most = max(most, history.booked - before)
    assert most <= 2 * position_history.STEP


def test_a_gate_check_and_a_fill_load_no_history(tmp_path, monkeypatch):
    scene = Scene(tmp_path)
    scene.enter()
    scene.settle(3)
    monkeypatch.setattr(scene.journal, "filled_orders", lambda: pytest.fail("all of history was loaded"))
    scene.enter("MSFT", 20)
    scene.step(1, AAPL=94)
    scene.settle(3)
    assert scene.held("MSFT") == scene.positions.book.quantity("MSFT") > 0 == scene.positions.book.quantity("AAPL")
    assert [trade.symbol for trade in scene.desk.record.trades] == ["AAPL"]
    assert scene.positions.opened_today() == pytest.approx(49 * 100 + 19 * 100, rel=0.01)
    monkeypatch.undo()
    assert scene.agrees()
    scene.stop()


def test_the_gate_counts_a_fill_that_nobody_has_looked_at_yet(tmp_path):
    scene = Scene(tmp_path)
    now, journal = scene.exchange.now, scene.journal
    assert scene.positions.opened_today() == 0
    name = journal.plan_order(OrderIntent("combined", "AAPL", "buy", 10, "market", "entry", now))
    journal.event(name, State.FILLED, fills=[Cumulative(10, 100, now)])
    assert scene.positions.opened_today() == 1000
    assert scene.positions.book.quantity("AAPL") == 0
    scene.stop()
