"""The seams: what a strategy needs of an account in either mode, and what the desk needs of a venue.

Prices are USD, quantities shares or coins, both exact; times have a zone. Nothing above this file knows how a venue
writes any of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol

from brokers.journal.states import State
from brokers.order_types import STOP_TYPES, OrderType, Resting, Side, TimeInForce

if TYPE_CHECKING:
    import pandas as pd

    from brokers.record import RunRecord
    from market.market import Market
    from risk.model import Book, Plan
    from strategies.pipeline import Pipeline

NOTHING = Decimal(0)


# ---- both modes ----------------------------------------------------------------------------------------


class Desk(Protocol):
    """Sends, changes and cancels a strategy's orders, in a backtest and live."""

    def iteration(self) -> AbstractContextManager[None]:
        """Around one iteration; live, whatever goes wrong inside stops entries and never the loop."""
        ...

    def reconcile(self) -> Book:
        """What is held and what protects it, now; live raises VenueError where the venue cannot be asked."""
        ...

    def execute(self, plan: Plan) -> None:
        """Send a plan: what reduces risk first, then entries."""
        ...


class Feed(Protocol):
    """Shows the market."""

    def snapshot(self) -> Market:
        """Causal features of the universe, up to the last complete bar; live raises VenueError."""
        ...


class Account(Protocol):
    """Everything ``CombinedStrategy`` needs of one run.

    ``sleeptime`` is in Lumibot's notation, ``notes`` is what a reader of the figures must know.
    """

    @property
    def desk(self) -> Desk: ...
    @property
    def feed(self) -> Feed: ...
    @property
    def pipeline(self) -> Pipeline: ...
    @property
    def record(self) -> RunRecord: ...
    @property
    def sleeptime(self) -> str: ...
    @property
    def notes(self) -> tuple[str, ...]: ...

    def spare_lumibot(self, strategy: Any) -> None:
        """Keep Lumibot's loop from work whose result nobody reads."""
        ...


# ---- what a venue shows --------------------------------------------------------------------------------


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
    fee : Decimal
        What its fills cost so far, USD; 0 where the venue tells none with an order.
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
    fee: Decimal = NOTHING
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
    """Positions by symbol; ``complete`` is False if one could not be read, so that what is missing may be there."""

    by_symbol: dict[str, VenuePosition]
    complete: bool = True


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
    """Bid and ask as the venue told them; ``unreadable`` says what is wrong with the answer."""

    bid: Decimal = NOTHING
    ask: Decimal = NOTHING
    time: datetime | None = None
    unreadable: str = ""


# ---- what a venue is sent ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Single:
    """An order without exits; at market without a price. ``trail_frac`` is a fraction of 1."""

    symbol: str
    side: Side
    quantity: Decimal
    type: OrderType = OrderType.MARKET
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_usd: Decimal | None = None
    trail_frac: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.DAY
    extended_hours: bool = False


@dataclass(frozen=True, slots=True)
class Bracket:
    """An entry with exits that come into force with it; one of them alone where the venue has such a pair."""

    entry: Single
    stop: Decimal | None
    target: Decimal | None
    stop_limit: Decimal | None = None

    @property
    def symbol(self) -> str:
        return self.entry.symbol

    @property
    def side(self) -> Side:
        return self.entry.side

    @property
    def quantity(self) -> Decimal:
        return self.entry.quantity


@dataclass(frozen=True, slots=True)
class OcoExits:
    """A target and a stop for shares that are there: whichever fills first cancels the other."""

    symbol: str
    side: Side
    quantity: Decimal
    stop: Decimal
    target: Decimal
    stop_limit: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.GTC


@dataclass(frozen=True, slots=True)
class StopOnly:
    """A stop by itself, good till cancelled."""

    symbol: str
    side: Side
    quantity: Decimal
    stop: Decimal


OrderRequest = Single | Bracket | OcoExits | StopOnly


@dataclass(frozen=True, slots=True)
class OrderChange:
    """New prices for an order that rests; None leaves one as it is."""

    limit_price: Decimal | None = None
    stop_price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class RequestLimit:
    """Requests that a venue allows in a minute, and how many of them iterations and the watch over stops may use.

    ``iteration`` and ``look`` are how many one of each needs, ``look_s`` how far looks have to be apart while something
    is under way, in the venue's seconds. ``quiet_s`` is the least time between two looks while only a target is
    watched; 0 looks each time.
    """

    a_minute: int
    usable: int
    iteration: int = 7
    look: int = 3
    look_s: float = 2.0
    quiet_s: float = 0.0


# ---- venue ---------------------------------------------------------------------------------------------


class Clock(Protocol):
    """The venue's time between two readings of its clock."""

    def now(self) -> datetime: ...

    @property
    def due(self) -> bool:
        """Whether the venue's clock should be read again."""
        ...

    def local(self, venue_seconds: float) -> float:
        """Local seconds in so many of the venue's."""
        ...


class VenueRules(Protocol):
    """What an order has to keep to at this venue."""

    @property
    def resting(self) -> frozenset[Resting]:
        """What can rest there."""
        ...

    @property
    def always_open(self) -> bool:
        """Whether it never closes, so that every stop is in force at all times."""
        ...

    @property
    def fee_frac(self) -> Decimal:
        """What taking costs, in the currency of the price, as a fraction of it."""
        ...

    @property
    def fraction(self) -> Decimal:
        """The smallest step of a quantity at market; what rests is in whole lots of the settings."""
        ...

    def least(self, symbol: str, price: Decimal) -> Decimal:
        """The smallest quantity of an order at a price."""
        ...

    def tick(self, price: float, symbol: str) -> float:
        """The smallest step of a price there."""
        ...


