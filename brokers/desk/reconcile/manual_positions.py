"""Trades by hand at the venue: found, logged with the size that would have been right, and counted."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from brokers.desk.reconcile.corporate_actions import Basis, renamed, split_of
from brokers.desk.reconcile.journal_sync import INSTANT, JournalSync
from brokers.desk.reconcile.own_positions import OwnPositions
from brokers.desk.reconcile.position_adjustments import TOO_LITTLE, WRITTEN_OFF, PositionAdjustment
from brokers.desk.reconcile.shares_beside import SharesBeside
from brokers.desk.venue_snapshot import VenueSnapshot
from brokers.desk.venue_state import VenueState
from brokers.network.clock import elapsed
from brokers.quantities import LOT_DIGITS, digits
from brokers.venue_errors import VenueError
from brokers.venue_values import VenueOrder, VenuePosition
from config import Settings
from config.values.counting import COINS, unit_of
from risk.lots import affordable

SETTLE = timedelta(seconds=1)
"""A difference that is still there after so long is none of order and position having been read apart."""
TOLD = timedelta(seconds=3)
"""A difference that has lasted for so long is shown: most that come of listings of two moments are over by then."""
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
class ManualPositions:
    """Finds shares that came or went without an order of ours, and enters them as made by hand.

    Orders sent by hand are facts and booked at once. A difference without an order is a guess: shares that come are
    entered soon, shares that go late, and a guess that turns out wrong is taken back.

    Parameters
    ----------
    state : VenueState
    positions : OwnPositions
    sync : JournalSync
    settings : Settings
    cancel : callable
        Asks for the cancel of an order by the venue's id.
    scaled : callable
        Gets each symbol whose shares were split.
    """

    state: VenueState
    positions: OwnPositions
    sync: JournalSync
    settings: Settings
    cancel: Callable[[str], bool]
    scaled: Callable[[str], None]
    reduced: set[str] = field(default_factory=set)
    """Symbols that this look took shares away from: what still rests there waits for the next look."""
    _seen: dict[str, Difference] = field(default_factory=dict)
    _told: dict[str, Decimal] = field(default_factory=dict)
    _basis: dict[str, Basis] = field(default_factory=dict)
    _cancelled: dict[str, datetime] = field(default_factory=dict)
    _scaled: dict[str, datetime] = field(default_factory=dict)
    _opposed: set[str] = field(default_factory=set)
    _beside: SharesBeside = field(init=False)

    def __post_init__(self) -> None:
        self._beside = SharesBeside(self.state, self.positions, LASTING)

    def compare(self) -> None:
        """Compare the venue's positions with all fills that are known."""
        self.reduced.clear()
        for order in self.state.view.manual:
            if not order.filled:
                continue
            ours, known = self.positions.book.quantity(order.symbol), self.sync.client_id(order.id) is not None
            if not known:
                self.sync.adopt_manual(order)
            if order.id not in self.sync.contradictions:
                if not known:
                    self._explain(order)
                self._enter_what_it_sold(order)
                if not known:
                    self._tell_taken(order, ours)
        self.positions.refresh()
        self.positions.separate_dust()
        if self.state.view.complete:
            self._log_renamed()
            symbols = self.state.view.positions.keys() | self.positions.book.symbols
            self._seen = {symbol: seen for symbol, seen in self._seen.items() if symbol in symbols}
            self._beside.forget(symbols, {order.id for order in self.state.view.manual})
            for symbol in sorted(symbols):
                self._compare(symbol)
        self.positions.refresh()
        self._follow_splits()
        self._log_opposed()
        for symbol, held in self.positions.book.manual.items():
            if held != self._told.get(symbol, Decimal(0)):
                self._told[symbol] = held
                ours = self.positions.book.quantity(symbol)
                log.warning("%s", describe(self.settings, self.state.view, symbol, held, ours))

    def waiting(self) -> list[tuple[str, Difference]]:
        """Differences that have lasted and are not entered yet, by symbol; safe in any thread."""
        now = self.state.now
        return sorted((symbol, seen) for symbol, seen in dict(self._seen).items() if elapsed(now, seen.since, TOLD))

    def unsettled(self, symbol: str) -> bool:
        """Whether it is not known yet what a symbol's shares are.

        Coins that came beside ours leave ours as they are: coins are not split.
        """
        seen, ours = self._seen.get(symbol), self.positions.book.quantity(symbol)
        beside = seen is not None and unit_of(symbol) == COINS and seen.quantity * ours > 0
        return (seen is not None and not beside) or symbol in self.positions.renamed

    def may_return(self, symbol: str) -> bool:
        """Whether shares that count as gone may be ours again in a moment: they were never sold by an order of ours."""
        seen, entered = self._seen.get(symbol), self._latest_guess(symbol)
        guessed = seen is not None and entered is not None and entered.quantity * seen.quantity < 0
        return guessed or symbol in self.positions.renamed

    def clear_stale(self, symbol: str) -> None:
        """Cancel exits from before a split that the venue did not adjust, again where a cancel comes to nothing.

        Nothing waits for it but the shares that they hold.
        """
        orders = self.state.view.orders.values()
        stale = [o for o in orders if o.symbol == symbol and o.open and self.positions.stale(o)]
        for order in stale:
            asked = self._cancelled.get(order.id)
            if asked is None or elapsed(self.state.now, asked, AGAIN):
                log.warning("%s: cancelling an exit from before the split, its price is not adjusted", symbol)
                self.cancel(order.id)
                self._cancelled[order.id] = self.state.now

    def _compare(self, symbol: str) -> None:
        # The books have nothing finer: what a venue tells beyond that would be entered and taken back again and again.
        difference = round(self.state.view.held(symbol) - self.positions.book.total(symbol), LOT_DIGITS)
        self._beside.note(symbol, difference, settled=not self._shown_apart(symbol, difference))
        if not difference:
            self._seen.pop(symbol, None)
            self._basis[symbol] = Basis.at_venue(self.state.view, symbol)
            return
        if self.positions.unsure(symbol):
            self._seen.pop(symbol, None)
            return
        seen = self._seen.get(symbol)
        if seen is None or seen.quantity != difference:
            seen = self._seen[symbol] = Difference(difference, self.state.now)
        seen.looks += 1
        seen.since = min(seen.since, self.state.now)
        lasts = self.state.now - seen.since
        if self.positions.unresolved(symbol) or self._take_back(symbol, difference, lasts):
            return
        if self._sold_by_order(symbol):
            return
        # A split is told by what was paid, which no order changes so: it waits for none of ours that was sent just now.
        if self._split(symbol) or self._young(symbol):
            return
        ours = self.positions.book.quantity(symbol)
        if (not ours and lasts >= SETTLE) or (lasts >= LASTING and seen.looks >= LOOKS):
            if ours * difference < 0:
                self.reduced.add(symbol)
            if (dust := self._left_as_dust(symbol, -difference)) is not None:
                self._write_off(symbol, -difference, dust, WRITTEN_OFF if ours > 0 else TOO_LITTLE)
                return
            # What was filled since then found them there: a sale by hand takes them before it takes ours.
            moved = self.positions.book.moved.get(symbol)
            time = seen.since if moved is not None and moved > seen.since else None
            self._enter(symbol, difference, "found at the venue without an order", time)

    def _sold_by_order(self, symbol: str) -> bool:
        """Whether an order of ours still sells what is too little for the venue to show as a position."""
        ours = abs(self.positions.book.quantity(symbol))
        if not ours or self.state.view.held(symbol) or not self.positions.protection(symbol).exits:
            return False
        return ours < self.state.least(symbol)

    def _left_as_dust(self, symbol: str, missing: Decimal) -> VenuePosition | None:
        """What the venue still has of coins that it shows as no position any more; None if they are gone."""
        if missing <= 0 or self.state.view.held(symbol):
            return None
        try:
            there = self.state.venue.dust().by_symbol.get(symbol)
        except VenueError:
            return None
        return there if there is not None and round(there.quantity, LOT_DIGITS) >= missing else None

    def _write_off(self, symbol: str, quantity: Decimal, dust: VenuePosition, why: str) -> None:
        price = dust.price or self._last_known(symbol)
        self.sync.note_difference(symbol, -quantity, price, self.state.now, why)
        self._seen.pop(symbol, None)
        log.info(
            "%s: %s %s, %.2f USD, are below the venue's minimum and cannot be sold: they stay in the account and are "
            "no position any more",
            symbol,
            digits(quantity),
            unit_of(symbol),
            quantity * price,
        )

    def _young(self, symbol: str) -> bool:
        """Whether an order of ours was sent or changed so lately that not every listing need show it."""
        times = [o.journaled_at for o in self.sync.journal.open_orders() if o.symbol == symbol]
        return self._moved_lately(symbol) or any(not elapsed(self.state.now, time, YOUNG) for time in times)

    def _moved_lately(self, symbol: str) -> bool:
        """Whether a fill of a symbol was booked so lately that not every listing need show it."""
        times = [self.sync.moved.get(symbol), self.positions.book.moved.get(symbol)]
        # Of a fill's time, which is the venue's: a clock that is a little behind it makes no fill an old one.
        return any(time is not None and abs(self.state.now - time) < YOUNG for time in times)

    def _shown_apart(self, symbol: str, difference: Decimal) -> bool:
        """Whether a difference may be of order and position being listed apart: a position late, or an order.

        One that has been the same for longer than that takes is none.
        """
        seen = self._seen.get(symbol)
        if seen is not None and seen.quantity == difference and self.state.now - seen.since >= YOUNG:
            return False
        against, adds = ("sell", "buy") if difference > 0 else ("buy", "sell")
        recent = (f.order for f in self.positions.filled_after(self.state.now - YOUNG))
        late = any(order.symbol == symbol and order.side == against for order in recent)
        orders = self.state.view.orders.values()
        early = any(order.symbol == symbol and order.open and order.side == adds for order in orders)
        return late or early or bool(self.positions.unsure(symbol) or self.positions.unresolved(symbol))

    def _take_back(self, symbol: str, difference: Decimal, lasts: timedelta) -> bool:
        """Undo the latest guess of a symbol if the opposite shows, and nothing was filled since."""
        entered = self._latest_guess(symbol)
        if entered is None or entered.quantity * difference >= 0:
            return False
        if lasts >= SETTLE:
            back = min(abs(difference), abs(entered.quantity))
            log.warning(
                "%s: %s %s are where they were; what was concluded of them is taken back",
                symbol,
                digits(back),
                unit_of(symbol),
            )
            self.sync.take_back(entered, back, self.state.now)
            del self._seen[symbol]
        return True

    def _latest_guess(self, symbol: str) -> PositionAdjustment | None:
        """The latest difference that was entered in a symbol; None if something was filled since."""
        entered = next(iter(self.positions.book.adjustments.get(symbol, ())[-1:]), None)
        moved = self.positions.book.moved.get(symbol)
        return None if entered is None or (moved is not None and moved > entered.time) else entered

    def _enter_what_it_sold(self, order: VenueOrder) -> None:
        """Enter shares beside ours that a hand's order has sold, so that it takes none of ours.

        They had come without an order, and the books would wait longer for them: ours would lose their stop meanwhile.
        Every look asks it anew, as an order may fill in parts, and the venue shows its fills and balances one by one.
        """
        symbol, name = order.symbol, self.sync.client_id(order.id)
        if name is None or symbol in self.positions.adopted:
            return
        self.positions.refresh()
        guess = self._latest_guess(symbol)
        if guess is not None and (guess.quantity > 0) == (order.side == "buy"):
            # Shares that were taken for gone come back: they are no others.
            return
        began = self.positions.first_fill(name)
        if began is not None and (came := self._beside.sold(order, name)):
            self._note(symbol, came, "found at the venue, sold by hand soon after", began - INSTANT)
            self.positions.refresh()

    def _explain(self, order: VenueOrder) -> None:
        """An order that was filled before a difference was entered is what the difference was."""
        filled = order.filled if order.side == "buy" else -order.filled
        for entered in self.positions.book.adjustments.get(order.symbol, []):
            if order.changed is None or order.changed > entered.time or entered.quantity * filled <= 0:
                continue
            back = min(abs(entered.quantity), abs(filled))
            unit = unit_of(order.symbol)
            log.info("%s: %s %s without an order have their order now", order.symbol, digits(back), unit)
            self.sync.take_back(entered, back, self.state.now)
            self.positions.refresh()
            filled -= back.copy_sign(filled)

    def _tell_taken(self, order: VenueOrder, before: Decimal) -> None:
        """Say so where an order that is not ours has closed shares of ours, as a broker's liquidation does."""
        self.positions.refresh()
        taken = abs(before) - abs(self.positions.book.quantity(order.symbol))
        if taken > 0:
            log.warning(
                "%s: %s of ours closed by an order that was not sent here, by hand or by the broker, %s at %s; "
                "nothing is entered in it before the next session",
                order.symbol,
                f"{digits(taken)} {unit_of(order.symbol, taken)}",
                "sold" if order.side == "sell" else "bought back",
                digits(order.average_price),
            )

    def _split(self, symbol: str) -> bool:
        """Enter a split if that is what the difference is; what it leaves of a share was paid in cash."""
        before = self._basis.get(symbol)
        if before is None or before.quantity != self.positions.book.total(symbol):
            before = Basis.in_books(self.positions.book, symbol)
        ratio = None if before is None else split_of(before, Basis.at_venue(self.state.view, symbol))
        if ratio is None or before is None:
            return False
        unit = unit_of(symbol, ratio[0])
        log.warning("%s: %s %s became %s, positions and levels follow", symbol, ratio[0], unit, ratio[1])
        self.sync.enter_split(symbol, ratio)
        self.positions.refresh()
        del self._seen[symbol]
        if rest := self.state.view.held(symbol) - self.positions.book.total(symbol):
            self._enter(symbol, rest, "a fraction of a share, settled by the split")
        return True

    def _follow_splits(self) -> None:
        """Hand splits on to whoever remembers prices of a symbol, however they were recognised."""
        for symbol, time in self.positions.book.splits.items():
            if self._scaled.get(symbol) != time:
                self._scaled[symbol] = time
                self.scaled(symbol)

    def _log_opposed(self) -> None:
        """Where ours and the venue's shares have opposite signs nothing is sent until the books are right again."""
        opposed = {symbol: why for symbol in self.positions.book.symbols if (why := self.positions.opposed(symbol))}
        for symbol in opposed.keys() - self._opposed:
            log.error("%s: nothing is sent in it: %s", symbol, opposed[symbol])
        self._opposed = set(opposed)

    def _log_renamed(self) -> None:
        """Shares that left one name and came under another are neither sold nor bought: an operator has to look."""
        found: dict[str, str] = {}
        for old, new in renamed(self.positions.book, self.state.view, self._basis):
            found[old] = found[new] = f"{old} seems to be called {new} now; see docs/operating.md, no entries in either"
            if old in self.positions.renamed:
                continue
            log.error("%s", found[old])
            if old in self.positions.book.entries:
                self.sync.journal.remark(self.positions.book.entries[old].client_order_id, f"renamed:{new}", found[old])
        self.positions.renamed = found

    def _enter(self, symbol: str, difference: Decimal, why: str, time: datetime | None = None) -> None:
        self._note(symbol, difference, why, time or self.state.now)
        self._seen.pop(symbol, None)
        self._beside.entered(symbol)

    def _note(self, symbol: str, difference: Decimal, why: str, time: datetime) -> None:
        view = self.state.view
        price = view.average_price(symbol) or view.price(symbol) or self._last_known(symbol)
        unit = unit_of(symbol, abs(difference))
        log.warning("%s: %s %s without an order of ours", symbol, f"{difference.normalize():+f}", unit)
        self.sync.note_difference(symbol, difference, price, time, why)

    def _last_known(self, symbol: str) -> Decimal:
        position = self.positions.book.ledger.positions.get(symbol)
        return Decimal(str(position.entry_price)) if position else Decimal("0.01")


