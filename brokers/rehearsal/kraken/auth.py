"""Keys, signatures and nonces, as Kraken checks them.

The signature is the HMAC-SHA512, by the decoded secret, of the path and the SHA-256 of nonce and body, in base64.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Mapping

from brokers.rehearsal.kraken.errors import INVALID_NONCE, INVALID_SIGNATURE
from config.errors import Refusal

KEY_BYTES, SECRET_BYTES = 42, 64
LARGEST_NONCE = 2**64


def new_keys() -> tuple[str, str]:
    """A key and a secret that nobody knows yet, in Kraken's form."""
    return tuple(base64.b64encode(secrets.token_bytes(n)).decode() for n in (KEY_BYTES, SECRET_BYTES))  # type: ignore[return-value]  # two of them


def signature(secret: bytes, path: str, nonce: str, body: bytes) -> str:
    """What a request has to carry in ``API-Sign``."""
    digest = hashlib.sha256(nonce.encode() + body).digest()
    return base64.b64encode(hmac.new(secret, path.encode() + digest, hashlib.sha512).digest()).decode()


class Keys:
    """The keys that open the account, and the last nonce of each.

    Parameters
    ----------
    pairs : mapping
        Secrets, base64, by key.

    Raises
    ------
    Refusal
        A secret is not base64.
    """

    def __init__(self, pairs: Mapping[str, str]) -> None:
        try:
            self._secrets = {key: base64.b64decode(secret, validate=True) for key, secret in pairs.items()}
        except (binascii.Error, ValueError):
            raise Refusal("--secret is no base64, as a secret of Kraken is; give another or leave it out") from None
        self._nonces: dict[str, int] = {}

    def knows(self, key: str) -> bool:
        """Whether it is one of the account's keys."""
        return key in self._secrets

    def refusal(self, key: str, signed: str, path: str, nonce: object, body: bytes) -> str | None:
        """Why a request of a known key is refused; None for a good one, whose nonce is used up."""
        text = str(nonce) if isinstance(nonce, str | int) and not isinstance(nonce, bool) else ""
        expected = signature(self._secrets[key], path, text, body)
        if not hmac.compare_digest(expected.encode(), signed.encode("utf-8", "replace")):
            return INVALID_SIGNATURE
        if not (text.isascii() and text.isdigit()) or not self._nonces.get(key, -1) < int(text) < LARGEST_NONCE:
            return INVALID_NONCE
        self._nonces[key] = int(text)
        return None
