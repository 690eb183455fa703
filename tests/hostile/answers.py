"""Hostile venues whose answers are well sent and wrong: numbers, orders, positions and times that cannot be."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from tests.hostile.venue import Asked, Change, Told

ESCAPES = "\x1b[2J\x1b]0;owned\x07\r\nERROR sold everything\u202e<script>alert(1)</script>[bold][/x]"
Json = dict[str, Any]
ORDER = re.compile(r"/v2/orders(/[^/]+|:by_client_order_id)?")


def of(path: str, change: Callable[[Any], Any], method: str = "GET", status: int = 0) -> Change:
    """Change the body of successful answers to a path."""

    def changed(asked: Asked, told: Told) -> Told:
        if asked.method != method or not re.fullmatch(path, asked.path) or told.status >= 300:
            return told
        return Told(status or told.status, change(told.body))

    return changed


def account(**fields: Any) -> Change:
    return of("/v2/account", lambda body: {**body, **fields})


def clock(**fields: Any) -> Change:
    return of("/v2/clock", lambda body: {**body, **fields})


def positions(change: Callable[[Json], Any]) -> Change:
    return of("/v2/positions", lambda body: [row for row in map(change, body) if row is not None])


def orders(change: Callable[[Json], Any]) -> Change:
    """Every order in whatever answer, legs too."""

    def row(raw: Any) -> Any:
        if not isinstance(raw, dict):
            return raw
        legs = raw.get("legs")
        return change({**raw, "legs": [row(leg) for leg in legs]} if isinstance(legs, list) else dict(raw))

    def changed(asked: Asked, told: Told) -> Told:
        if told.status >= 300 or not ORDER.fullmatch(asked.path):
            return told
        body = told.body
        return Told(told.status, [row(raw) for raw in body] if isinstance(body, list) else row(body))

    return changed


def answers(change: Callable[[Json], Any], method: str = "POST") -> Change:
    """Answers to orders that are sent alone."""
    return of(r"/v2/orders(/[^/]+)?", change, method)


def quotes(**fields: Any) -> Change:
    def every(body: Json) -> Json:
        return {"quotes": {symbol: {**quote, **fields} for symbol, quote in body["quotes"].items()}}

    return of("/v2/stocks/quotes/latest", every)


def everything(body: Any) -> Change:
    return lambda asked, told: Told(200, body)


def backwards(asked: Asked, told: Told) -> Told:
    """A clock that jumps about, each reading elsewhere."""
    if asked.path != "/v2/clock":
        return told
    moment = datetime.fromisoformat(told.body["timestamp"])
    hours = -400 + (moment.second * 37) % 800
    return Told(200, {**told.body, "timestamp": (moment + timedelta(hours=hours)).isoformat()})


def circles(asked: Asked, told: Told) -> Told:
    """A listing that never ends: each page is full, and goes on."""
    if asked.path != "/v2/orders" or asked.method != "GET":
        return told
    row = {
        "client_order_id": "x", "symbol": "KO", "side": "buy", "type": "market", "status": "new", "qty": "1",
        "filled_qty": "0", "order_class": "simple", "time_in_force": "day",
    }  # fmt: skip
    after = datetime.fromisoformat(asked.query.get("after", "2020-01-01T00:00:00+00:00").replace("Z", "+00:00"))
    rows = [
        {**row, "id": f"{after.isoformat()}-{n}", "submitted_at": (after + timedelta(seconds=n + 1)).isoformat()}
        for n in range(500)
    ]
    return Told(200, rows)


def sold_elsewhere(body: Json) -> Json:
    """Another order than the one that was sent, filled for a fantasy."""
    fantasy = {"symbol": "TSLA", "side": "sell", "qty": "999999", "filled_qty": "999999", "filled_avg_price": "0.01"}
    return {**body, **fantasy, "status": "filled"}


def deep(_: Any) -> Any:
    body: Any = 1
    for _ in range(400):
        body = [body]
    return body


many = [{"symbol": f"X{number}", "qty": "1"} for number in range(10_000)]
CHANGES: dict[str, Change] = {
    # the account
    "equity of 1e30": account(equity="1e30", cash="1e30"),
    "equity that is no number": account(equity="NaN", cash="Infinity"),
    "equity with a million places": account(equity="0e-999999999"),
    "equity below zero": account(equity="-5000", cash="-5000"),
    "equity as a list": account(equity=[1], cash={}),
    "an account that is a list": of("/v2/account", lambda body: [body]),
    "an account without figures": of("/v2/account", lambda body: {}),
    "a blocked account": account(account_blocked=True, trading_blocked=True),
    "a status in words nobody knows": account(status=ESCAPES),
    # its clock
    "a clock in the year 9999": clock(timestamp="9999-12-31T23:59:59.999999-05:00"),
    "a clock in the year 1": clock(timestamp="0001-01-01T00:00:00+05:00"),
    "a clock that jumps about": backwards,
    "a market that opens in 200 years": clock(next_open="2224-01-01T00:00:00Z"),
    "a market that closed long ago": clock(next_close="2001-01-01T00:00:00Z"),
    "a market that is open 'yes'": clock(is_open="yes"),
    "a clock without time zone": clock(timestamp="2023-03-07T10:00:00"),
    # positions
    "positions that are no list": of("/v2/positions", lambda body: {"AAPL": body}),
    "positions that are numbers": of("/v2/positions", lambda body: [1, 2, 3]),
    "a quantity of 1e30": positions(lambda row: {**row, "qty": "1e30"}),
    "a quantity that is no number": positions(lambda row: {**row, "qty": "NaN"}),
    "positions without a quantity": positions(lambda row: {k: v for k, v in row.items() if k != "qty"}),
    "prices of positions that are none": positions(lambda row: {**row, "current_price": "-1e9", "market_value": "x"}),
    "a position in a path": of("/v2/positions", lambda body: [*body, {"symbol": "../../etc/passwd", "qty": "5"}]),
    "10,000 positions": of("/v2/positions", lambda body: body + many),
    # orders
    "types nobody knows": orders(lambda row: {**row, "type": "iceberg", "order_type": "iceberg"}),
    "statuses nobody knows": orders(lambda row: {**row, "status": "dreaming"}),
    "quantities of 1e30": orders(lambda row: {**row, "qty": "1e30"}),
    "more filled than ordered": orders(lambda row: {**row, "filled_qty": "999999", "filled_avg_price": "0.01"}),
    "another symbol": orders(lambda row: {**row, "symbol": "TSLA"}),
    "another side": orders(lambda row: {**row, "side": "buy" if row["side"] == "sell" else "sell"}),
    "orders without ids": orders(lambda row: {k: v for k, v in row.items() if k != "id"}),
    "ids that are paths": orders(lambda row: {**row, "id": f"../../{row['id']}/\x00"}),
    "legs that are a number": orders(lambda row: {**row, "legs": 7}),
    "legs that are words": orders(lambda row: {**row, "legs": ["a", None]}),
    "orders of the year 9999": orders(lambda row: {**row, "created_at": "9999-12-31T23:59:59Z"}),
    "prices of orders that are none": orders(lambda row: {**row, "stop_price": "-0.0e9", "limit_price": "1e400"}),
    "words with terminal escapes": orders(lambda row: {**row, "status": ESCAPES, "symbol": ESCAPES}),
    "a listing that never ends": circles,
    "a listing that is null": of("/v2/orders", lambda body: None),
    "a listing of 2,000 rows a page": of("/v2/orders", lambda body: [{"id": str(n)} for n in range(2_000)]),
    "a listing nested 400 deep": of("/v2/orders", deep),
    # answers to what was sent
    "another order in the answer": answers(sold_elsewhere),
    "an answer without an id": answers(lambda body: {**body, "id": ""}),
    "an answer that is null": answers(lambda body: None),
    "an answer that is a list": answers(lambda body: [body]),
    "a change answered as another order": answers(sold_elsewhere, "PATCH"),
    "a cancel answered with junk": answers(lambda body: "\x00", "DELETE"),
    # quotes
    "quotes of 1e30": quotes(bp=1e30, ap=1e30),
    "quotes crossed": quotes(bp=101.0, ap=99.0),
    "quotes of nothing": quotes(bp=0, ap=0),
    "quotes of tomorrow": quotes(t="2099-01-01T00:00:00Z"),
    "quotes that are words": quotes(bp=ESCAPES, ap=None, t=[]),
    "quotes for nobody": of("/v2/stocks/quotes/latest", lambda body: {"quotes": None}),
    # everything
    "everything null": everything(None),
    "everything a number": everything(7),
    "everything an empty object": everything({}),
    "everything an empty list": everything([]),
    "everything nested 400 deep": everything(deep(None)),
}  # fmt: skip
