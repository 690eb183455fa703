"""What an entry's next order is: its price and limit, its size, the levels of its exits, and how it rests."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import partial

import pandas as pd

from brokers.desk.data.quotes import Quote
from brokers.desk.execution.backoff import elapsed
from brokers.desk.execution.entry_task import EntryTask, EntryWindow
from brokers.desk.execution.order_requests import bracket, entry_behind_stop, single
from brokers.desk.reconcile.own_positions import OwnPositions
from brokers.desk.venue_state import VenueState
from brokers.desk_rules import entry_at
from brokers.order_types import Resting, Side, TimeInForce
from brokers.quantities import down, up
from brokers.venue_requests import OrderRequest
from config import Settings
from config.values.markets import NEW_YORK_ZONE
from market.calendar import session_times, sessions_until
from risk.model import Proposal

TAKES = "AT_MARKET"

log = logging.getLogger(__name__)


class CannotSend(Exception):
    """An entry's next order may not be sent; the text says why."""


@dataclass(frozen=True, slots=True)
class PreparedEntry:
    """An order that is ready to be sent: prices in USD, the quantity in shares."""

    request: OrderRequest
    price: float
    stop: float
    target: float
    quantity: float
    reason: str

    def remark(self, proposal: Proposal) -> str:
        """The reason for the log: how far the stop is in multiples of ATR, and which levels were only decided on."""
        label = proposal.terms.label
        # The order's own levels have moved along with the quote: two stops in a line have to say which is which.
        told = self.reason
        if label:
            told = told.replace(label, f"decided at {proposal.price:.2f} with {label}")
        if not (proposal.atr > 0 and math.isfinite(self.stop)):
            return told
        away = abs(self.price - self.stop) / proposal.atr
        return f"stop {away:.2f} × ATR {proposal.atr:.4g} away; {told}"


class EntryOrders:
    """Prices and sizes the orders of entries by the quote of the moment and the venue's rules.

    Parameters
    ----------
    state : VenueState
    positions : OwnPositions
    settings : Settings
    """

    def __init__(self, state: VenueState, positions: OwnPositions, settings: Settings) -> None:
        self._state, self._positions = state, positions
        self._rule, self._lot = settings.live.entry, settings.sizing.lot
        self._max_unprotected_frac = settings.live.extended_hours.max_unprotected_frac

    def impatient(self, task: EntryTask) -> bool:
        """Whether limits of an entry have had their time, which begins with the first of its orders."""
        return task.began is not None and elapsed(self._state.now, task.began, self.patience)

    @property
    def patience(self) -> timedelta:
        """How long limits of an entry may wait, counted from the first of them."""
        return timedelta(seconds=self._rule.patience_s)

    def prepare(self, task: EntryTask, quote: Quote, window: EntryWindow) -> PreparedEntry:
        """The next order of a task.

        Raises
        ------
        CannotSend
            Something forbids it; the text is the reason.
        VenueError
            The venue's rules for the symbol are not known.
        """
        proposal, buys = task.proposal, task.proposal.side == "buy"
        price, limit, note = self._price(task, quote)
        if not math.isfinite(price):
            raise CannotSend(f"DESK_QUOTE: {proposal.symbol}: {quote.problem}")
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
            raise CannotSend(f"DESK_SIZE: nothing is left of it at {price:.4f}; {proposal.reason}")
        # Nor does the stop lie farther from the market than that of the part that is there.
        if (first := self._stop_of_part(proposal.symbol)) is not None:
            sign, prices = (1 if buys else -1), [price] if quote.problem else quote.prices
            if any(sign * (known - first) <= rules.gap(first, proposal.symbol) for known in prices):
                raise CannotSend(f"DESK_STOP: {price:.4f} is at or beyond the stop {first} of its part")
            stop = max(stop, first) if buys else min(stop, first)
        side: Side = "buy" if buys else "sell"
        request: OrderRequest
        if window.extended:
            if limit is None:
                raise CannotSend(f"DESK_EXTENDED: {quote.problem or 'no limit can be set'}")
            if not self._room_without_stop(quantity * limit):
                raise CannotSend("DESK_EXTENDED: too much is without a stop until the open")
            request = single(proposal.symbol, side, quantity, limit, extended=True)
        elif Resting.BRACKET in self._state.rules.resting:
            request = bracket(proposal.symbol, side, quantity, stop, target, limit)
        else:
            request = single(proposal.symbol, side, quantity, limit, time_in_force=self._time_in_force)
            if Resting.ENTRY_STOP in rules.resting:
                request = entry_behind_stop(request, stop)
        return PreparedEntry(request, price, stop, target, quantity, reason)

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
        if task.attempts and self.impatient(task):
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

    @property
    def _time_in_force(self) -> TimeInForce:
        return TimeInForce.GTC if self._state.rules.always_open else TimeInForce.DAY

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
        waiting += sum(float(order.remaining * (order.limit_price or 0)) for order in self._positions.waiting())
        log.info("without a stop until the opening: %.2f USD and %.2f more, at most %.2f", waiting, notional, most)
        return waiting + notional <= most
