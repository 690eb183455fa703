"""Sales that meet the close: none begins that cannot be filled, and what is being sold gets its stop back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from brokers.alpaca.errors import AlpacaRefusal
from brokers.desk.entry_halts import KillLevel
from brokers.desk.execution.order_gateway import OrderRefused
from brokers.desk.lifecycle.shutdown import shut_down
from brokers.desk.order_router import LumibotOrderRouter
from brokers.rehearsal.core.faults import FaultPlan
from brokers.rehearsal.core.matching import Matcher
from tests.brokers.desk.closing_scene import RunningClock, closes
from tests.brokers.desk.scene import Scene, changes, held, read_quote

CLOSE = datetime(2023, 3, 7, 21, 0, tzinfo=UTC)
"""16:00 in New York."""
OPENING = datetime(2023, 3, 8, 14, 30, tzinfo=UTC)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """Fifty shares at the middle of the session, behind their stop."""
    scene = Scene(tmp_path)
    held(scene)
    yield scene
    scene.stop()


def until(scene: Scene, moment: datetime, seconds: float = 0.0) -> None:
    scene.step((moment - scene.exchange.now).total_seconds() + seconds, AAPL=100)
    scene.wire.calls.clear()


def nobody_buys(scene: Scene) -> None:
    """Quotes above the market: a limit by them is not filled, and market orders of a halted symbol are not either."""
    quote = {"bp": "102", "ap": "102.02"}
    scene.quoted = lambda symbol: read_quote(
        symbol, quote | {"t": scene.exchange.now.isoformat()}, scene.exchange.now, timedelta(minutes=5)
    )


def flatten(scene: Scene) -> None:
    scene.desk.halts.kill.pull(KillLevel.FLATTEN)


def test_flatten_with_the_market_closed_leaves_the_stops_and_sells_at_the_opening(scene, caplog):
    until(scene, CLOSE, 180)
    flatten(scene)
    for _ in range(60):
        scene.step(20)
        assert scene.stopped() == scene.held() == 49
    assert changes(scene) == []
    assert scene.desk.closer.told()["AAPL"] == "it is sold from the next opening on, behind its stop until then"
    assert not scene.desk.urgent, "nothing is under way that has to be looked at every second through the night"
    assert caplog.text.count("sold from the next opening on") == 1
    until(scene, OPENING, 1)
    scene.settle(6)
    assert scene.held() == 0
    assert scene.desk.flattened
    assert scene.agrees()


@pytest.mark.parametrize("seconds", [1, 19])
def test_an_exit_shortly_before_the_close_begins_at_the_next_opening(scene, seconds):
    until(scene, CLOSE, -seconds)
    scene.adjust("exit")
    scene.settle(40)
    assert changes(scene) == []
    assert scene.stopped() == scene.held() == 49
    until(scene, OPENING, 1)
    scene.settle(6)
    assert scene.held() == 0


def without_exits(scene: Scene) -> None:
    """Stop and target are cancelled by hand."""
    scene.exchange.cancel(next(order["id"] for order in scene.open() if order["type"] == "limit"))
    scene.hand_on()


@pytest.mark.parametrize("seconds", [5, 15, 60])
def test_a_position_that_nothing_protects_is_sold_until_the_close(scene, seconds):
    """No exit has to be cancelled first, and the stop that the market has passed would be refused all night."""
    until(scene, CLOSE, -seconds)
    without_exits(scene)
    scene.pass_time(0.1, AAPL=94)
    scene.settle(4)
    assert scene.held() == 0
    assert scene.exchange.now < CLOSE
    assert scene.agrees()


def test_an_exit_that_can_still_be_filled_is_sold_before_the_close(scene):
    until(scene, CLOSE, -25)
    scene.adjust("exit")
    scene.settle(5)
    assert scene.held() == 0
    assert scene.exchange.now < CLOSE


@pytest.mark.parametrize("began", [1, 4, 9, 16, 25])
def test_a_sale_that_meets_the_close_gives_the_stop_back_and_goes_on_at_the_opening(scene, began, monkeypatch):
    """Whatever it has come to by then: exits being cancelled, a limit, the next one, or an order at market."""
    scene.exchange.faults = FaultPlan(late_release_frac=1.0, late_release=timedelta(seconds=2))
    nobody_buys(scene)
    until(scene, CLOSE, -21 - began)
    flatten(scene)
    monkeypatch.setattr(Matcher, "_matchable", lambda self, symbol: [])
    scene.settle(21 + began)
    bare = 0
    for _ in range(20):
        scene.step(2)
        bare += scene.stopped() < 49
    monkeypatch.undo()
    assert bare <= 6
    assert scene.held() == scene.stopped() == 49
    scene.quoted = None
    until(scene, OPENING, 1)
    scene.settle(12)
    assert scene.held() == 0
    assert scene.agrees()


def test_a_market_sale_of_a_halted_symbol_does_not_wait_for_the_opening(scene, monkeypatch):
    nobody_buys(scene)
    until(scene, CLOSE, -60)
    flatten(scene)
    scene.settle(12)
    monkeypatch.setattr(Matcher, "_matchable", lambda self, symbol: [])
    scene.settle(20)
    assert [order["type"] for order in scene.open()] == ["market"]
    assert scene.desk.closer.told() == {"AAPL": "sell 49 at market waits at the broker"}
    scene.desk.closer.tasks["AAPL"].cancel_asked = scene.exchange.now
    assert scene.desk.closer.told() == {"AAPL": "sell 49 at market is being cancelled"}
    scene.desk.closer.tasks["AAPL"].cancel_asked = None
    until(scene, CLOSE, 1)
    scene.settle(15)
    assert sorted(order["type"] for order in scene.open()) == ["limit", "stop"]
    assert scene.stopped() == 49


def sale_overtaken_by_the_close(scene: Scene) -> None:
    """What is sold as the market has passed its stop is not filled until the close."""
    until(scene, CLOSE, -24)
    without_exits(scene)
    nobody_buys(scene)
    scene.pass_time(0.1, AAPL=94)
    scene.settle(40)
    assert scene.held() == 49


def test_a_sale_whose_stop_is_refused_after_the_close_is_not_told_as_behind_it(scene, caplog):
    submit = scene.wire.submit

    def refused(payload):
        try:
            return submit(payload)
        except AlpacaRefusal as error:
            if scene.exchange.now < CLOSE:
                raise
            raise AlpacaRefusal(error.status, error.code, error.message) from None

    # Without the venue's price nobody knows what it would take.
    scene.wire.submit = refused
    sale_overtaken_by_the_close(scene)
    assert scene.stopped() == 0
    assert scene.desk.closer.told() == {"AAPL": "it is sold from the next opening on, and it has no stop now"}
    assert "stays behind its stop" not in caplog.text
    assert "goes back behind its stop where the venue takes that" in caplog.text
    scene.quoted = None
    scene.step((OPENING - scene.exchange.now).total_seconds() + 1, AAPL=94)
    scene.settle(6)
    assert scene.held() == 0
    assert scene.agrees()


@pytest.mark.parametrize("opens_at", [80, 93.95, 99])
def test_what_the_market_has_passed_waits_behind_the_nearest_stop_for_the_opening(scene, opens_at):
    sale_overtaken_by_the_close(scene)
    assert (scene.stopped(), stop_price(scene)) == (49, Decimal("93.9"))
    assert scene.desk.closer.told() == {"AAPL": "it is sold from the next opening on, behind its stop until then"}
    scene.wire.calls.clear()
    scene.settle(20, 60)
    assert changes(scene) == [], "once"
    scene.quoted = None
    scene.step((OPENING - scene.exchange.now).total_seconds() + 1, AAPL=opens_at)
    scene.settle(6)
    assert scene.held() == 0
    assert scene.agrees()


def stop_price(scene: Scene) -> Decimal:
    return Decimal(next(order for order in scene.open() if order["type"] == "stop")["stop_price"])


def bare_at_night(scene: Scene, price: float) -> None:
    """Stop and target end with the market closed, and it stands elsewhere."""
    until(scene, CLOSE, 600)
    scene.pass_time(1, AAPL=price)
    without_exits(scene)
    scene.settle(6, 10)


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize(("price", "opens_at", "left"), [(94, 97, False), (94, 94.5, True), (80, 95.5, False)])
def test_what_lost_its_stop_at_night_is_left_at_the_opening_or_gets_its_stop_back(
    scene, price, opens_at, left, restarts
):
    bare_at_night(scene, price)
    assert scene.stopped() == 49
    assert stop_price(scene) < price
    if restarts:
        scene.restart()
        scene.settle(2)
    position = scene.positions.book.ledger.positions["AAPL"]
    assert scene.desk.protector.levels(position).stop == 95.01, "it tells no level"
    assert scene.desk.closer.tasks == {}
    scene.step((OPENING - scene.exchange.now).total_seconds() + 1, AAPL=opens_at)
    for _ in range(16):
        scene.step(1, AAPL=opens_at)
        assert scene.stopped() == scene.held() or left
    assert scene.held() == (0 if left else 49)
    assert left or stop_price(scene) == Decimal("95.01")
    assert scene.agrees()


def test_a_target_that_was_passed_at_night_leaves_the_stop_where_it_belongs(scene):
    bare_at_night(scene, 120)
    assert stop_price(scene) == Decimal("95.01")
    scene.step((OPENING - scene.exchange.now).total_seconds() + 1, AAPL=101)
    scene.settle(12)
    assert sorted(order.get("limit_price") or order["stop_price"] for order in scene.open()) == ["115.01", "95.01"]
    scene.wire.calls.clear()
    scene.settle(12)
    assert changes(scene) == []


@pytest.mark.parametrize("restarts", [False, True])
def test_a_stop_that_stands_in_and_was_moved_by_hand_stays_where_it_was_put(scene, restarts):
    bare_at_night(scene, 94)
    (stop,) = (order for order in scene.positions.protection("AAPL").stops)
    keeper = scene.desk.protector._keeper
    assert keeper.stands_in(stop)
    assert not keeper.stands_in(replace(stop, stop_price=Decimal(91))), "the same order, as Kraken shows it"
    scene.exchange.replace(stop.id, {"stop_price": "91"})
    scene.settle(3, 10)
    if restarts:
        scene.restart()
        scene.settle(2)
    scene.step((OPENING - scene.exchange.now).total_seconds() + 1, AAPL=97)
    scene.settle(10)
    assert stop_price(scene) == Decimal(91)
    assert scene.held() == scene.stopped() == 49
    position = scene.positions.book.ledger.positions["AAPL"]
    assert scene.desk.protector.levels(position).stop == 91


def test_the_nearest_stop_of_a_cheap_share_lies_below_its_price(tmp_path):
    scene = Scene(tmp_path, prices={"AAPL": 4})
    scene.enter("AAPL", 50, price=4.0)
    scene.settle(3)
    assert scene.stopped() == scene.held() > 0
    until_close = (CLOSE - scene.exchange.now).total_seconds() + 60
    scene.step(until_close, AAPL=4)
    scene.pass_time(1, AAPL=3.5)
    without_exits(scene)
    scene.settle(6, 10)
    assert (scene.stopped(), stop_price(scene)) == (scene.held(), Decimal("3.48"))
    scene.stop()


def test_a_trim_that_meets_the_close_is_decided_again(scene, caplog):
    until(scene, CLOSE, 5)
    scene.adjust("trim", quantity=20)
    scene.settle(3)
    assert scene.desk.closer.tasks == {}
    assert scene.stopped() == 49
    assert "decided again in the next session" in caplog.text


def test_kill_off_ends_what_flatten_has_begun(scene):
    nobody_buys(scene)
    flatten(scene)
    scene.settle(4)
    assert [order["type"] for order in scene.open()] == ["limit"]
    scene.desk.halts.kill.pull(KillLevel.OFF)
    scene.settle(8)
    assert scene.held() == scene.stopped() == 49
    assert scene.desk.closer.tasks == {}
    scene.quoted = None
    scene.settle(30)
    assert scene.held() == 49
    flatten(scene)
    scene.settle(8)
    assert scene.held() == 0
    assert scene.agrees()


def test_kill_off_while_the_market_is_closed_sells_nothing_at_the_opening(scene):
    until(scene, CLOSE, 180)
    flatten(scene)
    scene.settle(3)
    scene.desk.halts.kill.pull(KillLevel.OFF)
    scene.settle(3)
    assert scene.desk.closer.tasks == {}
    until(scene, OPENING, 1)
    scene.settle(6)
    assert scene.held() == scene.stopped() == 49


def test_kill_off_leaves_an_exit_that_a_rule_has_decided(scene):
    scene.adjust("exit")
    flatten(scene)
    scene.desk.halts.kill.pull(KillLevel.OFF)
    scene.settle(5)
    assert scene.held() == 0


def test_a_process_that_ends_with_the_market_closed_keeps_its_stops(scene):
    until(scene, CLOSE, 60)
    flatten(scene)
    scene.settle(3)
    running = RunningClock(scene)
    shut_down(scene.desk, 2.0)
    running.stop()
    assert changes(scene) == []
    assert scene.stopped() == 49


def test_a_subclass_that_sells_everything_after_the_close_does_not_wait_for_the_opening(scene):
    until(scene, CLOSE, 60)
    router = LumibotOrderRouter(scene.desk)
    router.sell_all(end_entries=False)
    assert router.close("AAPL", 1.0)
    with pytest.raises(OrderRefused, match="DESK_CLOSED"):
        router.close("AAPL", 0.5)
    assert changes(scene) == []
    assert scene.stopped() == Decimal(49)
    assert closes(scene) == []
