"""Which handler a request goes to, and what is said to one that goes nowhere."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aiohttp import web

from brokers.rehearsal.alpaca.calendar import all_sessions
from brokers.rehearsal.alpaca.errors import NOT_FOUND, ApiError
from brokers.rehearsal.alpaca.queries import Query
from brokers.rehearsal.serving.access import KeyRing
from brokers.rehearsal.serving.answers import Answer

MALFORMED = 40010000
DATA_PREFIXES = ("/v2/stocks", "/v1beta")
# What Alpaca serves and nothing here does: a request for it is no typing error.
NOT_REHEARSED = re.compile(
    r"/v1/(locates|corporate-actions)\b.*"
    r"|/v1beta\d/(events|fixed_income|forex|logos|news|options|screener|crypto|corporate-actions)\b.*"
    r"|/v2beta1/events\b.*"
    r"|/v2/(account/configurations|corporate_actions|options|tokenization|wallets|watchlists)\b.*"
    r"|/v2/positions/[^/]+/(do-not-exercise|exercise)"
    r"|/v3/(calendar|clock)\b.*"
)


@dataclass(frozen=True, slots=True)
class Call:
    """A request: the parts of its path that vary, its query, its JSON body."""

    ids: tuple[str, ...]
    query: Query
    payload: Mapping[str, object]


Handler = Callable[[Call], object]


class Routes:
    """Finds the handler of a method and a path; ``{}`` in a pattern is one part of the path."""

    def __init__(self) -> None:
        self._routes: list[tuple[str, re.Pattern[str], int, Handler]] = []

    def add(self, method: str, pattern: str, handler: Handler, status: int = 200) -> None:
        """Send what matches to ``handler``; ``status`` is that of a success."""
        path = re.compile(re.escape(pattern).replace(r"\{\}", "([^/]+)"))
        self._routes.append((method, path, status, handler))

    def answer(self, method: str, path: str, query: Query, payload: object) -> Answer:
        """What the venue answers, refusals included."""
        known = False
        for allowed, pattern, status, handler in self._routes:
            found = pattern.fullmatch(path)
            if found is None:
                continue
            known = True
            if allowed != method:
                continue
            try:
                if not isinstance(payload, Mapping):
                    raise ApiError(400, {"code": MALFORMED, "message": "request body format is invalid"})
                body = handler(Call(found.groups(), query, payload))
            except ApiError as error:
                return Answer(error.status, error.body)
            return Answer(status, body)
        return Answer(405, {"message": "method not allowed"}) if known else nowhere(method, path)


def nowhere(method: str, path: str) -> Answer:
    """What is said to a path that leads to nothing: Alpaca's, but not rehearsed, or nobody's."""
    if NOT_REHEARSED.fullmatch(path):
        message = f"not rehearsed here: {method} {path} is Alpaca's, and this rehearsal exchange does not serve it"
    else:
        message = f"no such path: {method} {path}"
    return Answer(404, {"code": NOT_FOUND, "message": message})


class AlpacaFace:
    """Alpaca's protocol over HTTP.

    Parameters
    ----------
    routes : Routes
    keys : KeyRing
    """

    too_many = Answer(429, {"message": "too many requests."})
    server_error = Answer(500, {"code": 50010000, "message": "internal server error occurred"})
    timed_out = Answer(504, {"message": "The upstream server is timing out"})
    too_large = Answer(413, {"message": "request body is too large"})

    def __init__(self, routes: Routes, keys: KeyRing) -> None:
        self._routes, self._keys = routes, keys

    def key_of(self, request: web.Request) -> str | Answer:
        """The key in the request's headers, if it opens the account."""
        if "websocket" in request.headers.get("Upgrade", "").lower():
            return Answer(404, {"message": f"no stream at {request.path}"})
        key, secret = request.headers.get("APCA-API-KEY-ID"), request.headers.get("APCA-API-SECRET-KEY")
        if not key or not secret:
            return Answer(401, {"message": "unauthorized."})
        return key if self._keys.opens(key, secret) else Answer(403, {"message": "forbidden."})

    def limited_by(self, path: str) -> str:
        """Trading and market data have a limit each."""
        return "data" if path.startswith(DATA_PREFIXES) else "trading"

    def preparation(self, path: str) -> Callable[[], object] | None:
        """What takes long and needs no exchange: the calendar of sixty years, once."""
        return all_sessions if path == "/v2/calendar" else None

    def read(self, request: web.Request, raw: bytes) -> object:
        """The JSON body, an empty object where there is none; None for one that can't be read."""
        try:
            return json.loads(raw) if raw else {}
        except (ValueError, RecursionError):
            return None

    def answer(self, method: str, path: str, query: Query, payload: object) -> Answer:
        """Process a request."""
        return self._routes.answer(method, path, query, payload)

    def worded(self, usual: Answer, text: str) -> Answer:
        """The same status with another message."""
        return Answer(usual.status, {"message": text})

    def keeps_answer(self, method: str, path: str) -> bool:
        """Only where orders or positions change."""
        return method != "GET" and path.startswith(("/v2/orders", "/v2/positions"))
