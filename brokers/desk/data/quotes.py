"""Quotes that may become an order, and what is wrong with the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from brokers.alpaca.errors import VenueError
from brokers.alpaca.listings import moment
from brokers.alpaca.payloads import amount

WIDEST_FRAC = Decimal("0.05")
NO_QUOTE = "no quote"


@dataclass(frozen=True, slots=True)
class Quote:
    """Bid and ask in USD; ``problem`` says why it must not become an order, empty if it may."""

    symbol: str
    bid: Decimal
    ask: Decimal
    time: datetime | None
    problem: str

    @property
    def prices(self) -> tuple[float, float]:
        return float(self.bid), float(self.ask)

    @property
    def missing(self) -> bool:
        """Whether there is none at all, rather than one that cannot be right."""
        return self.problem == NO_QUOTE


def read_quote(symbol: str, raw: Mapping[str, Any] | None, now: datetime, max_age: timedelta) -> Quote:
    """A venue's quote, judged."""
    zero = Decimal(0)
    if raw is None:
        return Quote(symbol, zero, zero, None, NO_QUOTE)
    try:
        bid, ask, time = amount(raw, "bp"), amount(raw, "ap"), moment(raw.get("t"))
    except ValueError as error:
        return Quote(symbol, zero, zero, None, f"quote is not readable: {error}")
    return Quote(symbol, bid, ask, time, _problem(bid, ask, time, now, max_age))


def unavailable(symbol: str, error: VenueError) -> Quote:
    """What stands for a quote that could not be asked for; it is none to enter on."""
    return Quote(symbol, Decimal(0), Decimal(0), None, f"quotes cannot be had: {error}")


def _problem(bid: Decimal, ask: Decimal, time: datetime | None, now: datetime, max_age: timedelta) -> str:
    if bid <= 0 or ask <= 0:
        return f"quote is one-sided: bid {bid}, ask {ask}"
    if bid > ask:
        return f"quote is crossed: bid {bid} above ask {ask}"
    if ask / bid - 1 > WIDEST_FRAC:
        return f"quote is {ask / bid - 1:.0%} wide: bid {bid}, ask {ask}"
    if time is None or time.tzinfo is None:
        return "quote has no time, or one without a zone"
    if now - time > max_age:
        return f"quote is stale: of {time.isoformat(timespec='seconds')}"
    return ""
