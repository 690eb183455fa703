"""The books of a live run: the book of an iteration, the halts it begins, and what fills change in the record."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from brokers.desk.barred_entries import BarredEntries
from brokers.desk.book_builder import BookBuilder
from brokers.desk.core import DeskCore
from brokers.desk.entry_halts import EntryHalts
from brokers.desk.execution.entries import Entries
from brokers.desk.lasting_halts import LastingHalts
from brokers.desk.reconcile.budget_keeper import BudgetKeeper
from brokers.desk_rules import end_of_halt, halt_dates, halting
from brokers.record import HaltRecord, RunRecord
from config.values.markets import NEW_YORK_ZONE
from market.trading_day import day_of
from risk.interface import RiskModule
from risk.model import Book


class Bookkeeping:
    """Keeps books, record and budget by what the venue showed last.

    Parameters
    ----------
    core : DeskCore
    halts : EntryHalts
    budget : BudgetKeeper
    halters : sequence of RiskModule
        Modules that may end a session for new positions.
    books : BookBuilder
    barred : BarredEntries
    entries : Entries
    """

    def __init__(
        self,
        core: DeskCore,
        halts: EntryHalts,
        budget: BudgetKeeper,
        halters: Sequence[RiskModule],
        books: BookBuilder,
        barred: BarredEntries,
        entries: Entries,
    ) -> None:
        self._state, self._positions, self._sync, self._journal = core.state, core.positions, core.sync, core.journal
        self._halts, self._budget, self._halters = halts, budget, halters
        self.halter_names = frozenset(module.name for module in halters)
        self._books, self._barred, self._entries = books, barred, entries
        self._lasting = LastingHalts(core.journal, halters)
        self._market = core.settings.pace.market
        self.record = RunRecord()
        self.decided_on, self.fills = Book(core.state.now, 0.0, 0.0), core.sync.fills
        """The book of the last iteration, and how many fills it shows."""

    def keep(self) -> None:
        """What fills changed goes to the budget and the record; a budget that cannot be kept stops entries."""
        try:
            self._budget.keep(self._positions.book.ledger.budget)
            self._halts.passing.pop("budget", None)
        except OSError as error:
            self._halts.passing["budget"] = f"{self._budget.path}: cannot be written ({error.strerror})"
        self._books.keep_trades(self.record)

    def book(self) -> Book:
        """What is held, on its way and left, now; a rule that stops entries by it begins its halt.

        A halt counts sessions, so it begins in one: what was read between two of them the next one's opening shows.
        """
        # What is filled from here on is told with the book that shows it.
        self.fills = self._sync.fills
        book = self._lasting.measured(self._books.book(self._entries.pending(), self._entries.latest))
        halters = self._halters if self._books.session_is_on() else ()
        for module in list(halting(halters, book, self._halts.halted(book.time))):
            sessions = halt_dates(day_of(book.time), module.halt_sessions, self._market)
            self._halts.halt(module.name, book.time, f"equity {book.equity:.2f}", sessions)
            self.record.halts.append(HaltRecord(book.time, module.name, end_of_halt(sessions[-1])))
        halted, until = self._halts.halted(book.time), self._lasting.ends(day_of(book.time))
        book = replace(book, halted=halted, halted_until=until, barred=self._barred.now())
        self._halts.reasons(book.time, self.halter_names)
        if math.isnan(self.record.initial_equity):
            self.record.initial_equity = book.equity
        row = self._books.equity_row(book)
        self.record.position_bars += len(self._positions.book.ledger.positions)
        self.record.protected_bars += row.protected
        if not self._state.view.account_unreadable:
            self.record.equity.append(row)
            self._journal.equity(row)
        self.decided_on = book
        return book

    def keep_last_account(self) -> None:
        """Keep the account as it was read at the end, so that the record and the journal show what the fills moved.

        Not where nothing can have moved since the last iteration: outside the session, without a fill.
        """
        view, rows = self._state.view, self.record.equity
        seen = view.account_time
        if seen is None or view.account_unreadable or (rows and rows[-1].time >= seen):
            return
        if not (self._state.in_session or self._sync.fills != self.fills):
            return
        now = seen.astimezone(NEW_YORK_ZONE)
        cash = float(self._positions.uncommitted_cash)
        row = self._books.equity_row(Book(now, self._state.equity, cash, positions=self._books.positions()))
        if math.isnan(self.record.initial_equity):
            self.record.initial_equity = row.equity
        rows.append(row)
        self._journal.equity(row)
