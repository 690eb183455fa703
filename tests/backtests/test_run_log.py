"""The log of a run: nothing of the start is lost, the last run's end is told, and so is what reached nobody."""

from __future__ import annotations

import io
import json
import logging
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from rich.console import Console

from backtests.live.run_log import RunLog
from brokers.journal import Journal
from brokers.journal.marks import RUNNING, UNDELIVERED
from brokers.notifications.notice import Notice, read, written
from config import load

NOW = datetime(2024, 3, 5, 15, 30, tzinfo=UTC)
log = logging.getLogger("brokers.test_run_log")


@pytest.fixture
def run(tmp_path):
    @contextmanager
    def begin(*, ends=True, lasting=True, skew=timedelta(0), **environment):
        settings = load(environment=environment, arguments=[("--state-dir", "live.state_dir", str(tmp_path / "state"))])
        screen = io.StringIO()
        told = RunLog(Console(file=screen), settings.secrets, quiet=False, verbose=False)
        log.warning("before there is a folder")
        with Journal(tmp_path / "state/journal.sqlite3", "account", lambda: NOW) as journal:
            venue = SimpleNamespace(clock=SimpleNamespace(now=lambda: NOW))
            session = SimpleNamespace(
                account_id="PA-TEST",
                profile="active",
                mode="paper",
                journal=journal,
                venue=venue,
                before_close=[],
                clock_skew=skew,
            )
            told.open(session, settings, lasting=lasting)
            yield SimpleNamespace(screen=screen, journal=journal)
            while ends and session.before_close:
                session.before_close.pop()()

    begin.file = tmp_path / "state/log/trader.jsonl"
    return begin


def rows(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_what_was_told_before_the_folder_was_there_is_in_the_file_once(run):
    with run() as first:
        log.warning("afterwards")
    assert [row["message"] for row in rows(run.file)] == ["before there is a folder", "afterwards"]
    assert first.screen.getvalue().count("before there is a folder") == 1


def test_an_exchange_that_plays_another_day_is_told_with_its_own_time(run):
    with run(skew=timedelta(days=900)) as played:
        pass
    (line,) = [line for line in played.screen.getvalue().splitlines() if "plays another day" in line]
    assert "10:30:00" in line and "2024-03-05 10:30 New York" in line
    (row,) = [row for row in rows(run.file) if "plays another day" in row["message"]]
    assert row["venue_time"].startswith("2024-03-05")


def test_a_run_that_was_killed_is_told_by_the_next_and_one_that_ended_is_not(run):
    with run(ends=False) as killed:
        assert killed.journal.mark(RUNNING) == "2024-03-05T10:30:00-05:00"
    with run() as after:
        said = "the run that began 2024-03-05T10:30:00-05:00 did not end by itself, as far as the journal knows: "
        assert said in after.screen.getvalue()
    with run() as last:
        assert "did not end by itself" not in last.screen.getvalue()
    assert [row["event"] for row in rows(run.file) if "event" in row] == ["crash"]


def test_a_single_iteration_leaves_no_mark(run):
    with run(lasting=False) as once:
        assert once.journal.mark(RUNNING) is None


def test_what_reached_nobody_is_told_and_sent_by_the_next_start(run):
    nobody = "json://127.0.0.1:9/"
    with run(NOTIFY_URLS=nobody) as first:
        log.error("a position without a stop")
    with run(ends=False) as without_addresses:
        kept = read(without_addresses.journal.mark(UNDELIVERED))
        assert [notice.text for notice in kept] == ["a position without a stop"]
        assert "1 notification of an earlier run reached nobody" in without_addresses.screen.getvalue()
    assert "reach" in first.screen.getvalue()


def test_the_journal_is_sound_with_marks_in_it(run, tmp_path):
    with run(ends=False) as killed:
        notice = Notice("text", critical=True, time=NOW, key="")
        killed.journal.keep_mark(UNDELIVERED, written([notice]))
        killed.journal.keep_mark(UNDELIVERED, written([notice, notice]))
        with pytest.raises(ValueError, match="no mark"):
            killed.journal.keep_mark("schema_version", "9")
    with Journal(tmp_path / "state/journal.sqlite3", "account", lambda: NOW) as again:
        assert len(read(again.mark(UNDELIVERED))) == 2
