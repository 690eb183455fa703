"""Orders that hands send in symbols of ours: left alone as far as hands' own shares go, and never taken for ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from brokers.desk.execution.order_requests import exits
from brokers.venue_errors import VenueUnavailable
from config import Refusal
from tests.brokers.desk.scene import TUESDAY, Scene, changes, hang, read_quote, slow_cancels


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """49 shares of ours behind their bracket, bought at 100."""
    scene = Scene(tmp_path)
    scene.enter()
    scene.settle(2)
    scene.wire.calls.clear()
    yield scene
    scene.stop()


def by_hand(scene: Scene, side: str, quantity: int, name: str, symbol: str = "AAPL", **terms: str) -> None:
    order = {"symbol": symbol, "qty": str(quantity), "side": side, "type": "market", "time_in_force": "day"}
    scene.exchange.submit({**order, "client_order_id": name, **terms})
    scene.pass_time(1)


def hand_holds(scene: Scene, quantity: int) -> None:
    by_hand(scene, "buy", quantity, "hand-shares")
    scene.settle(3)
    assert scene.positions.book.manual == {"AAPL": quantity}


def lose_exits(scene: Scene) -> None:
    """Cancel our bracket by hand."""
    ours = next(o for o in scene.open() if o["type"] == "stop" and scene.sync.client_id(o["id"]))
    scene.exchange.cancel(ours["id"])
    scene.pass_time(1)
    scene.pass_time(1)


def status(scene: Scene, name: str) -> str:
    return str(scene.exchange.order_by_client_id(name)["status"])


def stops(scene: Scene) -> dict[Decimal, Decimal]:
    return {Decimal(o["stop_price"]): Decimal(o["qty"]) for o in scene.open() if o["type"] == "stop"}


def test_a_stop_for_shares_of_the_hand_s_own_changes_nothing_of_ours(scene):
    hand_holds(scene, 20)
    by_hand(scene, "sell", 20, "hand-stop", type="stop", stop_price="90", time_in_force="gtc")
    scene.settle(4)
    assert changes(scene) == []
    assert stops(scene) == {Decimal("95.01"): 49, Decimal(90): 20}
    lose_exits(scene)
    scene.settle(3)
    assert stops(scene) == {Decimal("95.01"): 49, Decimal(90): 20}


def test_an_exit_of_ours_leaves_the_hand_s_orders_where_they_are(scene):
    hand_holds(scene, 20)
    by_hand(scene, "sell", 20, "hand-exit", type="limit", limit_price="130", time_in_force="gtc")
    by_hand(scene, "buy", 5, "hand-buy", type="limit", limit_price="80", time_in_force="gtc")
    scene.settle(2)
    scene.adjust("exit")
    scene.settle(5)
    assert scene.held() == 20
    assert (status(scene, "hand-exit"), status(scene, "hand-buy")) == ("new", "new")


def test_a_purchase_by_hand_that_fills_in_part_does_not_hold_up_our_stop(scene):
    terms = {"type": "limit", "limit_price": "100.02", "time_in_force": "gtc"}
    scene.in_part("AAPL", 101, lambda: by_hand(scene, "buy", 100, "hand-buy", **terms))
    scene.step()
    assert status(scene, "hand-buy") == "partially_filled"
    lose_exits(scene)
    scene.settle(3)
    assert stops(scene) == {Decimal("95.01"): 49}


@pytest.mark.parametrize("restart", [False, True])
def test_what_is_left_of_a_bid_by_hand_stays_set_aside_once_a_part_has_filled(scene, restart):
    terms = {"type": "limit", "limit_price": "100.02", "time_in_force": "gtc"}
    scene.in_part("MSFT", 101, lambda: by_hand(scene, "buy", 400, "hand-buy", "MSFT", **terms))
    if restart:
        scene.settle(2)
        scene.restart()
    scene.settle(3)
    filled = Decimal(scene.exchange.order_by_client_id("hand-buy")["filled_qty"])
    assert 0 < filled < 400 and scene.positions.book.manual == {"MSFT": filled}
    left = (400 - filled) * Decimal("100.02")
    assert scene.positions.uncommitted_cash == scene.state.view.account.cash - left
    scene.exchange.cancel(scene.exchange.order_by_client_id("hand-buy")["id"])
    scene.settle(2)
    assert scene.positions.uncommitted_cash == scene.state.view.account.cash


def test_a_bid_by_hand_that_is_moved_after_a_part_has_filled_is_set_aside_at_its_new_price(scene):
    terms = {"type": "limit", "limit_price": "100.02", "time_in_force": "gtc"}
    scene.in_part("MSFT", 101, lambda: by_hand(scene, "buy", 400, "hand-buy", "MSFT", **terms))
    scene.settle(3)
    moved = scene.exchange.replace(scene.exchange.order_by_client_id("hand-buy")["id"], {"limit_price": "90"})
    scene.settle(3)
    left = Decimal(scene.exchange.order(moved["id"])["qty"])
    assert scene.positions.uncommitted_cash == scene.state.view.account.cash - left * 90


def test_a_cancel_of_the_hand_s_that_hangs_does_not_hold_up_our_stop(scene):
    hand_holds(scene, 20)
    by_hand(scene, "sell", 20, "hand-exit", type="limit", limit_price="140", time_in_force="gtc")
    hang(scene, lambda order: order["client_order_id"] == "hand-exit")
    lose_exits(scene)
    scene.settle(3)
    assert stops(scene) == {Decimal("95.01"): 49}


def hang_ours(scene: Scene, *, told: bool) -> None:
    """Our exits are gone, and the listings show them as being cancelled; the stream has ``told`` of it or not."""
    ours = {order["id"] for order in scene.open()}
    scene.deaf = not told
    lose_exits(scene)
    scene.deaf = False
    hang(scene, lambda order: order["id"] in ours)
    listed = scene.wire.orders_since
    scene.wire.open_orders = lambda: listed(TUESDAY)


def test_a_cancel_of_ours_that_hangs_is_asked_again_and_then_goes_on(scene):
    hang_ours(scene, told=False)
    scene.settle(10, 2)
    assert changes(scene) == []
    scene.settle(10, 2)
    assert "cancel" in changes(scene)
    assert scene.stopped() == 0
    del scene.wire.orders_since, scene.wire.open_orders
    scene.settle(3)
    assert scene.stopped() == 49


def test_a_cancel_that_the_stream_has_told_of_hangs_in_no_listing(scene):
    hang_ours(scene, told=True)
    scene.settle(2)
    assert changes(scene) == ["submit"]
    assert scene.stopped() == 49
    scene.settle(20, 2)
    assert scene.stopped() == 49


@pytest.mark.parametrize("told", [False, True])
def test_a_close_whose_cancel_hangs_sells_once_the_venue_has_told_of_its_end(scene, told):
    hang_ours(scene, told=told)
    scene.adjust("exit")
    scene.settle(10, 2)
    if not told:
        assert scene.held() == 49
        del scene.wire.orders_since, scene.wire.open_orders
        scene.settle(3)
    assert scene.held() == 0


def test_a_short_sale_that_a_hand_waits_with_is_left_to_its_owner(scene):
    by_hand(scene, "sell", 10, "hand-short", "TSLA", type="limit", limit_price="110", time_in_force="gtc")
    scene.settle(3)
    assert status(scene, "hand-short") == "new"


def test_an_exit_by_hand_for_our_shares_is_stray_and_ours_comes_back(scene, caplog):
    lose_exits(scene)
    by_hand(scene, "sell", 49, "hand-stop", type="stop", stop_price="90", time_in_force="gtc")
    scene.settle(5)
    assert "sent by hand, it is for more shares than were bought by hand, 49 are ours" in caplog.text
    assert status(scene, "hand-stop") == "canceled"
    assert stops(scene) == {Decimal("95.01"): 49}


def test_of_several_exits_by_hand_the_later_ones_are_stray(scene):
    hand_holds(scene, 20)
    by_hand(scene, "sell", 20, "hand-first", type="limit", limit_price="130", time_in_force="gtc")
    lose_exits(scene)
    by_hand(scene, "sell", 30, "hand-second", type="limit", limit_price="131", time_in_force="gtc")
    scene.settle(5)
    assert (status(scene, "hand-first"), status(scene, "hand-second")) == ("new", "canceled")
    assert stops(scene) == {Decimal("95.01"): 49}


def test_beside_a_purchase_by_hand_a_close_stays_a_limit(scene):
    # The venue takes no market order against one of the account's own.
    by_hand(scene, "buy", 5, "hand-buy", type="limit", limit_price="80", time_in_force="gtc")
    scene.settle(2)

    def down(symbols: object) -> Any:
        raise VenueUnavailable("no answer")

    scene.state.quotes = down
    scene.adjust("exit")
    scene.settle(5)
    assert scene.held() == 0
    assert [what.get("limit_price") for name, what in scene.wire.calls if name == "submit"] == ["99.9"]
    assert status(scene, "hand-buy") == "new"


def test_the_orders_of_an_adopted_symbol_count_as_ours(tmp_path):
    scene = Scene(tmp_path, overrides=["live.adopt=[AAPL]"])
    by_hand(scene, "buy", 20, "hand-shares")
    by_hand(scene, "sell", 20, "hand-stop", type="stop", stop_price="90", time_in_force="gtc")
    scene.settle(4)
    assert stops(scene) == {Decimal(90): 20}
    assert changes(scene) == []
    scene.stop()


def test_a_leg_that_the_journal_could_not_take_is_ours_all_the_same(scene, monkeypatch):
    """The journal is away between the two orders of a pair, when both have been seen."""
    lose_exits(scene)

    def away(*given):
        raise Refusal("the journal is away")

    with monkeypatch.context() as patch:
        patch.setattr(scene.journal, "adopt", away)
        scene.step(1)
        pair = [order for order in scene.exchange.orders(nested=True) if order["order_class"] == "oco"]
        assert len(pair) == 1
        with suppress(Refusal):
            scene.take(pair[0])
        scene.wire.calls.clear()
        for _ in range(3):
            scene.desk.work()
        assert changes(scene) == []
    scene.settle(3)
    assert scene.stopped() == scene.held() == 49
    assert changes(scene) == []


def test_no_stray_is_cancelled_without_a_look(scene):
    by_hand = scene.exchange.submit(
        {"symbol": "MSFT", "side": "buy", "qty": "5", "type": "limit", "limit_price": "99", "time_in_force": "day"}
    )
    scene.take({**by_hand, "symbol": "AAPL", "side": "sell"})
    scene.wire.calls.clear()
    scene.desk.symbol_work._tend("AAPL")
    assert changes(scene) == []


def test_a_short_sale_by_hand_counts_like_a_purchase_and_its_proceeds_are_no_free_cash(scene):
    before = scene.desk.reconcile()
    by_hand(scene, "sell", 20, "hand-short", "TSLA")
    scene.settle(3)
    assert scene.positions.book.manual == {"TSLA": -20}
    book = scene.desk.reconcile()
    proceeds = float(scene.positions.book.short_proceeds)
    assert proceeds == pytest.approx(20 * 99.99, abs=1)
    assert book.budget.day_usd - before.budget.day_usd == pytest.approx(proceeds)
    assert book.opened_today_usd - before.opened_today_usd == pytest.approx(proceeds)
    # The venue's cash has grown by them, and what may be spent has not.
    assert float(scene.state.view.account.cash) == pytest.approx(before.cash + proceeds, abs=1)
    assert book.cash == pytest.approx(before.cash, abs=1)
    assert scene.positions.account_state("MSFT").cash == pytest.approx(book.cash)
    by_hand(scene, "buy", 20, "hand-cover", "TSLA")
    scene.settle(3)
    covered = scene.desk.reconcile()
    # What was opened stays spent for the day, and buying it back opens nothing.
    spent = covered.opened_today_usd, covered.budget.day_usd
    assert spent == pytest.approx((book.opened_today_usd, book.opened_today_usd))
    assert covered.cash == pytest.approx(float(scene.state.view.account.cash))


def test_shares_of_ours_are_sold_by_hand_while_the_trader_is_stopped(scene):
    scene.stop()
    ours = next(order for order in scene.open() if order["type"] == "stop")
    scene.deaf = True
    scene.exchange.cancel(ours["id"])
    scene.pass_time(1)
    scene.pass_time(1)
    by_hand(scene, "sell", 20, "hand-sale")
    scene.deaf = False
    scene.start()
    scene.settle(8)
    assert (scene.positions.book.quantity("AAPL"), scene.positions.book.manual) == (29, {})
    assert scene.held() == scene.stopped() == 29
    assert scene.agrees()


def sold(scene: Scene) -> Decimal:
    rows = scene.exchange.orders("all", nested=True, limit=500)
    flat = [order for row in rows for order in (row, *(row["legs"] or ()))]
    return sum((Decimal(order["filled_qty"]) for order in flat if order["side"] == "sell"), Decimal(0))


def test_a_cancel_that_hangs_makes_no_shares_of_the_hand_s_ours_to_sell(scene, caplog):
    hand_holds(scene, 100)
    slow_cancels(scene, 90)
    scene.adjust("exit")
    scene.settle(35)
    assert "AAPL: 0 of 49 shares are free 30 s after the cancel" in caplog.text
    # The stop that still stands does the sale.
    scene.step(1, AAPL=94)
    scene.settle(5)
    assert sold(scene) == 49 and scene.held() == 100 and scene.positions.book.manual == {"AAPL": 100}
    assert scene.desk.closer.tasks == {}
    assert scene.agrees()


def test_a_part_whose_cancel_hangs_keeps_the_other_part_waiting_no_longer(scene):
    hand_holds(scene, 100)
    (entry,) = (order for order in scene.open() if order["type"] == "stop")
    scene.exchange.cancel(entry["id"])
    scene.pass_time(1)
    for quantity in (20, 29):
        scene.gateway.place(exits("AAPL", "sell", quantity, 95.01, 115), "target", scene.state.now)
    scene.settle(2)
    stuck = next(order["id"] for order in scene.open() if order["type"] == "stop" and order["qty"] == "29")
    cancel = scene.exchange.cancel
    scene.exchange.cancel = lambda name: None if is_group(scene, name, stuck) else cancel(name)
    scene.adjust("exit")
    scene.settle(36)
    scene.pass_time(1)
    assert sold(scene) == 20 and scene.stopped() == 29 and scene.held() == 129
    assert scene.agrees()


def is_group(scene: Scene, name: str, other: str) -> bool:
    """Whether two orders are listed together."""
    rows = scene.exchange.orders(nested=True, limit=500)
    groups = [{row["id"], *(leg["id"] for leg in row["legs"] or ())} for row in rows]
    return any({name, other} <= group for group in groups)


def test_a_sale_that_nobody_follows_is_not_sent_again_beside_it(scene):
    hand_holds(scene, 100)
    # The quote lies above the market, so that the sale rests.
    raw = {"bp": "102", "ap": "102.02"}
    scene.quoted = lambda symbol: read_quote(
        symbol, raw | {"t": scene.exchange.now.isoformat()}, scene.exchange.now, timedelta(minutes=5)
    )
    scene.adjust("exit")
    scene.settle(3)
    assert len(scene.open()) == 1
    scene.desk.closer.tasks["AAPL"].order = ""
    for _ in range(6):
        scene.step(1)
        assert sum(Decimal(order["qty"]) for order in scene.open()) <= 49
    scene.pass_time(1, AAPL=103)
    scene.settle(4)
    assert sold(scene) == 49 and scene.positions.book.manual == {"AAPL": 100}
