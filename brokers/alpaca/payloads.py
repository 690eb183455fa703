"""Orders as Alpaca wants them on the wire: prices on the tick, plain decimals, as text."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from brokers.order_types import OrderType, TimeInForce
from brokers.quantities import digits
from brokers.venue_requests import Bracket, OcoExits, OrderChange, OrderRequest, Single, StopOnly
from risk.policy_gate import round_to_tick

Json = dict[str, Any]
HUNDRED = Decimal(100)


def price_text(price: Decimal | float) -> str:
    """A price on its tick."""
    return digits(round_to_tick(float(price)))


def payload_of(request: OrderRequest) -> Json:
    """The body of a new order, without a client order id."""
    match request:
        case Single():
            return _single(request)
        case Bracket():
            both = request.stop is not None and request.target is not None
            exits = _exits(request.stop, request.target, request.stop_limit)
            return {**_single(request.entry), "order_class": "bracket" if both else "oto", **exits}
        case OcoExits():
            # Alpaca's parent of such a pair is its target.
            pair = _base(request.symbol, request.side, request.quantity, OrderType.LIMIT, request.time_in_force)
            return {**pair, "order_class": "oco", **_exits(request.stop, request.target, request.stop_limit)}
        case StopOnly():
            stop = _base(request.symbol, request.side, request.quantity, OrderType.STOP, TimeInForce.GTC)
            return {**stop, "stop_price": price_text(request.stop)}


def patch_of(change: OrderChange) -> Json:
    """The body of a replacement, without a client order id."""
    prices = _prices(limit_price=change.limit_price, stop_price=change.stop_price)
    return prices if change.quantity is None else {**prices, "qty": digits(change.quantity)}


def _single(request: Single) -> Json:
    payload = _base(request.symbol, request.side, request.quantity, request.type, request.time_in_force)
    payload |= _prices(limit_price=request.limit_price, stop_price=request.stop_price, trail_price=request.trail_usd)
    if request.trail_frac is not None:
        payload["trail_percent"] = digits(request.trail_frac * HUNDRED)
    return {**payload, "extended_hours": True} if request.extended_hours else payload


def _base(symbol: str, side: str, quantity: Decimal, kind: OrderType, time_in_force: TimeInForce) -> Json:
    return {
        "symbol": symbol,
        "side": side,
        "type": str(kind),
        "qty": digits(quantity),
        "time_in_force": str(time_in_force),
    }


def _exits(stop: Decimal | None, target: Decimal | None, stop_limit: Decimal | None) -> Json:
    exits: Json = {}
    if target is not None:
        exits["take_profit"] = _prices(limit_price=target)
    if stop is not None:
        exits["stop_loss"] = _prices(stop_price=stop, limit_price=stop_limit)
    return exits


def _prices(**prices: Decimal | None) -> Json:
    return {name: price_text(price) for name, price in prices.items() if price is not None}
