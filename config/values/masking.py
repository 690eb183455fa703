"""Texts without the secrets in them: of addresses, and those that are known."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from functools import lru_cache

MASK = "********"
_IN_ADDRESS = re.compile(r"(?<=//)[^\s\"']*@")
_WITHOUT_SCHEME = re.compile(r"[^\s\"'/@:=]+:[^\s\"']*@")
_MISTYPED = re.compile(r"\b([A-Za-z][\w+.-]*):(?!/)(?=[^\s'\"]*:[^\s'\"])[^\s'\"]+")
"""An address of a database whose slashes were forgotten: scheme, user and password between colons."""
_PLACEHOLDER = re.compile(r"(?:[a-z][a-z0-9+]*://)?USER:PASSWORD@")
_EXAMPLE = re.compile(r"USER:PASSWORD@HOST(?::PORT)?(?:/DATABASE)?[,;.]?")
"""What our own sentences tell people to write: nobody's password, and to be read."""
HIDEABLE = 8
"""Characters of the shortest secret that is looked for: hiding shorter ones would blacken words."""


def redacted(text: str) -> str:
    """A text with user and password taken out of any address in it, also of one without a scheme.

    A password may hold a slash or an @ that should have been encoded, so all up to the last @ is taken out.
    """
    text = _WITHOUT_SCHEME.sub(_masked_user, _IN_ADDRESS.sub(_masked_user, text))
    return _MISTYPED.sub(lambda found: found[0] if _EXAMPLE.fullmatch(found[0]) else f"{found[1]}:{MASK}", text)


def _masked_user(found: re.Match[str]) -> str:
    return found[0] if _PLACEHOLDER.fullmatch(found[0]) else f"{MASK}@"


def without_secrets(text: str, secrets: Iterable[str | None]) -> str:
    """A text in which no secret can be read: as it is, percent-encoded in any part, or inside of base64."""
    usual = text.replace("-", "+").replace("_", "/")
    for secret in secrets:
        if not secret or len(secret) < HIDEABLE:
            continue
        # Searched for as they are first, which takes a text of megabytes no time; the patterns are for what is found.
        if secret in text or "%" in text:
            text = _spelled(secret).sub(MASK, text)
        if any(core in usual for core in _cores(secret)):
            text = _in_base64(secret).sub(MASK, text)
    return text


@lru_cache(maxsize=128)
def _spelled(secret: str) -> re.Pattern[str]:
    """A secret as it is, with any of its characters percent-encoded."""
    return re.compile(
        "".join(f"(?:{re.escape(c)}|(?i:{''.join(f'%{byte:02x}' for byte in c.encode())}))" for c in secret)
    )


@lru_cache(maxsize=128)
def _in_base64(secret: str) -> re.Pattern[str]:
    cores = (
        "".join({"+": r"[+\-]", "/": "[/_]"}.get(c, re.escape(c)) for c in core) + r"[A-Za-z0-9+/_-]*=*"
        for core in _cores(secret)
    )
    return re.compile("|".join(f"[A-Za-z0-9+/_-]*{core}" for core in cores))


@lru_cache(maxsize=128)
def _cores(secret: str) -> tuple[str, ...]:
    """The middle of a secret's base64 wherever it begins.

    Three bytes are four characters, so that what stands before the secret shifts it: three ways to see it, without the
    characters at both ends that its neighbours share.
    """
    found = []
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + secret.encode()).decode().rstrip("=")
        first, last = (0, 2, 3)[shift], len(encoded) - ((len(secret.encode()) + shift) % 3 != 0)
        found.append(encoded[first:last])
    return tuple(found)
