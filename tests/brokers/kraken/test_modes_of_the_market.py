"""Kraken, or one pair of it, takes no order for a while: what rests stays where nothing could take its place."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest

from brokers.kraken.connection.errors import error_of
from brokers.order_types import VenueReason
from brokers.venue_errors import VenueRefusal
from tests.brokers.kraken.scene import ETH, KrakenScene
from tests.brokers.kraken.test_desk_on_kraken import enter_in_parts, leave_a_rest
from tests.brokers.rehearsal.kraken.market import served

KEY = "XETHZUSD"
MODES = ["the pair", "the exchange"]


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[KrakenScene]:
    with served() as server:
        scene = KrakenScene(server, tmp_path)
        yield scene
        scene.close()


def switch(scene: KrakenScene, of: str, mode: str) -> None:
    """Another mode begins; what was read of pairs was read longer ago than an answer serves."""
    if of == "the pair":
        scene.server.call(lambda exchange: exchange.pair_status.__setitem__(KEY, mode))
    else:
        scene.server.call(lambda exchange: exchange.set_status(mode))
    forget(scene)


def forget(scene: KrakenScene) -> None:
    scene.venue.reference._read_at = scene.venue.reference._tried_at = -math.inf


def stops(scene: KrakenScene) -> list[str]:
    return [order.id for order in scene.open(ETH) if not order.buy]


@pytest.mark.parametrize("mode", ["cancel_only", "post_only"])
@pytest.mark.parametrize("of", MODES)
def test_stops_of_parts_become_one_only_once_it_takes_orders_again(scene, of, mode):
    enter_in_parts(scene)
    before = stops(scene)
    assert len(before) > 2
    switch(scene, of, mode)
    for _ in range(30):
        scene.step(5)
    assert stops(scene) == before
    switch(scene, of, "online")
    for _ in range(30):
        scene.step(5)
    assert len(stops(scene)) == 1 and scene.faults() == []


@pytest.mark.parametrize("path", ["AssetPairs", "SystemStatus"])
def test_stops_of_parts_stay_where_nobody_knows_whether_it_takes_orders(scene, path, caplog):
    enter_in_parts(scene)
    before, sent = stops(scene), scene.rest._sent
    scene.rest._sent = lambda asked, *rest: {"error": ["EService:Busy"]} if asked == path else sent(asked, *rest)
    forget(scene)
    for _ in range(20):
        scene.step(5)
    assert stops(scene) == before
    told = caplog.text.count("stays, whether the venue takes another order is not known")
    assert told == (path == "AssetPairs"), "where the exchange does not tell its mode no step is done"
    scene.rest._sent = sent
    forget(scene)
    for _ in range(30):
        scene.step(5)
    assert len(stops(scene)) == 1 and scene.faults() == []


@pytest.mark.parametrize("of", MODES)
def test_a_raise_that_the_mode_refuses_costs_no_stop_and_is_made_once_it_is_over(scene, of):
    stop = leave_a_rest(scene)
    switch(scene, of, "cancel_only")
    least = scene.stopped(ETH)
    for _ in range(20):
        scene.step(5)
        assert scene.stopped(ETH) == least
    assert scene.asked["CancelOrder"] == 0
    switch(scene, of, "online")
    for _ in range(14):
        scene.step(5)
    (after,) = scene.open(ETH)
    assert (after.id, after.qty) == (stop.id, scene.held(ETH)), "it is raised in its place"
    assert scene.asked["CancelOrder"] == 0 and scene.faults() == []


def test_a_stop_that_was_never_raised_makes_no_way_while_nothing_could_follow(scene):
    stop = leave_a_rest(scene)
    scene.server.faults.venue.replace_refused_frac = 1.0
    scene.step(1)
    assert scene.asked["AmendOrder"] == 1
    switch(scene, "the pair", "cancel_only")
    least = scene.stopped(ETH)
    for _ in range(20):
        scene.step(5)
        assert scene.stopped(ETH) == least
    assert stops(scene) == [stop.id]


def test_coins_are_no_longer_there_and_no_stop_is_cancelled_for_more_than_went(scene):
    """Stops of parts, and a few coins gone: of a stop for more than these the rest would have none."""
    enter_in_parts(scene)
    for _ in range(2):
        scene.step(1)
    switch(scene, "the pair", "cancel_only")
    protection = scene.positions.protection(ETH)
    excess = min(protection.by_group.values()) / 2
    assert scene.desk.protector._surplus(protection, excess) == []
    switch(scene, "the pair", "online")
    scene.pass_time(35)
    (chosen,) = scene.desk.protector._surplus(scene.positions.protection(ETH), excess)
    assert chosen.remaining == min(protection.by_group.values())


@pytest.mark.parametrize("mode", ["cancel_only", "post_only"])
def test_what_the_mode_refuses_has_a_reason_of_its_own(mode):
    error = error_of([f"EService:Market in {mode} mode"], changes=True)
    assert isinstance(error, VenueRefusal) and error.reason is VenueReason.CLOSED
    other = error_of(["EOrder:Tick size check failed"], changes=True)
    assert isinstance(other, VenueRefusal) and other.reason is VenueReason.OTHER
