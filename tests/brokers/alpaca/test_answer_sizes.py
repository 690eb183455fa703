"""Answers that are too large, packed or endless: given up within a few megabytes, and known as no answer."""

from __future__ import annotations

import gzip
import json
import tracemalloc
import zlib

import pytest

from brokers.kraken.connection.rates import TIERS, RateModel
from brokers.kraken.connection.rest import KrakenRest
from brokers.network.answer import MOST_BYTES
from brokers.venue_errors import OutcomeUnknown, VenueUnavailable
from tests.brokers.alpaca.scripted import Handler, answer, client_of, serving

LITTLE = json.dumps({"id": "account"}).encode()


def packed(content: bytes, encoding: str = "gzip", status: int = 200):
    def give(handler: Handler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(content)))
        handler.send_header("Content-Encoding", encoding)
        handler.send_header("Location", "/v2/account")
        handler.end_headers()
        handler.wfile.write(content)

    return give


def bomb(megabytes: int) -> bytes:
    unpack = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    zeros = b"0" * 2**20
    return b"".join([*(unpack.compress(zeros) for _ in range(megabytes)), unpack.flush()])


def endless(head: bytes, part: bytes):
    def give(handler: Handler) -> None:
        handler.close_connection = True
        handler.wfile.write(head)
        while not handler.script.over.is_set():
            handler.wfile.write(part)

    return give


HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
BOMB = bomb(200)
ZEROS = b"0" * 2**16
TOO_MUCH = {
    "a packed answer of 200 MB": packed(BOMB),
    "deflated": packed(zlib.compress(b"0" * 2**25), "deflate"),
    "packed twice": packed(gzip.compress(BOMB), "gzip, gzip"),
    "another packing": packed(LITTLE, "br"),
    "broken off": packed(gzip.compress(LITTLE * 9)[:-12]),
    "no gzip": packed(LITTLE),
    "more after its end": packed(gzip.compress(LITTLE) * 2),
    "a redirect of 200 MB": packed(BOMB, status=302),
    "an error of 200 MB": packed(BOMB, status=500),
    "a refusal of 200 MB": packed(BOMB, status=422),
    "a body without an end": endless(HEAD + b"\r\n", ZEROS),
    "parts without an end": endless(CHUNKED, b"10000\r\n" + ZEROS + b"\r\n"),
    "the length of a part without an end": endless(CHUNKED, ZEROS),
    "an extension without an end": endless(CHUNKED + b"1;", ZEROS),
    "trailers without an end": endless(CHUNKED + b"0\r\n", b"x: y\r\n" * 9_000),
    "headers without an end": endless(HEAD, b"x: y\r\n" * 9_000),
    "a header without an end": endless(HEAD + b"x: ", ZEROS),
    "going on without an end": endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1_000),
    "a negative length": endless(HEAD + b"Content-Length: -1\r\n\r\n", ZEROS),
}  # fmt: skip


@pytest.mark.parametrize("what", TOO_MUCH)
def test_an_answer_that_is_too_much_is_none(what):
    with serving(TOO_MUCH[what]) as server:
        client = client_of(server.url)
        tracemalloc.start()
        with pytest.raises(VenueUnavailable):
            client.account()
        with pytest.raises(OutcomeUnknown):
            client.submit({"symbol": "SPY", "client_order_id": "name-1"})
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert most < 4 * MOST_BYTES
        assert len(server.asked) == 2


def test_kraken_is_read_the_same_way():
    with serving(packed(BOMB)) as server:
        rest = KrakenRest("key", "c2VjcmV0", nonce=None, rates=RateModel(next(iter(TIERS.values()))), url=server.url)
        with pytest.raises(VenueUnavailable, match="AnswerTooLarge"):
            rest.request("Time", "public", "GET")


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "deflate", "identity", ""])
def test_a_real_answer_is_unpacked_and_its_connection_kept(encoding):
    pack = {"deflate": zlib.compress, "gzip": gzip.compress, "x-gzip": gzip.compress}.get(encoding, bytes)
    connections = set()

    def give(handler: Handler) -> None:
        connections.add(handler.client_address)
        packed(pack(LITTLE), encoding)(handler)

    with serving(give) as server:
        client = client_of(server.url)
        assert [client.account() for _ in range(3)] == [json.loads(LITTLE)] * 3
    assert len(connections) == 1


def test_an_answer_of_the_largest_size_is_read():
    with serving(answer('{"id": "' + "x" * (MOST_BYTES - 10) + '"}')) as server:
        assert len(client_of(server.url, timeouts=None).account()["id"]) == MOST_BYTES - 10
