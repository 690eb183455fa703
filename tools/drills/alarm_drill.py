"""A rehearsed day with a lost stream, a position without a stop, a dead venue and a halt: who was told what, and when.

A real trader runs against the rehearsal exchange; it is ended by Ctrl-C, SIGTERM and kill -9. Notices, page,
``status``, ``explain``, screen and log are read all the while (``alarm_witness.py``), and nothing critical may come
later than ten seconds on any of them. At the end every output is searched for the keys and addresses that were planted.
"""

from __future__ import annotations

import argparse
import base64
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path
from urllib.parse import quote

sys.path.insert(0, str(Path(__file__).parents[2]))

from brokers.rehearsal.alpaca.exchange import Exchange
from brokers.rehearsal.alpaca.server import RehearsalServer
from brokers.rehearsal.serving.network_faults import Fault, Mishap
from tests.drills.killing import ROOT, START, Day, unprotected, venue
from tools.drills.alarm_witness import PASSWORD, PLACES, TOKEN, Receiver, Record, Witness

DAY = Day(START.replace(hour=10, minute=30), 30.0)
"""A moment at which an early iteration enters."""
LOSS = Decimal("0.04")
"""Part of the account that is lost at one stroke; the halt begins at 3%."""
LATEST_S = 10.0
NOTICES = ("log", "notice", "screen")
"""Where one can read of what is over in a moment."""


