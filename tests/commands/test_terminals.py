"""Terminals as they are: narrow, dumb, without colours, in another encoding, gone, or on a full disk."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RUN = [
    "-m",
    "commands",
    "backtest",
    "--no-report",
    "--profile",
    "swing",
    "--start",
    "2020-02-03",
    "--end",
    "2020-03-31",
]
EXPLAIN = ["-m", "commands", "explain", "NVDA", "--last", "2", "--run"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("terminal") / "run"
    ran = plain([*RUN, "--out", str(path)])
    assert ran.returncode == 0, ran.stderr
    return path


def plain(argv: list[str], **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Into a pipe."""
    return subprocess.run(
        [sys.executable, *argv], cwd=ROOT, env={**os.environ, **environment}, capture_output=True, timeout=120,
        check=False,
    )  # fmt: skip


def shown(argv: list[str], columns: int, **environment: str) -> tuple[int, str]:
    """On a terminal of so many columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    unset = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR")}
    process = subprocess.Popen(
        [sys.executable, *argv], cwd=ROOT, env={"TERM": "xterm", **unset, **environment}, stdin=theirs, stdout=theirs,
        stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    parts = []
    while True:
        try:
            part = os.read(ours, 65_536)
        except OSError:
            break
        if not part:
            break
        parts.append(part)
    os.close(ours)
    return process.wait(60), b"".join(parts).decode("utf-8", "replace")


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_nothing_is_wider_than_the_terminal(folder, columns):
    for argv in ([*EXPLAIN, str(folder)], ["-m", "commands", "kill", "--help"]):
        status, text = shown(argv, columns)
        assert status == 0
        lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r", "").splitlines()
        assert max(map(len, lines)) <= columns


@pytest.mark.slow
def test_no_colours_where_none_are_wanted(folder):
    _, colours = shown([*EXPLAIN, str(folder)], 80)
    _, none = shown([*EXPLAIN, str(folder)], 80, NO_COLOR="1")
    _, dumb = shown([*EXPLAIN, str(folder)], 80, TERM="dumb")
    assert "\x1b[" in colours
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", none)
    assert "\x1b" not in dumb


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_another_encoding_loses_a_sign_and_nothing_else(folder, tmp_path, encoding):
    for argv in ([*RUN, "--quiet", "--out", str(tmp_path / encoding)], [*EXPLAIN, str(folder)]):
        ran = plain(argv, PYTHONIOENCODING=encoding, PYTHONUTF8="0", LC_ALL="C")
        assert (ran.returncode, ran.stderr) == (0, b"")
        ran.stdout.decode(encoding)
        assert b"NVDA" in ran.stdout


def test_a_reader_that_goes_away_is_no_error(folder):
    command = [sys.executable, *EXPLAIN, str(folder), "--json"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(60) == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_told_in_one_line():
    with Path("/dev/full").open("wb") as full:
        ran = subprocess.run(
            [sys.executable, "-m", "commands", "show-config"], cwd=ROOT, stdout=full, stderr=subprocess.PIPE,
            timeout=60, check=False,
        )  # fmt: skip
    assert ran.returncode == 1
    assert ran.stderr.startswith(b"No space left on device") and ran.stderr.count(b"\n") == 1
