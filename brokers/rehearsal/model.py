"""Orders, groups and assets of the rehearsal venue, and the JSON shapes that Alpaca answers with."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

Json = dict[str, object]

TERMINAL = frozenset({"filled", "canceled", "expired", "replaced", "rejected"})
WORKING = frozenset({"new", "partially_filled"})
NOT_ON_STREAM = ("source", "subtag")


def plain(number: Decimal) -> str:
    """A decimal as Alpaca writes it: no exponent, no trailing zeros."""
    text = format(number, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def maybe(number: Decimal | None) -> str | None:
    """The same for a field that may be null."""
    return None if number is None else plain(number)


def iso(time: datetime | None) -> str | None:
    """UTC with microseconds and Z; None stays None."""
    return None if time is None else time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@dataclass(frozen=True, slots=True)
class Asset:
    """What can be traded. ``fractionable`` and ``shortable`` are rules, the rest is said on request."""

    id: str
    symbol: str
    name: str
    exchange: str = "NASDAQ"
    fractionable: bool = True
    shortable: bool = True
    tradable: bool = True

    def to_json(self) -> Json:
        return {
            "id": self.id,
            "class": "us_equity",
            "exchange": self.exchange,
            "symbol": self.symbol,
            "name": self.name,
            "status": "active",
            "tradable": self.tradable,
            "marginable": True,
            "shortable": self.shortable,
            "easy_to_borrow": self.shortable,
            "borrow_status": "easy_to_borrow" if self.shortable else "hard_to_borrow",
            "fractionable": self.fractionable,
        }


@dataclass(slots=True, eq=False)
class Group:
    """The orders of one bracket, OCO or OTO. A replaced member leaves it to its replacement."""

    id: str
    order_class: str
    entry: Order | None = None
    take_profit: Order | None = None
    stop_loss: Order | None = None

    @property
    def members(self) -> list[Order]:
        return [m for m in (self.entry, self.take_profit, self.stop_loss) if m is not None]

    @property
    def exits(self) -> list[Order]:
        return [m for m in (self.take_profit, self.stop_loss) if m is not None]

    @property
    def top(self) -> Order:
        """The order that is listed with the others as its legs."""
        return self.members[0]

    @property
    def armed(self) -> bool:
        """Whether the exits count: the entry has filled completely, or there is none."""
        return self.entry is None or self.entry.status == "filled"

    def swap(self, old: Order, new: Order) -> None:
        if self.entry is old:
            self.entry = new
        elif self.take_profit is old:
            self.take_profit = new
        else:
            self.stop_loss = new


@dataclass(slots=True, eq=False)
class Order:
    """One order. Prices in USD, quantities in shares, times timezone-aware.

    Either ``qty`` or ``notional`` is None. ``starts`` is when the venue begins to work on it,
    ``expires`` when it ends. ``triggered`` is set once a stop has become a market or limit order.
    ``before`` is the status that a refused replace or a lost cancel race returns to.
    """

    id: str
    client_order_id: str
    sequence: int
    asset: Asset
    side: str
    type: str
    time_in_force: str
    qty: Decimal | None
    notional: Decimal | None
    created: datetime
    starts: datetime
    expires: datetime
    order_class: str = ""
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None
    extended_hours: bool = False
    status: str = "pending_new"
    before: str = "pending_new"
    filled_qty: Decimal = Decimal(0)
    filled_value: Decimal = Decimal(0)
    hwm: Decimal | None = None
    triggered: bool = False
    updated: datetime | None = None
    times: dict[str, datetime] = field(default_factory=dict)
    replaces: str | None = None
    replaced_by: str | None = None
    group: Group | None = field(default=None, repr=False)
    role: str = ""

    @property
    def symbol(self) -> str:
        return self.asset.symbol

    @property
    def buy(self) -> bool:
        return self.side == "buy"

    @property
    def open(self) -> bool:
        return self.status not in TERMINAL

    @property
    def is_leg(self) -> bool:
        return self.group is not None and self.group.top is not self

    @property
    def exits(self) -> bool:
        """Whether it is the take-profit or the stop of a group."""
        return self.group is not None and self.role != "entry"

    @property
    def simple(self) -> bool:
        return self.group is None and self.type != "trailing_stop"

    def remaining(self, price: Decimal) -> Decimal:
        """Shares still to fill; ``price`` turns what is left of a notional into shares."""
        if self.qty is not None:
            return self.qty - self.filled_qty
        if self.notional is None or price <= 0:
            return Decimal(0)
        return ((self.notional - self.filled_value) / price).quantize(Decimal("1e-9"))

    def fits(self, price: Decimal) -> bool:
        """Whether a fill at ``price`` respects the limit, if there is one."""
        if self.limit_price is None:
            return True
        return price <= self.limit_price if self.buy else price >= self.limit_price

    def follow(self, price: Decimal) -> None:
        """Move a trailing stop's best price and with it its stop price."""
        best = price if self.hwm is None else (min if self.buy else max)(self.hwm, price)
        self.hwm = best
        distance = self.trail_price
        if distance is None:
            distance = best * (self.trail_percent or Decimal(0)) / 100
        tick = Decimal("0.01") if best >= 1 else Decimal("0.0001")
        self.stop_price = (best + distance if self.buy else best - distance).quantize(tick)

    def to_json(self, nested: bool = True, legs: list[Order] | None = None) -> Json:
        """The Order object of the API.

        Parameters
        ----------
        nested : bool
            Whether the order at the top of a group carries the others as ``legs``.
        legs : list of Order, optional
            Legs to show in place of the group's.
        """
        if legs is None and nested and self.group is not None and not self.is_leg:
            legs = [m for m in self.group.members if m is not self]
        average = self.filled_value / self.filled_qty if self.filled_qty else None
        body: Json = {
            "id": self.id,
            "client_order_id": self.client_order_id,
            "created_at": iso(self.created),
            "updated_at": iso(self.updated or self.created),
            "submitted_at": iso(self.created),
            **{
                key: iso(self.times.get(key))
                for key in ("filled_at", "expired_at", "canceled_at", "failed_at", "replaced_at")
            },
            "replaced_by": self.replaced_by,
            "replaces": self.replaces,
            "asset_id": self.asset.id,
            "symbol": self.symbol,
            "asset_class": "us_equity",
            "notional": maybe(self.notional),
            "qty": maybe(self.qty),
            "filled_qty": plain(self.filled_qty),
            "filled_avg_price": None if average is None else plain(average.quantize(Decimal("1e-6"))),
            "order_class": self.order_class,
            "order_type": self.type,
            "type": self.type,
            "side": self.side,
            "time_in_force": self.time_in_force,
            "limit_price": maybe(self.limit_price),
            "stop_price": maybe(self.stop_price),
            "status": self.status,
            "extended_hours": self.extended_hours,
            "legs": [leg.to_json(nested=False) for leg in legs] if legs else None,
            "trail_percent": maybe(self.trail_percent),
            "trail_price": maybe(self.trail_price),
            "hwm": maybe(self.hwm),
            "subtag": None,
            "source": None,
        }
        if self.group is not None:
            body |= {
                "group_id": self.group.id,
                "group_role": self.role,
                "position_intent": f"{self.side}_to_{'close' if self.exits else 'open'}",
            }
        return body

    def on_stream(self) -> Json:
        """The Order object inside a trade update: never with legs, and two keys short."""
        body = self.to_json(nested=False)
        for key in NOT_ON_STREAM:
            del body[key]
        return body


@dataclass(slots=True)
class Release:
    """Shares that a cancelled order held and that are not back yet."""

    symbol: str
    qty: Decimal
    at: datetime


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of the market, USD."""

    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
