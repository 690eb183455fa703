"""Takes secrets out of every text that leaves the process by log, screen or notification."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote

from config.values.masking import HIDEABLE, MASK, redacted, without_secrets
from config.values.secrets import Secrets

_PARTS = re.compile(r"[\s,/@:?&=#]+")
_ENOUGH = 12
"""Characters of a part of an address that is looked for alone: shorter ones are words and host names."""


class Masker:
    """Replaces secrets in texts, also percent-encoded, in hexadecimal digits and inside of base64.

    Parameters
    ----------
    secrets : iterable of str
        What must not be read anywhere; texts below eight characters are not looked for.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        known = {secret for secret in secrets if secret and len(secret) >= HIDEABLE}
        # The longest first: a part of a secret must not take the middle out of the whole.
        self._secrets = tuple(sorted(known, key=lambda secret: (-len(secret), secret)))
        spelled = {form for secret in self._secrets for form in _hexadecimal(secret)}
        self._more = re.compile("|".join(map(re.escape, spelled)), re.IGNORECASE) if spelled else None

    @classmethod
    def of(cls, secrets: Secrets) -> Masker:
        """A masker of everything secret that a run was given."""
        found: set[str] = set()
        for name in type(secrets).model_fields:
            value = getattr(secrets, name)
            if value is None:
                continue
            text = value.get_secret_value()
            found.add(text)
            if "://" in text:
                # Of an address the user, the password and the tokens in its path are what is secret.
                found |= {part for part in _PARTS.split(text) if len(part) >= _ENOUGH}
                addresses = text.replace(",", " ").split()
                found |= {*addresses, *(part for address in addresses for part in _user_info(address))}
        # A password that had to be encoded in its address is typed and echoed as it is, too.
        return cls(found | {unquote(secret) for secret in found})

    def __call__(self, text: str) -> str:
        """The text without secrets."""
        text = without_secrets(redacted(text), self._secrets)
        return text if self._more is None else self._more.sub(MASK, text)

    def plain(self, value: Any) -> Any:
        """A value for JSON, with every text in it masked; what JSON does not know becomes text."""
        if value is None or isinstance(value, bool | int):
            return value
        if isinstance(value, float):
            return value if value - value == 0 else None
        if isinstance(value, Mapping):
            return {self(str(key)): self.plain(item) for key, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.plain(item) for item in value]
        return self(str(value))


def _user_info(address: str) -> Iterable[str]:
    head, at, _ = address.partition("://")[2].rpartition("@")
    return head.split(":") if at else ()


def _hexadecimal(secret: str) -> tuple[str, str]:
    raw = secret.encode()
    return raw.hex(), repr(secret)[1:-1]
