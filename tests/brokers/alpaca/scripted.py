"""A server that does what a test tells it: answers, hangs, drips, hangs up."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from brokers.alpaca.client import VenueClient
from brokers.alpaca.http import Timeouts

KEY, SECRET = "PKTHEKEYOFTHETEST", "the-secret-of-the-test"

Script = Callable[["Handler"], None]


@dataclass
class Asked:
    method: str
    path: str
    query: dict[str, str]
    body: Any
    headers: dict[str, str]


@dataclass
class Server:
    """Answers come in turn; the last one is given again and again."""

    url: str = ""
    scripts: list[Script] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._mutex = threading.Lock()

    def next(self, asked: Asked) -> Script:
        with self._mutex:
            self.asked.append(asked)
            return self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]

    def count(self, method: str) -> int:
        return sum(asked.method == method for asked in self.asked)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    script: Server

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except OSError:
            self.close_connection = True

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        asked = Asked(self.command, parts.path, dict(parse_qsl(parts.query)), body, dict(self.headers))
        self.asked = asked
        self.script.next(asked)(self)

    do_POST = do_PATCH = do_DELETE = do_GET  # noqa: N815  # http.server's names

    def log_message(self, *args: Any) -> None:
        pass


def answer(body: Any = None, status: int = 200, **headers: str) -> Script:
    """Any status and body; text goes as it is."""
    content = (body if isinstance(body, str) else json.dumps(body)).encode() if body is not None else b""

    def give(handler: Handler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(content)

    return give


def computed(body: Callable[[Asked], Any]) -> Script:
    """An answer that depends on the request."""
    return lambda handler: answer(body(handler.asked))(handler)


def hang(handler: Handler) -> None:
    handler.script.over.wait(10)
    handler.close_connection = True


def hang_up(handler: Handler) -> None:
    """Close after the request was read, before any answer."""
    handler.close_connection = True


def break_off(handler: Handler) -> None:
    """Promise more than is sent."""
    handler.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"id":')
    handler.close_connection = True


def drip(content: bytes) -> Script:
    """A byte every 20 ms, each well within any timeout of a single read."""

    def give(handler: Handler) -> None:
        handler.close_connection = True
        for at in range(len(content)):
            handler.wfile.write(content[at : at + 1])
            if handler.script.over.wait(0.02):
                return

    return give


@contextmanager
def serving(*scripts: Script) -> Iterator[Server]:
    script = Server(scripts=list(scripts))
    handler = type("Scripted", (Handler,), {"script": script})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    script.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield script
    finally:
        script.over.set()
        server.shutdown()
        server.server_close()


def client_of(url: str, **more: Any) -> VenueClient:
    """A client whose orders are all admitted, with short timeouts."""
    more = {"timeouts": Timeouts(connect_s=0.3, read_s=0.3, max_wait_s=0.3)} | more
    client = VenueClient(KEY, SECRET, paper=True, trading_url=url, data_url=url, **more)
    client.trading.admit = lambda method, path, body: True
    return client


class FakeClock:
    """Seconds that pass when somebody sleeps."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
