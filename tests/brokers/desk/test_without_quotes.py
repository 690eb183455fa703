"""What protects and what leaves does not depend on quotes: the host that has them is down, or they are thin."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal

import pytest

from brokers.alpaca.errors import AlpacaRefusal
from brokers.desk.data.quotes import Quote
from brokers.desk.entry_halts import KillLevel
from brokers.venue_errors import VenueError, VenueUnavailable
from risk.model import Adjustment, Plan
from tests.brokers.desk.scene import Scene, read_quote

OUTAGES = [
    VenueUnavailable("no answer"),
    AlpacaRefusal(403, None, "subscription does not permit querying recent SIP data"),
]


def hold(scene: Scene, *symbols: str) -> None:
    for symbol in symbols:
        scene.enter(symbol)
        scene.settle(2)
        assert scene.held(symbol) == scene.stopped(symbol) == 49
    scene.wire.calls.clear()


def lose_exits(scene: Scene) -> None:
    scene.exchange.cancel(next(order["id"] for order in scene.open() if order["type"] == "stop"))
    scene.pass_time(1)
    assert scene.open() == []


def silence(scene: Scene, error: VenueError) -> None:
    def down(symbols: Iterable[str]) -> dict[str, Quote]:
        raise error

    scene.state.quotes = down


def say(scene: Scene, bid: str, ask: str) -> None:
    scene.quoted = lambda symbol: read_quote(
        symbol, {"bp": bid, "ap": ask, "t": scene.exchange.now.isoformat()}, scene.exchange.now, timedelta(minutes=5)
    )


@pytest.mark.parametrize("outage", OUTAGES)
def test_what_filled_in_part_gets_its_stop(scene, outage):
    scene.in_part("AAPL", 101, scene.enter)
    silence(scene, outage)
    scene.settle(4)
    assert 0 < scene.held() == scene.stopped() < 49


@pytest.mark.parametrize("outage", OUTAGES)
def test_the_rest_of_an_entry_is_not_bought_without_a_quote(scene, outage):
    scene.exchange.on_quote(scene.exchange.now, {"AAPL": Decimal(101)})
    scene.enter()
    silence(scene, outage)
    scene.settle(3, 16)
    assert [name for name, _ in scene.wire.calls if name == "submit"] == ["submit"]
    assert scene.desk.entries.refusals.skipped[-1].reason.startswith("DESK_QUOTE: AAPL: quotes cannot be had")
    assert scene.desk.entries.tasks == {}


@pytest.mark.parametrize("outage", OUTAGES)
def test_an_exit_goes_at_market(scene, outage):
    hold(scene, "AAPL")
    silence(scene, outage)
    scene.adjust("exit")
    scene.settle(4)
    assert scene.held() == 0
    assert scene.agrees()


def test_the_kill_switch_sells(scene):
    hold(scene, "AAPL", "MSFT")
    silence(scene, OUTAGES[0])
    scene.desk.halts.kill.pull(KillLevel.FLATTEN)
    scene.settle(5)
    assert (scene.held("AAPL"), scene.held("MSFT")) == (0, 0)
    assert scene.desk.flattened


def test_a_stop_is_tightened(scene):
    hold(scene, "AAPL")
    silence(scene, OUTAGES[0])
    scene.adjust("tighten", stop=97.0)
    scene.settle(2)
    assert scene.desk.reconcile().positions["AAPL"].stop == 97


@pytest.mark.parametrize("price", [94, 116])
def test_a_level_that_the_market_has_passed_is_left_by_the_venues_word(scene, price):
    hold(scene, "AAPL")
    lose_exits(scene)
    silence(scene, OUTAGES[0])
    scene.step(1, AAPL=price)
    scene.settle(4)
    assert scene.held() == 0


def test_a_tightened_stop_that_the_market_has_passed_is_left_by_the_venues_word(scene):
    hold(scene, "AAPL")
    silence(scene, OUTAGES[0])
    scene.adjust("tighten", stop=100.5)
    scene.settle(4)
    assert scene.held() == 0


def test_a_thin_bid_does_not_sell_what_lost_its_exits(scene):
    hold(scene, "AAPL")
    lose_exits(scene)
    say(scene, "94.90", "99.50")
    assert scene.state.quote("AAPL").problem == ""
    scene.settle(3)
    assert scene.held() == scene.stopped() == 49


def test_a_thin_bid_does_not_sell_what_is_tightened(scene):
    hold(scene, "AAPL")
    say(scene, "96.00", "100.50")
    scene.adjust("tighten", stop=97.0)
    scene.settle(3)
    assert scene.held() == scene.stopped() == 49
    assert scene.desk.reconcile().positions["AAPL"].stop == 97


def test_a_refusal_without_a_price_is_judged_by_both_sides_of_the_quote(scene):
    hold(scene, "AAPL")
    lose_exits(scene)
    submit = scene.wire.submit

    def refuse(payload):
        if payload.get("order_class") == "oco":
            raise AlpacaRefusal(422, None, "stop price is not accepted", {})
        return submit(payload)

    scene.wire.submit = refuse
    say(scene, "94.90", "99.50")
    scene.settle(7)
    assert scene.held() == 49
    say(scene, "94.50", "94.90")
    scene.settle(12)
    assert scene.held() == 0


@pytest.mark.parametrize("error", [VenueUnavailable("no answer"), KeyError("AAPL")])
def test_one_adjustment_that_fails_drops_no_other(scene, monkeypatch, error):
    hold(scene, "AAPL", "MSFT")

    def fail(*args):
        raise error

    monkeypatch.setattr(type(scene.desk.protector), "tighten", fail)
    changes = (Adjustment("t", "tighten", "AAPL", "T", stop=97.0), Adjustment("t", "exit", "MSFT", "X"))
    with scene.desk.iteration():
        scene.desk.execute(Plan(scene.exchange.now, adjustments=changes))
    scene.settle(4)
    assert scene.held("MSFT") == 0
    assert scene.stopped("AAPL") == 49
    # What nobody expected ends entries, as anywhere else.
    assert bool(scene.journal.halts(scene.exchange.now.date())) == isinstance(error, KeyError)


def test_one_symbol_that_fails_keeps_no_other_from_its_stop(scene, monkeypatch):
    hold(scene, "AAPL", "MSFT")
    scene.exchange.cancel(next(order["id"] for order in scene.open("MSFT") if order["type"] == "stop"))
    scene.pass_time(1)
    protector = type(scene.desk.protector)
    tend = protector.tend

    def fail(self, symbol, keep=None):
        if symbol == "AAPL":
            raise KeyError(symbol)
        tend(self, symbol, keep)

    monkeypatch.setattr(protector, "tend", fail)
    scene.settle(3)
    assert scene.stopped("MSFT") == 49


@pytest.mark.parametrize("outage", OUTAGES)
def test_an_entry_that_was_bought_in_part_says_that_its_rest_is_given_up(scene, caplog, outage):
    scene.in_part("AAPL", 101.0, lambda: scene.enter())
    silence(scene, outage)
    scene.settle(6, 5)
    bought = scene.held()
    assert 0 < bought == scene.stopped() < 49 and not scene.desk.entries.tasks
    assert f"AAPL: {bought} of 49 shares bought, the rest is given up: DESK_QUOTE: AAPL: quotes cannot" in caplog.text
    assert "not entered" not in caplog.text
