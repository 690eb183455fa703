"""Lumibot's orders in Alpaca's words and back."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from lumibot.entities import Asset

from brokers.alpaca.payloads import payload_of
from brokers.desk.execution.order_gateway import OrderRefused
from brokers.lumibot.order_mapping import order_of, request_of, status_of
from tests.brokers.alpaca_venue import STRATEGY, Scene

# Half a cent of spread on each side, to the cent.
FILL = ("fill", 10, 100.01)


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, {"type": "market", "qty": "10", "time_in_force": "gtc"}),
        ({"limit_price": 99.123456}, {"type": "limit", "limit_price": "99.12"}),
        ({"limit_price": 0.123456}, {"type": "limit", "limit_price": "0.1235"}),
        ({"stop_price": 95.004}, {"type": "stop", "stop_price": "95"}),
        (
            {"stop_price": 95.0, "stop_limit_price": 94.5},
            {"type": "stop_limit", "stop_price": "95", "limit_price": "94.5"},
        ),
        ({"trail_percent": 0.05}, {"type": "trailing_stop", "trail_percent": "5"}),
        ({"trail_price": 1.5}, {"type": "trailing_stop", "trail_price": "1.5"}),
        ({"quantity": 0.5}, {"qty": "0.5", "time_in_force": "day"}),
        (
            {"limit_price": 99.0, "custom_params": {"extended_hours": True}},
            {"extended_hours": True, "time_in_force": "day"},
        ),
        (
            {
                "order_class": "bracket", "limit_price": 99.0, "secondary_limit_price": 110.123,
                "secondary_stop_price": 95.001,
            },
            {
                "type": "limit", "limit_price": "99", "order_class": "bracket",
                "take_profit": {"limit_price": "110.12"}, "stop_loss": {"stop_price": "95"},
            },
        ),
        (
            {"order_class": "oto", "secondary_stop_price": 95.0, "secondary_stop_limit_price": 94.0},
            {"type": "market", "order_class": "oto", "stop_loss": {"stop_price": "95", "limit_price": "94"}},
        ),
        (
            {"side": "sell", "order_class": "oco", "limit_price": 110.0, "stop_price": 95.0},
            {
                "type": "limit", "side": "sell", "order_class": "oco", "take_profit": {"limit_price": "110"},
                "stop_loss": {"stop_price": "95"},
            },
        ),
    ],
)  # fmt: skip
def test_an_order_becomes_alpaca_s_payload(scene: Scene, more: dict[str, Any], expected: dict[str, Any]) -> None:
    payload = payload_of(request_of(scene.order(**more)))
    assert {key: payload[key] for key in expected} == expected
    assert payload["symbol"] == "AAPL"
    assert "client_order_id" not in payload


def test_a_payload_is_what_the_venue_takes(scene: Scene) -> None:
    assert scene.bracket(limit_price=99.123).status == "new"
    assert scene.router.sent[0]["limit_price"] == "99.12"


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"quantity": 0}, "ORDER_QUANTITY"),
        ({"custom_params": {"notional": 5}}, "ORDER_PARAMS"),
        ({"limit_price": 1.0, "custom_params": {"type": "market"}}, "ORDER_TYPE"),
        ({"order_type": "smart_limit"}, "ORDER_TYPE"),
        ({"trail_percent": 5}, "ORDER_PRICE"),
        ({"time_in_force": "gtd"}, "ORDER_TIME"),
        ({"order_class": "bracket", "secondary_limit_price": 110.0}, "ORDER_EXITS"),
        ({"order_class": "oto", "secondary_stop_price": 95.0, "secondary_trail_percent": 0.1}, "ORDER_EXITS"),
    ],
)
def test_what_the_venue_has_no_words_for_is_refused(scene: Scene, more: dict[str, Any], code: str) -> None:
    with pytest.raises(OrderRefused, match=code):
        payload_of(request_of(scene.order(**more)))


@pytest.mark.parametrize("kind", ["crypto", "option", "future", "forex"])
def test_only_stocks_are_traded(scene: Scene, kind: str) -> None:
    order = scene.order()
    order.asset = Asset("X", asset_type=kind)
    with pytest.raises(OrderRefused, match="ORDER_ASSET"):
        request_of(order)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("new", "new"), ("accepted", "new"), ("held", "new"), ("pending_new", "new"), ("pending_replace", "new"),
        ("stopped", "new"), ("suspended", "new"), ("done_for_day", "new"), ("pending_cancel", "cancelling"),
        ("replaced", "canceled"), ("expired", "canceled"), ("rejected", "error"), ("filled", "fill"),
    ],
)  # fmt: skip
def test_only_what_has_ended_is_read_as_ended(status: str, expected: str) -> None:
    assert status_of(status) == expected


def test_brackets_are_read_with_their_legs_as_orders_of_their_own(scene: Scene) -> None:
    entry, *legs = scene.venue.bracket()
    scene.broker.refresh()
    orders = scene.broker._parse_broker_orders(scene.broker._pull_broker_all_orders(), STRATEGY)
    assert [(o.identifier, o.order_class, o.parent_identifier) for o in orders] == [
        (entry, "simple", None),
        *((leg, "simple", entry) for leg in legs),
    ]


def test_a_notional_order_is_kept_with_what_was_filled(scene: Scene) -> None:
    name = scene.venue.send(notional="500")
    assert order_of(scene.venue.order(name), STRATEGY).quantity == 0
    scene.venue.wait()
    assert order_of(scene.venue.order(name), STRATEGY).quantity == Decimal(scene.venue.position("AAPL")["qty"])
