"""A journal on a server whose session is lost in the middle of a day: protection goes on, or the process ends."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from brokers.journal import Journal
from tests.brokers.desk.scene import ACCOUNT, Scene
from tests.brokers.journal.conftest import postgres  # noqa: F401  # a fixture
from tests.brokers.journal.databases import end_sessions
from tests.brokers.journal.postgres_server import PostgresServer
from tests.live_venue import command, venue, wait_until


@pytest.fixture
def url(postgres: PostgresServer) -> str:  # noqa: F811  # as above
    return postgres.fresh()


@pytest.fixture
def scene(tmp_path: Path, url: str) -> Iterator[Scene]:
    scene = Scene(tmp_path, journal=url)
    scene.enter()
    scene.settle(3)
    assert scene.held() == scene.stopped() == 49
    yield scene
    scene.stop()


def test_protection_goes_on_after_a_session_was_lost(scene, url):
    end_sessions(url)
    scene.deaf = True
    scene.exchange.cancel(scene.open()[0]["id"])
    scene.step(1)
    assert set(scene.desk.halts.passing) == {"the journal"}
    scene.settle(3)
    assert scene.held() == scene.stopped() == 49
    assert scene.desk.halts.reasons(scene.exchange.now) == []
    assert scene.agrees()


def test_a_fill_that_was_written_without_an_answer_counts(scene, url, monkeypatch):
    dialect = scene.journal._store._connection.engine.dialect
    commit = dialect.do_commit
    filling = [False]

    def lose(connection):
        commit(connection)
        if filling[0]:
            dialect.do_commit = commit
            monkeypatch.setattr("brokers.journal.database.server.Server.connect_again", away)
            end_sessions(url)
            connection.cursor().execute("SELECT 1")

    def away(server):
        raise OperationalError("connect", {}, Exception("connection refused"))

    event = scene.journal.event

    def booked(*args, **more):
        filling[0] = bool(more.get("fills"))
        return event(*args, **more)

    monkeypatch.setattr(scene.journal, "event", booked)
    dialect.do_commit = lose
    scene.deaf = True
    scene.step(1, AAPL=94)
    assert set(scene.desk.halts.passing) == {"the journal"}
    monkeypatch.undo()
    monkeypatch.setattr("brokers.journal.database.store.REOPEN_PAUSE_S", 0.0)
    scene.settle(2)
    assert scene.held() == scene.positions.book.quantity("AAPL") == 0
    assert scene.agrees()


def test_a_journal_that_is_taken_stops_entries_for_good(scene, url):
    end_sessions(url)
    with Journal(url, ACCOUNT):
        scene.settle(2)
        assert "another process has taken the journal" in scene.desk.halts.taken
    scene.wire.calls.clear()
    scene.settle(2)
    assert not [name for name, _ in scene.wire.calls if name == "submit"]
    assert "the journal" in scene.desk.halts.passing


@pytest.mark.slow
def test_a_trader_whose_journal_is_taken_ends_with_a_sentence(tmp_path, url, monkeypatch):
    monkeypatch.setitem(os.environ, "DATABASE_URL", url)
    with venue() as server:
        process = command(server, tmp_path)
        wait_until(lambda: sum(e.path == "/v2/account" for e in server.log) > 2)
        account = server.call(lambda exchange: exchange.account())["account_number"]
        end_sessions(url)
        with Journal(url, account):
            try:
                told, _ = process.communicate(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
    assert process.returncode == 1, told
    assert "another process has taken the journal; this one ends" in told
    assert "Traceback" not in told
