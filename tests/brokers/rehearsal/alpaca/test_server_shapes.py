"""What comes over HTTP validates against the venue's schemas and looks like its examples."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import jsonschema
import pytest

from tests.brokers.rehearsal.market import later
from tests.brokers.rehearsal.official import ALPACA, components, examples, observed, same_shape, valid
from tests.brokers.rehearsal.wire import Wire

pytestmark = pytest.mark.skipif(not ALPACA.is_dir(), reason="needs the venue's schemas in ../shared/alpaca")


@cache
def data_examples() -> dict[str, Any]:
    return json.loads((ALPACA / "market-data-api.examples.json").read_text())


def valid_data(body: object, schema: str) -> None:
    document = json.loads((ALPACA / "market-data-api.json").read_text())["components"]
    jsonschema.Draft202012Validator({"$ref": f"#/components/schemas/{schema}", "components": document}).validate(body)


@pytest.fixture
def wire() -> Iterator[Wire]:
    one = Wire()
    yield one
    one.server.close()


BRACKET = {
    "order_class": "bracket",
    "take_profit": {"limit_price": "120"},
    "stop_loss": {"stop_price": "90"},
    "time_in_force": "gtc",
}


def test_trading_answers(wire: Wire) -> None:
    status, body = wire.order(**BRACKET)
    assert status == 200
    later(wire.server, seconds=1)
    single = wire.order(type="limit", limit_price="90")[1]
    bracket, plain = "examples/BracketOrderResponse", "examples/EquityOrderResponse"
    by_id = f"/v2/orders:by_client_order_id?client_order_id={single['client_order_id']}"
    for path, schema, example in (
        ("/v2/account", "Account", "paths/get /v2/account/200/example"),
        ("/v2/clock", "legacy_clock", "schemas/legacy_clock/example"),
        ("/v2/assets/AAPL", "Assets", "schemas/Assets/0"),
        ("/v2/positions/AAPL", "Position", "schemas/Position/0"),
        (f"/v2/orders/{body['id']}?nested=true", "Order", bracket),
        (by_id, "Order", plain),
    ):
        status, answer = wire.ask("GET", path)
        assert status == 200
        valid(answer, schema)
        same_shape(answer, examples()[example], path)
    status, days = wire.ask("GET", "/v2/calendar?start=2026-07-01&end=2026-07-10")
    valid(days, "legacy_public_calendar_resp")
    assert days[0].keys() == components()["schemas"]["legacy_calendar_day"]["properties"].keys()
    valid(wire.ask("GET", "/v2/account/portfolio/history")[1], "PortfolioHistory")
    [fill] = wire.ask("GET", "/v2/account/activities")[1]
    valid(fill, "TradingActivities")
    same_shape(fill, examples()["schemas/TradingActivities/0"])
    status, cancelled = wire.ask("DELETE", "/v2/orders")
    assert status == 207
    for one in cancelled:
        valid(one, "CanceledOrderResponse")
    later(wire.server, seconds=1)
    later(wire.server, seconds=1)
    status, closed = wire.ask("DELETE", "/v2/positions?cancel_orders=true")
    assert status == 207
    valid(closed[0], "PositionClosedResponse")
    assert wire.ask("DELETE", f"/v2/orders/{closed[0]['body']['id']}") == (204, None)


def test_observed_refusals_arrive_as_they_were_observed(wire: Wire) -> None:
    known = [line["body"] for line in observed() if line["kind"] == "http_error"]
    wire.order(qty="44", client_order_id="one")
    later(wire.server, seconds=1)
    upside_down = {"take_profit": {"limit_price": "90"}, "stop_loss": {"stop_price": "110"}}
    found = [
        wire.order(client_order_id="one"),
        wire.order(side="sell", **{**BRACKET, **upside_down}),
        wire.order(type="limit", limit_price="290.123"),
    ]
    for status, body in found:
        assert status == 422
        assert body in known
    oco = {"side": "sell", "type": "limit", "qty": "44", **BRACKET, "order_class": "oco"}
    assert wire.order(**oco)[0] == 200
    status, body = wire.ask("DELETE", "/v2/positions/AAPL")
    assert status == 403
    [example] = [one for one in known if one.get("symbol") == "AEIS"]
    assert body == {**example, "symbol": "AAPL"}


def test_market_data_answers(wire: Wire) -> None:
    prefix, feed = "paths/get /v2/stocks", "feed=iex"
    for path, schema, example in (
        (f"/bars?symbols=AAPL&timeframe=1Min&limit=1&{feed}", "stock_bars_resp", "/bars/200/bars"),
        (f"/AAPL/bars?timeframe=1Min&limit=1&{feed}", "stock_bars_resp_single", "/{symbol}/bars/200/bars"),
        ("/bars/latest?symbols=AAPL", "stock_latest_bars_resp", None),
        ("/AAPL/bars/latest", "stock_latest_bars_resp_single", "/{symbol}/bars/latest/200/bar"),
        ("/quotes/latest?symbols=AAPL", "stock_latest_quotes_resp", None),
        ("/AAPL/quotes/latest", "stock_latest_quotes_resp_single", "/{symbol}/quotes/latest/200/quotes"),
        ("/trades/latest?symbols=AAPL", "stock_latest_trades_resp", None),
        ("/AAPL/trades/latest", "stock_latest_trades_resp_single", "/{symbol}/trades/latest/200/trade"),
        ("/snapshots?symbols=AAPL", "stock_snapshots_resp", None),
        ("/AAPL/snapshot", "stock_snapshots_resp_single", "/{symbol}/snapshot/200/snapshot"),
    ):
        status, body = wire.ask("GET", f"/v2/stocks{path}")
        assert status == 200, path
        valid_data(body, schema)
        if example is not None:
            assert keys(body) == keys(data_examples()[prefix + example]), path


def keys(body: Any) -> Any:
    """The keys of an answer, all the way down."""
    if isinstance(body, dict):
        return {key: keys(value) for key, value in body.items()}
    return [keys(one) for one in body] if isinstance(body, list) and body and isinstance(body[0], dict) else None


def test_the_check_of_keys_sees_a_missing_one() -> None:
    good = {"bars": [{"t": "x", "o": 1.0}], "next_page_token": None}
    assert keys(good) != keys({"bars": [{"t": "x"}], "next_page_token": None})
    with pytest.raises(jsonschema.ValidationError):
        valid_data(good, "stock_bars_resp_single")
