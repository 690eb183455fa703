"""Secrets: read from environment variables, never from a file, never printed."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from pydantic import BaseModel, ConfigDict, SecretStr

MASK = "********"
ALPACA_VARIABLES = ("ALPACA_API_KEY", "ALPACA_API_SECRET")
KRAKEN_VARIABLES = ("KRAKEN_API_KEY", "KRAKEN_API_SECRET")
_SECRET_KEY = re.compile(r"(^|_)(api_?key|key_?id|secrets?|password|passphrase|token|database_url)(_|$)", re.IGNORECASE)
_IN_ADDRESS = re.compile(r"(?<=//)[^\s\"']*@")
_WITHOUT_SCHEME = re.compile(r"[^\s\"'/@:=]+:[^\s\"']*@")
_MISTYPED = re.compile(r"\b([A-Za-z][\w+.-]*):(?!/)(?=[^\s'\"]*:[^\s'\"])[^\s'\"]+")
"""An address of a database whose slashes were forgotten: scheme, user and password between colons."""
HIDEABLE = 8
"""Characters of the shortest secret that is looked for: hiding shorter ones would blacken words."""


class Secrets(BaseModel):
    """Keys of the venues, the journal's address and where notifications go; None where the variable is not set."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ALPACA_API_KEY: SecretStr | None = None
    ALPACA_API_SECRET: SecretStr | None = None
    KRAKEN_API_KEY: SecretStr | None = None
    KRAKEN_API_SECRET: SecretStr | None = None
    DATABASE_URL: SecretStr | None = None
    NOTIFY_URLS: SecretStr | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Secrets:
        """Read the variables; an empty one counts as not set."""
        return cls(**{name: SecretStr(environment[name]) for name in cls.model_fields if environment.get(name)})

    def missing(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Those of ``names`` that are not set."""
        return tuple(name for name in names if getattr(self, name) is None)

    def masked(self) -> dict[str, str | None]:
        """Which secrets are set, without their values."""
        return {name: None if getattr(self, name) is None else MASK for name in type(self).model_fields}


def looks_secret(key: str) -> bool:
    """Whether a settings key sounds like one that holds a secret."""
    return _SECRET_KEY.search(key) is not None


def redacted(text: str) -> str:
    """A text with user and password taken out of any address in it, also of one without a scheme.

    A password may hold a slash or an @ that should have been encoded, so all up to the last @ is taken out.
    """
    text = _WITHOUT_SCHEME.sub(f"{MASK}@", _IN_ADDRESS.sub(f"{MASK}@", text))
    return _MISTYPED.sub(rf"\1:{MASK}", text)


def without_secrets(text: str, secrets: Iterable[str | None]) -> str:
    """A text in which no secret can be read: as it is, percent-encoded in any part, or inside of base64."""
    for secret in secrets:
        if secret and len(secret) >= HIDEABLE:
            text = _spelled(secret).sub(MASK, text)
    return text


@lru_cache(maxsize=128)
def _spelled(secret: str) -> re.Pattern[str]:
    """Every spelling of a secret that an echo may have."""
    plain = "".join(f"(?:{re.escape(c)}|(?i:{''.join(f'%{byte:02x}' for byte in c.encode())}))" for c in secret)
    # In base64 three bytes are four characters, so that what stands before the secret shifts it: three ways to see
    # it, without the characters at both ends that its neighbours share.
    shifted = []
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + secret.encode()).decode().rstrip("=")
        first, last = (0, 2, 3)[shift], len(encoded) - ((len(secret.encode()) + shift) % 3 != 0)
        core = encoded[first:last]
        shifted.append("".join({"+": r"[+\-]", "/": "[/_]"}.get(c, re.escape(c)) for c in core) + r"[A-Za-z0-9+/_-]*=*")
    return re.compile("|".join((plain, *(f"[A-Za-z0-9+/_-]*{core}" for core in shifted))))
