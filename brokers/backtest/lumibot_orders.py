"""Lumibot's orders of a backtest: made for the desk, and read into working form for the matching."""

from __future__ import annotations

import math
from datetime import datetime

from lumibot.entities import Asset, Order

from brokers.backtest.fills import NEVER, Kind, Ticket
from brokers.backtest.working_orders import WorkingOrder
from brokers.record import OrderRecord
from risk.model import Proposal, Side

_KINDS = {
    Order.OrderType.MARKET: Kind.MARKET,
    Order.OrderType.LIMIT: Kind.LIMIT,
    Order.OrderType.STOP: Kind.STOP,
    Order.OrderType.STOP_LIMIT: Kind.STOP_LIMIT,
    Order.OrderType.TRAIL: Kind.TRAIL,
}
_OPENING = {Order.OrderSide.BUY, Order.OrderSide.BUY_TO_OPEN, Order.OrderSide.SELL_SHORT, Order.OrderSide.SELL_TO_OPEN}


class LumibotOrders:
    """Makes the orders that the desk sends; ``name`` is the strategy's, which Lumibot finds it by."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._assets: dict[str, Asset] = {}

    def closing(self, symbol: str, quantity: float, long: bool) -> Order:
        """A market order for the day that reduces a long or a short position."""
        side = Order.OrderSide.SELL if long else Order.OrderSide.BUY_TO_COVER
        return Order(self._name, self._asset(symbol), quantity, side, time_in_force="day")

    def bracket(
        self, symbol: str, side: Side, quantity: float, stop: float, target: float, limit: float | None = None
    ) -> Order:
        """An entry with a stop and a target that live until they are cancelled; at market without a limit; USD."""
        return Order(
            self._name,
            self._asset(symbol),
            quantity,
            Order.OrderSide.BUY if side == "buy" else Order.OrderSide.SELL_SHORT,
            limit_price=limit,
            order_class=Order.OrderClass.BRACKET,
            secondary_stop_price=stop,
            secondary_limit_price=target,
            time_in_force="gtc",
        )

    def _asset(self, symbol: str) -> Asset:
        asset = self._assets.get(symbol)
        if asset is None:
            asset = self._assets[symbol] = Asset(symbol)
        return asset


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
        first.sibling, second.sibling = second.number, first.number
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
    # Coins too are ordered by their symbol: Lumibot takes no cash for a crypto asset, so that its shares would be free.
    if str(order.asset.asset_type) != "stock":
        return f"VENUE_ASSET: {order.asset.asset_type} assets are not simulated; order by the symbol alone"
    return ""
