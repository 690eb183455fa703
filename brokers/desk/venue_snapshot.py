"""The venue at one moment, and which of its orders belong together."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from brokers.order_types import State
from brokers.venue_values import UnreadOrder, VenueAccount, VenueOrder, VenuePosition

NOTHING = Decimal(0)


ENDED = frozenset({State.CANCELLED, State.EXPIRED, State.REJECTED})

REMAINDER_USD = Decimal("0.5")
"""Dust that is worth less is told nowhere but by the clean-up."""


@dataclass(frozen=True, slots=True)
class Freed:
    """Exits of a symbol whose cancel was asked for since the last look: the venue's ids, and since when."""

    orders: tuple[str, ...]
    since: datetime


@dataclass(slots=True)
class VenueSnapshot:
    """What the venue showed at its last look.

    ``manual`` are orders that were sent by hand, whether the journal knows them or not. ``complete`` is False if a
    position could not be read, so that what is missing may be there; ``unread`` names the symbols of orders that could
    not be, ``held_back`` those in which such an order is ours, so that nothing is known of what protects our shares.
    ``listing`` is the listing of open orders as the venue wrote it, for the broker class that speaks its language;
    ``account_time`` is when the account was asked for, ``account_unreadable`` why it could not be read since then, in
    words. ``dust`` is what the venue holds beside the positions, too little to be one. ``freed`` are exits, by symbol,
    that have ended since the look by a cancel of ours, ``ended`` the stop of a symbol that has ended last since then,
    whoever ended it. ``unanswered`` are exits whose cancel has had no answer since then, ``doubted`` those of them that
    count as ended, with the stops of their groups, as the look that should have told has failed.
    """

    time: datetime
    account: VenueAccount
    positions: dict[str, VenuePosition]
    orders: dict[str, VenueOrder]
    manual: list[VenueOrder] = field(default_factory=list)
    listing: object = None
    complete: bool = True
    unread: dict[str, str] = field(default_factory=dict)
    held_back: dict[str, str] = field(default_factory=dict)
    account_time: datetime | None = None
    account_unreadable: str = ""
    dust: dict[str, VenuePosition] = field(default_factory=dict)
    freed: dict[str, Freed] = field(default_factory=dict)
    ended: dict[str, VenueOrder] = field(default_factory=dict)
    unanswered: dict[str, Freed] = field(default_factory=dict)
    doubted: dict[str, Freed] = field(default_factory=dict)

    @property
    def by_hand(self) -> list[VenueOrder]:
        """Orders that were sent by hand, as they are shown now."""
        return [self.orders.get(order.id, order) for order in self.manual]

    @property
    def uncommitted_cash(self) -> Decimal:
        """Cash of the account without what orders sent by hand have set aside for what they buy, USD."""
        bids = (order for order in self.by_hand if order.open and order.side == "buy")
        theirs = (order for order in bids if self.held(order.symbol) >= 0)
        aside = (order.remaining * max(order.limit_price, order.stop_price) for order in theirs)
        return self.account.cash - sum(aside, NOTHING)

    @property
    def remainders(self) -> list[VenuePosition]:
        """What of the dust is worth a line: it can be neither sold nor put behind a stop by itself."""
        return [there for _, there in sorted(self.dust.items()) if (there.market_value or NOTHING) >= REMAINDER_USD]

    def held(self, symbol: str) -> Decimal:
        """Shares of a symbol, signed."""
        position = self.positions.get(symbol)
        return NOTHING if position is None else position.quantity

    def dust_of(self, symbol: str) -> Decimal:
        """What is held beside the position of a symbol, too little to be one."""
        dust = self.dust.get(symbol)
        return NOTHING if dust is None else dust.quantity

    def available(self, symbol: str) -> Decimal:
        """Shares that no order holds."""
        position = self.positions.get(symbol)
        return NOTHING if position is None else position.available

    def confirm_cancel(self, order: VenueOrder, now: datetime) -> None:
        """An exit has ended by a confirmed cancel: it protects and sells nothing any more, whatever the look showed.

        What it has sold before, and when its shares are free, the next look tells: until then it is on its way out.
        """
        before = self.freed.get(order.symbol, Freed((), now))
        self.freed = {**self.freed, order.symbol: Freed((*before.orders, order.id), before.since)}
        self.orders = {**self.orders, order.id: replace(order, cancel_pending=True)}
        if self.in_doubt(order):
            doubt = self.doubted[order.symbol]
            left = replace(doubt, orders=tuple(name for name in doubt.orders if name != order.id))
            kept = {symbol: freed for symbol, freed in self.doubted.items() if symbol != order.symbol}
            self.doubted = kept | ({order.symbol: left} if left.orders else {})
        if order.is_stop:
            self.ended = {**self.ended, order.symbol: replace(order, state=State.CANCELLED, changed=now)}

    def note_unanswered(self, order: VenueOrder, now: datetime) -> None:
        """The cancel of an exit has had no answer: it may have ended, which the next look tells."""
        if self.in_doubt(order):
            return
        before = self.unanswered.get(order.symbol, Freed((), now))
        self.unanswered = {**self.unanswered, order.symbol: Freed((*before.orders, order.id), before.since)}

    def doubt_unanswered(self) -> set[str]:
        """No look has told what came of cancels without an answer: their exits protect nothing that can be relied on.

        With one leg of a pair its stop is in doubt too. Returns the symbols in which that is news.
        """
        told, self.unanswered = self.unanswered, {}
        doubted = {symbol: replace(freed, orders=self._with_stops(freed.orders)) for symbol, freed in told.items()}
        for order in self.known(venue_id for freed in doubted.values() for venue_id in freed.orders):
            if order.open:
                self.orders = {**self.orders, order.id: replace(order, cancel_pending=True)}
        self.doubted = {**self.doubted, **doubted}
        return set(told)

    def in_doubt(self, order: VenueOrder) -> bool:
        """Whether nobody knows if an exit rests, as its cancel has had no answer and no look has told."""
        return order.symbol in self.doubted and order.id in self.doubted[order.symbol].orders

    def known(self, venue_ids: Iterable[str]) -> list[VenueOrder]:
        """Orders as they are shown now, without those that are no longer believed."""
        return [self.orders[venue_id] for venue_id in venue_ids if venue_id in self.orders]

    def _with_stops(self, venue_ids: tuple[str, ...]) -> tuple[str, ...]:
        groups = {order.group for order in self.known(venue_ids)}
        stops = (o.id for o in self.orders.values() if o.group in groups and o.is_stop and o.open)
        return tuple(dict.fromkeys((*venue_ids, *stops)))

    def keep_doubt(self, symbol: str) -> bool:
        """Whether exits whose cancel had no answer are in doubt still; not where the venue has told that one rests."""
        there = self.known(self.doubted[symbol].orders)
        if any(order.open and not order.cancel_pending for order in there):
            self.doubted = {name: freed for name, freed in self.doubted.items() if name != symbol}
        return symbol in self.doubted

    def end_doubt(self, symbol: str) -> None:
        """The venue says that an order holds the shares: the exits whose cancel had no answer rest still."""
        for order in self.known(self.doubted[symbol].orders):
            self.orders = {**self.orders, order.id: replace(order, cancel_pending=False)}
        self.doubted = {name: freed for name, freed in self.doubted.items() if name != symbol}
        self.freed = {name: freed for name, freed in self.freed.items() if name != symbol}

    def note_ends(self, news: Iterable[VenueOrder]) -> None:
        """Stops that worked as far as is known, and of which is told now that they have ended without a sale."""
        gone = {o.symbol: o for o in news if o.state in ENDED and o.is_stop and self._worked(o.id)}
        self.ended = {**self.ended, **gone}

    def _worked(self, order_id: str) -> bool:
        known = self.orders.get(order_id)
        return known is not None and known.open and known.armed

    def price(self, symbol: str) -> Decimal:
        """The position's present price, 0 where the venue tells none."""
        position = self.positions.get(symbol)
        return NOTHING if position is None else position.price

    def average_price(self, symbol: str) -> Decimal:
        """What was paid for the position by the venue's word, 0 without one."""
        position = self.positions.get(symbol)
        return NOTHING if position is None else position.average_price

    def purchases_by_hand(self, symbol: str) -> list[VenueOrder]:
        """Open orders of a symbol that are not ours and open or add to a position: bids, beside a short sales."""
        adds = "sell" if self.held(symbol) < 0 else "buy"
        there = (order for order in self.by_hand if order.symbol == symbol and order.open and order.armed)
        return [order for order in there if order.side == adds]

    def sold_by_hand(self, symbol: str) -> Decimal:
        """What open sales of a symbol that are not ours are for."""
        there = (order for order in self.by_hand if order.symbol == symbol and order.open and order.armed)
        return sum((order.remaining for order in there if order.side == "sell"), NOTHING)

    def worth_ordered_by_hand(self, symbol: str) -> Decimal:
        """What orders that are not ours may add to a symbol, USD; NaN where nothing tells the price of one."""
        worth = NOTHING
        for order in self.purchases_by_hand(symbol):
            price = max(order.limit_price, order.stop_price) or self.price(symbol) or Decimal("NaN")
            worth += order.remaining * price
        return worth


