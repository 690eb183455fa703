"""What of the environment must not be read anywhere, told by its variables alone: no settings are loaded for it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl, unquote, urlsplit

KEYS = ("ALPACA_API_KEY", "ALPACA_API_SECRET", "KRAKEN_API_KEY", "KRAKEN_API_SECRET")
DATABASE, NOTIFICATIONS = "DATABASE_URL", "NOTIFY_URLS"
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "ws_proxy", "wss_proxy")
_PARTS = re.compile(r"[\s,/@:?&=#]+")
_HOST = re.compile(r"[A-Za-z-]+(?:\.[A-Za-z-]+)+")
_ENOUGH = 12
"""Characters of a part of an address that is looked for alone: shorter ones are words and host names."""
_KEY_LIKE = re.compile(r"(?=.*[0-9])(?=.*[A-Za-z]).{16,}")
"""A user of an address that is a key by itself; others are names, which stand in the paths of their home, too."""


def known_secrets(environment: Mapping[str, str]) -> set[str]:
    """Keys of venues, where notifications go with the tokens in it, and passwords of database and proxies."""
    found: set[str] = set()
    for name in (*KEYS, DATABASE, NOTIFICATIONS):
        found |= told_apart(name, environment.get(name) or "")
    return {text for text in found | proxy_secrets(environment) if not _is_word(text)}


def told_apart(name: str, value: str) -> set[str]:
    """What is secret of one variable and can be told from words, which stand in any text."""
    return {text for text in secret_texts(name, value) if not _is_word(text)}


def secret_texts(name: str, value: str) -> set[str]:
    """What is secret of one variable: all of it, and of an address also the parts that are secret by themselves."""
    if not value:
        return set()
    if name == DATABASE:
        # Host, user and the path of a file are no secrets, and words such as postgres would be blackened everywhere.
        passwords = _passwords(value)
        return _as_typed({value, *passwords} if passwords or "://" not in value else set())
    found = {value}
    if "://" in value:
        # Of an address the password, the tokens in its path and a user that is a key are what is secret.
        addresses = value.replace(",", " ").split()
        parts = (part for address in addresses for part in _PARTS.split(address.partition("://")[2].rpartition("@")[2]))
        found |= {*addresses, *(part for part in parts if len(part) >= _ENOUGH and not _HOST.fullmatch(part))}
        found |= {part for address in addresses for part in _user_info(address)}
    return _as_typed(found)


def proxy_secrets(environment: Mapping[str, str]) -> set[str]:
    """Passwords of the proxies that are set."""
    values = (value for name, value in environment.items() if name.lower() in PROXIES)
    return _as_typed({password for value in values for password in _passwords(value)})


def _is_word(text: str) -> bool:
    return len(text) < _ENOUGH and text.isalpha()


def _as_typed(found: Iterable[str]) -> set[str]:
    # A password that had to be encoded in its address is typed and echoed as it is, too.
    return {*found, *map(unquote, found)}


def _user_info(address: str) -> list[str]:
    head, at, _ = address.partition("://")[2].rpartition("@")
    user, _, password = head.partition(":")
    return [text for text in (password, *([user] if _KEY_LIKE.fullmatch(user) else ())) if at and text]


def _passwords(address: str) -> list[str]:
    _, colon, password = address.partition("://")[2].rpartition("@")[0].partition(":")
    try:
        query = parse_qsl(urlsplit(address).query)
    except ValueError:
        query = []
    asked = [value for name, value in query if "password" in name.lower()]
    return [text for text in (password if colon else "", *asked) if text]
