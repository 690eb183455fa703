"""A backtest that is told to end: it ends at a bar, says so everywhere, and never looks complete."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pandas as pd
import pytest

import live_trader
from backtests import cli_run
from backtests.interruption import Interruption
from backtests.run_folder import read_files, read_run
from monitoring.explain import RunSource

WINDOW = ("--profile", "swing", "--start", "2020-01-02", "--end", "2020-12-31")
BARS = 40


class Struck(Interruption):
    """Sends a real signal to this process at a bar."""

    number = signal.SIGINT
    checked = 0

    def check(self) -> None:
        type(self).checked += 1
        if self.checked == BARS:
            os.kill(os.getpid(), self.number)
        super().check()


@pytest.fixture
def not_ignored():
    """SIGINT as in the foreground, wherever the tests run."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("not_ignored")
@pytest.mark.parametrize(
    ("number", "engine"),
    [
        (signal.SIGINT, "lumibot"),
        pytest.param(signal.SIGTERM, "lumibot", marks=pytest.mark.slow),
        pytest.param(signal.SIGHUP, "lumibot", marks=pytest.mark.slow),
        (signal.SIGTERM, "replay"),
    ],
)
def test_an_interrupted_run_is_marked_in_every_file_and_ends_with_1(tmp_path, monkeypatch, capsys, number, engine):
    monkeypatch.setattr(cli_run, "Interruption", Struck)
    monkeypatch.setattr(Struck, "number", number)
    monkeypatch.setattr(Struck, "checked", 0)
    out = tmp_path / "run"
    before = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    assert live_trader.main(["--backtest", "--quiet", *WINDOW, "--engine", engine, "--out", str(out)]) == 1
    assert before == [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    # Lumibot runs the strategy in a thread of its own, which goes on until the main thread has heard the signal.
    assert BARS <= Struck.checked < BARS + 100
    said = capsys.readouterr().out
    assert f"by {number.name}: not the whole run" in said and "Interrupted by" in said
    summary = json.loads((out / "summary.json").read_text())
    assert summary["interrupted"] == number.name
    assert summary["notes"][0].startswith(f"Interrupted by {number.name} at 2020-0")
    assert summary["end"] < "2020-12-31"
    for name in ("orders.csv", "trades.csv", "equity.csv", "decisions.jsonl"):
        assert "interrupted" in (out / name).read_text().splitlines()[-1]
    assert not (out / "tearsheet.html").exists()
    # Our own readers know the mark.
    assert len(read_run(out).iterations) == len(pd.read_csv(out / "equity.csv", comment="#")) > 0
    symbol = next(iter(summary["symbols"]))
    assert RunSource(out).count(symbol, None)[0] == sum(d["symbol"] == symbol for d in read_files(out).decisions)
    monkeypatch.undo()
    again = ["--backtest", "--quiet", "--no-report", *WINDOW, "--engine", engine, "--out", str(out), "--overwrite"]
    assert live_trader.main(again) == 0
    assert "interrupted" not in (out / "orders.csv").read_text()
    assert "interrupted" not in json.loads((out / "summary.json").read_text())


def test_what_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        heard = Interruption()
        with heard.listening():
            os.kill(os.getpid(), signal.SIGHUP)
            assert not heard.asked
            os.kill(os.getpid(), signal.SIGTERM)
            assert heard.asked and heard.name == "SIGTERM"
            os.kill(os.getpid(), signal.SIGINT)
            assert heard.name == "SIGTERM"
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_what_is_ignored_is_ignored_while_lumibot_runs_and_afterwards(tmp_path, monkeypatch):
    """A program in the background has a SIGINT that is ignored, and Lumibot handles it all the same."""
    monkeypatch.setattr(cli_run, "Interruption", Struck)
    monkeypatch.setattr(Struck, "number", signal.SIGINT)
    monkeypatch.setattr(Struck, "checked", 0)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert live_trader.main(["--backtest", "--quiet", "--no-report", *WINDOW, "--out", str(tmp_path / "run")]) == 0
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
    assert Struck.checked > BARS
    assert "interrupted" not in (tmp_path / "run" / "orders.csv").read_text()


SIGNALS = """
import random, signal
from backtests.interruption import Interruption
chance = random.Random(1)
for _ in range(1_000):
    heard = Interruption()
    signal.signal(signal.SIGALRM, heard.ask)
    signal.setitimer(signal.ITIMER_REAL, chance.uniform(1e-5, 3e-4))
    while not heard.wait(2e-5):
        pass
    assert heard.name == "SIGALRM" and heard.wait(5)
print("heard")
"""


def test_a_signal_is_heard_at_whatever_moment_of_waiting_it_comes():
    """Its handler runs in the middle of what the waiting thread does, and may not wait for a lock of that thread."""
    done = subprocess.run([sys.executable, "-c", SIGNALS], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "heard\n"
