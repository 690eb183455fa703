"""Whether the venue would take a sale now: asked before a stop is cancelled for it."""

from __future__ import annotations

import logging
from decimal import Decimal

from brokers.desk.venue_state import VenueState
from brokers.quantities import digits
from brokers.venue_errors import VenueError
from config.values.counting import unit_of

log = logging.getLogger(__name__)


def unsaleable(state: VenueState, symbol: str, quantity: Decimal) -> str:
    """Why a sale of so much would be refused, in words; empty where it would not, or where that is not known.

    The venue is asked whether it trades the symbol; its least quantity may have been raised since the entry.
    """
    try:
        if not state.venue.trades(symbol):
            return "the venue does not trade it now"
    except VenueError as error:
        log.info("%s: whether it is traded is not known, %s", symbol, error)
        return ""
    if quantity >= (least := state.least(symbol)):
        return ""
    return f"{digits(quantity)} {unit_of(symbol)} are below the venue's least quantity of {digits(least)}"
