"""What can come of a request to a venue: an answer, a refusal, or not knowing."""

from __future__ import annotations

import logging
from decimal import Decimal
from typing import TYPE_CHECKING

from brokers.order_types import VenueReason

if TYPE_CHECKING:
    from brokers.venue_values import VenueAccount


class VenueError(Exception):
    """Base of everything that a request to the venue can end with."""


class VenueRefusal(VenueError):
    """A definite no: nothing has happened at the venue.

    Parameters
    ----------
    message : str
        The venue's own words.
    reason : VenueReason
        What of it the desk acts on.
    market_price : Decimal, optional
        Where the venue says what its market is, USD.
    """

    def __init__(
        self, message: str, reason: VenueReason = VenueReason.OTHER, market_price: Decimal | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason
        self.market_price = market_price


class KeysRefused(VenueRefusal):
    """The venue doesn't know the keys, or they have expired."""


class OutcomeUnknown(VenueError):
    """A request that changes orders had no answer: it may or may not have been taken.

    ``client_order_id`` is the name to look the order up by, where whoever sent it gave it one.
    """

    client_order_id: str = ""


class VenueUnavailable(VenueError):
    """A question had no answer.

    ``heard`` tells that the venue itself said that it gives none now.
    """

    heard: bool = False


class AnswerUnreadable(VenueUnavailable):
    """The venue answered, and what it said is cut off or in no form of its own."""


class AccountUnreadable(VenueUnavailable):
    """The account was told without an equity or cash that can be read; what else the venue tells can be.

    ``account`` is the account without them, where its name is known.
    """

    def __init__(self, message: str, account: VenueAccount | None = None) -> None:
        super().__init__(message)
        self.account = account


class NotSent(VenueUnavailable):
    """Nothing reached the venue, or it turned the request away unread."""


class LockedOut(NotSent):
    """The venue takes no request of the account for some minutes; told once, where it said so."""


class RateLimited(NotSent):
    """There is no room for a request now, by the own limit or the venue's.

    ``wait_s`` are the local seconds until there is, where that is known; ``told`` says that whoever raises it tells so
    itself, once for the many requests that find no room.
    """

    def __init__(self, message: str, wait_s: float | None = None, *, told: bool = False) -> None:
        super().__init__(message)
        self.wait_s, self.told = wait_s, told


class ClockInDoubt(VenueUnavailable):
    """The venue's clock says something far from what it said before: no answer until the next reading agrees.

    A night that a rehearsal leaves out and a machine that slept look like this once. It comes ``again`` where the
    venue's time runs faster than the clock that follows it was told.
    """

    def __init__(self, message: str, again: bool = False) -> None:
        super().__init__(message)
        self.again = again


def told_silence(error: VenueError, who: str = "the venue") -> str:
    """What is said of a question that came to nothing; a venue that refused it, or could not be read, did answer."""
    if isinstance(error, AccountUnreadable | LockedOut):
        return str(error)
    if isinstance(error, AnswerUnreadable):
        return f"{who} {error}"
    if isinstance(error, RateLimited):
        return f"the rate limit leaves no room to ask {who} ({error})"
    if isinstance(error, VenueRefusal) or (isinstance(error, VenueUnavailable) and error.heard):
        return f"{who} does not take the request ({error})"
    return f"{who} does not answer ({error})"


def level_of(error: VenueError) -> int:
    """How loudly an answer that did not come is logged: a clock in doubt settles with the next reading.

    A lockout was told when it began, and lasts for hundreds of questions. While the rate limit leaves no room every
    request fails alike, many a second.
    """
    if isinstance(error, LockedOut) or (isinstance(error, RateLimited) and error.told):
        return logging.DEBUG
    return logging.INFO if isinstance(error, ClockInDoubt) and not error.again else logging.WARNING
