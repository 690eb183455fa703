"""What our fills add up to: positions, closed trades and the exposure budget, replayed from the journal."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from brokers.desk.reconcile.position_adjustments import PositionAdjustment, adjustment_of, settled
from brokers.journal import Figures, FilledOrder, JournalOrder, Split
from brokers.ledger import Fill, Ledger
from brokers.order_types import OPENING_ROLES, OrderRole
from brokers.record import RunRecord, TradeRecord
from risk.model import BracketTerms, Proposal, Side
from risk.weekly_budget import WeeklyBudget

NEW_YORK = ZoneInfo("America/New_York")
DIGITS = 9
"""Of a share; what lies below is the rounding of binary numbers."""


@dataclass(frozen=True, slots=True)
class Portion:
    """A closed portion with the orders that opened and closed it."""

    trade: TradeRecord
    entry_order: str
    exit_order: str


@dataclass(slots=True)
class PositionBook:
    """Positions by whom they belong to.

    ``ledger`` holds ours, ``manual`` the shares that hands bought, signed. ``entries`` names the order that
    opened each position of ours, ``portions`` what was closed. ``paid`` is the average price of hands' shares, USD;
    ``notes`` are differences that count, the latest last; ``moved`` tells when an order of a symbol was filled last or
    its shares split, ``splits`` when that was.
    """

    ledger: Ledger
    manual: dict[str, Decimal] = field(default_factory=dict)
    entries: dict[str, JournalOrder] = field(default_factory=dict)
    portions: list[Portion] = field(default_factory=list)
    paid: dict[str, Decimal] = field(default_factory=dict)
    notes: dict[str, list[PositionAdjustment]] = field(default_factory=dict)
    moved: dict[str, datetime] = field(default_factory=dict)
    splits: dict[str, datetime] = field(default_factory=dict)

    def quantity(self, symbol: str) -> Decimal:
        """Our shares of a symbol, signed."""
        return Decimal(str(round(self.ledger.quantity(symbol), DIGITS)))

    def total(self, symbol: str) -> Decimal:
        """All shares of a symbol, signed, hand-made ones included."""
        return self.quantity(symbol) + self.manual.get(symbol, Decimal(0))

    @property
    def symbols(self) -> set[str]:
        return set(self.ledger.positions) | {symbol for symbol, held in self.manual.items() if held}


def replay(
    filled: Collection[FilledOrder],
    figures: Callable[[JournalOrder], Figures | None],
    adopted: Collection[str] = (),
    first_day: date | None = None,
    splits: Collection[Split] = (),
) -> PositionBook:
    """Add up fills in their order, with the splits between them.

    Parameters
    ----------
    filled : collection of FilledOrder
        By the time of their first fill.
    figures : callable
        Of an entry: what it was decided on.
    adopted : collection of str
        Symbols whose hand-made positions are managed like our own.
    first_day : date, optional
        Where the exposure budget begins when there are no fills.
    splits : collection of Split
        By their time.
    """
    days = [f.first_fill.astimezone(NEW_YORK).date() for f in filled]
    first = min([*days, *([first_day] if first_day else [])], default=None)
    ledger = Ledger(cash=0.0, record=RunRecord(), budget=WeeklyBudget(first) if first else None)
    book = PositionBook(ledger)
    ahead = list(splits)
    for item in settled(filled):
        while ahead and ahead[0].time < item.first_fill:
            _split(book, ahead.pop(0))
        quantity = item.order.filled_quantity if item.order.side == "buy" else -item.order.filled_quantity
        if item.order.role not in OPENING_ROLES and item.order.symbol not in adopted:
            quantity = _ours(book, item, quantity)
        if quantity:
            _apply(book, item, quantity, figures)
        if note := adjustment_of(item):
            book.notes.setdefault(item.order.symbol, []).append(note)
        else:
            book.moved[item.order.symbol] = max(item.last_fill, book.moved.get(item.order.symbol, item.last_fill))
    for split in ahead:
        _split(book, split)
    return book


def _split(book: PositionBook, split: Split) -> None:
    """Scale what is held to the new shares; what was paid and what is at risk stay the same."""
    symbol, total = split.symbol, split.scaled(book.total(split.symbol))
    book.moved[symbol] = book.splits[symbol] = split.time
    position = book.ledger.positions.get(symbol)
    if position is not None:
        position.quantity = round(float(split.scaled(Decimal(str(position.quantity)))), DIGITS)
        position.initial_quantity = float(split.scaled(Decimal(str(position.initial_quantity))))
        for name in ("entry_price", "stop", "target", "initial_stop", "atr", "best_price"):
            setattr(position, name, getattr(position, name) * float(split.before / split.after))
        entry = book.entries[symbol]
        stop, target = (
            None if p is None else p / split.scaled(Decimal(1)) for p in (entry.bracket_stop, entry.bracket_target)
        )
        book.entries[symbol] = replace(entry, bracket_stop=stop, bracket_target=target)
    if symbol in book.manual:
        book.manual[symbol] = round(total - book.quantity(symbol), DIGITS)
        book.paid[symbol] = book.paid.get(symbol, Decimal(0)) * split.before / split.after


def _ours(book: PositionBook, item: FilledOrder, quantity: Decimal) -> Decimal:
    """What of a fill that opens nothing of ours took away from ours; the rest is booked as hands' shares.

    A hand's takes hands' shares first, an exit of ours takes ours first. Neither leaves less than nothing of ours:
    an exit that sold more has sold what hands hold.
    """
    symbol = item.order.symbol
    ours, theirs = book.quantity(symbol), book.manual.get(symbol, Decimal(0))
    from_ours = Decimal(0)
    if ours * quantity < 0:
        by_hand = item.order.role == OrderRole.MANUAL and theirs * quantity < 0
        rest = quantity + theirs if by_hand else quantity
        if rest * quantity > 0:
            from_ours = max(rest, -ours) if quantity < 0 else min(rest, -ours)
    if from_ours == quantity:
        return quantity
    after = book.manual[symbol] = theirs + quantity - from_ours
    price = item.order.average_price or Decimal(0)
    if theirs * after <= 0:
        book.paid[symbol] = price
    elif abs(after) > abs(theirs):
        book.paid[symbol] = (book.paid[symbol] * theirs + price * (after - theirs)) / after
    _charge_by_hand(book, item, book.manual[symbol], theirs)
    return from_ours


def _charge_by_hand(book: PositionBook, item: FilledOrder, after: Decimal, before: Decimal) -> None:
    """What a hand deploys counts against the budget like our own, and is freed at what was paid for it.

    The books of a symbol never mix.
    """
    budget, price = book.ledger.budget, item.order.average_price
    if budget is None or price is None or book.quantity(item.order.symbol):
        return
    day = item.first_fill.astimezone(NEW_YORK).date()
    symbol, change = item.order.symbol, abs(after) - abs(before)
    if after == 0:
        book.ledger.budget = budget.closed(symbol, day)
    elif change > 0:
        book.ledger.budget = budget.opened(symbol, float(change * price), day)
    elif change < 0:
        book.ledger.budget = budget.reduced(symbol, float(-change * book.paid[symbol]), day)


def _apply(
    book: PositionBook, item: FilledOrder, quantity: Decimal, figures: Callable[[JournalOrder], Figures | None]
) -> None:
    order, ledger = item.order, book.ledger
    price = float(order.average_price or 0)
    opens = order.symbol not in ledger.positions
    intent = None
    if opens:
        book.entries[order.symbol] = order
        intent = _intent(order, figures(order), price)
    stop, target = (float(p) if p else math.nan for p in (order.bracket_stop, order.bracket_target))
    entry, closed = book.entries[order.symbol], len(ledger.record.trades)
    ledger.apply(
        Fill(order.symbol, float(quantity), price, 0.0, item.last_fill.astimezone(NEW_YORK), order.role),
        intent, stop, target,
    )  # fmt: skip
    book.portions += [
        Portion(trade, entry.client_order_id, order.client_order_id) for trade in ledger.record.trades[closed:]
    ]


def _intent(order: JournalOrder, figures: Figures | None, price: float) -> Proposal:
    """The proposal behind an entry, as far as the journal knows it."""
    known = {name: _number(getattr(figures, name, None)) for name in ("score", "price", "stop", "atr")}
    distance = abs(known["price"] - known["stop"])
    side: Side = "buy" if order.side == "buy" else "sell_short"
    multiple = round(distance / known["atr"], 6) if known["atr"] > 0 and math.isfinite(distance) else None
    return Proposal(
        symbol=order.symbol,
        side=side,
        signal=figures.signal if figures else "",
        score=known["score"],
        price=price,
        atr=known["atr"],
        stop=float(order.bracket_stop or math.nan),
        target=float(order.bracket_target or math.nan),
        terms=BracketTerms(side, stop_multiple_atr=multiple),
        quantity=float(order.quantity),
        reason=order.reason,
        role="hedge" if order.role == "hedge" else "entry",
    )


def _number(value: Decimal | None) -> float:
    return math.nan if value is None else float(value)
