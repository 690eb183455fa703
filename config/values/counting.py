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


def counted(number: int, one: str, more: str = "") -> str:
    """A number with its noun: ``1 symbol``, ``2 symbols``."""
    return f"{number:,d} {one if number == 1 else more or one + 's'}"
