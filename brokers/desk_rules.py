"""What the desks of a backtest and of a live run do alike: roles, an entry's size at the quote, and halts."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from brokers.order_types import OrderRole
from brokers.quantities import down, up
from config.values.markets import NEW_YORK_EQUITY_MARKETS
from market.calendar import sessions_after
from market.trading_day import begin_of, day_of
from risk.interface import RiskModule
from risk.model import AdjustmentKind, Book, Proposal, floor_lot
from risk.policy_gate import tick_of

ADJUSTMENT_ROLES: Mapping[AdjustmentKind, OrderRole] = {
    "trim": OrderRole.TRIM,
    "partial": OrderRole.PARTIAL,
    "exit": OrderRole.CLOSE,
}
"""Role of the order that an adjustment becomes; a tighter stop is no order of its own."""


@dataclass(slots=True)
class EntryOrder:
    """An accepted proposal at the quote of the moment.

    ``quantity`` in shares, ``stop`` and ``target`` in USD, ``reason`` tells where the quote allows less than was
    decided.
    """

    quantity: float
    stop: float
    target: float
    reason: str

    @property
    def possible(self) -> bool:
        """Whether anything is left of it, and its exits can exist."""
        return self.quantity > 0 and min(self.stop, self.target) > 0


def entry_at(
    proposal: Proposal,
    quote: float,
    cost: float,
    lot: float,
    *,
    wanted: float | None = None,
    filled: float = 0,
    tick: Callable[[float], float] = tick_of,
) -> EntryOrder:
    """Move a proposal to the quote: its levels move along, and it costs at most what was approved.

    Parameters
    ----------
    proposal : Proposal
    quote : float
        Price that the order trades against now, USD.
    cost : float
        What a share may cost at most, USD: the limit, or the quote with slippage and fees.
    lot : float
        Smallest tradable quantity.
    wanted, filled : float, optional
        Shares that earlier orders of the same entry were to buy in all, and have bought.
    tick : callable, optional
        The smallest step of a price; by default that of US equity venues.
    """
    most = proposal.quantity if wanted is None else wanted
    quantity = floor_lot(min(most - filled, floor_lot(proposal.approved_usd / cost, lot) - filled), lot)
    stop, target = proposal.terms.at(quote)
    # The stop never lies farther from the market than what was sized.
    stop = up(stop, tick(stop)) if proposal.side == "buy" else down(stop, tick(stop))
    reason = proposal.reason
    left = proposal.quantity - filled
    if quantity < left:
        reason = f"{left:g} became {quantity:g} at the quote {quote:.4f}; {reason}"
    return EntryOrder(quantity, stop, target, reason)


@dataclass(slots=True)
class Halts:
    """What keeps a backtest from new positions, for how many sessions, and the peak that such halts are measured from.

    ``left`` counts down the sessions of each halt, the present one included; ``began`` tells when the latest halt of
    each module began and ``until`` when those that last end, by the calendar; ``peak`` is USD.
    """

    peak: float = math.nan
    left: dict[str, int] = field(default_factory=dict)
    began: dict[str, datetime] = field(default_factory=dict)
    until: dict[str, datetime] = field(default_factory=dict)

    def open_session(self, halters: Sequence[RiskModule], equity: float) -> None:
        """Count a session down; a peak that a halt was measured from begins anew when the halt has ended."""
        over = {name for name, left in self.left.items() if left <= 1}
        self.left = {name: left - 1 for name, left in self.left.items() if left > 1}
        self.until = {name: end for name, end in self.until.items() if name in self.left}
        if any(module.measures_peak and module.name in over for module in halters):
            self.peak = equity

    def see(self, equity: float) -> float:
        """Take in a reading of equity; returns the peak."""
        self.peak = equity if math.isnan(self.peak) else max(self.peak, equity)
        return self.peak

    def begin(self, module: RiskModule, time: datetime, market: str) -> None:
        self.left[module.name] = module.halt_sessions
        self.began[module.name] = time
        self.until[module.name] = end_of_halt(halt_dates(day_of(time), module.halt_sessions, market)[-1])


def halt_dates(today: date, sessions: int, market: str) -> tuple[date, ...]:
    """The session dates that a halt which begins today covers; every day is a session of a market without closes."""
    if sessions == 1:
        return (today,)
    if market not in NEW_YORK_EQUITY_MARKETS:
        return tuple(today + timedelta(days=n) for n in range(sessions))
    return (today, *sessions_after(today, sessions - 1))


def end_of_halt(last: date) -> datetime:
    """When a halt that covers a date as its last ends: at midnight."""
    return begin_of(last + timedelta(days=1))


def halting(halters: Sequence[RiskModule], book: Book, halted: Collection[str]) -> Iterator[RiskModule]:
    """The modules that stop entries by this book and had not stopped them before."""
    return (module for module in halters if module.name not in halted and module.halts(book))
