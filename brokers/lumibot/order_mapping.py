"""Lumibot's orders as requests to a venue, and Alpaca's answers as Lumibot's orders."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from lumibot.entities import Asset, Order
from lumibot.tools.symbol_normalization import normalize_symbol_for_broker, normalize_symbol_for_internal

from brokers.alpaca.payloads import Json
from brokers.desk.execution.order_gateway import OrderRefused
from brokers.network.figures import amount
from brokers.order_types import OrderType, Side, TimeInForce
from brokers.venue_requests import Bracket, OcoExits, OrderRequest, Single
from risk.policy_gate import round_to_tick

# Lumibot's own table makes cancels of what is still to be replaced or cancelled, or only done for the day.
STATUSES: Mapping[str, str] = {
    "filled": "fill",
    "partially_filled": "partial_fill",
    "canceled": "canceled",
    "expired": "canceled",
    "replaced": "canceled",
    "rejected": "error",
    "pending_cancel": "cancelling",
}
ENDED = ("filled", "canceled", "expired", "replaced", "rejected")
TYPES = tuple(OrderType)
TIMES_IN_FORCE = tuple(TimeInForce)
CUSTOM = ("extended_hours", "type")
USD = Asset("USD", Asset.AssetType.FOREX)


def status_of(status: str) -> str:
    """Lumibot's status for one of Alpaca's; whatever has not ended still works."""
    return STATUSES.get(status, "new")


def request_of(order: Order, symbol: str = "") -> OrderRequest:
    """What a venue is to be asked for an order; ``symbol`` names a pair of currencies, empty a stock's is taken.

    Raises
    ------
    OrderRefused
        Lumibot can say it, but no venue here can.
    """
    wanted = Asset.AssetType.CRYPTO if symbol else Asset.AssetType.STOCK
    if order.asset is None or order.asset.asset_type != wanted:
        raise OrderRefused(f"ORDER_ASSET: only {wanted}s are traded, not {getattr(order.asset, 'asset_type', None)}")
    custom = dict(order.custom_params or {})
    if odd := sorted(set(custom) - set(CUSTOM)):
        raise OrderRefused(f"ORDER_PARAMS: {', '.join(odd)} cannot be set by an order")
    kind, order_class = str(order.order_type), str(order.order_class or "simple")
    if kind not in TYPES or order_class not in ("simple", "bracket", "oto", "oco"):
        raise OrderRefused(f"ORDER_TYPE: no {order_class} {kind} orders")
    limited = kind if order_class != "oco" else "limit"
    if custom.get("type", limited) != limited:
        raise OrderRefused(f"ORDER_TYPE: this is a {limited} order, not {custom['type']}")
    if not symbol:
        symbol = str(normalize_symbol_for_broker(order.asset.symbol, "alpaca", Asset.AssetType.STOCK))
    side, quantity, time_in_force = _side(order), _quantity(order), _time_in_force(order, custom)
    target, stop, stop_limit = (None, None, None) if order_class == "simple" else _exits(order, order_class)
    if order_class == "oco":
        assert stop is not None
        assert target is not None
        return OcoExits(symbol, side, quantity, stop, target, stop_limit, time_in_force)
    single = Single(
        symbol=symbol,
        side=side,
        quantity=quantity,
        type=OrderType(kind),
        time_in_force=time_in_force,
        extended_hours=bool(custom.get("extended_hours")),
        **_prices(order, kind),
    )
    return single if order_class == "simple" else Bracket(single, stop, target, stop_limit)


def _side(order: Order) -> Side:
    if order.is_buy_order():
        return "buy"
    if order.is_sell_order():
        return "sell"
    raise OrderRefused(f"ORDER_SIDE: {order.side} is neither a buy nor a sell")


def _quantity(order: Order) -> Decimal:
    quantity = Decimal(str(order.quantity))
    if not (quantity.is_finite() and quantity > 0):
        raise OrderRefused(f"ORDER_QUANTITY: {order.quantity} is not a positive quantity")
    return quantity


def _time_in_force(order: Order, custom: Mapping[str, Any]) -> TimeInForce:
    # Lumibot's default is gtc, which the venue refuses for these two.
    if Decimal(str(order.quantity)) % 1 or custom.get("extended_hours"):
        return TimeInForce.DAY
    wanted = str(order.time_in_force).lower()
    if wanted not in TIMES_IN_FORCE:
        raise OrderRefused(f"ORDER_TIME: {wanted} is no time in force of this venue")
    return TimeInForce(wanted)


def _prices(order: Order, kind: str) -> dict[str, Decimal]:
    wanted: dict[str, Any] = {
        "limit": {"limit_price": order.limit_price},
        "stop": {"stop_price": order.stop_price},
        "stop_limit": {"stop_price": order.stop_price, "limit_price": order.stop_limit_price},
    }.get(kind, {})
    prices = {name: _price(price, name) for name, price in wanted.items()}
    if kind == "trailing_stop":
        if order.trail_percent is not None:
            # A fraction in Lumibot's backtests, percent at the venue.
            if not 0 < float(order.trail_percent) < 1:
                raise OrderRefused(f"ORDER_PRICE: trail_percent {order.trail_percent} is not a fraction below 1")
            prices["trail_frac"] = Decimal(str(order.trail_percent))
        else:
            prices["trail_usd"] = _price(order.trail_price, "trail_price")
    return prices


def _exits(order: Order, order_class: str) -> tuple[Decimal | None, Decimal | None, Decimal | None]:
    """Target, stop and the stop's limit."""
    target = next((leg for leg in order.child_orders if str(leg.order_type) == "limit"), None)
    stop = next((leg for leg in order.child_orders if leg.is_stop_order()), None)
    trails = (order.secondary_trail_price, order.secondary_trail_percent)
    if any(trail is not None for trail in trails) or (stop is not None and str(stop.order_type) == "trailing_stop"):
        raise OrderRefused("ORDER_EXITS: a trailing stop cannot be an exit of another order")
    if order_class != "oto" and (target is None or stop is None):
        raise OrderRefused(f"ORDER_EXITS: a {order_class} order needs a target and a stop")
    limit = None if stop is None or stop.stop_limit_price is None else _price(stop.stop_limit_price, "stop_loss")
    return (
        None if target is None else _price(target.limit_price, "take_profit"),
        None if stop is None else _price(stop.stop_price, "stop_loss"),
        limit,
    )


