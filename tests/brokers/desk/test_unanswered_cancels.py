"""The cancel of an exit has no answer and no look tells: what the venue tells of the order itself decides."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from brokers.alpaca.errors import AlpacaRefusal
from brokers.venue_errors import OutcomeUnknown, VenueError, VenueUnavailable
from tests.brokers.desk.scene import Scene, held

LOOKS = ("open_orders", "orders_since", "positions", "account")
HELD = {"existing_qty": "49", "held_for_orders": "49", "available": "0"}


class Unanswered:
    """The first cancel is carried out and has no answer; from then on looks fail, and so many stops are refused."""

    def __init__(self, scene: Scene, refused: int) -> None:
        self.scene, self.refused, self.away, self.sent = scene, refused, False, 0
        scene.wire.mishap = self._mishap

    def _mishap(self, name: str, phase: str) -> None:
        if self.away and name in LOOKS and phase == "before":
            raise VenueUnavailable("no listing")
        if name == "cancel" and phase == "after" and not self.away:
            self.away = True
            raise OutcomeUnknown("no answer")
        if name == "submit" and phase == "before" and self.away:
            self.sent += 1
            if self.sent <= self.refused:
                raise AlpacaRefusal(403, 40310000, "insufficient qty available for order", HELD)

    def watch(self, seconds: int) -> None:
        for _ in range(0, seconds, 3):
            self.scene.pass_time(3)
            with suppress(VenueError):
                self.scene.desk.tick()


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """Shares behind the stop and the target of their bracket; no stream tells of anything."""
    scene = Scene(tmp_path)
    held(scene)
    scene.deaf = True
    return scene


@pytest.mark.parametrize("refused", [0, 2])
def test_shares_whose_stop_has_ended_get_it_back_also_where_they_come_free_late(scene, refused, caplog):
    venue = Unanswered(scene, refused)
    scene.adjust("exit")
    assert venue.away
    venue.watch(30)
    assert scene.stopped() == scene.held() == 49
    assert venue.sent == refused + 1
    assert "rests still" not in caplog.text, "the venue has told that it has ended"
    scene.stop()


@pytest.mark.parametrize("stop_asked", [True, False], ids=["stop", "target"])
def test_with_one_leg_of_a_pair_its_stop_is_in_doubt(scene, stop_asked):
    view = scene.state.view
    (asked,) = (o for o in view.orders.values() if o.open and o.side == "sell" and o.is_stop is stop_asked)
    view.note_unanswered(asked, scene.exchange.now)
    assert view.doubt_unanswered() == {"AAPL"}
    assert scene.positions.protection("AAPL").protected == 0
    view.end_doubt("AAPL")
    assert scene.positions.protection("AAPL").protected == 49
    scene.stop()


def test_an_order_that_is_no_longer_believed_costs_no_step(scene):
    view = scene.state.view
    (stop,) = (o for o in view.orders.values() if o.open and o.is_stop)
    view.note_unanswered(stop, scene.exchange.now)
    view.orders = {name: order for name, order in view.orders.items() if name != stop.id}
    assert view.doubt_unanswered() == {"AAPL"} and view.keep_doubt("AAPL")
    assert not scene.observer.have_told([stop.id]), "nothing is known of it"
    view.end_doubt("AAPL")
    view.confirm_cancel(stop, scene.exchange.now)
    view.orders = {name: order for name, order in view.orders.items() if name != stop.id}
    scene.desk.protector.put_back("AAPL")
    scene.stop()


def test_the_exit_whose_cancel_has_no_answer_is_named_by_its_terms(scene, caplog):
    """Where an order holds the shares, and the venue has told no end of the one in doubt."""
    view = scene.state.view
    (stop,) = (o for o in view.orders.values() if o.open and o.is_stop)
    view.orders = {**view.orders, stop.id: replace(stop, type="limit", limit_price=stop.stop_price)}
    view.note_unanswered(view.orders[stop.id], scene.exchange.now)
    view.doubt_unanswered()
    view.freed = view.doubted
    Unanswered(scene, 1).away = True
    scene.desk.protector.put_back("AAPL")
    assert "an order holds its shares: sell limit of 49 at 95" in caplog.text
    assert "AAPL" not in view.doubted
    scene.stop()


def test_shares_that_an_exit_from_before_a_split_holds_get_no_other_stop_until_it_is_through(scene, monkeypatch):
    view, venue = scene.state.view, Unanswered(scene, 0)
    (stop,) = (o for o in view.orders.values() if o.open and o.is_stop)
    view.confirm_cancel(stop, scene.exchange.now)
    monkeypatch.setattr(scene.positions, "_taken_by_stale", lambda symbol: stop.quantity)
    venue.away = True
    scene.desk.protector.put_back("AAPL")
    assert venue.sent == 0
    monkeypatch.undo()
    scene.desk.protector.put_back("AAPL")
    assert venue.sent == 1
    scene.stop()