class Drill:
    """One venue, one receiver, and traders one after the other."""

    def __init__(self, server: RehearsalServer, folder: Path) -> None:
        self.server, self.folder, self.record = server, folder, Record()
        self.receiver = Receiver(self.record)
        self.witness = Witness(self.record, folder, self.held)
        self.began = time.time()
        self.faults: list[str] = []
        self.table: list[tuple[str, dict[str, float | None]]] = []
        self.process: subprocess.Popen[bytes] | None = None

    def held(self) -> str:
        """A symbol that the account holds, or held last."""
        rows = self.server.call(lambda exchange: exchange.positions())
        self._last = rows[0]["symbol"] if rows else getattr(self, "_last", "")
        return self._last

    def start(self) -> None:
        self.process = subprocess.Popen(
            [
                sys.executable,
                str(ROOT / "live_trader.py"),
                "--strategy",
                "combined",
                "--paper",
                "--profile",
                "intraday",
                "--alpaca-url",
                self.server.url,
                "--set",
                f"pace.speed={DAY.speed:g}",
                "--sleeptime",
                "60S",
                "--set",
                "market=24/7",
                "--set",
                "live.yahoo=false",
                "--symbols",
                "SPY,QQQ,NVDA,AAPL,MSFT,TSLA",
                "--out",
                str(self.folder / "run"),
                "--overwrite",
                "--state-dir",
                str(self.folder / "state"),
            ],
            env={
                **os.environ,
                "ALPACA_API_KEY": self.server.key,
                "ALPACA_API_SECRET": self.server.secret,
                "NOTIFY_URLS": self.receiver.url,
            },
            stdout=(self.folder / "screen.txt").open("ab"),
            stderr=subprocess.STDOUT,
        )

    def end(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.say(f"{number.name} to the trader")
        before = time.time()
        self.process.send_signal(number)
        status = self.process.wait(20)
        self.say(f"it ended with status {status} after {time.time() - before:.1f} s")

    def say(self, text: str) -> None:
        self.record.add("drill", text)
        sys.stdout.write(f"{time.time() - self.began:6.1f} s  {text}\n")
        sys.stdout.flush()

    def told(
        self,
        what: str,
        words: dict[str, str],
        since: float,
        *,
        within: float = 25.0,
        critical: bool = True,
        logged: bool = False,
    ) -> None:
        """Wait until each place has said its word, and write down how long after ``since`` that was.

        With ``logged`` the time is counted from the line in the log: it began when the trader found it.
        """
        end = time.time() + within
        while time.time() < end and any(self.record.first(p, w, since) is None for p, w in words.items()):
            time.sleep(0.05)
        found = {p: self.record.first(p, w, since) for p, w in words.items()}
        if logged and (line := found["log"]) is not None:
            since = line.at
        seconds = {p: None if said is None else said.came - since for p, said in found.items()}
        self.table.append((what, seconds))
        for place, said in found.items():
            if said is None:
                self.faults.append(f"{what}: not said by {place}")
            elif critical and (late := said.at - since) > LATEST_S:
                # What an answer takes once it was asked for is this machine's, and is in the table.
                self.faults.append(f"{what}: {late:.1f} s until said by {place}")
        self.say(f"{what}: " + ", ".join(f"{p} {'NEVER' if s is None else f'{s:.1f} s'}" for p, s in seconds.items()))

    def wait(self, condition: Callable[[], object], seconds: float) -> None:
        end = time.time() + seconds
        while not condition() and time.time() < end:
            time.sleep(0.1)

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
        forms.add(TOKEN)
        found += [s.place for s in self.record.said if any(f in s.text for f in forms)]
        return found


def everywhere(word: str, **other: str) -> dict[str, str]:
    """The same word in every place, or another one."""
    return dict.fromkeys(PLACES, word) | other


def noticed(word: str) -> dict[str, str]:
    return dict.fromkeys(NOTICES, word)


def lose(exchange: Exchange) -> None:
    """Take a part of the account away, as one trade by hand that went wrong would."""
    ledger = exchange._state.ledger
    ledger.cash -= (ledger.equity * LOSS).quantize(Decimal("0.01"))


def play(drill: Drill) -> None:
    """The day."""
    server = drill.server
    began = time.time()
    drill.start()
    drill.witness.start()
    drill.told("a start", noticed("started: paper") | {"screen": "paper"}, began, within=60, critical=False)
    drill.wait(lambda: server.call(lambda exchange: exchange.positions()), 120)
    drill.told("a fill", noticed("filled"), began, critical=False)

    at = time.time()
    drill.say("the stream of trade updates is dropped again and again")
    stop = threading.Event()

    def flap() -> None:
        while not stop.wait(0.3):
            server.drop_streams()

    threading.Thread(target=flap, daemon=True).start()
    drill.told(
        "stream down", everywhere("STREAM DOWN", page="Stream down", status="Stream down", explain="Stream down"), at
    )
    stop.set()
    drill.told("the stream is back", noticed("arrive again after") | gone("Stream down"), at, critical=False)

    at = time.time()
    drill.say("every order is cancelled by hand, stops too, and the venue takes none")
    server.faults.add(Fault(Mishap.SERVER_ERROR, method="POST", path="/orders", times=None))
    server.call(lambda exchange: exchange.cancel_all())
    drill.told(
        "without a stop", everywhere("UNPROTECTED", page="Unprotected", status="Unprotected", explain="Unprotected"), at
    )
    server.faults.clear()
    drill.wait(lambda: not server.call(unprotected), 20)
    drill.told("protected again", noticed("protected again after") | gone("Unprotected"), at, critical=False)

    at = time.time()
    drill.say("the venue is dead")
    server.faults.add(Fault(Mishap.DROP_BEFORE, times=None))
    drill.told(
        "venue down",
        everywhere("VENUE DOWN", page="Venue down", status="Venue down", explain="Venue down"),
        at,
        within=40,
    )
    server.faults.clear()
    drill.told("the venue is back", noticed("answers again after") | gone("Venue down"), at, within=40, critical=False)

    at = time.time()
    drill.say("4% of the account are lost at one stroke")
    server.call(lose)
    words = everywhere(
        "halt drawdown_halt", page="Halt drawdown_halt", status="Halt: drawdown_halt", explain="Halt: drawdown_halt"
    )
    drill.told("halt", words, at, within=60, logged=True)

    at = time.time()
    drill.end(signal.SIGINT)
    drill.told("Ctrl-C", noticed("SIGINT: leaving"), at)
    restart(drill)
    at = time.time()
    drill.end(signal.SIGTERM)
    drill.told("SIGTERM", noticed("SIGTERM: leaving"), at)
    restart(drill)
    at = time.time()
    drill.end(signal.SIGKILL)
    drill.told("kill -9", {"page": "No sign of life", "status": "NO SIGN OF LIFE", "explain": "No sign of life"}, at)
    at = time.time()
    drill.start()
    drill.told("kill -9, by the next start", noticed("did not end by itself"), at, within=60, logged=True)
    drill.wait(lambda: drill.record.first("log", "equity", at), 60)
    drill.end(signal.SIGTERM)


def gone(head: str) -> dict[str, str]:
    """The same on the screens that show what is wrong as long as it is."""
    return {"page": f"(no longer) {head}", "status": f"(no longer) {head}", "explain": f"(no longer) Now: {head}"}


def restart(drill: Drill) -> None:
    at = time.time()
    drill.start()
    drill.told("a start", noticed("started: paper") | {"screen": "paper"}, at, within=60, critical=False)
    drill.wait(lambda: drill.record.first("log", "equity", at), 60)


def account(drill: Drill) -> Iterable[str]:
    """The table and the record, as Markdown."""
    yield "| what happened | " + " | ".join(PLACES) + " |"
    yield "|" + "---|" * (len(PLACES) + 1)
    for what, seconds in drill.table:
        cells = [f"{seconds[p]:.1f}" if seconds.get(p) is not None else "never" if p in seconds else "" for p in PLACES]
        yield f"| {what} | " + " | ".join(cells) + " |"
    yield ""
    for said in sorted(drill.record.said, key=lambda s: s.at):
        yield f"{said.at - drill.began:6.1f} s  {said.place:8} {said.text}"


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
            drill.witness.close()
            (folder / "told.md").write_text("\n".join(account(drill)) + "\n", encoding="utf-8")
        drill.faults += [f"planted key in {place}" for place in drill.leaks()]
    drill.say("nothing went wrong" if not drill.faults else "FAULTS: " + "; ".join(drill.faults))
    return 1 if drill.faults else 0


if __name__ == "__main__":
    sys.exit(main())
