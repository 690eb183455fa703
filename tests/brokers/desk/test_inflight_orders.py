"""What the listings leave out: looked for as far back as needed, and never at the cost of other symbols."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from brokers.alpaca.errors import AlpacaRefusal
from brokers.journal import JournalConflict, JournalOrder
from brokers.venue_errors import OutcomeUnknown, VenueUnavailable
from tests.brokers.desk.scene import Scene, held, lost


@pytest.fixture
def scene(scene: Scene) -> Scene:
    held(scene)
    return scene


def unanswered(scene: Scene, symbol: str = "NVDA") -> None:
    """An entry that never reached the venue, and nobody knows."""
    scene.wire.mishap = lost("submit", "before")
    scene.enter(symbol, 10)


def loses_its_stop(scene: Scene) -> None:
    scene.exchange.cancel(next(order["id"] for order in scene.open() if order["type"] == "stop"))


@pytest.mark.parametrize("error", [VenueUnavailable("504"), AlpacaRefusal(403, None, "no"), JournalConflict("twice")])
def test_an_order_that_cannot_be_looked_up_keeps_no_other_symbol_waiting(scene, monkeypatch, error):
    unanswered(scene)

    def fail(name: str) -> None:
        raise error

    monkeypatch.setattr(scene.wire, "order_by_client_id", fail)
    loses_its_stop(scene)
    scene.settle(4)
    assert scene.stopped() == 49
    assert "venue" not in scene.desk.halts.passing
    # What does not fit the journal ends entries, what has no answer those of its symbol.
    halted = scene.desk.halts.reasons(scene.exchange.now)
    assert bool(halted) == isinstance(error, JournalConflict)
    bought = [call for call in scene.wire.calls if call[0] == "submit" and call[1]["symbol"] == "NVDA"]
    scene.enter("NVDA", 10)
    assert [call for call in scene.wire.calls if call[0] == "submit" and call[1]["symbol"] == "NVDA"] == bought


def test_the_lookup_that_works_again_settles_the_order(scene, monkeypatch):
    unanswered(scene)
    with monkeypatch.context() as broken:
        broken.setattr(scene.wire, "order_by_client_id", lambda name: (_ for _ in ()).throw(VenueUnavailable("504")))
        scene.settle(3)
        assert scene.positions.unresolved("NVDA")
    (name,) = (order.client_order_id for order in scene.journal.unresolved() if order.symbol == "NVDA")
    assert not scene.sync.given_up(name) and not scene.sync.given_up("a hand's order")
    scene.settle(2, seconds=40)
    assert not scene.positions.unresolved("NVDA") and scene.sync.given_up(name)


def test_orders_that_hang_take_turns_one_at_a_look(scene, monkeypatch):
    scene.wire.mishap = lost("submit", "before", times=3)
    for symbol in ("MSFT", "NVDA", "PLTR"):
        scene.enter(symbol, 5)
    asked: list[str] = []

    def hang(name: str) -> None:
        asked.append(name)
        raise VenueUnavailable("no answer (ReadTimeout)")

    monkeypatch.setattr(scene.wire, "order_by_client_id", hang)
    spent = len(scene.journal.unresolved())
    for looks in range(1, 4):
        scene.desk.look()
        assert len(asked) == looks
    assert spent == len(set(asked)) == 3


def test_all_lookups_of_a_look_share_a_little_time(scene, monkeypatch):
    given: list[float] = []
    before = scene.state.time_budget

    def budget(seconds: float) -> Any:
        given.append(seconds)
        return before(seconds)

    monkeypatch.setattr(scene.state, "time_budget", budget)
    scene.desk.look()
    assert given == [2.0]


def test_an_order_without_an_answer_is_asked_for_ever_more_seldom_and_lists_nothing_twice(scene, monkeypatch):
    unanswered(scene)
    monkeypatch.setattr("brokers.desk.reconcile.inflight_orders.QUIET", timedelta(hours=1))
    asked = [call for call in scene.wire.calls if call[0] == "order_by_client_id"]
    since = listed_from(scene, monkeypatch)
    scene.settle(20)
    asked = [call for call in scene.wire.calls if call[0] == "order_by_client_id"][len(asked) :]
    # At first after 1, 2 and 4 s, then every 4 s.
    assert 4 <= len(asked) <= 7
    assert len(since) == 20
    scene.settle(100, seconds=5)
    assert "crash" not in scene.desk.halts.halted(scene.exchange.now) and scene.positions.unresolved("NVDA")


def listed_from(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    """The times since which orders are listed from now on."""
    asked: list[datetime] = []
    before = scene.wire.orders_since

    def since(after: datetime, nested: bool = True) -> Any:
        asked.append(after)
        return before(after, nested)

    monkeypatch.setattr(scene.wire, "orders_since", since)
    return asked


def test_an_old_position_makes_no_listing_longer(scene, monkeypatch):
    for day in range(1, 4):
        scene.pass_time(86_400)
        scene.step()
        scene.adjust("tighten", stop=95 + 0.2 * day)
        scene.settle(2)
    assert scene.stopped() == 49
    asked = listed_from(scene, monkeypatch)
    scene.settle(5)
    assert len(asked) == 5
    assert min(asked) >= scene.exchange.now - timedelta(minutes=3)


def test_what_ended_of_an_old_position_is_seen_in_one_look(scene, monkeypatch):
    scene.pass_time(86_400)
    scene.step()
    scene.deaf = True
    scene.pass_time(1, AAPL=94)
    asked = listed_from(scene, monkeypatch)
    scene.desk.look()
    assert scene.positions.book.quantity("AAPL") == 0
    assert len(asked) == 2
    scene.desk.look()
    assert len(asked) == 3
    assert scene.agrees()


@pytest.mark.parametrize("restarted", [False, True])
def test_exits_that_are_listed_apart_stay_one_group(scene, monkeypatch, restarted):
    for _ in range(9):
        scene.pass_time(86_400)
        scene.step()
    if restarted:
        scene.restart()
    before = scene.wire.open_orders

    def apart() -> list[dict[str, Any]]:
        return [{**order, "legs": None} for raw in before() for order in (raw, *(raw["legs"] or ()))]

    monkeypatch.setattr(scene.wire, "open_orders", apart)
    scene.settle(3)
    assert len([o for o in scene.state.view.orders.values() if o.open]) == 2
    assert len(scene.positions.protection("AAPL").groups) == 1
    scene.enter("MSFT", 10)
    scene.settle(3)
    assert len(scene.positions.protection("AAPL").groups) == 1


def by_hand(scene: Scene, **more: Any) -> dict[str, Any]:
    return scene.exchange.submit({"symbol": "MSFT", "qty": "10", "side": "buy", "time_in_force": "gtc"} | more)


def filled_by_hand(scene: Scene) -> list[JournalOrder]:
    return [f.order for f in scene.journal.filled_orders() if f.order.symbol == "MSFT"]


def test_an_old_order_by_hand_that_fills_is_booked_as_what_it_is(tmp_path):
    scene = Scene(tmp_path)
    scene.desk.look()
    order = by_hand(scene, type="limit", limit_price="98.00")
    by_hand(scene, type="limit", limit_price="90.00")
    scene.settle(2)
    scene.pass_time(3_600)
    scene.settle(2)
    by_hand(scene, type="market", time_in_force="day")
    scene.settle(3)
    scene.step(1, MSFT=97.9)
    scene.settle(4)
    assert [(o.venue_id != "", o.average_price) for o in filled_by_hand(scene)] == [
        (True, Decimal("100.01")),
        (True, Decimal(scene.exchange.order(order["id"])["filled_avg_price"])),
    ]
    scene.stop()


def test_an_order_by_hand_that_was_cancelled_is_asked_for_once(scene, monkeypatch):
    order = by_hand(scene, type="limit", limit_price="90.00")
    scene.step()
    scene.pass_time(3_600)
    scene.step()
    scene.exchange.cancel(order["id"])
    asked = listed_from(scene, monkeypatch)
    scene.settle(4)
    assert len(asked) == 5
    assert filled_by_hand(scene) == []


def test_a_listing_that_fails_is_asked_for_again(scene, monkeypatch):
    """The order by hand is not forgotten in a look that came to nothing."""
    order = by_hand(scene, type="limit", limit_price="98.00")
    scene.step()
    scene.pass_time(3_600)
    scene.step()
    scene.deaf = True
    scene.pass_time(1, MSFT=97.9)
    scene.wire.mishap = lost("positions", "before")
    with pytest.raises(OutcomeUnknown):
        scene.desk.look()
    scene.settle(2)
    assert [o.venue_id for o in filled_by_hand(scene)] == [order["id"]]


def test_exits_of_an_entry_that_came_and_filled_without_a_process_are_all_ours(scene):
    """The venue lists them by themselves, the target first: its entry is no longer open."""
    sent = []

    def late(payload):
        sent.append(dict(payload))
        raise OutcomeUnknown("no answer")

    scene.wire.submit = late
    scene.enter("NVDA", 10)
    scene.stop()
    scene.deaf = True
    scene.pass_time(3)
    scene.exchange.submit(sent[0])
    for _ in range(4):
        scene.pass_time(1)
    scene.deaf = False
    scene.start()
    scene.settle(3)
    orders = scene.exchange.orders("all", nested=False)
    assert len(orders) == 6 and {order["id"] for order in orders} == set(scene.journal.venue_ids())
    scene.step(1, NVDA=116)
    scene.settle(3)
    assert scene.held("NVDA") == 0 and scene.agrees()
    assert [trade.exit_reason for trade in scene.desk.record.trades] == ["target"]
