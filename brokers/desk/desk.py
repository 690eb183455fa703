"""The live desk: books by the venue's word, sends plans, and brings every position back behind its stop."""

from __future__ import annotations

import contextlib
import logging
import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from datetime import time as clock_time
from functools import partial
from typing import Any

from brokers.alpaca.errors import VenueError, VenueUnavailable
from brokers.alpaca.payloads import Json
from brokers.desk.entry_halts import EntryHalts, KillLevel
from brokers.desk.execution.entries import Entries
from brokers.desk.execution.exits import Closing
from brokers.desk.execution.protection import Protector
from brokers.desk.reconcile.book_builder import BookBuilder
from brokers.desk.reconcile.budget_keeper import BudgetKeeper
from brokers.desk.reconcile.external_positions import ExternalPositions
from brokers.desk.reconcile.journal_sync import Contradiction
from brokers.desk.shutdown import leave
from brokers.desk.venue_snapshot import VenueSnapshot
from brokers.desk.venue_state import Floor
from brokers.desk_rules import ADJUSTMENT_ROLES, halt_dates, halting
from brokers.journal import IllegalTransition, JournalConflict
from brokers.record import RunRecord
from market.bars import BarTable
from risk.interface import RiskModule
from risk.model import NEW_YORK, Adjustment, Book, Plan

ITERATION_S = 12.0
"""Longest time that an iteration may spend asking the venue."""
STEP_S = 8.0
LOOK_FRAC = 0.75
"""Of a step: a look that hangs leaves the rest to what goes on without one."""
SLOW_S = 15.0
FRESH_S = 1.0
RECENT = timedelta(seconds=60)
"""How old a view may be for what is bare in it to be sold or covered without another look."""

log = logging.getLogger(__name__)


