"""Reads the parameters of AmendOrder into the terms that an open order is to have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from brokers.rehearsal.core.model import Order
from brokers.rehearsal.kraken.errors import UNKNOWN_ORDER, KrakenError, invalid
from brokers.rehearsal.kraken.orders.arguments import price, text, volume
from brokers.rehearsal.kraken.orders.request import TRAILING, read_trail
from brokers.rehearsal.kraken.orders.terms import Terms


def read_amend(order: Order, terms: Terms, given: Mapping[str, object]) -> tuple[Order, bool]:
    """A copy of the order with the new terms, and whether it moves to another price.

    What Kraken doesn't know by name, such as ``triggerPrice``, changes nothing.

    Raises
    ------
    KrakenError
        A price that the order's type doesn't have, or that can't be quoted.
    """
    changed = replace(order)
    if text(given, "order_qty"):
        changed.qty = volume(given, "order_qty")
    pair = terms.pair
    limit = price(given, "limit_price", pair)
    if limit is not None:
        if order.limit_price is None:
            raise invalid("limit_price")
        changed.limit_price = limit
    if text(given, "trigger_price"):
        _new_trigger(changed, terms, given)
    return changed, (changed.limit_price, changed.stop_price) != (order.limit_price, order.stop_price)


def _new_trigger(changed: Order, terms: Terms, given: Mapping[str, object]) -> None:
    if changed.stop_price is None or changed.triggered:
        raise invalid("trigger_price")
    if terms.ordertype in TRAILING:
        trail = read_trail(text(given, "trigger_price"), "trigger_price", terms.pair)
        changed.trail_percent, changed.trail_price = trail.percent, trail.distance
        if changed.hwm is not None:
            changed.follow(changed.hwm)
        return
    changed.stop_price = price(given, "trigger_price", terms.pair) or changed.stop_price


def edited(terms: Terms, given: Mapping[str, object], remaining: Decimal) -> dict[str, object]:
    """The parameters of the order that takes the place of an edited one: its own, with what is given anew.

    Raises
    ------
    KrakenError
        The order makes orders of its fills, or was made by one: those can't be edited.
    """
    if terms.closing is not None or not terms.given:
        raise KrakenError(UNKNOWN_ORDER)
    kept = {name: value for name, value in terms.given.items() if name not in ("cl_ord_id", "deadline", "validate")}
    kept.pop("nonce", None)
    names = ("volume", "price", "price2", "oflags", "deadline", "validate")
    new = {name: given[name] for name in names if text(given, name)}
    return {**kept, "volume": str(remaining), **new}
