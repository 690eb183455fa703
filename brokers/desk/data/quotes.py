"""Quotes that may become an order, and what is wrong with the others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from brokers.ports import QuoteStream, Venue
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


class QuoteReader:
    """Newest quotes, from the stream where it has them and asked for where it has not.

    Parameters
    ----------
    venue : Venue
    max_age_s : float
        The venue's seconds after which a quote must not become an order.
    stream : QuoteStream, optional
        Brings quotes without asking.
    """

    def __init__(self, venue: Venue, max_age_s: float, stream: QuoteStream | None = None) -> None:
        self._venue, self._stream = venue, stream
        self._max_age = timedelta(seconds=max_age_s)

    def newest(self, symbols: Iterable[str]) -> dict[str, Quote]:
        """The newest quote of each symbol, judged; one request."""
        wanted = list(symbols)
        found: dict[str, VenueQuote] = {}
        if self._stream is not None:
            found = {symbol: quote for symbol in wanted if (quote := self._stream.latest(symbol)) is not None}
        if asked := [symbol for symbol in wanted if symbol not in found]:
            found |= self._venue.quotes(asked)
        now = self._venue.clock.now()
        return {symbol: judged(symbol, found.get(symbol), now, self._max_age) for symbol in wanted}


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
