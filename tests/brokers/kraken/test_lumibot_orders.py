"""Orders of a subclass on Kraken: each is one order in Lumibot, that goes on or ends as venue and desk say."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from lumibot.entities import Asset, Order

from brokers.lumibot.kraken_broker import KrakenBroker
from brokers.order_types import State
from brokers.venue_errors import OutcomeUnknown
from brokers.venue_values import OrderAck, VenueOrder
from tests.brokers.alpaca_venue import STRATEGY, Told
from tests.brokers.kraken.scripted import scripted

NAME, VENUE_ID = "combined-BTC-1", "OABCDE-11111-22222"


class Scene:
    """The broker, with a desk that looks at ``there`` and has given up ``given_up``."""

    def __init__(self, folder: Path) -> None:
        venue = scripted(folder)[0]
        some = next(o for o in venue.open_orders().orders if o.side == "buy" and o.type == "limit")
        self.resting = replace(
            some,
            id=VENUE_ID,
            client_order_id=NAME,
            quantity=Decimal("0.001"),
            filled=Decimal(0),
            limit_price=Decimal(80_000),
        )
        self.there: list[VenueOrder] = []
        self.given_up = set[str]()
        self.answer: OrderAck | None = None
        self.broker: Any = KrakenBroker(venue, market="24/7")
        self.broker.link = SimpleNamespace(look=self._look, given_up=self.given_up.__contains__)
        self.broker.router = SimpleNamespace(submit=self._submit)
        self.told = Told()
        self.broker._add_subscriber(self.told)
        self.order = Order(
            STRATEGY, Asset("BTC", "crypto"), Decimal("0.001"), "buy", limit_price=80_000, order_type="limit",
            time_in_force="gtc", quote=Asset("USD", "forex"),
        )  # fmt: skip

    def _look(self) -> Any:
        return SimpleNamespace(orders={o.id: o for o in self.there}, positions={}, account=None)

    def _submit(self, request: Any) -> OrderAck:
        if self.answer is not None:
            return self.answer
        error = OutcomeUnknown("no answer (read timed out)")
        error.client_order_id = NAME
        raise error

    def look(self, *there: VenueOrder) -> list[Order]:
        """What is open in Lumibot after the venue showed these orders."""
        self.there = list(there)
        assert self.broker.refresh()
        self.broker.sync_orders(SimpleNamespace(name=STRATEGY))
        return [order for order in self.broker.get_tracked_orders(STRATEGY) if order.is_active()]


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_an_order_without_an_answer_goes_on_under_the_venue_s_id(scene):
    scene.broker._submit_order(scene.order)
    assert scene.look() == [scene.order]
    assert scene.look(scene.resting) == [scene.order] and scene.order.identifier == VENUE_ID
    filled = replace(scene.resting, filled=Decimal("0.001"), average_price=Decimal(80_000), state=State.FILLED)
    assert scene.look(filled) == [] and scene.order.is_filled()
    assert [event[0] for event in scene.told.events] == ["new", "fill"]


def test_one_that_has_filled_before_it_is_seen_has_its_fill(scene):
    scene.broker._submit_order(scene.order)
    filled = replace(scene.resting, filled=Decimal("0.001"), average_price=Decimal(80_000), state=State.FILLED)
    assert scene.look(filled) == [] and scene.order.is_filled()


def test_one_that_the_desk_gives_up_ends_as_an_error(scene):
    scene.broker._submit_order(scene.order)
    scene.given_up.add(NAME)
    assert scene.look() == [] and scene.order.error_message == f"NOT_SENT: the venue has no order {NAME}"
    assert scene.told.events == [("error",)]


def test_so_does_one_that_the_venue_does_not_know_any_more(scene):
    scene.answer = OrderAck(VENUE_ID, NAME, (scene.resting,))
    scene.broker._submit_order(scene.order)
    assert scene.look(scene.resting) == scene.look() == [scene.order]
    scene.given_up.add(VENUE_ID)
    assert scene.look() == [] and scene.order.status == "error"


def test_and_one_that_the_venue_rejects(scene):
    scene.answer = OrderAck(VENUE_ID, NAME, (scene.resting,))
    scene.broker._submit_order(scene.order)
    assert scene.look(replace(scene.resting, state=State.REJECTED)) == []
    assert scene.order.error_message == "VENUE_REJECTED"
