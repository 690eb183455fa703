"""Who may ask and what goes out: this machine alone, with the token, reading only, and nothing that is secret."""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from urllib.parse import quote, urlsplit

from aiohttp import web
from aiohttp.typedefs import Middleware

from config.errors import Refusal
from config.values.masker import masked
from dashboard.kept_answers import KeptAnswers
from dashboard.settings import LOOPBACK, PageSettings

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
REPORT_POLICY = (
    "sandbox allow-same-origin; default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; font-src data:"
)
"""For pages that runs left: they are shown with their pictures, and nothing in them runs."""
HEADERS = {
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
READS = frozenset({"GET", "HEAD"})
HEALTH = "/healthz"
"""Whether the page is up, for a supervisor: a word that tells nothing, the only one without the token."""
OWN_SITE = frozenset({"same-origin", "none", ""})
MASKED_TYPES = ("text/html", "application/json", "text/plain")

log = logging.getLogger(__name__)


class AsItIs(web.Response):
    """An answer that is a file of the package or a picture: nothing is taken out of it."""


def guard(settings: PageSettings, secret: Callable[[], str], kept: KeptAnswers) -> Middleware:
    """The middleware that stands before every page.

    Parameters
    ----------
    settings : PageSettings
    secret : callable
        What must be in no answer besides what looks like a key: the account's number.
    kept : KeptAnswers
    """

    async def masked_answer(request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await handler(request)
        if type(response) is web.Response and response.content_type in MASKED_TYPES:
            response.text = masked(response.text or "", secret())
        return response

    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            refuse(request, settings)
            if request.path == HEALTH:
                return _with_headers(web.Response(text="ok\n"))
            if (answer := admitted(request, settings)) is not None:
                return _with_headers(answer)
            return _with_headers(await kept.answer(request, lambda: masked_answer(request, handler)))
        except web.HTTPException as error:
            if error.status < 400:
                raise
            response = web.Response(text=f"{error.status} {error.reason}\n", status=error.status)
        except Refusal as refusal:
            response = web.Response(text=f"{refusal}\n", status=503)
        except (ConnectionError, TimeoutError):
            raise
        except Exception as error:
            log.exception("a page failed: %s", type(error).__name__)
            response = web.Response(text="500 this page failed; the log of the dashboard tells why\n", status=500)
        response.text = masked(response.text or "", secret())
        return _with_headers(response)

    return guarded


def refuse(request: web.Request, settings: PageSettings) -> None:
    """Refuse what no reader of this page sends.

    Raises
    ------
    web.HTTPException
        Another host's name (a name of another site that was pointed here), another site's request, another method, an
        address with the character NUL, which a database takes in no text.
    """
    if not _ours(request.headers.get("Host", ""), request):
        raise web.HTTPForbidden(reason="this page answers to 127.0.0.1 and localhost alone")
    if any("\0" in text for text in (request.path, *request.query.values())):
        raise web.HTTPBadRequest(reason="an address of this page holds no NUL")
    if request.method not in READS:
        raise web.HTTPMethodNotAllowed(request.method, READS)
    if request.headers.get("Sec-Fetch-Site", "") not in OWN_SITE:
        raise web.HTTPForbidden(reason="asked for by another site")
    origin = request.headers.get("Origin")
    if origin is not None and not (origin.startswith("http://") and _ours(urlsplit(origin).netloc, request)):
        raise web.HTTPForbidden(reason="asked for by another site")


def admitted(request: web.Request, settings: PageSettings) -> web.Response | None:
    """None for a reader with the cookie or the token in a header; with the token in the address, the way in.

    Raises
    ------
    web.HTTPUnauthorized
    """
    cookie = f"risk_first_{_port(request)}"
    given = request.query.get("token")
    if given is not None and _same(given, settings.token):
        answer = web.Response(status=303, headers={"Location": quote("/" + request.path.lstrip("/\\"))})
        answer.set_cookie(cookie, settings.token, httponly=True, samesite="Strict", path="/")
        return answer
    scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
    if _same(request.cookies.get(cookie, ""), settings.token):
        return None
    if scheme.lower() == "bearer" and _same(bearer.strip(), settings.token):
        return None
    raise web.HTTPUnauthorized(reason="open the address that the dashboard printed, with its token")


def _same(given: str, token: str) -> bool:
    return secrets.compare_digest(given.encode("utf-8", "surrogateescape"), token.encode())


def _ours(netloc: str, request: web.Request) -> bool:
    """Whether a host with a port is this page's own."""
    try:
        parts = urlsplit(f"//{netloc}")
        return parts.hostname in LOOPBACK and (parts.port or 80) == _port(request) and parts.username is None
    except ValueError:
        return False


def _port(request: web.Request) -> int:
    found = request.transport.get_extra_info("sockname") if request.transport is not None else None
    return int(found[1]) if found else 0


def is_loopback(host: str) -> bool:
    """Whether an address is one of this machine alone."""
    if host == "localhost":
        return True
    try:
        return ip_address(re.sub(r"^\[(.*)\]$", r"\1", host)).is_loopback
    except ValueError:
        return False


def _with_headers(response: web.StreamResponse) -> web.StreamResponse:
    if not response.prepared:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        response.headers.setdefault("Content-Security-Policy", POLICY)
    return response
