"""A transport that keeps to a deadline as a whole, and knows whether anything was sent.

The timeouts of requests hold for one read of the socket: a server that sends a byte now and then is waited for
as long as it likes, in the headers as in the body. Here each read gets what is left of the request's time.
"""

from __future__ import annotations

import io
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from http.client import HTTPResponse
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import NewConnectionError
from urllib3.util.connection import create_connection

from brokers.network.dns import Names

LEAST_S = 0.001
LOOKUP_SHARE = 0.5
"""Part of the time to connect that may go into finding the address."""
HEADERS = 64 * 2**10
"""Bytes of an answer that may be headers and the marks between the parts of its body."""
NAMES = Names()


class AnswerTooLarge(OSError):
    """The venue sends more than any answer of its has reason to be."""


@dataclass(slots=True)
class Attempt:
    """One request: it ends at ``deadline`` (local monotonic seconds); ``written`` once a byte of it may have left.

    ``readable`` is how many bytes its answer may still have, headers included.
    """

    deadline: float
    readable: int
    written: bool = False

    @property
    def left(self) -> float:
        """Seconds until the deadline."""
        return self.deadline - time.monotonic()


_attempt: ContextVar[Attempt | None] = ContextVar("attempt", default=None)


@contextmanager
def attempt(seconds: float, most_bytes: int) -> Iterator[Attempt]:
    """Bound what this thread sends and reads inside; the body of the answer has to be read inside as well."""
    mine = Attempt(time.monotonic() + seconds, most_bytes + HEADERS)
    token = _attempt.set(mine)
    try:
        yield mine
    finally:
        _attempt.reset(token)


class _TimedReader(io.RawIOBase):
    """Reads a socket, each time for as long as the request still has."""

    def __init__(self, raw: Any, sock: socket.socket) -> None:
        self._raw = raw
        self._sock = sock
        self._most = sock.gettimeout()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if (current := _attempt.get()) is not None:
            # Read once: it may be over between a check and its use.
            if (left := current.left) <= 0:
                raise TimeoutError("the time of the request is over")
            self._sock.settimeout(left if self._most is None else min(left, self._most))
        count: int | None = self._raw.readinto(buffer)
        if current is not None:
            current.readable -= count or 0
            if current.readable < 0:
                raise AnswerTooLarge("the answer does not end")
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _TimedResponse(HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **more: Any) -> None:
        super().__init__(sock, *args, **more)
        self.fp = io.BufferedReader(_TimedReader(self.fp.detach(), sock))


class _Connection(HTTPConnection):
    response_class = _TimedResponse

    def _new_conn(self) -> socket.socket:
        """Find the host and try its addresses within one connect timeout, which urllib3 would grant to each of them.

        What is left of it is for the handshake of an encrypted connection.
        """
        most = self.timeout or 0.0
        ends = time.monotonic() + most
        try:
            addresses = NAMES.addresses(self._dns_host.strip("[]"), most * LOOKUP_SHARE)
        except OSError as error:
            raise NewConnectionError(self, str(error)) from error
        failure: OSError | None = None
        for at, address in enumerate(addresses):
            share = (ends - time.monotonic()) / (len(addresses) - at)
            try:
                sock = create_connection(
                    (address, self.port), max(share, LEAST_S), self.source_address, self.socket_options
                )
                sock.settimeout(max(ends - time.monotonic(), LEAST_S))
                return sock
            except OSError as error:
                failure = error
        raise NewConnectionError(self, f"no connection ({type(failure).__name__})")

    def connect(self) -> None:
        super().connect()
        if (current := _attempt.get()) is not None:
            # What a proxy was told to reach the venue is not the request.
            current.written = False
            self.sock.settimeout(max(current.left, LEAST_S))

    def send(self, data: Any) -> None:
        if self.sock is None and self.auto_open:
            self.connect()
        if (current := _attempt.get()) is not None:
            current.written = True
        super().send(data)


class _TlsConnection(_Connection, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


_POOLS = {"http": _Pool, "https": _TlsPool}


class DeadlineAdapter(HTTPAdapter):
    """Carries requests for a session; none is repeated, not even where a kept connection turns out to be closed."""

    def __init__(self) -> None:
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **more: Any) -> None:
        super().init_poolmanager(*args, **more)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *args: Any, **more: Any) -> Any:
        manager = super().proxy_manager_for(*args, **more)
        manager.pool_classes_by_scheme = _POOLS
        return manager
