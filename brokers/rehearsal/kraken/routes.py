"""Kraken's protocol over HTTP: who asks, whether the request is signed, and which method it means."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from aiohttp import web

from brokers.rehearsal.kraken.account_api import AccountApi
from brokers.rehearsal.kraken.auth import Keys
from brokers.rehearsal.kraken.errors import (
    INVALID_ARGUMENTS,
    INVALID_KEY,
    TOO_MANY_CALLS,
    UNAVAILABLE,
    UNKNOWN_METHOD,
    KrakenError,
    accepted,
    refused,
)
from brokers.rehearsal.kraken.exchange import MAINTENANCE, KrakenExchange
from brokers.rehearsal.kraken.market_data import MarketData
from brokers.rehearsal.kraken.trading_api import TradingApi, flattened
from brokers.rehearsal.serving.answers import Answer

PUBLIC, PRIVATE = "/0/public/", "/0/private/"


@dataclass(frozen=True, slots=True)
class Signed:
    """A private request: its key, its parameters without the nonce, and why it is refused if it is."""

    key: str
    parameters: Mapping[str, object] = field(default_factory=dict)
    refusal: str | None = None


class KrakenFace:
    """Answers requests as Kraken does: refusals with status 200, and a list of errors.

    Parameters
    ----------
    exchange : KrakenExchange
    market : MarketData
    keys : Keys
    """

    too_many = refused(TOO_MANY_CALLS)
    server_error = refused(UNAVAILABLE)
    timed_out = Answer(520, {"error": [UNAVAILABLE]})
    too_large = refused(INVALID_ARGUMENTS)

    def __init__(self, exchange: KrakenExchange, market: MarketData, keys: Keys) -> None:
        self._exchange, self._keys = exchange, keys
        self._public = market.methods()
        self._private: dict[str, Callable[[Mapping[str, object]], object]] = {
            **AccountApi(exchange).methods(),
            **(trading := TradingApi(exchange).methods()),
        }
        self._changing = frozenset(trading)

    def key_of(self, request: web.Request) -> str | Answer:
        """The key of a private request, if the account has it; nobody asks who reads public data."""
        if not request.path.startswith(PRIVATE):
            return ""
        key = request.headers.get("API-Key", "")
        return key if self._keys.knows(key) else refused(INVALID_KEY)

    def limited_by(self, path: str) -> str:
        """One count; Kraken's own counters know what each method costs."""
        return "all"

    def preparation(self, path: str) -> Callable[[], object] | None:
        """Nothing takes long."""
        return None

    def read(self, request: web.Request, raw: bytes) -> object:
        """The parameters of a request; of a private one its nonce is used up."""
        if not request.path.startswith(PRIVATE):
            return _parameters(raw, request.content_type)
        key = request.headers.get("API-Key", "")
        parameters = _parameters(raw, request.content_type)
        if parameters is None:
            return Signed(key, refusal=INVALID_ARGUMENTS)
        nonce = parameters.pop("nonce", None)
        signed = request.headers.get("API-Sign", "")
        return Signed(key, parameters, self._keys.refusal(key, signed, request.raw_path, nonce, raw))

    def answer(self, method: str, path: str, query: Mapping[str, str], payload: object) -> Answer:
        """Process a request."""
        try:
            if path.startswith(PUBLIC):
                more = payload if isinstance(payload, Mapping) else {}
                return accepted(self._method(self._public, path)({**query, **more}))
            if not path.startswith(PRIVATE) or not isinstance(payload, Signed) or method != "POST":
                return refused(UNKNOWN_METHOD)
            return accepted(self._privately(path, payload))
        except KrakenError as error:
            return refused(str(error))

    def _privately(self, path: str, asked: Signed) -> object:
        if asked.refusal is not None:
            raise KrakenError(asked.refusal)
        run = self._method(self._private, path)
        if self._exchange.status == MAINTENANCE:
            raise KrakenError(UNAVAILABLE)
        self._exchange.counters.call(asked.key, _name(path), self._exchange.now)
        return run(asked.parameters)

    def _method(
        self, methods: Mapping[str, Callable[[Mapping[str, object]], object]], path: str
    ) -> Callable[[Mapping[str, object]], object]:
        found = methods.get(_name(path))
        if found is None:
            raise KrakenError(UNKNOWN_METHOD)
        return found

    def worded(self, usual: Answer, text: str) -> Answer:
        """Kraken's text for it, with status 200."""
        return refused(text)

    def keeps_answer(self, method: str, path: str) -> bool:
        """Only where orders change."""
        return _name(path) in self._changing

    def by_hand(self, method: str, parameters: Mapping[str, object]) -> object:
        """What the account's owner does elsewhere, without a key; KrakenError where it is refused."""
        return self._method(self._private, method)(parameters)


def _name(path: str) -> str:
    return path.rsplit("/", 1)[-1]


def _parameters(raw: bytes, content_type: str) -> dict[str, object] | None:
    """The parameters of a form or a JSON object; None for what is neither."""
    try:
        if content_type != "application/json":
            return dict(parse_qsl(raw.decode(), keep_blank_values=True))
        body = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return flattened(body) if isinstance(body, dict) else None
