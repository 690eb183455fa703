"""The door of the venue: keys, rate limit, mishaps, log, and then the answer."""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from aiohttp import web

from brokers.rehearsal.network_faults import Fault, Mishap, NetworkFaults
from brokers.rehearsal.rate import RateLimit
from brokers.rehearsal.rest import NO_CONTENT, Answer, Routes
from brokers.rehearsal.sockets import KeyCheck

LONGEST_LOG = 100_000
Hook = Callable[[int, str, str, Literal["before", "after"]], None]

TOO_MANY = Answer(429, {"message": "too many requests."})
SERVER_ERROR = Answer(500, {"code": 50010000, "message": "internal server error occurred"})
TIMED_OUT = Answer(504, {"message": "The upstream server is timing out"})
UNPROCESSED = {Mishap.TOO_MANY: TOO_MANY, Mishap.SERVER_ERROR: SERVER_ERROR}


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """One request and what became of it.

    Parameters
    ----------
    number : int
        Counts all requests from 1.
    venue_time : datetime
    local_time : float
        Seconds of the monotonic clock.
    method, path : str
    query : mapping
    payload : object
        The JSON body; None if it was none.
    status : int, optional
        Of the answer; None where none was given.
    answer : object
        What the venue made of it, for requests that change orders or positions; also where it was not delivered.
    mishap : Mishap, optional
    """

    number: int
    venue_time: datetime
    local_time: float
    method: str
    path: str
    query: Mapping[str, str]
    payload: object
    status: int | None
    answer: object
    mishap: Mishap | None


class Gateway:
    """Takes every request that is no stream.

    Parameters
    ----------
    routes : Routes
    keys : tuple of str
    faults : NetworkFaults
    catch_up : callable
        Brings the venue to the present.
    now : callable
        The venue's time.
    new_limit : callable
        Makes a rate limit; trading and market data have one each, as at Alpaca.
    """

    def __init__(
        self,
        routes: Routes,
        keys: KeyCheck,
        faults: NetworkFaults,
        catch_up: Callable[[], None],
        now: Callable[[], datetime],
        new_limit: Callable[[], RateLimit],
    ) -> None:
        self._routes, self._keys, self._faults, self._catch_up, self._now = routes, keys, faults, catch_up, now
        self._trading, self._data = new_limit(), new_limit()
        self._count = 0
        self.log: deque[LoggedRequest] = deque(maxlen=LONGEST_LOG)
        self.hooks: list[Hook] = []
        self.closing = asyncio.Event()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a request, or not."""
        raw = await request.read()
        self._count += 1
        number, method, path = self._count, request.method, request.path
        self._tell(number, method, path, "before")
        limit = self._data if path.startswith("/v2/stocks") else self._trading
        within, fault = limit.take(), self._faults.take(method, path)
        mishap = fault.mishap if fault is not None else None
        endless = fault is not None and fault.seconds is None
        unseen = mishap is Mishap.DROP_BEFORE or (mishap is Mishap.HANG_BEFORE and endless)
        if fault is not None and mishap is Mishap.HANG_BEFORE and not endless:
            await self._hang(fault)
        refused = self._refused(request, within) or (UNPROCESSED.get(mishap) if mishap is not None else None)
        payload, answer = _read(raw), refused
        if refused is None and not unseen:
            self._catch_up()
            answer = self._routes.answer(method, path, request.query, payload)
        said = TIMED_OUT if mishap is Mishap.TIMEOUT_AFTER and refused is None else answer
        lost = unseen or mishap is Mishap.DROP_AFTER or (mishap is Mishap.HANG_AFTER and endless)
        # Not what listings answered: a long rehearsal would fill the memory with them.
        told = method != "GET" and path.startswith(("/v2/orders", "/v2/positions"))
        self.log.append(
            LoggedRequest(
                number, self._now(), time.monotonic(), method, path, dict(request.query), payload,
                None if lost or said is None else said.status,
                answer.body if told and answer is not None else None, mishap,
            )
        )  # fmt: skip
        if refused is None and not unseen:
            self._tell(number, method, path, "after")
        if fault is not None and (mishap is Mishap.HANG_AFTER or (mishap is Mishap.HANG_BEFORE and endless)):
            await self._hang(fault)
        if lost or said is None:
            return _break(request)
        headers = {**limit.headers(), "X-Request-ID": f"{number:032x}"}
        if said.status == NO_CONTENT:
            return web.Response(status=said.status, headers=headers)
        text = json.dumps(said.body)
        return web.Response(status=said.status, text=text, content_type="application/json", headers=headers)

    def _refused(self, request: web.Request, within: bool) -> Answer | None:
        """What is answered before anybody looks at the request."""
        key = request.headers.get("APCA-API-KEY-ID"), request.headers.get("APCA-API-SECRET-KEY")
        if not all(key):
            return Answer(401, {"message": "unauthorized."})
        if key != self._keys:
            return Answer(403, {"message": "forbidden."})
        return None if within else TOO_MANY

    def _tell(self, number: int, method: str, path: str, phase: Literal["before", "after"]) -> None:
        for hook in self.hooks:
            hook(number, method, path, phase)

    async def _hang(self, fault: Fault) -> None:
        try:
            await asyncio.wait_for(self.closing.wait(), fault.seconds)
        except TimeoutError:
            return


def _break(request: web.Request) -> web.Response:
    """Break the connection without an answer; what is returned reaches nobody."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _read(raw: bytes) -> object:
    """The JSON body, an empty object where there is none; None for one that can't be read."""
    try:
        return json.loads(raw) if raw else {}
    except ValueError:
        return None
