"""Hostile venues that send answers as nobody should: too long, too late, elsewhere, or with the keys in them."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from tests.hostile.venue import KEY, SECRET, Asked, Handler, Send, Told

ZEROS = b"0" * 2**16
_BOMB: list[bytes] = []
ECHO = (
    f"forbidden: {KEY} {SECRET} {quote(SECRET, safe='')} {base64.b64encode(f'{KEY}:{SECRET}'.encode()).decode()} "
    f"{SECRET.encode().hex()} http://{KEY}:{SECRET}@venue/x"
)


def bomb() -> bytes:
    if not _BOMB:
        pack = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
        zeros = b"[" * 2**20
        _BOMB.append(b"".join([*(pack.compress(zeros) for _ in range(100)), pack.flush()]))
    return _BOMB[0]


def raw(content: bytes, again: bytes = b"", pause_s: float = 0.0) -> Send:
    """Bytes as they are, and then others for as long as somebody reads."""

    def send(handler: Handler, asked: Asked, told: Told) -> None:
        handler.close_connection = True
        handler.wfile.write(content)
        over = handler.owner.hostility.over
        while again and not over.wait(pause_s):
            handler.wfile.write(again)

    return send


def refused(status: int, **headers: str) -> Send:
    """A refusal that repeats the keys in every spelling."""
    body = json.dumps({"code": 40010001, "message": ECHO}).encode()
    return lambda handler, asked, told: handler.plain(Told(status, None), body, **headers)


def packed(times: int = 1, of: Callable[[], bytes] = bomb) -> Send:
    def send(handler: Handler, asked: Asked, told: Told) -> None:
        handler.plain(told, of(), Content_Encoding=", ".join(["gzip"] * times))

    return send


def elsewhere(status: int) -> Send:
    """To another host, which listens."""

    def send(handler: Handler, asked: Asked, told: Told) -> None:
        handler.plain(Told(status, None), b"", Location="http://127.0.0.1:9/v2/account")

    return send


def hang(handler: Handler, asked: Asked, told: Told) -> None:
    handler.close_connection = True
    handler.owner.hostility.over.wait(3)


def hang_up(handler: Handler, asked: Asked, told: Told) -> None:
    handler.close_connection = True


def short(handler: Handler, asked: Asked, told: Told) -> None:
    """Promises more than it sends."""
    handler.close_connection = True
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n" + json.dumps(told.body).encode())


def other_encoding(handler: Handler, asked: Asked, told: Told) -> None:
    handler.plain(told, json.dumps(told.body).encode("utf-16"), Content_Type="text/html; charset=klingon")


def smuggled(handler: Handler, asked: Asked, told: Told) -> None:
    """Two answers to one request: the second would be the next one's."""
    body = json.dumps({"id": "smuggled", "equity": "1", "message": "x"}).encode()
    handler.plain(told)
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


HEAD = b"HTTP/1.1 200 OK\r\n"
SENDS: dict[str, Send] = {
    "100 MB in a packed answer": packed(),
    "packed twice": packed(2),
    "a body without an end": raw(HEAD + b"\r\n", ZEROS),
    "parts without an end": raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + ZEROS + b"\r\n"),
    "headers without an end": raw(HEAD, b"x: y\r\n" * 5_000),
    "a byte now and then": raw(HEAD + b"Content-Length: 99\r\n\r\n", b" ", 0.05),
    "never an answer": hang,
    "no answer": hang_up,
    "less than it promises": short,
    "no HTTP": raw(b"\x16\x03\x01\x02\x00 go away\r\n\r\n"),
    "another encoding": other_encoding,
    "two answers to one request": smuggled,
    "a redirect, 302": elsewhere(302),
    "a redirect, 307": elsewhere(307),
    "a redirect, 308": elsewhere(308),
    "a refusal with the keys in it": refused(422),
    "keys not known, with the keys in it": refused(401),
    "an error with the keys in it": refused(500),
    "too many requests for ever": refused(429, X_RateLimit_Reset="253402300799", X_RateLimit_Limit="0"),
    "a status of 999": lambda handler, asked, told: handler.plain(Told(999, None), b"{}"),
}  # fmt: skip


STREAMS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "a stream of junk": lambda event: {"order": [1]},
    "a stream without orders": lambda event: {"event": "fill"},
    "fills of 999,999 for a cent": lambda event: {**event, "event": "fill", "qty": "999999", "price": "0.01"},
    "fills of another symbol": lambda event: {**event, "order": {**event["order"], "symbol": "TSLA", "side": "sell"}},
    "fills in the year 9999": lambda event: {**event, "timestamp": "9999-12-31T23:59:59Z"},
    "every order filled twice over": lambda event: {
        **event, "event": "fill", "qty": event["order"]["qty"], "price": "100",
        "order": {**event["order"], "status": "filled", "filled_qty": "100", "filled_avg_price": "100"},
    },
}  # fmt: skip
