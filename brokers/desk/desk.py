"""The live desk: keeps books by the venue's word, sends plans, and brings every position back behind its stop."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial

from brokers.desk.bookkeeping import Bookkeeping
from brokers.desk.core import DeskCore
from brokers.desk.entry_halts import EntryHalts, KillLevel
from brokers.desk.execution.entry_task import EntryWindow
from brokers.desk.execution.unprotected_alarm import WatchedLock
from brokers.desk.iteration_guard import IterationGuard
from brokers.desk.plan_execution import PlanExecution
from brokers.desk.plan_telling import PlanTelling
from brokers.desk.reconcile.budget_keeper import BudgetKeeper
from brokers.desk.trading_parts import FLATTEN, TradingParts
from brokers.desk.venue_looks import VenueLooks
from brokers.desk.venue_snapshot import VenueSnapshot
from brokers.desk.venue_state import QUOTE_S
from brokers.journal import IllegalTransition, JournalConflict
from brokers.network.time_budget import uncounted
from brokers.order_types import RefusalCode
from brokers.reporting.iteration_report import IterationReport
from brokers.venue_errors import AccountUnreadable, RateLimited, VenueError, VenueUnavailable
from brokers.venue_values import TradeUpdate
from market.bars import BarTable
from risk.interface import RiskModule
from risk.model import Book, Plan

STEP_S = 8.0
LOOK_FRAC = 0.75
"""Of a step: a look that hangs leaves the rest to what goes on without one."""
FRESH_S = 1.0
ACCOUNT_READINGS = 2
"""More readings of an account whose equity is in doubt: of two that differ a third tells which is true."""
CROWDED = "own rate limit: iterations give way to the watch over stops"

log = logging.getLogger(__name__)


class LiveDesk:
    """The only place of a live run that sends, changes or cancels orders.

    Parameters
    ----------
    core : DeskCore
    halts : EntryHalts
    budget : BudgetKeeper
    halters : sequence of RiskModule
        Modules that may end a session for new positions.
    bars : callable
        The complete bars known now, None before the first.
    window : callable
        What the venue's hours say of entries now.
    submit : bool
        False decides and sends nothing (a scan).
    report : IterationReport, optional
        Tells of each iteration; None tells nothing.
    """

    def __init__(
        self,
        core: DeskCore,
        halts: EntryHalts,
        budget: BudgetKeeper,
        halters: Sequence[RiskModule],
        bars: Callable[[], BarTable | None],
        window: Callable[[], EntryWindow],
        submit: bool = True,
        report: IterationReport | None = None,
    ) -> None:
        self.state, self.positions, self.gateway = core.state, core.positions, core.gateway
        self.sync, self.observer, self.journal = core.sync, core.observer, core.journal
        self.halts = halts
        self.budget = budget
        self.halters = halters
        self.submit = submit
        self._parts = parts = TradingParts(core, halts, bars, window)
        self.barred, self.books, self.manual = parts.barred, parts.books, parts.manual
        self.entries, self.closer, self.protector = parts.entries, parts.closer, parts.protector
        self.targets, self.overdue, self.symbol_work = parts.targets, parts.overdue, parts.work
        self._bookkeeping = Bookkeeping(core, halts, budget, halters, parts.books, parts.barred, parts.entries)
        self._plans = PlanExecution(core, halts, self._bookkeeping.halter_names, parts.work)
        self.record = self._bookkeeping.record
        self.telling = PlanTelling(report, halts, parts.entries, core.journal, self.record)
        self.looks = VenueLooks(core, halts, parts.books, parts.work)
        self.look_watch = self.looks.watch
        self.guard = IterationGuard(core, halts, parts.work)
        self.lock = WatchedLock()
        self._account_told = ""

    def iteration(self) -> AbstractContextManager[None]:
        """Around one iteration: whatever goes wrong in it stops entries, never the loop."""
        return self.guard.around()

    @property
    def iterations(self) -> int:
        """How many iterations have come to their end."""
        return self.guard.iterations

    @property
    def flattened(self) -> bool:
        """Whether the kill switch has had every position of ours closed."""
        return self._parts.flattened

    def reconcile(self) -> Book:
        """What is held and what protects it, by the venue's word; what is wrong is set right on the way.

        Raises
        ------
        VenueError
            The venue could not be asked, and nothing may be decided.
        """
        if self.guard.crowded:
            raise RateLimited(CROWDED, told=True)
        with self.lock:
            self._see(partial(self.view, FRESH_S), STEP_S)
        self._settle_account()
        with self.lock:
            self.work()
            if self.state.view.account_time is None:
                # What is held is looked after; a decision by an equity that was never read would halt by a loss of all.
                raise AccountUnreadable(self.state.view.account_unreadable)
            return self._bookkeeping.book()

    def _settle_account(self) -> None:
        """Read an account again whose equity is in doubt: the next iteration may be an hour later.

        Nobody waits for it but this iteration: stops are looked after meanwhile.
        """
        for _ in range(ACCOUNT_READINGS):
            if (wait_s := self.state.figures.waits_s) is None:
                return
            with uncounted():
                time.sleep(wait_s)
            with self.lock, self.state.time_budget(QUOTE_S):
                try:
                    self.looks.see_account()
                except VenueError as error:
                    log.info("the account was not read again: %s", error)
                    return

    def end_parts(self) -> None:
        """Cancel entries that are known to have filled in part, without a look."""
        with self.lock, self.state.time_budget(STEP_S):
            self.symbol_work.end_parts()

    def tick(self, within_s: float = STEP_S, *, anyway: bool = False) -> None:
        """Work between iterations, and look before it where a look is due, or ``anyway``.

        Raises VenueError like ``reconcile``.
        """
        with self.lock, self.state.time_budget(within_s):
            self.symbol_work.end_parts()
            if anyway or self.looks.is_due():
                self._see(partial(self.look, account=self.looks.asks_account(), clock=False), within_s * LOOK_FRAC)
            self.work()

    def _see(self, look: Callable[[], object], within_s: float) -> None:
        """Look; where that fails, what is safe without it is done before the error goes on."""
        try:
            with self.state.time_budget(within_s):
                look()
        except VenueError:
            if self.submit:
                self.symbol_work.step_unseen()
            raise
        # Before anything is decided: a look that failed earlier is no reason now.
        self.halts.looked()
        if self.halts.account != self._account_told:
            self._account_told = self.halts.account
            self.halts.reasons(self.state.now, self._bookkeeping.halter_names)

    def view(self, max_age_s: float) -> VenueSnapshot:
        """The venue as last seen, looked at again if that is longer ago in local seconds."""
        with self.lock, self.state.time_budget(STEP_S):
            if self.looks.age_s > max_age_s:
                self.look()
            return self.state.view

    def snapshot(self) -> VenueSnapshot:
        """The venue for Lumibot's sync, which comes before each iteration: one look for both.

        Raises
        ------
        VenueError
        """
        if not self.guard.has_room():
            raise RateLimited(CROWDED, told=True)
        try:
            return self.view(FRESH_S / 2)
        except VenueError:
            raise
        except Exception as error:
            # Raised into Lumibot's sync it would end iterations without a word.
            self.halts.crashed(error, self.state.now)
            raise VenueUnavailable(f"the desk could not look: {error}") from error

    def execute(self, plan: Plan) -> None:
        """Send the plan: what reduces risk first, then entries."""
        with self.lock:
            self.record.decisions.extend(plan.decisions)
            self.journal.decisions(plan)
            self.telling.tell(plan, self._bookkeeping.decided_on, self._bookkeeping.fills, self.submit)
            if not self.submit or self.shutting_down:
                return
            self._plans.adjust(plan)
            try:
                self.work()
            except VenueError as error:
                self._plans.refuse(plan, f"{RefusalCode.NOT_SENT}: {error}")
                raise
            self._plans.enter(plan)

    def look(self, account: bool = True, clock: bool = True) -> None:
        """Ask the venue; contradictions between it and the journal stop entries and are logged."""
        self.looks.look(account, clock)
        self._bookkeeping.keep()

    def see_last_account(self, within_s: float) -> None:
        """Read the account once more as the process ends, and keep what it shows; raises VenueError or Refusal.

        Looks between iterations leave equity and cash as they were before the last fills.
        """
        with self.lock, self.state.time_budget(within_s):
            try:
                self.state.see_account()
            finally:
                # A look of the last minute may have read it later than the last iteration.
                self._bookkeeping.keep_last_account()

    def hear(self, update: TradeUpdate) -> bool:
        """Take in a trade update from the stream; False if it is of no order and no symbol of ours."""
        with self.lock:
            try:
                ours = self.observer.hear(update)
            except (IllegalTransition, JournalConflict, ValueError) as error:
                log.warning("a trade update does not fit, the next look will tell: %s", error)
                return True
            if ours:
                self._bookkeeping.keep()
            return ours or update.symbol in self.positions.book.ledger.positions

    def work(self) -> None:
        """One step with everything that is under way; safe to repeat."""
        if not self.submit:
            return
        if self.halts.kill.level is KillLevel.FLATTEN and not self.shutting_down:
            self._parts.flatten()
        else:
            self.closer.call_off(FLATTEN)
        self.symbol_work.step()
        if self._plans.waits_for_cash:
            # What the sale brought is in the account as it is now.
            self.view(0.0)
        self._plans.resume()
        self._bookkeeping.keep()

    @property
    def shutting_down(self) -> bool:
        """Whether the process is ending."""
        return self.gateway.shutting_down

    @shutting_down.setter
    def shutting_down(self, ending: bool) -> None:
        self.gateway.shutting_down = ending

    @property
    def busy(self) -> bool:
        """Whether something is under way that should not wait for the next iteration."""
        return self.targets.watching or self.urgent

    @property
    def uncovered(self) -> frozenset[str]:
        """Symbols of which shares have neither a stop nor a sale at the venue, so that each moment counts."""
        return frozenset(symbol for symbol in self.protector.log.protectable if not self.closer.at_venue(symbol))

    @property
    def urgent(self) -> bool:
        """Whether something is under way whose outcome only a look can show."""
        return self.symbol_work.urgent

    @property
    def symbols(self) -> set[str]:
        """What is held, on its way or resting at the venue."""
        return self.symbol_work.symbols
