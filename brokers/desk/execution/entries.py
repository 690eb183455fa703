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
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import partial

import pandas as pd

from brokers.desk.data.quotes import Quote, QuoteFault
from brokers.desk.entry_halts import EntryHalts
from brokers.desk.execution.backoff import elapsed
from brokers.desk.execution.entry_task import EntryTask, EntryWindow, Stage
from brokers.desk.execution.order_gateway import OrderGateway, OrderRefused
from brokers.desk.execution.order_requests import bracket, entry_behind_stop, single
from brokers.desk.reconcile.own_positions import OwnPositions
from brokers.desk.venue_state import VenueState
from brokers.desk_rules import entry_at
from brokers.journal import AlreadyPlanned, JournalOrder, State
from brokers.journal.states import FINAL
from brokers.order_types import OPENING_ROLES, OrderType, RefusalCode, Resting, Side, TimeInForce
from brokers.quantities import digits, down, up, whole_lots
from brokers.record import OrderRecord, not_sent
from brokers.reporting.events import EventKind, about
from brokers.venue_errors import VenueError, VenueRefusal
from brokers.venue_requests import OrderRequest
from config import Settings
from config.errors import Refusal
from config.values.counting import unit_of
from config.values.markets import NEW_YORK_ZONE
from market.calendar import session_times, sessions_until
from risk.model import BracketTerms, Proposal, floor_lot
from risk.policy_gate import GateCode

