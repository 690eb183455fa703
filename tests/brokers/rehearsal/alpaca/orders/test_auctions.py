"""Orders for the opening and the closing auction."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from tests.brokers.rehearsal.market import later, served
from tests.brokers.rehearsal.venue import Venue, at, order, refused


def morning(time: str = "2026-03-10 09:20", last: str | None = "99") -> Venue:
    return Venue(now=at(time), price=last)


def price(venue: Venue, time: str, last: str) -> None:
    venue.on_quote(at(time), {"AAPL": Decimal(last)})


def test_a_market_order_on_the_open_fills_at_the_first_price_of_the_session() -> None:
    venue = morning()
    one = venue.send(time_in_force="opg")
    price(venue, "2026-03-10 09:25", "99")
    assert venue.status(one) == "accepted"
    price(venue, "2026-03-10 09:30", "101")
    body = venue.order(one)
    # An auction has one price, without the spread.
    assert (body["status"], body["filled_avg_price"]) == ("filled", "101")


@pytest.mark.parametrize(("limit", "status"), [("101", "filled"), ("100.99", "canceled")])
def test_a_limit_order_on_the_open_fills_or_ends_there(limit: str, status: str) -> None:
    venue = morning()
    one = venue.send("buy", "limit", limit_price=limit, time_in_force="opg")
    price(venue, "2026-03-10 09:30", "101")
    assert venue.status(one) == status
    price(venue, "2026-03-10 09:31", "90")
    assert venue.status(one) == status


@pytest.mark.parametrize(("limit", "status"), [(None, "filled"), ("102", "filled"), ("100", "canceled")])
def test_an_order_on_the_close_fills_at_the_last_price_or_not_at_all(limit: str | None, status: str) -> None:
    venue = morning("2026-03-10 10:00")
    terms = {"kind": "limit", "limit_price": limit} if limit else {}
    one = venue.send("buy", time_in_force="cls", **terms)
    for time, last in (("10:01", "95"), ("15:59", "101.5")):
        price(venue, f"2026-03-10 {time}", last)
        assert venue.status(one) == "new"
    venue.advance(at("2026-03-10 16:00"))
    body = venue.order(one)
    assert (body["status"], body["filled_avg_price"]) == (status, "101.5" if status == "filled" else None)


def test_the_last_price_may_be_older_than_the_order() -> None:
    venue = morning("2026-03-10 15:40")
    one = venue.send("buy", time_in_force="cls")
    venue.advance(at("2026-03-10 16:00"))
    assert venue.order(one)["filled_avg_price"] == "99"


def test_without_a_price_in_its_session_the_close_fills_nothing() -> None:
    venue = morning("2026-03-09 15:00")
    venue.advance(at("2026-03-10 10:00"))
    one = venue.send("buy", time_in_force="cls")
    venue.advance(at("2026-03-10 16:00"))
    assert venue.status(one) == "canceled"


@pytest.mark.parametrize(
    ("time", "tif", "taken"),
    [
        ("2026-03-10 09:27", "opg", True),
        ("2026-03-10 09:28", "opg", False),
        ("2026-03-10 12:00", "opg", False),
        ("2026-03-10 18:59", "opg", False),
        ("2026-03-10 19:00", "opg", True),
        ("2026-03-08 12:00", "opg", True),
        ("2026-03-10 15:49", "cls", True),
        ("2026-03-10 15:50", "cls", False),
        ("2026-03-10 18:00", "cls", False),
        ("2026-03-10 20:30", "cls", True),
        ("2026-11-27 12:49", "cls", True),
        ("2026-11-27 12:51", "cls", False),
    ],
)
def test_until_when_they_are_taken(time: str, tif: str, taken: bool) -> None:
    venue = morning(time)
    payload = order("buy", "limit", limit_price="90", time_in_force=tif)
    if taken:
        assert venue.submit(payload)["time_in_force"] == tif
    else:
        status, body = refused(venue, payload)
        assert status == 422
        assert "too late for today's" in str(body["message"])


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "stop", "stop_price": "90"},
        {"kind": "limit", "limit_price": "90", "extended_hours": True},
        {"qty": "1.5"},
        {"order_class": "bracket", "take_profit": {"limit_price": "110"}, "stop_loss": {"stop_price": "90"}},
    ],
)
def test_what_takes_part_in_no_auction(fields: dict[str, object]) -> None:
    venue = morning("2026-03-10 09:00")
    assert refused(venue, order("buy", **{"time_in_force": "opg", **fields}))[0] == 422


def test_both_auctions_of_a_played_day() -> None:
    with served(start=at("2026-03-10 09:20")) as server:
        opening, closing = (
            server.call(lambda exchange, tif=tif: exchange.submit(order("buy", time_in_force=tif)))["id"]
            for tif in ("opg", "cls")
        )
        later(server, hours=7)
        fills = server.call(
            lambda exchange: [(exchange.order(i)["filled_avg_price"], exchange.order(i)["filled_at"])
                              for i in (opening, closing)]
        )  # fmt: skip
    assert fills == [("100.78", "2026-03-10T13:30:00.000000Z"), ("101.65", "2026-03-10T20:00:00.000000Z")]


def test_cancelled_before_its_auction() -> None:
    venue = morning()
    one = venue.send(time_in_force="opg")
    venue.cancel(one)
    venue.advance(venue.now + timedelta(seconds=1))
    price(venue, "2026-03-10 09:30", "100")
    assert venue.status(one) == "canceled"
