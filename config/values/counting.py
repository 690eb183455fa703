"""Numbers with their nouns."""

from __future__ import annotations

from decimal import Decimal

COINS = "coins"


def unit_of(symbol: str, number: Decimal | float | None = None) -> str:
    """What a symbol is held in, in words: a pair of currencies in coins, anything else in shares; ``number`` of it."""
    unit = COINS if "/" in symbol else "shares"
    return unit[:-1] if number == 1 else unit


def share_count(number: float) -> str:
    """A number of shares, where it is not known what a symbol is held in."""
    return f"{number:g} share{'' if number == 1 else 's'}"


def plain_digits(quantity: float) -> str:
    """A quantity in plain digits, with thousands apart, to the finest lot of any venue: no exponent, no noise."""
    return f"{quantity:z,.9f}".rstrip("0").rstrip(".")


def zero_unsigned(text: str) -> str:
    """A number as it was written, without its sign where it was rounded to zero: nothing was won or lost then."""
    return text.lstrip("+-") if "0" in text and not any(digit in text for digit in "123456789") else text


def signed(value: float, form: str) -> str:
    """A result with its sign, ``form`` being the rest of the format; zero has none: ``+1.20%``, ``0.00%``."""
    return zero_unsigned(f"{value:+{form}}")


def counted(number: int, one: str, more: str = "") -> str:
    """A number with its noun: ``1 symbol``, ``2 symbols``."""
    return f"{number:,d} {one if number == 1 else more or one + 's'}"
