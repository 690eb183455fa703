"""Shares that came beside ours, and were sold by a hand's order before the books had them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from brokers.desk.reconcile.own_positions import OwnPositions
from brokers.desk.venue_state import VenueState
from brokers.quantities import LOT_DIGITS
from brokers.venue_values import VenueOrder

NOTHING = Decimal(0)


@dataclass(slots=True)
class Came:
    """So many shares were seen beside ours; ``seen`` is when last, ``total`` what the books had of the symbol then."""

    quantity: Decimal
    seen: datetime
    total: Decimal


@dataclass(slots=True)
class SharesBeside:
    """Tells how many of the shares that a hand's order took from ours in the books were not ours.

    Two things show it, each for no more than the venue has beyond the books. Exits of ours that rest hold their shares,
    so that nobody else has sold those. And what was seen beside ours before may be what was sold; a venue may show the
    balance after a sale before it shows the sale, so this is remembered for a while.

    Parameters
    ----------
    state : VenueState
    positions : OwnPositions
    kept : timedelta
        How long shares that are seen no more may be what an order has sold that is not seen yet.
    """

    state: VenueState
    positions: OwnPositions
    kept: timedelta
    _came: dict[str, Came] = field(default_factory=dict)
    _ours: dict[str, Decimal] = field(default_factory=dict)
    """By the venue's id of a hand's order: what it had taken of ours while nothing was seen beside them."""

    def note(self, symbol: str, difference: Decimal, *, settled: bool) -> None:
        """Remember what the venue has beyond the books; ``settled`` says that it is none of listings of two moments."""
        ours, total = self.positions.book.quantity(symbol), self.positions.book.total(symbol)
        now, came = self.state.now, self._came.pop(symbol, None)
        beside = abs(difference) if ours * difference > 0 else NOTHING
        if came is not None:
            # What the books have more of has been explained.
            explained = (total - came.total) * (1 if ours > 0 else -1)
            came.quantity -= max(NOTHING, explained)
            came.total = total
            if abs(now - came.seen) >= self.kept:
                came.quantity = min(came.quantity, beside)
        if beside and (beside >= came.quantity if came is not None else settled):
            came = Came(beside if came is None or settled else came.quantity, now, total)
        if ours and came is not None and came.quantity > 0:
            self._came[symbol] = came

    def entered(self, symbol: str) -> None:
        """What was beside ours is in the books."""
        self._came.pop(symbol, None)

    def forget(self, symbols: set[str], orders: set[str]) -> None:
        """Keep what is known of these symbols, and of these orders by the venue's id."""
        self._came = {symbol: came for symbol, came in self._came.items() if symbol in symbols}
        self._ours = {name: taken for name, taken in self._ours.items() if name in orders}

    def sold(self, order: VenueOrder, name: str) -> Decimal:
        """Shares, signed as ours, that a hand's order of this name has sold of those that came beside ours."""
        symbol, book, sign = order.symbol, self.positions.book, 1 if order.side == "sell" else -1
        more = round(self.state.view.held(symbol) - book.total(symbol), LOT_DIGITS) * sign
        came, taken = self._came.get(symbol), self._taken(symbol, name)
        if came is None:
            self._ours[order.id] = taken
        if more <= 0 or not taken or not self.state.view.complete or self.positions.unsure(symbol):
            return NOTHING
        held_by_exits = self._behind_exits(order) - book.quantity(symbol) * sign
        seen = NOTHING if came is None else min(came.quantity, taken - self._ours.get(order.id, NOTHING))
        if (not_ours := min(taken, max(held_by_exits, seen))) <= 0:
            return NOTHING
        # What hands sold beyond all that the books had is owed in them: the same shares come first for that.
        owed = max(NOTHING, -book.manual.get(symbol, NOTHING) * sign)
        found = min(more, not_ours + owed)
        if came is not None:
            came.quantity -= found
        return found * sign

    def _taken(self, symbol: str, name: str) -> Decimal:
        """Shares that an order has closed of the present position, or of the last one."""
        book = self.positions.book
        portions = [p for p in book.portions if p.trade.symbol == symbol]
        if not portions:
            return NOTHING
        entry = book.entries[symbol].client_order_id if symbol in book.ledger.positions else portions[-1].entry_order
        closed = sum(abs(p.trade.quantity) for p in portions if (p.entry_order, p.exit_order) == (entry, name))
        return Decimal(str(round(closed, LOT_DIGITS)))

    def _behind_exits(self, order: VenueOrder) -> Decimal:
        """Shares that exits of ours on the side of a hand's order hold."""
        least: dict[str, Decimal] = {}
        for exits in self.positions.protection(order.symbol).exits:
            if exits.side == order.side and not exits.cancel_pending:
                # Of a pair whose one leg has sold, the other sells no more than that one has left.
                least[exits.group] = min(least.get(exits.group, exits.remaining), exits.remaining)
        return sum(least.values(), NOTHING)
