"""What the venue says and the journal cannot explain: kept apart, told, and no reason to stop protecting."""

from __future__ import annotations

import logging
from datetime import timedelta
from decimal import Decimal

import pytest

from brokers.alpaca.errors import AlpacaRefusal, BadKeys
from brokers.alpaca.listings import leave_out, orders_of
from brokers.journal import State
from brokers.lumibot.order_mapping import order_of, rows_of
from brokers.venue_errors import OutcomeUnknown
from tests.brokers.desk.scene import Scene


def drop_stop(scene: Scene, symbol: str) -> None:
    stop = next(order for order in scene.open(symbol) if order["type"] == "stop")
    scene.exchange.cancel(stop["id"])
    scene.pass_time(1)


def waiting_entry(scene: Scene) -> str:
    """An entry that rests below the market, its client order id."""
    scene.exchange.on_quote(scene.exchange.now, {"AAPL": Decimal(101)})
    scene.enter("AAPL", 40)
    scene.prices["AAPL"] = Decimal(101)
    scene.step(1)
    return next(order.client_order_id for order in scene.journal.run_orders() if order.role == "entry")


def unlisted(scene: Scene, symbol: str) -> list[bool]:
    """The venue's listings leave out a symbol's orders; an empty list afterwards shows them again."""
    hidden = [True]
    for name in ("orders_since", "open_orders"):
        whole = getattr(scene.wire, name)

        def without(*given, whole=whole):
            return [row for row in whole(*given) if not (hidden and row["symbol"] == symbol)]

        setattr(scene.wire, name, without)
    return hidden


def test_a_contradiction_in_one_symbol_leaves_the_others_their_stops(scene, caplog):
    scene.enter("MSFT", 50)
    scene.enter("AAPL", 50, iterate=False)
    scene.settle(3)
    stop = next(order for order in scene.open("AAPL") if order["type"] == "stop")
    name = scene.journal.venue_ids()[stop["id"]]
    scene.journal.event(name, State.EXPIRED, reason="wrong")
    scene.pass_time(1, AAPL=94)
    drop_stop(scene, "MSFT")
    scene.deaf = True
    with caplog.at_level(logging.ERROR):
        scene.settle(4)
    assert scene.stopped("MSFT") == scene.held("MSFT") == 49
    assert scene.state.view.time > scene.exchange.now - timedelta(seconds=1)
    assert "expired cannot be filled" in scene.positions.doubt("AAPL")
    assert scene.positions.doubt("MSFT") == ""
    assert "journal" in scene.journal.halts(scene.exchange.now.date())
    assert [record.message for record in caplog.records if "contradicts" in record.message] == [
        f"AAPL: the venue contradicts the journal, no entries this session: {scene.positions.doubt('AAPL')}"
    ]
    scene.restart()
    drop_stop(scene, "MSFT")
    scene.settle(4)
    assert scene.stopped("MSFT") == 49


def test_nothing_is_entered_in_a_symbol_in_doubt(scene):
    scene.desk.reconcile()
    scene.positions.renamed["AAPL"] = "it may have another name"
    scene.enter("AAPL", iterate=False)
    assert scene.desk.entries.refusals.skipped[-1].reason.startswith("DESK_DOUBT: it may have another name")


def test_a_hands_order_for_an_amount_of_money_grows_with_its_fills(scene):
    scene.exchange.faults.partial_fill_frac = 1.0
    scene.exchange.submit(
        {"symbol": "AAPL", "side": "buy", "type": "market", "notional": "1000", "time_in_force": "day"}
    )
    scene.step(1)
    scene.exchange.faults.partial_fill_frac = 0.0
    (order,) = [o for o in scene.journal.open_orders() if o.symbol == "AAPL"]
    assert (order.state, order.filled_quantity) == (State.PARTIALLY_FILLED, scene.held())
    part = scene.held()
    scene.step(1, AAPL=100.01)
    scene.settle(2)
    assert scene.journal.order(order.client_order_id).state is State.FILLED
    assert scene.positions.book.manual["AAPL"] == scene.held() > part
    assert scene.journal.halts(scene.exchange.now.date()) == frozenset()


