"""The desk at a rehearsed Kraken, over HTTP: stops of its fills, targets, amendments, foreign orders, kills."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest

from brokers.order_types import OrderRole
from brokers.rehearsal.serving.network_faults import Mishap
from tests.brokers.kraken.scene import BTC, DOGE, ETH, KrakenScene, scripted_day
from tests.brokers.rehearsal.kraken.market import Wire, served

ENDPOINTS = ("AddOrder", "CancelOrder", "AmendOrder", "OpenOrders", "BalanceEx", "QueryOrders")


@pytest.fixture(params=[True, False], ids=["stops hold", "stops hold nothing"])
def scene(request: Any, tmp_path: Path) -> Iterator[KrakenScene]:
    with served(account={"stops_hold": request.param}) as server:
        scene = KrakenScene(server, tmp_path)
        yield scene
        scene.close()


def test_an_entry_is_behind_its_stop_before_anybody_looks(scene):
    scene.enter(BTC, 100)
    scene.pass_time(0.1)
    assert scene.held() > 0
    assert scene.stopped() == scene.held(), "the venue makes the stop, at the moment of the fill"
    scene.settle(2)
    assert scene.faults() == []
    assert [o.role for o in scene.journal.open_orders()] == [OrderRole.STOP]
    assert scene.spells == [] and scene.bare_s == 0


def enter_in_parts(scene: KrakenScene) -> None:
    """A position whose entry filled in several parts, each with a stop of its own."""
    scene.server.faults.venue.partial_fill_frac = 1.0
    scene.enter(ETH, 200)
    for _ in range(8):
        scene.step(2)
    scene.server.faults.venue.partial_fill_frac = 0.0


def test_parts_get_a_stop_each_which_become_one(scene):
    enter_in_parts(scene)
    assert len([o for o in scene.open(ETH) if not o.buy]) > 1, "one stop for every fill"
    # A fill below the least volume of an order gets no stop of its own.
    assert scene.protectable(ETH) - scene.stopped(ETH) < 3 * scene.venue.reference.required(ETH).ordermin
    smallest, bare = min(o.qty for o in scene.open(ETH) if not o.buy), Decimal(0)
    placed = scene.asked["AddOrder"]
    for _ in range(30):
        scene.step(5)
        bare = max(bare, scene.protectable(ETH) - scene.stopped(ETH))
    assert len([o for o in scene.open(ETH) if not o.buy]) == 1
    assert scene.faults() == []
    # One stop is cancelled and another raised for both; what is too little for one waits for the end of the entry.
    assert max(scene.spells, default=0) <= 20
    assert scene.asked["AddOrder"] == placed and scene.asked["AmendOrder"] > 0
    assert smallest <= bare < scene.held(ETH) / 2, "never more is bare than the smaller of two stops"


REST = Decimal("0.00019")
"""Of ETH, less than the least volume of an order."""


def leave_a_rest(scene: KrakenScene) -> Any:
    """A position whose stop is for a little less than it; returns the stop."""
    scene.enter(ETH, 100)
    scene.settle(2)
    (stop,) = scene.open(ETH)
    less = stop.qty - REST
    scene.server.by_hand("AmendOrder", txid=stop.id, order_qty=str(less))
    assert scene.stopped(ETH) == less == scene.protectable(ETH) - REST
    return stop


def test_a_rest_too_little_for_a_stop_is_put_behind_the_one_that_rests(scene):
    stop = leave_a_rest(scene)
    scene.settle(2)
    (after,) = scene.open(ETH)
    assert (after.id, after.qty) == (stop.id, scene.held(ETH))
    assert scene.asked["CancelOrder"] == 0 and scene.asked["AmendOrder"] == 1
    assert scene.faults() == [] and scene.journal.order(scene.core.sync.client_id(stop.id)).quantity == after.qty
    scene.step(1, ETH="2900")
    scene.settle(2)
    assert scene.held(ETH) == 0 and scene.open(ETH) == [] and scene.faults() == []


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_while_a_stop_is_raised_nothing_is_bare_for_a_second_look(scene, when):
    stop = leave_a_rest(scene)
    scene.die = scene.rest.die = ("AmendOrder", scene.asked["AmendOrder"] + 1, when)
    least = scene.stopped(ETH)
    for _ in range(3):
        scene.step(1)
        assert scene.stopped(ETH) >= least, "what is behind the stop stays there"
    assert scene.starts == 2 and scene.faults() == []
    assert [o.id for o in scene.open(ETH)] == [stop.id]


def test_a_stop_that_the_venue_does_not_raise_makes_way_for_one_over_all(scene):
    stop = leave_a_rest(scene)
    scene.server.faults.venue.replace_refused_frac = 1.0
    for _ in range(8):
        scene.step(10)
    (after,) = scene.open(ETH)
    assert after.id != stop.id and after.qty == scene.held(ETH) and scene.faults() == []
    assert max(scene.spells) <= 30


def test_a_stop_that_is_not_raised_for_want_of_coins_goes_on_resting(scene):
    """A fee that was taken in coins: fewer are there than were bought, by so little that no stop could be for it."""
    stop, sent, short = leave_a_rest(scene), scene.rest._sent, True

    def amended(path: str, api: str, method: str, params: Any) -> Any:
        answer = sent(path, api, method, params) if path != "AmendOrder" or not short else None
        if answer is None:
            scene.asked[path] += 1
        return answer or {"error": ["EOrder:Insufficient funds"]}

    scene.rest._sent = amended
    for _ in range(60):
        scene.step(5)
        assert [o.id for o in scene.open(ETH)] == [stop.id]
    assert scene.asked["CancelOrder"] == 0 and scene.asked["AmendOrder"] == 1
    assert not scene.desk.urgent and not scene.desk.protector.log.present
    # Another quantity is missing, so the raise is tried again.
    short = False
    scene.server.by_hand("AmendOrder", txid=stop.id, order_qty=str(scene.stopped(ETH) - REST / 2))
    scene.settle(3)
    (after,) = scene.open(ETH)
    assert (after.id, after.qty) == (stop.id, scene.held(ETH)) and scene.faults() == []


def test_where_no_stop_is_raised_the_smallest_of_several_makes_way(scene):
    venue, bare = scene.server.faults.venue, Decimal(0)
    venue.partial_fill_frac = 1.0
    scene.enter(ETH, 200)
    for _ in range(8):
        scene.step(2)
    venue.partial_fill_frac = 0.0
    scene.step(2)
    stops = [order for order in scene.open(ETH) if not order.buy]
    largest = max(stops, key=lambda order: order.qty)
    scene.server.by_hand("AmendOrder", txid=largest.id, order_qty=str(largest.qty - REST))
    venue.replace_refused_frac = 1.0
    for _ in range(12):
        scene.step(5)
        bare = max(bare, scene.held(ETH) - scene.stopped(ETH))
    assert len(stops) > 2 and scene.asked["CancelOrder"] == 1 and scene.faults() == []
    assert REST < bare < scene.held(ETH) / 10


def test_a_raise_that_comes_late_lowers_no_stop_that_was_raised_further(scene):
    enter_in_parts(scene)
    while not scene.asked["CancelOrder"]:
        scene.step(3)
    assert len([o for o in scene.open(ETH) if not o.buy]) > 2
    scene.server.faults.strike(Mishap.PROCESSED_LATE, path="AmendOrder", seconds=10)
    stops: dict[str, Decimal] = {}
    for _ in range(30):
        for act in (lambda: scene.alive(scene.iterate), lambda: scene.pass_time(3)):
            act()
            before, stops = stops, {o.id: o.qty for o in scene.open(ETH) if not o.buy}
            assert all(stops[name] >= qty for name, qty in before.items() if name in stops)
    assert len(stops) == 1 and scene.faults() == []


def test_a_target_is_exchanged_for_the_stop(scene):
    scene.enter(BTC, 100)
    scene.settle(2)
    scene.step(1, BTC="95000")
    scene.settle(5)
    assert scene.held() == 0 and scene.open() == []
    assert [item.order.role for item in scene.journal.filled_orders()] == ["entry", "target"]
    assert max(scene.spells, default=0) <= scene.settings.live.protection.max_exchange_s


def test_an_exchange_ends_with_its_position_and_takes_no_stop_of_the_next(scene):
    scene.enter(ETH, 100)
    scene.settle(2)
    scene.server.faults.strike(Mishap.PROCESSED_LATE, path="AddOrder", seconds=17)
    scene.step(1, ETH="3180")
    scene.step(1)
    assert scene.asked["AddOrder"] == 2, "the offer at the target, which comes late"
    scene.restart()
    while scene.stopped(ETH) or scene.asked["AddOrder"] == 2:
        scene.step(3)
    assert scene.held(ETH) > 0 and scene.desk.targets.under_way
    scene.pass_time(6)
    assert scene.held(ETH) == 0
    scene.enter(ETH, 60)
    scene.step(1)
    assert scene.stopped(ETH) == scene.held(ETH) > 0
    scene.settle(2)
    assert scene.faults() == [] and not scene.desk.targets.under_way


def test_a_stop_that_fires_is_booked_and_leaves_nothing(scene):
    scene.enter(BTC, 100)
    scene.settle(2)
    scene.step(1, BTC="85000")
    scene.settle(2)
    assert scene.held() == 0 and scene.open() == [] and scene.faults() == []
    assert [item.order.role for item in scene.journal.filled_orders()] == ["entry", "stop"]


def test_a_stop_that_fires_in_parts_sells_the_last_of_them_too(scene):
    """What is left of it is soon below the least volume of an order: once cancelled, it could never be sold."""
    least = scene.venue.reference.required(BTC).ordermin
    scene.enter(BTC, 100)
    scene.settle(2)
    scene.server.faults.venue.partial_fill_frac = 1.0
    seen = []
    for _ in range(12):
        scene.step(2, BTC="85000")
        seen.append(scene.held())
    scene.server.faults.venue.partial_fill_frac = 0.0
    scene.step(2, BTC="85000")
    scene.settle(3)
    assert any(0 < held < least for held in seen)
    assert scene.held() == 0 and scene.open() == [] and scene.faults() == []
    assert abs(1_000 + scene.journal.cash_by_fills() - scene.cash()) < Decimal("0.01")


def test_a_stop_is_moved_by_an_amendment_and_verified(scene):
    scene.enter(BTC, 100)
    scene.settle(2)
    (before,) = scene.open()
    scene.adjust("tighten", BTC, stop=89_000.04)
    scene.settle(2)
    (after,) = scene.open()
    assert after.id == before.id, "amended, not replaced"
    assert after.stop_price == Decimal("89000.1"), "towards the market: never farther from it than decided"
    assert scene.asked["AmendOrder"] == 1 and scene.faults() == []
    scene.restart()
    scene.settle(2)
    assert scene.faults() == []


def test_a_moved_stop_is_rounded_towards_the_market_unless_the_rounding_alone_would_sell(tmp_path):
    """Cheap coins have steps far below a cent, and their stops lie far less than a cent from the market."""
    with served(account={"cash_usd": 1_000}) as server:
        scene = KrakenScene(server, tmp_path)
        scene.enter(DOGE, 100)
        scene.settle(2)
        ask, tick = float(scene.venue.quotes([DOGE])[DOGE].ask), scene.venue.rules.tick(0.2, DOGE)
        decided = ask * 0.995 + 0.3 * tick
        scene.adjust("tighten", DOGE, stop=decided)
        scene.settle(1)
        (stop,) = scene.open(DOGE)
        assert decided <= float(stop.stop_price) < decided + tick
        # Decided below the ask by less than a tick and a gap: rounding up would reach it.
        near = ask - 1.4 * tick
        scene.adjust("tighten", DOGE, stop=near)
        (stop,) = scene.open(DOGE)
        assert near - tick < float(stop.stop_price) <= near
        assert scene.held(DOGE) > 0
        scene.close()


def test_what_is_not_filled_in_time_is_given_up_and_not_bought_at_market(scene):
    scene.server.faults.venue.partial_fill_frac = 0.0
    scene.core.settings.live.entry.__dict__["join"] = "bid"
    scene.enter(BTC, 100)
    assert len(scene.open()) == 1 and scene.held() == 0
    for _ in range(11):
        scene.step(10)
    assert len(scene.open()) == 1, "it waits for two minutes"
    scene.step(15)
    scene.settle(2)
    assert scene.open() == [] and scene.held() == 0
    assert scene.desk.entries.sent[-1] >= scene.desk.entries.sent[0]


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("filled", [True, False])
def test_an_entry_counts_once_among_those_of_a_minute(scene, filled, restart):
    scene.settle(2)
    if filled:
        scene.enter(ETH, 100)
        scene.settle(3)
        assert scene.held(ETH)
    else:
        scene.core.settings.live.entry.__dict__["join"] = "bid"
        scene.enter(ETH, 100)
        (entry,) = (order for order in scene.open(ETH) if order.buy)
        scene.server.by_hand("CancelOrder", txid=entry.id)
        scene.settle(3)
        assert not scene.held(ETH) and len(scene.desk.entries.latest) == 2
    if restart:
        scene.restart()
        scene.settle(1)
    assert scene.desk.reconcile().entries_within(60) == 1


def test_foreign_orders_of_every_kind_stop_nothing(scene, caplog):
    wire = Wire(scene.server)
    wire.nonce = scene.rest.counter.take()
    wire.private("AddOrder", pair="XBTUSD", type="buy", ordertype="limit", volume="0.001", price="50000")
    wire.private("AddOrder", pair="XBTUSD", type="buy", ordertype="take-profit", volume="0.001", price="60000")
    scene.rest.counter._now = lambda: wire.nonce + 1
    scene.enter(ETH, 100)
    scene.settle(3)
    assert scene.protectable(ETH) == scene.stopped(ETH) > 0
    assert not scene.halts.halted(scene.clock.now())
    foreign = [o for o in scene.open(BTC) if o.buy]
    assert len(foreign) == 2, "nothing of a hand's was cancelled"


def test_cash_that_a_hands_bid_holds_is_not_spent(scene):
    placed = scene.server.by_hand(
        "AddOrder", pair="XBTUSD", type="buy", ordertype="limit", volume="0.019", price="50000"
    )
    scene.enter(ETH, 100)
    scene.settle(2)
    assert scene.asked["AddOrder"] == 0, "950 of 1,000 USD are set aside: Kraken would refuse it"
    assert scene.faults() == []
    scene.server.by_hand("CancelOrder", txid=placed["txid"][0])
    scene.settle(1)
    scene.enter(ETH, 100)
    scene.settle(2)
    assert scene.held(ETH) > 0 and scene.faults() == []


def test_cash_that_a_hands_bid_holds_is_not_spent_once_a_part_of_it_has_filled(scene):
    placed = scene.server.by_hand(
        "AddOrder", pair="XBTUSD", type="buy", ordertype="limit", volume="0.019", price="50000"
    )
    scene.settle(1)
    (bid,) = scene.open(BTC)
    scene.server.call(lambda exchange: exchange.life.fill(bid, Decimal("0.001"), Decimal(50_000)))
    scene.settle(3)
    assert scene.positions.book.manual == {BTC: Decimal("0.001")}
    scene.enter(ETH, 100)
    scene.settle(2)
    assert scene.asked["AddOrder"] == 0, "900 of 950 USD are still set aside"
    scene.server.by_hand("AmendOrder", txid=placed["txid"][0], limit_price="40000")
    scene.settle(2)
    assert scene.positions.uncommitted_cash == scene.positions.state.view.account.cash - Decimal(720)


def test_a_quiet_iteration_asks_little(scene):
    scene.enter(BTC, 100)
    scene.settle(3)
    before = dict(scene.asked)
    for _ in range(10):
        scene.step(10)
    private = ("OpenOrders", "BalanceEx", "ClosedOrders", "QueryOrders", "TradesHistory")
    asked = {name: scene.asked[name] - before.get(name, 0) for name in private}
    assert asked["OpenOrders"] == asked["BalanceEx"] == 10
    assert sum(asked.values()) == 20


@pytest.mark.parametrize(
    ("when", "endpoint"),
    [
        pytest.param(when, endpoint, marks=() if endpoint == "AmendOrder" else pytest.mark.slow)
        for when in ("before", "after")
        for endpoint in ("AddOrder", "CancelOrder", "AmendOrder", "OpenOrders", "BalanceEx", "QueryOrders")
    ],
)
def test_killed_at_a_request_the_next_process_finds_everything(tmp_path, endpoint, when):
    killed = 0
    with served() as server:
        plain = KrakenScene(server, tmp_path / "plain")
        scripted_day(plain)
        most = plain.asked[endpoint]
        assert plain.faults() == []
        plain.close()
    numbers = range(1, most + 1) if endpoint in ("AddOrder", "AmendOrder") else range(1, most + 1, max(1, most // 3))
    for number in numbers:
        with served() as server:
            scene = KrakenScene(server, tmp_path / f"{number}")
            scene.die = scene.rest.die = (endpoint, number, when)
            scripted_day(scene)
            killed += scene.starts > 1
            scene.settle(2)
            assert scene.faults() == [], f"{endpoint} {number} {when}"
            scene.close()
    assert killed >= 1


@pytest.fixture(autouse=True)
def _folders(tmp_path: Path) -> None:
    for name in ("plain", *map(str, range(1, 200))):
        (tmp_path / name).mkdir()


MISHAPS = (
    (Mishap.DROP_BEFORE, ""), (Mishap.DROP_AFTER, ""), (Mishap.TIMEOUT_AFTER, ""), (Mishap.SERVER_ERROR, ""),
    (Mishap.TIMEOUT_AFTER, "EService:Busy"), (Mishap.SERVER_ERROR, "EGeneral:Internal error"),
    (Mishap.SERVER_ERROR, "EAPI:Rate limit exceeded"), (Mishap.SERVER_ERROR, "EAPI:Invalid nonce"),
)  # fmt: skip
PATHS = ("AddOrder", "CancelOrder", "AmendOrder", "OpenOrders", "BalanceEx", "QueryOrders", "ClosedOrders", "Ticker")


def troubled(folder: Path, seed: int) -> tuple[list[str], int]:
    """A day in which one request in ten goes wrong in some way; what must not be afterwards, and how many did."""
    chance = Random(seed)
    with served(account={"seed": seed, "stops_hold": chance.random() < 0.7}) as server:
        scene = KrakenScene(server, folder)
        server.faults.venue.partial_fill_frac = 0.2
        server.faults.venue.late_release_frac = 0.2
        for mishap, text in chance.sample(MISHAPS, 4):
            server.faults.chance(mishap, 0.1, path=chance.choice(PATHS), text=text)
        wrong: list[str] = []
        scene.rest.observers.append(lambda line: wrong.append(line.outcome) if line.outcome != "ok" else None)
        scripted_day(scene)
        server.faults.clear()
        server.faults.venue.partial_fill_frac = server.faults.venue.late_release_frac = 0.0
        for _ in range(4):
            scene.step(65)
        scene.settle(4)
        found = scene.faults()
        scene.close()
    return found, len(wrong)


@pytest.mark.parametrize("seed", range(2))
def test_a_troubled_day_ends_in_order(tmp_path, seed):
    found, wrong = troubled(tmp_path, seed)
    assert found == [] and wrong > 0


@pytest.mark.slow
@pytest.mark.parametrize("first", range(2, 102, 10))
def test_a_hundred_troubled_days_end_in_order(tmp_path, first):
    failed, wrong = {}, 0
    for seed in range(first, first + 10):
        (tmp_path / f"day {seed}").mkdir()
        found, count = troubled(tmp_path / f"day {seed}", seed)
        wrong += count
        if found:
            failed[seed] = found
    assert failed == {}
    assert wrong > 10


@pytest.mark.parametrize("holds", [True, False], ids=["stops hold", "stops hold nothing"])
def test_ten_thousand_coins_and_more_stay_behind_their_stop(tmp_path, holds):
    with served(account={"stops_hold": holds, "cash_usd": Decimal(20000)}) as server:
        scene = KrakenScene(server, tmp_path)
        scene.enter(DOGE, 15_345.12345678 * float(scene.venue.quotes([DOGE])[DOGE].ask), stop=0.05, target=0.2)
        scene.settle(6)
        assert scene.held(DOGE) > 10_000
        assert scene.stopped(DOGE) == scene.held(DOGE)
        assert not scene.desk.protector.log.present
        assert (scene.asked["AddOrder"], scene.asked["CancelOrder"], scene.asked["AmendOrder"]) == (1, 0, 0)
        scene.close()
