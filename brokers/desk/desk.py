"""The live desk: keeps books by the venue's word, sends plans, and brings every position back behind its stop."""

from __future__ import annotations

import contextlib
import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import partial

from brokers.desk.book_builder import BookBuilder
from brokers.desk.core import DeskCore
from brokers.desk.entry_halts import EntryHalts, KillLevel
from brokers.desk.execution.closing import PositionCloser
from brokers.desk.execution.entries import Entries, EntryWindow
from brokers.desk.execution.protection import Protector
from brokers.desk.execution.target_exchange import TargetExchange
from brokers.desk.execution.unprotected_alarm import WatchedLock
from brokers.desk.reconcile.budget_keeper import BudgetKeeper
from brokers.desk.reconcile.external_positions import ExternalPositions
from brokers.desk.reconcile.journal_sync import Contradiction
from brokers.desk.venue_snapshot import VenueSnapshot
from brokers.desk_rules import ADJUSTMENT_ROLES, halt_dates, halting
from brokers.journal import IllegalTransition, JournalConflict
from brokers.order_types import OrderRole, RefusalCode
from brokers.quantities import digits
from brokers.record import RunRecord
from brokers.reporting.iteration_report import IterationReport
from brokers.venue_errors import NotSent, VenueError, VenueUnavailable, level_of
from brokers.venue_values import TradeUpdate
from market.bars import BarTable
from market.trading_day import begin_of, day_of
from risk.interface import RiskModule
from risk.model import Adjustment, Book, Plan, Position

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
RECENT = timedelta(seconds=60)
"""How old a view may be for what it shows unprotected to be sold or protected without another look."""

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
        self._report, self._decided_on = report, Book(core.state.now, 0.0, 0.0)
        self.state, self.positions, self.gateway = core.state, core.positions, core.gateway
        self.sync, self.observer, self.journal = core.sync, core.observer, core.journal
        self.halts = halts
        self.budget = budget
        self.halters = halters
        self.submit = submit
        trading = core.state, core.positions, core.gateway
        self.entries = Entries(*trading, halts, core.settings, window)
        self.closer = PositionCloser(*trading, core.settings)
        self.protector = Protector(*trading, core.settings, self._leave)
        self.targets = TargetExchange(*trading, core.settings, self.protector.levels)
        self.external = ExternalPositions(
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
        self._limit = core.state.venue.request_limit
        self._peak = math.nan
        self._peak_since: date | None = None
        self._market = core.settings.pace.market
        self._contradicted: set[Contradiction] = set()
        self._held_back: set[str] = set()
        self._crowded = False

    @contextlib.contextmanager
    def iteration(self) -> Iterator[None]:
        """Around one iteration: whatever goes wrong in it stops entries, never the loop.

        A venue that doesn't answer costs the iteration. Any other error halts the session for entries; the
        monitor goes on looking after what is held.
        """
        self._crowded = not self._has_room()
        began = time.monotonic()
        try:
            with self.state.time_budget(ITERATION_S):
                yield
            self.iterations += 1
        except VenueError as error:
            self.halts.passing["venue"] = str(error)
            log.log(level_of(error), "iteration skipped: %s", error)
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
            raise NotSent(CROWDED)
        with self.lock:
            self._see(partial(self.view, FRESH_S), STEP_S)
            self.work()
            return self._book()

    def _has_room(self) -> bool:
        """Wait, without the lock, until an iteration leaves the watch the requests it needs.

        While shares are without their stop or a position is being closed, it does not wait but gives way.
        """
        ends, began = time.monotonic() + ROOM_WITHIN_S, time.monotonic()
        while not self.state.room(self._limit.iteration):
            urgent = self.protector.log.present or self.closer.tasks or self.shutting_down
            if urgent or time.monotonic() >= ends:
                return False
            time.sleep(NAP_S)
        if (waited := time.monotonic() - began) > SLOW_S:
            log.warning("an iteration waited %.0f s for the own rate limit", waited)
        return True

    def tick(self, within_s: float = STEP_S) -> None:
        """Look and work between iterations; raises VenueError like ``reconcile``."""
        with self.lock, self.state.time_budget(within_s):
            self._end_parts()
            if self._look_is_due():
                self._see(partial(self.look, account=False), within_s * LOOK_FRAC)
            self.work()

    def _end_parts(self) -> None:
        """Cancel entries that are known to have filled in part, before anything is asked: their shares have no stop."""
        for symbol in sorted(self.entries.parts() - self.state.view.held_back.keys()):
            self._isolated(symbol, partial(self.entries.end, symbol))

    def _look_is_due(self) -> bool:
        """Whether to look between iterations: always, but where requests are few and nothing has happened."""
        limit, local = self._limit, self.state.clock.local
        if not limit.quiet_s:
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
            self._go_on_unseen()
            raise
        # Before anything is decided: a look that failed earlier is no reason now.
        self.halts.looked()

    def _go_on_unseen(self) -> None:
        """Do what no look could forbid: entries end, unprotected shares are sold or protected.

        Exits that rest are not cancelled: whether their shares come free could not be seen, and they might stay
        unprotected. Nor are the shares sold that they hold, since a sale would be a short one if a stop has just
        filled. Shares that a recent look saw free are sold by orders of ours alone, whose outcome is in the journal.
        """
        if not self.submit:
            return
        # The look may have failed after it had booked something.
        self.positions.refresh()
        recent = self.state.now - self.state.view.time < RECENT
        for symbol in sorted(self.symbols | {order.symbol for order in self.entries.waiting}):
            if symbol in self.state.view.held_back:
                continue
            known = recent and symbol not in self.external.reduced and not self.external.unsettled(symbol)
            if known and self.closer.under_way(symbol):
                self._isolated(symbol, partial(self.closer.go_on, symbol))
            elif known and symbol in self.protector.log.present and not self._may_be_protected(symbol):
                self._isolated(symbol, partial(self.protector.tend, symbol))
            self._isolated(symbol, partial(self.entries.end, symbol))

    def _may_be_protected(self, symbol: str) -> bool:
        """Whether shares that were seen without a stop may have one by now: an order has no answer, or all of an entry
        may have filled, which gives its own exits effect.
        """
        entries = self.positions.protection(symbol).entries
        return bool(self.positions.unresolved(symbol)) or any(entry.filled for entry in entries)

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
            raise NotSent(CROWDED)
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
            for adjustment in plan.adjustments:
                self._isolated(adjustment.symbol, partial(self._adjust, adjustment, plan))
            self.work()
            self._enter(plan)

    def _tell(self, plan: Plan) -> None:
        """Put what was decided into the log; what goes wrong in telling costs no order."""
        if self._report is None:
            return
        try:
            self._report.decided(plan, self._decided_on, self.sync.fills, submit=self.submit)
        except Exception:
            log.exception("an iteration could not be told of")

    def look(self, account: bool = True) -> None:
        """Ask the venue; contradictions between it and the journal stop entries and are logged."""
        self.observer.look(account)
        self._seen_at = time.monotonic()
        self.halts.account = self.state.view.account.blocked
        if account:
            self._looked = time.monotonic()
        self.external.look()
        self._tell_held_back()
        alarms, self.sync.alarms = self.sync.alarms, []
        for wrong in (*self.sync.contradictions.values(), *alarms):
            self.halts.halt("journal", self.state.now, f"{wrong.symbol}: {wrong.what}")
            if wrong not in self._contradicted:
                self._contradicted.add(wrong)
                log.error(
                    "%s: the venue contradicts the journal, no entries this session: %s", wrong.symbol, wrong.what
                )
        self._keep_books()

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
        for symbol in sorted(self.symbols):
            self._isolated(symbol, partial(self._tend, symbol))
        self._keep_books()

    def _isolated(self, symbol: str, step: Callable[[], None]) -> None:
        """One step of one symbol; what goes wrong in it costs no other symbol its own."""
        try:
            step()
        except VenueError as error:
            log.warning("%s: the next step has to wait, %s", symbol, error)
        except Exception as error:
            self.halts.crashed(error, self.state.now)

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
        return any(not self.closer.at_venue(symbol) for symbol in self.protector.log.present)

    @property
    def urgent(self) -> bool:
        """Whether something is under way whose outcome only a look can show."""
        return bool(
            self.entries.tasks
            or self.closer.tasks
            or self.protector.log.present
            or self.protector.cancelling
            or self.targets.under_way
            or any(not order.venue_id for order in self.journal.open_orders())
        )

    def _tend(self, symbol: str) -> None:
        if symbol in self.state.view.held_back:
            return
        # What was concluded a moment ago, and might be taken back, cancels no exits yet.
        if symbol in self.external.reduced or symbol in self.positions.renamed or self.positions.opposed(symbol):
            self.entries.end(symbol)
            return
        self.external.clear_stale(symbol)
        self._close_what_exits_opened(symbol)
        self.closer.free(symbol)
        self._exchange_target(symbol)
        # Nor does what may be ours again in a moment lose its exits.
        if self.positions.book.quantity(symbol) or not self.external.unsettled(symbol):
            known = symbol in self.closer.tasks
            self.protector.tend(symbol, self._keeps(symbol))
            if not known and symbol in self.closer.tasks:
                # Protection has found that the market has passed the stop: what is free goes in this step.
                self.closer.free(symbol)
        self.closer.sell(symbol)
        if self.shutting_down:
            self.entries.end(symbol)
        else:
            self.entries.tend(symbol)

    def _close_what_exits_opened(self, symbol: str) -> None:
        """Exits of ours that sold more than there was have opened a position that nobody decided: it goes at once."""
        own, there = self.positions.book, self.state.view.held(symbol)
        if not own.turned(symbol) or symbol in self.closer.tasks or self.shutting_down:
            return
        if own.quantity(symbol) * there > 0 and not self.external.unsettled(symbol):
            log.error(
                "%s: exits of ours left %s shares, which are closed at once", symbol, digits(own.quantity(symbol))
            )
            self.closer.begin(symbol, None, OrderRole.CLOSE, "exits sold more than was held", self.state.now)

    def _exchange_target(self, symbol: str) -> None:
        """Where the venue has no pair of stop and target, take a target that is reached; a close goes before it."""
        if not self.targets.needed:
            return
        if symbol in self.closer.tasks or self.shutting_down:
            self.targets.give_up(symbol)
        else:
            self.targets.tend(symbol)

    def _keeps(self, symbol: str) -> Decimal | None:
        """How many shares are to be protected now; None is all of them."""
        return self.closer.keeps(symbol) if symbol in self.closer.tasks else self.targets.keeps(symbol)

    @property
    def symbols(self) -> set[str]:
        """What is held, on its way or resting at the venue."""
        at_work = {order.symbol for order in self.state.view.orders.values() if order.open}
        tasks = self.entries.tasks.keys() | self.closer.tasks.keys() | self.protector.log.present.keys()
        return set(self.positions.book.ledger.positions) | at_work | tasks

    def _adjust(self, adjustment: Adjustment, plan: Plan) -> None:
        if adjustment.symbol not in self.positions.book.ledger.positions:
            if adjustment.kind != "tighten":
                log.warning("%s: %s left to its owner: %s", adjustment.symbol, adjustment.kind, adjustment.code)
            return
        if adjustment.kind == "tighten":
            self.protector.tighten(adjustment, plan.time)
            return
        quantity = None if adjustment.kind == "exit" else adjustment.quantity
        self.closer.begin(adjustment.symbol, quantity, ADJUSTMENT_ROLES[adjustment.kind], adjustment.code, plan.time)

    def _enter(self, plan: Plan) -> None:
        if not plan.entries:
            return
        why = self.halts.reasons(self.state.now, self.module_names)
        if closed := self.entries.window().closed:
            why = [*why, closed]
        if why:
            for proposal in plan.entries:
                self.entries.refuse(proposal, plan.time, f"{RefusalCode.STOPPED}: {'; '.join(why)}")
            return
        quotes = self.state.quotes([proposal.symbol for proposal in plan.entries])
        for proposal in plan.entries:
            # An answer that contradicts what was sent ends entries with the next look, and these before it.
            if not self.gateway.shutting_down and not self.sync.alarms:
                self.entries.begin(proposal, plan.time, quotes[proposal.symbol])

    @property
    def module_names(self) -> frozenset[str]:
        return frozenset(module.name for module in self.halters)

    def _stop_and_target(self, position: Position) -> tuple[float, float]:
        levels = self.protector.levels(position)
        return levels.stop, levels.target

    def _leave(self, symbol: str, why: str) -> None:
        if self.external.unsettled(symbol):
            log.warning("%s: not left before its shares are settled, %s", symbol, why)
            return
        log.warning("%s: leaving at once, %s", symbol, why)
        self.closer.begin(symbol, None, OrderRole.CLOSE, why, self.state.now)

    def _flatten(self) -> None:
        """The kill switch's second level: no entries, and nothing stays."""
        for symbol in list(self.positions.book.ledger.positions):
            self.closer.begin(symbol, None, OrderRole.CLOSE, "kill switch: flatten", self.state.now)
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

    def _with_halts(self, book: Book) -> Book:
        """The book with what halts of several sessions need: when they began, and the peak since the last one ended."""
        journal, today = self.journal, day_of(book.time)
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
        """When the halts of rules that hold today end, at midnight."""
        known = {m.name: halt for m in self.halters if (halt := self.journal.last_halt(m.name)) is not None}
        days = {name: halt.until + timedelta(days=1) for name, halt in known.items() if halt.until >= today}
        return {name: begin_of(day) for name, day in days.items()}

    def _book(self) -> Book:
        book = self._with_halts(self.books.book(self.entries.pending(), self.entries.sent))
        for module in list(halting(self.halters, book, self.halts.halted(book.time))):
            sessions = halt_dates(day_of(book.time), module.halt_sessions, self._market)
            self.halts.halt(module.name, book.time, f"equity {book.equity:.2f}", sessions)
            self.record.halts.append((book.time, module.name))
        book = replace(book, halted=self.halts.halted(book.time), halted_until=self._ends_of_halts(day_of(book.time)))
        self.halts.reasons(book.time, self.module_names)
        if math.isnan(self.record.initial_equity):
            self.record.initial_equity = book.equity
        row = self.books.equity_row(book)
        self.record.equity.append(row)
        self.record.position_bars += len(self.positions.book.ledger.positions)
        self.record.protected_bars += row.protected
        self.journal.equity(row)
        self._decided_on = book
        return book
