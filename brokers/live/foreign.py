"""What hands do at the venue: found, told with the size that would have been right, and counted."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from brokers.live.floor import Floor
from brokers.live.payloads import amount
from config import Settings
from risk.lots import affordable

SETTLE = timedelta(seconds=1)
"""A difference that is still there after so long is none of order and position having been read apart."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Foreign:
    """Finds shares that came or went without an order of ours, and enters them as made by hand.

    Parameters
    ----------
    floor : Floor
    """

    floor: Floor
    _seen: dict[str, tuple[Decimal, datetime]] = field(default_factory=dict)
    _told: dict[str, Decimal] = field(default_factory=dict)

    def look(self) -> None:
        """Compare the venue's positions with all fills that are known."""
        floor = self.floor
        for order in floor.view.strangers:
            if order.filled > 0:
                floor.books.adopt_manual(order)
        floor.add_up()
        for symbol in sorted(floor.view.positions.keys() | floor.own.symbols):
            difference = floor.view.held(symbol) - floor.own.total(symbol)
            if not difference or floor.unresolved(symbol):
                self._seen.pop(symbol, None)
            elif self._lasts(symbol, difference):
                self._enter(symbol, difference)
        floor.add_up()
        for symbol, held in floor.own.manual.items():
            if held != self._told.get(symbol, Decimal(0)):
                self._told[symbol] = held
                log.warning("%s", describe(floor, symbol, held))

    def _lasts(self, symbol: str, difference: Decimal) -> bool:
        seen = self._seen.get(symbol)
        if seen is None or seen[0] != difference:
            self._seen[symbol] = (difference, self.floor.now)
            return False
        return self.floor.now - seen[1] >= SETTLE

    def _enter(self, symbol: str, difference: Decimal) -> None:
        floor = self.floor
        raw = floor.view.positions.get(symbol, {})
        price = amount(raw, "avg_entry_price") or amount(raw, "current_price") or self._last_known(symbol)
        log.warning("%s: %s shares without an order of ours", symbol, f"{difference.normalize():+f}")
        floor.books.note_difference(symbol, difference, price, floor.now, "found at the venue without an order")
        self._seen.pop(symbol, None)

    def _last_known(self, symbol: str) -> Decimal:
        position = self.floor.own.ledger.positions.get(symbol)
        return Decimal(str(position.entry_price)) if position else Decimal("0.01")


def describe(floor: Floor, symbol: str, held: Decimal) -> str:
    """A hand's position in words: what it is worth, its share of the account, and the size that would be right."""
    if not held:
        return f"{symbol}: a position made by hand is gone"
    raw, equity = floor.view.positions.get(symbol, {}), floor.equity
    price = float(amount(raw, "current_price") or amount(raw, "avg_entry_price"))
    worth = abs(float(held)) * price
    right = right_size(floor.settings, equity, price)
    share = worth / equity if equity > 0 else 0.0
    over = f"; {right:g} would be right" if abs(float(held)) > right else ""
    managed = "managed like our own" if symbol in floor.settings.live.adopt else "reported, counted and left alone"
    return f"{symbol}: {held} shares made by hand, {worth:.2f} USD, {share:.1%} of the account{over}; {managed}"


def right_size(settings: Settings, equity: float, price: float) -> float:
    """Shares that one position may have at a price."""
    most = min(settings.gate.max_order_notional_frac, settings.sizing.max_notional_frac)
    return affordable(most * equity, price, settings.sizing.lot)
