"""Whether the venue would take an exit now: asked before one that rests is cancelled for it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

from brokers.desk.execution.backoff import elapsed
from brokers.desk.venue_state import QUOTE_S, VenueState
from brokers.quantities import digits
from brokers.venue_errors import VenueError
from config.values.counting import unit_of

ACCOUNT_AGE = timedelta(seconds=30)
"""An account that was seen longer ago is asked for again: looks between iterations leave it as it was."""
TIDY_ACCOUNT_AGE = timedelta(seconds=5)
"""The same where what rests protects already, and is changed only to be tidier."""
ASK_AGAIN = timedelta(seconds=30)
"""Between two questions whether an order could follow, while the answer was no."""

log = logging.getLogger(__name__)


def unsaleable(state: VenueState, symbol: str, quantity: Decimal) -> str:
    """Why a sale of so much would be refused, in words; empty where it would not, or where that is not known.

    The account may be blocked since it was seen last. The venue is asked whether it trades the symbol; its least
    quantity may have been raised since the entry.
    """
    try:
        _see_account(state, ACCOUNT_AGE)
    except VenueError as error:
        log.info("whether the account is blocked is not known, %s", error)
    try:
        return _refused_now(state, symbol, quantity)
    except VenueError as error:
        log.info("%s: whether it is traded is not known, %s", symbol, error)
        return ""


def irreplaceable(state: VenueState, symbol: str, quantity: Decimal) -> str:
    """Why what rests is not to be cancelled for an exit of so much that is only tidier, in words.

    Empty where the venue says that it takes orders now. What is not known can wait: what is cancelled meanwhile would
    have nothing in its place until the venue takes orders again.
    """
    try:
        _see_account(state, TIDY_ACCOUNT_AGE)
        return _refused_now(state, symbol, quantity)
    except VenueError as error:
        return f"whether the venue takes another order is not known, {error}"


class Successors:
    """Whether another order could take the place of one that is cancelled; asked every half minute while none could.

    Parameters
    ----------
    state : VenueState
    ask : callable
        Why none could, in words: of the state, a symbol and a quantity.
    """

    def __init__(self, state: VenueState, ask: Callable[[VenueState, str, Decimal], str] = unsaleable) -> None:
        self._state = state
        self._ask = ask
        self._none: dict[str, tuple[datetime, str, Decimal]] = {}

    def possible(self, symbol: str, quantity: Decimal, what: str) -> bool:
        """Whether an order for so much could follow ``what``; where none could, it is told once that this stays."""
        asked, why, most = self._none.get(symbol, (None, "", quantity))
        # An order for more may be possible where one for so little was not.
        if asked is not None and quantity <= most and not elapsed(self._state.now, asked, ASK_AGAIN):
            return False
        if now := self._ask(self._state, symbol, quantity):
            self._none[symbol] = self._state.now, now, quantity
            if not why:
                log.warning("%s: %s stays, %s", symbol, what, now)
        else:
            self._none.pop(symbol, None)
        return not now


def _refused_now(state: VenueState, symbol: str, quantity: Decimal) -> str:
    """Why an exit would be refused, in words; VenueError where the venue does not tell."""
    if blocked := state.view.account.blocked:
        return f"the account takes no order, {blocked}"
    if not state.venue.trades(symbol):
        return "the venue does not trade it now"
    if quantity >= (least := state.least(symbol)):
        return ""
    unit = f"{unit_of(symbol, quantity)} {'is' if quantity == 1 else 'are'}"
    return f"{digits(quantity)} {unit} below the venue's least quantity of {digits(least)}"


def _see_account(state: VenueState, age: timedelta) -> None:
    """Ask for the account where it was seen longer ago; VenueError where it cannot be asked."""
    seen = state.view.account_time
    if seen is None or elapsed(state.now, seen, age):
        with state.time_budget(QUOTE_S):
            state.see_account()
