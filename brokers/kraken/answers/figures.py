"""Numbers and times of Kraken's answers, read exactly or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NOTHING = Decimal(0)


def amount(raw: Mapping[str, Any], key: str) -> Decimal:
    """A number of an answer; 0 where it is missing or null.

    Raises
    ------
    ValueError
        It is there and no finite number.
    """
    value = raw.get(key)
    if value is None or value == "":
        return NOTHING
    try:
        number = Decimal(str(value))
    except ArithmeticError:
        raise ValueError(f"{key} is {value!r}, not a number") from None
    if not number.is_finite():
        raise ValueError(f"{key} is {value!r}, not a number")
    return number


def moment(value: Any) -> datetime | None:
    """Seconds since 1970 as a time, UTC; None for none or 0."""
    seconds = Decimal(str(value or 0))
    return EPOCH + timedelta(microseconds=int(seconds * 1_000_000)) if seconds else None


def seconds(time: datetime) -> str:
    """A time as Kraken reads it: seconds since 1970, with its fraction."""
    return format(time.timestamp(), ".4f")
