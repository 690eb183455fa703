"""What Kraken's error texts mean: refused, unknown, gone, or never taken."""

from __future__ import annotations

from collections.abc import Iterable

from brokers.order_types import VenueReason
from brokers.venue_errors import (
    AnswerUnreadable,
    KeysRefused,
    NotSent,
    OutcomeUnknown,
    VenueError,
    VenueRefusal,
    VenueUnavailable,
)

NONCE = "EAPI:Invalid nonce"
COUNTER = "EAPI:Rate limit exceeded"
"""Too many requests of a key, among which work with orders does not count."""
UNKNOWN = (
    "EService:Unavailable",
    "EService:Busy",
    "EService:Timeout",
    "EGeneral:Internal error",
    "EDatabase:",
)
"""The request may have been carried out."""
PAIR_COUNTER = "EOrder:Rate limit exceeded"
"""Too much order work in one pair, which the engine counts apart from requests: other pairs and looks go on."""
NOT_TAKEN = (
    COUNTER,
    PAIR_COUNTER,
    "EGeneral:Too many requests",
    "EGeneral:Temporary lockout",
    NONCE,
    "EService:Deadline elapsed",
)
"""Turned away unread, or too late for the engine: it may be sent again."""
TOO_MUCH = ("Rate limit exceeded", "Too many requests")
SERVER_ERROR = 500
LOCKOUT = "EGeneral:Temporary lockout"
LOCKOUT_S, LOCKOUT_TRY_S, LOCKOUT_URGENT_S, PAUSE_S = 900.0, 300.0, 120.0, 5.0
"""The venue's seconds: how long a lockout lasts at most, after which time one request tries whether it is over, after
which one that protects may, and how long nothing is sent after too much was. Kraken has told of a quarter of an hour,
tells of a few minutes now, and wants no repetitions meanwhile."""
KEYS = (
    "EAPI:Invalid key",
    "EAPI:Invalid signature",
    "EGeneral:Permission denied",
    "EAccount:",
    "ETrade:User Locked",
    "EAPI:Feature disabled",
)
GONE = "EOrder:Unknown order"
UNKNOWN_PAIR = "EQuery:Unknown asset pair"
TOO_LITTLE = ("minimum not met",)
"""Refusals of an order that what was read of its pair should have prevented: the pair has changed since."""
FUNDS = "EOrder:Insufficient funds"
MODE = "EService:Market in "
"""The exchange, or the pair, is in a mode in which it takes no such order; the mode follows."""
DUPLICATE = ("EOrder:Duplicate", "cl_ord_id")


class KrakenKeysRefused(KeysRefused):
    """Kraken does not take the key, its signature or its permissions, or has locked the account."""


def error_of(texts: Iterable[object], *, changes: bool, sells: bool = False) -> VenueError | None:
    """The error that an answer's list of texts means; None for an empty one.

    Parameters
    ----------
    texts : iterable
        ``error`` of the answer. Those that begin with W are warnings.
    changes : bool
        Whether the request changes orders, so that not knowing is more than a question without an answer.
    sells : bool
        Whether it sells: funds are coins then, which something holds.
    """
    found = [str(text) for text in texts if not str(text).startswith("W")]
    if not found:
        return None
    message = "; ".join(found)
    # Where several are told, one that leaves the outcome open counts most.
    if any(text.startswith(UNKNOWN) for text in found):
        return OutcomeUnknown(message) if changes else _heard(VenueUnavailable(message))
    if any(text.startswith(KEYS) for text in found):
        return KrakenKeysRefused(message)
    if any(text.startswith(NOT_TAKEN) for text in found):
        return _heard(NotSent(message))
    return VenueRefusal(message, _reason(message, sells))


def _heard(error: VenueUnavailable) -> VenueUnavailable:
    error.heard = True
    return error


def lost(status: int, *, changes: bool) -> VenueError:
    """The error that an HTTP status without a readable answer means."""
    if status < SERVER_ERROR:
        message = f"answered {status}, and its answer could not be read"
        return OutcomeUnknown(message) if changes else AnswerUnreadable(message)
    message = f"the venue answered {status}"
    return OutcomeUnknown(message) if changes else VenueUnavailable(message)


def pause_of(message: str) -> float:
    """Seconds for which nothing is sent after an error; 0 where it was not about the rate of the whole account.

    Lockouts and pairs have their own.
    """
    return PAUSE_S if any(text in message for text in TOO_MUCH) and PAIR_COUNTER not in message else 0.0


def _reason(message: str, sells: bool) -> VenueReason:
    if GONE in message:
        return VenueReason.NOT_FOUND
    if UNKNOWN_PAIR in message or any(text in message for text in TOO_LITTLE):
        return VenueReason.LASTING
    if FUNDS in message and sells:
        return VenueReason.SHARES_HELD
    if MODE in message:
        return VenueReason.CLOSED
    if any(text in message for text in DUPLICATE):
        return VenueReason.DUPLICATE_ID
    return VenueReason.OTHER
