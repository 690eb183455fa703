"""The summary of a session: trades, profit, refusals by rule, slippage against the quote, and protection.

Equity, closed trades and filled entries are the session's, by the journal. What else it tells only this process has
seen: where that was not there as the session began, it says since when it was.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from brokers.desk.closed_positions import closed_on
from brokers.desk.desk import LiveDesk
from brokers.reporting.events import EventKind, about
from brokers.reporting.iteration_report import IterationReport
from config.values.counting import signed
from config.values.markets import NEW_YORK_ZONE
from market.trading_day import day_of

PATIENCE_S = 0.5
"""Local seconds that a summary waits for a step of the desk: at the end of the process there are few."""
BLIND_S = 30.0
"""Local seconds from one look at the venue to the next after which nothing is said of what was between them."""

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
        self._told: date | None = None
        self._opened = 0.0
        self._equity: tuple[float, datetime] | None = None
        """As the account was last seen in the session, and when that was."""
        self._started = now()
        self._whole = False
        """Whether the session's beginning was seen, and not only a later part of it."""
        self._seen, self._seen_at, self._blind_s = desk.state.view.time, time.monotonic(), 0.0
        self._counted()

    def check(self) -> None:
        """See whether a session has begun or ended; for the thread that watches, without the desk's lock.

        Where a step is under way as it ends, the next check tells of it.
        """
        self._see()
        if self._desk.state.in_session:
            today = day_of(self._now())
            if self._day is not None and self._day != today:
                # The night was not seen, as in a rehearsal that leaves it out.
                self._whole = self._tell_within(0)
            if self._day is None and self._desk.record.equity:
                self._begin(today)
        else:
            self._whole = self._tell_within(0)

    def _see(self) -> None:
        """Measure for how long nobody has seen the venue, and what the account was worth when it was last asked for."""
        self._see_equity()
        shown, now = self._desk.state.view.time, time.monotonic()
        if shown != self._seen or not self._desk.state.in_session:
            self._seen, self._seen_at = shown, now
        else:
            self._blind_s = max(self._blind_s, now - self._seen_at)

    def _see_equity(self) -> None:
        state = self._desk.state
        seen = state.view.account_time
        # A market that does not close goes on with the next day's equity.
        if seen is not None and state.in_session and self._day in (None, day_of(seen)):
            self._equity = state.equity, seen

    def _begin(self, today: date) -> None:
        record = self._desk.record
        self._day, self._opened = today, record.equity[-1].equity if record.equity else self._desk.state.equity

    def _counted(self) -> None:
        """Count from here: a session's first fills may come before it is first seen, and belong to its summary."""
        desk = self._desk
        self._slippage, self._intervals = len(desk.entries.slippage), len(desk.protector.log.intervals)
        self._bars = desk.record.protected_bars, desk.record.position_bars
        self._skipped, self._blind_s = len(desk.entries.refusals.skipped), 0.0

    def tell(self) -> None:
        """The summary of the present session as the process ends; nothing where it has not seen an account in one."""
        self._see()
        state = self._desk.state
        today = day_of(self._now())
        unknown = self._day is None and self._told != today and state.in_session
        if unknown and state.view.account_time is not None:
            # It ends before its first iteration, as one that was started at ``flatten``.
            self._begin(today)
        if not self._tell_within(PATIENCE_S):
            log.warning("session %s: no summary, one step has taken %.0f s", self._day, self._desk.lock.held_s)
            self._day = None

    def _tell_within(self, seconds: float) -> bool:
        """Whether the summary was told, or none was due."""
        if self._day is None:
            return True
        if not self._desk.lock.acquire(timeout=seconds):
            return False
        day, self._day, self._told = self._day, None, self._day
        try:
            text, fields = self._summary(day)
            self._counted()
            self._equity = None
        finally:
            self._desk.lock.release()
        log.info("%s", text, extra=about(EventKind.SUMMARY, **fields))
        return True

    def _summary(self, day: date) -> tuple[str, dict[str, Any]]:
        desk, record = self._desk, self._desk.record
        closed = closed_on(day, desk.positions.book)
        equity, as_of = self._last_equity()
        saved, measured = self._saved()
        gaps = desk.protector.log.intervals[self._intervals :]
        longest = max((gap.seconds for gap in gaps), default=0.0)
        protected, held = record.protected_bars - self._bars[0], record.position_bars - self._bars[1]
        refused = dict(self._iterations.refusals.most_common())
        opened = float(desk.journal.session_open_equity(day) or self._opened)
        change = equity / opened - 1 if opened > 0 else 0.0
        entries = desk.journal.filled_entries(day)
        unsent = len(desk.entries.refusals.skipped) - self._skipped
        present = desk.protector.log.present
        longest = max([longest, *(desk.protector.log.seconds(symbol) for symbol in present)])
        bare = len(gaps) + len(present)
        had = bool(held or desk.positions.book.ledger.positions or gaps or present or measured)
        since = "" if self._whole else f"since this start at {self._started.astimezone(NEW_YORK_ZONE):%H:%M}: "
        quiet_s = 2 * desk.state.clock.local(desk.state.venue.request_limit.quiet_s)
        blind_s = self._blind_s if self._blind_s > max(BLIND_S, quiet_s) else 0.0
        parts = [
            f"session {day}: equity {equity:,.2f} USD{as_of}, {signed(change, '.2%')}",
            closed.in_words(),
            _entries_in_words(entries),
            since + _refusals_in_words(refused, unsent),
            *([_slippage_in_words(saved, measured)] if measured else []),
            _protection_in_words(bare, longest, blind_s, held=had, whole=self._whole),
        ]
        if present:
            parts.append(f"WITHOUT A STOP NOW: {', '.join(sorted(present))}")
        fields: dict[str, Any] = {
            "session": day.isoformat(),
            "equity": equity,
            "change_frac": change,
            "trades": closed.closed,
            "won": closed.won,
            "closed_in_part": closed.in_part,
            "profit_usd": closed.profit,
            "refusals": refused,
            "slippage_usd": -saved,
            "entries_measured": measured,
            "entries_filled": entries,
            "entries_not_sent": unsent,
            "since": None if self._whole else self._started.isoformat(),
            "unprotected_times": bare,
            "unprotected_longest_s": longest,
            "protected_frac": protected / held if held else None,
            "open_positions": len(desk.positions.book.ledger.positions),
        }
        return "; ".join(parts), fields

    def _last_equity(self) -> tuple[float, str]:
        """Equity as it was last seen in the session, and of when that is where positions are known as of later."""
        record, told = self._desk.record, self._equity
        if told is None:
            if not record.equity:
                return self._opened, ""
            told = record.equity[-1].equity, record.equity[-1].time
        equity, seen = told
        old = self._desk.positions.newer_than(seen)
        return equity, f" as of {seen.astimezone(NEW_YORK_ZONE):%H:%M:%S}" if old else ""

    def _saved(self) -> tuple[float, int]:
        """USD that entries cost less than at their quotes, and how many were measured, each of one order or more."""
        new = self._desk.entries.slippage[self._slippage :]
        saved, entries = 0.0, set()
        for name, quote, paid in new:
            order = self._desk.journal.order(name)
            sign = 1 if order.side == "buy" else -1
            entries.add((order.symbol, order.decision_time))
            saved += sign * (quote - paid) * float(order.filled_quantity)
        return saved, len(entries)


