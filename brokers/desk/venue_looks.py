"""Looks at the venue: when one is due, what it needs to ask for, and what it finds wrong."""

from __future__ import annotations

import logging
import math
import time
from datetime import timedelta

from brokers.desk.book_builder import BookBuilder
from brokers.desk.core import DeskCore
from brokers.desk.entry_halts import EntryHalts
from brokers.desk.execution.backoff import elapsed
from brokers.desk.look_pace import IDLE_S
from brokers.desk.look_watch import LookWatch
from brokers.desk.reconcile.order_comparison import Contradiction
from brokers.desk.session_opening import SessionOpening
from brokers.desk.symbol_work import SymbolWork
from brokers.venue_errors import VenueError
from config.errors import Refusal

URGENT_S = 1.0
"""The venue's seconds between two looks at a venue with few requests while something is under way."""
ACCOUNT_AGAIN = timedelta(seconds=10)
"""How old the account may be while protection is refused, and in the last minute of a session."""
SESSION_ENDS = timedelta(seconds=60)
"""So long before the close the account is asked for with each look: the summary tells of it as it was then."""

log = logging.getLogger(__name__)


class VenueLooks:
    """Looks, and tells what contradicts the books or cannot be read.

    Parameters
    ----------
    core : DeskCore
    halts : EntryHalts
    books : BookBuilder
    work : SymbolWork
    """

    def __init__(self, core: DeskCore, halts: EntryHalts, books: BookBuilder, work: SymbolWork) -> None:
        self._state, self._positions, self._observer, self._sync = core.state, core.positions, core.observer, core.sync
        self._halts, self._work = halts, work
        self.opening = SessionOpening(core.state, books, self._tell_account)
        self._limit = core.state.venue.request_limit
        self.watch = LookWatch(lambda: self._state.clock.local(max(IDLE_S, self._limit.quiet_s)))
        self._looked = self._seen_at = -math.inf
        self._contradicted: set[Contradiction] = set()
        self._held_back: set[str] = set()

    @property
    def age_s(self) -> float:
        """Local seconds since a look has asked for everything, infinite before the first."""
        return time.monotonic() - self._looked

    def is_due(self) -> bool:
        """Whether to look between iterations: always, but where requests are few and nothing has happened."""
        limit, local = self._limit, self._state.clock.local
        if not limit.quiet_s or (self.opening.is_due() and self.opening.again):
            return True
        since = time.monotonic() - self._seen_at
        if since >= local(limit.quiet_s):
            return True
        if since >= local(URGENT_S) and self._work.urgent:
            return since >= local(limit.look_s) or self._has_room()
        # It may rest for days: iterations and commands find room beside these looks all the same.
        return since >= local(IDLE_S) and bool(self._work.entries.waiting) and self._has_room()

    def _has_room(self) -> bool:
        """Whether there are requests for a look and an iteration beside it."""
        return self._state.room(self._limit.look + self._limit.iteration)

    def asks_account(self) -> bool:
        """Whether to ask for the account between iterations.

        Protection is refused, and it may say why; or the session is about to end, and its last equity is to be known.
        Equity that is in doubt is read again.
        """
        state, seen = self._state, self._state.view.account_time
        if state.figures.waits_s == 0:
            return True
        ends = state.in_session and state.closes_within(SESSION_ENDS)
        return (self._work.protector.refused or ends) and (seen is None or elapsed(state.now, seen, ACCOUNT_AGAIN))

    def look(self, account: bool = True, clock: bool = True) -> None:
        """Ask the venue; contradictions between it and the journal stop entries and are logged.

        The first look of a session opens it: the day is measured from equity at the opening, and the first iteration
        may come an hour later.
        """
        opens = self.opening.is_due()
        try:
            self._observer.look(account, clock)
        except Refusal:
            self.watch.looked()
            self._see_unbooked()
            raise
        except VenueError as error:
            self.watch.failed(error)
            raise
        self.watch.looked()
        self._seen_at = time.monotonic()
        self._halts.account = self._state.view.account.blocked
        self._tell_account(self._state.view.account_unreadable)
        if account and clock:
            self._looked = time.monotonic()
        self._work.manual.compare()
        self._tell_held_back()
        alarms, self._sync.alarms = self._sync.alarms, []
        for wrong in (*self._sync.contradictions.values(), *alarms):
            self._halts.halt("journal", self._state.now, f"{wrong.symbol}: {wrong.what}")
            if wrong not in self._contradicted:
                self._contradicted.add(wrong)
                log.error(
                    "%s: the venue contradicts the journal, no entries this session: %s", wrong.symbol, wrong.what
                )
        if opens and (account or self.opening.again):
            self.opening.open(account)

    def see_account(self) -> None:
        """Ask for the account alone; raises VenueError."""
        self._state.see_account()
        self._tell_account(self._state.view.account_unreadable)

    def _tell_account(self, unreadable: str) -> None:
        """Where equity and cash are not known nothing is entered; exits go on with those that were known last."""
        if unreadable:
            self._halts.passing["account"] = unreadable
        else:
            self._halts.passing.pop("account", None)

    def _see_unbooked(self) -> None:
        """The journal cannot be used, so nothing can be sent; what has no stop at the venue is measured anyway."""
        for symbol in {
            *self._positions.book.ledger.positions,
            *self._work.entries.tasks,
            *self._work.protector.log.present,
        }:
            try:
                self._work.protector.see(symbol)
            except Refusal as refusal:
                log.debug("%s: what protects it is not known, %s", symbol, refusal)

    def _tell_held_back(self) -> None:
        """Where an order of ours cannot be read nothing is sent or cancelled: what it protects is not known."""
        found = self._state.view.held_back
        for symbol in found.keys() - self._held_back:
            log.error("%s: nothing is sent in it before that changes: %s", symbol, found[symbol])
        for symbol in self._held_back - found.keys():
            log.warning("%s: its orders can be read again", symbol)
        self._held_back = set(found)
