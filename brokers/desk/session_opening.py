"""The equity that a session opens with: fixed by its first look, from which the day is measured."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from brokers.desk.book_builder import BookBuilder
from brokers.desk.execution.backoff import elapsed
from brokers.desk.venue_state import QUOTE_S, VenueState
from brokers.venue_errors import VenueError
from config.errors import Refusal
from market.trading_day import day_of

OPENING_AGAIN_S = 10.0
"""The venue's seconds until the account is asked for again for a session's opening equity, at least."""

log = logging.getLogger(__name__)


class SessionOpening:
    """Fixes the equity at the opening, as soon as it is known.

    Parameters
    ----------
    state : VenueState
    books : BookBuilder
    told : callable
        Takes why the account cannot be read, empty where it can.
    """

    def __init__(self, state: VenueState, books: BookBuilder, told: Callable[[str], None]) -> None:
        self._state, self._books, self._told = state, books, told
        self._limit = state.venue.request_limit
        self._tried: datetime | None = None

    def open(self, seen: bool) -> None:
        """Fix the equity at the opening; ``seen`` says whether this look has asked for the account.

        Where the account cannot be asked for, or the journal not be written, a later look does it, and stops are looked
        after meanwhile.
        """
        self._tried = self._state.now
        try:
            if not seen:
                with self._state.time_budget(QUOTE_S):
                    self._state.see_account()
                self._told(self._state.view.account_unreadable)
            if not self._state.view.account_unreadable:
                self._books.open_session(self._state.now)
        except (VenueError, Refusal) as error:
            log.debug("the session's opening is not known yet: %s", error)

    def is_due(self) -> bool:
        """Whether a session is on whose opening equity is not fixed yet."""
        opened = self._books.opening
        if opened is not None and opened[0] == day_of(self._state.now):
            return False
        return self._books.session_is_on()

    @property
    def again(self) -> bool:
        """Whether the last try to fix it is so long ago that a request for the account may be spent on it."""
        tried, again = self._tried, timedelta(seconds=max(OPENING_AGAIN_S, self._limit.quiet_s))
        return tried is None or elapsed(self._state.now, tried, again)
