"""The seams: what a strategy needs of an account in either mode, and what the desk needs of a venue.

Prices are USD, quantities shares or coins, both exact; times have a zone. Nothing above this file knows how a venue
writes any of it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol

from brokers.order_types import Resting
from brokers.venue_requests import OrderChange, OrderRequest, RequestLimit
from brokers.venue_values import (
    OrderAck,
    TradeTerms,
    VenueAccount,
    VenueListing,
    VenuePositions,
    VenueQuote,
    VenueTime,
)

if TYPE_CHECKING:
    import pandas as pd

    from brokers.record import RunRecord
    from market.market import Market
    from risk.model import Book, Plan
    from strategies.pipeline import Pipeline


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

    def gap(self, price: float, symbol: str) -> float:
        """How far from the market an exit at a price has to lie at least, in the currency of the price."""
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
    def gone_for_data_alone(self) -> bool:
        """Whether nothing but its host of market data counts as gone, which no look needs."""
        ...

    @property
    def tells_orders(self) -> bool:
        """Whether it tells of orders by itself, through a stream; otherwise they are followed by asking."""
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

    @property
    def takes_orders(self) -> bool:
        """Whether an order that protects would be sent now; not while the venue takes no request of the account."""
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

    def expect(
        self,
        client_order_ids: Iterable[str],
        news: Callable[[], Iterable[str]] | None = None,
        held: Mapping[str, Decimal] | None = None,
    ) -> None:
        """Tell names of ours that listed orders may have, for a venue that lists them in a form of its own.

        ``news`` tells them anew where an order seems to be of another trader: ours may have sent it meanwhile. ``held``
        is what our fills add up to, by symbol; None leaves what was told before.
        """
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

    def cancel(self, venue_id: str) -> bool:
        """Ask for a cancel; VenueRefusal if there is nothing to cancel any more.

        True where the answer says that the order has ended, False where only a look can tell.
        """
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

    @property
    def followed(self) -> Collection[str]:
        """Symbols whose quotes come now, none without a connection; safe in any thread."""
        ...

    def start(self, on_quote: Callable[[str, float, float], None]) -> None:
        """Begin; ``on_quote`` gets symbol, bid and ask in the stream's thread."""
        ...

    def stop(self, wait_s: float) -> None: ...

    def watch(self, symbols: Iterable[str]) -> None:
        """Follow these symbols from now on, the first of them where the venue streams no more."""
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
