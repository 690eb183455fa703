"""Shares that exits hold, wash trades, closing positions."""

from __future__ import annotations

import pytest

from brokers.rehearsal.alpaca.errors import ApiError
from tests.brokers.rehearsal.venue import Venue, order, refused


def test_held_shares_cannot_be_sold_until_the_cancel_has_given_them_back() -> None:
    venue = Venue()
    venue.buy("44")
    target, _ = venue.oco(qty="44")
    venue.wait()
    body = {
        "available": "0",
        "code": 40310000,
        "existing_qty": "44",
        "held_for_orders": "44",
        "message": "insufficient qty available for order (requested: 44, available: 0)",
        "symbol": "AAPL",
    }
    with pytest.raises(ApiError) as caught:
        venue.close_position("AAPL")
    assert (caught.value.status, caught.value.body) == (403, body)
    assert refused(venue, order("sell", qty="44")) == (403, body)
    venue.cancel(target)
    venue.advance(venue.now)
    assert venue.status(target) == "canceled"
    assert venue.available() == "0"
    venue.wait()
    assert venue.available() == "44"
    venue.send("sell", qty="14")
    venue.wait()
    assert venue.oco(qty="30")
    assert venue.available() == "0"


def test_an_unfilled_brackets_legs_hold_nothing() -> None:
    venue = Venue()
    venue.buy()
    venue.bracket("limit", limit_price="99")
    venue.wait()
    assert venue.available() == "10"
    venue.quote("98")
    assert venue.position("AAPL")["qty"] == "20"
    assert venue.available() == "10"


def test_a_plain_sell_and_a_stop_hold_what_is_left_of_them() -> None:
    venue = Venue()
    venue.buy("30")
    venue.send("sell", "limit", limit_price="120", qty="10")
    venue.send("sell", "stop", stop_price="90", qty="5")
    assert venue.available() == "15"
    assert refused(venue, order("sell", qty="16"))[1]["available"] == "15"


def test_a_filled_target_leaves_the_rest_of_the_position_available() -> None:
    venue = Venue()
    venue.buy("30")
    venue.oco(qty="20")
    venue.wait()
    venue.quote("111")
    assert (venue.position("AAPL")["qty"], venue.available()) == ("10", "10")


TERMS = {
    "market": {},
    "limit": {"limit_price": "95"},
    "stop": {"stop_price": "105"},
    "stop_limit": {"stop_price": "105", "limit_price": "95"},
}
RESTING = {
    "limit": {"limit_price": "120"},
    "limit low": {"limit_price": "104"},
    "stop": {"stop_price": "80"},
    "stop_limit": {"stop_price": "80", "limit_price": "120"},
    "stop_limit low": {"stop_price": "80", "limit_price": "79"},
}


@pytest.mark.parametrize("resting", RESTING)
@pytest.mark.parametrize("new", ["market", "limit", "limit high", "stop", "stop_limit"])
def test_wash_trades(new: str, resting: str) -> None:
    venue = Venue()
    venue.buy("10")
    rest_kind, new_kind = resting.split()[0], new.split()[0]
    rests = venue.send("sell", rest_kind, **RESTING[resting], qty="10", time_in_force="gtc")
    venue.wait()
    terms = {**TERMS[new_kind], **({"limit_price": "105"} if new == "limit high" else {})}
    always = bool({rest_kind, new_kind} & {"market", "stop"})
    buy, sell = float(terms.get("limit_price", 0)), float(RESTING[resting].get("limit_price", 0))
    payload = order(kind=new_kind, **terms, qty="1")
    if not always and buy < sell:
        assert venue.submit(payload)
        return
    status, body = refused(venue, payload)
    assert status == 403
    assert body == {
        "code": 40310000,
        "existing_order_id": rests,
        "message": "potential wash trade detected. use complex orders",
        "reject_reason": f"opposite side {'market/stop' if rest_kind == 'stop' else 'limit'} order exists",
    }


def test_groups_and_trailing_stops_are_exempt() -> None:
    venue = Venue()
    venue.buy("20")
    venue.send("sell", "stop", stop_price="90", qty="10", time_in_force="gtc")
    venue.wait()
    assert refused(venue, order(qty="1"))[0] == 403
    assert venue.bracket(qty="1")
    assert venue.send(kind="trailing_stop", trail_price="2", qty="1")
    plain = Venue()
    plain.buy()
    plain.oco()
    assert plain.send(qty="1")


@pytest.mark.parametrize(
    ("how", "left"),
    [({}, None), ({"qty": "4"}, "6"), ({"qty": 4}, "6"), ({"percentage": 50}, "5"), ({"percentage": "12.5"}, "8.75")],
)
def test_closing_a_position(how: dict, left: str | None) -> None:
    venue = Venue()
    venue.buy()
    assert venue.close_position("AAPL", **how)["type"] == "market"
    venue.wait()
    assert [p["qty"] for p in venue.positions()] == ([left] if left else [])


def test_closing_takes_one_measure_of_a_position_that_is_there() -> None:
    venue = Venue()
    with pytest.raises(ApiError, match="404 position does not exist"):
        venue.close_position("AAPL")
    venue.buy()
    for how in ({"qty": 1, "percentage": 1}, {"percentage": 101}):
        with pytest.raises(ApiError, match="422"):
            venue.close_position("AAPL", **how)


def test_a_short_is_closed_by_buying() -> None:
    venue = Venue()
    venue.send("sell", qty="5")
    venue.wait()
    assert venue.position("AAPL")["qty"] == "-5"
    assert venue.close_position("AAPL")["side"] == "buy"
    venue.wait()
    assert venue.positions() == []


def test_closing_everything() -> None:
    venue = Venue()
    venue.buy()
    venue.quote("50", "MSFT")
    venue.buy(symbol="MSFT")
    venue.oco()
    venue.wait()
    assert [(a["symbol"], a["status"]) for a in venue.close_all()] == [("AAPL", 403), ("MSFT", 200)]
    venue.wait()
    assert [(a["symbol"], a["status"]) for a in venue.close_all(cancel_orders=True)] == [("AAPL", 200)]
    venue.wait()
    assert venue.positions() == []


def test_cancel_all_answers_for_each_order() -> None:
    venue = Venue()
    ids = {*venue.bracket("limit", limit_price="99"), venue.send(kind="limit", limit_price="98")}
    venue.wait()
    answers = venue.cancel_all()
    assert {a["id"] for a in answers} == ids
    assert {a["status"] for a in answers} == {200}
    assert {a["status"] for a in venue.cancel_all()} == {500}
    venue.wait()
    assert venue.orders() == []