def not_believed(orders: Iterable[VenueOrder], names: Container[str]) -> list[UnreadOrder]:
    """Orders that are not to be counted, as if they could not be read, with those that they were listed with."""
    listed = list(orders)
    return [
        UnreadOrder(
            order.id,
            order.symbol,
            tuple((o.id, o.client_order_id) for o in listed if o.listed_under == order.listed_under),
        )
        for order in listed
        if order.id in names
    ]


def in_words(unread: UnreadOrder) -> str:
    """What is said of an order that cannot be read."""
    return f"the venue's order {unread.id} cannot be read"


def grouped(orders: Iterable[VenueOrder], known: Iterable[VenueOrder] = ()) -> dict[str, VenueOrder]:
    """Orders by the venue's id, with their groups; of an id that comes twice the newer one, by its last change.

    What is ``known`` of earlier listings tells which orders are one group, and nothing else.

    A venue may list a group in several ways: under its entry, under the exit that works, each by itself. Whatever was
    listed together or replaces one another is one group, and its exits count once its entry, if one is seen, has filled
    completely.
    """
    found: dict[str, VenueOrder] = {}
    ties = [(order.group, order.id) for order in known]
    for order in orders:
        ties.append((order.listed_under or order.id, order.id))
        if order.replaces:
            ties.append((order.replaces, order.id))
        there = found.get(order.id)
        if there is None or _newer(order, there):
            found[order.id] = order
    roots = _joined(ties)
    waiting = {roots[o.id] for o in found.values() if o.opens_group and o.state is not State.FILLED}
    return {
        name: replace(order, group=roots[name], armed=order.opens_group or roots[name] not in waiting)
        for name, order in found.items()
    }


def _newer(new: VenueOrder, old: VenueOrder) -> bool:
    return new.updated is None or old.updated is None or new.updated >= old.updated


def _joined(ties: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Which group each name belongs to, from pairs of names that do."""
    root: dict[str, str] = {}

    def top(name: str) -> str:
        while (above := root.setdefault(name, name)) != name:
            name = above
        return name

    for one, other in ties:
        first, second = sorted((top(one), top(other)))
        root[second] = first
    return {name: top(name) for name in list(root)}
