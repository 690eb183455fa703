"""Orders and trades as Kraken writes them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from brokers.rehearsal.core.model import ZERO, Order
from brokers.rehearsal.kraken.orders.request import LIMITS, TRAILING, Trail
from brokers.rehearsal.kraken.orders.terms import Terms, Trade
from brokers.rehearsal.kraken.reference.listings import LOT_DECIMALS, Pair

Json = dict[str, object]
NOTHING = "0.00000"
PERCENT_DECIMALS = 4
STATUS = {
    "pending_new": "pending",
    "accepted": "pending",
    "new": "open",
    "partially_filled": "open",
    "pending_cancel": "open",
    "filled": "closed",
    "canceled": "canceled",
    "expired": "expired",
}


def number(value: Decimal, decimals: int) -> str:
    """A number with so many decimals."""
    return format(value.quantize(Decimal(1).scaleb(-decimals)), "f")


def seconds(at: datetime) -> float:
    """Since 1970, with four decimals."""
    return round(at.timestamp(), 4)


def trail_text(trail: Trail, pair: Pair) -> str:
    """``+1.0000%`` or ``+250.5``."""
    if trail.percent is not None:
        return f"+{number(trail.percent, PERCENT_DECIMALS)}%"
    return f"+{number(trail.distance or ZERO, pair.pair_decimals)}"


def terms_text(ordertype: str, first: str, second: str) -> str:
    """What follows the ``@`` of a description."""
    if ordertype == "market":
        return "market"
    if ordertype in LIMITS:
        return f"limit {first}"
    name = ordertype.removesuffix("-limit").replace("-", " ")
    return f"{name} {first} -> limit {second}" if ordertype.endswith("-limit") else f"{name} {first}"


def prices_of(order: Order, terms: Terms) -> tuple[str, str]:
    """Price and second price of a description; ``0`` where there is none."""
    pair = terms.pair
    if terms.ordertype in TRAILING:
        trail = Trail(order.trail_percent, order.trail_price)
        return trail_text(trail, pair), trail_text(terms.offset, pair) if terms.offset else "0"
    if terms.ordertype == "market":
        return "0", "0"
    limit = "0" if order.limit_price is None else number(order.limit_price, pair.pair_decimals)
    if order.stop_price is None:
        return limit, "0"
    return number(order.stop_price, pair.pair_decimals), limit


def order_text(order: Order, terms: Terms) -> str:
    """Such as ``buy 0.00020000 XBTUSD @ limit 89000.0``."""
    size = number(order.qty or ZERO, LOT_DECIMALS) if terms.cost is None else number(terms.cost, LOT_DECIMALS)
    return f"{order.side} {size} {terms.pair.altname} @ {terms_text(terms.ordertype, *prices_of(order, terms))}"


def close_text(terms: Terms) -> str:
    """Such as ``close position @ stop loss 88110.0``; empty where a fill makes no order."""
    closing, decimals = terms.closing, terms.pair.pair_decimals
    if closing is None:
        return ""
    limit = "" if closing.limit_price is None else number(closing.limit_price, decimals)
    first = limit if closing.stop_price is None else number(closing.stop_price, decimals)
    return f"close position @ {terms_text(terms.close_type, first, limit)}"


def description(order: Order, terms: Terms) -> Json:
    """What AddOrder answers with."""
    told: Json = {"order": order_text(order, terms)}
    if terms.closing is not None:
        told["close"] = close_text(terms)
    return told


def order_body(order: Order, terms: Terms, with_trades: bool) -> Json:
    """An order as OpenOrders, ClosedOrders and QueryOrders tell it."""
    pair = terms.pair
    first, second = prices_of(order, terms)
    done = order.filled_value if terms.cost is not None else order.filled_qty
    triggered_limit = order.triggered and order.limit_price is not None
    trails = terms.ordertype in TRAILING and order.stop_price is not None
    body: Json = {
        "refid": order.parent,
        "userref": terms.userref,
        "cl_ord_id": terms.cl_ord_id,
        "status": STATUS[order.status],
        "opentm": seconds(order.created),
        "starttm": int(order.starts.timestamp()) if order.starts > order.created else 0,
        "expiretm": int(order.expires.timestamp()) if order.expires is not None else 0,
        "descr": {
            "pair": pair.altname,
            "aclass": "forex",
            "type": order.side,
            "ordertype": terms.ordertype,
            "price": first,
            "price2": second,
            "leverage": "none",
            "order": order_text(order, terms),
            "close": close_text(terms),
        },
        "vol": number((order.qty or ZERO) if terms.cost is None else terms.cost, LOT_DECIMALS),
        "vol_exec": number(done, LOT_DECIMALS),
        "cost": number(order.filled_value, pair.cost_decimals),
        "fee": number(order.fee, pair.cost_decimals),
        "price": number(order.filled_value / order.filled_qty, pair.pair_decimals) if order.filled_qty else NOTHING,
        "stopprice": number(order.stop_price or ZERO, pair.pair_decimals) if trails else NOTHING,
        "limitprice": number(order.limit_price or ZERO, pair.pair_decimals) if triggered_limit else NOTHING,
        "misc": _misc(order, terms),
        "oflags": ",".join(terms.flags) or "fciq",
    }
    if terms.reference:
        body["trigger"] = terms.reference
    if with_trades and terms.fills:
        body["trades"] = list(terms.fills)
    if not order.open:
        body["closetm"] = seconds(order.updated or order.created)
        body["reason"] = terms.reason
    return body


def _misc(order: Order, terms: Terms) -> str:
    if not order.triggered:
        return ""
    return "touched" if terms.ordertype.startswith("take-profit") else "stopped"


def trade_body(trade: Trade, terms: Terms) -> Json:
    """A trade as TradesHistory and QueryTrades tell it."""
    pair = terms.pair
    return {
        "ordertxid": trade.order.id,
        "postxid": f"TKH2SE-M7IF5-{trade.id[-6:]}",
        "pair": pair.key,
        "aclass": "forex",
        "time": seconds(trade.at),
        "type": trade.order.side,
        "ordertype": terms.ordertype,
        "price": number(trade.price, max(pair.pair_decimals, 5)),
        "cost": number(trade.cost, pair.cost_decimals),
        "fee": number(trade.fee, pair.cost_decimals),
        "vol": number(trade.qty, LOT_DECIMALS),
        "margin": NOTHING,
        "leverage": "0",
        "misc": "",
        "trade_id": trade.number,
        "maker": trade.maker,
    }


def page(bodies: Sequence[tuple[str, Json]], offset: int, length: int) -> Json:
    """A part of a listing, newest first."""
    return dict(bodies[offset : offset + length])
