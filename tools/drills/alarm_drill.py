"""A rehearsed day with a lost stream, a position without a stop, a dead venue and a halt: who was told what, and when.

A real trader runs against the rehearsal exchange and tells a receiver on this machine; it is ended by Ctrl-C, SIGTERM
and kill -9. At the end every output is searched for the keys and addresses that were planted.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

sys.path.insert(0, str(Path(__file__).parents[2]))

from brokers.rehearsal.alpaca.server import RehearsalServer
from brokers.rehearsal.serving.network_faults import Fault, Mishap
from tests.drills.killing import ROOT, START, Day, unprotected, venue

PASSWORD = "planted-webhook-password"  # noqa: S105  # planted, to be searched for
DRAWDOWN = "0.0004"
DAY = Day(START.replace(hour=10, minute=30), 30.0)
"""A moment at which an early iteration enters."""
LATEST_S = 10.0


@dataclass
class Receiver:
    """Takes notifications, and knows when each came."""

    heard: list[tuple[float, str, str]] = field(default_factory=list)
    hangs_s: float = 0.0

    def __post_init__(self) -> None:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                time.sleep(receiver.hangs_s)
                receiver.heard.append((time.time(), body["title"], body["message"]))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"json://owner:{PASSWORD}@127.0.0.1:{self.server.server_port}/"

    def when(self, word: str, after: float) -> float | None:
        return next((at for at, _, text in self.heard if at >= after and word in text), None)


class Drill:
    """One venue, one receiver, and traders one after the other."""

    def __init__(self, server: RehearsalServer, folder: Path) -> None:
        self.server, self.folder, self.receiver = server, folder, Receiver()
        self.began = time.time()
        self.faults: list[str] = []
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(
            [
                sys.executable, str(ROOT / "live_trader.py"), "--strategy", "combined", "--paper", "--profile",
                "intraday", "--alpaca-url", self.server.url, "--set", f"pace.speed={DAY.speed:g}", "--sleeptime",
                "60S", "--set", "market=24/7", "--set", "live.yahoo=false", "--symbols",
                "SPY,QQQ,NVDA,AAPL,MSFT,TSLA", "--out", str(self.folder / "run"), "--overwrite", "--state-dir",
                str(self.folder / "state"), "--set", f"risk.modules.drawdown_halt.max_drawdown_frac={DRAWDOWN}",
            ],
            env={
                **os.environ, "ALPACA_API_KEY": self.server.key, "ALPACA_API_SECRET": self.server.secret,
                "NOTIFY_URLS": self.receiver.url,
            },
            stdout=(self.folder / "screen.txt").open("ab"), stderr=subprocess.STDOUT,
        )  # fmt: skip

    def end(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.say(f"{number.name} to the trader")
        before = time.time()
        self.process.send_signal(number)
        status = self.process.wait(20)
        self.say(f"it ended with status {status} after {time.time() - before:.1f} s")

    def say(self, text: str) -> None:
        sys.stdout.write(f"{time.time() - self.began:6.1f} s  {text}\n")
        sys.stdout.flush()

    def told(self, what: str, word: str, since: float, within: float = 25.0) -> None:
        """Wait for a notification, and say how long after ``since`` and after its line in the log it came."""
        end = time.time() + within
        while (at := self.receiver.when(word, since)) is None and time.time() < end:
            time.sleep(0.05)
        logged = self.logged(word, since)
        if at is None or logged is None:
            self.faults.append(f"{what}: not told")
            self.say(f"{what}: NOT TOLD (log: {logged})")
            return
        if at - logged > LATEST_S:
            self.faults.append(f"{what}: {at - logged:.1f} s after its line in the log")
        self.say(f"{what}: in the log {logged - since:.1f} s after it began, told {at - logged:.2f} s later")

    def logged(self, word: str, since: float) -> float | None:
        from datetime import datetime

        path = self.folder / "state/log/trader.jsonl"
        for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
            row = json.loads(line)
            at = datetime.fromisoformat(row["time"]).timestamp()
            if at >= since - 0.01 and word in row["message"]:
                return at
        return None

    def wait(self, condition: Callable[[], bool], seconds: float) -> bool:
        end = time.time() + seconds
        while not condition() and time.time() < end:
            time.sleep(0.1)
        return condition()

    def leaks(self) -> list[str]:
        """Outputs in which something planted can be read."""
        secrets = (self.server.key, self.server.secret, PASSWORD)
        forms = {
            form
            for s in secrets
            for form in (s, quote(s, safe=""), base64.b64encode(s.encode()).decode().rstrip("="), s.encode().hex())
        }
        found = []
        for path in sorted(self.folder.rglob("*")):
            if path.is_file():
                content = path.read_bytes()
                found += [str(path.relative_to(self.folder)) for form in forms if form.encode() in content]
        found += ["a notification" for _, title, text in self.receiver.heard if any(f in title + text for f in forms)]
        return found


def play(drill: Drill) -> None:
    """The day."""
    server = drill.server
    began = time.time()
    drill.start()
    drill.told("a start", "started: paper", began, 60)
    drill.wait(lambda: bool(server.call(lambda exchange: exchange.positions())), 120)
    drill.told("a fill", "filled", began)

    at = time.time()
    drill.say("the stream of trade updates is dropped again and again")
    stop = threading.Event()

    def flap() -> None:
        while not stop.wait(0.3):
            server.drop_streams()

    threading.Thread(target=flap, daemon=True).start()
    drill.told("stream down", "STREAM DOWN", at)
    stop.set()
    drill.told("the stream is back", "arrive again after", at)

    at = time.time()
    drill.say("every order is cancelled by hand, stops too, and the venue takes none")
    server.faults.add(Fault(Mishap.SERVER_ERROR, method="POST", path="/orders", times=None))
    server.call(lambda exchange: exchange.cancel_all())
    drill.told("without a stop", "UNPROTECTED", at)
    server.faults.clear()
    drill.wait(lambda: not server.call(unprotected), 20)
    drill.told("protected again", "protected again after", at)

    at = time.time()
    drill.say("the venue is dead")
    server.faults.add(Fault(Mishap.DROP_BEFORE, times=None))
    drill.told("venue down", "VENUE DOWN", at, 40)
    server.faults.clear()
    drill.told("the venue is back", "answers again after", at, 40)

    drill.told("halt", "halt drawdown_halt", began, 120)
    drill.end(signal.SIGINT)
    drill.told("Ctrl-C", "SIGINT: leaving", at)

    at = time.time()
    drill.start()
    drill.told("a start", "started: paper", at, 60)
    drill.wait(lambda: drill.logged("equity", at) is not None, 60)
    drill.end(signal.SIGTERM)
    drill.told("SIGTERM", "SIGTERM: leaving", at)

    at = time.time()
    drill.start()
    drill.told("a start", "started: paper", at, 60)
    drill.wait(lambda: drill.logged("equity", at) is not None, 60)
    drill.end(signal.SIGKILL)
    at = time.time()
    drill.start()
    drill.told("kill -9, by the next start", "did not end by itself", at, 60)
    drill.wait(lambda: drill.logged("equity", at) is not None, 60)
    drill.end(signal.SIGTERM)


def main() -> int:
    """Exit status 0 if everything critical was told in time and nothing planted can be read anywhere."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=Path, help="keep everything in this folder")
    keep = parser.parse_args().keep
    # A shell that runs this in the background has Ctrl-C ignored, and the trader would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with tempfile.TemporaryDirectory() as scratch, venue(DAY) as server:
        folder = keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        drill = Drill(server, folder)
        try:
            play(drill)
        finally:
            if drill.process is not None and drill.process.poll() is None:
                drill.process.kill()
        lines = [f"{at - drill.began:6.1f} s  {title}: {text}" for at, title, text in drill.receiver.heard]
        (folder / "notifications.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        drill.faults += [f"planted key in {place}" for place in drill.leaks()]
    drill.say("nothing went wrong" if not drill.faults else "FAULTS: " + "; ".join(drill.faults))
    return 1 if drill.faults else 0


if __name__ == "__main__":
    sys.exit(main())
