"""One step with everything that is under way in a symbol: entries, stops, targets, closes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from functools import partial

from brokers.desk.core import DeskCore
from brokers.desk.entry_halts import EntryHalts
from brokers.desk.execution.backoff import elapsed
from brokers.desk.execution.closing import PositionCloser
from brokers.desk.execution.entries import Entries
from brokers.desk.execution.overdue_stops import OverdueStops
from brokers.desk.execution.protection import Protector
from brokers.desk.execution.target_exchange import TargetExchange
from brokers.desk.reconcile.manual_positions import ManualPositions
from brokers.order_types import OrderRole
from brokers.quantities import digits
from brokers.reporting.repeated_reasons import RepeatedReasons
from brokers.venue_errors import VenueError
from config.errors import Refusal
from config.values.counting import COINS, unit_of
from config.values.symbols import is_money

RECENT = timedelta(seconds=60)
"""How old a view may be for what it shows unprotected to be sold or protected without another look."""

log = logging.getLogger(__name__)


class SymbolWork:
    """Calls the parts that send orders in the order in which they may follow each other.

    Parameters
    ----------
    core : DeskCore
    halts : EntryHalts
    entries : Entries
    closer : PositionCloser
    protector : Protector
    targets : TargetExchange
    manual : ManualPositions
    overdue : OverdueStops
    """

    def __init__(
        self,
        core: DeskCore,
        halts: EntryHalts,
        entries: Entries,
        closer: PositionCloser,
        protector: Protector,
        targets: TargetExchange,
        manual: ManualPositions,
        overdue: OverdueStops,
    ) -> None:
        self.state, self.positions, self.gateway, self.journal = core.state, core.positions, core.gateway, core.journal
        self.observer, self.halts = core.observer, halts
        self._reasons = RepeatedReasons()
        self._longest_exchange = timedelta(seconds=core.settings.live.protection.max_exchange_s)
        self.entries, self.closer, self.protector, self.targets = entries, closer, protector, targets
        self.manual, self.overdue = manual, overdue
        self._bare_since_look: set[str] = set()
        """Symbols in which it was told, and not seen, that shares are without a stop."""

    @property
    def symbols(self) -> set[str]:
        """What is held, on its way or resting at the venue."""
        at_work = {order.symbol for order in self.state.view.orders.values() if order.open}
        tasks = self.entries.tasks.keys() | self.closer.tasks.keys() | self.protector.log.present.keys()
        return set(self.positions.book.ledger.positions) | at_work | tasks | self.targets.symbols

    @property
    def urgent(self) -> bool:
        """Whether something is under way whose outcome only a look can show."""
        return bool(
            self.entries.under_way
            or self.closer.working
            or self.protector.log.protectable
            or self.protector.cancelling
            or self.targets.under_way
            or self.overdue.symbols
            or any(not order.venue_id for order in self.journal.open_orders())
        )

    def step(self) -> None:
        """One step in every symbol; safe to repeat."""
        self._bare_since_look.clear()
        for symbol in sorted(self.symbols):
            if self.isolated(symbol, partial(self._tend, symbol)):
                self._reasons.over(symbol)

    def end_parts(self) -> None:
        """Cancel entries that are known to have filled in part, before anything is asked: their shares have no stop."""
        try:
            parts = self.entries.parts()
        except Refusal as refusal:
            # The look that comes next asks the venue all the same.
            self.halts.crashed(refusal, self.state.now)
            return
        for symbol in sorted(parts - self.state.view.held_back.keys()):
            self.isolated(symbol, partial(self.entries.end, symbol))

    def step_unseen(self) -> None:
        """Do what no look could forbid: entries end, unprotected shares are sold or protected.

        Exits that rest are not cancelled, but a sale that a stream tells of: whether their shares come free could not
        be seen, and they might stay unprotected. Nor are the shares sold that they hold, since a sale would be a short
        one if a stop has just filled. Shares that a recent look saw free are sold by orders of ours alone, whose
        outcome is in the journal. Shares whose exit ended by a confirmed cancel go back behind a stop where no look
        comes in time.
        """
        # The look may have failed after it had booked something.
        self.positions.refresh()
        for symbol in self.state.view.doubt_unanswered():
            self.positions.seen_anew(symbol)
        recent = not elapsed(self.state.now, self.state.view.time, RECENT)
        for symbol in sorted(self.symbols | {order.symbol for order in self.entries.waiting}):
            if symbol in self.state.view.held_back:
                continue
            known = recent and symbol not in self.manual.reduced and not self.manual.unsettled(symbol)
            self.isolated(symbol, partial(self._measure, symbol))
            if symbol in self.state.view.freed and not self.closer.under_way(symbol):
                self.isolated(symbol, partial(self._put_back, symbol))
            elif self._lacks_by_doubt(symbol) and not self.closer.under_way(symbol):
                self.isolated(symbol, partial(self._put_back_doubted, symbol))
            elif known and self.closer.under_way(symbol):
                self.isolated(symbol, partial(self._go_on, symbol))
            elif known and self._was_seen_bare(symbol) and not self._may_be_protected(symbol):
                self.isolated(symbol, partial(self.protector.tend, symbol, self._keeps(symbol)))
            self.isolated(symbol, partial(self.entries.end, symbol))

    def _measure(self, symbol: str) -> None:
        """Measure what is without a stop where no look is possible; not where it is not known what is ours.

        What a stream or a confirmed cancel has told since the last look counts: the alarm and the screens tell it.
        """
        if not self._in_doubt(symbol) and (self.positions.book.quantity(symbol) or not self.manual.may_return(symbol)):
            seen = symbol in self.protector.log.present
            self.protector.measure(symbol)
            if not seen and symbol in self.protector.log.present:
                self._bare_since_look.add(symbol)

    def _was_seen_bare(self, symbol: str) -> bool:
        """Whether a look has shown shares without a stop; of what was told since none has shown which are free."""
        return symbol in self.protector.log.present and symbol not in self._bare_since_look

    def _put_back(self, symbol: str) -> None:
        """Put shares whose exit has ended since the last look behind a stop before long.

        What the exit had sold before is asked for. Where the venue does not tell, a stop may be for too many: it is
        refused where there is nothing else to sell, and is not sent beside coins that are not ours.
        """
        if not self._is_late(symbol) or not self.state.venue.takes_orders or not self._is_plain(symbol):
            return
        if self.observer.have_told(self.state.view.freed[symbol].orders) or not self._beside(symbol):
            self.targets.give_back(symbol)
            self.protector.put_back(symbol)

    def _lacks_by_doubt(self, symbol: str) -> bool:
        """Whether shares count as without a stop because the cancel of theirs has no answer."""
        return symbol in self.state.view.doubted and symbol in self.protector.log.present

    def _put_back_doubted(self, symbol: str) -> None:
        """The same for shares whose exit's cancel has no answer, unless the venue tells that the exit is there still.

        Where it tells nothing, what rests still holds the shares, so that the venue refuses a stop beside it.
        """
        view = self.state.view
        if not elapsed(self.state.now, view.doubted[symbol].since, self._longest_exchange):
            return
        if not self.state.venue.takes_orders or not self._is_plain(symbol):
            return
        told = self.observer.have_told(view.doubted[symbol].orders)
        # Shares that the exit has sold would be sold short.
        alone = unit_of(symbol) == COINS and not self._beside(symbol)
        if view.keep_doubt(symbol) and (told or alone):
            view.freed = {**view.freed, symbol: view.doubted[symbol]}
            self.targets.give_back(symbol)
            self.protector.put_back(symbol)

    def _go_on(self, symbol: str) -> None:
        """Of a close what needs no look; what a cancelled sale had filled is asked for, and whether it has ended."""
        view = self.state.view
        for waits in (view.freed, view.doubted):
            if symbol in waits and elapsed(self.state.now, waits[symbol].since, self._longest_exchange):
                self.observer.have_told(waits[symbol].orders)
        self.closer.go_on(symbol)

    def _is_late(self, symbol: str) -> bool:
        """Whether no look has come for so long since an exit ended as an exchange may take."""
        return elapsed(self.state.now, self.state.view.freed[symbol].since, self._longest_exchange)

    def _is_plain(self, symbol: str) -> bool:
        """Whether it is known what is ours of a symbol, and no exit may be on its way."""
        doubt = self._in_doubt(symbol) or self.manual.unsettled(symbol)
        return not doubt and not self._may_be_protected(symbol)

    def _in_doubt(self, symbol: str) -> bool:
        """Whether what was concluded a moment ago about whose shares these are might be taken back."""
        changed = symbol in self.manual.reduced or symbol in self.positions.renamed
        return changed or bool(self.positions.opposed(symbol))

    def _beside(self, symbol: str) -> bool:
        """Whether there may be more in the account than ours; of other money only ours is a position."""
        view = self.state.view
        if is_money(symbol):
            return True
        return not view.complete or abs(view.held(symbol)) + view.dust_of(symbol) > abs(
            self.positions.book.quantity(symbol)
        )

    def isolated(self, symbol: str, step: Callable[[], None]) -> bool:
        """One step of one symbol, and whether nothing went wrong in it, which costs no other symbol its own."""
        try:
            step()
            return True
        except VenueError as error:
            log.log(self._reasons.level(error, symbol), "%s: the next step has to wait, %s", symbol, error)
        except Exception as error:
            self.halts.crashed(error, self.state.now)
        return False

    def _may_be_protected(self, symbol: str) -> bool:
        """Whether shares that were seen without a stop may have one by now: an order has no answer, or all of an entry
        may have filled, which gives its own exits effect.
        """
        entries = self.positions.protection(symbol).entries
        return bool(self.positions.unresolved(symbol)) or any(entry.filled for entry in entries)

    def _tend(self, symbol: str) -> None:
        if symbol in self.state.view.held_back:
            return
        # It cancels no exits yet.
        if self._in_doubt(symbol):
            self.entries.end(symbol)
            return
        self.manual.clear_stale(symbol)
        self._close_what_exits_opened(symbol)
        self.closer.free(symbol)
        self._exchange_target(symbol)
        # Nor does what may be ours again in a moment lose its exits.
        if self.positions.book.quantity(symbol) or not self.manual.unsettled(symbol):
            known = symbol in self.closer.tasks
            self.protector.tend(symbol, self._keeps(symbol))
            if symbol not in self.closer.tasks and not self.gateway.shutting_down:
                self.protector.back_to_levels(symbol)
            if not known and symbol in self.closer.tasks:
                # Protection has found that the market has passed the stop: what is free goes in this step.
                self.closer.free(symbol)
        else:
            # Shares of somebody else that came meanwhile do not keep what was sold from being told as sold.
            self._measure(symbol)
        self._watch_stops(symbol)
        self.closer.sell(symbol)
        if self.gateway.shutting_down:
            self.entries.end(symbol)
        else:
            self.entries.tend(symbol)

    def _close_what_exits_opened(self, symbol: str) -> None:
        """Exits of ours that sold more than there was have opened a position that nobody decided: it goes at once."""
        own, there = self.positions.book, self.state.view.held(symbol)
        if not own.turned(symbol) or symbol in self.closer.tasks or self.gateway.shutting_down:
            return
        if own.quantity(symbol) * there > 0 and not self.manual.unsettled(symbol):
            left = f"{digits(own.quantity(symbol))} {unit_of(symbol, abs(own.quantity(symbol)))}"
            log.error("%s: exits of ours left %s, which are closed at once", symbol, left)
            self.closer.begin(symbol, None, OrderRole.CLOSE, "exits sold more than was held", self.state.now)

    def _exchange_target(self, symbol: str) -> None:
        """Where the venue has no pair of stop and target, take a target that is reached; a close goes before it."""
        if not self.targets.needed:
            return
        if symbol in self.closer.tasks or self.gateway.shutting_down:
            self.targets.give_up(symbol)
        else:
            self.targets.tend(symbol)

    def _watch_stops(self, symbol: str) -> None:
        """A stop that the market has passed and that does not fill; nothing is left to it while something closes."""
        closes = symbol in self.closer.tasks or self.targets.keeps(symbol) is not None
        if closes or self.gateway.shutting_down:
            self.overdue.forget(symbol)
        else:
            self.overdue.tend(symbol)

    def _keeps(self, symbol: str) -> Decimal | None:
        """How many shares are to be protected now; None is all of them."""
        return self.closer.keeps(symbol) if symbol in self.closer.tasks else self.targets.keeps(symbol)
