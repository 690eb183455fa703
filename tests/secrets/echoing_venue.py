"""A rehearsal exchange behind a server that repeats secrets: in texts, headers, refusals and the stream's handshake."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

REFUSED_ORDERS, REFUSED_STREAMS, ERRORS = 1, 2, 2
"""So many of the first are answered with nothing but secrets."""
DROPPED = {"connection", "transfer-encoding", "content-length", "host"}


class Repeating(BaseHTTPRequestHandler):
    """Serves one connection; ``words`` are repeated one after another, so that each comes soon."""

    protocol_version = "HTTP/1.1"
    upstream: int
    words: Sequence[str]
    met: Counter[str]

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Upgrade"):
            self._stream()
            return
        self.met["requests"] += 1
        place = self.met["requests"]
        said = " ".join(self.words)
        if self.command == "POST" and self.path.endswith("/orders") and self._one_of("refused orders", REFUSED_ORDERS):
            self._answer(403, {"code": 40310000, "message": f"no buying power: {said}", "reason": said})
            return
        if self.command == "GET" and place % 9 == 0 and self._one_of("errors", ERRORS):
            self._answer(500, {"message": said})
            return
        line = http.client.HTTPConnection("127.0.0.1", self.upstream, timeout=30)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in DROPPED}
        line.request(self.command, self.path, body or None, headers)
        answer = line.getresponse()
        content = answer.read()
        line.close()
        told: Any = json.loads(content) if content.strip() else None
        self._answer(answer.status, repeated(told, said))

    do_POST = do_PATCH = do_DELETE = do_GET  # noqa: N815  # http.server's names

    def _answer(self, status: int, told: Any) -> None:
        content = b"" if told is None else json.dumps(told).encode()
        self.send_response(status, "OK")
        for number, word in enumerate(self.words):
            self.send_header(f"X-Echo-{number}", word)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _one_of(self, kind: str, first: int) -> bool:
        self.met[kind] += 1
        return self.met[kind] <= first

    def _stream(self) -> None:
        """Turned away with secrets at first, handed on to the exchange after that."""
        self.close_connection = True
        if self._one_of("refused streams", REFUSED_STREAMS):
            self._answer(503, {"msg": " ".join(self.words)})
            return
        with socket.create_connection(("127.0.0.1", self.upstream)) as line:
            head = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
            line.sendall(f"{self.command} {self.path} HTTP/1.1\r\n{head}\r\n".encode())
            threading.Thread(target=_handed_on, args=(line, self.connection), daemon=True).start()
            _handed_on(self.connection, line)

    def log_message(self, *args: object) -> None:
        return


def repeated(told: Any, said: str) -> Any:
    """An answer with more in it than a client asks for, as venues add to theirs."""
    if isinstance(told, list):
        return [repeated(part, said) for part in told]
    if not isinstance(told, dict):
        return told
    more = {"note": said, "message": said}
    more |= {"name": said} if "name" in told else {}
    return {key: repeated(value, said) for key, value in told.items()} | {k: v for k, v in more.items() if "id" in told}


def _handed_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


@contextmanager
def echoing(upstream: int, words: Sequence[str]) -> Iterator[tuple[str, Counter[str]]]:
    """Its address, and how often it did what."""
    met: Counter[str] = Counter()
    handler = type("Handler", (Repeating,), {"upstream": upstream, "words": words, "met": met})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", met
    finally:
        server.shutdown()
        server.server_close()
