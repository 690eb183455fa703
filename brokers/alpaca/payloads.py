"""Orders as Alpaca wants them on the wire: whole prices on the tick, plain decimals, as text."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from risk.model import floor_lot
from risk.policy_gate import round_to_tick

Json = dict[str, Any]
CRUMB = Decimal("1e-9")
"""The venue's smallest fraction of a share; less is the noise of adding up."""


def digits(number: Decimal | float) -> str:
    """A number in plain digits, without exponent or trailing zeros."""
    value = number if isinstance(number, Decimal) else Decimal(str(number))
    return format(value.normalize(), "f")


def whole_lots(quantity: Decimal, lot: float) -> Decimal:
    """What of a quantity is whole lots."""
    return Decimal(str(floor_lot(float(quantity), lot)))


def price_text(price: Decimal | float) -> str:
    """A price on its tick."""
    return digits(round_to_tick(float(price)))


def bracket(symbol: str, side: str, quantity: float, stop: float, target: float, limit: float | None) -> Json:
    """An entry with its exits, good till cancelled; at market without a limit."""
    return {
        **_base(symbol, side, quantity, limit, "gtc"),
        "order_class": "bracket",
        "take_profit": {"limit_price": price_text(target)},
        "stop_loss": {"stop_price": price_text(stop)},
    }


def exits(symbol: str, side: str, quantity: float, stop: float, target: float) -> Json:
    """A target and a stop for shares that are there: whichever comes first cancels the other."""
    return {
        "symbol": symbol,
        "side": side,
        "type": "limit",
        "qty": digits(quantity),
        "time_in_force": "gtc",
        "order_class": "oco",
        "take_profit": {"limit_price": price_text(target)},
        "stop_loss": {"stop_price": price_text(stop)},
    }


def single(symbol: str, side: str, quantity: float, limit: float | None, extended: bool = False) -> Json:
    """An order for the day without exits; at market without a limit."""
    payload = _base(symbol, side, quantity, limit, "day")
    return {**payload, "extended_hours": True} if extended else payload


def terms(payload: Mapping[str, Any]) -> str:
    """The prices of an order in words."""
    parts = [f"at {payload['limit_price']}" if payload.get("limit_price") else str(payload["type"])]
    if "take_profit" in payload:
        parts.append(f"target {payload['take_profit']['limit_price']}")
    if "stop_loss" in payload:
        parts.append(f"stop {payload['stop_loss']['stop_price']}")
    return ", ".join(parts)


def _base(symbol: str, side: str, quantity: float, limit: float | None, time_in_force: str) -> Json:
    payload: Json = {
        "symbol": symbol,
        "side": side,
        "type": "market" if limit is None else "limit",
        "qty": digits(quantity),
        "time_in_force": time_in_force,
    }
    return payload if limit is None else {**payload, "limit_price": price_text(limit)}


def amount(raw: Mapping[str, Any], key: str) -> Decimal:
    """A number of a venue's answer; 0 where it is missing or null.

    Raises
    ------
    ValueError
        It is there and no finite number.
    """
    value = raw.get(key)
    if value is None or value == "":
        return Decimal(0)
    try:
        number = Decimal(str(value))
    except ArithmeticError:
        raise ValueError(f"{key} is {value!r}, not a number") from None
    if not number.is_finite():
        raise ValueError(f"{key} is {value!r}, not a number")
    return number
