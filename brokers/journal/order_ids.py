"""Client order ids: the same decision gives the same id, in every process and after every restart."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime

MAX_CHARACTERS = 128  # Alpaca's limit.
_DIGEST, _STRATEGY, _SYMBOL, _ROLE = 16, 40, 24, 16
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9._]+")
_DERIVED = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.IGNORECASE)
_ID = re.compile(rf"[\w.]+-[\w.]+-\d{{8}}T\d{{6}}-[\w.]+-\d{{1,6}}-[0-9a-f]{{{_DIGEST}}}", re.ASCII)


def client_order_id(
    account: str, strategy: str, symbol: str, decision_time: datetime, role: str, sequence: int = 0
) -> str:
    """The id of one order: readable parts, and a digest of all of them that makes it unique.

    Parameters
    ----------
    account : str
        The venue's name of the account; in the digest only.
    strategy, symbol, role : str
        Shortened and rid of odd characters where they are to be read; whole in the digest.
    decision_time : datetime
        Timezone-aware; the same moment in another zone gives the same id.
    sequence : int
        Tells several orders of one role apart that one decision needs.

    Returns
    -------
    str
        At most 128 characters of ``A-Za-z0-9._-``.
    """
    if decision_time.tzinfo is None:
        raise ValueError("decision_time needs a time zone")
    if not 0 <= sequence < 10**6:
        raise ValueError(f"sequence is {sequence}, it counts from 0 and stays below a million")
    moment = decision_time.astimezone(UTC)
    whole = json.dumps([account, strategy, symbol, moment.isoformat(), role, sequence])
    digest = hashlib.sha256(whole.encode()).hexdigest()[:_DIGEST]
    parts = (_plain(strategy, _STRATEGY), _plain(symbol, _SYMBOL), _plain(role, _ROLE))
    return "-".join((*parts[:2], f"{moment:%Y%m%dT%H%M%S}", parts[2], str(sequence), digest))


def has_our_form(name: str) -> bool:
    """Whether an id is written as ours are; anybody may write one so, which proves nothing."""
    return _ID.fullmatch(name) is not None


def may_be_a_traders(name: str) -> bool:
    """Whether an id may be of some trader of this program: in our form, or as a UUID made of it (version 5)."""
    return has_our_form(name) or _DERIVED.fullmatch(name) is not None


def _plain(text: str, most: int) -> str:
    return _NOT_PLAIN.sub("_", text)[:most]
