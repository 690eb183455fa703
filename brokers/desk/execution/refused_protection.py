"""Pauses between two attempts to place protection that the venue refuses."""

from __future__ import annotations

from dataclasses import dataclass

from brokers.desk.execution.backoff import Backoff
from brokers.desk.execution.order_gateway import OrderRefused
from brokers.desk.venue_state import VenueState
from brokers.order_types import VenueReason

FIRST_PAUSE_S, LONGEST_PAUSE_S, LONGEST_UNPROTECTED_PAUSE_S = 2.0, 60.0, 8.0
"""Of a pause between two attempts; the last in the session, in which stops are triggered."""
LONGEST_LASTING_PAUSE_S = 300.0
"""The same where no repetition changes the refusal, as of what is too little or not traded."""

Circumstances = tuple[object, ...]
"""What a refusal may hang on: with any of it changed, the next attempt is a new one, and waits for nothing."""


@dataclass(frozen=True, slots=True)
class RefusedProtection:
    """Protection that was refused, and what tells it from any other."""

    circumstances: Circumstances
    backoff: Backoff
    lasting: bool = False


class RefusedProtections:
    """The protection that was refused last, of every symbol.

    Parameters
    ----------
    state : VenueState
    """

    def __init__(self, state: VenueState) -> None:
        self._state = state
        self._refused: dict[str, RefusedProtection] = {}

    def pauses(self, symbol: str, what: Circumstances) -> bool:
        """Whether the same protection was refused just now; the pause doubles from one refusal to the next."""
        refused = self._refused.get(symbol)
        if refused is None or refused.circumstances != what:
            return False
        longest = LONGEST_UNPROTECTED_PAUSE_S if self._state.in_session and not refused.lasting else None
        return refused.backoff.pauses(self._state.now, longest)

    def add(self, symbol: str, what: Circumstances, refusal: OrderRefused | None = None) -> None:
        """The venue, or our own gate, has refused it under these circumstances."""
        before = self._refused.get(symbol)
        venue = None if refusal is None else refusal.venue
        lasting = venue is not None and venue.reason is VenueReason.LASTING
        if before is None or (before.circumstances, before.lasting) != (what, lasting):
            longest = LONGEST_LASTING_PAUSE_S if lasting else LONGEST_PAUSE_S
            before = RefusedProtection(what, Backoff(FIRST_PAUSE_S, longest), lasting)
        before.backoff.failed(self._state.now)
        self._refused[symbol] = before

    def forget(self, symbol: str) -> None:
        """Protection was taken, or there is no position any more."""
        self._refused.pop(symbol, None)
