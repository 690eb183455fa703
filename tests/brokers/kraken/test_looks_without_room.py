"""A look asks each thing once, however long its requests wait for room, and goes on where it found none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from brokers.kraken.connection.rates import TIERS, RateModel
from brokers.kraken.venue import KrakenVenue
from brokers.venue_errors import RateLimited
from tests.brokers.kraken.scripted import ScriptedRest, scripted

NOON = datetime(2026, 11, 30, 17, 0, tzinfo=UTC)
SENT = NOON - timedelta(minutes=10)
LOOK = ["OpenOrders", "ClosedOrders", "BalanceEx"]


class Scarce:
    """A venue whose counter of requests is used up: each waits three seconds, by its clock too."""

    def __init__(self, folder: Path) -> None:
        self.venue, self.rest, _ = scripted(folder)
        self.time = 0.0
        rates = RateModel(TIERS["starter"], clock=lambda: self.time, sleep=self.wait)
        self.rest.rates = self.venue.client.rates = rates
        self.venue.clock.now = lambda: NOON + timedelta(seconds=self.time)  # type: ignore[method-assign]  # a stand-in
        rates.rest.add(11.0, 0.0)

    def wait(self, seconds: float) -> None:
        self.time += seconds

    @property
    def asked(self) -> list[str]:
        private = ("OpenOrders", "ClosedOrders", "BalanceEx", "QueryOrders")
        return [endpoint for endpoint, _ in self.rest.asked if endpoint in private]

    def look(self) -> None:
        look(self.venue)


def look(venue: KrakenVenue) -> None:
    venue.orders_since(SENT)
    venue.open_orders()
    venue.positions()
    venue.dust()
    venue.account()


@pytest.fixture
def scarce(tmp_path: Path) -> Scarce:
    return Scarce(tmp_path)


def test_what_waited_for_room_serves_the_whole_look(scarce: Scarce):
    scarce.look()
    assert scarce.asked == LOOK and scarce.time == pytest.approx(9.1, abs=0.2)


def test_the_next_look_asks_anew(scarce: Scarce):
    for n in range(1, 4):
        scarce.look()
        assert scarce.asked.count("OpenOrders") == scarce.asked.count("BalanceEx") == n
        scarce.wait(1.0)


def test_a_listing_that_is_asked_for_again_and_again_is_read_anew(scarce: Scarce):
    scarce.rest.rates.rest.level = 0.0
    for _ in range(8):
        scarce.venue.orders_since(SENT)
        scarce.wait(0.3)
    assert scarce.asked.count("OpenOrders") == 2


@pytest.mark.parametrize("endpoint", ["ClosedOrders", "BalanceEx"])
def test_a_look_that_found_no_room_for_its_rest_goes_on_with_it(scarce: Scarce, endpoint: str, monkeypatch):
    refused = without_room(scarce.rest, endpoint, monkeypatch)
    with pytest.raises(RateLimited):
        scarce.look()
    refused.clear()
    scarce.wait(2.0)
    scarce.look()
    assert scarce.asked == LOOK, "each was asked once"
    scarce.wait(1.0)
    scarce.look()
    assert scarce.asked.count("OpenOrders") == 2


@pytest.mark.parametrize("after", ["too long", "something was sent"])
def test_it_does_not_go_on_with_what_is_old(scarce: Scarce, after: str, monkeypatch):
    refused = without_room(scarce.rest, "BalanceEx", monkeypatch)
    with pytest.raises(RateLimited):
        scarce.look()
    refused.clear()
    if after == "too long":
        scarce.wait(16.0)
    else:
        scarce.wait(2.0)
        scarce.venue._forget()
    scarce.look()
    assert scarce.asked.count("OpenOrders") == 2


def test_open_orders_that_could_not_be_listed_are_listed_by_the_next_look(scarce: Scarce, monkeypatch):
    scarce.look()
    refused = without_room(scarce.rest, "OpenOrders", monkeypatch)
    scarce.wait(2.0)
    with pytest.raises(RateLimited):
        scarce.look()
    refused.clear()
    scarce.look()
    assert scarce.asked.count("OpenOrders") == 2


def without_room(rest: ScriptedRest, endpoint: str, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """There is no room for an endpoint as long as the set that comes back names it."""
    refused, request = {endpoint}, rest.request

    def asked(path: str, *args: Any, **kwargs: Any) -> Any:
        if path in refused:
            raise RateLimited(f"own rate limit: no room for {path}", 3.0)
        return request(path, *args, **kwargs)

    monkeypatch.setattr(rest, "request", asked)
    return refused
