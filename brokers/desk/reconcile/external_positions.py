"""What hands do at the venue: found, told with the size that would have been right, and counted."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from brokers.alpaca.listings import VenueOrder
from brokers.alpaca.payloads import amount
from brokers.desk.reconcile.corporate_actions import Basis, renamed, split_of
from brokers.desk.venue_state import Floor
from config import Settings
from risk.lots import affordable

COIN_LOT = 1e-9
SETTLE = timedelta(seconds=1)
"""A difference that is still there after so long is none of order and position having been read apart."""
YOUNG = timedelta(seconds=60)
"""Positions may lag behind orders, and orders behind positions: so long nothing is concluded after a change."""
AGAIN = timedelta(seconds=30)
"""Between two cancels of an exit that stays."""
LASTING, LOOKS = timedelta(seconds=30), 3
"""So long, and over so many looks, shares have to be missing before they are ours no more."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Difference:
    """Shares more or less than the books have, since when and how often they were seen."""

    quantity: Decimal
    since: datetime
    looks: int = 0


@dataclass(slots=True)
class ExternalPositions:
    """Finds shares that came or went without an order of ours, and enters them as made by hand.

    Orders of hands are facts and booked at once. A difference without an order is a guess: shares that come are
    entered soon, shares that go late, and a guess that turns out wrong is taken back.

    Parameters
    ----------
    floor : Floor
    scaled : callable
        Is told a symbol whose shares were split.
    """

    floor: Floor
    scaled: Callable[[str], None]
    taken: set[str] = field(default_factory=set)
    """Symbols that this look took shares away from: what still rests there waits for the next look."""
    _seen: dict[str, Difference] = field(default_factory=dict)
    _told: dict[str, Decimal] = field(default_factory=dict)
    _basis: dict[str, Basis] = field(default_factory=dict)
    _cancelled: dict[str, datetime] = field(default_factory=dict)
    _scaled: dict[str, datetime] = field(default_factory=dict)
    _opposed: set[str] = field(default_factory=set)

    def look(self) -> None:
        """Compare the venue's positions with all fills that are known."""
        floor = self.floor
        self.taken.clear()
        for order in floor.view.strangers:
            if order.filled > 0:
                floor.books.adopt_manual(order)
                if order.id not in floor.books.contradictions:
                    self._explain(order)
        floor.add_up()
        if floor.view.whole:
            self._tell_renamed()
            symbols = floor.view.positions.keys() | floor.own.symbols
            self._seen = {symbol: seen for symbol, seen in self._seen.items() if symbol in symbols}
            for symbol in sorted(symbols):
                self._compare(symbol)
        floor.add_up()
        self._follow_splits()
        self._tell_opposed()
        for symbol, held in floor.own.manual.items():
            if held != self._told.get(symbol, Decimal(0)):
                self._told[symbol] = held
                log.warning("%s", describe(floor, symbol, held))

    def unsettled(self, symbol: str) -> bool:
        """Whether it is not known yet what a symbol's shares are."""
        return symbol in self._seen or symbol in self.floor.renamed

    def clear_stale(self, symbol: str) -> None:
        """Cancel exits from before a split that the venue did not adjust, again where a cancel comes to nothing.

        Nothing waits for it but the shares that they hold.
        """
        floor = self.floor
        stale = [o for o in floor.view.orders.values() if o.symbol == symbol and o.open and floor.stale(o)]
        for order in stale:
            asked = self._cancelled.get(order.id)
            if asked is None or floor.now - asked >= AGAIN:
                log.warning("%s: cancelling an exit from before the split, its price is not adjusted", symbol)
                floor.counter.cancel(order.id)
                self._cancelled[order.id] = floor.now

    def _compare(self, symbol: str) -> None:
        floor = self.floor
        difference = floor.view.held(symbol) - floor.own.total(symbol)
        if not difference:
            self._seen.pop(symbol, None)
            self._basis[symbol] = Basis.at_venue(floor.view, symbol)
            return
        if floor.unsure(symbol):
            self._seen.pop(symbol, None)
            return
        seen = self._seen.get(symbol)
        if seen is None or seen.quantity != difference:
            seen = self._seen[symbol] = Difference(difference, floor.now)
        seen.looks += 1
        lasts = floor.now - seen.since
        if floor.unresolved(symbol) or self._take_back(symbol, difference, lasts):
            return
        if self._young(symbol) or self._split(symbol):
            return
        ours = floor.own.quantity(symbol)
        if (not ours and lasts >= SETTLE) or (lasts >= LASTING and seen.looks >= LOOKS):
            if ours * difference < 0:
                self.taken.add(symbol)
            self._enter(symbol, difference, "found at the venue without an order")

    def _young(self, symbol: str) -> bool:
        """Whether an order of ours was sent or changed so lately that not every listing need show it."""
        floor = self.floor
        times = [o.journaled_at for o in floor.journal.open_orders() if o.symbol == symbol]
        times += [t for t in (floor.books.moved.get(symbol), floor.own.moved.get(symbol)) if t is not None]
        return any(floor.now - time < YOUNG for time in times)

    def _take_back(self, symbol: str, difference: Decimal, lasts: timedelta) -> bool:
        """Undo the latest guess of a symbol if the opposite shows, and nothing was filled since."""
        floor = self.floor
        note = next(iter(floor.own.notes.get(symbol, ())[-1:]), None)
        moved = floor.own.moved.get(symbol)
        if note is None or (moved is not None and moved > note.time) or note.quantity * difference >= 0:
            return False
        if lasts >= SETTLE:
            back = min(abs(difference), abs(note.quantity))
            log.warning("%s: %s shares are where they were; what was concluded of them is taken back", symbol, back)
            floor.books.take_back(note, back, floor.now)
            del self._seen[symbol]
        return True

    def _explain(self, order: VenueOrder) -> None:
        """An order that was filled before a difference was entered is what the difference was."""
        filled = order.filled if order.side == "buy" else -order.filled
        for note in self.floor.own.notes.get(order.symbol, []):
            if order.time is None or order.time > note.time or note.quantity * filled <= 0:
                continue
            back = min(abs(note.quantity), abs(filled))
            log.info("%s: %s shares without an order have their order now", order.symbol, back)
            self.floor.books.take_back(note, back, self.floor.now)
            self.floor.add_up()
            filled -= back.copy_sign(filled)

    def _split(self, symbol: str) -> bool:
        """Enter a split if that is what the difference is; what it leaves of a share was paid in cash."""
        floor = self.floor
        before = self._basis.get(symbol)
        if before is None or before.quantity != floor.own.total(symbol):
            before = Basis.in_books(floor.own, symbol)
        ratio = None if before is None else split_of(before, Basis.at_venue(floor.view, symbol))
        if ratio is None or before is None:
            return False
        log.warning("%s: %s shares became %s each, positions and levels follow", symbol, *ratio)
        floor.journal.split(symbol, *ratio)
        floor.books.fills += 1
        floor.add_up()
        del self._seen[symbol]
        if rest := floor.view.held(symbol) - floor.own.total(symbol):
            self._enter(symbol, rest, "a fraction of a share, settled by the split")
        return True

    def _follow_splits(self) -> None:
        """Whoever remembers prices of a symbol is told of its splits, however they were recognised."""
        for symbol, time in self.floor.own.splits.items():
            if self._scaled.get(symbol) != time:
                self._scaled[symbol] = time
                self.scaled(symbol)

    def _tell_opposed(self) -> None:
        """Where ours and the venue's shares have opposite signs nothing is sent until the books are right again."""
        opposed = {symbol: why for symbol in self.floor.own.symbols if (why := self.floor.opposed(symbol))}
        for symbol in opposed.keys() - self._opposed:
            log.error("%s: nothing is sent in it: %s", symbol, opposed[symbol])
        self._opposed = set(opposed)

    def _tell_renamed(self) -> None:
        """Shares that left one name and came under another are neither sold nor bought: an operator has to look."""
        floor = self.floor
        found: dict[str, str] = {}
        for old, new in renamed(floor.own, floor.view, self._basis):
            found[old] = found[new] = f"{old} seems to be called {new} now; see docs/operating.md, no entries in either"
            if old in floor.renamed:
                continue
            log.error("%s", found[old])
            if old in floor.own.entries:
                floor.journal.remark(floor.own.entries[old].client_order_id, f"renamed:{new}", found[old])
        floor.renamed = found

    def _enter(self, symbol: str, difference: Decimal, why: str) -> None:
        floor = self.floor
        raw = floor.view.positions.get(symbol, {})
        price = amount(raw, "avg_entry_price") or amount(raw, "current_price") or self._last_known(symbol)
        log.warning("%s: %s shares without an order of ours", symbol, f"{difference.normalize():+f}")
        floor.books.note_difference(symbol, difference, price, floor.now, why)
        self._seen.pop(symbol, None)

    def _last_known(self, symbol: str) -> Decimal:
        position = self.floor.own.ledger.positions.get(symbol)
        return Decimal(str(position.entry_price)) if position else Decimal("0.01")


