"""Takes secrets out of every text that leaves the process: log, screen, notification, page, answer to an assistant.

Those that a run was given are known, and found in every spelling that an echo may have. What looks like a secret is
taken out too, as a page or a journal of another run holds secrets that nobody told this process of.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote

from config.values.masking import HIDEABLE, MASK, redacted, without_secrets
from config.values.printable import one_line
from config.values.secrets import Secrets

_PARTS = re.compile(r"[\s,/@:?&=#]+")
_IN_ADDRESS = re.compile(r"(?<=://)[^\s/@'\"<>]*:[^\s/@'\"<>]*(?=@)")
_ALPACA_KEY = re.compile(r"\b[APC]K[A-Z0-9]{16,30}\b")
_ASSIGNED = re.compile(
    r"(?i)((?:api[_-]?key|secret(?:[_-]?key)?|password|passwd|token)[\"']?\s*[=:]\s*[\"']?)[^\s\"'&<>,;]{6,}"
)
_LONG = re.compile(
    r"(?<![A-Za-z0-9+/_=-])(?=[A-Za-z0-9+/]*[a-z])(?=[A-Za-z0-9+/]*[A-Z])(?=[A-Za-z0-9+/]*[0-9])"
    r"[A-Za-z0-9+/]{40,88}={0,2}(?![A-Za-z0-9+/_=-])"
)
_WEBHOOK = re.compile(r"\b(?:tgram|discord|slack|ntfys?|mailtos?|pover|jsons?|xmls?)://[^\s\"'<>]+")
_ENOUGH = 12
"""Characters of a part of an address that is looked for alone: shorter ones are words and host names."""


class Masker:
    """Replaces secrets in texts, also percent-encoded, in hexadecimal digits and inside of base64.

    Parameters
    ----------
    secrets : iterable of str
        What must not be read anywhere; texts below eight characters are not looked for.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
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
        text = text if self._more is None else self._more.sub(MASK, text)
        return _without_likely(text)

    def line(self, text: str) -> str:
        """The text without secrets, in one line that shows what is in it."""
        return one_line(self(text))

    def plain(self, value: Any) -> Any:
        """A value for JSON, with every text in it masked; what JSON does not know becomes text."""
        if value is None or isinstance(value, bool | int):
            return value
        if isinstance(value, float):
            return value if value - value == 0 else None
        if isinstance(value, Mapping):
            return {self.line(str(key)): self.plain(item) for key, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.plain(item) for item in value]
        return self.line(str(value))


_LIKELY = Masker()


def masked(text: str, word: str = "") -> str:
    """The text without what looks like a secret, and without ``word``, the account's number for instance."""
    return _LIKELY(text.replace(word, MASK) if word else text)


def _without_likely(text: str) -> str:
    text = _WEBHOOK.sub(lambda found: f"{found[0].partition('://')[0]}://{MASK}", text)
    text = _IN_ADDRESS.sub(MASK, text)
    text = _ALPACA_KEY.sub(MASK, text)
    text = _ASSIGNED.sub(lambda found: f"{found[1]}{MASK}", text)
    return _LONG.sub(MASK, text)


def _user_info(address: str) -> Iterable[str]:
    head, at, _ = address.partition("://")[2].rpartition("@")
    return head.split(":") if at else ()


def _hexadecimal(secret: str) -> tuple[str, str]:
    raw = secret.encode()
    return raw.hex(), repr(secret)[1:-1]