@pytest.mark.parametrize("refusal", [BadKeys(401, None, "unauthorized"), AlpacaRefusal(422, None, "invalid")])
def test_a_refusal_to_tell_of_an_order_does_not_end_it(scene, refusal):
    name = waiting_entry(scene)
    hidden = unlisted(scene, "AAPL")

    def order(venue_id, nested=True):
        raise refusal

    scene.wire.order = order
    scene.desk.entries.tasks.clear()
    for _ in range(6):
        scene.desk.look()
        scene.pass_time(20)
    assert scene.journal.order(name).state is State.WORKING
    hidden.clear()
    scene.desk.look()
    assert scene.journal.halts(scene.exchange.now.date()) == frozenset()


def test_an_order_is_given_up_after_several_denials_and_taken_back_when_it_is_there(scene):
    name = waiting_entry(scene)
    hidden = unlisted(scene, "AAPL")

    def order(venue_id, nested=True):
        raise AlpacaRefusal(404, 40410000, "order not found")

    known, scene.wire.order = scene.wire.order, order
    states = []
    # What was sent a moment ago need not be listed yet.
    scene.pass_time(3)
    for _ in range(4):
        scene.desk.look()
        states.append(scene.journal.order(name).state)
        scene.pass_time(12)
    assert states == [State.WORKING] * 3 + [State.LOST]
    assert scene.sync.given_up(scene.journal.order(name).venue_id)
    scene.wire.order = known
    hidden.clear()
    scene.desk.look()
    assert scene.journal.order(name).state is State.WORKING
    unlisted(scene, "AAPL")
    scene.deaf = True
    scene.journal.event(name, State.LOST, reason="gone again")
    scene.pass_time(1, AAPL=100)
    scene.restart()
    scene.deaf = False
    scene.settle(3)
    assert scene.positions.book.quantity("AAPL") == scene.held() == scene.stopped() == 39
    assert scene.agrees()


def late(scene: Scene) -> list[dict[str, object]]:
    """The first order is on its way for long: no answer, and not at the venue yet."""
    box, real = [], scene.wire.submit

    def submit(payload):
        if box:
            return real(payload)
        box.append(dict(payload))
        raise OutcomeUnknown("504")

    scene.wire.submit = submit
    return box


