"""Answers validate against the venue's published schemas and have exactly the keys of its examples."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from tests.brokers.rehearsal.official import STREAM_FRAME, examples, needs_schemas, observed, same_shape, valid
from tests.brokers.rehearsal.venue import Venue, order, refused

pytestmark = needs_schemas


def orders_of_all_kinds() -> Iterator[tuple[dict[str, Any], str]]:
    """Order objects at several stages, with the example each has to look like."""
    venue = Venue()
    yield venue.submit(order("buy", "limit", limit_price="90", time_in_force="gtc")), "EquityOrderResponse"
    yield venue.submit(order(notional="100.5")), "EquityOrderResponse"
    trailing = venue.send(kind="trailing_stop", trail_percent="1.5")
    entry = venue.bracket("limit", limit_price="99")[0]
    yield venue.order(entry, nested=True), "BracketOrderResponse"
    venue.wait()
    yield venue.order(trailing), "EquityOrderResponse"
    venue.quote("98")
    for price in ("111", "111"):
        venue.quote(price)
        yield venue.order(entry, nested=True), "BracketOrderResponse"
    old = venue.send("buy", "limit", limit_price="80")
    venue.wait()
    yield venue.replace(old, {"limit_price": "81"}), "EquityOrderResponse"
    venue.wait()
    yield venue.order(old), "EquityOrderResponse"
    venue.cancel_all()
    venue.wait()
    venue.wait()
    yield venue.close_position("AAPL", percentage=10), "EquityOrderResponse"


def test_orders() -> None:
    for body, example in orders_of_all_kinds():
        valid(body, "Order")
        same_shape(body, examples()[f"examples/{example}"])


def test_an_oco_is_a_target_with_a_stop_for_a_leg() -> None:
    venue = Venue()
    venue.buy()
    body: Any = venue.order(venue.oco()[0], nested=True)
    valid(body, "Order")
    example = examples()["examples/BracketOrderResponse"]
    same_shape(body, {**example, "legs": example["legs"][1:]})
    assert [body["group_role"], body["legs"][0]["group_role"]] == ["take_profit", "stop_loss"]
    assert body["group_id"] == body["legs"][0]["group_id"]


def test_account_position_asset_clock() -> None:
    venue = Venue()
    venue.buy("7")
    venue.advance(venue.now + timedelta(days=1))
    venue.quote("101.37")
    venue.wait()
    valid(venue.account(), "Account")
    same_shape(venue.account(), examples()["paths/get /v2/account/200/example"])
    valid(venue.position("AAPL"), "Position")
    same_shape(venue.position("AAPL"), examples()["schemas/Position/0"])
    valid(venue.asset("AAPL"), "Assets")
    same_shape(venue.asset("AAPL"), examples()["schemas/Assets/0"])
    valid(venue.clock(), "legacy_clock")
    same_shape(venue.clock(), examples()["schemas/legacy_clock/example"])


def test_lists_of_answers() -> None:
    venue = Venue()
    venue.buy()
    venue.send("sell", "limit", limit_price="120", qty="1")
    venue.wait()
    for body in venue.cancel_all():
        valid(body, "CanceledOrderResponse")
        same_shape(body, examples()["schemas/CanceledOrderResponse/0"])
    venue.wait()
    venue.wait()
    for body in venue.close_all():
        valid(body, "PositionClosedResponse")
        assert body.keys() == examples()["schemas/PositionClosedResponse/0"].keys()


def test_a_fill_on_the_stream_looks_like_the_captured_one() -> None:
    frame = copy.deepcopy(next(line["body"]["data"] for line in observed() if line["kind"] == STREAM_FRAME))
    # The frame is of 2024; the key has left the Order object since.
    del frame["order"]["cancel_requested_at"]
    venue = Venue()
    venue.send(qty="4")
    venue.wait()
    same_shape(next(e for e in venue.events if e["event"] == "fill"), frame)
    for event in venue.events:
        assert event.keys() - frame.keys() == set()
        assert {"event", "timestamp", "order", "execution_id"} <= event.keys()


def refusals() -> Iterator[tuple[int, dict[str, Any]]]:
    """Every refusal that was observed at the venue, provoked here with the same numbers."""
    for symbol, held in (("LIDR", "5264"), ("AEIS", "44"), ("EWY", "106")):
        venue = Venue(symbols=(symbol,), price=None)
        venue.quote("10", symbol)
        venue.buy(held, symbol)
        venue.oco("12", "9", symbol=symbol, qty=held)
        yield refused(venue, order("sell", symbol=symbol, qty=held))
    venue = Venue(symbols=("GOOGL",), price=None)
    venue.quote("10", "GOOGL")
    venue.buy("0.9998", "GOOGL")
    yield refused(venue, order("sell", symbol="GOOGL", qty="1"))
    venue = Venue()
    venue.buy()
    first = venue.send("sell", "stop", stop_price="90", client_order_id="one")
    status, body = refused(venue, order())
    yield status, {**body, "existing_order_id": "a182da86-..." if body["existing_order_id"] == first else "another"}
    yield refused(venue, order(client_order_id="one"))
    for base, exits in (
        ("0.1616", {"take_profit": {"limit_price": "0.2"}, "stop_loss": {"stop_price": "0.1600"}}),
        ("0.1577", {"take_profit": {"limit_price": "0.16"}, "stop_loss": {"stop_price": "0.1"}}),
    ):
        venue = Venue(price=base)
        yield refused(venue, order(order_class="bracket", **exits))
    venue = Venue()
    venue.buy()
    exits = {"take_profit": {"limit_price": "90"}, "stop_loss": {"stop_price": "110"}}
    yield refused(venue, order("sell", order_class="bracket", **exits))
    yield refused(venue, order(order_class="bracket", stop_loss={"stop_price": "90"}))
    yield refused(venue, order(kind="limit", limit_price="90", stop_price="90"))
    yield refused(venue, order(kind="limit", limit_price="290.123"))


def test_observed_refusals_are_reproduced() -> None:
    answers = list(refusals())
    for line in observed():
        if line["kind"] != "http_error" or "cannot replace" in line["body"]["message"]:
            continue
        # Some reports quote the text only, so a key that wasn't reported may be there.
        matching = [
            body for status, body in answers if status == line["status"] and line["body"].items() <= body.items()
        ]
        assert matching, line["body"]
        assert all(body.keys() - line["body"].keys() <= {"code"} for body in matching)
