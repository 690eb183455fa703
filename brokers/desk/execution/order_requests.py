"""The orders that a desk sends, from plain numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

from brokers.order_types import OrderType, Side, TimeInForce
from brokers.quantities import down, exact, nearest, plain, up
from brokers.venue_requests import Bracket, OcoExits, OrderRequest, Single, StopOnly

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
    """The same order with its prices on the venue's grid: stops towards the market, limits at the nearest."""
    leaving: Side = request.side if isinstance(request, OcoExits | StopOnly) else _opposite(request.side)

    def rounded(price: Decimal | None) -> Decimal | None:
        return None if price is None else on_tick(price, tick)

    match request:
        case Single():
            return replace(
                request,
                limit_price=rounded(request.limit_price),
                stop_price=None if request.stop_price is None else stop_on_tick(request.stop_price, request.side, tick),
                trail_usd=rounded(request.trail_usd),
            )
        case Bracket():
            entry = on_grid(request.entry, tick)
            assert isinstance(entry, Single)
            stop = None if request.stop is None else stop_on_tick(request.stop, leaving, tick)
            return Bracket(entry, stop, rounded(request.target), rounded(request.stop_limit))
        case OcoExits():
            return replace(
                request,
                stop=stop_on_tick(request.stop, leaving, tick),
                target=on_tick(request.target, tick),
                stop_limit=rounded(request.stop_limit),
            )
        case StopOnly():
            return replace(request, stop=stop_on_tick(request.stop, leaving, tick))


def on_tick(price: Decimal | float, tick: Callable[[float], float]) -> Decimal:
    """The nearest price on the venue's grid."""
    return exact(nearest(float(price), tick(float(price))))


def stop_on_tick(price: Decimal | float, side: Side, tick: Callable[[float], float]) -> Decimal:
    """A stop on the venue's grid, never farther from the market than decided: a sale's up, a purchase's down.

    So no more is lost at it than was sized for; it triggers at most a tick early.
    """
    towards = up if side == "sell" else down
    return exact(towards(float(price), tick(float(price))))


def _opposite(side: Side) -> Side:
    return "sell" if side == "buy" else "buy"


def _quantity(number: Number) -> Decimal:
    return number if isinstance(number, Decimal) else plain(number)
