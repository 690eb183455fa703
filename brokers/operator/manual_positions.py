"""Positions made by hand: what they are worth, their share of the account, and the size that would be right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from brokers.desk.reconcile.manual_positions import lot_of, right_beside
from brokers.operator.account import Outlook
from brokers.quantities import digits
from config import Settings


@dataclass(frozen=True, slots=True)
class ManualPosition:
    """The shares of one symbol that were traded by hand, signed, beside ``ours``.

    Price and worth in USD, ``share`` of equity; ``right`` are the shares that the caps leave beside ours.
    """

    symbol: str
    held: Decimal
    price: float
    worth: float
    share: float
    right: float
    ours: Decimal = Decimal(0)

    @property
    def too_large(self) -> bool:
        return abs(float(self.held)) > self.right

    @property
    def whole_share(self) -> float:
        """Part of equity that the symbol is, ours included."""
        return self.share * float((self.held + self.ours) / self.held)

    @property
    def text(self) -> str:
        shares = f"{digits(self.held)} {self.symbol} at {self.price:,.2f} is {self.worth:,.2f} USD"
        both = f" and {self.whole_share:.1%} with {digits(self.ours)} of ours" if self.ours else ""
        right = f"; {self.right:g} would be right" if self.too_large else ", within the caps"
        return f"{shares}, {self.share:.1%} of the account{both}{right}"


def manual_positions(outlook: Outlook, settings: Settings, unbooked: Mapping[str, Decimal]) -> list[ManualPosition]:
    """What is held beyond our own shares; ``unbooked`` are signed shares of fills of ours that are not booked yet."""
    equity = float(outlook.view.account.equity)
    found = []
    for symbol, position in sorted(outlook.view.positions.items()):
        if symbol in settings.live.adopt:
            continue
        held = outlook.view.held(symbol)
        ours = outlook.own.quantity(symbol) + unbooked.get(symbol, Decimal(0))
        theirs = held - ours
        # Fewer than ours is a difference of quantity and nobody's position.
        if theirs * held <= 0:
            continue
        price = float(position.unit_price)
        worth = abs(float(theirs)) * price
        share = worth / equity if equity > 0 else 0.0
        right = right_beside(ours, settings, equity, price, lot_of(position, settings.sizing.lot))
        found.append(ManualPosition(symbol, theirs, price, worth, share, right, ours))
    return found
