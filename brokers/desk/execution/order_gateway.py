"""Sends orders: each passes the policy gate, then the journal, and only then leaves for the venue."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial

from brokers.desk.execution.backoff import elapsed
from brokers.desk.execution.order_requests import on_grid, on_tick, stop_on_tick
from brokers.desk.execution.order_terms import figures, levels_of, limit_of, stop_of, terms, type_of
from brokers.desk.reconcile.journal_sync import JournalSync
from brokers.desk.reconcile.own_positions import OwnPositions
from brokers.desk.venue_snapshot import VenueSnapshot
from brokers.desk.venue_state import VenueState
from brokers.journal import Journal, JournalOrder, OrderIntent, State
from brokers.journal.marks import MADE_WAY
from brokers.network.admission import Admission
from brokers.order_types import EXIT_ROLES, LEVEL_ROLES, OrderType, RefusalCode, Side, VenueReason
from brokers.quantities import digits
from brokers.reporting.events import EventKind, about
from brokers.venue_errors import NotSent, OutcomeUnknown, VenueError, VenueRefusal
from brokers.venue_requests import OrderChange, OrderRequest
from brokers.venue_values import OrderAck
from config.schema import Gate
from risk.policy_gate import GateCode, check
from risk.policy_gate import OrderRequest as GateRequest

ASK_AGAIN = timedelta(seconds=3)
"""After this a cancel that has come to nothing, by a look since, is asked for once more."""

log = logging.getLogger(__name__)


class OrderRefused(Exception):
    """An order was not placed: the gate or the venue said no, or it could not be sent; ``code`` says why."""

    def __init__(self, code: str, venue: VenueRefusal | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.venue = venue


@dataclass(slots=True)
class Limits:
    """What the gate measures orders with; ``slippage_frac`` is how far beyond its quote a market order may fill."""

    gate: Gate
    lot: float
    position_frac: float
    slippage_frac: float = 0.0


@dataclass(frozen=True, slots=True)
class Answered:
    """The venue's answer to a cancel: when it came, the view of that moment, and whether it was ``accepted``."""

    at: datetime
    view: VenueSnapshot
    accepted: bool


