"""A working order of the backtest: Lumibot's object, the matching engine's ticket and its record, tied together."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from lumibot.entities import Order

from brokers.backtest.fills import NEVER, Kind, Ticket
from brokers.record import OrderRecord
from risk.model import Proposal
from risk.policy_gate import SMALLEST_QUOTED, tick_of

GTC_DAYS = 90  # The venue cancels good-till-cancelled orders after this many days.
VENUE_GAP = 0.01  # Exits must lie at least this far from the market when an order is accepted (USD).


def venue_gap(quote: float) -> float:
    """How far from the market exits must lie, USD; of prices that no venue quotes, one step of theirs."""
    return VENUE_GAP if quote >= SMALLEST_QUOTED else tick_of(quote)


_KINDS = {
    Order.OrderType.MARKET: Kind.MARKET,
    Order.OrderType.LIMIT: Kind.LIMIT,
    Order.OrderType.STOP: Kind.STOP,
    Order.OrderType.STOP_LIMIT: Kind.STOP_LIMIT,
    Order.OrderType.TRAIL: Kind.TRAIL,
}
_OPENING = {Order.OrderSide.BUY, Order.OrderSide.BUY_TO_OPEN, Order.OrderSide.SELL_SHORT, Order.OrderSide.SELL_TO_OPEN}
_numbers = itertools.count()


@dataclass(slots=True, eq=False)
class WorkingOrder:
    """``number`` orders by time of arrival; ``legs`` wait for this order's fill; ``sibling`` dies when it fills.

    ``notional`` is what an opening order counts for in its day, USD.
    """

    order: Order
    ticket: Ticket
    symbol: str
    quantity: float
    opens: bool
    exit: bool
    day: bool
    record: OrderRecord
    intent: Proposal | None = None
    legs: list[WorkingOrder] = field(default_factory=list)
    sibling: WorkingOrder | None = None
    refusal: str = ""
    notional: float = 0
    column: int = -1
    session: int = -1
    expires: datetime | None = None
    filled: bool = False
    number: int = field(default_factory=lambda: next(_numbers))

    def family(self) -> Iterator[WorkingOrder]:
        yield self
        yield from self.legs

    def may_trade(self, highs: list[float], lows: list[float]) -> bool:
        """Whether this bar can touch the order at all; a quick no saves the exact look."""
        ticket, k = self.ticket, self.column
        if ticket.kind is Kind.STOP:
            return highs[k] >= ticket.stop if ticket.buy else lows[k] <= ticket.stop
        if ticket.kind is Kind.LIMIT:
            return lows[k] <= ticket.limit if ticket.buy else highs[k] >= ticket.limit
        return k >= 0 and lows[k] == lows[k]

    def raw_price(self) -> float:
        """The price that triggered a fill inside a bar, before slippage."""
        ticket = self.ticket
        if ticket.kind is Kind.LIMIT or ticket.kind is Kind.STOP_LIMIT:
            return ticket.limit
        if ticket.kind is Kind.TRAIL:
            distance = ticket.trail if math.isnan(ticket.trail_frac) else ticket.mark * ticket.trail_frac
            return ticket.mark + distance if ticket.buy else ticket.mark - distance
        return ticket.stop

    def levels(self) -> tuple[float, float]:
        """Stop and target among the legs; NaN where there is none."""
        stop = next((leg.ticket.stop for leg in self.legs if leg.ticket.kind >= Kind.STOP), math.nan)
        target = next((leg.ticket.limit for leg in self.legs if leg.ticket.kind is Kind.LIMIT), math.nan)
        return stop, target

    def venue_refusal(self, quote: float) -> str | None:
        """What the venue says to exits on the wrong side of the market; None if it accepts them."""
        stop, target = self.levels()
        buy = self.ticket.buy if self.legs and not self.exit else not self.ticket.buy
        if self.ticket.kind is not Kind.MARKET and not self.exit:
            quote = self.ticket.limit if not math.isnan(self.ticket.limit) else self.ticket.stop
        sign = 1 if buy else -1
        gap = venue_gap(quote)
        if sign * (quote - stop) < gap:
            return f"VENUE_STOP: stop {stop} is not below {quote} by {gap}" if buy else f"VENUE_STOP: stop {stop}"
        if sign * (target - quote) < gap:
            return f"VENUE_TARGET: target {target} is not beyond {quote} by {gap}"
        return None

    def resize(self, quantity: float) -> None:
        self.quantity = quantity
        self.order.quantity = quantity
        self.record.quantity = quantity

    def reprice(self, limit: float | None, stop: float | None) -> None:
        if limit is not None:
            self.ticket.limit = self.record.limit_price = self.order.limit_price = limit
        if stop is not None:
            self.ticket.stop = self.record.stop_price = self.order.stop_price = stop


def build_working_order(
    order: Order, role: str, intent: Proposal | None, reason: str, now: datetime, held: float
) -> WorkingOrder:
    """Read a Lumibot order (and its exits) into working form; ``refusal`` says what can't be simulated."""
    buy = order.is_buy_order()
    oco = order.order_class is Order.OrderClass.OCO
    closes = oco or order.side not in _OPENING or (buy and held < 0)
    parent = _one(order, buy, role or ("close" if closes else "entry"), now, "", closes, reason)
    parent.intent = intent
    parent.refusal = parent.refusal or _unsupported(order)
    # As at the venue, the exits of an order live as long as it may: a day bracket leaves nothing overnight.
    parent.day = str(order.time_in_force).lower() != "gtc"
    for number, child in enumerate(order.child_orders or []):
        kind = _KINDS.get(child.order_type)
        leg_role = "target" if kind is Kind.LIMIT else "stop"
        child.identifier = f"{order.identifier}-{leg_role}{number}"
        child.parent_identifier = order.identifier
        leg = _one(child, child.is_buy_order(), leg_role, now, order.identifier, True, "")
        leg.quantity = leg.record.quantity = float(order.quantity)
        leg.day = parent.day
        parent.refusal = parent.refusal or leg.refusal
        parent.legs.append(leg)
    if len(parent.legs) == 2:
        first, second = parent.legs
        first.sibling, second.sibling = second, first
    return parent


