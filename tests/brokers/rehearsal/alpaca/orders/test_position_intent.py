"""``position_intent``: validated, echoed, and an order that closes never turns the position round."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.brokers.rehearsal.market import later
from tests.brokers.rehearsal.venue import Venue, order, refused
from tests.brokers.rehearsal.wire import Wire


@pytest.fixture
def wire() -> Iterator[Wire]:
    with Wire() as one:
        yield one


def test_it_is_validated_and_echoed(wire: Wire) -> None:
    status, body = wire.order(position_intent="banana")
    assert (status, body["message"]) == (422, "invalid position_intent")
    status, body = wire.order(side="sell", position_intent="buy_to_open")
    assert (status, body["code"]) == (422, 42210000)
    assert "contradicts the side sell" in body["message"]
    status, body = wire.order(position_intent="buy_to_open")
    assert (status, body["position_intent"]) == (200, "buy_to_open")
    later(wire.server, seconds=1)
    assert wire.ask("GET", f"/v2/orders/{body['id']}")[1]["position_intent"] == "buy_to_open"
    assert "position_intent" not in wire.order()[1]


def test_what_contradicts_the_position_is_refused(wire: Wire) -> None:
    status, body = wire.order(side="sell", position_intent="sell_to_close")
    assert status == 422
    assert body["message"] == "position intent mismatch, inferred: sell_to_open, specified: sell_to_close"
    wire.order()
    later(wire.server, seconds=1)
    status, body = wire.order(side="sell", position_intent="sell_to_open")
    assert body["message"] == "position intent mismatch, inferred: sell_to_close, specified: sell_to_open"
    assert wire.order(side="sell", position_intent="sell_to_close")[0] == 200


def test_a_close_that_comes_after_another_sells_nothing() -> None:
    """The position goes while the order rests: declared to close it ends, undeclared it opens a short."""
    for intent, quantity, status in (("sell_to_close", 0, "canceled"), ("", -10, "filled")):
        venue = Venue()
        venue.buy()
        first = venue.send("sell", "stop", stop_price="95", **({"position_intent": intent} if intent else {}))
        venue.wait()
        venue._state.ledger.holdings.clear()
        venue.quote("94")
        assert venue.status(first) == status
        assert venue._state.ledger.quantity("AAPL") == quantity


def test_a_close_sells_what_is_left_and_no_more() -> None:
    venue = Venue()
    venue.buy()
    stop = venue.send("sell", "stop", stop_price="95", position_intent="sell_to_close")
    venue.wait()
    venue._state.ledger.holdings["AAPL"].qty -= 6
    venue.quote("94")
    assert (venue.status(stop), venue.order(stop)["filled_qty"]) == ("canceled", "4")
    assert venue.positions() == []
    assert venue.told(stop)[-2:] == ["partial_fill", "canceled"]


def test_both_orders_of_an_oco_close_and_a_brackets_exits_do() -> None:
    venue = Venue()
    entry, target, stop = venue.bracket(position_intent="buy_to_open")
    assert [venue._state.orders[one].intent for one in (entry, target, stop)] == ["open", "close", "close"]
    venue.wait()
    venue.cancel(target)
    venue.wait()
    venue.wait()
    pair = venue.oco(position_intent="sell_to_close")
    assert [venue._state.orders[one].intent for one in pair] == ["close", "close"]
    assert refused(venue, order("buy", position_intent="buy_to_close"))[0] == 422


def test_a_replacement_keeps_it() -> None:
    venue = Venue()
    venue.buy()
    old = venue.send("sell", "limit", limit_price="120", position_intent="sell_to_close")
    venue.wait()
    assert venue.replace(old, {"limit_price": "121"})["position_intent"] == "sell_to_close"
