"""What the desks of a backtest and of a live run do alike: roles, an entry's size at the quote, and halts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from brokers.order_types import OrderRole
from brokers.quantities import down, up
from risk.interface import RiskModule
from risk.model import AdjustmentKind, Book, Proposal, floor_lot
from risk.policy_gate import tick_of

ADJUSTMENT_ROLES: Mapping[AdjustmentKind, OrderRole] = {
    "trim": OrderRole.TRIM,
    "partial": OrderRole.PARTIAL,
    "exit": OrderRole.CLOSE,
}
"""Role of the order that an adjustment becomes; a tighter stop is no order of its own."""


@dataclass(frozen=True, slots=True)
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
    """Move a proposal to the quote: its levels move along, the notional that was approved does not grow.

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
    quantity = floor_lot(min(most - filled, floor_lot(proposal.notional / cost, lot) - filled), lot)
    stop, target = proposal.terms.at(quote)
    # The stop never lies farther from the market than what was sized.
    stop = up(stop, tick(stop)) if proposal.side == "buy" else down(stop, tick(stop))
    reason = proposal.reason
    if quantity < proposal.quantity:
        reason = f"{proposal.quantity:g} became {quantity:g} at the quote {quote:.4f}; {reason}"
    return EntryOrder(quantity, stop, target, reason)


def halting(halters: Sequence[RiskModule], book: Book, halted: Collection[str]) -> Iterator[RiskModule]:
    """The modules that stop entries by this book and had not stopped them before."""
    return (module for module in halters if module.name not in halted and module.halts(book))
