"""One writer per journal, whatever name it is opened by."""

from __future__ import annotations

import os

import pytest

from brokers.journal.database.file_lock import FileLock
from config.errors import Refusal


def test_a_link_to_the_journal_is_the_same_journal(tmp_path):
    real, other = tmp_path / "real", tmp_path / "other"
    real.mkdir()
    other.mkdir()
    (real / "journal").write_text("x")
    (other / "journal").symlink_to(real / "journal")
    (tmp_path / "folder").symlink_to(real)
    lock = FileLock(real / "journal")
    for path in (other / "journal", tmp_path / "folder" / "journal"):
        with pytest.raises(Refusal, match=rf"process {os.getpid()} on \S+ since \S+ writes this journal"):
            FileLock(path)
    lock.release()
    second = FileLock(other / "journal")
    with pytest.raises(Refusal):
        FileLock(real / "journal")
    second.release()
    assert not (other / "journal-lock").exists()


def test_what_a_lock_leads_to_is_never_written_over(tmp_path):
    precious = tmp_path / "precious"
    precious.write_text("mine")
    (tmp_path / "journal-lock").symlink_to(precious)
    with pytest.raises(Refusal, match="is a link that leads elsewhere"):
        FileLock(tmp_path / "journal")
    assert precious.read_text() == "mine"


def test_links_that_go_round_and_pipes_are_refused(tmp_path):
    (tmp_path / "round").symlink_to(tmp_path / "round")
    with pytest.raises(Refusal, match="no orders until then"):
        FileLock(tmp_path / "round" / "journal")
    os.mkfifo(tmp_path / "journal-lock")
    with pytest.raises(Refusal, match="is no ordinary file"):
        FileLock(tmp_path / "journal")
