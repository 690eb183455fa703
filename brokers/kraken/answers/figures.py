"""Times of Kraken's answers and requests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from brokers.network.figures import dated, figure

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(value: Any) -> datetime | None:
    """Seconds since 1970 as a time, UTC; None for none or 0.

    Raises
    ------
    ValueError
        They are no number, or in no year that an account has seen.
    """
    seconds = figure(value or 0, "a time")
    if not seconds:
        return None
    try:
        return dated(EPOCH + timedelta(microseconds=int(seconds * 1_000_000)))
    except OverflowError:
        raise ValueError(f"{value!r} is in no year that an account has seen") from None


def seconds(time: datetime) -> str:
    """A time as Kraken reads it: seconds since 1970, with its fraction."""
    return format(time.timestamp(), ".4f")
