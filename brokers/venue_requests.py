"""What is asked of a venue: orders in each form that may rest there, changes, and how often it may be asked."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from brokers.order_types import OrderType, Side, TimeInForce


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
    """New terms for an order that rests; None leaves one as it is. ``quantity`` counts what has filled of it too."""

    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    quantity: Decimal | None = None


@dataclass(frozen=True, slots=True)
class RequestLimit:
    """Requests that a venue allows in a minute, and how many of them iterations and the watch over stops may use.

    ``iteration`` and ``look`` are how many one of each needs, ``look_s`` how far looks have to be apart while something
    is under way, in the venue's seconds. ``quiet_s`` is the least time between two looks while only a target is
    watched; 0 looks each time. ``quiet_key`` is the setting that says so.
    """

    a_minute: int
    usable: int
    iteration: int = 7
    look: int = 3
    look_s: float = 2.0
    quiet_s: float = 0.0
    quiet_key: str = ""
