"""Orders as AddOrder and AmendOrder want them: form fields, prices on the tick in the safe direction.

ccxt would round a stop to the nearest price and send a closing order's price as it is, which Kraken refuses.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, Decimal

from brokers.kraken.answers.pairs import Pair
from brokers.order_types import OrderType, Side, TimeInForce, VenueReason
from brokers.quantities import digits
from brokers.venue_errors import VenueRefusal
from brokers.venue_requests import Bracket, OcoExits, OrderChange, OrderRequest, Single, StopOnly

Fields = dict[str, str]
TYPES = {
    OrderType.MARKET: "market",
    OrderType.LIMIT: "limit",
    OrderType.STOP: "stop-loss",
    OrderType.STOP_LIMIT: "stop-loss-limit",
}
TIMES = {TimeInForce.IMMEDIATE: "IOC", TimeInForce.ALL_OR_NONE: "FOK"}
FEE_IN_QUOTE = "fciq"
"""A fee in coins would leave fewer than the stop is for."""


def fields_of(request: OrderRequest, pair: Pair, cl_ord_id: str) -> Fields:
    """The form fields of a new order.

    Raises
    ------
    VenueRefusal
        Kraken has no such order, or it is below the pair's minimum.
    """
    match request:
        case Single():
            return _single(request, pair, cl_ord_id)
        case Bracket():
            return _with_close(request, pair, cl_ord_id)
        case StopOnly():
            stop = price_text(request.stop, pair, stop_rounding(request.side))
            base = _base(pair, request.side, request.quantity, request.stop, TYPES[OrderType.STOP], cl_ord_id)
            return {**base, "price": stop, "trigger": "last"}
        case OcoExits():
            raise VenueRefusal("Kraken has no pair of a stop and a target on its spot market")


def amended(change: OrderChange, pair: Pair, side: Side, txid: str) -> Fields:
    """The form fields of an amendment."""
    fields = {"txid": txid}
    if change.quantity is not None:
        fields["order_qty"] = volume_text(change.quantity, pair)
    if change.stop_price is not None:
        fields["trigger_price"] = price_text(change.stop_price, pair, stop_rounding(side))
    if change.limit_price is not None:
        fields["limit_price"] = price_text(change.limit_price, pair, limit_rounding(side))
    return fields


def price_text(price: Decimal, pair: Pair, rounding: str) -> str:
    """A price on the pair's tick, in plain digits."""
    return digits((price / pair.tick).to_integral_value(rounding=rounding) * pair.tick)


def volume_text(quantity: Decimal, pair: Pair) -> str:
    """A quantity in whole lots of the pair, never more than was asked for, in plain digits."""
    return digits((quantity / pair.lot).to_integral_value(rounding=ROUND_DOWN) * pair.lot)


def stop_rounding(side: Side) -> str:
    """Towards the market, so that no more is at risk than was sized for: a sale's stop up, a purchase's down."""
    return ROUND_CEILING if side == "sell" else ROUND_FLOOR


def limit_rounding(side: Side) -> str:
    """Away from paying more or getting less than was allowed."""
    return ROUND_FLOOR if side == "buy" else ROUND_CEILING


def _single(request: Single, pair: Pair, cl_ord_id: str) -> Fields:
    if request.type not in TYPES:
        raise VenueRefusal(f"no {request.type} orders at Kraken from here")
    named = request.limit_price or request.stop_price or Decimal(0)
    fields = _base(pair, request.side, request.quantity, named, TYPES[request.type], cl_ord_id)
    if request.stop_price is not None:
        fields |= {"price": price_text(request.stop_price, pair, stop_rounding(request.side)), "trigger": "last"}
    if request.limit_price is not None:
        name = "price2" if request.type is OrderType.STOP_LIMIT else "price"
        fields[name] = price_text(request.limit_price, pair, limit_rounding(request.side))
    if request.time_in_force in TIMES:
        fields["timeinforce"] = TIMES[request.time_in_force]
    return fields


def _with_close(request: Bracket, pair: Pair, cl_ord_id: str) -> Fields:
    if request.stop is None or request.target is not None or request.stop_limit is not None:
        raise VenueRefusal("an entry at Kraken takes one closing order, which is a stop at market")
    exit_side: Side = "sell" if request.side == "buy" else "buy"
    stop = price_text(request.stop, pair, stop_rounding(exit_side))
    closing = {"close[ordertype]": TYPES[OrderType.STOP], "close[price]": stop}
    return {**_single(request.entry, pair, cl_ord_id), **closing}


def _base(pair: Pair, side: Side, quantity: Decimal, price: Decimal, kind: str, cl_ord_id: str) -> Fields:
    volume = volume_text(quantity, pair)
    if Decimal(volume) < (least := pair.least(price)):
        below = f"{volume} {pair.base} is below Kraken's minimum of {digits(least)}"
        raise VenueRefusal(below, VenueReason.LASTING)
    return {
        "pair": pair.key,
        "type": side,
        "ordertype": kind,
        "volume": volume,
        "cl_ord_id": cl_ord_id,
        "oflags": FEE_IN_QUOTE,
    }
