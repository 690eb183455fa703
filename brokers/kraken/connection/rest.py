"""ccxt's Kraken client with one's own nonce, rate model, deadline and reading of errors.

ccxt knows the endpoints and signs. What it does beyond that is left out: it counts nonces in milliseconds, sleeps
before each read, has no time limit for a request as a whole, and sorts errors by what can be retried instead of by what
has happened.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import ccxt
import requests

from brokers.kraken.connection.errors import COUNTER, LOCKOUT, NONCE, SERVER_ERROR, error_of, lost, pause_of
from brokers.kraken.connection.nonce import Nonce
from brokers.kraken.connection.rates import RateModel
from brokers.network.answer import Unanswered, sent_once
from brokers.network.breaker import CircuitBreaker
from brokers.network.time_budget import seconds_left
from brokers.network.transport import DeadlineAdapter
from brokers.venue_errors import (
    LockedOut,
    NotSent,
    OutcomeUnknown,
    RateLimited,
    VenueError,
    VenueRefusal,
    VenueUnavailable,
)
from config.process.secret_guard import masker_of

CONNECT_S, READ_S, WAIT_S = 3.0, 6.0, 8.0
"""Local seconds: to connect, for the answer, and for room below the rate limit."""
CHANGES = frozenset(
    {
        "AddOrder",
        "AddOrderBatch",
        "AmendOrder",
        "EditOrder",
        "CancelOrder",
        "CancelOrderBatch",
        "CancelAll",
        "CancelAllOrdersAfter",
        "Withdraw",
        "WithdrawCancel",
        "WalletTransfer",
    }
)
Json = dict[str, Any]

log = logging.getLogger(__name__)
_admitted: ContextVar[bool] = ContextVar("admitted", default=False)
_urgent: ContextVar[bool] = ContextVar("urgent", default=False)


@contextmanager
def admitted() -> Iterator[None]:
    """Let requests that change orders out; everything else of ccxt's is refused."""
    token = _admitted.set(True)
    try:
        yield
    finally:
        _admitted.reset(token)


@contextmanager
def urgently(urgent: bool = True) -> Iterator[None]:
    """Requests made inside may use what is kept below the limit, and pass an open breaker."""
    token = _urgent.set(urgent)
    try:
        yield
    finally:
        _urgent.reset(token)


@dataclass(frozen=True, slots=True)
class RequestLog:
    """One request as it went; ``outcome`` is the status or the error's name, ``seconds`` include waiting."""

    endpoint: str
    outcome: str
    seconds: float
    began: float


