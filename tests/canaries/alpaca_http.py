"""The pure exchange behind real HTTP, for clients that can't be handed an object."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from brokers.rehearsal.alpaca.errors import ApiError
from tests.brokers.rehearsal.venue import Venue


class Desk:
    """What was asked of a venue: ``posts`` are the bodies of new orders, ``asked`` method, path and query."""

    def __init__(self, venue: Venue) -> None:
        self.venue = venue
        self.posts: list[dict[str, Any]] = []
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.post_status: int | None = None
        self.url = ""

    def answer(self, method: str, path: str, query: dict[str, str], body: dict[str, Any]) -> tuple[int, Any]:
        self.asked.append((method, path, query))
        venue, name = self.venue, unquote(path.rpartition("/")[2])
        try:
            if method == "POST":
                self.posts.append(body)
                return (self.post_status, {}) if self.post_status else (200, venue.submit(body))
            if method == "PATCH":
                return 200, venue.replace(name, body)
            if method == "DELETE":
                return 204, venue.cancel(name)
            if path == "/v2/orders":
                nested = query.get("nested") == "true"
                return 200, venue.orders(query.get("status", "open"), int(query.get("limit", 50)), nested=nested)
            if path.startswith("/v2/orders/"):
                return 200, venue.order(name)
            return 200, {"account": venue.account, "positions": venue.positions, "clock": venue.clock}[name]()
        except ApiError as error:
            return error.status, error.body


@contextmanager
def served(venue: Venue) -> Iterator[Desk]:
    """The venue at ``url`` for a while."""
    desk = Desk(venue)

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            url = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else {}
            query = {key: values[0] for key, values in parse_qs(url.query).items()}
            status, answer = desk.answer(self.command, url.path, query, body)
            data = b"" if status == 204 else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PATCH = do_DELETE = _serve  # noqa: N815  # http.server's names

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    desk.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield desk
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
