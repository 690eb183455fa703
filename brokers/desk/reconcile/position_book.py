"""What our fills add up to: positions, closed trades and the exposure budget, replayed from the journal."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal

from brokers.desk.reconcile.position_adjustments import PositionAdjustment, adjustment_of, settled
from brokers.journal import Figures, FilledOrder, JournalOrder, Split
from brokers.ledger import Fill, Ledger
from brokers.order_types import EXIT_ROLES, OPENING_ROLES, OrderRole
from brokers.quantities import LOT_DIGITS
from brokers.record import RunRecord, TradeRecord
from config.values.markets import NEW_YORK_ZONE
from market.trading_day import day_of
from risk.model import BracketTerms, Proposal, Side
from risk.weekly_budget import WeeklyBudget


@dataclass(frozen=True, slots=True)
class Portion:
    """A closed portion with the orders that opened and closed it."""

    trade: TradeRecord
    entry_order: str
    exit_order: str


@dataclass(slots=True)
class PositionBook:
    """Positions by whom they belong to.

    ``ledger`` holds ours, ``manual`` the shares that were traded by hand, signed. ``entries`` names the order that
    opened each position of ours, ``portions`` what was closed. ``paid`` is the average price of manual shares, USD;
    ``adjustments`` are differences that count, the latest last; ``moved`` is when an order of a symbol was filled last
    or its shares split, ``splits`` when that was. ``opened`` is what fills opened on each session date, USD, manual
    purchases included.
    """

    ledger: Ledger
    manual: dict[str, Decimal] = field(default_factory=dict)
    entries: dict[str, JournalOrder] = field(default_factory=dict)
    portions: list[Portion] = field(default_factory=list)
    paid: dict[str, Decimal] = field(default_factory=dict)
    adjustments: dict[str, list[PositionAdjustment]] = field(default_factory=dict)
    moved: dict[str, datetime] = field(default_factory=dict)
    splits: dict[str, datetime] = field(default_factory=dict)
    opened: dict[date, float] = field(default_factory=dict)

    def quantity(self, symbol: str) -> Decimal:
        """Our shares of a symbol, signed."""
        return Decimal(str(round(self.ledger.quantity(symbol), LOT_DIGITS)))

    @property
    def ours(self) -> dict[str, Decimal]:
        """Our shares, signed, of every symbol that we have some of."""
        return {symbol: self.quantity(symbol) for symbol in self.ledger.positions}

    @property
    def short_proceeds(self) -> Decimal:
        """What sales by hand brought in of shares that are owed, USD."""
        short = (symbol for symbol, held in self.manual.items() if held < 0)
        return sum((-self.manual[symbol] * self.paid.get(symbol, Decimal(0)) for symbol in short), Decimal(0))

    def total(self, symbol: str) -> Decimal:
        """All shares of a symbol, signed, hand-made ones included."""
        return self.quantity(symbol) + self.manual.get(symbol, Decimal(0))

    def turned(self, symbol: str) -> bool:
        """Whether our position of a symbol was opened by an exit that sold more than there was."""
        return symbol in self.ledger.positions and self.entries[symbol].role in EXIT_ROLES

    @property
    def symbols(self) -> set[str]:
        return set(self.ledger.positions) | {symbol for symbol, held in self.manual.items() if held}

    def copy(self) -> PositionBook:
        """A book that goes on by itself; what was closed is shared, since nobody changes it."""
        ledger = self.ledger
        return replace(
            self,
            ledger=replace(
                ledger,
                record=replace(ledger.record, trades=list(ledger.record.trades)),
                positions={symbol: replace(position) for symbol, position in ledger.positions.items()},
                entry_fees=dict(ledger.entry_fees),
                realised=dict(ledger.realised),
                closed=list(ledger.closed),
            ),
            manual=dict(self.manual),
            entries=dict(self.entries),
            portions=list(self.portions),
            paid=dict(self.paid),
            adjustments={symbol: list(adjustments) for symbol, adjustments in self.adjustments.items()},
            moved=dict(self.moved),
            splits=dict(self.splits),
            opened=dict(self.opened),
        )


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
    book = begin((f.first_fill for f in filled), first_day)
    for event in in_order([*settled(filled), *splits]):
        book_event(book, event, figures, adopted)
    return book


Event = FilledOrder | Split


def begin(first_fills: Iterable[datetime], first_day: date | None, parked: Collection[str] = ()) -> PositionBook:
    """The book before any fill; the exposure budget begins on the first day that is named, without what is parked."""
    days = [day_of(time) for time in first_fills]
    first = min([*days, *([first_day] if first_day else [])], default=None)
    budget = WeeklyBudget(first) if first else None
    return PositionBook(Ledger(cash=0.0, record=RunRecord(), budget=budget, parked=frozenset(parked)))


def order_of(event: Event) -> tuple[datetime, int, datetime, str]:
    """What events are booked by: orders by their first fill, a split after the orders of its own moment."""
    if isinstance(event, Split):
        return event.time, 1, event.time, event.symbol
    return event.first_fill, 0, event.order.journaled_at, event.order.client_order_id


def in_order(events: Iterable[Event]) -> list[Event]:
    """Events as they are booked, one after the other."""
    return sorted(events, key=order_of)


def book_event(
    book: PositionBook,
    event: Event,
    figures: Callable[[JournalOrder], Figures | None],
    adopted: Collection[str],
) -> None:
    """Book the next event; a filled order as ``settled`` leaves it, whole at the place of its first fill."""
    if isinstance(event, Split):
        _split(book, event)
        return
    order = event.order
    quantity = order.filled_quantity if order.side == "buy" else -order.filled_quantity
    if (opened := _opened(book, order)) and order.symbol not in book.ledger.parked:
        # On the day of its last fill, as the budget counts it: what is filled across midnight counts where more may be.
        day = day_of(event.last_fill)
        usd = order.filled_notional if opened == order.filled_quantity else opened * (order.average_price or 0)
        book.opened[day] = book.opened.get(day, 0.0) + float(usd)
    if order.role not in OPENING_ROLES and order.symbol not in adopted:
        quantity = _ours(book, event, quantity)
    if quantity:
        _apply(book, event, quantity, figures)
    if adjustment := adjustment_of(event):
        book.adjustments.setdefault(order.symbol, []).append(adjustment)
    else:
        book.moved[order.symbol] = max(event.last_fill, book.moved.get(order.symbol, event.last_fill))


def _opened(book: PositionBook, order: JournalOrder) -> Decimal:
    """Shares of a filled order that open a position: by hand those that neither leave a long nor buy a short back.

    Shares that were sold short by hand count like those that were bought.
    """
    if order.role in OPENING_ROLES:
        return order.filled_quantity
    if order.role != OrderRole.MANUAL:
        return Decimal(0)
    there = book.total(order.symbol) if order.side == "sell" else -book.manual.get(order.symbol, Decimal(0))
    return max(Decimal(0), order.filled_quantity - max(Decimal(0), there))


def _split(book: PositionBook, split: Split) -> None:
    """Scale what is held to the new shares; what was paid and what is at risk stay the same."""
    symbol, total = split.symbol, split.scaled(book.total(split.symbol))
    book.moved[symbol] = book.splits[symbol] = split.time
    position = book.ledger.positions.get(symbol)
    if position is not None:
        scaled = float(split.before / split.after)
        prices = ("entry_price", "stop", "target", "initial_stop", "atr", "best_price")
        book.ledger.change(
            symbol,
            quantity=round(float(split.scaled(Decimal(str(position.quantity)))), LOT_DIGITS),
            initial_quantity=float(split.scaled(Decimal(str(position.initial_quantity)))),
            **{name: getattr(position, name) * scaled for name in prices},
        )
        entry = book.entries[symbol]
        stop, target = (
            None if p is None else p / split.scaled(Decimal(1)) for p in (entry.bracket_stop, entry.bracket_target)
        )
        book.entries[symbol] = replace(entry, bracket_stop=stop, bracket_target=target)
    if symbol in book.manual:
        book.manual[symbol] = round(total - book.quantity(symbol), LOT_DIGITS)
        book.paid[symbol] = book.paid.get(symbol, Decimal(0)) * split.before / split.after


def _ours(book: PositionBook, item: FilledOrder, quantity: Decimal) -> Decimal:
    """What of a fill that opens nothing of ours took away from ours; the rest is booked as manual.

    A manual order takes manual shares first, and leaves no less than nothing of ours. An exit of ours takes ours first,
    then manual ones; what it sold beyond both is a short position of ours, which nobody else would close.
    """
    symbol = item.order.symbol
    ours, theirs = book.quantity(symbol), book.manual.get(symbol, Decimal(0))
    from_ours = Decimal(0)
    if ours * quantity < 0:
        by_hand = item.order.role == OrderRole.MANUAL and theirs * quantity < 0
        rest = quantity + theirs if by_hand else quantity
        if rest * quantity > 0:
            from_ours = max(rest, -ours) if quantity < 0 else min(rest, -ours)
    if item.order.role != OrderRole.MANUAL:
        rest = quantity - from_ours
        of_manual = Decimal(0)
        if theirs * rest < 0:
            of_manual = max(rest, -theirs) if rest < 0 else min(rest, -theirs)
        from_ours = quantity - of_manual
    if from_ours == quantity:
        return quantity
    after = book.manual[symbol] = theirs + quantity - from_ours
    price, paid = item.order.average_price or Decimal(0), book.paid.get(symbol, Decimal(0))
    if theirs * after <= 0:
        book.paid[symbol] = price
    elif abs(after) > abs(theirs):
        book.paid[symbol] = (paid * theirs + price * (after - theirs)) / after
    _charge_manual(book, item, theirs, paid)
    return from_ours


def _charge_manual(book: PositionBook, item: FilledOrder, before: Decimal, paid: Decimal) -> None:
    """Count a manual trade against the budget like our own; it is freed at what was ``paid`` for it.

    Beside ours it is on the same charge: one position, with the dollars of both.
    """
    symbol, day = item.order.symbol, day_of(item.last_fill)
    budget, price, after = book.ledger.budget, item.order.average_price, book.manual[symbol]
    if budget is None or price is None or symbol in book.ledger.parked:
        return
    stays = min(abs(before), abs(after)) if before * after > 0 else Decimal(0)
    gone, added = (abs(before) - stays) * paid, (abs(after) - stays) * price
    if before and not stays and not book.quantity(symbol):
        budget = budget.closed(symbol, day)
    elif gone > 0:
        budget = budget.reduced(symbol, float(gone), day)
    if added > 0:
        budget = budget.opened(symbol, float(added), day)
    book.ledger.budget = budget


def _apply(
    book: PositionBook, item: FilledOrder, quantity: Decimal, figures: Callable[[JournalOrder], Figures | None]
) -> None:
    order, ledger = item.order, book.ledger
    held = book.quantity(order.symbol)
    if held * quantity < 0 and abs(quantity) > abs(held):
        # What turns a position round ends one and opens another.
        _apply(book, item, -held, figures)
        quantity += held
    price = float(order.average_price or 0)
    opens = order.symbol not in ledger.positions
    intent = None
    if opens:
        book.entries[order.symbol] = order
        intent = _intent(order, figures(order), price)
    stop, target = (float(p) if p else math.nan for p in (order.bracket_stop, order.bracket_target))
    if order.role in EXIT_ROLES:
        # Its levels are those of the position that it left.
        stop = target = math.nan
    entry, closed = book.entries[order.symbol], len(ledger.record.trades)
    before, budget = ledger.positions.get(order.symbol), ledger.budget
    if held * quantity > 0 and not math.isnan(stop):
        # What is risked of each share: every part has its own stop, and R is of all of them.
        position, total = ledger.positions[order.symbol], float(held + quantity)
        ledger.change(
            order.symbol,
            initial_stop=(position.initial_stop * float(held) + stop * float(quantity)) / total,
            initial_quantity=max(position.initial_quantity, total, key=abs),
        )
    # Of an order that is ours in part only, ours is its part of the fees.
    fee = float(order.fees * abs(quantity) / order.filled_quantity) if order.fees else 0.0
    ledger.apply(
        Fill(order.symbol, float(quantity), price, fee, item.last_fill.astimezone(NEW_YORK_ZONE), order.role),
        intent,
        stop,
        target,
    )
    closes = before is not None and order.symbol not in ledger.positions and order.symbol not in ledger.parked
    if before is not None and budget is not None and closes and book.manual.get(order.symbol):
        # The charge is of both: what hands hold stays on it.
        usd = abs(before.quantity) * before.entry_price
        ledger.budget = budget.reduced(order.symbol, usd, day_of(item.last_fill))
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