def describe(settings: Settings, view: VenueSnapshot, symbol: str, held: Decimal, ours: Decimal) -> str:
    """A position made by hand, in words: its worth, its share of the account, and the size that would be right.

    The caps are of the symbol, ``ours`` in it included.
    """
    if not held:
        return f"{symbol}: a position made by hand is gone"
    position, equity = view.positions.get(symbol), float(view.account.equity)
    price = 0.0 if position is None else float(position.unit_price)
    worth = abs(float(held)) * price
    right = right_beside(ours, settings, equity, price, lot_of(position, settings.sizing.lot))
    share = worth / equity if equity > 0 else 0.0
    both = f" and {share * float((held + ours) / held):.1%} with {ours} of ours" if ours * held > 0 else ""
    over = f"; {right:g} would be right" if abs(float(held)) > right else ""
    managed = "managed like our own" if symbol in settings.live.adopt else "reported, counted and left alone"
    shares = f"{held} {unit_of(symbol, abs(held))} made by hand"
    return f"{symbol}: {shares}, {worth:.2f} USD, {share:.1%} of the account{both}{over}; {managed}"


def right_size(settings: Settings, equity: float, price: float, lot: float) -> float:
    """Shares that one position may have at a price."""
    gate, sizing = settings.gate, settings.sizing
    most = min(gate.max_order_notional_frac, sizing.max_notional_frac) * equity
    amounts = [usd for usd in (gate.max_order_notional_usd, sizing.notional_usd) if usd is not None]
    return affordable(min([most, *amounts]), price, lot)


def right_beside(ours: Decimal, settings: Settings, equity: float, price: float, lot: float) -> float:
    """Shares that hands may have beside ours before the symbol is larger than one position may be."""
    whole = Decimal(str(right_size(settings, equity, price, lot)))
    return float(max(Decimal(0), whole - abs(ours)))


def lot_of(position: VenuePosition | None, lot: float) -> float:
    """The lot of a position: coins come in parts."""
    return lot if position is None or position.lot is None else float(position.lot)
