"""Takes out of a text what must be on no screen: keys, passwords in addresses, and the account's number."""

from __future__ import annotations

import re

from config.values.masking import MASK

_IN_ADDRESS = re.compile(r"(?<=://)[^\s/@'\"<>]*:[^\s/@'\"<>]*(?=@)")
_ALPACA_KEY = re.compile(r"\b[APC]K[A-Z0-9]{16,30}\b")
_ASSIGNED = re.compile(
    r"(?i)((?:api[_-]?key|secret(?:[_-]?key)?|password|passwd|token)[\"']?\s*[=:]\s*[\"']?)[^\s\"'&<>,;]{6,}"
)
_LONG = re.compile(r"(?<![A-Za-z0-9+/_=-])(?=[A-Za-z0-9+/]*[a-z])(?=[A-Za-z0-9+/]*[A-Z])(?=[A-Za-z0-9+/]*[0-9])"
                   r"[A-Za-z0-9+/]{40,88}={0,2}(?![A-Za-z0-9+/_=-])")  # fmt: skip
_WEBHOOK = re.compile(r"\b(?:tgram|discord|slack|ntfys?|mailtos?|pover|jsons?|xmls?)://[^\s\"'<>]+")


def masked(text: str, *secret: str) -> str:
    """The text without what looks like a secret, and without ``secret``."""
    for word in secret:
        if word:
            text = text.replace(word, MASK)
    text = _WEBHOOK.sub(lambda found: f"{found[0].partition('://')[0]}://{MASK}", text)
    text = _IN_ADDRESS.sub(MASK, text)
    text = _ALPACA_KEY.sub(MASK, text)
    text = _ASSIGNED.sub(lambda found: f"{found[1]}{MASK}", text)
    return _LONG.sub(MASK, text)
