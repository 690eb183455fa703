"""A journal on a file system that is really full: entries end, and what protects can still be written."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from brokers.journal import Journal, OrderIntent
from brokers.journal.database.disk_reserve import BYTES, DiskReserve
from config.errors import Refusal

MEGABYTE = 2**20
BEGIN = datetime(2026, 3, 2, 15, tzinfo=UTC)


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """A file system of 32 MB."""
    place = tmp_path / "disk"
    place.mkdir(mode=0o700)
    mount = ["mount", "-t", "tmpfs", "-o", "size=32m,mode=700", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("a file system can be mounted here by nobody but a privileged root")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(disk: Path) -> Path:
    """A file that takes all the room there is."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while file.write(b"x" * 65_536):
                pass
        except OSError:
            pass
    return filler


def plan_orders(journal: Journal, numbers: range) -> int:
    """Orders with so much to say that each takes pages of its own; how many of them were written."""
    for written, number in enumerate(numbers):
        intent = OrderIntent("s", "AMD", "sell", 1, "stop", "stop", BEGIN, number, reason="x" * 4_000)
        try:
            journal.plan_order(intent)
        except Refusal as refusal:
            assert "the disk is full; make room, no orders until then" in str(refusal)
            return written
    return len(numbers)


def test_what_failed_on_a_full_disk_can_be_written_when_it_is_tried_again(small_disk):
    with Journal(small_disk / "journal.sqlite3", "PA1") as journal:
        assert journal.keeps_room()
        filler = fill(small_disk)
        # The write-ahead log has some room of its own.
        first = plan_orders(journal, range(1, 1000))
        assert first < 999
        assert not journal.keeps_room()
        assert plan_orders(journal, range(1000, 1050)) == 50
        assert not journal.keeps_room(), "the room that is left is not taken from what protects"
        filler.unlink()
        assert journal.keeps_room()
        assert len(journal.unresolved()) == first + 50


def test_without_the_reserve_the_second_try_fails_like_the_first(small_disk, monkeypatch):
    monkeypatch.setattr(DiskReserve, "hold", lambda self: False)
    with Journal(small_disk / "journal.sqlite3", "PA1") as journal:
        fill(small_disk)
        assert plan_orders(journal, range(1, 1000)) < 999
        assert plan_orders(journal, range(1000, 1050)) == 0


def test_the_room_of_a_killed_process_is_the_next_ones(small_disk):
    path = small_disk / "journal.sqlite3"
    Journal(path, "PA1").close()
    assert not path.with_name("journal.sqlite3-reserve").exists()
    assert DiskReserve(path).hold()
    fill(small_disk)
    with Journal(path, "PA1") as journal:
        assert plan_orders(journal, range(1, 51)) == 50
        assert not journal.keeps_room()


def test_a_disk_without_room_from_the_start_is_no_room(small_disk):
    path = small_disk / "journal.sqlite3"
    Journal(path, "PA1").close()
    (small_disk / "rest").write_bytes(b"x" * (32 * MEGABYTE - 2 * BYTES))
    with Journal(path, "PA1") as journal:
        assert not journal.keeps_room()
    assert not path.with_name("journal.sqlite3-reserve").exists()


def test_a_sparse_file_in_its_place_holds_no_room(tmp_path):
    path = tmp_path / "journal.sqlite3"
    left = path.with_name("journal.sqlite3-reserve")
    left.touch()
    os.truncate(left, BYTES)
    assert DiskReserve(path).hold()
    assert left.stat().st_blocks * 512 >= BYTES


@pytest.mark.parametrize("kind", ["a folder", "a link"])
def test_what_lies_in_its_place_is_told_once_and_is_no_full_disk(tmp_path, caplog, kind):
    path = tmp_path / "journal.sqlite3"
    place = path.with_name("journal.sqlite3-reserve")
    if kind == "a folder":
        place.mkdir()
    else:
        place.symlink_to(tmp_path / "gone" / "reserve")
    reserve = DiskReserve(path)
    assert reserve.hold() and reserve.hold()
    told = [record for record in caplog.records if "no room can be kept" in record.message]
    assert [(record.levelname, str(place) in record.message) for record in told] == [("WARNING", True)]
    assert kind == "a link" or not reserve.held


def test_a_disk_that_gave_its_last_room_to_others_is_full(tmp_path, caplog, monkeypatch):
    usage = SimpleNamespace(free=BYTES)
    monkeypatch.setattr("brokers.journal.database.disk_reserve.shutil.disk_usage", lambda folder: usage)
    reserve = DiskReserve(tmp_path / "journal.sqlite3")
    assert not reserve.hold() and caplog.text == ""
    usage.free = 4 * BYTES
    assert reserve.hold() and reserve.held