def _refusals_in_words(refused: dict[str, int], unsent: int) -> str:
    listed = ", ".join(f"{rule} {count}" for rule, count in refused.items())
    by_rules = [f"refused {sum(refused.values())} ({listed})"] if refused else []
    approved = [f"{unsent} approved and not sent"] if unsent else []
    return ", ".join([*by_rules, *approved]) or "nothing refused"


def _protection_in_words(gaps: int, longest_s: float, blind_s: float, *, held: bool, whole: bool) -> str:
    unseen = f"; nobody looked at the venue for {blind_s:.0f} s" if blind_s else ""
    if gaps:
        return f"{gaps} time{'' if gaps == 1 else 's'} without a stop, the longest {longest_s:.0f} s{unseen}"
    if not held:
        return f"no position of ours held{unseen}"
    always = " all the time" if whole and not blind_s else ", as far as it was seen"
    return f"every position of ours had its stop{always}{unseen}"


def _entries_in_words(filled: int) -> str:
    if not filled:
        return "no entry filled"
    return "1 entry filled, whole or in part" if filled == 1 else f"{filled} entries filled, whole or in part"


def _slippage_in_words(saved: float, measured: int) -> str:
    entries = "1 entry" if measured == 1 else f"{measured} entries"
    return f"{'saved' if saved >= 0 else 'paid'} {abs(saved):,.2f} USD against the quotes of {entries}"
