"""The orders that a desk sends, from plain numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

from brokers.order_types import OrderType, Side, TimeInForce
from brokers.quantities import exact, nearest
from brokers.venue_requests import Bracket, OcoExits, OrderChange, OrderRequest, Single, StopOnly

Number = Decimal | float


def single(
    symbol: str,
    side: Side,
    quantity: Number,
    limit: float | None,
    extended: bool = False,
    time_in_force: TimeInForce = TimeInForce.DAY,
) -> Single:
    """An order without exits; at market without a limit."""
    return Single(
        symbol=symbol,
        side=side,
        quantity=_quantity(quantity),
        type=OrderType.MARKET if limit is None else OrderType.LIMIT,
        limit_price=None if limit is None else exact(limit),
        time_in_force=time_in_force,
        extended_hours=extended,
    )


def bracket(symbol: str, side: Side, quantity: Number, stop: float, target: float, limit: float | None) -> Bracket:
    """An entry with its exits, good till cancelled; at market without a limit."""
    entry = single(symbol, side, quantity, limit, time_in_force=TimeInForce.GTC)
    return Bracket(entry, exact(stop), exact(target))


def entry_behind_stop(entry: Single, stop: float) -> Bracket:
    """An entry of which each part that fills gets a stop from the venue at once."""
    return Bracket(entry, exact(stop), None)


def exits(symbol: str, side: Side, quantity: Number, stop: float, target: float) -> OcoExits:
    """A target and a stop for shares that are there: whichever comes first cancels the other."""
    return OcoExits(symbol, side, _quantity(quantity), exact(stop), exact(target))


def stop_only(symbol: str, side: Side, quantity: Number, stop: float) -> StopOnly:
    """A stop by itself."""
    return StopOnly(symbol, side, _quantity(quantity), exact(stop))


def on_grid(request: OrderRequest, tick: Callable[[float], float]) -> OrderRequest:
    """The same order with its prices on the venue's grid, each at the nearest."""

    def rounded(price: Decimal | None) -> Decimal | None:
        return None if price is None else on_tick(price, tick)

    match request:
        case Single():
            return replace(
                request,
                limit_price=rounded(request.limit_price),
                stop_price=rounded(request.stop_price),
                trail_usd=rounded(request.trail_usd),
            )
        case Bracket():
            entry = on_grid(request.entry, tick)
            assert isinstance(entry, Single)
            return Bracket(entry, rounded(request.stop), rounded(request.target), rounded(request.stop_limit))
        case OcoExits():
            return replace(
                request,
                stop=on_tick(request.stop, tick),
                target=on_tick(request.target, tick),
                stop_limit=rounded(request.stop_limit),
            )
        case StopOnly():
            return replace(request, stop=on_tick(request.stop, tick))


def on_tick(price: Decimal | float, tick: Callable[[float], float]) -> Decimal:
    """The nearest price on the venue's grid."""
    return exact(nearest(float(price), tick(float(price))))


def changed(change: OrderChange, tick: Callable[[float], float]) -> OrderChange:
    """The same change with its prices on the venue's grid."""
    limit, stop = (None if p is None else on_tick(p, tick) for p in (change.limit_price, change.stop_price))
    return OrderChange(limit, stop)


def _quantity(number: Number) -> Decimal:
    return number if isinstance(number, Decimal) else Decimal(str(number))
