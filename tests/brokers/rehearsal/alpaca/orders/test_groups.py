"""Brackets, OCOs and OTOs: who waits for whom, who cancels whom."""

from __future__ import annotations

import pytest

from brokers.rehearsal.alpaca.errors import ApiError
from tests.brokers.rehearsal.venue import Venue, order, refused


def test_legs_are_held_until_the_entry_has_filled_then_only_the_target_works() -> None:
    venue = Venue()
    ids = venue.bracket("limit", limit_price="99")
    venue.wait()
    assert venue.status(*ids) == "new held held"
    venue.quote("98.5")
    assert venue.status(*ids) == "filled new held"
    assert venue.order(ids[0])["filled_avg_price"] == "98.51"


def test_a_stop_trigger_makes_the_target_replaced_and_the_stop_filled() -> None:
    venue = Venue()
    entry, target, stop = venue.bracket()
    venue.wait()
    venue.quote("94")
    assert venue.status(entry, target, stop) == "filled replaced filled"
    assert venue.order(stop)["filled_avg_price"] == "93.99"
    assert venue.order(target)["replaced_by"] == stop
    assert venue.told(target) == ["new", "replaced"]
    assert venue.told(stop) == ["new", "fill"]
    assert venue.positions() == []


def test_a_filled_target_cancels_the_stop() -> None:
    venue = Venue()
    ids = venue.bracket()
    venue.wait()
    venue.quote("111")
    assert venue.status(*ids) == "filled filled canceled"
    assert venue.order(ids[1])["filled_avg_price"] == "110.99"
    assert venue.told(ids[2]) == ["canceled"]


@pytest.mark.parametrize("member", [0, 1, 2])
def test_cancelling_any_member_cancels_the_group(member: int) -> None:
    venue = Venue()
    ids = venue.bracket("limit", limit_price="99")
    venue.wait()
    venue.cancel(ids[member])
    assert venue.order(ids[member])["status"] == "pending_cancel"
    venue.wait()
    assert venue.status(*ids) == "canceled canceled canceled"


@pytest.mark.parametrize("member", [0, 1])
def test_cancelling_one_exit_cancels_the_other(member: int) -> None:
    venue = Venue()
    venue.buy()
    ids = venue.oco()
    venue.wait()
    assert venue.status(*ids) == "new held"
    venue.cancel(ids[member])
    venue.wait()
    assert venue.status(*ids) == "canceled canceled"


def test_an_entry_that_expires_unfilled_takes_its_legs_with_it() -> None:
    venue = Venue()
    ids = venue.bracket("limit", limit_price="90", stop="85", time_in_force="day")
    venue.wait(7 * 3600)
    assert venue.status(*ids) == "expired canceled canceled"


def test_an_oco_exits_by_its_stop_limit_only_within_the_limit() -> None:
    venue = Venue()
    venue.buy()
    target, stop = venue.oco(stop_loss={"stop_price": "95", "limit_price": "94.5"})
    venue.wait()
    venue.quote("94")
    assert venue.status(target, stop) == "replaced new"
    venue.quote("94.6")
    assert venue.status(stop) == "filled"
    assert venue.order(stop)["filled_avg_price"] == "94.59"


@pytest.mark.parametrize(
    ("leg", "price", "left"),
    [({"stop_loss": {"stop_price": "95"}}, "94", []), ({"take_profit": {"limit_price": "110"}}, "111", [])],
)
def test_an_oto_has_one_leg_that_works_once_the_entry_has_filled(leg: dict, price: str, left: list) -> None:
    venue = Venue()
    body: dict = venue.submit(order(order_class="oto", **leg))
    exit_id = body["legs"][0]["id"]
    assert venue.status(exit_id) == "held"
    venue.wait()
    assert venue.status(exit_id) == "new"
    venue.quote(price)
    assert venue.status(exit_id) == "filled"
    assert venue.positions() == left


def test_a_short_bracket_is_the_mirror_image() -> None:
    venue = Venue()
    exits = {"take_profit": {"limit_price": "90"}, "stop_loss": {"stop_price": "105"}}
    body: dict = venue.submit(order("sell", order_class="bracket", **exits))
    venue.wait()
    assert venue.position("AAPL")["side"] == "short"
    assert [leg["position_intent"] for leg in body["legs"]] == ["buy_to_close", "buy_to_close"]
    venue.quote("106")
    assert venue.status(*(leg["id"] for leg in body["legs"])) == "replaced filled"


BRACKET = {
    "order_class": "bracket",
    "take_profit": {"limit_price": "110"},
    "stop_loss": {"stop_price": "95"},
    "time_in_force": "gtc",
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"take_profit": None}, "bracket orders require take_profit.limit_price"),
        ({"stop_loss": None}, "bracket orders require stop_loss.stop_price"),
        ({"time_in_force": "ioc"}, "bracket orders must be DAY or GTC orders"),
        ({"extended_hours": True, "type": "limit", "limit_price": "100"}, "bracket orders must not be extended hours"),
        ({"take_profit": {"limit_price": "94"}}, "take_profit.limit_price must be > stop_loss.stop_price"),
        ({"type": "trailing_stop", "trail_price": "1"}, "trailing_stop orders must be simple orders"),
        ({"qty": "1.5", "time_in_force": "day"}, "fractional orders must be simple orders"),
        ({"order_class": "oto"}, "oto orders require either"),
        ({"order_class": "oto", "take_profit": None, "stop_loss": None}, "oto orders require either"),
        ({"order_class": "oco", "side": "sell"}, "oco orders must be limit orders"),
        ({"order_class": "oco", "side": "sell", "type": "limit"}, "oco orders must be exit orders"),
        ({"order_class": "simple"}, "simple orders must not have take_profit or stop_loss"),
    ],
)
def test_group_shapes(change: dict, message: str) -> None:
    payload = {k: v for k, v in order(**{**BRACKET, **change}).items() if v is not None}
    status, body = refused(Venue(), payload)
    assert status == 422
    assert str(body["message"]).startswith(message)


def test_a_bracket_cannot_close() -> None:
    venue = Venue()
    venue.buy()
    exits = {"take_profit": {"limit_price": "90"}, "stop_loss": {"stop_price": "105"}}
    status, body = refused(venue, order("sell", order_class="bracket", **exits))
    assert (status, body) == (422, {"code": 42210000, "message": "bracket orders must be entry orders"})


@pytest.mark.parametrize(
    ("exits", "field", "relation"),
    [
        (("100", "95"), "take_profit.limit_price", ">= base_price + 0.01"),
        (("110", "100"), "stop_loss.stop_price", "<= base_price - 0.01"),
    ],
)
def test_stale_exit_prices_are_refused(exits: tuple[str, str], field: str, relation: str) -> None:
    with pytest.raises(ApiError) as caught:
        Venue().bracket(target=exits[0], stop=exits[1])
    assert caught.value.status == 422
    assert caught.value.body == {"code": 42210000, "message": f"{field} must be {relation}", "base_price": "100"}


def test_the_nearest_exit_prices_are_accepted() -> None:
    venue = Venue()
    assert venue.bracket(target="100.01", stop="99.99")
