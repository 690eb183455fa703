"""Listings of orders that are longer than a page, and symbols that are more than an address holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from brokers.alpaca.listings import legs_of
from brokers.alpaca.responses import Json, order_of, rows_of, text_of, time_of
from brokers.venue_errors import VenueUnavailable

PAGE, MOST_PAGES = 500, 100
LONGEST_SYMBOLS = 4_000
"""Characters of an address that may name symbols: servers refuse addresses of more than eight thousand."""
LARGEST_GROUP = 5
"""Orders that one row of a nested listing may stand for, itself included."""
OVERLAP = timedelta(microseconds=1)


def all_orders(ask: Callable[[Json], Any], query: Json) -> list[Json]:
    """Every order that a query lists, each once, in the order of the listing.

    Bounds exclude their own time and several orders may share one, so each page begins with the last time of
    the page before. An order that is on two pages is kept as the later page shows it. Whether the venue counts legs
    is not documented, so a page is the last one only if it has room left either way.

    Parameters
    ----------
    ask : callable
        Gets one page.
    query : mapping
        With ``direction``, without ``limit``.

    Raises
    ------
    VenueUnavailable
        An answer is no page, or a whole page shares one time, so that what follows cannot be reached: a part
        of the orders must not pass for all of them.
    """
    newest_first = query["direction"] == "desc"
    query = {**query, "limit": PAGE}
    found: dict[str, Json] = {}
    for _ in range(MOST_PAGES):
        page = [order_of(row) for row in rows_of(ask(query))]
        if len(page) > PAGE:
            raise VenueUnavailable(f"a page of orders has {len(page)} rows, {PAGE} were asked for")
        known = len(found)
        found.update((str(row["id"]), row) for row in page)
        if sum(1 + len(legs_of(row)) for row in page) <= PAGE - LARGEST_GROUP:
            return list(found.values())
        if len(found) == known:
            raise VenueUnavailable(f"the listing of orders does not go on after {known}")
        # The venue sorts by submission, documented; a bound that is right for creation too misses nothing.
        times = _times(page[-1])
        if newest_first:
            query["until"] = text_of(max(times) + OVERLAP)
        else:
            query["after"] = text_of(min(times) - OVERLAP)
    raise VenueUnavailable(f"the listing of orders does not end after {MOST_PAGES} pages")


def _times(row: Json) -> list[datetime]:
    try:
        times = [time_of(row[name]) for name in ("submitted_at", "created_at") if row.get(name)]
    except ValueError:
        times = []
    if not times:
        raise VenueUnavailable("an order in the listing has no time")
    return times


def in_parts(symbols: Sequence[str]) -> Iterator[list[str]]:
    """Symbols in as few parts as one request's address can name."""
    part, length = list[str](), 0
    for symbol in symbols:
        # A comma takes three characters in an address.
        if part and length + len(symbol) + 3 > LONGEST_SYMBOLS:
            yield part
            part, length = [], 0
        part.append(symbol)
        length += len(symbol) + 3
    if part:
        yield part
