"""The commands around a running trader, called as a user calls them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from commands.app import main

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def no_keys(monkeypatch, tmp_path):
    for name in ("ALPACA_API_KEY", "ALPACA_API_SECRET", "NOTIFY_URLS", "DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def receiver():
    heard: list[dict] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            heard.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            """Nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_port, heard
    server.shutdown()
    server.server_close()


def test_the_doctor_names_each_check_and_fails_without_keys(capsys):
    assert main(["doctor", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert {"check", "ok", "detail", "way_out"} == set(found[0])
    assert [row["check"] for row in found if not row["ok"]] == ["keys"]
    assert main(["doctor"]) == 1
    assert "FAIL keys: ALPACA_API_KEY and ALPACA_API_SECRET not set → set them" in capsys.readouterr().out


def test_notify_sends_a_test_and_shows_no_address(capsys, monkeypatch, receiver):
    port, heard = receiver
    monkeypatch.setenv("NOTIFY_URLS", f"json://me:planted-password@127.0.0.1:{port}/ json://127.0.0.1:9/")
    assert main(["notify", "--test"]) == 1
    out = capsys.readouterr()
    assert out.out.splitlines() == [
        "address 1 (JSON): delivered",
        "address 2 (JSON): NOT delivered (the connection was refused)",
    ]
    assert "planted" not in out.out + out.err
    assert [message["title"] for message in heard] == ["risk-first: test"]
    assert main(["notify"]) == 0
    assert len(heard) == 1, "without --test nothing is sent"
    assert main(["notify", "--message", "it has stopped"]) == 1
    assert (heard[1]["title"], heard[1]["message"]) == ("risk-first: CRITICAL", "it has stopped")


@pytest.mark.parametrize("urls", ["", "nonsense", "unknown-service://x"])
def test_addresses_that_are_none_are_refused(capsys, monkeypatch, urls):
    monkeypatch.setenv("NOTIFY_URLS", urls)
    assert main(["notify", "--test"]) == 2
    assert "NOTIFY_URLS" in capsys.readouterr().err


def test_monitor_looks_at_a_process(capsys):
    assert main(["monitor", "--pid", str(os.getpid()), "--json"]) in (0, 1)
    found = json.loads(capsys.readouterr().out)
    assert found["pid"] == os.getpid()
    assert found["samples"][0]["threads"] >= 1
    assert main(["monitor"]) == 2
    assert "start the trader, or name a process with --pid" in capsys.readouterr().err


def test_the_shell_script_calls_the_command():
    done = subprocess.run(
        ["bash", str(ROOT / "utils/monitor_sockets.sh"), "--pid", str(os.getpid())],
        env=os.environ | {"PYTHON": sys.executable}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert f"process {os.getpid()}" in done.stdout, done.stderr


def test_the_shell_script_takes_the_environment_of_its_checkout(tmp_path):
    """It ended with a traceback where the environment was not active in the shell."""
    (tmp_path / "utils").mkdir()
    script = shutil.copy(ROOT / "utils/monitor_sockets.sh", tmp_path / "utils")
    own = tmp_path / ".venv" / "bin" / "python"
    own.parent.mkdir(parents=True)
    own.write_text('#!/bin/sh\necho own "$@"\n')
    own.chmod(0o700)
    others = {name: value for name, value in os.environ.items() if name != "PYTHON"}
    done = subprocess.run(["bash", script, "--pid", "7"], env=others, capture_output=True, text=True, check=False)
    assert done.stdout == "own scripts/monitor_sockets.py --pid 7\n", done.stderr
