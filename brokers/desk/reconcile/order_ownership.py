"""Whose the orders at the venue are, and which of those sent by hand would sell what is ours."""

from __future__ import annotations

from collections.abc import Callable, Collection
from decimal import Decimal

from brokers.desk.reconcile.journal_sync import JournalSync
from brokers.desk.reconcile.position_book import PositionBook
from brokers.desk.venue_snapshot import VenueSnapshot
from brokers.journal import Journal
from brokers.order_types import OrderRole, OrderType
from brokers.venue_values import NEVER, VenueOrder
from market.trading_day import day_of

NOTHING = Decimal(0)


class OrderOwnership:
    """Tells our orders from manual ones.

    Parameters
    ----------
    sync : JournalSync
    journal : Journal
    adopted : collection of str
        Symbols in which positions made by hand, and so their orders, are managed like our own.
    seen : callable, optional
        Orders that the venue showed, from which an order's group is told.
    """

    def __init__(
        self,
        sync: JournalSync,
        journal: Journal,
        adopted: Collection[str],
        seen: Callable[[], Collection[VenueOrder]] = tuple,
    ) -> None:
        self._sync = sync
        self._seen = seen
        self._journal = journal
        self._adopted = adopted
        self._roles: dict[str, str] = {}

    def role(self, order: VenueOrder) -> str:
        """What an order is for; manual where it was sent by hand."""
        name = self._sync.client_id(order.id)
        if name is not None:
            return self._role_of(name)
        # The journal may not have got to know it yet: what belongs to a group of ours is ours.
        group = (self._sync.client_id(o.id) for o in self._seen() if o.group == order.group or o.id == order.made_by)
        if any(member is not None and self._role_of(member) != OrderRole.MANUAL for member in group):
            return OrderRole.STOP if order.is_stop else OrderRole.TARGET
        return OrderRole.MANUAL

    def journaled(self, order: VenueOrder) -> bool:
        """Whether the journal knows an order."""
        return self._sync.client_id(order.id) is not None

    def _role_of(self, name: str) -> str:
        if name not in self._roles:
            self._roles[name] = self._journal.order(name).role
        return self._roles[name]

    def ours(self, order: VenueOrder) -> bool:
        """Whether an order is the desk's to count, cancel and replace."""
        return order.symbol in self._adopted or self.role(order) != OrderRole.MANUAL


def orphaned_manual_exits(
    symbol: str, view: VenueSnapshot, book: PositionBook, ownership: OrderOwnership
) -> list[VenueOrder]:
    """Manual exits that would sell what is ours, or what is not there any more; one order of each group.

    Manual exits may stand as far as the manual shares of the symbol go, the older ones first; what exceeds them is
    orphaned. Where we hold nothing, a manual order on the exit's side is one if it was sent since our last position
    was opened and not after the day that it ended; any other is a short sale, or buys one back.
    """
    ours, there = book.quantity(symbol), view.held(symbol) + view.dust_of(symbol)
    sign, window = (1 if ours > 0 else -1), None
    if not ours:
        trade = next((p.trade for p in reversed(book.portions) if p.trade.symbol == symbol), None)
        if trade is None:
            return []
        sign = 1 if trade.side == "buy" else -1
        window = trade.entry_time, day_of(trade.exit_time)
    # By the venue's word too: shares whose order was never seen are entered as manual a moment later, and what is too
    # little to be a trade never is, but is nobody else's.
    room = max(NOTHING, sign * book.manual.get(symbol, NOTHING), sign * (there - ours))
    found = []
    for order in sorted(_manual_exits(symbol, sign, view, ownership), key=lambda o: o.created or NEVER):
        sent = order.created
        if window and (sent is None or sent < window[0] or day_of(sent) > window[1]):
            continue
        room -= order.remaining
        if room < 0:
            found.append(order)
            room += order.remaining
    return found


def self_trade_limit(symbol: str, buys: bool, view: VenueSnapshot, ownership: OrderOwnership) -> Decimal | None:
    """The price that an order of ours has to keep clear of, as a manual one rests on the other side; None if none does.

    The venue lets no order meet one of the same account, unless one of them is part of a group or trails: a limit has
    to lie beyond the other's limit, and a market order goes beside none. What rests at market or as a stop lets nothing
    through, which is a price that nothing lies beyond.
    """
    nothing_passes = NOTHING if buys else Decimal("Infinity")
    prices = [
        order.limit_price if order.type in (OrderType.LIMIT, OrderType.STOP_LIMIT) else nothing_passes
        for order in view.orders.values()
        if order.open and order.symbol == symbol and (order.side == "buy") != buys
        if not order.grouped and order.type != OrderType.TRAILING_STOP
        if not ownership.ours(order)
    ]
    return (min if buys else max)(prices, default=None)


def _manual_exits(symbol: str, sign: int, view: VenueSnapshot, ownership: OrderOwnership) -> list[VenueOrder]:
    """The largest open order of each manual group that would reduce a position of that sign, as a look showed it."""
    against, largest = ("sell" if sign > 0 else "buy"), dict[str, VenueOrder]()
    manual = {order.id for order in view.manual}
    for order in view.orders.values():
        exits = order.symbol == symbol and order.side == against and order.open and order.armed
        if not exits or order.cancel_pending or ownership.ours(order):
            continue
        if order.id not in manual and not ownership.journaled(order):
            continue
        if order.group not in largest or order.remaining > largest[order.group].remaining:
            largest[order.group] = order
    return list(largest.values())
