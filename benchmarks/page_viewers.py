"""What viewers of the page cost the trader: its CPU and the length of its iterations, without viewers and with twenty.

``python benchmarks/page_viewers.py [viewers] [seconds a phase]`` plays a rehearsal with a real trader and a real page;
phases without and with viewers take turns. A viewer does what a browser does: it follows the beats and asks for the
page and its chart anew at each news. At the end the journal is written to while as many readers hold it open.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from statistics import mean, median

import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))

from brokers.journal import Journal
from brokers.record import EquityRow
from tests.drills.killing import START, Day, trader, venue

ROOT = Path(__file__).parents[1]
TOKEN = "token-of-the-benchmark-0123456789"  # of a page on this machine, for a minute
DAY = Day(START.replace(hour=10, minute=30), 30.0)
TURNS, PACE_S, WRITES = 3, 60, 300
VIEWER = """
import http.client, sys, threading
port, many, token = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
def get(path):
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    line.request("GET", path, headers={"Authorization": "Bearer " + token})
    return line.getresponse()
def follow():
    beats, mark = get("/beats"), b""
    while told := beats.readline():
        if told.startswith(b"data:") and told != mark:
            mark = told
            get("/").read(), get("/equity.json").read()
threads = [threading.Thread(target=follow, daemon=True) for _ in range(many)]
[t.start() for t in threads]
sys.stdin.read()
"""


def main(viewers: int = 20, seconds: float = 40.0) -> None:
    """Play the phases, and print what was measured."""
    with tempfile.TemporaryDirectory() as scratch, venue(DAY) as server, ExitStack() as ends:
        folder = Path(scratch)
        process = trader(server, folder, DAY)
        ends.callback(process.wait)
        ends.callback(process.terminate)
        state = folder / "state"
        until(lambda: (state / "trader.json").exists() and iterations(state) >= 3)
        page, port = dashboard(state)
        ends.callback(page.wait)
        ends.callback(page.terminate)
        told: dict[int, list[tuple[float, ...]]] = {0: [], viewers: []}
        for turn in range(2 * TURNS):
            many = viewers if turn % 2 else 0
            with ExitStack() as phase:
                if many:
                    crowd = subprocess.Popen(
                        [sys.executable, "-c", VIEWER, str(port), str(many), TOKEN], stdin=subprocess.PIPE
                    )
                    phase.callback(crowd.wait)
                    phase.callback(crowd.kill)
                    time.sleep(2)
                told[many].append(measured(process.pid, page.pid, state, seconds))
        print("viewers | iterations | trader's CPU an iteration | page's CPU | page's memory")
        for many, rows in told.items():
            done, cpu_s, share, memory = (mean(column) for column in zip(*rows, strict=True))
            print(
                f"{many:7} | {done:.0f} of {seconds * DAY.speed / PACE_S:.0f} | {cpu_s * 1e3:.0f} ms "
                f"({min(r[1] for r in rows) * 1e3:.0f}-{max(r[1] for r in rows) * 1e3:.0f}) "
                f"| {share:.1%} of a core | {memory / 1e6:.0f} MB"
            )
    for many in (0, viewers, 0, viewers):
        low, high = written(many)
        print(f"a write to the journal beside {many:2} open readers: median {low:.2f} ms, the longest {high:.1f} ms")


def measured(trader_pid: int, page_pid: int, state: Path, seconds: float) -> tuple[float, ...]:
    """Iterations done, CPU seconds of the trader for each, the page's share of a core, and its bytes."""
    of_trader, of_page = psutil.Process(trader_pid), psutil.Process(page_pid)
    first, began, before, before_page = iterations(state), time.monotonic(), cpu(of_trader), cpu(of_page)
    time.sleep(seconds)
    done = iterations(state) - first
    share = (cpu(of_page) - before_page) / (time.monotonic() - began)
    return done, (cpu(of_trader) - before) / max(1, done), share, of_page.memory_info().rss


def written(readers: int) -> tuple[float, float]:
    """Milliseconds of a write while so many readers are in the middle of reading."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "journal.sqlite3"
        with Journal(path, "benchmark") as journal:
            journal.begin_run("paper", "combined", "active", "abc")
            stop = threading.Event()
            threads = [threading.Thread(target=read, args=(path, stop), daemon=True) for _ in range(readers)]
            for thread in threads:
                thread.start()
            took = []
            for k in range(WRITES):
                row = EquityRow(datetime.fromtimestamp(1.7e9 + 60 * k, UTC), 100_000.0 + k, 90_000, 10_000, 0, 1, 1)
                began = time.perf_counter()
                journal.equity(row)
                took.append((time.perf_counter() - began) * 1e3)
                time.sleep(0.005)
            stop.set()
            for thread in threads:
                thread.join()
    return median(took), max(took)


def read(path: Path, stop: threading.Event) -> None:
    """Hold a view of the file open, again and again."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        while not stop.is_set():
            # A statement that is not read to its end holds its view of the file.
            cursor = db.execute("SELECT * FROM equity")
            cursor.fetchone()
            time.sleep(0.05)
            cursor.close()


def dashboard(state: Path) -> tuple[subprocess.Popen[str], int]:
    """The page of a state folder, and its port."""
    token = state.parent / "token"
    token.touch(mode=0o600)
    token.write_text(TOKEN)
    page = subprocess.Popen(
        [
            sys.executable, "-m", "commands", "dashboard", "--state-dir", str(state), "--port", "0", "--token-file",
            str(token), "--runs", str(state.parent),
        ],
        cwd=ROOT, stdout=subprocess.PIPE, text=True,
        env={k: v for k, v in os.environ.items() if not k.startswith("ALPACA")},
    )  # fmt: skip
    assert page.stdout is not None
    found = re.match(r"http://127\.0\.0\.1:(\d+)/", page.stdout.readline())
    assert found is not None
    until(lambda: answers(int(found[1])))
    return page, int(found[1])


def answers(port: int) -> bool:
    """Whether the page is up."""
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    line.request("GET", "/", headers={"Authorization": f"Bearer {TOKEN}"})
    return line.getresponse().status == 200


def iterations(state: Path) -> int:
    """Iterations that the trader has done."""
    return int(json.loads((state / "trader.json").read_text())["iterations"])


def cpu(process: psutil.Process) -> float:
    """Seconds of CPU that a process has used."""
    times = process.cpu_times()
    return float(times.user + times.system)


def until(condition: Callable[[], object], seconds: float = 120.0) -> None:
    """Wait."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise SystemExit("the trader or the page did not come up")
        time.sleep(0.2)


if __name__ == "__main__":
    main(*(kind(text) for kind, text in zip((int, float), sys.argv[1:], strict=False)))
