"""A working order of the backtest: the order as sent, the matching engine's ticket and its record, tied together."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from brokers.backtest.fills import Kind, Ticket
from brokers.record import OrderRecord
from risk.model import Proposal
from risk.policy_gate import SMALLEST_QUOTED, tick_of

GTC_DAYS = 90  # The venue cancels good-till-cancelled orders after this many days.


def venue_gap(quote: float, least: float) -> float:
    """How far from the market exits must lie, USD: ``least``, a step at least; of what no venue quotes, a step."""
    return tick_of(quote) if quote < SMALLEST_QUOTED else max(least, tick_of(quote))


@dataclass(slots=True, eq=False)
class WorkingOrder:
    """``order`` is what was sent: Lumibot's object, or the replay engine's own.

    ``number`` orders by time of arrival; ``legs`` wait for this order's fill; ``sibling`` is the number of the
    order that dies when it fills.

    ``protects`` tells a stop of any kind that closes a position. A bar of its ``column`` can fill it if it reaches up
    to ``above`` or down to ``below``, USD.
    ``notional`` is what an opening order counts for in its day, USD.
    """

    order: Any
    ticket: Ticket
    symbol: str
    quantity: float
    opens: bool
    exit: bool
    day: bool
    record: OrderRecord
    intent: Proposal | None = None
    legs: list[WorkingOrder] = field(default_factory=list)
    sibling: int = -1
    refusal: str = ""
    notional: float = 0
    column: int = -1
    above: float = math.inf
    below: float = -math.inf
    expires: datetime | None = None
    filled: bool = False
    number: int = field(default_factory=itertools.count().__next__)
    protects: bool = field(init=False)

    def __post_init__(self) -> None:
        self.protects = self.exit and self.ticket.kind >= Kind.STOP

    def family(self) -> tuple[WorkingOrder, ...]:
        """The order and its exits."""
        return (self, *self.legs)

    def work_on(self, column: int) -> None:
        """Wait for bars of a column of the table; -1 where it has none of the symbol."""
        self.column = column
        self._note_reach()

    def _note_reach(self) -> None:
        """What a bar has to reach is worked out once, as every bar is compared with every order."""
        ticket = self.ticket
        self.above, self.below = math.inf, -math.inf
        if ticket.kind is Kind.STOP or ticket.kind is Kind.LIMIT:
            price = ticket.stop if ticket.kind is Kind.STOP else ticket.limit
            if ticket.buy is (ticket.kind is Kind.STOP):
                self.above = price
            else:
                self.below = price
        elif self.column >= 0:
            # Any bar that there is.
            self.below = math.inf

    def raw_price(self) -> float:
        """The price that triggered a fill inside a bar, before slippage."""
        ticket = self.ticket
        if ticket.kind is Kind.LIMIT or ticket.kind is Kind.STOP_LIMIT:
            return ticket.limit
        if ticket.kind is Kind.TRAIL:
            distance = ticket.trail if math.isnan(ticket.trail_frac) else ticket.mark * ticket.trail_frac
            return ticket.mark + distance if ticket.buy else ticket.mark - distance
        return ticket.stop

    def levels(self) -> tuple[float, float]:
        """Stop and target among the legs; NaN where there is none."""
        stop = target = math.nan
        for leg in reversed(self.legs):
            if leg.ticket.kind is Kind.LIMIT:
                target = leg.ticket.limit
            elif leg.ticket.kind >= Kind.STOP:
                stop = leg.ticket.stop
        return stop, target

    def venue_refusal(self, quote: float, least_gap: float) -> str | None:
        """What the venue says to exits on the wrong side of the market; None if it accepts them."""
        stop, target = self.levels()
        buy = self.ticket.buy if self.legs and not self.exit else not self.ticket.buy
        if self.ticket.kind is not Kind.MARKET and not self.exit:
            quote = self.ticket.limit if not math.isnan(self.ticket.limit) else self.ticket.stop
        sign = 1 if buy else -1
        gap = venue_gap(quote, least_gap)
        if sign * (quote - stop) < gap:
            return f"VENUE_STOP: stop {stop} is not below {quote} by {gap}" if buy else f"VENUE_STOP: stop {stop}"
        if sign * (target - quote) < gap:
            return f"VENUE_TARGET: target {target} is not beyond {quote} by {gap}"
        return None

    def resize(self, quantity: float) -> None:
        self.quantity = quantity
        self.order.quantity = quantity
        self.record.quantity = quantity

    def reprice(self, limit: float | None, stop: float | None) -> None:
        if limit is not None:
            self.ticket.limit = self.record.limit_price = self.order.limit_price = limit
        if stop is not None:
            self.ticket.stop = self.record.stop_price = self.order.stop_price = stop
        self._note_reach()


def reached(orders: Iterable[WorkingOrder], highs: Sequence[float], lows: Sequence[float]) -> list[WorkingOrder]:
    """The orders that a bar can touch at all, by its high and low of each column: a quick no saves the exact look."""
    return [w for w in orders if highs[w.column] >= w.above or lows[w.column] <= w.below]