class KrakenRest(ccxt.kraken):
    """A ccxt client of Kraken.

    Parameters
    ----------
    key, secret : str
    nonce : Nonce or None
        None where only public questions are asked.
    rates : RateModel
    url : str
        Address of the venue, without path.

    Raises
    ------
    VenueError
        From every request; see ``brokers.kraken.connection.errors``.
    """

    def __init__(
        self,
        key: str,
        secret: str,
        *,
        nonce: Nonce | None,
        rates: RateModel,
        url: str,
    ) -> None:
        super().__init__({"apiKey": key, "secret": secret, "enableRateLimit": False})
        self._masker = masker_of(key, secret)
        self.urls["api"] = {"public": url, "private": url}
        self.counter, self.rates, self.breaker = nonce, rates, CircuitBreaker()
        self.observers: list[Callable[[RequestLog], None]] = []
        # One private request at a time: two that overtake one another arrive with a nonce that falls.
        self._one = threading.Lock()
        self._asks_again = True
        """Whether a request whose nonce was refused is sent once more; not after one that was refused twice."""
        self.session.auth = _as_it_is
        for scheme in ("http://", "https://"):
            self.session.mount(scheme, DeadlineAdapter())

    def nonce(self) -> int:
        if self.counter is None:
            raise NotSent("there are no keys, only public questions are asked")
        return self.counter.take()

    def request(
        self,
        path: str,
        api: Any = "public",
        method: str = "GET",
        params: Mapping[str, Any] | None = None,
        headers: Any = None,
        body: Any = None,
        config: Any = None,
    ) -> Any:
        """One request, sent once; the ``result`` of the answer."""
        began, outcome = time.monotonic(), "error"
        changes = path in CHANGES
        try:
            if changes and not _admitted.get():
                raise VenueRefusal(f"{path} did not come through the order gateway, it is not sent")
            answer = (
                self._private(path, api, method, params) if api == "private" else self._sent(path, api, method, params)
            )
            texts = [self._masker(str(text)) for text in answer.get("error") or ()]
            if any(LOCKOUT in text for text in texts):
                self.rates.lock_out()
                raise LockedOut(self.rates.locked)
            if api == "private":
                self.rates.let_in()
            error = error_of(texts, changes=changes, sells=(params or {}).get("type") == "sell")
            if error is not None:
                if pause := pause_of(str(error)):
                    self.rates.full(pause, counted=COUNTER in str(error))
                    if isinstance(error, NotSent):
                        error = RateLimited(str(error), self.rates.wait_s(path))
                raise error
            outcome = "ok"
            return answer.get("result", {})
        except VenueError as error:
            outcome = type(error).__name__
            raise
        finally:
            line = RequestLog(path, outcome, time.monotonic() - began, began)
            for observer in tuple(self.observers):
                observer(line)

    def _private(self, path: str, api: str, method: str, params: Mapping[str, Any] | None) -> Json:
        self.refuse_lockout()
        if not self.rates.take(path, seconds_left(WAIT_S), urgent=_urgent.get()):
            wait_s = self.rates.wait_s(path, urgent=_urgent.get())
            raise RateLimited(f"own rate limit: {self.rates.spent}, no room in the time there is", wait_s)
        if not self._one.acquire(timeout=seconds_left(CONNECT_S + READ_S)):
            raise NotSent("another request has no answer yet")
        try:
            answer = self._sent(path, api, method, params)
            if not _overtaken(answer):
                self._asks_again = True
            elif self._asks_again and self.rates.take(path, 0.0, urgent=True):
                # A process of the same key took its number later and was heard first: Kraken has done nothing. Each
                # refusal counts towards a lockout, so another program's larger numbers are not answered by two each.
                answer = self._sent(path, api, method, params)
                self._asks_again = not _overtaken(answer)
            return answer
        finally:
            self._one.release()

    def refuse_lockout(self) -> None:
        """LockedOut while Kraken takes nothing of this account."""
        if self.rates.waits_for_lockout(urgent=_urgent.get()):
            raise LockedOut(self.rates.locked)

    def _sent(self, path: str, api: str, method: str, params: Mapping[str, Any] | None) -> Json:
        if not (_urgent.get() or self.breaker.permits()):
            raise NotSent("the circuit breaker is open")
        answer: Json = super().request(path, api, method, dict(params or {}))
        return answer

    def fetch(self, url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Json:
        """Send what was signed and read the whole answer within the time there is."""
        changes = url.rsplit("/", 1)[-1].partition("?")[0] in CHANGES
        left = seconds_left(CONNECT_S + READ_S)
        prepared = self.session.prepare_request(
            requests.Request(method, url, headers=self.prepare_request_headers(headers), data=body)
        )
        answer = sent_once(self.session, prepared, seconds=left, connect_s=CONNECT_S, read_s=READ_S)
        if isinstance(answer, Unanswered):
            self.breaker.failed()
            if not answer.written:
                raise NotSent(f"the venue cannot be reached ({answer.why})")
            message = f"no answer ({answer.why})"
            raise OutcomeUnknown(message) if changes else VenueUnavailable(message)
        told = _read(answer.body)
        if told is None or answer.status >= SERVER_ERROR:
            self.breaker.failed()
            raise lost(answer.status, changes=changes)
        self.breaker.answered()
        return told


def _read(content: bytes) -> Json | None:
    """The answer, its numbers exact; None if it is no answer of Kraken's."""
    try:
        answer = json.loads(content, parse_float=Decimal)
    except (ValueError, ArithmeticError, RecursionError):
        return None
    return answer if isinstance(answer, dict) and isinstance(answer.get("error"), list) else None


def _overtaken(answer: Json) -> bool:
    """Whether Kraken has heard a larger nonce of the key before."""
    return any(NONCE in str(text) for text in answer.get("error") or ())


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request