@pytest.mark.parametrize("seconds", [15, 75])
def test_an_order_that_arrives_late_is_ours(scene, seconds):
    box = late(scene)
    scene.enter()
    scene.settle(seconds // 5, 5)
    name = box[0]["client_order_id"]
    assert scene.journal.order(name).state is (State.UNKNOWN if seconds < 60 else State.LOST)
    scene.exchange.submit(box[0])
    scene.settle(4)
    assert scene.positions.book.quantity("AAPL") == scene.held() == scene.stopped() == 49
    assert scene.positions.book.manual == {}
    assert scene.agrees()


def test_an_entry_on_its_way_keeps_a_second_one_out(scene):
    box = late(scene)
    scene.enter()
    scene.settle(10, 5)
    scene.enter()
    assert scene.desk.entries.refusals.skipped[-1].reason.startswith("DESK_PENDING")
    scene.restart()
    scene.enter()
    assert scene.desk.entries.refusals.skipped[-1].reason.startswith("DESK_PENDING")
    scene.exchange.submit(box[0])
    scene.settle(4)
    assert scene.held() == scene.stopped() == 49


def test_a_lost_answer_to_protection_delays_its_next_attempt_by_moments_only(scene):
    scene.enter()
    scene.settle(2)
    drop_stop(scene, "AAPL")
    late(scene)
    scene.step(1)
    assert scene.stopped() == 0
    scene.settle(3)
    assert scene.stopped() == scene.held() == 49


def test_rows_that_cannot_be_read_are_left_out_and_told_once(scene, caplog):
    # Another test may have told of such a row.
    leave_out.cache_clear()
    scene.enter()
    scene.settle(2)
    whole = scene.wire.open_orders
    bad = [{"id": "a", "status": "new"}, {"symbol": "AAPL", "status": "new"}, {"id": "c", "symbol": "AAPL"}]
    bad.append({"id": "d", "symbol": "AAPL", "status": "new", "qty": "many"})
    scene.wire.open_orders = lambda: [*whole(), *bad]
    drop_stop(scene, "AAPL")
    scene.settle(4)
    assert scene.stopped() == 49
    assert sorted(r.message.split()[1] for r in caplog.records if "is left out" in r.message) == ["None", "a", "c", "d"]
    assert orders_of(bad) == ()


def test_a_position_that_cannot_be_read_is_no_sale(scene):
    scene.enter()
    scene.settle(2)
    whole = scene.wire.positions
    scene.wire.positions = lambda: [{**row, "qty": None} for row in whole()]
    scene.settle(10, 20)
    assert scene.positions.book.quantity("AAPL") == scene.stopped() == 49


def test_what_of_a_listing_cannot_be_read_never_reaches_lumibot(scene):
    scene.enter()
    scene.settle(2)
    listed = scene.wire.open_orders
    (ours,) = listed()
    alone = {**ours, "legs": None, "symbol": "MSFT"}
    bad = [
        alone | {"id": "a", "limit_price": "n/a"},
        alone | {"id": "b", "trail_price": "n/a", "symbol": "NVDA"},
        {key: value for key, value in alone.items() if key != "id"},
        alone | {"id": "d", "legs": [alone | {"id": "e", "qty": "many"}]},
    ]
    scene.wire.open_orders = lambda: [*bad, *listed()]
    scene.step()
    orders = scene.desk.snapshot().listing
    assert [order_of(row, "test").identifier for row, _ in rows_of(orders)] == [
        "d", ours["id"], ours["legs"][0]["id"],
    ]  # fmt: skip
    # Its symbol is in doubt, and no other.
    assert "cannot be read" in scene.positions.doubt("MSFT")
    assert not scene.positions.doubt("AAPL")
    assert scene.stopped() == 49


def test_a_figure_of_a_position_that_cannot_be_read_costs_no_stop(scene):
    listed = scene.wire.positions
    scene.wire.positions = lambda: [{**row, "avg_entry_price": "n/a", "qty_available": "n/a"} for row in listed()]
    scene.enter()
    scene.settle(2)
    drop_stop(scene, "AAPL")
    scene.settle(3)
    assert scene.stopped() == 49
    assert scene.journal.halts(scene.exchange.now.date()) == frozenset()


def test_orders_of_others_are_looked_at_once(scene, monkeypatch):
    for number in range(30):
        scene.exchange.submit(
            {"symbol": "MSFT", "side": "buy", "type": "limit", "limit_price": "1", "qty": "1", "time_in_force": "day",
             "client_order_id": f"bot-{number}"}
        )  # fmt: skip
    asked = []
    for name in ("unresolved", "without_venue_id"):
        real = getattr(scene.journal, name, None)
        if real is not None:
            monkeypatch.setattr(scene.journal, name, lambda real=real: asked.append(1) or real())
    scene.observer.look()
    assert len(scene.state.view.manual) == 30
    assert len(asked) <= 1
    scene.observer.look()
    assert len(asked) <= 1


def test_where_the_venue_holds_the_opposite_of_ours_nothing_is_sent(scene, caplog):
    scene.enter()
    scene.enter("MSFT", iterate=False)
    scene.settle(3)
    scene.pass_time(120)
    drop_stop(scene, "AAPL")
    drop_stop(scene, "MSFT")
    # Sold short by nobody knows whom: an exit of ours would sell even more.
    scene.exchange._state.ledger.holdings["AAPL"].qty = Decimal(-51)
    scene.wire.calls.clear()
    scene.settle(3)
    scene.adjust("exit")
    scene.settle(3)
    sent = [what["symbol"] for name, what in scene.wire.calls if name == "submit"]
    assert sent == ["MSFT"]
    assert scene.stopped("MSFT") == 49
    assert caplog.text.count("AAPL: nothing is sent in it: 49.0 shares are ours by the fills") == 1
    assert "holds -51" in scene.positions.doubt("AAPL")
    assert not scene.positions.doubt("MSFT")
    # The books follow as they do with any difference, and the doubt is over.
    scene.settle(10, 20)
    assert (scene.positions.book.quantity("AAPL"), scene.positions.book.manual["AAPL"]) == (0, -51)
    assert not scene.positions.doubt("AAPL")
    assert scene.desk.closer.tasks == {}
