"""What of the environment must not be read anywhere, told by its variables alone: no settings are loaded for it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl, unquote, urlsplit

KEYS = ("ALPACA_API_KEY", "ALPACA_API_SECRET", "KRAKEN_API_KEY", "KRAKEN_API_SECRET")
DATABASE, NOTIFICATIONS = "DATABASE_URL", "NOTIFY_URLS"
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "ws_proxy", "wss_proxy")
_PARTS = re.compile(r"[\s,/@:?&=#]+")
_ENOUGH = 12
"""Characters of a part of an address that is looked for alone: shorter ones are words and host names."""


def known_secrets(environment: Mapping[str, str]) -> set[str]:
    """Keys of venues, where notifications go with the tokens in it, and passwords of database and proxies."""
    found: set[str] = set()
    for name in (*KEYS, DATABASE, NOTIFICATIONS):
        found |= secret_texts(name, environment.get(name) or "")
    return found | proxy_secrets(environment)


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
        # Of an address the user, the password and the tokens in its path are what is secret.
        addresses = value.replace(",", " ").split()
        found |= {*addresses, *(part for part in _PARTS.split(value) if len(part) >= _ENOUGH)}
        found |= {part for address in addresses for part in _user_info(address)}
    return _as_typed(found)


def proxy_secrets(environment: Mapping[str, str]) -> set[str]:
    """Passwords of the proxies that are set."""
    values = (value for name, value in environment.items() if name.lower() in PROXIES)
    return _as_typed({password for value in values for password in _passwords(value)})


def _as_typed(found: Iterable[str]) -> set[str]:
    # A password that had to be encoded in its address is typed and echoed as it is, too.
    return {*found, *map(unquote, found)}


def _user_info(address: str) -> list[str]:
    head, at, _ = address.partition("://")[2].rpartition("@")
    return head.split(":") if at else []


def _passwords(address: str) -> list[str]:
    _, colon, password = address.partition("://")[2].rpartition("@")[0].partition(":")
    try:
        query = parse_qsl(urlsplit(address).query)
    except ValueError:
        query = []
    asked = [value for name, value in query if "password" in name.lower()]
    return [text for text in (password if colon else "", *asked) if text]