class Venue(Protocol):
    """One account at a venue. Every method raises VenueError, of the kinds in ``brokers.venue_errors``."""

    @property
    def name(self) -> str:
        """What messages call it."""
        ...

    @property
    def address(self) -> str: ...

    @property
    def key_names(self) -> tuple[str, ...]:
        """The environment variables that its keys come from."""
        ...

    @property
    def rules(self) -> VenueRules: ...

    @property
    def clock(self) -> Clock: ...

    @property
    def gone(self) -> str:
        """Why it counts as gone, in words; empty if it doesn't."""
        ...

    @property
    def quote_stream(self) -> QuoteStream | None:
        """Its stream of quotes, not yet started; None if it has none."""
        ...

    def budget(self, seconds: float) -> AbstractContextManager[None]:
        """Bound the local seconds of everything asked inside."""
        ...

    @property
    def request_limit(self) -> RequestLimit: ...

    def room(self, requests: int) -> bool:
        """Whether the limit leaves room for so many requests of an iteration beside those of the watch."""
        ...

    def drop_waiting(self) -> None:
        """Send no request that waits for the rate limit now."""
        ...

    def venue_clock(self) -> VenueTime: ...

    def account(self) -> VenueAccount: ...

    def positions(self) -> VenuePositions:
        """What is held, without dust."""
        ...

    def dust(self) -> VenuePositions:
        """What is held and too little to be a position; empty where every share is one."""
        ...

    def expect(self, client_order_ids: Iterable[str]) -> None:
        """Tell names of ours that listed orders may have, for a venue that lists them in a form of its own."""
        ...

    def open_orders(self) -> VenueListing:
        """Every open order."""
        ...

    def orders_since(self, after: datetime) -> VenueListing:
        """Every order submitted after a time, ended or not."""
        ...

    def order(self, venue_id: str) -> OrderAck:
        """One order by the venue's id; VenueRefusal NOT_FOUND if there is none."""
        ...

    def order_by_client_id(self, client_order_id: str) -> OrderAck | None:
        """The order of that name; None if the venue has none."""
        ...

    def submit(self, request: OrderRequest, client_order_id: str, opens: bool) -> OrderAck:
        """Place an order under a name that it is found by afterwards; OutcomeUnknown if there was no answer.

        ``opens`` says whether it opens a position: a venue that is told so refuses an exit that would open one.
        """
        ...

    def replace(self, venue_id: str, change: OrderChange, client_order_id: str) -> OrderAck:
        """Put another order in the place of one that rests; raises like ``submit``."""
        ...

    def cancel(self, venue_id: str) -> None:
        """Ask for a cancel; VenueRefusal if there is nothing to cancel any more."""
        ...

    def quotes(self, symbols: Iterable[str]) -> Mapping[str, VenueQuote]:
        """The newest quote of each symbol that has one."""
        ...

    def bars(self, symbols: Iterable[str], minutes: int, start: datetime, end: datetime | None = None) -> pd.DataFrame:
        """Bars as a long table, oldest first: symbol, datetime (aware, when it begins), open, high, low, close, volume.

        1440 minutes are a day; what is no number is NaN; the newest bar may still be forming.
        """
        ...

    def terms(self, symbols: Iterable[str]) -> list[TradeTerms]:
        """What trading each symbol costs and needs, of those that the venue knows."""
        ...

    def lists(self, symbol: str) -> bool:
        """Whether the venue knows a symbol."""
        ...

    def trades(self, symbol: str) -> bool:
        """Whether it can be traded now or at the next opening."""
        ...

    def trades_fractions(self, symbol: str) -> bool:
        """Whether parts of a share can be sold at market."""
        ...


class QuoteStream(Protocol):
    """A venue's stream of quotes, for the few symbols that matter now."""

    def start(self, on_quote: Callable[[str, float, float], None]) -> None:
        """Begin; ``on_quote`` gets symbol, bid and ask in the stream's thread."""
        ...

    def stop(self, wait_s: float) -> None: ...

    def watch(self, symbols: Iterable[str]) -> None:
        """Follow these symbols from now on."""
        ...

    def latest(self, symbol: str) -> VenueQuote | None:
        """The newest quote; None if none came in the last seconds."""
        ...


class OrderRouter(Protocol):
    """Where orders of Lumibot's leave for the venue.

    Raises
    ------
    OrderRefused, VenueRefusal, NotSent
        It was not done, for sure.
    OutcomeUnknown
        There was no answer; its ``client_order_id`` lets the order be found later.
    """

    def submit(self, request: OrderRequest) -> OrderAck: ...

    def replace(self, venue_id: str, change: OrderChange) -> OrderAck: ...

    def cancel(self, venue_id: str) -> None: ...

    def sell_all(self, end_entries: bool) -> None:
        """Close every position of ours, as far as that is done in a while."""
        ...

    def close(self, symbol: str, frac: float) -> bool:
        """Close a part of a position of ours; False if there is none."""
        ...
