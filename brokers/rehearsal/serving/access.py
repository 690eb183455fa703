"""Who may speak to a rehearsal venue at all: decided by headers alone, before anything is counted or read.

A page in a browser of the same machine can reach a listener on loopback, by its address or by a name of its own that
resolves to it. Its requests carry an Origin or a Host that is not of this machine, and are turned away.
"""

from __future__ import annotations

import hmac
import ipaddress
import secrets
from collections.abc import Mapping
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

LONGEST_BODY = 64 * 1024
"""Bytes; the longest order of any face takes less than a tenth of it."""


def new_keys() -> tuple[str, str]:
    """A key and a secret that nobody knows yet."""
    return f"PK{secrets.token_hex(9).upper()}", secrets.token_urlsafe(30)


class KeyRing:
    """The keys that open the account; each is told from the others only in what is counted."""

    def __init__(self, pairs: Mapping[str, str]) -> None:
        self._pairs = dict(pairs)

    def opens(self, key: object, secret: object) -> bool:
        """Whether key and secret belong together; takes as long for a wrong secret as for a right one."""
        if not isinstance(key, str) or not isinstance(secret, str):
            return False
        known = self._pairs.get(key, "")
        return hmac.compare_digest(known.encode(), secret.encode("utf-8", "replace")) and key in self._pairs


def refuse_foreign_pages(host: str) -> Middleware:
    """Middleware that lets in clients that know the listener by its address; ``host`` is where it listens."""
    here = _address(host)
    loopback = host == "localhost" or (here is not None and here.is_loopback)

    def known(name: str | None) -> bool:
        if name in ("localhost", host):
            return True
        # A name can be made to resolve to any address; an address in its place cannot.
        address = _address(name or "")
        return address is not None and (address.is_loopback or not loopback)

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        origin = request.headers.get("Origin")
        if not known(_name(f"//{request.headers.get('Host', '')}")):
            reason = "the Host of the request is not this machine's address"
        elif origin is not None and not known(_name(origin)):
            reason = "the Origin of the request is a page from elsewhere"
        else:
            try:
                return await handler(request)
            except ConnectionResetError:
                # It has left before its answer, which is no fault of anybody's; what is returned reaches nobody.
                return refusal(400, "the client has left")
        return refusal(403, reason)

    return check


def refusal(status: int, message: str) -> web.Response:
    """An answer that ends the connection, so that no unread body is waited for."""
    answer = web.json_response({"message": message}, status=status)
    answer.force_close()
    return answer


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _name(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None
