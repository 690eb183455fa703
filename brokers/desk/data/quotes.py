"""Quotes that may become an order, and what is wrong with the others."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from brokers.venue_errors import NotSent, VenueError
from brokers.venue_values import VenueQuote

WIDEST_FRAC = Decimal("0.05")
NOTHING = Decimal(0)


class QuoteFault(StrEnum):
    """Why a quote must not become an order."""

    NONE = ""
    MISSING = "no quote"
    UNREADABLE = "unreadable"
    UNAVAILABLE = "unavailable"
    NOT_ASKED = "not asked for"
    ONE_SIDED = "one-sided"
    CROSSED = "crossed"
    WIDE = "wide"
    UNDATED = "undated"
    STALE = "stale"
    AHEAD = "ahead"


@dataclass(frozen=True, slots=True)
class Quote:
    """Bid and ask in USD; ``problem`` says in words what ``fault`` is, empty if it may become an order."""

    symbol: str
    bid: Decimal
    ask: Decimal
    time: datetime | None
    fault: QuoteFault = QuoteFault.NONE
    problem: str = ""

    @property
    def prices(self) -> tuple[float, float]:
        return float(self.bid), float(self.ask)

    @property
    def missing(self) -> bool:
        """Whether there is none at all, rather than one that cannot be right."""
        return self.fault is QuoteFault.MISSING


def judged(symbol: str, quote: VenueQuote | None, now: datetime, max_age: timedelta) -> Quote:
    """A venue's quote, judged."""
    if quote is None:
        return Quote(symbol, NOTHING, NOTHING, None, QuoteFault.MISSING, QuoteFault.MISSING.value)
    if quote.unreadable:
        problem = f"quote is not readable: {quote.unreadable}"
        return Quote(symbol, NOTHING, NOTHING, None, QuoteFault.UNREADABLE, problem)
    return Quote(symbol, quote.bid, quote.ask, quote.time, *_fault(quote, now, max_age))


def unavailable(symbol: str, error: VenueError) -> Quote:
    """What stands for a quote that could not be asked for; it is none to enter on."""
    fault = QuoteFault.NOT_ASKED if isinstance(error, NotSent) else QuoteFault.UNAVAILABLE
    return Quote(symbol, NOTHING, NOTHING, None, fault, f"quotes cannot be had: {error}")


def _fault(quote: VenueQuote, now: datetime, max_age: timedelta) -> tuple[QuoteFault, str]:
    bid, ask, time = quote.bid, quote.ask, quote.time
    if bid <= 0 or ask <= 0:
        return QuoteFault.ONE_SIDED, f"quote is one-sided: bid {bid}, ask {ask}"
    if bid > ask:
        return QuoteFault.CROSSED, f"quote is crossed: bid {bid} above ask {ask}"
    if ask / bid - 1 > WIDEST_FRAC:
        return QuoteFault.WIDE, f"quote is {ask / bid - 1:.0%} wide: bid {bid}, ask {ask}"
    if time is None or time.tzinfo is None:
        return QuoteFault.UNDATED, "quote has no time, or one without a zone"
    if now - time > max_age:
        return QuoteFault.STALE, f"quote is stale: of {time.isoformat(timespec='seconds')}"
    if time - now > max_age:
        return QuoteFault.AHEAD, f"quote is ahead of the clock: of {time.isoformat(timespec='seconds')}"
    return QuoteFault.NONE, ""
