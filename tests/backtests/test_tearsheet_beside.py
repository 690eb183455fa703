"""The tearsheet is drawn in a copy of the process where that is safe, and leaves no process behind."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from backtests.reports.tearsheet import beside
from backtests.reports.tearsheet.beside import drawing


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a command: a test runner may have a thread of its own."""
    monkeypatch.setattr(threading, "active_count", lambda: 1)


def drawn_by(monkeypatch: pytest.MonkeyPatch, draw: object) -> None:
    monkeypatch.setattr(beside, "write_tearsheet", draw)


def test_in_a_copy_where_no_other_thread_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn_by(monkeypatch, lambda path, given: path.write_text(f"{given} {os.getpid()}"))
    for threads, apart in ((1, True), (2, False)):
        monkeypatch.setattr(threading, "active_count", lambda threads=threads: threads)
        with drawing(tmp_path / "page.html", "what is given") as page:
            assert page.finish() == ""
        text, process = (tmp_path / "page.html").read_text().rsplit(" ", 1)
        assert text == "what is given" and (process != str(os.getpid())) is apart
    assert not multiprocessing.active_children()


def test_a_copy_that_dies_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn_by(monkeypatch, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
    with drawing(tmp_path / "page.html", None) as page:
        assert page.finish() == "page.html was not written: its process ended with -9"


def test_it_ends_with_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn_by(monkeypatch, lambda *_: time.sleep(60))
    monkeypatch.setattr(beside, "LONGEST_S", 0.01)
    with pytest.raises(KeyboardInterrupt), drawing(tmp_path / "page.html", None) as page:
        assert page.finish() == "page.html was not written: it was not drawn within 0.01 s"
        assert multiprocessing.active_children()
        raise KeyboardInterrupt
    assert not multiprocessing.active_children()
