"""alpaca-py's clients with a time limit on every request, none sent twice, and none unasked.

Stock alpaca-py waits for ever, follows a 504 on a submitted order with the same order again, and sleeps
through a rate limit. Both clients stay what they are to other code: ordinary alpaca-py clients.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import requests
from alpaca.data.historical import StockHistoricalDataClient
from alpaca.trading.client import TradingClient

from brokers.venue.errors import BadKeys, NotSent, OutcomeUnknown, VenueRefusal, VenueUnavailable
from brokers.venue.limits import CircuitBreaker, TokenBucket

CONNECT_S, READ_S = 3.0, 5.0
LEAST_S = 0.2
"""Less time than this is not worth a request."""
TOO_MANY, TIMEOUT = 429, 408
SERVER_ERRORS = 500
DEFAULT_PAUSE_S = 3.0
CHUNK = 65_536
GUARDED = ("/orders", "/positions")

Admission = Callable[[str, str, Mapping[str, Any] | None], bool]
_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


@contextmanager
def time_budget(seconds: float) -> Iterator[None]:
    """Bound the time of all requests made inside, by this thread; an outer budget stays in force."""
    outer = _deadline.get()
    mine = time.monotonic() + seconds
    token = _deadline.set(mine if outer is None else min(mine, outer))
    try:
        yield
    finally:
        _deadline.reset(token)


@dataclass(frozen=True, slots=True)
class RequestLog:
    """One request as it went: ``outcome`` is the status or the error's name, times in local seconds."""

    method: str
    path: str
    outcome: str
    seconds: float
    client_order_id: str


class Hardened:
    """Mixed into an alpaca-py client; ``harden`` sets what it needs.

    Requests that change orders go through only if ``admit`` knows them, which is nobody by default.
    """

    _session: requests.Session
    _base_url: Any
    _api_version: str
    _get_default_headers: Callable[[], dict[str, str]]
    bucket: TokenBucket
    breaker: CircuitBreaker
    admit: Admission | None
    observers: list[Callable[[RequestLog], None]]

    def harden(self, bucket: TokenBucket, breaker: CircuitBreaker) -> None:
        """Share limits with the other clients of the account."""
        self.bucket, self.breaker, self.admit, self.observers = bucket, breaker, None, []

    def _request(
        self, method: str, path: str, data: Any = None, base_url: Any = None, api_version: str | None = None
    ) -> Any:
        method = method.upper()
        changes = method != "GET"
        body = data if isinstance(data, Mapping) else None
        guarded = changes and any(part in path for part in GUARDED)
        if guarded and (self.admit is None or not self.admit(method, path, body)):
            raise VenueRefusal(0, None, f"{method} {path} did not come through the counter, it is not sent")
        base = base_url or self._base_url
        url = f"{getattr(base, 'value', base)}/{api_version or self._api_version}{path}"
        began = time.monotonic()
        outcome = "error"
        try:
            status, text = self._exchange(method, url, data, changes)
            outcome = str(status)
            return self._answer(status, text, changes)
        except (NotSent, OutcomeUnknown, VenueUnavailable) as error:
            outcome = type(error).__name__
            raise
        finally:
            name = str((body or {}).get("client_order_id") or "")
            line = RequestLog(method, path, outcome, time.monotonic() - began, name)
            for observer in self.observers:
                observer(line)

    def _exchange(self, method: str, url: str, data: Any, changes: bool) -> tuple[int, str]:
        """One request and its whole answer within the time there is."""
        if not self.breaker.permits():
            raise NotSent("the circuit breaker is open")
        left = _left(CONNECT_S + READ_S)
        if not self.bucket.take(changes, left):
            raise NotSent("the rate limit leaves no room in the time there is")
        left = _left(CONNECT_S + READ_S)
        deadline = time.monotonic() + left
        options: dict[str, Any] = {"params": data} if method in ("GET", "DELETE") else {"json": data}
        lost: type[VenueUnavailable] | type[OutcomeUnknown] = OutcomeUnknown if changes else VenueUnavailable
        try:
            response = self._session.request(
                method, url, headers=self._get_default_headers(), allow_redirects=False, stream=True,
                timeout=(min(CONNECT_S, left), min(READ_S, left)), **options,
            )  # fmt: skip
            with response:
                text = _whole(response, deadline)
        except (requests.exceptions.ConnectTimeout, _Unreached) as error:
            self.breaker.failed()
            raise NotSent(f"the venue cannot be reached ({type(error).__name__})") from error
        except requests.exceptions.RequestException as error:
            self.breaker.failed()
            if _refused(error):
                raise NotSent("the venue refuses connections") from error
            raise lost(f"no answer ({type(error).__name__})") from error
        status = response.status_code
        if status == TOO_MANY:
            self.bucket.turned_away(_pause(response.headers))
            raise NotSent("429, too many requests")
        if status >= SERVER_ERRORS or status == TIMEOUT:
            self.breaker.failed()
            raise lost(f"the venue answered {status}")
        self.breaker.answered()
        return status, text

    def _answer(self, status: int, text: str, changes: bool) -> Any:
        body: Any = None
        if text:
            try:
                body = json.loads(text)
            except ValueError:
                if status < 300:
                    error = OutcomeUnknown if changes else VenueUnavailable
                    raise error(f"the answer ({status}) is not readable") from None
        if status < 300:
            return body
        told: dict[str, Any] = body if isinstance(body, dict) else {"message": text[:200]}
        code = told.get("code")
        code = int(code) if isinstance(code, int) or (isinstance(code, str) and code.isdigit()) else None
        message = str(told.get("message", ""))
        if status in (401, 403) and (code is None or code < 1_000_000) and "insufficient" not in message:
            raise BadKeys(status, code, message or "unauthorized", told)
        raise VenueRefusal(status, code, message, told)


class TradingHttp(Hardened, TradingClient):
    """alpaca-py's trading client, hardened."""


class DataHttp(Hardened, StockHistoricalDataClient):
    """alpaca-py's client of stock data, hardened."""


class _Unreached(requests.exceptions.RequestException):
    """There was no time left to send anything."""


def _left(most: float) -> float:
    deadline = _deadline.get()
    left = most if deadline is None else min(most, deadline - time.monotonic())
    if left < LEAST_S:
        raise NotSent("the time for this step is used up")
    return left


def _whole(response: requests.Response, deadline: float) -> str:
    """The whole body; a venue that drips is a venue that doesn't answer."""
    parts = []
    for part in response.iter_content(CHUNK):
        parts.append(part)
        if time.monotonic() > deadline:
            raise requests.exceptions.ReadTimeout("the answer takes too long")
    return b"".join(parts).decode(response.encoding or "utf-8", "replace")


def _refused(error: requests.exceptions.RequestException) -> bool:
    """Whether no connection came about, so that nothing can have been read."""
    if not isinstance(error, requests.exceptions.ConnectionError):
        return False
    return "NewConnectionError" in repr(error) or "NameResolutionError" in repr(error)


def _pause(headers: Mapping[str, str]) -> float:
    try:
        return min(max(float(headers["X-RateLimit-Reset"]) - time.time(), 0.5), 60.0)
    except (KeyError, ValueError):
        return DEFAULT_PAUSE_S
