"""The live desk: keeps books by the venue's word, sends plans, and brings every position back behind its stop."""

from __future__ import annotations

import contextlib
import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from brokers.desk.barred_entries import BarredEntries
from brokers.desk.book_builder import BookBuilder
from brokers.desk.core import DeskCore
from brokers.desk.entry_halts import EntryHalts, KillLevel
from brokers.desk.execution.backoff import elapsed
from brokers.desk.execution.closing import PositionCloser
from brokers.desk.execution.entries import Entries
from brokers.desk.execution.entry_task import EntryWindow
from brokers.desk.execution.filling import Filling
from brokers.desk.execution.overdue_stops import OverdueStops
from brokers.desk.execution.protection import Protector
from brokers.desk.execution.target_exchange import TargetExchange
from brokers.desk.execution.unprotected_alarm import WatchedLock
from brokers.desk.lasting_halts import LastingHalts
from brokers.desk.look_pace import IDLE_S
from brokers.desk.look_watch import LookWatch
from brokers.desk.plan_execution import PlanExecution
from brokers.desk.reconcile.budget_keeper import BudgetKeeper
from brokers.desk.reconcile.journal_sync import Contradiction
from brokers.desk.reconcile.manual_positions import ManualPositions
from brokers.desk.symbol_work import SymbolWork
from brokers.desk.venue_snapshot import VenueSnapshot
from brokers.desk.venue_state import QUOTE_S
from brokers.desk_rules import end_of_halt, halt_dates, halting
from brokers.journal import IllegalTransition, JournalConflict
from brokers.order_types import OrderRole
from brokers.record import HaltRecord, RunRecord
from brokers.reporting.iteration_report import IterationReport
from brokers.venue_errors import AccountUnreadable, RateLimited, VenueError, VenueUnavailable, level_of
from brokers.venue_values import TradeUpdate
from config.errors import Refusal
from config.values.counting import unit_of
from config.values.markets import NEW_YORK_ZONE
from market.bars import BarTable
from market.trading_day import day_of
from risk.interface import RiskModule
from risk.model import Book, Plan, Position

