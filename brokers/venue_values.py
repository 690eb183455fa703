"""What a venue shows: time, orders, positions, account, fills and quotes, each read once and exact.

Prices are USD, quantities shares or coins; times have a zone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

from brokers.order_types import STOP_TYPES, Side, State

NOTHING = Decimal(0)
NEVER = datetime.min.replace(tzinfo=UTC)
"""Stands for the time of what has not happened yet, before every other."""


@dataclass(frozen=True, slots=True)
class VenueTime:
    """What the venue's clock says; all timezone-aware."""

    now: datetime
    is_open: bool
    next_open: datetime
    next_close: datetime

    def open_at(self, moment: datetime) -> bool:
        """Whether the regular session is on at a later moment, as far as this tells."""
        return moment < self.next_close and (self.is_open or moment >= self.next_open)


@dataclass(frozen=True, slots=True)
class VenueOrder:
    """One order at the venue; a price that it does not have is 0.

    Parameters
    ----------
    id, client_order_id : str
        The venue's name for it and ours; the first again where the venue knows none of ours.
    status : str
        The venue's own word, for readers; ``state`` is what it means.
    group : str
        Names what fills or ends together. A venue gives an order its own id; ``brokers.desk.venue_snapshot`` joins
        what was listed together.
    armed : bool
        False for exits that wait for their entry to fill completely.
    listed_under : str
        Id of the order in whose listing it came; its own for an order that came by itself.
    replaces : str
        Id of the order whose place it took, empty without.
    opens_group : bool
        Whether it has exits that wait for it.
    grouped : bool
        Whether the venue itself ends it with others.
    cancel_pending : bool
        Whether a cancel or replace of it is on its way.
    made_by : str
        Id of the order whose fill made it, where a venue makes exits of its own for what fills; empty without.
    fees : Decimal, optional
        What the venue charged for its fills so far, USD; None where it does not tell that with an order.
    created, submitted, updated, changed, expires : datetime, optional
        ``changed`` is the newest of what the venue tells; ``expires`` is when the venue drops it.
    native : object
        The order as the venue wrote it, for the broker class that speaks its language; the desk does not read it.
    """

    id: str
    client_order_id: str
    symbol: str
    side: Side
    type: str
    status: str
    state: State
    quantity: Decimal
    filled: Decimal = NOTHING
    average_price: Decimal = NOTHING
    limit_price: Decimal = NOTHING
    stop_price: Decimal = NOTHING
    time_in_force: str = ""
    group: str = ""
    armed: bool = True
    listed_under: str = ""
    replaces: str = ""
    opens_group: bool = False
    grouped: bool = False
    cancel_pending: bool = False
    made_by: str = ""
    fees: Decimal | None = None
    created: datetime | None = None
    submitted: datetime | None = None
    updated: datetime | None = None
    changed: datetime | None = None
    expires: datetime | None = None
    native: object = field(default=None, compare=False, repr=False)

    @property
    def open(self) -> bool:
        return self.state in (State.WORKING, State.PARTIALLY_FILLED)

    @property
    def remaining(self) -> Decimal:
        return self.quantity - self.filled if self.open else NOTHING

    @property
    def is_stop(self) -> bool:
        return self.type in STOP_TYPES


@dataclass(frozen=True, slots=True)
class VenuePosition:
    """What the account holds of one symbol.

    ``quantity`` is signed, ``available`` what no order holds, without sign. A price that the venue does not tell is 0,
    a worth that it does not tell None. ``lot`` is the symbol's own smallest quantity, None where the settings' holds.
    """

    symbol: str
    quantity: Decimal
    available: Decimal
    average_price: Decimal = NOTHING
    price: Decimal = NOTHING
    market_value: Decimal | None = None
    lot: Decimal | None = None
    native: object = field(default=None, compare=False, repr=False)

    @property
    def unit_price(self) -> Decimal:
        """What one unit is worth now; an option's price is of a share, its unit a hundred."""
        if self.market_value and self.quantity:
            return abs(self.market_value / self.quantity)
        return self.price or self.average_price


@dataclass(frozen=True, slots=True)
class VenueAccount:
    """The account; ``id`` is empty where the server is no venue, ``blocked`` says why it may open nothing."""

    id: str = ""
    equity: Decimal = NOTHING
    cash: Decimal = NOTHING
    blocked: str = ""
    native: object = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class UnreadOrder:
    """An order that cannot be read, or is not believed; ``relatives`` are ids, the venue's and ours, of its group."""

    id: str
    symbol: str
    relatives: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class VenueListing:
    """Orders as a venue listed them, legs as orders of their own; ``unread`` are those that could not be read.

    ``native`` is the listing of open orders as sent, without what cannot be read.
    """

    orders: tuple[VenueOrder, ...]
    unread: tuple[UnreadOrder, ...] = ()
    native: object = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class VenuePositions:
    """Positions by symbol; ``complete`` is False if one could not be read, so that what is missing may be there.

    ``other_money`` is what the account has in other currencies than USD, by currency: no position of any symbol.
    """

    by_symbol: dict[str, VenuePosition]
    complete: bool = True
    other_money: Mapping[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OrderAck:
    """The venue's answer about one order: its names, and what could be read of it and of the orders in its group."""

    id: str
    client_order_id: str
    orders: tuple[VenueOrder, ...]
    unread: tuple[UnreadOrder, ...] = ()
    native: object = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class VenueFill:
    """One execution; ``id`` is the venue's, empty without."""

    quantity: Decimal
    price: Decimal
    time: datetime | None
    id: str = ""


@dataclass(frozen=True, slots=True)
class TradeUpdate:
    """What a stream tells of an order; ``id`` is empty where it tells of none that could be read."""

    id: str
    symbol: str
    orders: tuple[VenueOrder, ...] = ()
    fill: VenueFill | None = None


@dataclass(frozen=True, slots=True)
class TradeTerms:
    """What trading a symbol costs this account and needs at least, by the venue's own word.

    ``maker`` and ``taker`` are fees as fractions of 1, ``price`` what a unit costs now, USD, 0 where none is known;
    ``least`` is the smallest quantity of an order at that price. ``closed`` says why it is not traded now, in words.
    """

    symbol: str
    price: Decimal
    least: Decimal
    maker: Decimal = NOTHING
    taker: Decimal = NOTHING
    closed: str = ""

    @property
    def least_usd(self) -> Decimal:
        return self.least * self.price


@dataclass(frozen=True, slots=True)
class VenueQuote:
    """Bid and ask as the venue told them; ``unreadable`` says what is wrong with the answer.

    ``last`` is the price of the last trade, 0 where it is not told.
    """

    bid: Decimal = NOTHING
    ask: Decimal = NOTHING
    time: datetime | None = None
    unreadable: str = ""
    last: Decimal = NOTHING
