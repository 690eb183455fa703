"""Listings of orders, and the clock."""

from __future__ import annotations

from typing import Any

import pytest

from brokers.rehearsal.alpaca.errors import ApiError
from tests.brokers.rehearsal.venue import Venue, at


def ids(listing: list[dict[str, Any]]) -> list[str]:
    return [entry["id"] for entry in listing]


def test_a_flat_listing_of_open_orders_leaves_out_the_held_leg() -> None:
    venue = Venue()
    entry, target, stop = venue.bracket()
    venue.wait()
    assert ids(venue.orders()) == [target]
    assert ids(venue.orders(status="closed")) == [entry]
    assert set(ids(venue.orders(status="all"))) == {entry, target, stop}
    assert all(o["legs"] is None for o in venue.orders(status="all"))


def test_a_nested_listing_shows_the_held_leg() -> None:
    venue = Venue()
    entry, target, stop = venue.bracket("limit", limit_price="99")
    venue.wait()
    (group,) = venue.orders(nested=True)
    assert [group["id"], *ids(group["legs"])] == [entry, target, stop]
    venue.quote("98")
    (group,) = venue.orders(nested=True)
    assert [group["id"], *ids(group["legs"])] == [target, stop]
    (group,) = venue.orders(status="all", nested=True)
    assert [group["id"], *ids(group["legs"])] == [entry, target, stop]


def test_a_replaced_stop_is_listed_once_and_its_predecessor_stays_on_record() -> None:
    venue = Venue()
    entry, target, stop = venue.bracket()
    venue.wait()
    new = str(venue.replace(stop, {"stop_price": "96"})["id"])
    venue.wait()
    (group,) = venue.orders(nested=True)
    assert [group["id"], *ids(group["legs"])] == [target, new]
    assert set(ids(venue.orders(status="closed", nested=True))) == {entry, stop}


def test_filters_and_pages() -> None:
    venue = Venue()
    venue.quote("50", "MSFT")
    sent = []
    for place in range(6):
        symbol = "MSFT" if place % 2 else "AAPL"
        sent.append((venue.send(kind="limit", limit_price="10", symbol=symbol), venue.now))
        venue.wait(60)
    order_ids = [order_id for order_id, _ in sent]
    assert ids(venue.orders()) == order_ids[::-1]
    assert ids(venue.orders(direction="asc", limit=2)) == order_ids[:2]
    assert ids(venue.orders(symbols=["MSFT"], direction="asc")) == order_ids[1::2]
    assert ids(venue.orders(after=sent[1][1], until=sent[4][1], direction="asc")) == order_ids[2:4]


def test_pages_are_50_long_and_500_at_most() -> None:
    venue = Venue()
    for _ in range(60):
        venue.send(kind="limit", limit_price="1", qty="1")
    assert len(venue.orders()) == 50
    assert len(venue.orders(limit=500)) == 60
    for wrong in ({"limit": 501}, {"limit": 0}, {"status": "some"}, {"direction": "up"}):
        with pytest.raises(ApiError, match="422"):
            venue.orders(**wrong)


def test_single_orders_are_found_by_either_id() -> None:
    venue = Venue()
    order_id = venue.send(client_order_id="mine")
    assert venue.order_by_client_id("mine")["id"] == order_id
    for missing in (lambda: venue.order("none"), lambda: venue.order_by_client_id("none")):
        with pytest.raises(ApiError, match="404"):
            missing()


@pytest.mark.parametrize(
    ("now", "is_open", "opens", "closes"),
    [
        ("2026-03-10 10:00", True, "2026-03-11T09:30:00-04:00", "2026-03-10T16:00:00-04:00"),
        ("2026-03-10 09:00", False, "2026-03-10T09:30:00-04:00", "2026-03-10T16:00:00-04:00"),
        ("2026-03-13 16:00", False, "2026-03-16T09:30:00-04:00", "2026-03-16T16:00:00-04:00"),
        ("2026-03-06 18:00", False, "2026-03-09T09:30:00-04:00", "2026-03-09T16:00:00-04:00"),
        ("2026-11-27 12:00", True, "2026-11-30T09:30:00-05:00", "2026-11-27T13:00:00-05:00"),
        ("2026-07-03 12:00", False, "2026-07-06T09:30:00-04:00", "2026-07-06T16:00:00-04:00"),
    ],
)
def test_the_clock(now: str, is_open: bool, opens: str, closes: str) -> None:
    clock = Venue(now=at(now), price=None).clock()
    assert [clock[k] for k in ("is_open", "next_open", "next_close")] == [is_open, opens, closes]


def test_assets_are_found_by_symbol_and_id() -> None:
    venue = Venue()
    aapl, msft = venue.assets()
    assert (aapl["symbol"], msft["symbol"]) == ("AAPL", "MSFT")
    assert venue.asset(str(aapl["id"])) == venue.asset("AAPL") == aapl
    with pytest.raises(ApiError, match="404"):
        venue.asset("ZZZZ")
