"""Targets at a venue where a stop rests by itself: watched here, and exchanged for the stop when they are reached.

The stop holds the shares, so it is cancelled first; once they are free they are offered at the target. What does not
come free within ``live.protection.max_exchange_s`` goes back behind a stop, and so does what is not sold so long after
it was offered. An offer that the market takes part after part goes on for up to a minute, and one whose rest is below
the venue's minimum until it is filled.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from brokers.desk.execution.backoff import Backoff, elapsed
from brokers.desk.execution.exit_levels import Levels
from brokers.desk.execution.exit_terms import ExitTerms
from brokers.desk.execution.filling import Filling
from brokers.desk.execution.order_gateway import OrderGateway, OrderRefused
from brokers.desk.execution.order_requests import single
from brokers.desk.execution.sale_check import Successors, unsaleable
from brokers.desk.reconcile.own_positions import OwnPositions
from brokers.desk.venue_state import VenueState
from brokers.journal import AlreadyPlanned, JournalOrder, State
from brokers.journal.states import FINAL
from brokers.order_types import OrderRole, Resting, TimeInForce
from brokers.venue_values import VenueOrder
from config import Settings
from risk.model import Position

FIRST_PAUSE_S, LONGEST_PAUSE_S = 30.0, 600.0
"""Behind the stop after an exchange that did not sell, doubled from one to the next. Longer than an exchange: where the
price comes and goes around the target, the shares are behind their stop for most of the time."""
FIRST_UNTAKEN_S, LONGEST_UNTAKEN_S = 15.0, 300.0
"""The same where the venue would not have taken the offer, so that none began."""
LONGEST_UNTOLD_S = 30.0
"""Shares that are offered at their target are told as being without a stop after this at the latest."""
LONGEST_IN_PARTS = timedelta(seconds=60)
"""An offer that fills in parts ends this long after its stop was cancelled, however well it fills."""

log = logging.getLogger(__name__)


class Stage(StrEnum):
    """Where an exchange stands."""

    WATCHING = "the stop rests, the target is watched"
    RELEASING = "the stop is being cancelled"
    SELLING = "the shares are offered at the target"
    RETURNING = "what was not sold goes back behind a stop"


@dataclass(slots=True)
class Exchange:
    """The target of one position.

    ``began`` is when the stop's cancel was asked for, ``order`` the client order id of the offer, ``offered`` when that
    was sent.
    """

    stage: Stage = Stage.WATCHING
    began: datetime | None = None
    order: str = ""
    offered: datetime | None = None
    cancel_asked: datetime | None = None
    backoff: Backoff = field(default_factory=lambda: Backoff(FIRST_PAUSE_S, LONGEST_PAUSE_S))
    untaken: Backoff = field(default_factory=lambda: Backoff(FIRST_UNTAKEN_S, LONGEST_UNTAKEN_S))


class TargetExchange:
    """Sells positions at their targets where the venue lets only the stop rest.

    Parameters
    ----------
    state : VenueState
    positions : OwnPositions
    gateway : OrderGateway
    settings : Settings
    levels : callable
        Stop and target of a position.
    filling : Filling
    """

    def __init__(
        self,
        state: VenueState,
        positions: OwnPositions,
        gateway: OrderGateway,
        settings: Settings,
        levels: Callable[[Position], Levels],
        filling: Filling,
    ) -> None:
        self._state = state
        self._positions = positions
        self._gateway = gateway
        self._terms = ExitTerms(state, settings.sizing.lot)
        self._longest_s = settings.live.protection.max_exchange_s
        self._levels = levels
        self._filling = filling
        self._successors = Successors(state)
        self._exchanges: dict[str, Exchange] = {}
        self.needed = Resting.OCO not in state.rules.resting
        """Whether the venue has no pair of a stop and a target."""

    @property
    def watching(self) -> bool:
        """Whether a target of ours has to be watched."""
        return self.needed and bool(self._positions.book.ledger.positions)

    @property
    def under_way(self) -> bool:
        """Whether a stop is being exchanged for its target."""
        return bool(self.symbols)

    @property
    def ending(self) -> bool:
        """Whether an offer is being cancelled, or its shares wait for their stop."""
        return any(x.stage is Stage.RETURNING or x.cancel_asked is not None for x in self._exchanges.values())

    @property
    def symbols(self) -> set[str]:
        """Where that is so; the position itself may be gone."""
        return {symbol for symbol, exchange in self._exchanges.items() if exchange.stage is not Stage.WATCHING}

    @property
    def offered(self) -> frozenset[str]:
        """Symbols that are offered at their target, and have been for no longer than that may take.

        That they are without a stop meanwhile is as planned. Safe in any thread.
        """
        now, most = self._state.now, timedelta(seconds=min(self._longest_s, LONGEST_UNTOLD_S))
        selling = (item for item in dict(self._exchanges).items() if item[1].stage is Stage.SELLING)
        since = ((symbol, exchange.offered) for symbol, exchange in selling)
        return frozenset(symbol for symbol, time in since if time is not None and not elapsed(now, time, most))

    def keeps(self, symbol: str) -> Decimal | None:
        """How many shares are to be protected now: fewer while they are exchanged; None is all of them."""
        exchange = self._exchanges.get(symbol)
        if exchange is None or exchange.stage in (Stage.WATCHING, Stage.RETURNING):
            return None
        return Decimal(0) if exchange.stage is Stage.SELLING else self._positions.protection(symbol).protected

    def tend(self, symbol: str) -> None:
        """One step with the target of a position."""
        position = self._positions.book.ledger.positions.get(symbol)
        if position is None:
            self._exchanges.pop(symbol, None)
            return
        exchange = self._exchanges.setdefault(symbol, Exchange())
        match exchange.stage:
            case Stage.WATCHING:
                self._watch(exchange, position)
            case Stage.RELEASING:
                self._release(exchange, position)
            case Stage.SELLING:
                self._follow(exchange, symbol)
            case Stage.RETURNING:
                if not self._missing(position):
                    exchange.stage, exchange.began = Stage.WATCHING, None

    def give_up(self, symbol: str) -> None:
        """Something else closes the position: an offer is cancelled, and no other begins."""
        exchange = self._exchanges.get(symbol)
        if exchange is None or exchange.stage is Stage.WATCHING:
            return
        if exchange.stage is Stage.SELLING:
            self._follow(exchange, symbol, over=True)
        else:
            self._exchanges.pop(symbol)

    def give_back(self, symbol: str) -> None:
        """No look shows whether the shares are free: they go back behind a stop, and are not offered again before."""
        exchange = self._exchanges.get(symbol)
        if exchange is None:
            return
        if exchange.stage is Stage.RELEASING or exchange.cancel_asked is not None:
            log.warning("%s: nobody can look whether its shares are free, the stop goes back", symbol)
            self._end(exchange, sold=False)

    def call_off(self) -> None:
        """Offer nothing more: what is not offered yet goes back behind its stop; ``give_up`` ends an offer first."""
        for exchange in self._exchanges.values():
            if exchange.stage is Stage.RELEASING:
                exchange.stage = Stage.RETURNING

    def _watch(self, exchange: Exchange, position: Position) -> None:
        now = self._state.now
        if exchange.backoff.pauses(now) or exchange.untaken.pauses(now):
            return
        if self._missing(position) or self._positions.unresolved(position.symbol):
            return
        sellable = self._sellable(position.symbol)
        if not sellable or self._filling.staying(position.symbol):
            return
        quote = self._state.quote(position.symbol)
        long, target = position.quantity > 0, self._levels(position).target
        reached = not quote.problem and (float(quote.bid) >= target if long else float(quote.ask) <= target)
        if not reached:
            return
        if why := unsaleable(self._state, position.symbol, sellable):
            log.warning(
                "%s: the target %s is reached and not sold at, %s; its stop stays", position.symbol, target, why
            )
            exchange.untaken.failed(now)
            return
        exchange.untaken.succeeded()
        log.info("%s: the target %s is reached, its stop is exchanged for it", position.symbol, target)
        exchange.stage, exchange.began, exchange.offered = Stage.RELEASING, now, None
        self._release(exchange, position)

    def _release(self, exchange: Exchange, position: Position) -> None:
        """Cancel the stops, and offer the shares once the venue has given them back."""
        symbol = position.symbol
        protection = self._positions.protection(symbol)
        whole = self._sellable(symbol)
        if not whole or self._filling.staying(symbol):
            # Nothing is left to be offered, or the stop has begun to sell.
            self._end(exchange, sold=False)
            return
        self._gateway.make_way(order.id for order in protection.groups.values())
        if not protection.exits and self._positions.free(symbol) >= whole:
            self._offer(exchange, position, whole)
        elif self._overdue(exchange):
            log.warning("%s: the shares were not free in time, the stop goes back", symbol)
            self._end(exchange, sold=False)

    def _offer(self, exchange: Exchange, position: Position, quantity: Decimal) -> None:
        symbol, long = position.symbol, position.quantity > 0
        request = single(
            symbol,
            "sell" if long else "buy",
            quantity,
            self._levels(position).target,
            time_in_force=TimeInForce.GTC if self._state.rules.always_open else TimeInForce.DAY,
        )
        entry = self._positions.book.entries[symbol]
        try:
            order = self._gateway.place(
                request, OrderRole.TARGET, self._state.now, parent=entry.client_order_id, reason="target reached"
            )
        except (OrderRefused, AlreadyPlanned) as refusal:
            log.warning("%s: not offered at its target, %s", symbol, refusal)
            self._end(exchange, sold=False)
            return
        exchange.stage, exchange.order, exchange.cancel_asked = Stage.SELLING, order.client_order_id, None
        exchange.offered = self._state.now

    def _follow(self, exchange: Exchange, symbol: str, over: bool = False) -> None:
        """Cancel the offer when its time is up, and let what is left go back behind a stop once it has ended."""
        order = self._positions.journal.order(exchange.order)
        if order.state in FINAL:
            self._end(exchange, sold=order.state is State.FILLED)
        elif order.state in (State.JOURNALED, State.UNKNOWN):
            return
        elif exchange.cancel_asked is not None:
            exchange.cancel_asked = self._gateway.cancel_again(order.venue_id, exchange.cancel_asked)
        elif self._ends(exchange, order, over) and self._gateway.make_way([order.venue_id]):
            log.info("%s: the offer at its target ends, what is left goes back behind a stop", symbol)
            exchange.cancel_asked = self._state.now

    def _ends(self, exchange: Exchange, order: JournalOrder, over: bool) -> bool:
        """Whether an offer is to be cancelled: its time is up, or something else closes the position."""
        there = self._state.view.orders.get(order.venue_id)
        if there is not None and self._filling.is_last(there):
            return False
        # While no other order is taken no stop could follow, and the offer is the only exit there can be.
        if not (over or self._has_run_out(exchange, there)) or self._state.view.account.blocked:
            return False
        return self._successors.possible(order.symbol, order.remaining, "the offer at its target")

    def _has_run_out(self, exchange: Exchange, there: VenueOrder | None) -> bool:
        """Whether the time of an offer is up, as a look has shown it."""
        if not self._overdue(exchange):
            return False
        too_long = exchange.began is None or elapsed(self._state.now, exchange.began, LONGEST_IN_PARTS)
        if too_long or there is None:
            # Of an offer that no look has shown nobody knows whether it fills: then the minute alone ends it.
            return too_long
        return not self._filling.goes_on(there) or not self._filling.is_taken(there)

    def _end(self, exchange: Exchange, sold: bool) -> None:
        exchange.stage, exchange.order, exchange.cancel_asked = Stage.RETURNING, "", None
        if sold:
            exchange.backoff.succeeded()
        else:
            exchange.backoff.failed(self._state.now)

    def _overdue(self, exchange: Exchange) -> bool:
        """Whether the time that there is has gone by, for the shares to come free or then for the offer to fill."""
        since = exchange.offered or exchange.began
        return since is None or elapsed(self._state.now, since, timedelta(seconds=self._longest_s))

    def _missing(self, position: Position) -> bool:
        """Whether some of the shares are not behind a stop."""
        return self._positions.protection(position.symbol).protected < self._sellable(position.symbol)

    def _sellable(self, symbol: str) -> Decimal:
        """What of a position an offer may be for."""
        return self._terms.can_rest(symbol, abs(self._positions.book.quantity(symbol)))
