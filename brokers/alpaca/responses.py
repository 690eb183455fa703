"""What an answer of the venue says: a body, a refusal, or nothing that can be relied on."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from brokers.alpaca.errors import AlpacaRefusal, BadKeys
from brokers.network.figures import dated
from brokers.venue_errors import VenueError, VenueUnavailable

Json = dict[str, Any]

UNAUTHORIZED, FORBIDDEN = 401, 403
DEFAULT_PAUSE_S, LEAST_PAUSE_S, MOST_PAUSE_S = 3.0, 0.5, 60.0
ORDER_CODE = "403"
"""How the venue's own codes begin where a 403 is about an order, e.g. 40310000."""
SHOWN = 200
ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
KEYS = re.compile(r"forbidden|unauthori[sz]ed|not authori[sz]ed|access key", re.IGNORECASE)


def body_of(content: bytes, unreadable: type[VenueError]) -> Any:
    """The JSON of a positive answer, None where it is empty; raises ``unreadable`` if it is anything else."""
    if not content.strip():
        return None
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        pass
    # Outside the handler: what could not be read is no part of the error.
    raise unreadable("the answer is not readable")


def refusal_of(status: int, content: bytes, masked: Callable[[str], str]) -> AlpacaRefusal:
    """A negative answer as an error, without the keys if the venue repeats them, which ``masked`` takes out."""
    text = masked(content.decode("utf-8", "replace"))
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        body = None
    told: Json = body if isinstance(body, dict) else {"message": text.strip()[:SHOWN]}
    code = _code(told.get("code"))
    message = str(told.get("message") or "")
    about_keys = not isinstance(body, dict) or not message or KEYS.search(message) is not None
    if status == UNAUTHORIZED or (status == FORBIDDEN and about_keys and not str(code).startswith(ORDER_CODE)):
        return BadKeys(status, code, message or "unauthorized", told)
    return AlpacaRefusal(status, code, message, told)


def pause_of(headers: Mapping[str, str]) -> float:
    """Seconds until the venue takes requests again, as it says in a 429."""
    try:
        left = float(headers["X-RateLimit-Reset"]) - time.time()
    except (KeyError, ValueError):
        return DEFAULT_PAUSE_S
    return min(max(left, LEAST_PAUSE_S), MOST_PAUSE_S) if math.isfinite(left) else DEFAULT_PAUSE_S


def limit_of(headers: Mapping[str, str]) -> tuple[int, int, float] | None:
    """Requests that the venue allows, those that are left, and seconds until it begins anew; None if it doesn't say."""
    try:
        limit, left = int(headers["X-RateLimit-Limit"]), int(headers["X-RateLimit-Remaining"])
        resets = float(headers["X-RateLimit-Reset"]) - time.time()
    except (KeyError, ValueError):
        return None
    # By a clock that is off it would be over, or last for ever: then it lasts as long as it may.
    return limit, left, resets if 0 < resets < MOST_PAUSE_S else MOST_PAUSE_S


def object_of(answer: Any, unreadable: type[VenueError] = VenueUnavailable) -> Json:
    """The answer if it is one object; raises ``unreadable`` otherwise."""
    if not isinstance(answer, dict):
        raise unreadable("the answer is not what was asked for")
    return answer


def order_of(answer: Any, unreadable: type[VenueError] = VenueUnavailable) -> Json:
    """The answer if it is an order, whose id becomes part of paths; raises ``unreadable`` otherwise."""
    if not ID.fullmatch(str(object_of(answer, unreadable).get("id") or "")):
        raise unreadable("the answer is no order")
    return object_of(answer)


def rows_of(answer: Any) -> list[Json]:
    """The answer if it is a list of objects.

    Raises
    ------
    VenueUnavailable
    """
    if not isinstance(answer, list) or not all(isinstance(row, dict) for row in answer):
        raise VenueUnavailable("the answer is not what was asked for")
    return answer


def time_of(text: Any) -> datetime:
    """The venue's notation of a time as a datetime with its zone; digits below a microsecond are cut off.

    Raises
    ------
    ValueError
        It is no time, has no zone, or is in no year that an account has seen.
    """
    return dated(datetime.fromisoformat(str(text)))


def text_of(moment: datetime) -> str:
    """A time in the venue's notation, UTC.

    Raises
    ------
    ValueError
        It has no time zone.
    """
    if moment.tzinfo is None:
        raise ValueError(f"{moment} has no time zone")
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _code(told: Any) -> int | None:
    if isinstance(told, bool) or not isinstance(told, int | str):
        return None
    text = str(told)
    return int(text) if text.isascii() and text.isdigit() else None