class OrderGateway:
    """Places, changes and cancels orders; the only class that does.

    Parameters
    ----------
    state : VenueState
    journal : Journal
    sync : JournalSync
    positions : OwnPositions
    limits : Limits
    admission : Admission
        Holds each order while it is being sent.
    strategy : str
        Name that orders go by in the journal.

    Attributes
    ----------
    shutting_down : bool
        Whether the process is ending: nothing is placed then but stops and targets.
    unbooked : callable
        Is told why the journal could not take what the venue had answered.
    """

    def __init__(
        self,
        state: VenueState,
        journal: Journal,
        sync: JournalSync,
        positions: OwnPositions,
        limits: Limits,
        admission: Admission,
        strategy: str,
    ) -> None:
        self.limits = limits
        self.shutting_down = False
        self.unbooked: Callable[[Exception], None] = _tell_unbooked
        self._answered_cancels: dict[str, Answered] = {}
        self._state = state
        self._venue = state.venue
        self._journal = journal
        self._sync = sync
        self._positions = positions
        self._admission = admission
        self._strategy = strategy

    @property
    def nothing_follows(self) -> bool:
        """Whether no other order could take the place of one that is cancelled now.

        The process is ending, so that there may be no next step, or the account takes no order.
        """
        return self.shutting_down or bool(self._state.view.account.blocked)

    def place(
        self,
        request: OrderRequest,
        role: str,
        time: datetime,
        *,
        opens: bool = False,
        quote: float = math.nan,
        reference: float | None = None,
        levels: tuple[float, float] | None = None,
        parent: str = "",
        reason: str = "",
        remark: str = "",
    ) -> JournalOrder:
        """Place one order; returns it as it stands, which may be unknown.

        What the venue has taken is returned also where the journal cannot book the answer: it is followed like an order
        without an answer, and never sent again.

        Parameters
        ----------
        request : OrderRequest
        role : str
        time : datetime
            Of the decision.
        opens : bool
            Whether it opens a position.
        quote, reference : float
            The price that it would trade against now, and the one that it was decided on, USD.
        levels : (float, float), optional
            Stop and target of a position that has them elsewhere than in the order itself.
        parent : str
            Client order id of the entry whose exits these are.
        reason : str
        remark : str
            What the log says in place of the reason.

        Raises
        ------
        OrderRefused
            It was not placed, for sure; at shutdown, whatever does not protect.
        AlreadyPlanned
            It was or may have been sent before.
        """
        if self.shutting_down and role not in LEVEL_ROLES:
            raise OrderRefused(f"{RefusalCode.SHUTDOWN}: the process is ending, nothing is sent but stops and targets")
        request = on_grid(request, partial(self._state.rules.tick, symbol=request.symbol))
        intent = self.intent(
            request.symbol,
            request.side,
            request.quantity,
            type_of(request),
            role,
            time,
            limit=limit_of(request),
            stop=stop_of(request),
            levels=self._levels(request, levels),
            parent=parent,
            reason=reason,
        )
        measured = self._measured(intent, opens=opens, quote=quote, reference=reference)
        self._pass_the_gate(measured, "")
        name = self._journal.plan_order(intent)
        if opens:
            self._positions.measured(name, measured.price)

        def tell() -> None:
            log.info(
                "%s: %s %s %s %s; %s",
                role,
                intent.side,
                digits(request.quantity),
                intent.symbol,
                terms(request),
                remark or reason,
                extra=about(EventKind.ORDER, intent.symbol, **figures(name, intent)),
            )

        return self._send(name, lambda: self._venue.submit(request, name, opens), urgent=not opens, tell=tell)

    def intent(
        self,
        symbol: str,
        side: Side,
        quantity: Decimal,
        kind: str,
        role: str,
        time: datetime,
        *,
        limit: Decimal | None = None,
        stop: Decimal | None = None,
        levels: tuple[Decimal | None, Decimal | None] = (None, None),
        parent: str = "",
        reason: str = "",
    ) -> OrderIntent:
        """What the journal is to know of an order; its number is the next free one of the decision.

        Raises
        ------
        OrderRefused
            It would be for nothing: what is left of a position may be less than a lot.
        """
        if quantity <= 0:
            raise OrderRefused(f"{GateCode.QUANTITY}: {quantity} is not a positive quantity")
        return OrderIntent(
            strategy=self._strategy,
            symbol=symbol,
            side=side,
            quantity=quantity,
            type=str(kind),
            role=str(role),
            decision_time=time,
            sequence=self._journal.next_sequence(symbol, str(role), time),
            limit_price=limit,
            stop_price=stop,
            bracket_stop=levels[0],
            bracket_target=levels[1],
            parent_id=parent,
            reason=reason,
        )

    def replace(self, venue_id: str, intent: OrderIntent, change: OrderChange, quote: float = math.nan) -> JournalOrder:
        """Put another order in the place of one that rests; raises like ``place``.

        ``quote`` is the price it would trade against now, which only an order that opens a position needs.
        """
        opens, replaced = intent.role not in EXIT_ROLES, self._sync.client_id(venue_id) or ""
        self._pass_the_gate(self._measured(intent, opens=opens, quote=quote), replaced)
        name = self._journal.plan_order(intent)
        if replaced and change.quantity is not None:
            # A venue may raise it under its own name, and may do so late: what it shows then is what was asked for.
            self._journal.raise_quantity(replaced, change.quantity)
        return self._send(name, lambda: self._venue.replace(venue_id, change, name), urgent=not opens)

    def cancel(self, venue_id: str, *, seen_open: bool = False) -> bool:
        """Ask for a cancel; False if the venue says that there is nothing to cancel any more.

        What the venue has answered stands until a later look: several steps may want the cancel before that, and so may
        a step after a look that failed. An order that is still there then is cancelled again, and so is one that the
        caller has seen open by listings of its own (``seen_open``).
        """
        now, view = self._state.now, self._state.view
        self._answered_cancels = {
            name: answer
            for name, answer in self._answered_cancels.items()
            if (answer.view is view and not (seen_open and name == venue_id)) or not elapsed(now, answer.at, ASK_AGAIN)
        }
        if (answer := self._answered_cancels.get(venue_id)) is not None:
            return answer.accepted
        with self._admission.sending(venue_id, urgent=True):
            try:
                ended = self._venue.cancel(venue_id)
            except VenueRefusal as refusal:
                log.info("cancel of %s refused: %s", venue_id, refusal.message)
                if refusal.reason is VenueReason.NOT_FOUND:
                    self._answered_cancels[venue_id] = Answered(now, view, accepted=False)
                return False
            except OutcomeUnknown as error:
                # Asking twice for a cancel does no harm; the next look shows what came of it.
                log.warning("cancel of %s without an answer: %s", venue_id, error)
                self._state.cancel_unanswered(venue_id)
            else:
                self._answered_cancels[venue_id] = Answered(now, view, accepted=True)
                if ended:
                    self._state.cancel_confirmed(venue_id)
                    if (order := view.orders.get(venue_id)) is not None:
                        self._positions.seen_anew(order.symbol)
        return True

    def make_way(self, venue_ids: Iterable[str]) -> bool:
        """Cancel orders in whose place others are to go; False if the venue had nothing to cancel of one.

        Raises
        ------
        Refusal
            The journal cannot be written. The others could not be sent then, so these stay.
        """
        ending = list(venue_ids)
        if ending:
            self._journal.keep_mark(MADE_WAY, ending[0])
        asked = [self.cancel(venue_id) for venue_id in ending]
        return all(asked)

    def cancel_again(self, venue_id: str, asked: datetime) -> datetime:
        """Ask once more for a cancel that has come to nothing; returns when it was asked for last.

        A cancel whose answer was lost may never have arrived: it is asked for again also where no look tells.
        """
        there, now, view = self._state.view.orders.get(venue_id), self._state.now, self._state.view
        if there is None or not there.open or not elapsed(now, asked, ASK_AGAIN):
            return asked
        if there.cancel_pending and not view.in_doubt(there):
            return asked
        self.cancel(venue_id)
        return now

    def _measured(
        self, intent: OrderIntent, *, opens: bool, quote: float, reference: float | None = None
    ) -> GateRequest:
        """An order as the gate measures it."""
        return GateRequest(
            symbol=intent.symbol,
            opens=opens,
            quantity=float(intent.quantity),
            quote=quote,
            reference=reference,
            limit_price=None if intent.limit_price is None else float(intent.limit_price),
            stop_price=None if intent.stop_price is None else float(intent.stop_price),
            buy=intent.side == "buy",
            # Only what opens is limited by what it may cost.
            beyond_frac=self._beyond(intent) if opens else 0.0,
        )

    def _beyond(self, intent: OrderIntent) -> float:
        """How far beyond its price an order may be filled: at once by its slippage, later by what the market does."""
        if intent.limit_price is not None:
            return 0.0
        at_once = intent.type == OrderType.MARKET and self._state.in_session
        beyond = self.limits.slippage_frac if at_once else self.limits.gate.price_collar_frac
        return beyond + float(self._state.rules.fee_frac)

    def _pass_the_gate(self, request: GateRequest, replaced: str) -> None:
        limits = self.limits
        account = self._positions.account_state(request.symbol, replaced)
        refusal = check(
            request,
            account,
            limits.gate,
            limits.lot,
            limits.position_frac,
            partial(self._state.rules.tick, symbol=request.symbol),
        )
        if refusal is not None:
            raise OrderRefused(str(refusal))

    def _send(
        self, name: str, request: Callable[[], OrderAck], *, urgent: bool, tell: Callable[[], None] = lambda: None
    ) -> JournalOrder:
        """Send what is in the journal; ``tell`` logs it once the venue has it, or may have it."""
        # Read before it leaves: this is what is known of it where nothing can be booked afterwards.
        planned = self._journal.order(name)
        with self._admission.sending(name, urgent):
            try:
                ack = request()
            except VenueRefusal as refusal:
                if refusal.reason is VenueReason.DUPLICATE_ID:
                    return self._there_already(planned)
                self._not_taken(name, str(refusal))
                raise OrderRefused(f"{RefusalCode.VENUE}: {refusal.message}", refusal) from refusal
            except NotSent as error:
                self._not_taken(name, f"not sent: {error}")
                raise OrderRefused(f"{RefusalCode.NOT_SENT}: {error}") from error
            except OutcomeUnknown as error:
                tell()
                log.warning("%s: outcome unknown (%s); it will be looked up by its id", name, error)
                return self._unknown(planned, str(error))
        # Before the answer is booked, which may tell of fills.
        tell()
        return self._accepted(planned, ack)

    def _levels(
        self, request: OrderRequest, levels: tuple[float, float] | None
    ) -> tuple[Decimal | None, Decimal | None]:
        """Stop and target, from the order itself or as they are given."""
        if levels is None:
            return levels_of(request)
        tick = partial(self._state.rules.tick, symbol=request.symbol)
        leaving: Side = "sell" if request.side == "buy" else "buy"
        stop, target = levels
        return (
            None if math.isnan(stop) else stop_on_tick(stop, leaving, tick),
            None if math.isnan(target) else on_tick(target, tick),
        )

    def _there_already(self, planned: JournalOrder) -> JournalOrder:
        """The venue knows the id: an earlier request of ours got through."""
        name = planned.client_order_id
        order = self._unknown(planned, "the venue knows this id already")
        try:
            ack = self._venue.order_by_client_id(name)
        except VenueError as error:
            log.warning("%s: the venue has it, and cannot be asked for it now (%s); it will be looked up", name, error)
            return order
        return order if ack is None else self._accepted(planned, ack)

    def _unknown(self, planned: JournalOrder, why: str) -> JournalOrder:
        """An order that the venue has or may have; as it was planned where the journal cannot take that."""
        try:
            return self._journal.unknown(planned.client_order_id, why)
        except Exception as error:
            self.unbooked(error)
            return planned

    def _not_taken(self, name: str, why: str) -> None:
        """The venue has not taken an order: that is so, whether or not the journal can be told now."""
        try:
            self._sync.refuse(name, why)
        except Exception as error:
            self.unbooked(error)

    def _accepted(self, planned: JournalOrder, ack: OrderAck) -> JournalOrder:
        """Book what the venue answered, and show it.

        The order is at the venue whatever becomes of the booking: whoever sent it has to follow it, so that an error is
        told and not raised. The next look books it by its name.
        """
        order, known = planned, True
        try:
            order = self._sync.accept(planned.client_order_id, ack)
            known = order.state is not State.UNKNOWN
        except Exception as error:
            self.unbooked(error)
            known = self._sync.client_id(ack.id) is not None
        if known:
            self._state.show(ack.orders, self._sync.held_back(ack.unread))
        return order


def _tell_unbooked(error: Exception) -> None:
    log.error("what the venue answered to an order is not booked, the next look does that: %s", error)
