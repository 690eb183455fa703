"""What an order that is to be sent says: its type, its prices, in words and as figures."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from brokers.journal import OrderIntent
from brokers.order_types import OrderType
from brokers.quantities import digits
from brokers.venue_requests import Bracket, OcoExits, OrderRequest, Single, StopOnly


def figures(name: str, intent: OrderIntent) -> dict[str, Any]:
    """An order's figures for programs that read the log; exact ones are texts."""
    prices = {key: getattr(intent, key) for key in ("limit_price", "stop_price", "bracket_stop", "bracket_target")}
    told = {key: None if price is None else digits(price) for key, price in prices.items()}
    return {"order": name, "role": intent.role, "side": intent.side, "quantity": digits(intent.quantity), **told}


def terms(request: OrderRequest) -> str:
    """The prices of an order in words."""
    limit, (stop, target) = limit_of(request), levels_of(request)
    if isinstance(request, StopOnly):
        return f"stop {digits(request.stop)}"
    if isinstance(request, OcoExits):
        parts = [str(OrderType.LIMIT)]
    else:
        parts = [f"at {digits(limit)}" if limit is not None else str(type_of(request))]
    parts += [] if target is None else [f"target {digits(target)}"]
    parts += [] if stop is None else [f"stop {digits(stop)}"]
    return ", ".join(parts)


def type_of(request: OrderRequest) -> str:
    """The type of an order itself, of a group that of the order that is sent."""
    match request:
        case Single():
            return request.type
        case Bracket():
            return request.entry.type
        case OcoExits():
            return OrderType.LIMIT
        case StopOnly():
            return OrderType.STOP


def limit_of(request: OrderRequest) -> Decimal | None:
    """The limit of an order itself; None at market and of a stop."""
    match request:
        case Single():
            return request.limit_price
        case Bracket():
            return request.entry.limit_price
        case OcoExits():
            return request.target
        case StopOnly():
            return None


def stop_of(request: OrderRequest) -> Decimal | None:
    """The trigger of an order itself; the legs of a group have orders of their own."""
    match request:
        case Single():
            return request.stop_price
        case Bracket():
            return request.entry.stop_price
        case StopOnly():
            return request.stop
        case OcoExits():
            return None


def levels_of(request: OrderRequest) -> tuple[Decimal | None, Decimal | None]:
    """Stop and target that an order brings with it."""
    return (request.stop, request.target) if isinstance(request, Bracket | OcoExits) else (None, None)
