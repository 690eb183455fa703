"""What can come of a request: an answer, a refusal, or not knowing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class VenueError(Exception):
    """Base of everything that a request to the venue can end with."""


class VenueRefusal(VenueError):
    """A definite no: nothing has happened at the venue.

    Parameters
    ----------
    status : int
        HTTP status, 0 where the request was held back on this side.
    code : int or None
        The venue's own code, e.g. 40310000.
    message : str
    body : mapping
        The answer as it came.
    """

    def __init__(self, status: int, code: int | None, message: str, body: Mapping[str, Any] | None = None) -> None:
        super().__init__(f"{status} {message}")
        self.status = status
        self.code = code
        self.message = message
        self.body = dict(body or {})


class BadKeys(VenueRefusal):
    """The venue doesn't know the keys, or they have expired."""


class OutcomeUnknown(VenueError):
    """A request that changes orders had no answer: it may or may not have been taken.

    ``client_order_id`` is the name to look the order up by, where whoever sent it gave it one.
    """

    client_order_id: str = ""


class VenueUnavailable(VenueError):
    """A question had no answer."""


class NotSent(VenueUnavailable):
    """Nothing reached the venue, or it turned the request away unread."""
