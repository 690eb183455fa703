"""A database session that hangs: given up after the limit, told of by a thread that waits for nothing."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import text

from brokers.desk.execution import unprotected_alarm
from brokers.desk.execution.unprotected_alarm import UnprotectedAlarm, WatchedLock
from brokers.desk.lifecycle.shutdown import shut_down
from brokers.journal import Journal, OrderIntent
from config.errors import Refusal
from tests.brokers.desk.scene import ACCOUNT, TUESDAY, Scene
from tests.brokers.journal.conftest import postgres  # noqa: F401  # a fixture
from tests.brokers.journal.postgres_server import PostgresServer

INTENT = OrderIntent("s", "AMD", "buy", 1, "market", "entry", TUESDAY)


@pytest.fixture
def url(postgres: PostgresServer) -> str:  # noqa: F811  # as above
    return postgres.fresh()


@contextmanager
def stopped(journal: Journal) -> Iterator[None]:
    """The process at the server that serves the journal stands still."""
    with journal._store.transaction() as connection:
        pid = connection.scalar(text("SELECT pg_backend_pid()"))
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_session_that_hangs_is_given_up_and_got_back(url, monkeypatch):
    monkeypatch.setattr("brokers.journal.database.store.REOPEN_PAUSE_S", 0.0)
    monkeypatch.setattr("brokers.journal.database.server._LOCK_WITHIN_S", 0.3)
    with Journal(url, ACCOUNT, answer_within_s=0.5) as journal:
        name = journal.plan_order(INTENT)
        with stopped(journal):
            began = time.monotonic()
            with pytest.raises(Refusal, match=r"the database refused \(no answer within 0\.5 s\)"):
                journal.sent(name, "v-1")
            with pytest.raises(Refusal, match="holds the journal still"):
                journal.sent(name, "v-1")
            assert time.monotonic() - began < 5
        deadline = time.monotonic() + 10
        while True:
            try:
                journal.sent(name, "v-1")
                break
            except Refusal:
                assert time.monotonic() < deadline
                time.sleep(0.1)
        assert journal.order(name).venue_id == "v-1"


def test_a_session_that_rests_longer_than_the_limit_is_not_ended(url):
    with Journal(url, ACCOUNT, answer_within_s=0.5) as journal:
        connection = journal._store._connection
        for _ in range(2):
            journal.plan_order(OrderIntent("s", "AMD", "buy", 1, "market", "entry", TUESDAY, _))
            time.sleep(0.8)
        assert len(journal.unresolved()) == 2
        assert journal._store._connection is connection


@pytest.fixture
def bare(tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """Shares whose stop a hand has just cancelled, seen and not covered yet."""
    scene = Scene(tmp_path, journal=url, overrides=["live.journal_answer_s=1.5"])
    scene.enter()
    scene.settle(3)
    for order in scene.open():
        scene.exchange.cancel(order["id"])
        break
    scene.pass_time(1)
    with scene.desk.lock:
        scene.desk.look()
        assert scene.positions.protection("AAPL").protected == 0
        scene.desk.protector.log.see("AAPL", scene.positions.book.quantity("AAPL"), Decimal(0))
    assert scene.desk.protector.log.present
    monkeypatch.setattr(unprotected_alarm, "HELD_S", 0.4)
    yield scene
    scene.stop()


def iterate(scene: Scene) -> None:
    with scene.desk.iteration():
        scene.desk.reconcile()


def test_bare_shares_are_told_of_while_the_desk_waits_for_the_journal(bare, caplog):
    alarm = UnprotectedAlarm(bare.desk.lock, lambda: bare.desk.protector.log.present)
    alarm.start()
    with stopped(bare.journal), caplog.at_level(logging.ERROR):
        step = threading.Thread(target=iterate, args=[bare])
        step.start()
        deadline = time.monotonic() + 1.4
        while not caplog.records and time.monotonic() < deadline:
            time.sleep(0.05)
        told = [record.getMessage() for record in caplog.records]
        assert step.is_alive()
        step.join(20)
    alarm.stop()
    assert len(told) == 1
    assert "nothing is looked after: the journal or the venue does not answer; AAPL has" in told[0]
    assert set(bare.desk.halts.passing) == {"the journal"}


def test_leaving_says_that_nothing_could_be_sent(bare, caplog):
    with stopped(bare.journal):
        began = time.monotonic()
        shut_down(bare.desk, 2.0)
        assert time.monotonic() - began < 10
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert any("leaving: no order was possible" in line and "AAPL had" in line for line in told), told


def test_leaving_says_so_too_where_the_desk_is_held(bare, caplog):
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with bare.desk.lock:
            held.set()
            done.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(5)
    shut_down(bare.desk, 0.3)
    done.set()
    holder.join()
    assert "leaving: no look was possible (one step has taken" in caplog.text
    assert "AAPL had" in caplog.text


def test_a_lock_tells_how_long_it_is_held_and_may_be_taken_twice():
    lock = WatchedLock()
    assert lock.held_s == 0
    with lock:
        with lock:
            time.sleep(0.02)
        assert lock.held_s >= 0.02
    assert lock.held_s == 0
