"""PATCH: a new id, a promise, and what is refused."""

from __future__ import annotations

import pytest

from brokers.rehearsal.alpaca.errors import ApiError
from brokers.rehearsal.core.faults import FaultPlan
from tests.brokers.rehearsal.venue import Venue, at


def refusal(venue: Venue, order_id: str, **patch: object) -> tuple[int, dict]:
    with pytest.raises(ApiError) as caught:
        venue.replace(order_id, patch)
    return caught.value.status, caught.value.body


def test_a_replacement_has_a_new_id_and_both_point_at_each_other() -> None:
    venue = Venue()
    old = venue.send(kind="limit", limit_price="90")
    venue.wait()
    new = str(venue.replace(old, {"limit_price": "91", "qty": "7", "client_order_id": "second"})["id"])
    assert venue.status(old, new) == "pending_replace pending_new"
    venue.wait()
    assert venue.status(old, new) == "replaced new"
    assert venue.order(old)["replaced_by"] == new
    body = venue.order(new)
    assert [body[k] for k in ("replaces", "limit_price", "qty", "client_order_id")] == [old, "91", "7", "second"]
    assert venue.told(old)[-1] == "replaced"
    assert venue.told(new) == ["new"]


def test_the_stop_of_a_group_keeps_its_place() -> None:
    venue = Venue()
    _, target, stop = venue.bracket()
    venue.wait()
    new = str(venue.replace(stop, {"stop_price": "97"})["id"])
    venue.wait()
    assert venue.status(target, stop, new) == "new replaced held"
    assert venue.order(new)["group_role"] == "stop_loss"
    assert venue.available() == "0"
    venue.quote("96.5")
    assert venue.status(target, new) == "replaced filled"
    assert venue.positions() == []


def test_no_replace_in_these_states() -> None:
    venue = Venue(now=at("2026-03-10 15:59:50"))
    venue.buy()
    stop = venue.send("sell", "stop", stop_price="90", time_in_force="gtc")
    body = {"code": 42210000, "message": "cannot replace order in pending_new status"}
    assert refusal(venue, stop, stop_price="91") == (422, body)
    venue.wait()
    venue.replace(stop, {"stop_price": "91"})
    assert refusal(venue, stop, stop_price="92")[1]["message"] == "cannot replace order in pending_replace status"
    with pytest.raises(ApiError, match="pending_replace"):
        venue.cancel(stop)
    venue.wait()
    working = str(venue.order(stop)["replaced_by"])
    assert refusal(venue, stop, stop_price="92")[1]["message"] == "cannot replace order in replaced status"
    venue.advance(at("2026-03-10 16:00"))
    body = {"code": 42210000, "message": "cannot replace order in accepted status"}
    assert refusal(venue, working, stop_price="92") == (422, body)
    venue.cancel(working)
    assert refusal(venue, working, stop_price="92")[1]["message"] == "cannot replace order in pending_cancel status"


@pytest.mark.parametrize(
    ("kind", "terms", "patch", "message"),
    [
        ("limit", {"limit_price": "90"}, {"stop_price": "80"}, "limit orders must not have stop_price"),
        ("limit", {"limit_price": "90"}, {"trail": "1"}, "limit orders must not have trail"),
        ("limit", {"limit_price": "90"}, {"qty": "1.5"}, "qty must be a whole number"),
        ("limit", {"limit_price": "90"}, {"limit_price": "90.001"}, "invalid limit_price 90.001. sub-penny"),
        ("limit", {"limit_price": "90"}, {"qty": "5000"}, "insufficient buying power"),
        ("limit", {"limit_price": "90", "qty": "1.5"}, {"limit_price": "91"}, "fractional and notional orders"),
        ("limit", {"limit_price": "90", "extended_hours": True}, {"time_in_force": "gtc"}, "extended hours order must"),
        ("limit", {"limit_price": "90"}, {"client_order_id": "used"}, "client_order_id must be unique"),
    ],
)
def test_terms_that_are_refused(kind: str, terms: dict, patch: dict, message: str) -> None:
    venue = Venue()
    venue.send(kind="limit", limit_price="10", client_order_id="used")
    order_id = venue.send(kind=kind, **terms)
    venue.wait()
    assert str(refusal(venue, order_id, **patch)[1]["message"]).startswith(message)
    assert venue.status(order_id) == "new"


def test_only_the_prices_of_a_group_change_and_only_on_the_right_side() -> None:
    venue = Venue()
    _, _, stop = venue.bracket()
    venue.wait()
    assert refusal(venue, stop, qty="5")[1]["message"] == "only the prices of bracket orders can be replaced"
    body = {"code": 42210000, "message": "stop_loss.stop_price must be <= base_price - 0.01", "base_price": "100"}
    assert refusal(venue, stop, stop_price="100") == (422, body)


def test_buying_power_is_taken_by_the_larger_of_the_two() -> None:
    venue = Venue()
    old = venue.send(kind="limit", limit_price="90", qty="1000")
    venue.wait()
    venue.replace(old, {"limit_price": "80"})
    assert venue.account()["buying_power"] == "110000"
    venue.wait()
    assert venue.account()["buying_power"] == "120000"


def test_a_smaller_exit_gives_shares_back_later() -> None:
    venue = Venue()
    venue.buy()
    old = venue.send("sell", "limit", limit_price="120")
    venue.wait()
    venue.replace(old, {"qty": "4"})
    venue.advance(venue.now)
    assert venue.available() == "0"
    venue.wait()
    assert venue.available() == "6"


def test_trail_is_the_field_of_a_trailing_stop() -> None:
    venue = Venue()
    venue.buy()
    old = venue.send("sell", "trailing_stop", trail_price="5")
    venue.wait()
    venue.quote("110")
    assert venue.order(old)["stop_price"] == "105"
    new = str(venue.replace(old, {"trail": "3"})["id"])
    venue.wait()
    body = venue.order(new)
    assert [body[k] for k in ("trail_price", "hwm", "stop_price")] == ["3", "110", "107"]


def test_a_200_does_not_promise_the_replacement() -> None:
    venue = Venue(faults=FaultPlan(replace_refused_frac=1))
    old = venue.send(kind="limit", limit_price="90")
    venue.wait()
    new = str(venue.replace(old, {"limit_price": "91"})["id"])
    venue.wait()
    assert venue.status(old, new) == "new rejected"
    assert venue.told(old)[-1] == "order_replace_rejected"
    assert venue.told(new) == ["rejected"]
    assert venue.order(new)["failed_at"] is not None


def test_a_group_cancelled_before_the_replacement_is_settled_takes_it_along() -> None:
    venue = Venue()
    entry, target, stop = venue.bracket("limit", limit_price="99")
    venue.wait()
    venue.cancel(entry)
    new = str(venue.replace(stop, {"stop_price": "96"})["id"])
    venue.wait()
    assert venue.status(entry, target, stop, new) == "canceled canceled canceled rejected"
