"""Entries: a bracket behind a limit through the ask, for half a minute; what that leaves goes at market.

An order that fills in part is cancelled, so that its part gets a stop; what it left is bought by a limit again as long
as the half minute since the first order lasts, over which the limits are spread. Whatever forbids entries forbids the
rest of one as well: what waits is ended, and nothing more of it is bought.
"""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta

from brokers.desk.data.quotes import Quote, QuoteFault
from brokers.desk.entry_halts import EntryHalts
from brokers.desk.execution.backoff import elapsed
from brokers.desk.execution.entry_orders import CannotSend, EntryOrders
from brokers.desk.execution.entry_refusals import EntryRefusals
from brokers.desk.execution.entry_task import EntryTask, EntryWindow, Stage, proposal_of, together
from brokers.desk.execution.order_gateway import OrderGateway, OrderRefused
from brokers.desk.reconcile.own_positions import OwnPositions
from brokers.desk.venue_state import VenueState
from brokers.journal import AlreadyPlanned, JournalOrder, State
from brokers.journal.history import named
from brokers.journal.states import FINAL
from brokers.order_types import OPENING_ROLES, OrderType, RefusalCode, Resting
from brokers.quantities import digits, whole_lots
from brokers.reporting.events import EventKind, about
from brokers.venue_errors import VenueError, VenueRefusal
from config import Settings
from config.values.counting import unit_of
from risk.model import Proposal, floor_lot
from risk.policy_gate import GateCode

ATTEMPTS, LIMITS = 4, 3
"""Orders of an entry, and how many of them may be limits: each part that fills has a stop and a target of its own, so
that a venue which fills in small parts is left alone after so many. Each limit has its share of the patience, so that
a quote that moves quickly does not use all of them in its first seconds."""
SENT_KEPT = 120
SENT_SINCE = timedelta(days=1)
"""How far back a start reads when entries were sent: no rule may keep two of them farther apart."""
PROTECTED_WITHIN = timedelta(seconds=30)
"""The rest of an entry waits so long for the stop of its part, then it is not bought."""
AGAIN, LATEST = timedelta(seconds=5), timedelta(seconds=60)
"""The rest is tried again so soon where requests are short, and so long after the patience at most: in a minute the
venue's limit leaves room again, and the decision is too old then."""
REST_REQUESTS = 2
"""What the rest needs: a quote, where no stream has it, and the order."""

log = logging.getLogger(__name__)


