"""What an answer of the venue says: a body, a refusal, or nothing that can be relied on."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Iterable, Mapping
from typing import Any

from brokers.venue.errors import BadKeys, VenueError, VenueRefusal

Json = dict[str, Any]

UNAUTHORIZED, FORBIDDEN = 401, 403
DEFAULT_PAUSE_S, LEAST_PAUSE_S, MOST_PAUSE_S = 3.0, 0.5, 60.0
SHOWN = 200
HIDEABLE = 8
"""Shorter keys are no keys of a venue's; hiding them would blacken words."""
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


def refusal_of(status: int, content: bytes, secrets: Iterable[str | None]) -> VenueRefusal:
    """A negative answer as an error, without the keys if the venue repeats them."""
    text = content.decode("utf-8", "replace")
    for secret in secrets:
        if secret and len(secret) >= HIDEABLE:
            text = text.replace(secret, "***")
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        body = None
    told: Json = body if isinstance(body, dict) else {"message": text.strip()[:SHOWN]}
    code = _code(told.get("code"))
    message = str(told.get("message") or "")
    about_keys = not isinstance(body, dict) or not message or KEYS.search(message)
    ordinary = code is not None and str(code).startswith(str(FORBIDDEN), 0)
    if status == UNAUTHORIZED or (status == FORBIDDEN and not _of_an_order(code) and about_keys and not ordinary):
        return BadKeys(status, code, message or "unauthorized", told)
    return VenueRefusal(status, code, message, told)


def pause_of(headers: Mapping[str, str]) -> float:
    """Seconds until the venue takes requests again, as it says in a 429."""
    try:
        left = float(headers["X-RateLimit-Reset"]) - time.time()
    except (KeyError, ValueError):
        return DEFAULT_PAUSE_S
    return min(max(left, LEAST_PAUSE_S), MOST_PAUSE_S) if math.isfinite(left) else DEFAULT_PAUSE_S
