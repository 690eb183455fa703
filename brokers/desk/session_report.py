"""The summary of a session: trades, profit, refusals by rule, slippage against the quote, and protection."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from brokers.desk.desk import LiveDesk
from brokers.reporting.events import EventKind, about
from brokers.reporting.iteration_report import IterationReport
from market.trading_day import day_of

PATIENCE_S = 0.5
"""Local seconds that a summary waits for a step of the desk: at the end of the process there are few."""

log = logging.getLogger(__name__)


class SessionReport:
    """Tells the summary once, when the regular session is over or the process ends.

    Parameters
    ----------
    desk : LiveDesk
    iterations : IterationReport
    now : callable
        The venue's time.
    """

    def __init__(self, desk: LiveDesk, iterations: IterationReport, now: Callable[[], datetime]) -> None:
        self._desk, self._iterations, self._now = desk, iterations, now
        self._day: date | None = None
        self._opened = 0.0
        self._counted()

    def check(self) -> None:
        """See whether a session has begun or ended; for the thread that watches, without the desk's lock.

        Where a step is under way as it ends, the next check tells of it.
        """
        if self._desk.state.in_session:
            today = day_of(self._now())
            if self._day is not None and self._day != today:
                # The night was not seen, as in a rehearsal that leaves it out.
                self._tell_within(0)
            if self._day is None and self._desk.record.equity:
                self._begin(today)
        elif self._day is not None:
            self._tell_within(0)

    def _begin(self, today: date) -> None:
        self._day, self._opened = today, self._desk.record.equity[-1].equity

    def _counted(self) -> None:
        """Count from here: a session's first fills may come before it is first seen, and belong to its summary."""
        desk = self._desk
        self._slippage, self._intervals = len(desk.entries.slippage), len(desk.protector.log.intervals)
        self._bars = desk.record.protected_bars, desk.record.position_bars

    def tell(self) -> None:
        """The summary of what has been seen of the present session, as the process ends; nothing where none was."""
        if not self._tell_within(PATIENCE_S):
            log.warning("session %s: no summary, one step has taken %.0f s", self._day, self._desk.lock.held_s)
            self._day = None

    def _tell_within(self, seconds: float) -> bool:
        """Whether the summary was told, or none was due."""
        if self._day is None:
            return True
        if not self._desk.lock.acquire(timeout=seconds):
            return False
        day, self._day = self._day, None
        try:
            text, fields = self._summary(day)
            self._counted()
        finally:
            self._desk.lock.release()
        log.info("%s", text, extra=about(EventKind.SUMMARY, **fields))
        return True

    def _summary(self, day: date) -> tuple[str, dict[str, Any]]:
        desk, record = self._desk, self._desk.record
        closed = [t for t in record.trades if day_of(t.exit_time) == day]
        profit, won = sum(t.pnl for t in closed), sum(t.pnl > 0 for t in closed)
        equity = record.equity[-1].equity if record.equity else self._opened
        saved, measured = self._saved()
        gaps = desk.protector.log.intervals[self._intervals :]
        longest = max((gap.seconds for gap in gaps), default=0.0)
        protected, held = record.protected_bars - self._bars[0], record.position_bars - self._bars[1]
        refused = dict(self._iterations.refusals.most_common())
        opened = float(desk.journal.session_open_equity(day) or self._opened)
        change = equity / opened - 1 if opened > 0 else 0.0
        parts = [
            f"session {day}: equity {equity:,.2f} USD, {change:+.2%}",
            f"{len(closed)} closed, {won} of them won, {profit:+,.2f} USD" if closed else "no trade closed",
            _refusals_in_words(refused),
            _slippage_in_words(saved, measured),
            _protection_in_words(len(gaps), longest, held=bool(held or closed or measured)),
        ]
        if desk.protector.log.present:
            parts.append(f"WITHOUT A STOP NOW: {', '.join(sorted(desk.protector.log.present))}")
        fields: dict[str, Any] = {
            "session": day.isoformat(),
            "equity": equity,
            "change_frac": change,
            "trades": len(closed),
            "won": won,
            "profit_usd": profit,
            "refusals": refused,
            "slippage_usd": -saved,
            "entries_measured": measured,
            "unprotected_times": len(gaps),
            "unprotected_longest_s": longest,
            "protected_frac": protected / held if held else None,
            "open_positions": len(desk.positions.book.ledger.positions),
        }
        return "; ".join(parts), fields

    def _saved(self) -> tuple[float, int]:
        """USD that entries cost less than at their quotes, and how many were measured."""
        new = self._desk.entries.slippage[self._slippage :]
        saved = 0.0
        for name, quote, paid in new:
            order = self._desk.journal.order(name)
            sign = 1 if order.side == "buy" else -1
            saved += sign * (quote - paid) * float(order.filled_quantity)
        return saved, len(new)


def _refusals_in_words(refused: dict[str, int]) -> str:
    listed = ", ".join(f"{rule} {count}" for rule, count in refused.items())
    return f"refused {sum(refused.values())} ({listed})" if refused else "nothing refused"


def _protection_in_words(gaps: int, longest_s: float, *, held: bool) -> str:
    if gaps:
        return f"{gaps} time{'' if gaps == 1 else 's'} without a stop, the longest {longest_s:.0f} s"
    return "all that was held had stops all the time" if held else "no position held"


def _slippage_in_words(saved: float, measured: int) -> str:
    if not measured:
        return "no entry filled"
    entries = "1 entry" if measured == 1 else f"{measured} entries"
    return f"{'saved' if saved >= 0 else 'paid'} {abs(saved):,.2f} USD against the quotes of {entries}"
