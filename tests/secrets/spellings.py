"""In which ways a secret can stand in a text."""

from __future__ import annotations

import base64
from urllib.parse import quote, quote_plus

ENCODINGS = (base64.b64encode, base64.urlsafe_b64encode)


def spellings(secret: str) -> set[str]:
    """As it is, percent-encoded, in hexadecimal digits, escaped, and the middle of its base64 wherever it begins."""
    raw = secret.encode()
    found = {secret, quote(secret, safe=""), quote_plus(secret), raw.hex(), raw.hex().upper(), repr(secret)[1:-1]}
    found.add("".join(f"%{byte:02x}" for byte in raw))
    return found | _middles(secret)


def echoes(secret: str) -> set[str]:
    """The same in whole, as somebody would repeat it; base64 with something before it."""
    before = (encode(b"ab"[:shift] + secret.encode()) for shift in range(3) for encode in ENCODINGS)
    return {form for form in spellings(secret) if form not in _middles(secret)} | {text.decode() for text in before}


def _middles(secret: str) -> set[str]:
    found = set()
    for shift in range(3):
        for encode in ENCODINGS:
            text = encode(b"\0" * shift + secret.encode()).decode().rstrip("=")
            found.add(text[4 if shift else 0 : len(text) - 1])
    return found


def readable(text: str, *secrets: str) -> list[str]:
    """The spellings of secrets that can be read in a text."""
    return [form for secret in secrets for form in spellings(secret) if form in text]
