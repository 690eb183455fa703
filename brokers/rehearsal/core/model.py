"""Orders, groups and instruments of a rehearsal venue, and what it tells of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

TERMINAL = frozenset({"filled", "canceled", "expired", "replaced", "rejected"})
WORKING = frozenset({"new", "partially_filled"})
TRAILING = frozenset({"trailing_stop", "trailing_stop_limit"})
ZERO = Decimal(0)
CENT, CENT_FRACTION = Decimal("0.01"), Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class Asset:
    """What can be traded.

    Parameters
    ----------
    id, symbol, name, exchange : str
    fractionable, shortable, tradable : bool
        Rules that a face may ask about.
    lot : Decimal
        Smallest quantity of a fill.
    tick : Decimal, optional
        Distance between prices; None for the grid of US shares, a cent from $1 on, a hundredth of it below.
    half_spread : Decimal, optional
        How far bid and ask lie from the last price; None for what the venue's settings say.
    money_step : Decimal, optional
        What the value and the fee of a fill are rounded to; None for no rounding.
    """

    id: str
    symbol: str
    name: str
    exchange: str = "NASDAQ"
    fractionable: bool = True
    shortable: bool = True
    tradable: bool = True
    lot: Decimal = Decimal("1e-9")
    tick: Decimal | None = None
    half_spread: Decimal | None = None
    money_step: Decimal | None = None

    def money(self, amount: Decimal) -> Decimal:
        """An amount of the quote currency as the venue books it."""
        return amount if self.money_step is None else amount.quantize(self.money_step, ROUND_HALF_UP)

    def tick_at(self, price: Decimal) -> Decimal:
        """The distance between prices around ``price``."""
        if self.tick is not None:
            return self.tick
        return CENT if price >= 1 else CENT_FRACTION


@dataclass(frozen=True, slots=True)
class Closing:
    """The order that each fill of another one makes, over the quantity of that fill, on the other side.

    Parameters
    ----------
    type : str
        ``stop``, ``stop_limit``, ``take_profit``, ``take_profit_limit`` or ``limit``.
    stop_price, limit_price : Decimal, optional
    """

    type: str
    stop_price: Decimal | None = None
    limit_price: Decimal | None = None


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
        """Put ``new`` in the place of ``old``."""
        if self.entry is old:
            self.entry = new
        elif self.take_profit is old:
            self.take_profit = new
        else:
            self.stop_loss = new


@dataclass(slots=True, eq=False)
class Order:
    """One order. Prices in the quote currency, quantities in units of the asset, times timezone-aware.

    Either ``qty`` or ``notional`` is None. ``starts`` is when the venue begins to work on it, ``expires`` when it
    ends (None: never). ``triggered`` is set once a stop has become a market or limit order, ``rested`` once it has
    waited for a later price. ``before`` is the status that a refused replace or a lost cancel race returns to.
    After a part ``resumes`` is when the rest may fill.
    ``intent`` is what the client declared, ``open`` or ``close``; an order that closes never turns the position
    round. ``auction`` is empty, or the only auction it takes part in, ``open`` or ``close``. ``parent`` is the order
    whose fill made this one by its ``closing``. ``fee`` is in the quote currency; ``fee_in_units`` says that it is
    taken in units of the asset instead, at the price of the fill.
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
    expires: datetime | None
    order_class: str = ""
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None
    extended_hours: bool = False
    status: str = "pending_new"
    before: str = "pending_new"
    filled_qty: Decimal = ZERO
    filled_value: Decimal = ZERO
    fee: Decimal = ZERO
    hwm: Decimal | None = None
    triggered: bool = False
    rested: bool = False
    updated: datetime | None = None
    times: dict[str, datetime] = field(default_factory=dict)
    replaces: str | None = None
    replaced_by: str | None = None
    group: Group | None = field(default=None, repr=False)
    role: str = ""
    intent: str = ""
    auction: str = ""
    closing: Closing | None = None
    parent: str | None = None
    fee_in_units: bool = False
    resumes: datetime | None = None

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
    def works(self) -> bool:
        """Whether it can execute now; until a cancel is done it can, if it could before."""
        return self.status in WORKING or (self.status == "pending_cancel" and self.before in WORKING)

    @property
    def is_leg(self) -> bool:
        return self.group is not None and self.group.top is not self

    @property
    def exits(self) -> bool:
        """Whether it is the take-profit or the stop of a group."""
        return self.group is not None and self.role != "entry"

    def remaining(self, price: Decimal) -> Decimal:
        """Units still to fill; ``price`` turns what is left of a notional into units."""
        if self.qty is not None:
            return self.qty - self.filled_qty
        if self.notional is None or price <= 0:
            return ZERO
        return ((self.notional - self.filled_value) / price).quantize(self.asset.lot)

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
            distance = best * (self.trail_percent or ZERO) / 100
        self.stop_price = (best + distance if self.buy else best - distance).quantize(self.asset.tick_at(best))


@dataclass(frozen=True, slots=True)
class Execution:
    """One fill: its id, price, quantity, fee (quote currency), and the position after it."""

    id: str
    price: Decimal
    qty: Decimal
    fee: Decimal
    position: Decimal


@dataclass(frozen=True, slots=True)
class OrderEvent:
    """Something that happened to an order, told at the moment it does.

    Parameters
    ----------
    kind : str
        new, accepted, pending_new, fill, partial_fill, canceled, expired, replaced, rejected,
        order_cancel_rejected or order_replace_rejected.
    at : datetime
    order : Order
        As it is now; it goes on changing.
    execution : Execution, optional
        For fills.
    """

    kind: str
    at: datetime
    order: Order
    execution: Execution | None = None


@dataclass(slots=True)
class Release:
    """Units that a cancelled order held and that are not back yet."""

    symbol: str
    qty: Decimal
    at: datetime


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of the market, quote currency."""

    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
