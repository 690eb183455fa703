"""A thread that tells the operator's screens what a trader does; it is on no path of an order.

Each beat it replaces the state file; after each iteration it adds what was seen to the market view. It reads what the
desk has in memory, takes no lock and asks neither journal nor venue, so that nothing that trades ever waits for it.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from brokers.live_state.snapshot import Moments, state_of, told_settings
from brokers.live_state.snapshot_log import SnapshotLog
from market.bars import BarTable
from monitoring.market_view import VIEW_FILE, Bar, MarketViewWriter
from monitoring.rows import ReadingRow
from monitoring.state import STATE_FILE, StateWriter
from risk.limit_usage import Limit
from risk.model import Book, Plan
from strategies.readings import limits, readings

if TYPE_CHECKING:
    from brokers.desk.lifecycle.wiring import LiveAccount
    from config import Settings

STOP_S = 2.0
MOVED_FRAC = 0.05
"""A dividend moves earlier prices by less; what moves them by more is a split, or one bar that was corrected."""

log = logging.getLogger(__name__)


class StateRecorder:
    """Writes the state file and the market view of one trader.

    Parameters
    ----------
    strategy : CombinedStrategy
        Whose ``plan``, ``book`` and ``feed`` are read after each iteration.
    account : LiveAccount
    settings : Settings
    """

    def __init__(self, strategy: Any, account: LiveAccount, settings: Settings) -> None:
        self._strategy, self._account, self._settings = strategy, account, settings
        self._folder = Path(settings.live.state_dir)
        self._told, self._writer = told_settings(settings), StateWriter(self._folder / STATE_FILE)
        self._moments = Moments(datetime.now(UTC))
        self._limits: list[Limit] = []
        self._plan: Plan | None = None
        self._book: Book | None = None
        self._view: MarketViewWriter | None = None
        self._last_bar = -math.inf
        self._shown: BarTable | None = None
        self._failed: set[str] = set()
        self.snapshots = SnapshotLog(self._folder, settings, account.pipeline, lambda: account.feed.bars)
        self._stop, self._news = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="state-recorder", daemon=True)

    def start(self) -> None:
        self._thread.start()
        self.snapshots.start()

    def iterated(self) -> None:
        """An iteration is over: the file is replaced now and not only at the next beat."""
        self._news.set()

    def stop(self, ended: str) -> None:
        """Write a last state that says how the trader ended."""
        self._stop.set()
        self._news.set()
        if self._thread.is_alive():
            self._thread.join(STOP_S)
        self.snapshots.stop()
        self._guarded("state file", lambda: self._write(ended))
        if self._view is not None:
            self._view.close()

    def _run(self) -> None:
        while True:
            self._news.clear()
            # After that, so that the news of an end is not cleared and waited for.
            if self._stop.is_set():
                return
            plan = getattr(self._strategy, "plan", None)
            if plan is not None and plan is not self._plan:
                self._plan = plan
                self._guarded("market view", self._after_iteration)
            self._guarded("state file", self._write)
            self._news.wait(self._settings.monitoring.beat_s)

    def _guarded(self, what: str, step: Any) -> None:
        """What goes wrong here costs a screen its news and nothing else; it is logged once until it works again."""
        try:
            step()
            self._failed.discard(what)
        except Exception as error:
            if what not in self._failed:
                self._failed.add(what)
                log.warning("the %s of the operator's screens could not be written: %s", what, error)

    def _write(self, ended: str = "") -> None:
        desk, moments = self._account.desk, self._moments
        if desk.iterations != moments.iterations:
            moments.iterations, moments.iteration = desk.iterations, datetime.now(UTC)
        if desk.state.view is not moments.seen:
            moments.seen, moments.look = desk.state.view, datetime.now(UTC)
        state = state_of(self._account, self._settings, self._book, self._limits, moments, ended, self._told)
        self._writer.write(state)

    def _after_iteration(self) -> None:
        """What the last iteration saw, as far as its bars are still there."""
        strategy, plan = self._strategy, self._plan
        book, features = strategy.book, strategy.feed.features
        assert plan is not None
        for proposal in plan.entries:
            book = book.accepting(proposal)
        self._book = book
        market = features.market_at(plan.time)
        self._limits = limits(strategy.pipeline, book, market)
        found = readings(strategy.pipeline, features, market, plan, book)
        rows = [
            ReadingRow(
                plan.time, r.symbol, _known(r.close), _known(r.atr), r.status, r.text, r.allowed, r.bound_by, r.code
            )
            for r in found
        ]
        if self._view is None:
            keep = self._settings.monitoring
            self._view = MarketViewWriter(self._folder / VIEW_FILE, keep.keep_days, keep.keep_bars)
        table = features.bars
        # A bar that was added or corrected made another table.
        anew, bars = (set[str](), ()) if table is self._shown else self._new_bars(table, self._view)
        self._view.write(plan.time, self._settings.pace.bars, bars, rows, anew)
        self._shown = table
        if self._last_bar == -math.inf:
            self._view.prune_bars(table.symbols)
        if len(table.opens_at):
            self._last_bar = table.opens_at[-1].timestamp()

    def _new_bars(self, table: BarTable, view: MarketViewWriter) -> tuple[set[str], Iterator[tuple[str, Bar]]]:
        """Symbols whose bars are written anew, and bars from the last one that was written on, which may be corrected.

        Anew where the newest that is there has another price now: after a split all of them have.
        """
        opens = table.opens_at.as_unit("ns").astype("int64").to_numpy() // 1_000_000_000
        anew = {s for k, s in enumerate(table.symbols) if _moved(view.newest_close(s), opens, table.close[:, k])}
        return anew, self._bars_of(table, opens, anew)

    def _bars_of(self, table: BarTable, opens: np.ndarray, anew: set[str]) -> Iterator[tuple[str, Bar]]:
        least = max(0, len(opens) - self._settings.monitoring.keep_bars)
        news = max(int(opens.searchsorted(self._last_bar)), least)
        for k, symbol in enumerate(table.symbols):
            first = least if symbol in anew else news
            columns = [getattr(table, name)[first:, k] for name in ("open", "high", "low", "close", "volume")]
            block = np.column_stack(columns)
            whole = np.isfinite(block[:, :4]).all(axis=1)
            rows = np.nan_to_num(block[whole]).tolist()
            for stamp, values in zip(opens[first:][whole].tolist(), rows, strict=True):
                yield symbol, (stamp, *values)


def _moved(written: tuple[int, float] | None, opens: np.ndarray, closes: np.ndarray) -> bool:
    """Whether the close of the bar that was written last is another one by now."""
    if written is None:
        return False
    row = int(opens.searchsorted(written[0]))
    return row < len(opens) and opens[row] == written[0] and abs(closes[row] / written[1] - 1) > MOVED_FRAC


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
