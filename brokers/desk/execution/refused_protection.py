"""Pauses between two attempts to place protection that the venue refuses."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from brokers.desk.execution.backoff import Backoff, elapsed
from brokers.desk.execution.order_gateway import OrderRefused
from brokers.desk.venue_state import VenueState
from brokers.order_types import VenueReason

FIRST_PAUSE_S, LONGEST_PAUSE_S, LONGEST_UNPROTECTED_PAUSE_S = 2.0, 60.0, 8.0
"""Of a pause between two attempts; the last in the session, in which stops are triggered."""
LONGEST_LASTING_PAUSE_S = 300.0
"""The same where no repetition changes the refusal, as of what is too little or not traded."""
BLOCKED_PAUSE_S, BLOCKED_SYMBOL_S = 60.0, 10.0
"""Between two attempts of a symbol while the account is blocked; of many symbols, the latter for each of them, so that
all together come six times a minute."""

Circumstances = tuple[object, ...]
"""What a refusal may hang on: with any of it changed, the next attempt is a new one, and waits for nothing."""


@dataclass(frozen=True, slots=True)
class RefusedProtection:
    """Protection that was refused, what tells it from any other, and the code of the refusal."""

    circumstances: Circumstances
    backoff: Backoff
    code: str
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
        self._blocked = False

    def __bool__(self) -> bool:
        """Whether any was refused, and not taken since."""
        return bool(self._refused)

    def pauses(self, symbol: str, what: Circumstances) -> bool:
        """Whether the same protection was refused just now; the pause doubles from one refusal to the next.

        While the venue says that the account is blocked no circumstances of the symbol matter, and once it says that it
        is not, the next attempt goes at once.
        """
        blocked = bool(self._state.view.account.blocked)
        if self._blocked and not blocked:
            self._refused.clear()
        self._blocked = blocked
        refused = self._refused.get(symbol)
        if refused is not None and blocked:
            pause = timedelta(seconds=max(BLOCKED_PAUSE_S, BLOCKED_SYMBOL_S * len(self._refused)))
            failed_at = refused.backoff.failed_at
            return failed_at is not None and not elapsed(self._state.now, failed_at, pause)
        if refused is None or refused.circumstances != what:
            return False
        longest = LONGEST_UNPROTECTED_PAUSE_S if self._state.in_session and not refused.lasting else None
        return refused.backoff.pauses(self._state.now, longest)

    def add(self, symbol: str, what: Circumstances, refusal: OrderRefused) -> bool:
        """The venue, or our own gate, has refused it under these circumstances; returns whether the code is news."""
        before = self._refused.get(symbol)
        lasting = refusal.venue is not None and refusal.venue.reason is VenueReason.LASTING
        if before is not None and (before.circumstances, before.lasting) == (what, lasting):
            backoff = before.backoff
        else:
            backoff = Backoff(FIRST_PAUSE_S, LONGEST_LASTING_PAUSE_S if lasting else LONGEST_PAUSE_S)
        backoff.failed(self._state.now)
        self._refused[symbol] = RefusedProtection(what, backoff, refusal.code, lasting)
        return before is None or before.code != refusal.code

    def forget(self, symbol: str) -> None:
        """Protection was taken, or there is no position any more."""
        self._refused.pop(symbol, None)