ITERATION_S = 12.0
"""Longest time that an iteration may spend asking the venue."""
STEP_S = 8.0
LOOK_FRAC = 0.75
"""Of a step: a look that hangs leaves the rest to what goes on without one."""
URGENT_S = 1.0
"""The venue's seconds between two looks at a venue with few requests while something is under way."""
ROOM_WITHIN_S, NAP_S = 60.0, 0.1
"""Local seconds that an iteration waits for room below the rate limit, and how often it asks for it."""
SLOW_S = 15.0
FRESH_S = 1.0
ACCOUNT_AGAIN = timedelta(seconds=10)
"""How old the account may be while protection is refused."""
OPENING_AGAIN_S = 10.0
"""The venue's seconds until the account is asked for again for a session's opening equity, at least."""
FLATTEN = "kill switch: flatten"
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
        self._report, self._decided_on, self._fills = report, Book(core.state.now, 0.0, 0.0), core.sync.fills
        self.state, self.positions, self.gateway = core.state, core.positions, core.gateway
        self.sync, self.observer, self.journal = core.sync, core.observer, core.journal
        self.halts = halts
        self.budget = budget
        self.halters = halters
        self.submit = submit
        trading = core.state, core.positions, core.gateway
        self.barred = BarredEntries(core.state, core.positions, bars, core.settings.gate.price_collar_frac)
        filling = Filling(core.state, core.positions)
        self.entries = Entries(*trading, halts, core.settings, window, self.barred.far)
        self.closer = PositionCloser(*trading, core.settings, filling)
        self.protector = Protector(*trading, core.settings, self._leave)
        self.targets = TargetExchange(*trading, core.settings, self.protector.levels, filling)
        self.manual = ManualPositions(
            core.state, core.positions, core.sync, core.settings, core.gateway.cancel, self.protector.relearn
        )
        self.books = BookBuilder(
            core.state, core.positions, core.settings.universe.sectors, self._stop_and_target, bars
        )
        self.record = RunRecord()
        self.lock = WatchedLock()
        self.iterations = 0
        self.flattened = False
        self.longest_s = 0.0
        self._looked = self._seen_at = -math.inf
        self._opening_tried: datetime | None = None
        self._limit = core.state.venue.request_limit
        self.look_watch = LookWatch(lambda: self.state.clock.local(max(IDLE_S, self._limit.quiet_s)))
        self.overdue = OverdueStops(core.state, core.positions, self._leave, filling, asks=self.targets.needed)
        self.symbol_work = SymbolWork(
            core, halts, self.entries, self.closer, self.protector, self.targets, self.manual, self.overdue
        )
        self._plans = PlanExecution(core, halts, halters, self.symbol_work)
        self._lasting = LastingHalts(core.journal, halters)
        self._market = core.settings.pace.market
        self._extended = core.settings.live.extended_hours.enabled
        self._contradicted: set[Contradiction] = set()
        self._held_back: set[str] = set()
        self._crowded = False
        self._account_told = ""

    @contextlib.contextmanager
    def iteration(self) -> Iterator[None]:
        """Around one iteration: whatever goes wrong in it stops entries, never the loop.

        A venue that doesn't answer costs the iteration. Any other error halts the session for entries; the
        monitor goes on looking after what is held.
        """
        was_crowded, self._crowded = self._crowded, not self._has_room()
        began = time.monotonic()
        try:
            with self.state.time_budget(ITERATION_S):
                yield
            self.iterations += 1
        except VenueError as error:
            # Why the venue counts as gone is told already.
            if str(error) != self.halts.venue_gone():
                self.halts.passing["venue"] = str(error)
            first = self._crowded and not was_crowded
            log.log(logging.WARNING if first else level_of(error), "iteration skipped: %s", error)
        except Exception as error:
            # At shutdown the journal is closed under an iteration that is still on its way.
            if not self.shutting_down:
                self.halts.crashed(error, self.state.now)
        finally:
            self.longest_s = max(self.longest_s, took := time.monotonic() - began)
            if took > SLOW_S:
                log.warning("an iteration took %.1f s", took)

    def reconcile(self) -> Book:
        """What is held and what protects it, by the venue's word; what is wrong is set right on the way.

        Raises
        ------
        VenueError
            The venue could not be asked, and nothing may be decided.
        """
        if self._crowded:
            raise RateLimited(CROWDED, told=True)
        with self.lock:
            self._see(partial(self.view, FRESH_S), STEP_S)
            self.work()
            if self.state.view.account_time is None:
                # What is held is looked after; a decision by an equity that was never read would halt by a loss of all.
                raise AccountUnreadable(self.state.view.account_unreadable)
            return self._book()

    def _has_room(self) -> bool:
        """Wait, without the lock, until an iteration leaves the watch the requests it needs.

        While shares are without their stop or a position is being closed, it does not wait but gives way.
        """
        ends, began = time.monotonic() + ROOM_WITHIN_S, time.monotonic()
        while not self.state.room(self._limit.iteration):
            urgent = self.protector.log.protectable or self.closer.working or self.shutting_down
            if urgent or time.monotonic() >= ends:
                return False
            time.sleep(NAP_S)
        if (waited := time.monotonic() - began) > SLOW_S:
            log.warning("an iteration waited %.0f s for the own rate limit", waited)
        return True

    def end_parts(self) -> None:
        """Cancel entries that are known to have filled in part, without a look."""
        with self.lock, self.state.time_budget(STEP_S):
            self.symbol_work.end_parts()

    def tick(self, within_s: float = STEP_S) -> None:
        """Look and work between iterations; raises VenueError like ``reconcile``."""
        with self.lock, self.state.time_budget(within_s):
            self.symbol_work.end_parts()
            if self._look_is_due():
                self._see(partial(self.look, account=self._account_is_in_doubt(), clock=False), within_s * LOOK_FRAC)
            self.work()

    def _look_is_due(self) -> bool:
        """Whether to look between iterations: always, but where requests are few and nothing has happened."""
        limit, local = self._limit, self.state.clock.local
        if not limit.quiet_s or (self._opens() and self._opening_again):
            return True
        since = time.monotonic() - self._seen_at
        if self.urgent and since >= local(URGENT_S):
            return since >= local(limit.look_s) or self.state.room(limit.look + limit.iteration)
        return since >= local(limit.quiet_s)

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
            self.halts.reasons(self.state.now, self._plans.halter_names)

    def _account_is_in_doubt(self) -> bool:
        """Whether to ask for the account between iterations: protection is refused, and it may say why."""
        seen = self.state.view.account_time
        return self.protector.refused and (seen is None or elapsed(self.state.now, seen, ACCOUNT_AGAIN))

    def view(self, max_age_s: float) -> VenueSnapshot:
        """The venue as last seen, looked at again if that is longer ago in local seconds."""
        with self.lock, self.state.time_budget(STEP_S):
            if time.monotonic() - self._looked > max_age_s:
                self.look()
            return self.state.view

    def snapshot(self) -> VenueSnapshot:
        """The venue for Lumibot's sync, which comes before each iteration: one look for both.

        Raises
        ------
        VenueError
        """
        if not self._has_room():
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
            self._tell(plan)
            if not self.submit or self.shutting_down:
                return
            self._plans.adjust(plan)
            self.work()
            self._plans.enter(plan)

    def _tell(self, plan: Plan) -> None:
        """Put what was decided into the log; what goes wrong in telling costs no order."""
        if self._report is None:
            return
        try:
            stopped = bool(self.halts.told)
            self._report.decided(
                plan,
                self._decided_on,
                self._fills,
                submit=self.submit,
                stopped=stopped,
                earlier=self._earlier_halt,
                again=self.entries.refused_on(plan.time.date()),
            )
        except Exception:
            log.exception("an iteration could not be told of")

    def _earlier_halt(self, name: str) -> str:
        """When and at what a halt began that an earlier run made, in words; empty for one of this run."""
        began = self._decided_on.last_halts.get(name)
        if began is None or any(halt.module == name for halt in self.record.halts):
            return ""
        reason = self.journal.halt_reason(name, began)
        since = f"since {began.astimezone(NEW_YORK_ZONE):%a %Y-%m-%d %H:%M:%S}"
        return f"{since}, begun at {reason}" if reason else since

    def look(self, account: bool = True, clock: bool = True) -> None:
        """Ask the venue; contradictions between it and the journal stop entries and are logged.

        The first look of a session opens it: the day is measured from equity at the opening, and the first iteration
        may come an hour later.
        """
        opens = self._opens()
        try:
            self.observer.look(account, clock)
        except Refusal:
            self.look_watch.looked()
            self._see_unbooked()
            raise
        except VenueError as error:
            self.look_watch.failed(error)
            raise
        self.look_watch.looked()
        self._seen_at = time.monotonic()
        self.halts.account = self.state.view.account.blocked
        self._tell_account(self.state.view.account_unreadable)
        if account and clock:
            self._looked = time.monotonic()
        self.manual.compare()
        self._tell_held_back()
        alarms, self.sync.alarms = self.sync.alarms, []
        for wrong in (*self.sync.contradictions.values(), *alarms):
            self.halts.halt("journal", self.state.now, f"{wrong.symbol}: {wrong.what}")
            if wrong not in self._contradicted:
                self._contradicted.add(wrong)
                log.error(
                    "%s: the venue contradicts the journal, no entries this session: %s", wrong.symbol, wrong.what
                )
        if opens and (account or self._opening_again):
            self._open_session(account)
        self._keep_books()

    def _open_session(self, seen: bool) -> None:
        """Fix the equity at the opening; ``seen`` says whether this look has asked for the account.

        Where the account cannot be asked for, or the journal not be written, a later look does it, and stops are looked
        after meanwhile.
        """
        self._opening_tried = self.state.now
        try:
            if not seen:
                with self.state.time_budget(QUOTE_S):
                    self.observer.see_account()
                self._tell_account(self.state.view.account_unreadable)
            if not self.state.view.account_unreadable:
                self.books.open_session(self.state.now)
        except (VenueError, Refusal) as error:
            log.debug("the session's opening is not known yet: %s", error)

    def _opens(self) -> bool:
        """Whether a session is on, extended hours included where they count, whose opening equity is not fixed yet."""
        opened = self.books.opening
        if opened is not None and opened[0] == day_of(self.state.now):
            return False
        return self.state.in_session or (self._extended and not self.entries.window().closed)

    @property
    def _opening_again(self) -> bool:
        """Whether the last try to fix it is so long ago that a request for the account may be spent on it."""
        tried, again = self._opening_tried, timedelta(seconds=max(OPENING_AGAIN_S, self._limit.quiet_s))
        return tried is None or elapsed(self.state.now, tried, again)

    def _tell_account(self, unreadable: str) -> None:
        """Where equity and cash are not known nothing is entered; exits go on with those that were known last."""
        if unreadable:
            self.halts.passing["account"] = unreadable
        else:
            self.halts.passing.pop("account", None)

    def _see_unbooked(self) -> None:
        """The journal cannot be used, so nothing can be sent; what has no stop at the venue is measured anyway."""
        for symbol in {*self.positions.book.ledger.positions, *self.entries.tasks, *self.protector.log.present}:
            try:
                self.protector.see(symbol)
            except Refusal as refusal:
                log.debug("%s: what protects it is not known, %s", symbol, refusal)

    def _tell_held_back(self) -> None:
        """Where an order of ours cannot be read nothing is sent or cancelled: what it protects is not known."""
        found = self.state.view.held_back
        for symbol in found.keys() - self._held_back:
            log.error("%s: nothing is sent in it before that changes: %s", symbol, found[symbol])
        for symbol in self._held_back - found.keys():
            log.warning("%s: its orders can be read again", symbol)
        self._held_back = set(found)

    def hear(self, update: TradeUpdate) -> bool:
        """Take in a trade update from the stream; False if it is of no order and no symbol of ours."""
        with self.lock:
            try:
                ours = self.observer.hear(update)
            except (IllegalTransition, JournalConflict, ValueError) as error:
                log.warning("a trade update does not fit, the next look will tell: %s", error)
                return True
            if ours:
                self._keep_books()
            return ours or update.symbol in self.positions.book.ledger.positions

    def work(self) -> None:
        """One step with everything that is under way; safe to repeat."""
        if not self.submit:
            return
        if self.halts.kill.level is KillLevel.FLATTEN and not self.shutting_down:
            self._flatten()
        else:
            self.closer.call_off(FLATTEN)
        self.symbol_work.step()
        if self._plans.waits_for_cash:
            # What the sale brought is in the account as it is now.
            self.view(0.0)
        self._plans.resume()
        self._keep_books()

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
    def uncovered(self) -> bool:
        """Whether shares have neither a stop nor a sale at the venue, so that each moment counts."""
        return any(not self.closer.at_venue(symbol) for symbol in self.protector.log.protectable)

    @property
    def urgent(self) -> bool:
        """Whether something is under way whose outcome only a look can show."""
        return self.symbol_work.urgent

    @property
    def symbols(self) -> set[str]:
        """What is held, on its way or resting at the venue."""
        return self.symbol_work.symbols

    def _stop_and_target(self, position: Position) -> tuple[float, float]:
        levels = self.protector.levels(position)
        return levels.stop, levels.target

    def _leave(self, symbol: str, why: str) -> None:
        if self.manual.unsettled(symbol):
            log.warning("%s: not left before its %s are settled, %s", symbol, unit_of(symbol), why)
            return
        log.warning("%s: leaving at once, %s", symbol, why)
        self.closer.begin(symbol, None, OrderRole.CLOSE, why, self.state.now)

    def _flatten(self) -> None:
        """The kill switch's second level: no entries, and nothing stays."""
        for symbol in list(self.positions.book.ledger.positions):
            self.closer.begin(symbol, None, OrderRole.CLOSE, FLATTEN, self.state.now)
        # An order that opens may be filled as long as it is not over, one without an answer too.
        if not self.positions.book.ledger.positions and not self.closer.tasks and not self.entries.waiting:
            if not self.flattened:
                log.warning("kill switch: every position of ours is closed")
            self.flattened = True

    def _keep_books(self) -> None:
        """What fills changed goes to the budget and the record; a budget that cannot be kept stops entries."""
        try:
            self.budget.keep(self.positions.book.ledger.budget)
            self.halts.passing.pop("budget", None)
        except OSError as error:
            self.halts.passing["budget"] = f"{self.budget.path}: cannot be written ({error.strerror})"
        self.books.keep_trades(self.record)

    def _book(self) -> Book:
        # What is filled from here on is told with the book that shows it.
        self._fills = self.sync.fills
        book = self._lasting.measured(self.books.book(self.entries.pending(), self.entries.sent))
        for module in list(halting(self.halters, book, self.halts.halted(book.time))):
            sessions = halt_dates(day_of(book.time), module.halt_sessions, self._market)
            self.halts.halt(module.name, book.time, f"equity {book.equity:.2f}", sessions)
            self.record.halts.append(HaltRecord(book.time, module.name, end_of_halt(sessions[-1])))
        halted, until = self.halts.halted(book.time), self._lasting.ends(day_of(book.time))
        book = replace(book, halted=halted, halted_until=until, barred=self.barred.now())
        self.halts.reasons(book.time, self._plans.halter_names)
        if math.isnan(self.record.initial_equity):
            self.record.initial_equity = book.equity
        row = self.books.equity_row(book)
        self.record.position_bars += len(self.positions.book.ledger.positions)
        self.record.protected_bars += row.protected
        if not self.state.view.account_unreadable:
            self.record.equity.append(row)
            self.journal.equity(row)
        self._decided_on = book
        return book
