"""Numbers and times of a venue's answers, read exactly or not at all.

A number may be well written and still none that a market has: 1e30 of equity sizes orders, and a zero with a million
places fills the memory when it is printed. What is beyond these bounds counts as unreadable.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

MOST = Decimal(10) ** 15
"""Of a price, a quantity or an amount of money; the account of a private person is a millionth of it."""
MOST_PLACES = 30
"""Decimal places of a figure; venues tell up to 18."""
LONGEST = 64
"""Characters of a figure."""
FIRST_YEAR, LAST_YEAR = 1990, 2100
NOTHING = Decimal(0)


def figure(value: Any, name: str) -> Decimal:
    """A number as the venue wrote it.

    Raises
    ------
    ValueError
        It is no finite number, or none that a market has.
    """
    text = str(value)
    shown = repr(value if len(text) <= LONGEST else f"{text[:LONGEST]}…")
    try:
        number = Decimal(text) if len(text) <= LONGEST else None
    except ArithmeticError:
        number = None
    if number is None or not number.is_finite():
        raise ValueError(f"{name} is {shown}, not a number")
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int) or abs(exponent) > MOST_PLACES or abs(number) >= MOST:
        raise ValueError(f"{name} is {shown}, a number that no market has")
    return number


def amount(raw: Mapping[str, Any], key: str) -> Decimal:
    """A number of a venue's answer; 0 where it is missing or null.

    Raises
    ------
    ValueError
        It is there and no number that a market has.
    """
    value = raw.get(key)
    return NOTHING if value is None or value == "" else figure(value, key)


def required(raw: Mapping[str, Any], key: str) -> Decimal:
    """A number that a venue's answer always has.

    Raises
    ------
    ValueError
        It is missing, or no number that a market has.
    """
    if raw.get(key) in (None, ""):
        raise ValueError(f"it has no {key}")
    return figure(raw[key], key)


def dated(moment: datetime) -> datetime:
    """A time of the venue's, if it has a zone and lies in years that an account can have seen.

    Raises
    ------
    ValueError
    """
    if moment.tzinfo is None:
        raise ValueError(f"{moment} has no time zone")
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise ValueError(f"{moment} is in no year that an account has seen")
    return moment