class Entries:
    """Takes accepted proposals to the market, each at most once.

    Parameters
    ----------
    state : VenueState
    positions : OwnPositions
    gateway : OrderGateway
    halts : EntryHalts
    settings : Settings
    window : callable
        What the venue's hours say now.
    far : callable, optional
        Gets each proposal whose close the gate found too far from the quote.
    """

    def __init__(
        self,
        state: VenueState,
        positions: OwnPositions,
        gateway: OrderGateway,
        halts: EntryHalts,
        settings: Settings,
        window: Callable[[], EntryWindow],
        far: Callable[[Proposal], None] = lambda proposal: None,
    ) -> None:
        self._far = far
        self._state = state
        self._positions = positions
        self._gateway = gateway
        self._journal = positions.journal
        self._halts = halts
        self._rule = settings.live.entry
        self._lot = settings.sizing.lot
        self._orders = EntryOrders(state, positions, settings)
        self.window = window
        self.tasks: dict[str, EntryTask] = {}
        self.refusals = EntryRefusals(self._journal)
        self.slippage: list[tuple[str, float, float]] = []
        """Client order id, quote and average price of what was filled."""
        self.by_subclass: set[str] = set()
        """Client order ids of what came through Lumibot in this run: how long that waits is not ours to say."""
        self._earlier = frozenset(order.client_order_id for order in self.waiting)
        self.latest = deque(self._journal.entry_times(state.now - SENT_SINCE), maxlen=SENT_KEPT)
        """When the latest orders that open a position were sent, and when one that nobody filled was given up; with the
        order's symbol and name."""
        self._abandoned: dict[str, str] = {}
        self._ending: dict[str, str] = {}
        """Why an order without a task is being ended, as it was told; by client order id."""

    def begin(self, proposal: Proposal, time: datetime, quote: Quote) -> None:
        """Send an entry; a proposal that cannot be sent leaves a trace and nothing else."""
        if doubt := self._positions.doubt(proposal.symbol):
            self.refusals.add(proposal, time, f"{RefusalCode.DOUBT}: {doubt}")
            return
        if self._positions.unresolved(proposal.symbol) or proposal.symbol in self.tasks:
            self.refusals.add(proposal, time, f"{RefusalCode.PENDING}: an earlier order of it has no outcome yet")
            return
        task = EntryTask(proposal, time, proposal.quantity)
        if self._attempt(task, quote):
            self.tasks[proposal.symbol] = task

    def tend(self, symbol: str) -> None:
        """One step with what is on its way in a symbol."""
        task = self.tasks.get(symbol)
        if task is None:
            self._end_untended(symbol)
            return
        order = self._journal.order(task.order)
        if order.state in FINAL:
            self._next(task, order)
        else:
            self._follow(task, order)

    def end(self, symbol: str) -> None:
        """Take only the part of a step that cancels: without a look, in doubt and at shutdown nothing is bought."""
        task = self.tasks.get(symbol)
        if task is None:
            self._end_untended(symbol)
        elif (order := self._journal.order(task.order)).state not in FINAL:
            self._follow(task, order)

    def parts(self) -> set[str]:
        """Symbols whose entry has filled in part, and whose cancel was not asked for yet."""
        waits = {s: t.order for s, t in self.tasks.items() if t.stage is Stage.WORKING and t.cancel_asked is None}
        orders = {symbol: self._journal.order(name) for symbol, name in waits.items()}
        return {symbol for symbol, order in orders.items() if order.filled_quantity and order.state not in FINAL}

    @property
    def under_way(self) -> bool:
        """Whether an entry waits for what only a look can show, or has waited for its time and goes on by the next.

        One that has no task does so while it is new, as those with one, and while it is being ended. What a subclass
        lets rest for longer may rest for days. Where a stream tells of its fills, no look is needed to find them.
        """
        now, young = self._state.now, self._orders.patience
        if any(not task.pauses(now) for task in self.tasks.values()):
            return True
        if self._state.venue.tells_orders:
            return False
        return any(not elapsed(now, order.journaled_at, young) or self._why_untended(order) for order in self.waiting)

    def next_step_s(self) -> float:
        """The venue's seconds until the rest of an entry has waited for its time; endless where none does."""
        return min((task.pause_left_s(self._state.now) for task in self.tasks.values()), default=math.inf)

    def abandon(self, why: str) -> None:
        """End every entry that there is, whoever tends it; the next steps do it, until each has an outcome."""
        names = [order.client_order_id for order in self.waiting]
        for name in (*names, *(task.order for task in self.tasks.values())):
            self._abandoned.setdefault(name, why)

    @property
    def waiting(self) -> list[JournalOrder]:
        """Orders that open a position and may still be filled, also those without an answer."""
        return self._positions.waiting()

    def pending(self) -> dict[str, Proposal]:
        """What is still to be filled, by symbol: of several orders of one as much as all of them together."""
        waiting = [order for order in self.waiting if order.remaining > 0]
        found: dict[str, list[Proposal]] = {}
        for order in waiting:
            task, rest = self.tasks.get(order.symbol), float(order.remaining)
            alone = sum(other.symbol == order.symbol for other in waiting) == 1
            if task is not None and (alone or task.order == order.client_order_id):
                wish = task.proposal.resized(rest)
            else:
                wish = proposal_of(order, rest, self._positions.worth(order))
            found.setdefault(order.symbol, []).append(wish)
        return {symbol: together(wishes) for symbol, wishes in found.items()}

    def sent_by_subclass(self, order: JournalOrder) -> None:
        """An order came through Lumibot: nothing tends it, and one that opens a position counts like any entry."""
        self.by_subclass.add(order.client_order_id)
        if order.role in OPENING_ROLES:
            self._note(order)

    @property
    def sent(self) -> list[datetime]:
        """When the latest orders that open a position were sent, and when one that nobody filled was given up."""
        return [time for time, _ in self.latest]

    def _note(self, order: JournalOrder) -> None:
        self.latest.append((self._state.now, named(order.symbol, order.client_order_id)))

    def _attempt(self, task: EntryTask, quote: Quote) -> bool:
        """Send the next order of a task; False if the task is over."""
        proposal, window = task.proposal, self.window()
        try:
            prepared = self._orders.prepare(task, quote, window)
        except CannotSend as reason:
            self.refusals.add_task(task, str(reason))
            return False
        except VenueError as error:
            # The venue does not know the symbol, or was asked for its rules and did not answer: nothing was sent.
            code = RefusalCode.VENUE if isinstance(error, VenueRefusal) else RefusalCode.NOT_SENT
            if task.attempts and code is RefusalCode.NOT_SENT:
                return self._put_off(task, f"{code}: {error}")
            self.refusals.add_task(task, f"{code}: {error}; {proposal.reason}")
            return False
        try:
            order = self._gateway.place(
                prepared.request,
                proposal.role,
                task.time,
                opens=True,
                quote=prepared.price,
                reference=proposal.price,
                levels=(prepared.stop, prepared.target),
                reason=prepared.reason,
                remark=prepared.remark(proposal),
            )
        except (OrderRefused, AlreadyPlanned) as refusal:
            if isinstance(refusal, OrderRefused) and refusal.code.startswith(GateCode.COLLAR):
                self._far(proposal)
            if task.attempts and isinstance(refusal, OrderRefused) and refusal.code.startswith(RefusalCode.NOT_SENT):
                return self._put_off(task, str(refusal))
            self.refusals.add_task(task, f"{refusal}; {prepared.reason}")
            return False
        self.refusals.forget(proposal.symbol)
        self._note(order)
        if not task.attempts:
            task.wanted, task.began = prepared.quantity, self._state.now
        task.order, task.sent, task.cancel_asked = order.client_order_id, self._state.now, None
        task.stage, task.extended, task.put_off = Stage.WORKING, window.extended, ""
        task.attempts += 1
        return True

    def _next(self, task: EntryTask, order: JournalOrder) -> None:
        """An order of a task has ended: the rest is bought once its part is protected, and it is time for it.

        By a limit while the patience with the entry lasts, then at market where the settings say so. Not where
        somebody else ended it.
        """
        symbol = task.proposal.symbol
        if task.counted != task.order:
            # Once, however often a step ends before the next order could be sent.
            task.counted = task.order
            task.filled += float(order.filled_quantity)
            if order.average_price is not None and not math.isnan(task.quote):
                self.slippage.append((order.client_order_id, task.quote, float(order.average_price)))
                _tell_slippage(order, task.quote, float(order.average_price))
        rest = floor_lot(task.wanted - task.filled, self._lot)
        asked, impatient = task.stage is not Stage.WORKING, self._orders.impatient(task)
        goes_on = asked and order.state is State.CANCELLED and task.attempts < ATTEMPTS
        goes_on = goes_on and (self._rule.rest == "market" or not impatient)
        given_up = task.attempts > 1 and order.type == OrderType.MARKET and not order.filled_quantity
        why = self._why_no_more(task) if goes_on and not given_up else f"the order is {order.state}"
        if rest <= 0 or why:
            if not task.filled:
                # It is not entered again at once.
                self._note(order)
            if rest > 0 and order.state is State.FILLED:
                # Its last order was for less: the quote of that moment allowed no more.
                told = "%s: %g of %g %s bought, the quote of the last order allowed no more"
                log.info(told, symbol, task.filled, task.wanted, unit_of(symbol))
            elif rest > 0:
                log.warning("%s: %g of %g %s not bought, %s", symbol, rest, task.wanted, unit_of(symbol), why)
            del self.tasks[symbol]
            return
        if self._part_is_unprotected(symbol):
            task.stage, now = Stage.AWAITING_STOP, self._state.now
            task.unprotected_since = task.unprotected_since or now
            if elapsed(now, task.unprotected_since, PROTECTED_WITHIN):
                unit = unit_of(symbol)
                log.warning("%s: %g of %g %s not bought, those there have no stop", symbol, rest, task.wanted, unit)
                del self.tasks[symbol]
            return
        task.unprotected_since = None
        if self._waits_for_its_time(task):
            return
        if not self._state.room(1 if self._state.is_quoted(symbol) else REST_REQUESTS):
            goes_on = self._put_off(task, f"{RefusalCode.NOT_SENT}: own rate limit")
        elif (quote := self._state.quote(symbol)).fault is QuoteFault.NOT_ASKED:
            goes_on = self._put_off(task, f"DESK_QUOTE: {symbol}: {quote.problem}")
        else:
            goes_on = self._attempt(task, quote)
        if not goes_on:
            del self.tasks[symbol]

    def _waits_for_its_time(self, task: EntryTask) -> bool:
        """Whether the next order of a task has to wait: each limit has an equal share of the patience."""
        now = self._state.now
        if task.stage is not Stage.AWAITING_TIME and task.began is not None and not self._orders.impatient(task):
            turn = task.began + self._orders.patience * min(task.attempts, LIMITS) / LIMITS
            if turn > now:
                task.wait(now, turn - now)
        return task.pauses(now)

    def _put_off(self, task: EntryTask, why: str) -> bool:
        """Try the rest again in a moment, as nothing of it was sent; False where that has gone on for too long."""
        if task.began is None or elapsed(self._state.now, task.began, self._orders.patience + LATEST):
            self.refusals.add_task(task, why)
            return False
        if not task.put_off:
            task.put_off = why
            log.info("%s: the rest of the entry is put off, %s", task.proposal.symbol, why)
        task.wait(self._state.now, AGAIN)
        return True

    def _part_is_unprotected(self, symbol: str) -> bool:
        """Whether shares of a symbol are without a stop: none are bought beside them."""
        held = whole_lots(abs(self._positions.book.quantity(symbol)), self._lot)
        return self._positions.protection(symbol).protected < held

    def _follow(self, task: EntryTask, order: JournalOrder) -> None:
        """Cancel an order that is not to wait any longer, until that has an outcome."""
        task.over = task.over or self._why_over(task)
        if order.state in (State.JOURNALED, State.UNKNOWN):
            return
        if task.cancel_asked is not None:
            task.cancel_asked = self._gateway.cancel_again(order.venue_id, task.cancel_asked)
        elif why := self._why_end(task, order):
            log.info("%s: ending the entry, %s", order.symbol, why)
            if self._gateway.cancel(order.venue_id):
                task.stage, task.cancel_asked = Stage.CANCELLING, self._state.now

    def _why_end(self, task: EntryTask, order: JournalOrder) -> str:
        """Why an order that waits is to be cancelled, empty if it may wait."""
        if order.filled_quantity > 0 and Resting.ENTRY_STOP not in self._state.rules.resting:
            # The exits of a bracket wait until it has filled completely: what is here already must not wait.
            return "partly filled"
        if task.over:
            return task.over
        since = task.sent if order.type == OrderType.MARKET else task.began
        overdue = since is not None and elapsed(self._state.now, since, self._orders.patience)
        return f"not filled in {self._orders.patience.seconds} s" if overdue else ""

    def _why_over(self, task: EntryTask) -> str:
        """Why an entry has come too late: something stops entries for good, or the hours it was sent in are over."""
        window = self.window()
        why = [*self._halts.lasting(self._state.now), self._abandoned.get(task.order, ""), window.closed]
        if window.extended and not task.extended:
            why.append("the session is over")
        return "; ".join(filter(None, why))

    def _why_no_more(self, task: EntryTask) -> str:
        """Why the rest of an entry is not sent, empty if it is."""
        why = task.over or self._why_over(task) or "; ".join(self._halts.stopped(self._state.now))
        if not why and task.filled and not self._positions.book.quantity(task.proposal.symbol):
            why = "its part has been sold again"
        # There is nothing but limits in extended hours.
        return why or ("these are extended hours" if self.window().extended and self._orders.impatient(task) else "")

    def _end_untended(self, symbol: str) -> None:
        """End entries that have no task: those of earlier runs, whose reasons are gone, and what may wait no longer.

        A part that filled is protected once the rest has ended.
        """
        for order in self.waiting:
            if order.symbol != symbol or not order.venue_id:
                continue
            there, why = self._state.view.orders.get(order.venue_id), self._why_untended(order)
            if why and (there is None or (there.open and not there.cancel_pending)):
                if self._ending.get(order.client_order_id) != why:
                    self._ending[order.client_order_id] = why
                    log.warning("%s: ending an entry, %s", symbol, why)
                self._gateway.cancel(order.venue_id)

    def _why_untended(self, order: JournalOrder) -> str:
        sent_as = self._positions.sync.sent_as(order.client_order_id)
        if sent_as in self._earlier:
            return "it is from before the restart"
        if sent_as not in self.by_subclass:
            if sent_as != order.client_order_id:
                return "a hand has put it in the place of ours"
            return "nothing follows it since its sending ended with an error"
        why = [*self._halts.lasting(self._state.now), self._abandoned.get(order.client_order_id, "")]
        return "partly filled" if order.filled_quantity else "; ".join(filter(None, why))


def _tell_slippage(order: JournalOrder, quote: float, paid: float) -> None:
    """What an entry's fill saved against the quote of the moment it was sent."""
    saved = (quote - paid if order.side == "buy" else paid - quote) * float(order.filled_quantity)
    side = "ask" if order.side == "buy" else "bid"
    log.info(
        "%s: %s %s at %.4f, the %s was %.4f: %s %.2f USD",
        order.symbol,
        digits(order.filled_quantity),
        "bought" if order.side == "buy" else "sold",
        paid,
        side,
        quote,
        "saved" if saved >= 0 else "cost",
        abs(saved),
        extra=about(EventKind.READING, order.symbol, order=order.client_order_id, saved_usd=saved),
    )