class LiveDesk:
    """The only place of a live run that sends, changes or cancels orders.

    Parameters
    ----------
    floor : Floor
    switches : EntryHalts
    budget : BudgetKeeper
    halters : sequence of RiskModule
        Modules that may end a session for new positions.
    bars : callable
        The complete bars known now, None before the first.
    closed_for_entries : callable
        Why the venue's hours forbid entries now, empty if they don't.
    submit : bool
        False decides and sends nothing (a scan).
    """

    def __init__(
        self,
        floor: Floor,
        switches: EntryHalts,
        budget: BudgetKeeper,
        halters: Sequence[RiskModule],
        bars: Callable[[], BarTable | None],
        closed_for_entries: Callable[[Entries], str],
        submit: bool = True,
    ) -> None:
        self.floor = floor
        self.switches = switches
        self.budget = budget
        self.halters = halters
        self.submit = submit
        self.entries = Entries(floor, switches, closed_for_entries)
        self.closing = Closing(floor)
        self.protector = Protector(floor, self._leave)
        self.foreign = ExternalPositions(floor, self.protector.relearn)
        self.booker = BookBuilder(floor, self.protector, bars)
        self.record = RunRecord()
        self.lock = threading.RLock()
        self.iterations = 0
        self.flattened = False
        self.leaving = False
        self.longest_s = 0.0
        self._looked = -math.inf
        self._peak = math.nan
        self._peak_since: date | None = None
        self._contradicted: set[Contradiction] = set()

    @contextlib.contextmanager
    def iteration(self) -> Iterator[None]:
        """Around one iteration: whatever goes wrong in it stops entries, never the loop.

        A venue that doesn't answer costs the iteration. Any other error halts the session for entries; the
        monitor goes on looking after what is held.
        """
        began = time.monotonic()
        try:
            with self.floor.time_budget(ITERATION_S):
                yield
            self.iterations += 1
        except VenueError as error:
            self.switches.passing["venue"] = str(error)
            log.warning("iteration skipped, the venue does not answer: %s", error)
        except Exception as error:
            # While the process leaves, its books are closed under an iteration that is still on its way.
            if not self.leaving:
                self.switches.crashed(error, self.floor.now)
        finally:
            self.longest_s = max(self.longest_s, took := time.monotonic() - began)
            if took > SLOW_S:
                log.warning("an iteration took %.1f s", took)

    def reconcile(self) -> Book:
        """What is held and what protects it, by the venue's word; what is amiss is set right on the way.

        Raises
        ------
        VenueError
            The venue could not be asked, and nothing may be decided.
        """
        with self.lock:
            self._see(partial(self.view, FRESH_S), STEP_S)
            self.work()
            return self._book()

    def tick(self, within_s: float = STEP_S) -> None:
        """Look and work between iterations; raises VenueError like ``reconcile``."""
        with self.lock, self.floor.time_budget(within_s):
            self._see(partial(self.look, account=False), within_s * LOOK_FRAC)
            self.work()

    def _see(self, look: Callable[[], object], within_s: float) -> None:
        """Look; where that fails, what is safe without it is done before the error goes on."""
        try:
            with self.floor.time_budget(within_s):
                look()
        except VenueError:
            self._go_on_unseen()
            raise
        # Before anything is decided: a look that failed earlier is no reason now.
        self.switches.looked()

    def _go_on_unseen(self) -> None:
        """What a failed look would hold up and that does no harm: entries end, bare shares are sold or covered.

        Exits that rest are not cancelled: whether their shares come free could not be seen, and they might stay bare.
        Nor is sold what they hold, since a sale would be a short one if a stop has just filled. Shares that a late look
        saw free are sold by orders of ours alone, and the outcome of those is in the journal.
        """
        if not self.submit:
            return
        # The look may have failed after it had booked something.
        self.floor.add_up()
        recent = self.floor.now - self.floor.view.time < RECENT
        for symbol in sorted(self.symbols | {order.symbol for order in self.entries.waiting}):
            known = recent and symbol not in self.foreign.taken and not self.foreign.unsettled(symbol)
            if known and self.closing.under_way(symbol):
                self._apart(symbol, partial(self.closing.go_on, symbol))
            elif known and symbol in self.protector.naked and not self.floor.unresolved(symbol):
                self._apart(symbol, partial(self.protector.tend, symbol))
            self._apart(symbol, partial(self.entries.end, symbol))

    def view(self, max_age_s: float) -> VenueSnapshot:
        """The venue as last seen, looked at again if that is longer ago in local seconds."""
        with self.lock, self.floor.time_budget(STEP_S):
            if time.monotonic() - self._looked > max_age_s:
                self.look()
            return self.floor.view

    def snapshot(self) -> tuple[list[Json], list[Json], Json]:
        """Open orders, positions and account for Lumibot's sync, which comes before each iteration: one look for both.

        Raises
        ------
        VenueError
        """
        try:
            view = self.view(FRESH_S / 2)
        except VenueError:
            raise
        except Exception as error:
            # Raised into Lumibot's sync it would end iterations without a word.
            self.switches.crashed(error, self.floor.now)
            raise VenueUnavailable(f"the desk could not look: {error}") from error
        return view.opened, list(view.positions.values()), view.account

    def execute(self, plan: Plan) -> None:
        """Send the plan: what reduces risk first, then entries."""
        with self.lock:
            self.record.decisions.extend(plan.decisions)
            self.floor.journal.decisions(plan)
            if not self.submit or self.leaving:
                return
            for adjustment in plan.adjustments:
                self._apart(adjustment.symbol, partial(self._adjust, adjustment, plan))
            self.work()
            self._enter(plan)

    def look(self, account: bool = True) -> None:
        """Ask the venue; contradictions between it and the journal stop entries and are told."""
        self.floor.look(account)
        if account:
            self._looked = time.monotonic()
        self.foreign.look()
        for wrong in self.floor.books.contradictions.values():
            self.switches.halt("journal", self.floor.now, f"{wrong.symbol}: {wrong.what}")
            if wrong not in self._contradicted:
                self._contradicted.add(wrong)
                log.error(
                    "%s: the venue contradicts the journal, no entries this session: %s", wrong.symbol, wrong.what
                )
        self._keep_books()

    def hear(self, event: Mapping[str, Any]) -> bool:
        """Take in a trade update from the stream; False if it is of no order and no symbol of ours."""
        with self.lock:
            try:
                ours = self.floor.hear(event)
            except (IllegalTransition, JournalConflict, ValueError) as error:
                log.warning("a trade update does not fit, the next look will tell: %s", error)
                return True
            if ours:
                self._keep_books()
            return ours or (event.get("order") or {}).get("symbol") in self.floor.own.ledger.positions

    def work(self) -> None:
        """One step with everything that is under way; safe to repeat."""
        if not self.submit:
            return
        if self.switches.kill.level is KillLevel.FLATTEN and not self.leaving:
            self._flatten()
        for symbol in sorted(self.symbols):
            self._apart(symbol, partial(self._tend, symbol))
        self._keep_books()

    def _apart(self, symbol: str, step: Callable[[], None]) -> None:
        """One step of one symbol; what goes wrong in it costs no other symbol its own."""
        try:
            step()
        except VenueError as error:
            log.warning("%s: the next step has to wait, %s", symbol, error)
        except Exception as error:
            self.switches.crashed(error, self.floor.now)

    def settle(self, within_s: float) -> None:
        """Before the process ends: nothing new, and bare shares get their stop back, if time allows."""
        leave(self, within_s)

    @property
    def busy(self) -> bool:
        """Whether something is under way that should not wait for the next iteration."""
        return bool(
            self.entries.tasks
            or self.closing.tasks
            or self.protector.naked
            or any(not order.venue_id for order in self.floor.journal.open_orders())
        )

    def _tend(self, symbol: str) -> None:
        # What was concluded a moment ago, and might be taken back, cancels no exits yet.
        if symbol in self.foreign.taken or symbol in self.floor.renamed or self.floor.opposed(symbol):
            self.entries.end(symbol)
            return
        self.foreign.clear_stale(symbol)
        self.closing.free(symbol)
        # Nor does what may be ours again in a moment lose its exits.
        if self.floor.own.quantity(symbol) or not self.foreign.unsettled(symbol):
            self.protector.tend(symbol, self.closing.keeps(symbol))
        self.closing.sell(symbol)
        if self.leaving:
            self.entries.end(symbol)
        else:
            self.entries.tend(symbol)

    @property
    def symbols(self) -> set[str]:
        """What is held, on its way or resting at the venue."""
        at_work = {order.symbol for order in self.floor.view.orders.values() if order.open}
        tasks = self.entries.tasks.keys() | self.closing.tasks.keys() | self.protector.naked.keys()
        return set(self.floor.own.ledger.positions) | at_work | tasks

    def _adjust(self, adjustment: Adjustment, plan: Plan) -> None:
        if adjustment.symbol not in self.floor.own.ledger.positions:
            if adjustment.kind != "tighten":
                log.warning("%s: %s left to its owner: %s", adjustment.symbol, adjustment.kind, adjustment.code)
            return
        if adjustment.kind == "tighten":
            self.protector.tighten(adjustment, plan.time)
            return
        quantity = None if adjustment.kind == "exit" else adjustment.quantity
        self.closing.begin(adjustment.symbol, quantity, ADJUSTMENT_ROLES[adjustment.kind], adjustment.code, plan.time)

    def _enter(self, plan: Plan) -> None:
        if not plan.entries:
            return
        why = self.switches.reasons(self.floor.now, self._module_names)
        if closed := self.entries.closed():
            why = [*why, closed]
        if why:
            for proposal in plan.entries:
                self.entries.refuse(proposal, plan.time, f"DESK_STOPPED: {'; '.join(why)}")
            return
        quotes = self.floor.quotes([proposal.symbol for proposal in plan.entries])
        for proposal in plan.entries:
            self.entries.begin(proposal, plan.time, quotes[proposal.symbol])

    @property
    def _module_names(self) -> frozenset[str]:
        return frozenset(module.name for module in self.halters)

    def _leave(self, symbol: str, why: str) -> None:
        if self.foreign.unsettled(symbol):
            log.warning("%s: not left before its shares are settled, %s", symbol, why)
            return
        log.warning("%s: leaving at once, %s", symbol, why)
        self.closing.begin(symbol, None, "close", why, self.floor.now)

    def _flatten(self) -> None:
        """The kill switch's second level: no entries, and nothing stays."""
        for symbol in list(self.floor.own.ledger.positions):
            self.closing.begin(symbol, None, "close", "kill switch: flatten", self.floor.now)
        # An order that opens may be filled as long as it is not over, one without an answer too.
        if not self.floor.own.ledger.positions and not self.closing.tasks and not self.entries.waiting:
            if not self.flattened:
                log.warning("kill switch: every position of ours is closed")
            self.flattened = True

    def _keep_books(self) -> None:
        """What fills changed goes to the budget and the record; a budget that cannot be kept stops entries."""
        try:
            self.budget.keep(self.floor.own.ledger.budget)
            self.switches.passing.pop("budget", None)
        except OSError as error:
            self.switches.passing["budget"] = f"{self.budget.path}: cannot be written ({error.strerror})"
        self.booker.keep_trades(self.record)

    def _with_halts(self, book: Book) -> Book:
        """The book with what halts of several sessions need: when they began, and the peak since the last one ended."""
        journal, today = self.floor.journal, book.time.date()
        known = {m.name: halt for m in self.halters if (halt := journal.last_halt(m.name)) is not None}
        ends = [known[m.name].until for m in self.halters if m.measures_peak and m.name in known]
        since = max(ends, default=None)
        if since != self._peak_since or math.isnan(self._peak):
            self._peak_since = since
            highest = journal.highest_equity(None if since is None else since + timedelta(days=1))
            self._peak = book.equity if highest is None else float(highest)
        # While such a halt lasts nothing is measured from a peak: it begins anew in the session after it.
        self._peak = book.equity if since is not None and today <= since else max(self._peak, book.equity)
        return replace(book, equity_peak=self._peak, last_halts={name: halt.began for name, halt in known.items()})

    def _ends_of_halts(self, today: date) -> dict[str, datetime]:
        """When the halts of rules that hold today end, at midnight in New York."""
        known = {m.name: halt for m in self.halters if (halt := self.floor.journal.last_halt(m.name)) is not None}
        days = {name: halt.until + timedelta(days=1) for name, halt in known.items() if halt.until >= today}
        return {name: datetime.combine(day, clock_time.min, NEW_YORK) for name, day in days.items()}

    def _book(self) -> Book:
        book = self._with_halts(self.booker.book(self.entries.pending()))
        for module in list(halting(self.halters, book, self.switches.halted(book.time))):
            sessions = halt_dates(book.time.date(), module.halt_sessions, self.floor.settings.pace.market)
            self.switches.halt(module.name, book.time, f"equity {book.equity:.2f}", sessions)
            self.record.halts.append((book.time, module.name))
        book = replace(book, halted=self.switches.halted(book.time), halted_until=self._ends_of_halts(book.time.date()))
        self.switches.reasons(book.time, self._module_names)
        if math.isnan(self.record.initial_equity):
            self.record.initial_equity = book.equity
        row = self.booker.equity_row(book)
        self.record.equity.append(row)
        self.record.position_bars += len(self.floor.own.ledger.positions)
        self.record.protected_bars += row.protected
        self.floor.journal.equity(row)
        return book
