"""One request, sent once, and its whole answer: within its time, and within a size that any real answer keeps.

A packed answer of a few megabytes can unpack to hundreds, and a body can go on for as long as there is time. Both are
counted here: what comes over the wire, and what it unpacks to, which is never held beyond the limit.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests
from urllib3.exceptions import HTTPError

from brokers.network.transport import AnswerTooLarge, attempt
from config.values.addresses import encrypted_abroad

MOST_BYTES = 16 * 2**20
"""Of an answer, packed or not. The largest that a venue has reason to give, 10,000 bars or a listing of 500 orders
with their legs, is a tenth of it."""
PACKED = "gzip, deflate"
"""What an answer may be packed with, once."""
_CHUNK = 64 * 2**10
_GZIP, _ZLIB = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS


class BodyUnreadable(OSError):
    """The body is packed in a way that was not asked for, or is damaged."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers and the body, unpacked."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Unanswered:
    """No answer; ``written`` once a byte of the request may have left, ``why`` the name of the error."""

    why: str
    written: bool


def sent_once(
    session: requests.Session,
    request: requests.PreparedRequest,
    *,
    seconds: float,
    connect_s: float,
    read_s: float,
    most_bytes: int = MOST_BYTES,
) -> Answer | Unanswered:
    """Send a request; no redirect is followed, nothing is repeated, and no cookie kept.

    Parameters
    ----------
    session : requests.Session
        Whose adapter is a ``DeadlineAdapter``.
    request : requests.PreparedRequest
    seconds, connect_s, read_s : float
        Local seconds for all of it, to connect, and for a read.
    most_bytes : int
        Of the answer, as sent and unpacked.
    """
    url = str(request.url)
    settings = _environment(session, url)
    request.headers["Accept-Encoding"] = PACKED
    failure = ""
    with attempt(seconds, most_bytes) as sent:
        try:
            # Not by Session.send, which reads the body of a redirect whole, whatever its size.
            response = session.get_adapter(url).send(
                request, timeout=(min(connect_s, seconds), min(read_s, seconds)), **settings
            )
            with response:
                return Answer(response.status_code, response.headers, _body(response, most_bytes))
        except (requests.RequestException, HTTPError, OSError) as error:
            failure = type(error).__name__
    # Out of the handler: the error in there carries the request, and with it the keys.
    return Unanswered(failure, sent.written)


def _environment(session: requests.Session, url: str) -> Mapping[str, Any]:
    """Proxies and certificates by the environment; read once for a host, as the look takes as long as a request."""
    host = "/".join(url.split("/", 3)[:3])
    known: dict[str, Mapping[str, Any]] = session.__dict__.setdefault("environment_of", {})
    if host not in known:
        settings = session.merge_environment_settings(url, {}, True, None, None)
        if not encrypted_abroad(url):
            # Keys in plain text are for this machine alone, and no proxy reaches its loopback.
            settings["proxies"] = {}
        known[host] = settings
    return known[host]


def _body(response: requests.Response, most_bytes: int) -> bytes:
    unpack = _unpacker(response.headers.get("Content-Encoding", ""))
    parts, left = list[bytes](), most_bytes
    while chunk := response.raw.read(_CHUNK, decode_content=False):
        part = chunk if unpack is None else _unpacked(unpack, chunk, left + 1)
        left -= len(part)
        if left < 0:
            raise AnswerTooLarge(f"the answer has more than {most_bytes} bytes")
        parts.append(part)
    if unpack is not None and parts and not unpack.eof:
        raise BodyUnreadable("the packed answer breaks off")
    return b"".join(parts)


def _unpacker(encoding: str) -> Any:
    match encoding.strip().lower():
        case "" | "identity":
            return None
        case "gzip" | "x-gzip":
            return zlib.decompressobj(_GZIP)
        case "deflate":
            return zlib.decompressobj(_ZLIB)
    raise BodyUnreadable("the answer is packed in a way that was not asked for")


def _unpacked(unpack: Any, chunk: bytes, most: int) -> bytes:
    try:
        part: bytes = unpack.decompress(chunk, most)
    except zlib.error:
        raise BodyUnreadable("the packed answer is damaged") from None
    if unpack.unused_data:
        raise BodyUnreadable("the packed answer goes on after its end")
    return part