def describe(floor: Floor, symbol: str, held: Decimal) -> str:
    """A hand's position in words: what it is worth, its share of the account, and the size that would be right."""
    if not held:
        return f"{symbol}: a position made by hand is gone"
    raw, equity = floor.view.positions.get(symbol, {}), floor.equity
    price = unit_price(raw)
    worth = abs(float(held)) * price
    right = right_size(floor.settings, equity, price, lot_of(raw, floor.lot))
    share = worth / equity if equity > 0 else 0.0
    over = f"; {right:g} would be right" if abs(float(held)) > right else ""
    managed = "managed like our own" if symbol in floor.settings.live.adopt else "reported, counted and left alone"
    return f"{symbol}: {held} shares made by hand, {worth:.2f} USD, {share:.1%} of the account{over}; {managed}"


def right_size(settings: Settings, equity: float, price: float, lot: float) -> float:
    """Shares that one position may have at a price."""
    most = min(settings.gate.max_order_notional_frac, settings.sizing.max_notional_frac)
    return affordable(most * equity, price, lot)


def unit_price(raw: Mapping[str, Any]) -> float:
    """What one unit of a position is worth now, USD; an option's price is of a share, its unit a hundred."""
    worth, held = amount(raw, "market_value"), amount(raw, "qty")
    return float(
        abs(worth / held) if worth and held else amount(raw, "current_price") or amount(raw, "avg_entry_price")
    )


def lot_of(raw: Mapping[str, Any], lot: float) -> float:
    """The lot of a position: coins come in parts."""
    return COIN_LOT if raw.get("asset_class") == "crypto" else lot
