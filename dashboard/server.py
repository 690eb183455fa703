"""Serves the page: routes, templates, and the loop that ends when it is asked to."""

from __future__ import annotations

import socket
from pathlib import Path

import jinja2
from aiohttp import web

from config.errors import Refusal
from dashboard import desk_pages, feeds, log_pages, report_pages
from dashboard.context import CONTEXT, Context
from dashboard.security import AsItIs, guard, is_loopback
from dashboard.settings import PageSettings

HERE = Path(__file__).parent
STATIC = {
    "page.css": "text/css",
    "page.js": "text/javascript",
    "charts.js": "text/javascript",
    "lightweight-charts/lightweight-charts.standalone.production.js": "text/javascript",
    "lightweight-charts/LICENSE": "text/plain",
    "lightweight-charts/NOTICE": "text/plain",
    "icon.svg": "image/svg+xml",
}
"""Every file that is served from the package; no other name is."""


def application(settings: PageSettings) -> web.Application:
    """The application of one page."""
    context = Context(settings, jinja2.FileSystemLoader(HERE / "templates"))
    app = web.Application(middlewares=[guard(settings, context.secret, context.kept)])
    app[CONTEXT] = context
    app.router.add_get("/static/{name:.+}", _static)
    # A report has no icon of its own, and a browser then asks for this one.
    app.router.add_get("/favicon.ico", _icon)
    for pages in (desk_pages, log_pages, report_pages, feeds):
        app.add_routes(pages.ROUTES)
    app.on_startup.append(context.start)
    app.on_shutdown.append(context.stop)
    return app


def listening(settings: PageSettings) -> socket.socket:
    """The socket of the page, open before its address is printed.

    Raises
    ------
    Refusal
        The host is not this machine alone, or the port is taken.
    """
    if not is_loopback(settings.host):
        raise Refusal(
            f"--host {settings.host}: the page is for this machine alone; reach it from another through ssh -L"
        )
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((settings.host, settings.port))
        found.listen(128)
    except OSError as error:
        found.close()
        raise Refusal(
            f"--port {settings.port}: cannot be used ({error.strerror}); give another, or 0 for a free one"
        ) from None
    return found


def serve(settings: PageSettings, sock: socket.socket) -> None:
    """Serve until SIGINT or SIGTERM."""
    web.run_app(application(settings), sock=sock, print=None, access_log=None, shutdown_timeout=1.0)


async def _static(request: web.Request) -> web.Response:
    name = request.match_info["name"]
    if name not in STATIC:
        raise web.HTTPNotFound
    return await _file(name)


async def _icon(_: web.Request) -> web.Response:
    return await _file("icon.svg")


async def _file(name: str) -> web.Response:
    kind = STATIC[name]
    charset = None if kind == "image/svg+xml" else "utf-8"
    response = AsItIs(body=(HERE / "static" / name).read_bytes(), content_type=kind, charset=charset)
    response.headers["Cache-Control"] = "private, max-age=300"
    return response
