"""What halts of several sessions need to know: when they began, when they end, and the peak they are measured from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime

from brokers.desk_rules import end_of_halt
from brokers.journal import Journal
from brokers.journal.journal import Halt
from market.trading_day import day_of
from risk.interface import RiskModule
from risk.model import Book


class LastingHalts:
    """Reads halts and equity from the journal.

    Parameters
    ----------
    journal : Journal
    halters : sequence of RiskModule
        Modules that may end a session for new positions.
    """

    def __init__(self, journal: Journal, halters: Sequence[RiskModule]) -> None:
        self.journal = journal
        self.halters = halters
        self._peak = math.nan
        self._peak_since: date | None = None

    def measured(self, book: Book) -> Book:
        """The book with the beginning of each halt, and the highest equity since the last one ended."""
        today, known = day_of(book.time), self._known()
        since = max((known[m.name].until for m in self.halters if m.measures_peak and m.name in known), default=None)
        peak = self._highest(book.equity, today, since)
        return replace(book, equity_peak=peak, last_halts={name: halt.began for name, halt in known.items()})

    def _highest(self, equity: float, today: date, since: date | None) -> float:
        """The highest equity since the opening of the first session after a halt whose last is ``since``.

        While such a halt lasts nothing is measured from a peak, and what was read in it or before that opening is none:
        the peak is the same in the process that saw the halt end and in one that began since.
        """
        if since is not None and today <= since:
            self._peak = math.nan
            return equity
        if since != self._peak_since or math.isnan(self._peak):
            opened = None if since is None else self.journal.opened_after(since)
            if since is not None and opened is None:
                return equity
            highest = self.journal.highest_equity(opened)
            self._peak_since, self._peak = since, equity if highest is None else float(highest)
        self._peak = max(self._peak, equity)
        return self._peak

    def ends(self, today: date) -> dict[str, datetime]:
        """When the halts that hold today end, at midnight."""
        return {name: end_of_halt(halt.until) for name, halt in self._known().items() if halt.until >= today}

    def _known(self) -> dict[str, Halt]:
        return {m.name: halt for m in self.halters if (halt := self.journal.last_halt(m.name)) is not None}
