"""Arguments of requests as Kraken writes them: amounts, prices, times, switches, ids."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation

from brokers.rehearsal.kraken.errors import DEADLINE, TICK_SIZE, KrakenError, invalid
from brokers.rehearsal.kraken.reference.listings import LOT_DECIMALS, Pair

UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[0-9a-fA-F]{32}")
FREE_TEXT = re.compile(r"[\x21-\x7e]{1,18}")
LARGEST_EXPONENT, DIGITS = 15, 20
"""Of a number that means anything: its power of ten, and the digits of a whole one."""
SOONEST, LATEST = timedelta(milliseconds=500), timedelta(seconds=60)
"""How far ahead a deadline may lie."""


def text(given: Mapping[str, object], name: str) -> str:
    """An argument as text; empty where it is not given."""
    value = given.get(name)
    return "" if value is None else str(value)


def flag(given: Mapping[str, object], name: str) -> bool:
    """A switch: true in any case or 1."""
    return text(given, name).lower() in ("true", "1")


def amount(given: Mapping[str, object], name: str) -> Decimal | None:
    """A positive number; None where it is not given."""
    value = text(given, name)
    if not value:
        return None
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise invalid(name) from None
    if not number.is_finite() or number <= 0 or abs(number.adjusted()) > LARGEST_EXPONENT:
        raise invalid(name)
    return number


def count(given: Mapping[str, object], name: str, default: int, least: int, most: int) -> int:
    """A whole number within bounds."""
    value = text(given, name) or str(default)
    if not (value.isascii() and value.isdecimal()) or len(value) > DIGITS or not least <= int(value) <= most:
        raise invalid(name)
    return int(value)


def volume(given: Mapping[str, object], name: str = "volume") -> Decimal:
    """A quantity of at most eight decimals."""
    number = amount(given, name)
    if number is None or number != number.quantize(Decimal(1).scaleb(-LOT_DECIMALS)):
        raise invalid(name)
    return number


def price(given: Mapping[str, object], name: str, pair: Pair) -> Decimal | None:
    """A price on the pair's grid; None where it is not given, or 0."""
    if text(given, name) in ("0", "0.0"):
        return None
    number = amount(given, name)
    if number is not None:
        on_the_grid(number, pair)
    return number


def on_the_grid(number: Decimal, pair: Pair) -> None:
    """KrakenError for a price that can't be quoted."""
    if number != number.quantize(Decimal(1).scaleb(-pair.pair_decimals)):
        raise KrakenError(
            f"EOrder:Invalid price:{pair.wsname} price can only be specified up to {pair.pair_decimals} decimals."
        )
    if number % pair.tick:
        raise KrakenError(TICK_SIZE)


def moment(given: Mapping[str, object], name: str, now: datetime) -> datetime | None:
    """A time in seconds since 1970, or ``+`` so many seconds from now; None where it is not given, or 0."""
    value = text(given, name)
    if value in ("", "0"):
        return None
    try:
        seconds = float(value)
        return now + timedelta(seconds=seconds) if value[0] in "+-" else datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        raise invalid(name) from None


def check_deadline(given: Mapping[str, object], now: datetime) -> None:
    """KrakenError once it has passed, and for one that lies too near or too far ahead."""
    value = text(given, "deadline")
    if not value:
        return
    try:
        deadline = datetime.fromisoformat(value)
    except ValueError:
        raise invalid("deadline") from None
    if deadline.tzinfo is None:
        raise invalid("deadline")
    if deadline <= now:
        raise KrakenError(DEADLINE)
    if not SOONEST <= deadline - now <= LATEST:
        raise invalid("deadline")


def client_id(given: Mapping[str, object]) -> str | None:
    """The client's own id: a UUID, or up to 18 characters."""
    value = text(given, "cl_ord_id")
    if not value:
        return None
    if UUID.fullmatch(value) is None and FREE_TEXT.fullmatch(value) is None:
        raise invalid("cl_ord_id")
    return value


def user_reference(given: Mapping[str, object]) -> int | None:
    """A 32-bit number that need not be unique."""
    value = text(given, "userref")
    if not value:
        return None
    try:
        number = int(value)
    except ValueError:
        raise invalid("userref") from None
    if not -(2**31) <= number < 2**31:
        raise invalid("userref")
    return number
