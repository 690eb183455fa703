"""Sockets, threads and files of a process, and a leak that is found."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time

import pytest

from brokers.health.process import judged, sample, trader_of
from config.errors import Refusal
from config.operating import operating

LEVELS = operating({}).monitor
LEAK = """
import socket, sys, time
sys.stdin.readline()
kept = []
while True:
    kept.append(socket.socket())
    time.sleep(0.01)
"""


@pytest.fixture
def leaking():
    process = subprocess.Popen([sys.executable, "-c", LEAK], stdin=subprocess.PIPE, text=True)
    yield process
    process.kill()
    process.wait()
    process.stdin.close()


def test_a_planted_leak_is_found_and_its_absence_too(leaking):
    quiet = [sample(leaking.pid, number) for number in range(6)]
    assert judged(quiet, LEVELS) == []
    leaking.stdin.write("\n")
    leaking.stdin.flush()
    samples = [sample(leaking.pid, 0.0)]
    for number in range(1, 8):
        time.sleep(0.15)
        samples.append(sample(leaking.pid, number))
    found = judged(samples, LEVELS)
    assert any(warning.startswith("files leak: ") for warning in found), found
    assert samples[-1].files - samples[0].files >= LEVELS.grown_by


def test_a_connection_is_counted_with_its_state():
    before = sample(os.getpid(), 0.0)
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        now = sample(os.getpid(), 1.0)
    assert now.sockets >= before.sockets + 2
    assert now.states.get("LISTEN", 0) >= 1
    assert now.threads >= 1
    assert now.limit is None or now.limit > now.files


def test_a_peak_that_ends_is_no_leak_and_a_level_is_one_look():
    first = sample(os.getpid(), 0.0)
    high = type(first)(1.0, first.sockets + 50, first.threads, first.files + 50, None, 1.0, {})
    assert judged([first, high, high, first, high, first], LEVELS) == []
    many = type(first)(0.0, LEVELS.sockets + 1, LEVELS.threads + 1, 600, 1_000, 1.0, {})
    assert [warning.partition(",")[0] for warning in judged([many], LEVELS)] == [
        "101 sockets", "121 threads", "600 of 1000 files may be open",
    ]  # fmt: skip


def test_who_writes_a_journal_is_known_by_its_lock(tmp_path):
    with pytest.raises(Refusal, match="start the trader"):
        trader_of(tmp_path, "lock")
    (tmp_path / "lock").write_text(f"{os.getpid()} here 2024-01-02\n")
    assert trader_of(tmp_path, "lock") == os.getpid()
    (tmp_path / "lock").write_text("999999999 here 2024-01-02\n")
    with pytest.raises(Refusal, match="has ended"):
        trader_of(tmp_path, "lock")
