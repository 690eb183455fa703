"""alpaca-py's clients with a time limit on every request, none sent twice, and none unasked.

Stock alpaca-py waits for ever, follows a 504 on a submitted order with the same order again, and sleeps
through a rate limit. Both clients stay what they are to other code: ordinary alpaca-py clients.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import requests
from alpaca.data.historical import StockHistoricalDataClient
from alpaca.trading.client import TradingClient

from brokers.alpaca.errors import AlpacaRefusal
from brokers.alpaca.limits import Need, SlidingWindowLimiter
from brokers.alpaca.responses import body_of, limit_of, pause_of, refusal_of
from brokers.network.answer import Unanswered, sent_once
from brokers.network.breaker import CircuitBreaker
from brokers.network.time_budget import seconds_left
from brokers.network.transport import DeadlineAdapter
from brokers.venue_errors import NotSent, OutcomeUnknown, RateLimited, VenueError, VenueUnavailable
from config.process.secret_guard import masker_of

TOO_MANY, TIMEOUT = 429, 408
POSITIVE, NEGATIVE = range(200, 300), range(400, 500)
GUARDED = ("/orders", "/positions")

log = logging.getLogger(__name__)

Admission = Callable[[str, str, Mapping[str, Any] | None], bool]


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Local seconds: to connect, for a read and, with ``connect_s``, for the whole request; for the rate limit."""

    connect_s: float = 3.0
    read_s: float = 5.0
    max_wait_s: float = 8.0


@dataclass(frozen=True, slots=True)
class RequestLog:
    """One request as it went.

    ``outcome`` is the status or the error's name, ``seconds`` how long it took, waiting included, and ``began``
    when, by the local monotonic clock.
    """

    method: str
    path: str
    outcome: str
    seconds: float
    client_order_id: str
    began: float


class Hardened:
    """Mixed into an alpaca-py client; ``harden`` sets what it needs.

    Requests that change orders go through only if ``admit`` knows them, which is nobody by default. Those that are
    ``urgent`` are not held back by an open breaker. Observers are told of every request that was admitted, sent or not.
    """

    _session: requests.Session
    _base_url: Any
    _api_version: str
    _api_key: str | None
    _secret_key: str | None
    _get_default_headers: Callable[[], dict[str, str]]
    masker: Callable[[str], str]
    bucket: SlidingWindowLimiter
    breaker: CircuitBreaker
    timeouts: Timeouts
    reads: Need
    admit: Admission | None
    urgent: Admission
    observers: list[Callable[[RequestLog], None]]

    def harden(self, bucket: SlidingWindowLimiter, breaker: CircuitBreaker, timeouts: Timeouts) -> None:
        """Share the rate limit with the other clients of the account."""
        self.bucket, self.breaker, self.timeouts, self.admit, self.observers = bucket, breaker, timeouts, None, []
        self.masker = masker_of(self._api_key, self._secret_key)
        self.urgent = lambda method, path, body: False
        # The keys are in headers: what a .netrc has for the host is not for it.
        self._session.auth = _as_it_is
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, DeadlineAdapter())

    def _request(
        self, method: str, path: str, data: Any = None, base_url: Any = None, api_version: str | None = None
    ) -> Any:
        method = method.upper()
        body = data if isinstance(data, Mapping) else None
        guarded = any(part in path for part in GUARDED)
        changes = method != "GET"
        if changes and guarded and (self.admit is None or not self.admit(method, path, body)):
            raise AlpacaRefusal(0, None, f"{method} {path} did not come through the order gateway, it is not sent")
        base = base_url or self._base_url
        url = f"{str(getattr(base, 'value', base)).rstrip('/')}/{api_version or self._api_version}{path}"
        lost: type[VenueError] = OutcomeUnknown if changes else VenueUnavailable
        began = time.monotonic()
        outcome = "error"
        try:
            urgent = changes and self.urgent(method, path, body)
            need = self.reads if not changes else Need.ORDERS if urgent else Need.LISTINGS
            status, content = self._exchange(method, url, data, lost, need=need, urgent=urgent)
            outcome = str(status)
            if status in NEGATIVE:
                raise refusal_of(status, content, self.masker)
            return body_of(content, lost)
        except (OutcomeUnknown, VenueUnavailable) as error:
            outcome = type(error).__name__
            raise
        finally:
            name = str((body or {}).get("client_order_id") or "")
            self._tell(RequestLog(method, path, outcome, time.monotonic() - began, name, began))

    def _exchange(
        self, method: str, url: str, data: Any, lost: type[VenueError], *, need: Need, urgent: bool
    ) -> tuple[int, bytes]:
        """One request, sent once, and its whole answer within the time there is; status and body."""
        request = self._prepared(method, url, data)
        if not (urgent or self.breaker.ready):
            raise NotSent("the circuit breaker is open")
        if not self.bucket.take(need, seconds_left(self.timeouts.max_wait_s)):
            raise RateLimited(self.bucket.why_none(need), told=True)
        connect, read = self.timeouts.connect_s, self.timeouts.read_s
        left = seconds_left(connect + read)
        # Asked last, as a trial that isn't sent would be wasted.
        if not (urgent or self.breaker.permits()):
            raise NotSent("the circuit breaker is open")
        answer = sent_once(self._session, request, seconds=left, connect_s=connect, read_s=read)
        if isinstance(answer, Unanswered):
            self.breaker.failed()
            if not answer.written:
                raise NotSent(f"the venue cannot be reached ({answer.why})")
            raise lost(f"no answer ({answer.why})")
        status = answer.status
        if self.reads is Need.LISTINGS and (told := limit_of(answer.headers)) is not None:
            self.bucket.told(*told)
        if status == TOO_MANY:
            self.bucket.turned_away(pause_of(answer.headers))
            raise RateLimited("429, too many requests", told=True)
        if status == TIMEOUT or (status not in POSITIVE and status not in NEGATIVE):
            self.breaker.failed()
            raise lost(f"the venue answered {status}")
        self.breaker.answered()
        return status, answer.body

    def _prepared(self, method: str, url: str, data: Any) -> requests.PreparedRequest:
        place = {"params": data} if method in ("GET", "DELETE") else {"json": data}
        failure = ""
        try:
            request = requests.Request(method, url, headers=self._get_default_headers(), **place)
            return self._session.prepare_request(request)
        except (requests.RequestException, TypeError, ValueError) as error:
            failure = type(error).__name__
        raise NotSent(f"the request cannot be written down ({failure})")

    def _tell(self, line: RequestLog) -> None:
        for observer in tuple(self.observers):
            try:
                observer(line)
            except Exception:
                # An order that was answered must not look unanswered because somebody looked on.
                log.exception("an observer of requests failed")


class TradingHttp(Hardened, TradingClient):
    """alpaca-py's trading client, hardened."""

    reads = Need.LISTINGS


class DataHttp(Hardened, StockHistoricalDataClient):
    """alpaca-py's client of stock data, hardened."""

    reads = Need.PRICES


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request
