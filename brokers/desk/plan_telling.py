"""What was decided, put into the log with what stops entries and what they were refused for."""

from __future__ import annotations

import logging
from functools import partial

from brokers.desk.entry_halts import EntryHalts
from brokers.desk.execution.entries import Entries
from brokers.journal import Journal
from brokers.record import RunRecord
from brokers.reporting.iteration_report import IterationReport
from config.values.markets import NEW_YORK_ZONE
from risk.model import Book, Plan

log = logging.getLogger(__name__)


class PlanTelling:
    """Tells of plans.

    Parameters
    ----------
    report : IterationReport, optional
        None tells nothing.
    halts : EntryHalts
    entries : Entries
    journal : Journal
    record : RunRecord
        Of this run, with the halts that it made.
    """

    def __init__(
        self, report: IterationReport | None, halts: EntryHalts, entries: Entries, journal: Journal, record: RunRecord
    ) -> None:
        self.report = report
        self._halts, self._entries, self._journal, self._record = halts, entries, journal, record

    def tell(self, plan: Plan, book: Book, fills: int, submit: bool) -> None:
        """Put what was decided into the log; what goes wrong in telling costs no order."""
        if self.report is None:
            return
        try:
            stopped = bool(self._halts.told)
            self.report.decided(
                plan,
                book,
                fills,
                submit=submit,
                stopped=stopped,
                earlier=partial(self.earlier_halt, book),
                again=self._entries.refusals.refused_on(plan.time.date()),
            )
        except Exception:
            log.exception("an iteration could not be told of")

    def earlier_halt(self, book: Book, name: str) -> str:
        """When and at what a halt began that an earlier run made, in words; empty for one of this run."""
        began = book.last_halts.get(name)
        if began is None or any(halt.module == name for halt in self._record.halts):
            return ""
        reason = self._journal.halt_reason(name, began)
        since = f"since {began.astimezone(NEW_YORK_ZONE):%a %Y-%m-%d %H:%M:%S}"
        return f"{since}, begun at {reason}" if reason else since
