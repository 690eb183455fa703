"""Protection: a stop for every share, levels that survive, exits left alone while they work."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from brokers.alpaca.errors import AlpacaRefusal
from brokers.desk.execution.order_requests import exits
from brokers.desk.reconcile.protection_status import protection_status
from brokers.journal.marks import NEAREST
from brokers.rehearsal.core.faults import FaultPlan
from tests.brokers.desk.scene import TUESDAY, Json, Scene, changes, held, lost, read_quote


@pytest.fixture
def scene(scene: Scene) -> Scene:
    held(scene)
    return scene


def stop_of(scene: Scene) -> Json:
    (stop,) = (order for order in scene.open() if order["type"] == "stop")
    return stop


def target_of(scene: Scene) -> Json:
    (target,) = (order for order in scene.open() if order["type"] == "limit")
    return target


def take_away(scene: Scene) -> None:
    """Cancel the exits by hand."""
    scene.exchange.cancel(target_of(scene)["id"])
    scene.pass_time(1)
    assert scene.open() == []


def test_a_position_with_working_exits_is_left_to_them(scene):
    for price in (101, 99, 103, 97):
        scene.step(30, AAPL=price)
    assert changes(scene) == []


def test_lost_exits_come_back_at_their_levels(scene):
    scene.adjust("tighten", stop=97.0)
    scene.settle(2)
    scene.wire.calls.clear()
    take_away(scene)
    scene.settle(2)
    assert changes(scene) == ["submit"]
    assert Decimal(stop_of(scene)["stop_price"]) == 97
    assert Decimal(target_of(scene)["limit_price"]) == Decimal("115.01")
    assert scene.stopped() == 49


def test_levels_survive_a_restart(scene):
    scene.adjust("tighten", stop=97.0)
    scene.settle(2)
    take_away(scene)
    scene.restart()
    scene.settle(2)
    assert Decimal(stop_of(scene)["stop_price"]) == 97


def test_a_level_that_a_hand_moved_is_kept(scene):
    scene.exchange.replace(stop_of(scene)["id"], {"stop_price": "93"})
    scene.settle(2)
    assert scene.agrees()
    take_away(scene)
    scene.settle(2)
    assert Decimal(stop_of(scene)["stop_price"]) == 93


def test_of_the_levels_of_several_parts_those_farthest_from_the_market_come_back(tmp_path):
    scene = Scene(tmp_path)
    scene.exchange.faults.partial_fill_frac = 1.0
    scene.enter()
    scene.settle(1)
    scene.exchange.faults.partial_fill_frac = 0.0
    scene.settle(14)
    stops, targets = ([o for o in scene.open() if o["type"] == kind] for kind in ("stop", "limit"))
    scene.exchange.replace(stops[0]["id"], {"stop_price": "98.50"})
    scene.exchange.replace(targets[0]["id"], {"limit_price": "118"})
    scene.settle(3)
    for target in (o for o in scene.open() if o["type"] == "limit"):
        scene.exchange.cancel(target["id"])
    scene.settle(3)
    assert Decimal(stop_of(scene)["stop_price"]) == Decimal(stops[1]["stop_price"]) < Decimal("98.5")
    assert Decimal(target_of(scene)["limit_price"]) == 118
    scene.stop()


@pytest.mark.parametrize(("price", "why"), [(94, "STOP_PASSED"), (116, "TARGET_PASSED")])
def test_a_level_that_the_market_has_passed_is_left_at_once(scene, price, why, caplog):
    take_away(scene)
    scene.step(1, AAPL=price)
    scene.settle(4)
    assert why in caplog.text
    assert scene.held() == 0
    assert scene.agrees()


def test_what_is_free_is_sold_in_the_step_that_finds_its_stop_passed(scene):
    take_away(scene)
    scene.pass_time(1, AAPL=90)
    scene.wire.calls.clear()
    with scene.desk.iteration():
        scene.desk.look()
        scene.desk.reconcile()
    assert [what["side"] for name, what in scene.wire.calls if name == "submit"] == ["sell", "sell"]
    scene.pass_time(1)
    assert scene.held() == 0


def test_tightening_replaces_the_stop_and_nothing_else(scene):
    scene.adjust("tighten", stop=97.004)
    assert changes(scene) == ["replace"]
    scene.settle(2)
    assert Decimal(stop_of(scene)["stop_price"]) == Decimal("97.01"), "never farther from the market than decided"
    assert scene.desk.reconcile().positions["AAPL"].stop == 97.01
    assert scene.stopped() == 49
    # The stop is ours under its new id too.
    scene.step(1, AAPL=96)
    scene.settle(2)
    assert scene.held() == 0
    assert scene.agrees()


def test_a_stop_that_only_its_rounding_would_put_beyond_the_market_is_rounded_away_from_it(scene):
    now = scene.exchange.now
    raw = {"bp": "97.0135", "ap": "97.0145", "t": now.isoformat()}
    scene.quoted = lambda symbol: read_quote(symbol, raw, now, timedelta(minutes=5))
    scene.adjust("tighten", stop=97.004)
    assert changes(scene) == ["replace"]
    scene.pass_time(1)
    assert Decimal(stop_of(scene)["stop_price"]) == 97
    assert not scene.desk.closer.tasks


def test_tightening_leaves_a_part_s_stop_that_is_nearer_already(tmp_path):
    scene = Scene(tmp_path)
    scene.exchange.faults.partial_fill_frac = 1.0
    scene.enter()
    scene.settle(1)
    scene.exchange.faults.partial_fill_frac = 0.0
    scene.settle(14)
    by_hand, other = (order for order in scene.open() if order["type"] == "stop")
    scene.exchange.replace(by_hand["id"], {"stop_price": "98.50"})
    scene.settle(3)
    scene.adjust("tighten", stop=96.0)
    scene.settle(3)
    stops = {order["qty"]: Decimal(order["stop_price"]) for order in scene.open() if order["type"] == "stop"}
    assert stops == {by_hand["qty"]: Decimal("98.5"), other["qty"]: Decimal(96)}
    scene.stop()


@pytest.mark.parametrize("stop", [95.0, 95.01, 94.0])
def test_a_stop_never_moves_away(scene, stop):
    scene.adjust("tighten", stop=stop)
    assert changes(scene) == []


def test_a_stop_beyond_the_market_is_an_exit(scene):
    scene.adjust("tighten", stop=100.5)
    scene.settle(4)
    assert scene.held() == 0


def test_a_refused_replace_leaves_the_stop_where_it_was(tmp_path):
    scene = Scene(tmp_path, faults=FaultPlan(replace_refused_frac=1.0))
    held(scene)
    scene.adjust("tighten", stop=97.0)
    scene.settle(3)
    assert Decimal(stop_of(scene)["stop_price"]) == Decimal("95.01")
    assert scene.desk.reconcile().positions["AAPL"].stop == pytest.approx(95.01)
    assert scene.stopped() == 49
    scene.stop()


@pytest.mark.parametrize("phase", ["before", "after"])
def test_a_replace_without_an_answer_leaves_one_stop(scene, phase):
    scene.wire.mishap = lost("replace", phase)
    scene.adjust("tighten", stop=97.0)
    scene.settle(14)
    assert Decimal(stop_of(scene)["stop_price"]) == (97 if phase == "after" else Decimal("95.01"))
    assert scene.stopped() == 49
    assert changes(scene).count("replace") == 1


@pytest.mark.parametrize("phase", ["before", "after"])
def test_protection_without_an_answer_is_placed_once(scene, phase):
    take_away(scene)
    scene.wire.mishap = lost("submit", phase)
    scene.settle(16)
    assert scene.stopped() == 49
    assert scene.agrees()


def test_exits_are_renewed_before_the_venue_drops_them(scene):
    scene.desk.protector._renew(scene.positions.protection("AAPL"))
    assert changes(scene) == []
    old = stop_of(scene)["id"]
    scene.pass_time(80 * 24 * 3600, AAPL=100)
    scene.settle(4)
    assert scene.stopped() == 49
    assert stop_of(scene)["id"] != old
    assert Decimal(stop_of(scene)["stop_price"]) == Decimal("95.01")
    scene.wire.calls.clear()
    scene.settle(3)
    assert changes(scene) == []


def test_exits_are_renewed_in_the_regular_session_only(tmp_path):
    # 80 days after a Wednesday it is a Saturday.
    scene = Scene(tmp_path, start=TUESDAY + timedelta(days=1))
    held(scene)
    old = stop_of(scene)["id"]
    scene.pass_time(80 * 24 * 3600)
    scene.settle(4)
    assert changes(scene) == []
    # Memorial Day is the Monday after it.
    scene.pass_time(3 * 24 * 3600, AAPL=100)
    scene.settle(4)
    assert changes(scene) == ["cancel", "submit"]
    assert scene.stopped() == 49
    assert stop_of(scene)["id"] != old
    scene.stop()


def test_a_price_outside_the_session_is_no_reason_to_leave(scene, caplog):
    scene.pass_time(7 * 3600, AAPL=94)  # 17:00 in New York
    take_away(scene)
    scene.settle(4)
    assert "protection refused" in caplog.text
    assert scene.desk.closer.tasks == {}
    assert scene.stopped() == 49, "behind the nearest stop that the venue takes"
    # The next day opens above the stop, which comes back in place of the nearest.
    scene.step(16 * 3600 + 1800, AAPL=101)
    scene.settle(8)
    assert scene.held() == scene.stopped() == 49
    assert Decimal(stop_of(scene)["stop_price"]) == Decimal("95.01")


def test_more_shares_behind_a_stop_that_stands_in_make_its_price_no_level(scene):
    scene.pass_time(7 * 3600, AAPL=94)
    take_away(scene)
    scene.settle(4)
    (stop,) = scene.positions.protection("AAPL").stops
    changed = scene.desk.protector._stops._changed
    assert changed(stop, stop.remaining, stop.stop_price, "more behind it", scene.state.now).reason == NEAREST
    assert changed(stop, stop.remaining, stop.stop_price + 1, "tighter", scene.state.now).reason == "tighter"


def test_a_tighter_stop_that_a_price_outside_the_session_passed_is_no_exit(scene):
    scene.pass_time(7 * 3600, AAPL=96)
    scene.settle(2)
    scene.adjust("tighten", stop=97.0)
    scene.settle(4)
    assert scene.desk.closer.tasks == {}
    assert scene.held() == scene.stopped() == 49


def halted(name: str, when: str) -> None:
    """A mishap: the venue takes no order, and no price is the reason."""
    if (name, when) == ("submit", "before"):
        raise AlpacaRefusal(403, 40310000, "asset is halted", {})


def refusals(scene: Scene, steps: int) -> int:
    """How often protection is sent and refused in so many looks, two seconds apart."""
    scene.wire.calls.clear()
    scene.settle(steps, 2)
    return changes(scene).count("submit")


def test_protection_that_is_refused_is_tried_again_after_ever_longer_pauses(scene):
    take_away(scene)
    scene.wire.mishap = halted
    # After 2, 4 and 8 s at least, then every eight or ten: the shares are bare.
    assert refusals(scene, 60) in range(13, 17)
    assert refusals(scene, 300) in range(60, 76)
    # With the price beyond the stop it is another matter, and is decided at once.
    scene.wire.calls.clear()
    scene.step(2, AAPL=94)
    assert changes(scene) == ["submit", "submit"], "protection once more, and the sale in the same step"
    assert "AAPL" in scene.desk.closer.tasks


def test_a_pause_ends_with_the_next_success(scene):
    take_away(scene)
    scene.wire.mishap = halted
    refusals(scene, 20)
    scene.wire.mishap = lambda name, when: None
    scene.settle(20, 2)
    assert scene.stopped() == 49
    take_away(scene)
    scene.wire.mishap = halted
    assert refusals(scene, 5) == 2


def test_times_without_a_stop_are_kept_with_their_reason(scene):
    take_away(scene)
    scene.desk.look()
    scene.desk.protector.tend("AAPL")
    assert scene.desk.protector.log.present == {"AAPL": "49 shares without a working stop"}
    assert scene.desk.busy
    since = scene.exchange.now
    scene.settle(2)
    assert scene.desk.protector.log.present == {}
    spell = scene.desk.protector.log.intervals[-1]
    assert (spell.symbol, spell.since - since < timedelta(seconds=1)) == ("AAPL", True)
    assert spell.until is not None and spell.until - since <= timedelta(seconds=2.1)


def test_exits_of_an_entry_that_still_works_protect_nothing(tmp_path):
    scene = Scene(tmp_path)
    scene.exchange.on_quote(scene.exchange.now, {"AAPL": Decimal(101)})
    scene.enter()
    scene.desk.look()
    cover = protection_status(scene.state.view.orders.values(), "AAPL", Decimal(0))
    assert (cover.protected, cover.exits, len(cover.entries)) == (0, (), 1)
    scene.stop()


def test_exits_for_more_than_is_held_are_put_right(scene):
    row = target_of(scene)
    # Twenty are sold behind the venue's back, as a booking error would be: the exits hold 49, 29 are there.
    assert Decimal(row["qty"]) == 49
    cover = scene.positions.protection("AAPL")
    assert cover.protected == 49
    scene.desk.protector.tend("AAPL", Decimal(29))
    assert changes(scene) == ["cancel"]


def test_a_target_that_fills_in_part_keeps_its_stop_while_the_venue_resizes_it(scene):
    lag, listings = [True], (scene.wire.orders_since, scene.wire.open_orders)

    def shown(rows: list[Json]) -> list[Json]:
        for order in (o for row in rows for o in (row, *(row["legs"] or ()))):
            if lag[0] and order["type"] == "stop" and order["status"] in ("held", "new"):
                order["qty"] = "49"
        return rows

    scene.wire.orders_since = lambda after, nested=True: shown(listings[0](after, nested))
    scene.wire.open_orders = lambda: shown(listings[1]())
    scene.deaf = True
    scene.exchange.faults.partial_fill_frac = 1.0
    scene.exchange.on_quote(scene.exchange.now, {"AAPL": Decimal("115.02")})
    scene.pass_time(0, AAPL=114.9)
    scene.exchange.faults.partial_fill_frac = 0.0
    assert 0 < scene.held() < 49
    scene.settle(3)
    assert changes(scene) == []
    lag[0] = False
    scene.settle(3)
    assert changes(scene) == []
    assert scene.stopped() == scene.held()


def test_a_stop_that_is_never_resized_is_too_much(scene):
    listings = (scene.wire.orders_since, scene.wire.open_orders)

    def shown(rows: list[Json]) -> list[Json]:
        for order in (o for row in rows for o in (row, *(row["legs"] or ()))):
            if order["type"] == "stop" and order["status"] in ("held", "new"):
                order["qty"] = "49"
        return rows

    scene.wire.orders_since = lambda after, nested=True: shown(listings[0](after, nested))
    scene.wire.open_orders = lambda: shown(listings[1]())
    scene.exchange.faults.partial_fill_frac = 1.0
    scene.exchange.on_quote(scene.exchange.now, {"AAPL": Decimal("115.02")})
    scene.pass_time(0, AAPL=114.9)
    scene.settle(7)
    assert changes(scene)[:1] == ["cancel"]


def test_a_part_of_an_entry_that_does_not_end_is_covered_after_three_seconds(tmp_path):
    scene = Scene(tmp_path)
    scene.in_part("AAPL", 101, scene.enter)
    scene.wire.cancel = lambda venue_id: None
    scene.settle(3)
    assert 0 < scene.held() < 49
    assert not [order for order in scene.open() if order["order_class"] == "oco"]
    scene.settle(2)
    covered = [order["qty"] for order in scene.open() if order["order_class"] == "oco" and order["type"] == "stop"]
    assert covered == [str(scene.held())]
    scene.stop()


def oversold(scene: Scene, monkeypatch) -> None:
    """Two pairs of exits of ours for 54 shares, of which there are 49, and the market falls through both."""
    with monkeypatch.context() as patch:
        patch.setattr("brokers.rehearsal.alpaca.orders.rules.check_available", lambda *given, **more: None)
        scene.gateway.place(exits("AAPL", "sell", 5, 95.01, 115), "target", scene.state.now)
        scene.pass_time(0.1)
        # A venue that takes no notice of what an order was sent for.
        for order in scene.exchange._state.orders.values():
            order.intent = None
        scene.pass_time(1, AAPL=94)
    assert scene.held() == -5


def test_a_short_that_exits_of_ours_made_is_bought_back_at_once(scene, monkeypatch, caplog):
    oversold(scene, monkeypatch)
    scene.settle(3)
    assert scene.held() == 0
    assert scene.agrees()
    assert "exits of ours left -5 shares, which are closed at once" in caplog.text
    assert [p.trade.quantity for p in scene.positions.book.portions] == [49, 5]
    assert scene.positions.book.manual == {}


def test_a_short_that_the_venue_does_not_show_is_not_bought_back(scene, monkeypatch):
    """Fills may be told before those that they followed: what is bought then would stay."""
    oversold(scene, monkeypatch)
    scene.wire.positions = list
    scene.wire.calls.clear()
    scene.settle(5)
    assert scene.positions.book.turned("AAPL")
    assert changes(scene) == []