def _price(price: Any, name: str) -> Decimal:
    if price is None or not (math.isfinite(float(price)) and float(price) > 0):
        raise OrderRefused(f"ORDER_PRICE: {name} is {price}, not a price")
    return Decimal(str(round_to_tick(float(price))))


def raw_of(response: Any) -> Json:
    """An order as plain JSON, also where alpaca-py has made a model of it."""
    if isinstance(response, Mapping):
        return dict(response)
    raw: Json = response.model_dump(mode="json")
    return raw


def rows_of(raws: Iterable[Any]) -> Iterable[tuple[Json, str | None]]:
    """Every order once, legs after the order they came in, each with the id of that order."""
    seen: set[str] = set()
    for raw in map(raw_of, raws):
        for row, parent in [(raw, None), *((dict(leg), str(raw["id"])) for leg in raw.get("legs") or ())]:
            if str(row["id"]) not in seen:
                seen.add(str(row["id"]))
                yield row, parent


def order_of(response: Any, strategy_name: str, parent: str | None = None) -> Order:
    """A venue's order as Lumibot's, always of class simple: its legs are orders of their own.

    A notional order has no quantity at the venue; it gets what was filled or, once a price is known, what
    its amount buys, else 0.
    """
    raw = raw_of(response)
    kind = str(raw.get("type") or raw.get("order_type") or "market")
    prices = {name: _read(raw, name) for name in ("limit_price", "stop_price", "trail_price", "trail_percent")}
    if prices["trail_percent"] is not None:
        prices["trail_percent"] /= 100
    limit = prices.pop("limit_price")
    order = Order(
        strategy_name,
        Asset(normalize_symbol_for_internal(str(raw["symbol"]), asset_type=Asset.AssetType.STOCK)),
        quantity_of(raw),
        side="buy" if raw.get("side") == "buy" else "sell",
        limit_price=None if kind == "stop_limit" else limit,
        stop_limit_price=limit if kind == "stop_limit" else None,
        **prices,
        time_in_force=str(raw.get("time_in_force") or "day"),
        order_class=Order.OrderClass.SIMPLE,
        order_type=kind if kind in TYPES else Order.OrderType.UNKNOWN,
        avg_fill_price=_read(raw, "filled_avg_price"),
        date_created=raw.get("created_at"),
        identifier=str(raw["id"]),
        quote=USD,
    )
    order.parent_identifier = parent
    order.broker_create_date, order.broker_update_date = raw.get("created_at"), raw.get("updated_at")
    order.status = status_of(str(raw["status"]))
    order.update_raw(raw)
    return order


def take_over(order: Order, raw: Mapping[str, Any]) -> None:
    """Give a Lumibot order the venue's id and prices."""
    order.set_identifier(str(raw["id"]))
    limit, stop = _read(raw, "limit_price"), _read(raw, "stop_price")
    if limit is not None:
        name = "stop_limit_price" if str(order.order_type) == "stop_limit" else "limit_price"
        setattr(order, name, limit)
    if stop is not None:
        order.stop_price = stop
    order.status = status_of(str(raw["status"]))
    order.update_raw(dict(raw))


def quantity_of(raw: Mapping[str, Any]) -> Decimal:
    """Shares of an order; see ``order_of`` for notional ones."""
    if raw.get("qty") not in (None, ""):
        return amount(raw, "qty")
    notional, price = amount(raw, "notional"), amount(raw, "filled_avg_price")
    return amount(raw, "filled_qty") or (notional / price if price else Decimal(0))


def told(order: Order) -> tuple[Decimal, Decimal]:
    """Shares and money of the fills that Lumibot was told of."""
    quantity = sum((Decimal(str(done.quantity)) for done in order.transactions), Decimal(0))
    value = sum((Decimal(str(d.quantity)) * Decimal(str(d.price or 0)) for d in order.transactions), Decimal(0))
    return quantity, value


def _read(raw: Mapping[str, Any], name: str) -> float | None:
    return None if raw.get(name) in (None, "") else float(amount(raw, name))
