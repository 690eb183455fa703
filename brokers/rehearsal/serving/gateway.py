"""Takes every request that is no stream: access, rate limit, mishaps, log, and then the face's answer."""

from __future__ import annotations

import asyncio
import json
import time
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from aiohttp import web

from brokers.rehearsal.serving.answers import Answer, Face
from brokers.rehearsal.serving.network_faults import Fault, Mishap, NetworkFaults
from brokers.rehearsal.serving.rate import Limit, RequestCount

NO_CONTENT = 204
LONGEST_LOG = 100_000
Hook = Callable[[int, str, str, Literal["before", "after"]], None]
Schedule = Callable[[datetime, Callable[[], None]], None]


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
        The body as the face read it; None if it could not be read.
    status : int, optional
        Of the answer; None where none was given.
    answer : object
        What the venue made of it, for requests that change orders or positions; also where it was not delivered.
    mishap : Mishap, optional
    key : str
        What it was sent with.
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
    key: str


class Gateway:
    """Answers requests, one at a time.

    A request without keys or with wrong ones is refused by its headers: it is neither counted nor logged, and its
    body is not read.

    Parameters
    ----------
    face : Face
    faults : NetworkFaults
    catch_up : callable
        Brings the venue to the present.
    now : callable
        The venue's time.
    schedule : callable
        Has something done at a time of the venue's clock.
    new_limit, new_count : callable
        Make the rate limit of a key, one for each that the face tells apart, and the count of its requests.
    """

    def __init__(
        self,
        face: Face,
        faults: NetworkFaults,
        catch_up: Callable[[], None],
        now: Callable[[], datetime],
        schedule: Schedule,
        new_limit: Callable[[], Limit],
        new_count: Callable[[], RequestCount],
    ) -> None:
        self._face, self._faults, self._catch_up, self._now, self._schedule = face, faults, catch_up, now, schedule
        self._limits: dict[tuple[str, str], Limit] = defaultdict(new_limit)
        self.counts: dict[str, RequestCount] = defaultdict(new_count)
        self.unauthorized = 0
        self._count = 0
        self.log: deque[LoggedRequest] = deque(maxlen=LONGEST_LOG)
        self.hooks: list[Hook] = []
        self.closing = asyncio.Event()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a request, or not."""
        key = self._face.key_of(request)
        if isinstance(key, Answer):
            self.unauthorized += 1
            return _told(key, {}, ends=True)
        try:
            raw = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return _told(self._face.too_large, {}, ends=True)
        self._count += 1
        number, method, path = self._count, request.method, request.path
        self._tell(number, method, path, "before")
        limit = self._limits[key, self._face.limited_by(path)]
        within, fault = limit.take(), self._faults.take(method, path)
        self.counts[key].add(within)
        mishap = fault.mishap if fault is not None else None
        endless = fault is not None and fault.seconds is None
        unseen = mishap is Mishap.DROP_BEFORE or (mishap is Mishap.HANG_BEFORE and endless)
        if fault is not None and mishap is Mishap.HANG_BEFORE and not endless:
            await self._hang(fault)
        refused = self._refused(fault, within)
        preparation = self._face.preparation(path) if refused is None else None
        if preparation is not None:
            await asyncio.to_thread(preparation)
        payload, answer = self._face.read(request, raw), refused

        def process_late() -> None:
            self._face.answer(method, path, request.query, payload)
            self._tell(number, method, path, "after")

        if refused is None and not unseen:
            self._catch_up()
            if mishap is Mishap.PROCESSED_LATE and fault is not None and fault.seconds is not None:
                self._schedule(self._now() + timedelta(seconds=fault.seconds), process_late)
            else:
                answer = self._face.answer(method, path, request.query, payload)
        timed_out = mishap in (Mishap.TIMEOUT_AFTER, Mishap.PROCESSED_LATE) and refused is None
        said = self._worded(self._face.timed_out, fault) if timed_out else answer
        lost = unseen or mishap is Mishap.DROP_AFTER or (mishap is Mishap.HANG_AFTER and endless)
        kept = answer.body if answer is not None and self._face.keeps_answer(method, path) else None
        status = None if lost or said is None else said.status
        self.log.append(
            LoggedRequest(
                number,
                self._now(),
                time.monotonic(),
                method,
                path,
                dict(request.query),
                payload,
                status,
                kept,
                mishap,
                key,
            )
        )
        if refused is None and not unseen and mishap is not Mishap.PROCESSED_LATE:
            self._tell(number, method, path, "after")
        if fault is not None and (mishap is Mishap.HANG_AFTER or (mishap is Mishap.HANG_BEFORE and endless)):
            await self._hang(fault)
        if lost or said is None:
            return _break(request)
        return _told(said, {**limit.headers(), "X-Request-ID": f"{number:032x}"})

    def _refused(self, fault: Fault | None, within: bool) -> Answer | None:
        """What is answered before the face looks at the request."""
        if not within:
            return self._face.too_many
        if fault is None or fault.mishap not in (Mishap.TOO_MANY, Mishap.SERVER_ERROR):
            return None
        usual = self._face.too_many if fault.mishap is Mishap.TOO_MANY else self._face.server_error
        return self._worded(usual, fault)

    def _worded(self, usual: Answer, fault: Fault | None) -> Answer:
        """The words of a fault that has some, in place of the usual answer."""
        return self._face.worded(usual, fault.text) if fault is not None and fault.text else usual

    def _tell(self, number: int, method: str, path: str, phase: Literal["before", "after"]) -> None:
        for hook in self.hooks:
            hook(number, method, path, phase)

    async def _hang(self, fault: Fault) -> None:
        try:
            await asyncio.wait_for(self.closing.wait(), fault.seconds)
        except TimeoutError:
            return


def _told(answer: Answer, headers: Mapping[str, str], ends: bool = False) -> web.Response:
    if answer.status == NO_CONTENT:
        return web.Response(status=answer.status, headers=headers)
    text = json.dumps(answer.body)
    response = web.Response(status=answer.status, text=text, content_type="application/json", headers=headers)
    if ends:
        # An unread body is not waited for.
        response.force_close()
    return response


def _break(request: web.Request) -> web.Response:
    """Break the connection without an answer; what is returned reaches nobody."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
