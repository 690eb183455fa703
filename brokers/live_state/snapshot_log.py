"""What each iteration of a trader decided on, kept in the state folder: its bars, its book and its plan.

``risk-first parity`` decides again on it. A thread writes; the iteration hands over values that nobody changes and goes
on. Whatever goes wrong here costs a record and nothing else.
"""

from __future__ import annotations

import gzip
import logging
import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import chain
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

from brokers.live_state.bar_changes import changes, json_text
from brokers.live_state.values_json import encoded
from config.version import version
from market.bars import BarTable
from market.market import Market
from market.trading_day import day_of
from risk.model import Book, Plan

if TYPE_CHECKING:
    from config import Settings
    from strategies.pipeline import Pipeline

FOLDER, SUFFIX = "snapshots", ".jsonl.gz"
VERSION = 1
STOP_S = 2.0
WAITING = 200
"""Iterations that may wait for a disk that hangs; later ones are left out, and the record says so by its numbers."""

log = logging.getLogger(__name__)


class SnapshotLog:
    """Writes a file for each day, a compressed line for each iteration, each day beginning with all that it needs.

    Parameters
    ----------
    state_dir : Path
    settings : Settings
        Written once a file, without the addresses of the broker; there are no secrets in them.
    pipeline : Pipeline
        Whose windows the desk has set.
    bars : callable
        The bars that were seen last, None before the first.
    """

    def __init__(
        self, state_dir: Path, settings: Settings, pipeline: Pipeline, bars: Callable[[], BarTable | None]
    ) -> None:
        self._bars = bars
        self._folder = state_dir / FOLDER
        self._keep = timedelta(days=settings.monitoring.keep_days)
        about = {name: part for name, part in settings.as_dict().items() if name != "broker"}
        self._header = {
            "version": VERSION,
            "program": version(),
            "settings": about,
            "window_minutes": pipeline.window_minutes,
            "intraday": pipeline.intraday,
            "began": datetime.now(UTC).isoformat(),
        }
        self._queue: SimpleQueue[tuple[int, BarTable, datetime, Book, Plan] | None] = SimpleQueue()
        self._number = 0
        self._file: Path | None = None
        self._before: BarTable | None = None
        self._failed = False
        self._thread = threading.Thread(target=self._run, name="snapshot-log", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def decided(self, market: Market, book: Book, plan: Plan) -> None:
        """Take down an iteration: the bars and the moment that they were seen at, and what was decided."""
        if (bars := self._bars()) is None:
            return
        self._number += 1
        if self._queue.qsize() < WAITING:
            self._queue.put((self._number, bars, market.time, book, plan))

    def stop(self) -> None:
        """Write what waits, for a moment."""
        self._queue.put(None)
        if self._thread.is_alive():
            self._thread.join(STOP_S)

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            try:
                self._write(*item)
                self._failed = False
            except Exception as error:
                # The next file begins with everything again.
                self._before = None
                if not self._failed:
                    self._failed = True
                    log.warning("what iterations decide on could not be recorded: %s", error)

    def _write(self, number: int, bars: BarTable, seen_at: datetime, book: Book, plan: Plan) -> None:
        path = self._folder / f"{day_of(book.time).isoformat()}{SUFFIX}"
        head = ""
        if path != self._file or self._before is None:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file, self._before = path, None
            self._prune(path)
            head = f"{json_text(self._header)}\n"
        head += json_text({"number": number, "seen_at": encoded(seen_at)})[:-1]
        decided = json_text({"book": encoded(book), "plan": encoded(plan)})[1:]
        # Each iteration is a member of its own: what a crash cuts off is that one.
        with gzip.open(path, "ab", compresslevel=5) as file:
            for piece in chain((f'{head},"bars":',), changes(bars, self._before), (f",{decided}\n",)):
                file.write(piece.encode())
        self._before = bars

    def _prune(self, newest: Path) -> None:
        oldest = date.fromisoformat(newest.name.removesuffix(SUFFIX)) - self._keep
        for path in self._folder.glob(f"*{SUFFIX}"):
            if path.name < oldest.isoformat():
                path.unlink(missing_ok=True)
