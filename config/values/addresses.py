"""Addresses of venues: encrypted, or on this machine."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit


def on_loopback(url: str) -> bool:
    """Whether an address is one of this machine itself."""
    return _is_loopback_host(urlsplit(url).hostname or "")


def encrypted_abroad(url: str) -> bool:
    """Whether an address is encrypted and of another machine: only then a proxy may stand in between."""
    return urlsplit(url).scheme in ("https", "wss") and not on_loopback(url)


def _is_loopback_host(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def address(value: str, encrypted: str, plain: str) -> str:
    """A checked address: scheme ``encrypted``, or ``plain`` for a loopback host; ValueError says what to write."""
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError(f"write an address such as {encrypted}://host") from None
    if parts.username or parts.password:
        raise ValueError("leave user and password out of the address: secrets come from environment variables")
    if parts.scheme == encrypted and host:
        return value.rstrip("/")
    if parts.scheme == plain and host and _is_loopback_host(host):
        return value.rstrip("/")
    raise ValueError(f"write {encrypted}://…; {plain}:// is accepted for loopback hosts only")
