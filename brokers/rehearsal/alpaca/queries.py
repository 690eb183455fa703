"""Reads query parameters as Alpaca's clients send them; what can't be read is refused as the venue does."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime

from brokers.rehearsal.alpaca.errors import unprocessable

Query = Mapping[str, str]
EARLIEST, LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def choose(query: Query, name: str, allowed: tuple[str, ...], default: str) -> str:
    """One of ``allowed``; ``default`` where it is missing."""
    text = query.get(name) or default
    if text not in allowed:
        raise unprocessable(f"invalid {name}: {text}; it is one of {', '.join(allowed)}")
    return text


def flag(query: Query, name: str) -> bool:
    """A boolean, false where it is missing."""
    text = query.get(name, "").lower()
    if text not in ("", "true", "false", "1", "0"):
        raise unprocessable(f"invalid {name}")
    return text in ("true", "1")


def whole(query: Query, name: str) -> int | None:
    """An integer, None where it is missing."""
    if not query.get(name):
        return None
    try:
        return int(query[name])
    except ValueError:
        raise unprocessable(f"invalid {name}") from None


def moment(query: Query, name: str) -> datetime | None:
    """RFC 3339 or a date, UTC unless it says otherwise; None where it is missing."""
    if not query.get(name):
        return None
    try:
        read = datetime.fromisoformat(query[name].replace(" ", "+"))
    except ValueError:
        raise unprocessable(f"invalid {name}") from None
    if not EARLIEST.year <= read.year <= LATEST.year:
        # As good as for ever, and near enough to count with.
        return EARLIEST if read.year < EARLIEST.year else LATEST
    return read if read.tzinfo is not None else read.replace(tzinfo=UTC)


def day(query: Query, name: str) -> date | None:
    """The date of a date or time; None where it is missing."""
    read = moment(query, name)
    return None if read is None else read.date()


def names(query: Query, name: str, allowed: tuple[str, ...] = ()) -> list[str]:
    """A list separated by commas, of ``allowed`` only where that is given."""
    found = [part.strip() for part in query.get(name, "").split(",") if part.strip()]
    for part in found:
        if allowed and part not in allowed:
            raise unprocessable(f"invalid {name}: {part}; it is one of {', '.join(allowed)}")
    return found
