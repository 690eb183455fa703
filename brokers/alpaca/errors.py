"""Alpaca's refusals: HTTP status and code, and what of them means something to the desk."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from brokers.order_types import VenueReason
from brokers.venue_errors import KeysRefused, VenueRefusal

DUPLICATE_ID = 40010001
NOT_FOUND = 404


class AlpacaRefusal(VenueRefusal):
    """A definite no.

    Parameters
    ----------
    status : int
        HTTP status, 0 where the request was held back on this side.
    code : int or None
        Alpaca's own code, e.g. 40310000.
    message : str
    body : mapping
        The answer as it came; ``base_price`` in it is the price that the order was measured against.
    """

    def __init__(self, status: int, code: int | None, message: str, body: Mapping[str, Any] | None = None) -> None:
        self.body = dict(body or {})
        price = _price(self.body.get("base_price"))
        super().__init__(message, _reason(status, code, message, self.body), price)
        self.args = (f"{status} {message}",)
        self.status = status
        self.code = code


class BadKeys(AlpacaRefusal, KeysRefused):
    """Alpaca doesn't know the keys, or they have expired."""


def _reason(status: int, code: int | None, message: str, body: Mapping[str, Any]) -> VenueReason:
    if code == DUPLICATE_ID:
        return VenueReason.DUPLICATE_ID
    if status == NOT_FOUND:
        return VenueReason.NOT_FOUND
    if "held_for_orders" in body or "insufficient qty" in message:
        return VenueReason.SHARES_HELD
    return VenueReason.PRICE_PASSED if "base_price" in body else VenueReason.OTHER


def _price(told: Any) -> Decimal | None:
    try:
        price = Decimal(str(told))
    except ArithmeticError:
        return None
    return price if price.is_finite() else None
