"""Quantities in whole lots and prices on their tick, and both in plain digits."""

from __future__ import annotations

import math
from decimal import Decimal
from functools import lru_cache

NOTHING = Decimal(0)
LOT_DIGITS = 9
"""Of the finest lot of any venue, after the point."""
DUST_USD, MATTERS_USD = Decimal(1), Decimal(10)
"""What is worth less than the first is dust; what is worth the second is none, whatever the venue's least quantity."""
SLACK = 1e-6
"""Of a tick: a price that should be on the grid may come out a hair off it."""


def digits(number: Decimal | float) -> str:
    """A number in plain digits, without exponent or trailing zeros."""
    value = number if isinstance(number, Decimal) else Decimal(str(number))
    return format(value.normalize(), "f")


def plain(quantity: float) -> Decimal:
    """A quantity to the finest lot of any venue, without the noise of binary numbers."""
    return Decimal(str(round(quantity, LOT_DIGITS)))


def whole_lots(quantity: Decimal, lot: float) -> Decimal:
    """What of a quantity is whole lots; never more than the quantity, and 0 where it is negative."""
    if not quantity.is_finite() or quantity <= 0:
        return NOTHING
    step = _step(lot)
    return Decimal(digits(quantity // step * step))


def nearest(price: float, tick: float) -> float:
    """The price on the grid that lies nearest."""
    decimals = _decimals(tick)
    if tick == 10.0**-decimals:
        return round(price, decimals)
    return round(round(price / tick) * tick, decimals)


def up(price: float, tick: float) -> float:
    """The first price on the grid at or above a price."""
    return round(math.ceil(price / tick - SLACK) * tick, _decimals(tick))


def down(price: float, tick: float) -> float:
    """The last price on the grid at or below a price."""
    return round(math.floor(price / tick + SLACK) * tick, _decimals(tick))


def exact(price: float) -> Decimal:
    """A price that is on its grid, without the noise of binary numbers."""
    return Decimal(str(price))


@lru_cache(maxsize=64)
def _step(lot: float) -> Decimal:
    return Decimal(repr(float(lot)))


@lru_cache(maxsize=64)
def _decimals(tick: float) -> int:
    exponent = Decimal(str(tick)).normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0
