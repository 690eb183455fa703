"""What an operator could read while a trader runs: page, ``status``, ``explain``, screen, log and notices, each dated.

The page is followed as a browser follows it: a beat that tells of news, then the page anew. ``status`` and ``explain``
are the commands, asked again and again; their moment is the one at which they were asked.
"""

from __future__ import annotations

import html
import http.client
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

from tests.drills.killing import ROOT

PASSWORD = "planted-webhook-password"  # planted, to be searched for
TOKEN = "token-of-the-drill-0123456789"  # of a page on this machine, for a minute
PLACES = ("log", "notice", "screen", "page", "status", "explain")
PAUSE_S = 0.5
LATE_S = 5.0
CLOCK_S = 0.01
"""The log's times are whole milliseconds."""


class Said(NamedTuple):
    """When something was first to be read, where, and how it read; ``came`` is when an answer was there."""

    at: float
    place: str
    text: str
    came: float


@dataclass
class Record:
    """Everything that was said, in the order of its coming."""

    said: list[Said] = field(default_factory=list)
    _last: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def add(self, place: str, text: str, at: float | None = None) -> None:
        now = time.time()
        # What is logged was there when it was written, what is asked for when the answer came.
        came = at if at is not None and place == "log" else now
        self.said.append(Said(now if at is None else at, place, text, came))

    def shows(self, place: str, lines: tuple[str, ...], at: float | None = None) -> None:
        """A screen as it stands now, or as it was asked for at a moment: what it did not show before is new."""
        before, self._last[place] = self._last.get(place, ()), lines
        known = {_figureless(line) for line in before}
        for line in lines:
            if _figureless(line) not in known:
                self.add(place, line, at)
        for line in before:
            if _figureless(line) not in {_figureless(x) for x in lines}:
                self.add(place, f"(no longer) {line}", at)

    def first(self, place: str, word: str, since: float) -> Said | None:
        """The first time that a place said a word after a moment."""
        said = [s for s in list(self.said) if s.place == place and s.came >= since - CLOCK_S]
        return next((s for s in said if word in s.text), None)


def _figureless(line: str) -> str:
    """A line without its seconds and prices, so that one that only counts on is no news."""
    return re.sub(r"[\d.,:]+", "#", line)


class Receiver:
    """Takes notices into the record."""

    def __init__(self, record: Record) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                record.add("notice", f"{body['title']}: {body['message']}")
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"json://owner:{PASSWORD}@127.0.0.1:{self.server.server_port}/"


class Witness:
    """Follows one state folder until it is closed.

    Parameters
    ----------
    record : Record
    folder : Path
        Holds ``state`` and ``screen.txt``.
    symbol : callable
        The symbol that ``explain`` is asked about; empty as long as there is none.
    """

    def __init__(self, record: Record, folder: Path, symbol: Callable[[], str]) -> None:
        self._record, self._folder, self._symbol = record, folder, symbol
        self._end = threading.Event()
        self._page: subprocess.Popen[str] | None = None
        self._threads = [
            threading.Thread(target=self._until_the_end, args=(step,), daemon=True)
            for step in (self._follow_page, self._ask_status, self._ask_explain, self._read_log, self._read_screen)
        ]
        self._log_place = self._screen_place = 0

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        self._end.set()
        if self._page is not None:
            self._page.terminate()
        for thread in self._threads:
            thread.join(LATE_S)

    def _until_the_end(self, step: Callable[[], None]) -> None:
        while not self._end.is_set():
            try:
                step()
            except (OSError, http.client.HTTPException, ValueError) as error:
                self._record.add("witness", f"{step.__name__}: {error}")
            self._end.wait(PAUSE_S if step in (self._follow_page, self._ask_status, self._ask_explain) else 0.1)

    def _follow_page(self) -> None:
        state = self._folder / "state"
        if not (state / "journal.sqlite3").exists():
            return
        token = self._folder / "token"
        if not token.exists():
            token.touch(mode=0o600)
            token.write_text(TOKEN)
        self._page = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "commands",
                "dashboard",
                "--state-dir",
                str(state),
                "--port",
                "0",
                "--token-file",
                str(token),
                "--runs",
                str(self._folder),
            ],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=_without_keys(),
        )
        assert self._page.stdout is not None
        found = re.match(r"http://127\.0\.0\.1:(\d+)/", self._page.stdout.readline())
        if found is None:
            return
        port, mark = int(found[1]), ""
        beats = _get(port, "/beats")
        while not self._end.is_set() and (line := beats.readline()):
            told = line.decode().strip()
            if told.startswith("data:") and told != mark:
                mark = told
                self._record.shows("page", _signs(_get(port, "/").read().decode()))

    def _ask_status(self) -> None:
        asked = time.time()
        text = _command("status", "--state-dir", str(self._folder / "state"))
        self._record.shows("status", tuple(line for line in text.splitlines()[:8] if _is_sign(line)), asked)

    def _ask_explain(self) -> None:
        if symbol := self._symbol():
            asked = time.time()
            text = _command("explain", symbol, "--state-dir", str(self._folder / "state"))
            told = [line for line in text.splitlines() if line.startswith("Now: ") or "decided by" in line]
            self._record.shows("explain", tuple(told), asked)

    def _read_log(self) -> None:
        path = self._folder / "state/log/trader.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
        for line in lines[self._log_place :]:
            if not line.endswith("\n"):
                break
            self._log_place += 1
            row = json.loads(line)
            self._record.add("log", row["message"], datetime.fromisoformat(row["time"]).timestamp())

    def _read_screen(self) -> None:
        path = self._folder / "screen.txt"
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
        for line in lines[self._screen_place :]:
            if not line.endswith("\n"):
                break
            self._screen_place += 1
            self._record.add("screen", line.rstrip())


def _signs(page: str) -> tuple[str, ...]:
    """What the page says above everything else."""
    block = page.partition('<div id="signs"')[2].partition('<p id="frozen"')[0]
    told = re.findall(r'<p class="sign bad">(.*?)</p>', block, re.DOTALL)
    return tuple(html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", text))).strip() for text in told)


def _is_sign(line: str) -> bool:
    heads = (
        "NO SIGN OF LIFE",
        "Unprotected",
        "Stream down",
        "Venue down",
        "Venue not seen",
        "Kill switch",
        "Halt",
        "Entries are stopped",
    )
    return line.startswith(heads)


def _get(port: int, path: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path, headers={"Authorization": f"Bearer {TOKEN}"})
    return connection.getresponse()


def _command(*words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "commands", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**_without_keys(), "COLUMNS": "200"},
    )
    return done.stdout


def _without_keys() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("ALPACA", "KRAKEN", "NOTIFY"))}
