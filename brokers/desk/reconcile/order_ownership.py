"""OrderOwnership the orders at the venue are, and which of hands' would sell what is ours."""

from __future__ import annotations

from collections.abc import Callable, Collection
from decimal import Decimal
from typing import TYPE_CHECKING

from brokers.alpaca.listings import VenueOrder, moment
from brokers.desk.reconcile.journal_sync import JournalSync
from brokers.desk.reconcile.position_adjustments import MANUAL
from brokers.desk.reconcile.position_book import NEW_YORK
from brokers.journal import Journal

if TYPE_CHECKING:
    from brokers.desk.venue_state import Floor

NOTHING = Decimal(0)


class OrderOwnership:
    """Tells our orders from hands'.

    Parameters
    ----------
    books : JournalSync
    journal : Journal
    adopted : collection of str
        Symbols in which hands' positions, and so their orders, are managed like our own.
    seen : callable, optional
        Orders that the venue showed, from which an order's group is told.
    """

    def __init__(
        self,
        books: JournalSync,
        journal: Journal,
        adopted: Collection[str],
        seen: Callable[[], Collection[VenueOrder]] = tuple,
    ) -> None:
        self._books = books
        self._seen = seen
        self._journal = journal
        self._adopted = adopted
        self._roles: dict[str, str] = {}

    def role(self, order: VenueOrder) -> str:
        """What an order is for; ``MANUAL`` where a hand sent it."""
        name = self._books.client_id(order.id)
        if name is not None:
            return self._role_of(name)
        # The journal may not have got to know it yet: what belongs to a group of ours is ours.
        group = (self._books.client_id(o.id) for o in self._seen() if o.group == order.group)
        if any(member is not None and self._role_of(member) != MANUAL for member in group):
            return "stop" if order.is_stop else "target"
        return MANUAL

    def _role_of(self, name: str) -> str:
        if name not in self._roles:
            self._roles[name] = self._journal.order(name).role
        return self._roles[name]

    def ours(self, order: VenueOrder) -> bool:
        """Whether an order is the desk's to count, cancel and replace."""
        return order.symbol in self._adopted or self.role(order) != MANUAL


def orphaned_manual_exits(floor: Floor, symbol: str) -> list[VenueOrder]:
    """Hands' exits that would sell what is ours, or what is not there any more; one order of each group.

    A hand's exits are its own business as far as its own shares of the symbol go, the older ones first; what exceeds
    them is stray. Where we hold nothing, a hand's order on the exit's side is one if it was sent since our last
    position was opened and not after the day that it ended; any other is a short sale or cover of the hand's.
    """
    ours, there = floor.own.quantity(symbol), floor.view.held(symbol)
    sign, window = (1 if ours > 0 else -1), None
    if not ours:
        trade = next((p.trade for p in reversed(floor.own.portions) if p.trade.symbol == symbol), None)
        if trade is None:
            return []
        sign = 1 if trade.side == "buy" else -1
        window = trade.entry_time, trade.exit_time.astimezone(NEW_YORK).date()
    # By the venue's word too: shares whose order was never seen are entered as the hand's a moment later.
    room = max(NOTHING, sign * floor.own.manual.get(symbol, NOTHING), sign * (there - ours))
    found = []
    for order in sorted(_exits_by_hand(floor, symbol, sign), key=lambda o: str(o.raw.get("created_at"))):
        sent = moment(order.raw.get("created_at"))
        if window and (sent is None or sent < window[0] or sent.astimezone(NEW_YORK).date() > window[1]):
            continue
        room -= order.remaining
        if room < 0:
            found.append(order)
            room += order.remaining
    return found


def self_trade_limit(floor: Floor, symbol: str, buys: bool) -> Decimal | None:
    """The price that an order of ours has to keep clear of, as one by hand rests on the other side; None if none does.

    The venue lets no order meet one of the same account, unless one of them is part of a group or trails: a limit has
    to lie beyond the other's limit, and a market order goes beside none. What rests at market or as a stop lets nothing
    through, which is a price that nothing lies beyond.
    """
    nothing_passes = NOTHING if buys else Decimal("Infinity")
    prices = [
        order.limit_price if order.type in ("limit", "stop_limit") else nothing_passes
        for order in floor.view.orders.values()
        if order.open and order.symbol == symbol and (order.side == "buy") != buys
        if order.raw.get("order_class") in (None, "", "simple") and order.type != "trailing_stop"
        if not floor.whose.ours(order)
    ]
    return (min if buys else max)(prices, default=None)


def _exits_by_hand(floor: Floor, symbol: str, sign: int) -> list[VenueOrder]:
    """The largest open order of each group of hands' that would reduce a position of that sign, as a look showed it."""
    against, largest = ("sell" if sign > 0 else "buy"), dict[str, VenueOrder]()
    strangers = {order.id for order in floor.view.strangers}
    for order in floor.view.orders.values():
        exits = order.symbol == symbol and order.side == against and order.open and order.armed
        if (
            not exits
            or order.leaving
            or floor.whose.ours(order)
            or not (order.id in strangers or floor.books.client_id(order.id) is not None)
        ):
            continue
        if order.group not in largest or order.remaining > largest[order.group].remaining:
            largest[order.group] = order
    return list(largest.values())
