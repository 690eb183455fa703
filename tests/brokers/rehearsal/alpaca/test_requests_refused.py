"""What used to be ignored without a word is honoured or refused by its name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.brokers.rehearsal.market import later
from tests.brokers.rehearsal.wire import Wire


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    """A venue in which twelve orders rest, eleven bought AAPL and one sold it."""
    with Wire() as one:
        one.order(qty="100")
        later(one.server, seconds=1)
        for price in range(80, 90):
            assert one.order(type="limit", limit_price=str(price), qty="1")[0] == 200
            later(one.server, seconds=1)
        assert one.order(side="sell", type="limit", limit_price="130", qty="1")[0] == 200
        later(one.server, seconds=1)
        yield one


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"extended_hours": "true"}, "invalid extended_hours"),
        ({"extended_hours": 1}, "invalid extended_hours"),
        ({"symbol": "BTC/USD"}, '"BTC/USD" is not rehearsed here: crypto'),
        ({"symbol": "AAPL260116C00250000"}, '"AAPL260116C00250000" is not rehearsed here: an option'),
        ({"order_class": "mleg"}, "invalid order_class: mleg is not rehearsed here"),
        ({"advanced_instructions": {"algorithm": "TWAP"}}, "advanced_instructions are not rehearsed here"),
        ({"legs": [{"symbol": "A"}]}, "legs are not rehearsed here"),
    ],
)
def test_orders(wire: Wire, fields: dict[str, Any], message: str) -> None:
    status, body = wire.order(**fields)
    assert (status, body["message"][: len(message)]) == (422, message)


def test_a_replace_without_a_change_is_none(wire: Wire) -> None:
    one = wire.order(type="limit", limit_price="70", qty="5")[1]["id"]
    later(wire.server, seconds=1)
    path = f"/v2/orders/{one}"
    for patch in ({"limit_price": "70"}, {"qty": "5", "limit_price": "70.00"}, {"time_in_force": "day"}, {}):
        assert wire.refusal("PATCH", path, **patch) == (422, "order parameters are not changed")
    assert wire.refusal("PATCH", path, notional="5")[1] == "notional cannot be replaced"
    assert wire.refusal("PATCH", path, advanced_instructions={"a": 1})[1] == "advanced_instructions cannot be replaced"
    assert wire.ask("GET", path)[1]["status"] == "new"
    assert wire.ask("PATCH", path, limit_price="71")[0] == 200
    later(wire.server, seconds=1)


def test_fields_that_were_missing(wire: Wire) -> None:
    account = wire.ask("GET", "/v2/account")[1]
    assert (account["options_approved_level"], account["pending_transfer_out"]) == (0, "0")
    day = wire.order(type="limit", limit_price="60", qty="1")[1]
    assert day["expires_at"] == "2026-03-10T20:00:00.000000Z"
    gtc = wire.order(type="limit", limit_price="60", qty="1", time_in_force="gtc")[1]
    assert gtc["expires_at"] == "2026-06-08T14:00:14.000000Z"


def test_a_pager_comes_to_the_end(wire: Wire) -> None:
    seen: list[str] = []
    before = ""
    for _ in range(10):
        status, page = wire.ask("GET", f"/v2/orders?status=all&symbols=AAPL&limit=4&before_order_id={before}")
        assert status == 200
        if not page:
            break
        seen += [order["id"] for order in page]
        before = page[-1]["id"]
    else:
        pytest.fail("the pager does not end")
    everything = [order["id"] for order in wire.ask("GET", "/v2/orders?status=all&limit=500")[1]]
    assert seen == everything
    after = wire.ask("GET", f"/v2/orders?status=all&direction=asc&after_order_id={everything[-1]}&limit=3")[1]
    assert [order["id"] for order in after] == everything[::-1][1:4]


def test_the_side_is_looked_at_before_the_limit(wire: Wire) -> None:
    found = wire.ask("GET", "/v2/orders?side=sell&limit=1&direction=desc")[1]
    assert [order["side"] for order in found] == ["sell"]
    assert len(wire.ask("GET", "/v2/orders?asset_class=us_equity,crypto")[1]) > 5
    assert wire.ask("GET", "/v2/orders?asset_class=us_option")[1] == []


def test_assets_are_chosen_by_every_parameter(wire: Wire) -> None:
    assert len(wire.ask("GET", "/v2/assets?status=active&asset_class=us_equity&exchange=NASDAQ")[1]) == 2
    for query in ("status=inactive", "asset_class=crypto", "exchange=NYSE", "attributes=ipo,has_options"):
        assert wire.ask("GET", f"/v2/assets?{query}") == (200, []), query


def test_activities_in_either_direction(wire: Wire) -> None:
    newest = wire.ask("GET", "/v2/account/activities?activity_types=FILL")[1]
    assert len(newest) == 1
    assert wire.ask("GET", "/v2/account/activities?activity_types=DIV") == (200, [])
    assert wire.ask("GET", "/v2/account/activities?category=trade_activity&direction=asc")[1] == newest
    assert wire.ask("GET", "/v2/account/activities?category=non_trade_activity") == (200, [])
    assert wire.ask("GET", f"/v2/account/activities?page_token={newest[0]['id']}") == (200, [])


def test_the_calendar_by_settlement(wire: Wire) -> None:
    trading = wire.ask("GET", "/v2/calendar?start=2026-03-09&end=2026-03-10&date_type=TRADING")[1]
    settled = wire.ask("GET", "/v2/calendar?start=2026-03-09&end=2026-03-10&date_type=SETTLEMENT")[1]
    assert [day["date"] for day in trading] == ["2026-03-09", "2026-03-10"]
    assert [day["date"] for day in settled] == ["2026-03-06", "2026-03-09"]


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("/v2/orders?before_order_id=none", "before_order_id"),
        ("/v2/orders?before_order_id=a&after_order_id=b", "mutually exclusive"),
        ("/v2/orders?before_order_id=a&until=2026-03-10", "cannot be combined"),
        ("/v2/orders?asset_class=banana", "asset_class"),
        ("/v2/orders?side=banana", "side"),
        ("/v2/orders?limit=0", "limit"),
        ("/v2/orders?status=banana", "status"),
        ("/v2/assets?attributes=banana", "attributes"),
        ("/v2/assets?asset_class=banana", "asset_class"),
        ("/v2/assets?status=banana", "status"),
        ("/v2/assets?exchange=banana", "exchange"),
        ("/v2/account/activities?direction=banana", "direction"),
        ("/v2/account/activities?category=banana", "category"),
        ("/v2/account/activities?category=trade_activity&activity_types=FILL", "category"),
        ("/v2/account/activities?activity_types=banana", "activity_types"),
        ("/v2/account/activities?page_token=banana", "page_token"),
        ("/v2/account/activities?page_size=0", "page_size"),
        ("/v2/calendar?date_type=banana", "date_type"),
        ("/v2/calendar?start=2026-03-10&end=2026-03-01", "end must not be before start"),
    ],
)
def test_values_that_nobody_offers_are_refused_by_name(wire: Wire, path: str, named: str) -> None:
    status, message = wire.refusal("GET", path)
    assert status == 422
    assert named in message


def test_what_is_not_rehearsed_is_told_from_a_typing_error(wire: Wire) -> None:
    for path in (
        "/v2/options/contracts", "/v2/watchlists", "/v2/account/configurations", "/v3/clock", "/v1beta1/news",
        "/v1beta3/crypto/us/bars", "/v2/corporate_actions/announcements", "/v2/positions/AAPL/exercise",
        "/v1/corporate-actions",
    ):  # fmt: skip
        status, message = wire.refusal("GET", path)
        assert status == 404
        assert message.startswith(f"not rehearsed here: GET {path} is Alpaca's"), message
    for path in ("/v2/ordrs", "/v2/stocks/AAPL/bar", "/v2/optionss"):
        assert wire.refusal("GET", path) == (404, f"no such path: GET {path}")
