"""Alpaca's trading API as paths: which call of the exchange a request stands for."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from brokers.rehearsal.calendar import sessions
from brokers.rehearsal.errors import ApiError, not_found, unprocessable
from brokers.rehearsal.exchange import Exchange
from brokers.rehearsal.model import Json
from brokers.rehearsal.queries import Query, day, flag, moment, names, whole
from brokers.rehearsal.statements import Statements

MALFORMED = 40010000
NO_CONTENT = 204
MULTI_STATUS = 207


@dataclass(frozen=True, slots=True)
class Answer:
    """Status and JSON body; None for an empty one."""

    status: int
    body: object


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
        return Answer(405, {"message": "method not allowed"}) if known else Answer(404, {"message": "Not Found"})


class TradingApi:
    """The paths below /v2 that trade.

    Parameters
    ----------
    exchange : Exchange
    statements : Statements
    clock_skew_s : callable
        Seconds by which the timestamp of /v2/clock is wrong, asked at each request.
    """

    def __init__(self, exchange: Exchange, statements: Statements, clock_skew_s: Callable[[], float]) -> None:
        self._exchange, self._statements, self._clock_skew_s = exchange, statements, clock_skew_s
        self._opening = Decimal(str(exchange.account()["equity"]))

    def add_to(self, routes: Routes) -> None:
        """Register every path."""
        exchange = self._exchange
        routes.add("GET", "/v2/account", lambda call: exchange.account())
        routes.add("GET", "/v2/account/activities", lambda call: self._statements.activities(call.query))
        routes.add("GET", "/v2/account/activities/{}", self._activities_of)
        routes.add("GET", "/v2/account/portfolio/history", self._history)
        routes.add("GET", "/v2/clock", self._clock)
        routes.add("GET", "/v2/calendar", lambda call: sessions(day(call.query, "start"), day(call.query, "end")))
        routes.add("GET", "/v2/assets", self._assets)
        routes.add("GET", "/v2/assets/{}", lambda call: exchange.asset(*call.ids))
        routes.add("GET", "/v2/orders", self._orders)
        routes.add("POST", "/v2/orders", lambda call: exchange.submit(call.payload))
        routes.add("DELETE", "/v2/orders", lambda call: exchange.cancel_all(), MULTI_STATUS)
        routes.add("GET", "/v2/orders:by_client_order_id", self._order_by_client_id)
        routes.add("GET", "/v2/orders/{}", lambda call: exchange.order(call.ids[0], flag(call.query, "nested")))
        routes.add("PATCH", "/v2/orders/{}", lambda call: exchange.replace(call.ids[0], call.payload))
        routes.add("DELETE", "/v2/orders/{}", lambda call: exchange.cancel(*call.ids), NO_CONTENT)
        routes.add("GET", "/v2/positions", lambda call: exchange.positions())
        routes.add("DELETE", "/v2/positions", self._close_all, MULTI_STATUS)
        routes.add("GET", "/v2/positions/{}", lambda call: exchange.position(*call.ids))
        routes.add("DELETE", "/v2/positions/{}", self._close)

    def _clock(self, call: Call) -> Json:
        clock = self._exchange.clock()
        said = datetime.fromisoformat(str(clock["timestamp"])) + timedelta(seconds=self._clock_skew_s())
        return {**clock, "timestamp": said.isoformat()}

    def _assets(self, call: Call) -> list[Json]:
        wanted = {"status": "status", "asset_class": "class", "exchange": "exchange"}
        return [
            asset
            for asset in self._exchange.assets()
            if all(call.query.get(name) in (None, "", asset[key]) for name, key in wanted.items())
        ]

    def _orders(self, call: Call) -> list[Json]:
        query = call.query
        found = self._exchange.orders(
            status=query.get("status", "open"),
            limit=whole(query, "limit"),
            after=moment(query, "after"),
            until=moment(query, "until"),
            direction=query.get("direction", "desc"),
            nested=flag(query, "nested"),
            symbols=names(query, "symbols"),
        )
        return [order for order in found if query.get("side") in (None, "", order["side"])]

    def _order_by_client_id(self, call: Call) -> Json:
        if not call.query.get("client_order_id"):
            raise unprocessable("client_order_id is required")
        return self._exchange.order_by_client_id(call.query["client_order_id"])

    def _close_all(self, call: Call) -> list[Json]:
        return self._exchange.close_all(flag(call.query, "cancel_orders"))

    def _close(self, call: Call) -> Json:
        return self._exchange.close_position(call.ids[0], call.query.get("qty"), call.query.get("percentage"))

    def _activities_of(self, call: Call) -> list[Json]:
        if call.ids[0] != call.ids[0].upper():
            raise not_found("activity type not found")
        return self._statements.activities({**call.query, "activity_types": call.ids[0]})

    def _history(self, call: Call) -> Json:
        equity = Decimal(str(self._exchange.account()["equity"]))
        return self._statements.history(self._exchange.now, equity, self._opening)
