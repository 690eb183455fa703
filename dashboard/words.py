"""How figures, times and states are written on the pages; times in New York."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from config.values import counting
from config.values.counting import plain_digits
from config.values.markets import NEW_YORK_ZONE
from strategies.selection_words import code_in_words

NONE = "–"


def usd(value: float | None, digits: int = 2) -> str:
    """An amount."""
    return NONE if _none(value) else f"{value:z,.{digits}f}"


def signed(value: float | None, digits: int = 2) -> str:
    """A number with its sign."""
    return NONE if _none(value) or value is None else counting.signed(value, f",.{digits}f")


def share(value: float | None, digits: int = 1) -> str:
    """A fraction of 1 as a percentage."""
    return NONE if _none(value) else f"{value:z.{digits}%}"


def signed_share(value: float | None, digits: int = 2) -> str:
    """The same with its sign."""
    return NONE if _none(value) or value is None else counting.signed(value, f".{digits}%")


def price(value: float | None) -> str:
    """A price to the cent; below a dollar to four digits more."""
    if _none(value) or value is None:
        return NONE
    return f"{value:,.2f}" if abs(value) >= 1 else f"{value:.6g}"


def quantity(value: float | None) -> str:
    """Shares or coins."""
    return NONE if _none(value) or value is None else plain_digits(value)


def multiple(value: float | None) -> str:
    """A multiple of the risk taken."""
    return NONE if _none(value) or value is None else f"{counting.signed(value, '.2f')} R"


def moment(value: datetime | None, seconds: bool = True) -> str:
    """Date and time."""
    if value is None:
        return NONE
    return value.astimezone(NEW_YORK_ZONE).strftime("%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M")


def clock(value: datetime | None) -> str:
    """The time of the day."""
    return NONE if value is None else value.astimezone(NEW_YORK_ZONE).strftime("%H:%M:%S")


def machine(value: datetime | None) -> str:
    """A time for a ``datetime`` attribute."""
    return "" if value is None else value.astimezone(UTC).isoformat(timespec="seconds")


def age(seconds: float | None) -> str:
    """How long ago, in the largest unit that says it."""
    if seconds is None:
        return "not yet"
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{max(0.0, seconds):.0f} s ago"


def reading(value: Any) -> str:
    """An input of a verdict as it is read."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.6g}"
    if isinstance(value, dict):
        return ", ".join(f"{key} {reading(item)}" for key, item in value.items()) or NONE
    if isinstance(value, list):
        return ", ".join(reading(item) for item in value) or NONE
    return NONE if value is None else str(value)


def path(text: str) -> str:
    """A symbol as a part of an address."""
    return quote(text, safe="")


def _none(value: float | None) -> bool:
    return value is None or not math.isfinite(value)


FILTERS = {
    "usd": usd,
    "signed": signed,
    "share": share,
    "signed_share": signed_share,
    "price": price,
    "quantity": quantity,
    "multiple": multiple,
    "moment": moment,
    "clock": clock,
    "machine": machine,
    "age": age,
    "reading": reading,
    "path": path,
    "in_words": code_in_words,
}