def _one(order: Order, buy: bool, role: str, now: datetime, parent: str, exit_: bool, reason: str) -> WorkingOrder:
    kind = _KINDS.get(order.order_type)
    quantity = float(order.quantity)
    refusal = "" if kind is not None else f"VENUE_TYPE: {order.order_type} orders are not simulated"
    ticket = Ticket(
        kind=Kind.MARKET if kind is None else kind,
        buy=buy,
        limit=_number(order.stop_limit_price if kind is Kind.STOP_LIMIT else order.limit_price),
        stop=_number(order.stop_price),
        trail=_number(order.trail_price),
        trail_frac=_number(order.trail_percent),
    )
    record = OrderRecord(
        time=now,
        client_order_id=order.identifier,
        parent_id=parent,
        symbol=order.asset.symbol,
        side="buy" if buy else "sell",
        quantity=int(quantity) if quantity.is_integer() else quantity,
        type=ticket.kind.name.lower(),
        limit_price=None if math.isnan(ticket.limit) else ticket.limit,
        stop_price=None if math.isnan(ticket.stop) else ticket.stop,
        role=role,
        reason=reason,
    )
    return WorkingOrder(order, ticket, order.asset.symbol, quantity, not exit_, exit_, False, record, refusal=refusal)


def _number(value: float | None) -> float:
    return NEVER if value is None else float(value)


def _unsupported(order: Order) -> str:
    if order.order_class is Order.OrderClass.MULTILEG:
        return "VENUE_CLASS: multi-leg orders are not simulated"
    if str(order.asset.asset_type) not in ("stock", "crypto"):
        return f"VENUE_ASSET: {order.asset.asset_type} is not simulated"
    return ""
