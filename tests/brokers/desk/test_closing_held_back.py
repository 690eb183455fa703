"""Closes that cannot go through: the stop stays or comes back, the wish is kept, and little is sent."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from brokers.alpaca.errors import AlpacaRefusal
from brokers.desk.entry_halts import KillLevel, KillSwitch
from brokers.desk.execution.close_task import FIRST_REST_S
from risk.model import BracketTerms
from tests.brokers.desk.closing_scene import closes
from tests.brokers.desk.scene import Scene, changes, held, read_quote


@pytest.fixture
def scene(scene: Scene) -> Scene:
    held(scene)
    return scene


def by_hand(scene: Scene, side: str = "buy", **terms: str) -> str:
    """An order for one share that rests at the venue; its id there."""
    order = {"symbol": "AAPL", "qty": "1", "side": side, "time_in_force": "gtc", "client_order_id": "hand"}
    raw = scene.exchange.submit({**order, **terms})
    scene.settle(2)
    scene.wire.calls.clear()
    return str(raw["id"])


def refuse_sales(scene: Scene) -> list[bool]:
    """The venue refuses every order without a class for a reason of its own; an empty list afterwards ends it."""
    refusing, submit = [True], scene.wire.submit

    def refused(payload):
        if refusing and "order_class" not in payload:
            scene.wire.calls.append(("submit", payload))
            raise AlpacaRefusal(403, 40310000, "not today")
        return submit(payload)

    scene.wire.submit = refused
    return refusing


def test_the_limit_keeps_clear_of_a_hand_s_that_it_would_meet(scene):
    by_hand(scene, type="limit", limit_price="99.95")
    scene.adjust("exit")
    scene.settle(5)
    # 0.1% through the bid of 99.99 is 99.89, which a purchase at 99.95 would meet.
    assert closes(scene) == [("49", "99.96")]
    assert scene.held() == 0


def test_a_short_is_covered_clear_of_a_hand_s_sale(tmp_path):
    scene = Scene(tmp_path)
    terms = BracketTerms("sell_short", 0.05, 0.15)
    scene.enter("AAPL", 10, side="sell_short", stop=105.0, target=85.0, terms=terms)
    scene.settle(2)
    by_hand(scene, "sell", type="limit", limit_price="100.05")
    scene.adjust("exit")
    scene.settle(5)
    assert closes(scene) == [("10", "100.04")]
    assert scene.positions.book.quantity("AAPL") == 0
    scene.stop()


@pytest.mark.parametrize(
    "terms",
    [{"type": "limit", "limit_price": "99.99"}, {"type": "stop", "stop_price": "120"}],
    ids=["a limit at the bid", "a stop"],
)
def test_where_a_hand_s_order_lets_nothing_through_the_stop_is_never_given_up(scene, terms):
    hand = by_hand(scene, **terms)
    scene.desk.halts.kill.pull(KillLevel.FLATTEN)
    for _ in range(60):
        scene.step(2)
        assert scene.stopped() == 49
    assert changes(scene) == []
    assert not scene.desk.flattened
    scene.exchange.cancel(hand)
    scene.settle(6)
    assert scene.held() == 0
    assert scene.desk.flattened


def test_a_close_goes_on_when_the_market_has_left_a_hand_s_order_behind(scene):
    by_hand(scene, type="limit", limit_price="99.99")
    scene.adjust("exit")
    scene.settle(4)
    assert scene.stopped() == 49
    scene.step(1, AAPL=100.5)
    scene.settle(4)
    # Bid 100.49, 0.1% through it is 100.38.
    assert closes(scene) == [("49", "100.38")]
    assert scene.held() == 0


def test_a_hand_s_order_that_comes_in_mid_close_brings_the_stop_back(scene):
    scene.adjust("exit")
    assert scene.stopped() == 49
    scene.exchange.submit(
        {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "stop", "stop_price": "120", "time_in_force": "gtc"}
    )
    scene.settle(4)
    assert scene.held() == scene.stopped() == 49
    assert closes(scene) == []


def test_after_some_refusals_the_stop_goes_back_and_the_close_is_not_forgotten(scene):
    refusing = refuse_sales(scene)
    scene.adjust("exit")
    bare = 0
    for _ in range(200):
        scene.step(2)
        bare += scene.stopped() < 49
    # Rounds begin after 15 s, 30 s, 60 s, 120 s behind the stop; without rests there would be a sale every few steps.
    assert len(closes(scene)) == 5
    assert bare <= 5 * 2
    refusing.clear()
    scene.settle(60, 5)
    assert scene.held() == 0
    assert scene.agrees()


def test_the_first_rest_begins_after_one_refusal(scene):
    refuse_sales(scene)
    scene.adjust("exit")
    scene.settle(3)
    assert len(closes(scene)) == 1
    assert scene.stopped() == 49
    scene.settle(FIRST_REST_S - 4)
    assert len(closes(scene)) == 1


def test_a_trim_that_rests_leaves_all_shares_behind_stops(scene):
    refuse_sales(scene)
    scene.adjust("trim", quantity=20)
    scene.settle(10)
    assert scene.held() == scene.stopped() == 49


def test_bare_shares_beyond_their_stop_are_tried_again_within_a_minute(scene):
    refuse_sales(scene)
    scene.adjust("exit")
    scene.pass_time(1, AAPL=90)
    scene.settle(200, 2)
    # No stop can be put back at 90, so no rest is longer than a minute: it would be time without either.
    assert scene.held() == 49
    assert len(closes(scene)) >= 7


def test_limits_that_nobody_takes_beside_a_hand_s_order_end_behind_the_stop(scene):
    by_hand(scene, type="limit", limit_price="80")
    quote = {"bp": "102", "ap": "102.02"}
    scene.quoted = lambda symbol: read_quote(
        symbol, quote | {"t": scene.exchange.now.isoformat()}, scene.exchange.now, timedelta(minutes=5)
    )
    scene.adjust("exit")
    scene.settle(38)
    # A limit and two chases; at market nothing may go, so a third one, and then the stop comes back.
    assert closes(scene) == [("49", "101.89")] * 4
    assert scene.stopped() == 49
    assert Decimal(next(o for o in scene.open() if o["type"] == "stop")["stop_price"]) == Decimal("95.01")


def test_a_stop_that_fires_while_a_close_waits_leaves_nothing_to_sell(scene):
    by_hand(scene, type="stop", stop_price="120")
    scene.adjust("exit")
    scene.settle(3)
    scene.step(1, AAPL=94)
    scene.settle(4)
    assert scene.held() == 0
    assert scene.desk.closer.tasks == {}
    assert closes(scene) == []


def refusing(scene: Scene, on: list[bool]) -> None:
    """A symbol that takes no order at all, as long as ``on`` holds something."""

    def mishap(name: str, when: str) -> None:
        if on and name == "submit" and when == "before":
            raise AlpacaRefusal(422, 42210000, "asset AAPL is halted")

    scene.wire.mishap = mishap


def test_a_stop_comes_back_as_soon_as_the_symbol_takes_orders_again(scene):
    on = [True]
    refusing(scene, on)
    KillSwitch(scene.folder).pull(KillLevel.FLATTEN)
    scene.settle(60)
    on.clear()
    bare = 0
    for _ in range(20):
        scene.step(1)
        bare += scene.stopped() < scene.held()
    assert bare <= 9


def test_a_sale_that_is_refused_gives_way_to_the_stop_at_once(scene):
    def no_sales(name, when):
        if name == "submit" and when == "before" and "order_class" not in scene.wire.calls[-1][1]:
            raise AlpacaRefusal(422, 42210000, "only groups are taken now")

    scene.wire.mishap = no_sales
    scene.adjust("exit")
    bare = 0
    for _ in range(12):
        scene.step(1)
        bare += scene.stopped() < scene.held()
    assert bare <= 2


def test_what_the_venue_does_not_trade_stays_behind_its_stop(scene, caplog):
    asset = scene.wire.asset
    scene.wire.asset = lambda symbol: {**asset(symbol), "tradable": False}
    KillSwitch(scene.folder).pull(KillLevel.FLATTEN)
    for _ in range(40):
        scene.step(1)
        assert scene.stopped() == scene.held() == 49
    assert caplog.text.count("the venue does not trade it now") == 1
    scene.wire.asset = asset
    scene.settle(35)
    assert scene.held() == 0
