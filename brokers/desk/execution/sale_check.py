"""Whether the venue would take a sale now: asked before an exit is cancelled for it."""

from __future__ import annotations

import logging
from datetime import timedelta
from decimal import Decimal

from brokers.desk.execution.backoff import elapsed
from brokers.desk.venue_state import QUOTE_S, VenueState
from brokers.quantities import digits
from brokers.venue_errors import VenueError
from config.values.counting import unit_of

ACCOUNT_AGE = timedelta(seconds=30)
"""An account that was seen longer ago is asked for again: looks between iterations leave it as it was."""

log = logging.getLogger(__name__)


def unsaleable(state: VenueState, symbol: str, quantity: Decimal) -> str:
    """Why a sale of so much would be refused, in words; empty where it would not, or where that is not known.

    The account may be blocked since it was seen last. The venue is asked whether it trades the symbol; its least
    quantity may have been raised since the entry.
    """
    if blocked := _blocked(state):
        return f"the account takes no order, {blocked}"
    try:
        if not state.venue.trades(symbol):
            return "the venue does not trade it now"
    except VenueError as error:
        log.info("%s: whether it is traded is not known, %s", symbol, error)
        return ""
    if quantity >= (least := state.least(symbol)):
        return ""
    unit = f"{unit_of(symbol, quantity)} {'is' if quantity == 1 else 'are'}"
    return f"{digits(quantity)} {unit} below the venue's least quantity of {digits(least)}"


def _blocked(state: VenueState) -> str:
    """Why the account takes no order, in words; empty where it does."""
    seen = state.view.account_time
    if seen is None or elapsed(state.now, seen, ACCOUNT_AGE):
        try:
            with state.time_budget(QUOTE_S):
                state.see_account()
        except VenueError as error:
            log.info("whether the account is blocked is not known, %s", error)
    return state.view.account.blocked