ATTEMPTS, LIMITS = 4, 3
"""Orders of an entry, and how many of them may be limits: each part that fills has a stop and a target of its own, so
that a venue which fills in small parts is left alone after so many. Each limit has its share of the patience, so that
a quote that moves quickly does not use all of them in its first seconds."""
SENT_KEPT = 120
TAKES = "AT_MARKET"
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
        self._max_unprotected_frac = settings.live.extended_hours.max_unprotected_frac
        self.window = window
        self.tasks: dict[str, EntryTask] = {}
        self.skipped: list[OrderRecord] = []
        self.slippage: list[tuple[str, float, float]] = []
        """Client order id, quote and average price of what was filled."""
        self.by_subclass: set[str] = set()
        """Client order ids of what came through Lumibot in this run: how long that waits is not ours to say."""
        self.sent = deque((order.journaled_at for order in self.waiting), maxlen=SENT_KEPT)
        """When the latest orders that open a position were sent, and when one that nobody filled was given up."""
        self._abandoned: dict[str, str] = {}
        self._refused: dict[str, tuple[date, str]] = {}

    def begin(self, proposal: Proposal, time: datetime, quote: Quote) -> None:
        """Send an entry; a proposal that cannot be sent leaves a trace and nothing else."""
        if doubt := self._positions.doubt(proposal.symbol):
            self.refuse(proposal, time, f"{RefusalCode.DOUBT}: {doubt}")
            return
        if self._positions.unresolved(proposal.symbol) or proposal.symbol in self.tasks:
            self.refuse(proposal, time, "DESK_PENDING: an earlier order of it has no outcome yet")
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
        """Whether an entry waits for what only a look can show, or has waited for its time and goes on by the next."""
        return any(not task.pauses(self._state.now) for task in self.tasks.values())

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
        return [order for order in self._journal.open_orders() if order.role in OPENING_ROLES]

    def pending(self) -> dict[str, Proposal]:
        """What is still to be filled, by symbol."""
        found: dict[str, Proposal] = {}
        for order in self.waiting:
            task = self.tasks.get(order.symbol)
            rest = float(order.remaining)
            found[order.symbol] = task.proposal.resized(rest) if task else _from_journal(order, rest)
        return found

    def _attempt(self, task: EntryTask, quote: Quote) -> bool:
        """Send the next order of a task; False if the task is over."""
        proposal, window = task.proposal, self.window()
        try:
            prepared = self._prepare(task, quote, window)
        except VenueError as error:
            # The venue does not know the symbol, or was asked for its rules and did not answer: nothing was sent.
            code = RefusalCode.VENUE if isinstance(error, VenueRefusal) else RefusalCode.NOT_SENT
            if task.attempts and code is RefusalCode.NOT_SENT:
                return self._put_off(task, f"{code}: {error}")
            self._refuse_task(task, f"{code}: {error}; {proposal.reason}")
            return False
        if prepared is None:
            return False
        request, price, (stop, target), reason, quantity = prepared
        try:
            order = self._gateway.place(
                request,
                proposal.role,
                task.time,
                opens=True,
                quote=price,
                reference=proposal.price,
                levels=(stop, target),
                reason=reason,
                remark=_remark(proposal, price, stop, reason),
            )
        except (OrderRefused, AlreadyPlanned) as refusal:
            if isinstance(refusal, OrderRefused) and refusal.code.startswith(GateCode.COLLAR):
                self._far(proposal)
            if task.attempts and isinstance(refusal, OrderRefused) and refusal.code.startswith(RefusalCode.NOT_SENT):
                return self._put_off(task, str(refusal))
            self._refuse_task(task, f"{refusal}; {reason}")
            return False
        self._refused.pop(proposal.symbol, None)
        self.sent.append(self._state.now)
        if not task.attempts:
            task.wanted, task.began = quantity, self._state.now
        task.order, task.sent, task.cancel_asked = order.client_order_id, self._state.now, None
        task.stage, task.extended, task.put_off = Stage.WORKING, window.extended, ""
        task.attempts += 1
        return True

    def _prepare(
        self, task: EntryTask, quote: Quote, window: EntryWindow
    ) -> tuple[OrderRequest, float, tuple[float, float], str, float] | None:
        """The next order of a task, its price, stop and target, reason and quantity; None if it was refused.

        Raises
        ------
        VenueError
            The venue's rules for the symbol are not known.
        """
        proposal, buys = task.proposal, task.proposal.side == "buy"
        price, limit, note = self._price(task, quote)
        if not math.isfinite(price):
            self._refuse_task(task, f"DESK_QUOTE: {proposal.symbol}: {quote.problem}")
            return None
        rules = self._state.rules
        entry = entry_at(
            proposal,
            price,
            (limit or price) * (1 + float(rules.fee_frac)),
            self._lot,
            wanted=task.wanted,
            filled=task.filled,
            tick=partial(rules.tick, symbol=proposal.symbol),
        )
        quantity, stop, target, reason = entry.quantity, entry.stop, entry.target, f"{entry.reason}{note}"
        if not entry.possible or quantity < rules.least(proposal.symbol, Decimal(str(price))):
            self._refuse_task(task, f"DESK_SIZE: nothing is left of it at {price:.4f}; {proposal.reason}")
            return None
        # Nor does the stop lie farther from the market than that of the part that is there.
        if (first := self._stop_of_part(proposal.symbol)) is not None:
            sign, prices = (1 if buys else -1), [price] if quote.problem else quote.prices
            if any(sign * (known - first) <= rules.gap(first, proposal.symbol) for known in prices):
                self._refuse_task(task, f"DESK_STOP: {price:.4f} is at or beyond the stop {first} of its part")
                return None
            stop = max(stop, first) if buys else min(stop, first)
        side: Side = "buy" if buys else "sell"
        request: OrderRequest
        if window.extended:
            if limit is None:
                self._refuse_task(task, f"DESK_EXTENDED: {quote.problem or 'no limit can be set'}")
                return None
            if not self._room_without_stop(quantity * limit):
                self._refuse_task(task, "DESK_EXTENDED: too much is without a stop until the open")
                return None
            request = single(proposal.symbol, side, quantity, limit, extended=True)
        elif Resting.BRACKET in self._state.rules.resting:
            request = bracket(proposal.symbol, side, quantity, stop, target, limit)
        else:
            request = single(proposal.symbol, side, quantity, limit, time_in_force=self._time_in_force)
            if Resting.ENTRY_STOP in rules.resting:
                request = entry_behind_stop(request, stop)
        return request, price, (stop, target), reason, quantity

    def _stop_of_part(self, symbol: str) -> float | None:
        """The stop farthest from the market behind which shares of the symbol are already; None if there are none."""
        protection, held = self._positions.protection(symbol), self._positions.book.quantity(symbol)
        stops = [float(order.stop_price) for order in protection.stops if order.stop_price]
        if not held or not stops:
            return None
        return min(stops) if held > 0 else max(stops)

    def _price(self, task: EntryTask, quote: Quote) -> tuple[float, float | None, str]:
        """Reference price, limit and a note; NaN where no order may be sent."""
        rule, proposal = self._rule, task.proposal
        if quote.problem and not quote.missing:
            return math.nan, None, ""
        if quote.missing:
            return proposal.price, None, f"; {TAKES}: no quote, the last close is {proposal.price:g}"
        buys = proposal.side == "buy"
        price = float(quote.ask if buys else quote.bid)
        if math.isnan(task.quote):
            task.quote = price
        left = task.wanted - task.filled
        if task.attempts and self._impatient(task):
            return price, None, f"; {TAKES}: the limit left {left:g}"
        note = f"; a limit again: {task.filled:g} were bought, {left:g} are left" if task.attempts else ""
        if self._rule.join == "bid":
            # It rests on this side of the market, where it makes liquidity and pays the lower fee.
            joined = quote.bid if buys else quote.ask
            return float(joined), float(joined), note
        offset = rule.cheap_offset_usd if price < rule.cheap_below_usd else price * rule.offset_frac
        bound = price + offset if buys else price - offset
        tick = self._state.rules.tick(bound, proposal.symbol)
        return price, up(bound, tick) if buys else down(bound, tick), note

    def _next(self, task: EntryTask, order: JournalOrder) -> None:
        """An order of a task has ended: the rest is bought once its part is protected, and it is time for it.

        By a limit while the patience with the entry lasts, then at market where the settings say so. Not where
        somebody else ended it.
        """
        symbol = task.proposal.symbol
        if task.stage in (Stage.WORKING, Stage.CANCELLING):
            task.filled += float(order.filled_quantity)
            if order.average_price is not None and not math.isnan(task.quote):
                self.slippage.append((order.client_order_id, task.quote, float(order.average_price)))
                _tell_slippage(order, task.quote, float(order.average_price))
        rest = floor_lot(task.wanted - task.filled, self._lot)
        asked, impatient = task.stage is not Stage.WORKING, self._impatient(task)
        goes_on = asked and order.state is State.CANCELLED and task.attempts < ATTEMPTS
        goes_on = goes_on and (self._rule.rest == "market" or not impatient)
        given_up = task.attempts > 1 and order.type == OrderType.MARKET and not order.filled_quantity
        why = self._why_no_more(task) if goes_on and not given_up else f"the order is {order.state}"
        if rest <= 0 or why:
            if not task.filled:
                # It is not entered again at once.
                self.sent.append(self._state.now)
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
        if task.stage is not Stage.AWAITING_TIME and task.began is not None and not self._impatient(task):
            turn = task.began + self._patience * min(task.attempts, LIMITS) / LIMITS
            if turn > now:
                task.wait(now, turn - now)
        return task.pauses(now)

    def _put_off(self, task: EntryTask, why: str) -> bool:
        """Try the rest again in a moment, as nothing of it was sent; False where that has gone on for too long."""
        if task.began is None or elapsed(self._state.now, task.began, self._patience + LATEST):
            self._refuse_task(task, why)
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
        overdue = since is not None and elapsed(self._state.now, since, self._patience)
        return f"not filled in {self._patience.seconds} s" if overdue else ""

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
        return why or ("these are extended hours" if self.window().extended and self._impatient(task) else "")

    @property
    def _time_in_force(self) -> TimeInForce:
        return TimeInForce.GTC if self._state.rules.always_open else TimeInForce.DAY

    def _impatient(self, task: EntryTask) -> bool:
        """Whether limits of an entry have had their time, which begins with the first of its orders."""
        return task.began is not None and elapsed(self._state.now, task.began, self._patience)

    @property
    def _patience(self) -> timedelta:
        return timedelta(seconds=self._rule.patience_s)

    def _end_untended(self, symbol: str) -> None:
        """End entries that have no task: those of earlier runs, whose reasons are gone, and what may wait no longer.

        A part that filled is protected once the rest has ended.
        """
        for order in self.waiting:
            if order.symbol != symbol or not order.venue_id:
                continue
            there, why = self._state.view.orders.get(order.venue_id), self._why_untended(order)
            if why and (there is None or (there.open and not there.cancel_pending)):
                log.warning("%s: ending an entry, %s", symbol, why)
                self._gateway.cancel(order.venue_id)

    def _why_untended(self, order: JournalOrder) -> str:
        if order.client_order_id not in self.by_subclass:
            return "it is from before the restart"
        why = [*self._halts.lasting(self._state.now), self._abandoned.get(order.client_order_id, "")]
        return "partly filled" if order.filled_quantity else "; ".join(filter(None, why))

    def _room_without_stop(self, notional: float) -> bool:
        """Whether what waits for its stop until the opening may grow by so many USD."""
        most = self._max_unprotected_frac * self._state.equity
        now = pd.Timestamp(self._state.now)
        closes = session_times(sessions_until(pd.Timestamp(now.tz_convert(NEW_YORK_ZONE).date()), 2))[1]
        # Whatever was bought since then has not seen a regular session, in which alone stops are triggered.
        last_close = closes[closes <= now].max()
        waiting = sum(
            abs(p.quantity) * p.entry_price
            for p in self._positions.book.ledger.positions.values()
            if p.entry_time >= last_close
        )
        waiting += sum(
            float(order.remaining * (order.limit_price or 0))
            for order in self._journal.open_orders()
            if order.role in OPENING_ROLES
        )
        log.info("without a stop until the opening: %.2f USD and %.2f more, at most %.2f", waiting, notional, most)
        return waiting + notional <= most

    def refused_on(self, day: date) -> set[str]:
        """Symbols whose latest entry could not be sent, of those decided on in a day."""
        return {symbol for symbol, (refused, _) in self._refused.items() if refused == day}

    def _refuse_task(self, task: EntryTask, why: str) -> None:
        """Leave a trace of an order that could not be sent; of an entry that was bought in part it is the rest."""
        symbol = task.proposal.symbol
        if not task.filled:
            self.refuse(task.proposal, task.time, why)
            return
        told = "%s: %g of %g %s bought, the rest is given up: %s"
        log.warning(told, symbol, task.filled, task.wanted, unit_of(symbol), why)
        self.skipped.append(not_sent(task.time, "", task.proposal, why))

    def refuse(self, proposal: Proposal, time: datetime, why: str) -> None:
        """Leave a trace of an entry that was approved and could not be sent."""
        reason = (time.date(), why.partition(":")[0])
        # The same proposal comes at every iteration until its reading changes: the record keeps each, the log one.
        news = self._refused.get(proposal.symbol) != reason
        level = logging.WARNING if news else logging.DEBUG
        log.log(level, "%s not entered: %s", proposal.symbol, why)
        self._refused[proposal.symbol] = reason
        self.skipped.append(not_sent(time, "", proposal, why))
        try:
            self._journal.not_sent(proposal.symbol, time, why)
        except Refusal as refusal:
            # Of a decision that is told without its end nothing is traded.
            log.log(level, "%s: why it was not entered is not kept, %s", proposal.symbol, refusal)


def _remark(proposal: Proposal, price: float, stop: float, reason: str) -> str:
    """An entry's reason for the log: how far its stop is in multiples of ATR, and which levels were only decided on."""
    label = proposal.terms.label
    # The order's own levels have moved along with the quote: two stops in a line have to say which is which.
    told = reason.replace(label, f"decided at {proposal.price:.2f} with {label}") if label else reason
    if not (proposal.atr > 0 and math.isfinite(stop)):
        return told
    return f"stop {abs(price - stop) / proposal.atr:.2f} × ATR {proposal.atr:.4g} away; {told}"


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


def _from_journal(order: JournalOrder, rest: float) -> Proposal:
    """An entry whose proposal did not survive a restart, as far as rules have to count it."""
    price = float(order.limit_price or order.bracket_stop or 0)
    blank = Proposal(
        symbol=order.symbol,
        side="buy" if order.side == "buy" else "sell_short",
        signal="",
        score=math.nan,
        price=price,
        atr=math.nan,
        stop=float(order.bracket_stop or math.nan),
        target=float(order.bracket_target or math.nan),
        terms=BracketTerms("buy"),
        quantity=rest,
        reason=order.reason,
    )
    return replace(blank, role="hedge") if order.role == "hedge" else blank
