"""Takes secrets out of every text that leaves the process: log, screen, notification, page, answer to an assistant.

Those that a run was given are known, and found in every spelling that an echo may have. What looks like a secret is
taken out too, as a page or a journal of another run holds secrets that nobody told this process of.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from config.values.known_secrets import proxy_secrets, secret_texts
from config.values.masking import HIDEABLE, MASK, redacted, without_secrets
from config.values.printable import one_line

if TYPE_CHECKING:
    from config.values.secrets import Secrets

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
        """A masker of everything secret that a run was given, and of the passwords of this process's proxies."""
        found = proxy_secrets(os.environ)
        for name in type(secrets).model_fields:
            if (value := getattr(secrets, name)) is not None:
                found |= secret_texts(name, value.get_secret_value())
        return cls(found)

    def __call__(self, text: str) -> str:
        """The text without secrets, and without what looks like one."""
        return _without_likely(self.known(redacted(text)))

    def known(self, text: str) -> str:
        """The text without the secrets that were named, and with everything else as it is."""
        if not self._secrets:
            return text
        text = without_secrets(text, self._secrets)
        return text if self._more is None else self._more.sub(MASK, text)

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


def _hexadecimal(secret: str) -> tuple[str, str]:
    raw = secret.encode()
    return raw.hex(), repr(secret)[1:-1]
