"""Shares that came beside ours without an order, and are sold by hand before the books have them."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.brokers.desk.scene import Scene, held
from tests.brokers.desk.test_differences import shown
from tests.brokers.desk.test_orders_by_hand import by_hand

CAME = "came-without-an-order"


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """49 shares of ours behind their bracket."""
    scene = Scene(tmp_path)
    held(scene)
    hide(scene)
    yield scene
    scene.stop()


def hide(scene: Scene) -> None:
    """Shares come by an order that no listing shows, as a transfer has none."""

    def without(listed: Any) -> Any:
        return lambda *given, **named: [row for row in listed(*given, **named) if row["client_order_id"] != CAME]

    for name in ("orders_since", "open_orders"):
        setattr(scene.wire, name, without(getattr(scene.wire, name)))


def come(scene: Scene, quantity: int) -> None:
    scene.deaf = True
    by_hand(scene, "buy", quantity, CAME)
    scene.deaf = False


def whole(scene: Scene, manual: int = 0) -> bool:
    """All of ours are behind their stop and no other share is ours."""
    book = scene.positions.book
    return book.quantity("AAPL") == scene.stopped() == 49 and book.manual.get("AAPL", 0) == manual


def stays_whole(scene: Scene, seconds: int = 100) -> None:
    """Ours never have a share without a stop on the way."""
    for _ in range(seconds):
        scene.step()
        assert scene.stopped() >= 49 and scene.positions.book.quantity("AAPL") == 49


@pytest.mark.parametrize(("sold", "left"), [(5, 0), (3, 2)])
def test_a_sale_of_what_had_just_come_takes_nothing_of_ours(scene, caplog, sold, left):
    scene.pass_time(120)
    scene.settle(3)
    come(scene, 5)
    scene.settle(5)
    by_hand(scene, "sell", sold, "hand-sale")
    stays_whole(scene)
    assert whole(scene, manual=left) and "of ours closed by an order" not in caplog.text
    assert scene.agrees()


def test_what_hands_had_before_is_sold_before_it(scene):
    by_hand(scene, "buy", 4, "hand-buy")
    scene.settle(3)
    scene.pass_time(120)
    scene.settle(3)
    come(scene, 5)
    scene.settle(5)
    by_hand(scene, "sell", 6, "hand-sale")
    stays_whole(scene)
    assert whole(scene, manual=3)


def test_a_sale_of_more_than_had_come_takes_the_rest_of_ours(scene):
    scene.pass_time(120)
    scene.settle(3)
    come(scene, 5)
    scene.settle(5)
    scene.exchange.cancel(next(order["id"] for order in scene.open() if order["type"] == "stop"))
    scene.pass_time(0.5)
    scene.pass_time(0.5)
    by_hand(scene, "sell", 15, "hand-sale")
    scene.settle(100)
    book = scene.positions.book
    assert book.quantity("AAPL") == scene.held() == scene.stopped() == 39 and book.manual.get("AAPL", 0) == 0


@pytest.mark.parametrize("restarted", [False, True])
def test_soon_after_a_fill_ours_keep_their_stop_too(scene, restarted):
    """No listing need be waited for: what rests for ours holds them, so that nobody else has sold them."""
    come(scene, 5)
    scene.settle(5)
    by_hand(scene, "sell", 5, "hand-sale")
    scene.settle(3)
    if restarted:
        scene.restart()
        hide(scene)
    stays_whole(scene)
    assert whole(scene)
    assert scene.agrees()


def test_what_came_and_was_sold_while_nobody_looked_takes_nothing_of_ours(scene):
    come(scene, 5)
    by_hand(scene, "sell", 5, "hand-sale")
    scene.restart()
    hide(scene)
    stays_whole(scene)
    assert whole(scene)


def limit_sale(scene: Scene, quantity: int, parts: tuple[int, ...]) -> None:
    """A limit order by hand that fills in parts, looked at after each."""
    scene.exchange.submit(
        {"symbol": "AAPL", "side": "sell", "type": "limit", "limit_price": "101", "qty": str(quantity),
         "time_in_force": "day", "client_order_id": "hand-sale"}
    )  # fmt: skip
    for part in parts:
        there = scene.exchange._state.open_orders("AAPL")
        (order,) = (order for order in there if order.client_order_id == "hand-sale")
        scene.exchange._life.fill(order, Decimal(part), Decimal(101))
        scene.hand_on()
        stays_whole(scene, seconds=4)


@pytest.mark.parametrize("parts", [(10, 10), (1, 19), (5, 5, 10)])
def test_a_sale_in_parts_takes_nothing_of_ours(scene, parts):
    scene.pass_time(120)
    scene.settle(3)
    come(scene, 20)
    scene.settle(5)
    limit_sale(scene, 20, parts)
    stays_whole(scene)
    assert whole(scene) and scene.agrees()


def without_a_stop(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours have no exit at the venue for a while: the desk is busy with something else."""
    monkeypatch.setattr(scene.desk.symbol_work, "step", lambda: None)
    scene.exchange.cancel(next(order["id"] for order in scene.open() if order["type"] == "stop"))
    scene.settle(2)
    assert scene.stopped() == 0


@pytest.mark.parametrize(("orders", "apart"), [((20,), 1), ((10, 10), 1), ((10, 10), 4)])
def test_without_an_exit_what_was_seen_beside_ours_is_sold_first(scene, monkeypatch, orders, apart):
    scene.pass_time(120)
    scene.settle(3)
    come(scene, 20)
    scene.settle(5)
    without_a_stop(scene, monkeypatch)
    for number, quantity in enumerate(orders):
        by_hand(scene, "sell", quantity, f"hand-{number}")
        scene.settle(apart)
        assert scene.positions.book.quantity("AAPL") == 49
    monkeypatch.undo()
    scene.settle(3)
    stays_whole(scene)
    assert whole(scene)


def test_without_an_exit_the_balance_after_a_sale_may_show_before_the_sale(scene, monkeypatch):
    scene.pass_time(120)
    scene.settle(3)
    come(scene, 20)
    scene.settle(5)
    without_a_stop(scene, monkeypatch)
    hidden, scene.deaf = ["hand-sale"], True
    for name in ("orders_since", "open_orders"):
        listed = getattr(scene.wire, name)
        monkeypatch.setattr(
            scene.wire, name, lambda *a, listed=listed: [r for r in listed(*a) if r["client_order_id"] not in hidden]
        )
    by_hand(scene, "sell", 20, "hand-sale")
    scene.settle(3)
    assert scene.positions.book.quantity("AAPL") == scene.held() == 49
    hidden.clear()
    scene.settle(1)
    assert scene.positions.book.quantity("AAPL") == 49


def test_without_an_exit_what_has_been_there_for_long_is_sold_first_however_much_is_traded(scene, monkeypatch):
    """Soon after a sale more shares than the books have may be a late listing; after a minute they are not."""
    by_hand(scene, "buy", 5, "hand-buy")
    scene.settle(3)
    scene.pass_time(120)
    without_a_stop(scene, monkeypatch)
    for number, pause in enumerate((3, 35, 35)):
        by_hand(scene, "sell", 1, f"hand-{number}")
        if not number:
            come(scene, 20)
        scene.settle(pause)
    assert scene.positions.book.manual["AAPL"] == 2, "so soon after a fill they are not in the books"
    by_hand(scene, "sell", 22, "hand-sale")
    scene.settle(1)
    assert scene.positions.book.quantity("AAPL") == 49


def test_without_an_exit_a_position_that_is_listed_late_makes_ours_nobody_elses(scene, monkeypatch):
    """What hands had is listed for a while after they sold it: it is not there for the next sale, which is of ours."""
    by_hand(scene, "buy", 20, "hand-buy")
    scene.settle(3)
    scene.pass_time(120)
    scene.settle(3)
    without_a_stop(scene, monkeypatch)
    on = shown(scene, "AAPL", lambda row: {**row, "qty": "69", "qty_available": "69"})
    by_hand(scene, "sell", 20, "hand-sale")
    scene.settle(5)
    by_hand(scene, "sell", 10, "hand-sale-of-ours")
    scene.settle(5)
    assert scene.positions.book.quantity("AAPL") == 39
    on.clear()
    monkeypatch.undo()
    scene.settle(100)
    assert scene.positions.book.quantity("AAPL") == scene.held() == scene.stopped() == 39
    assert scene.positions.book.manual.get("AAPL", 0) == 0


def test_what_had_gone_by_hand_before_shares_came_stays_gone(scene, monkeypatch):
    """A sale of ours in parts, between which shares come: what came is the owner's but for what was sold of it."""
    scene.pass_time(120)
    scene.settle(3)
    without_a_stop(scene, monkeypatch)
    by_hand(scene, "sell", 10, "hand-sale-of-ours")
    scene.settle(3)
    scene.pass_time(120)
    scene.settle(3)
    come(scene, 20)
    scene.settle(5)
    by_hand(scene, "sell", 5, "hand-sale")
    monkeypatch.undo()
    scene.settle(100)
    book = scene.positions.book
    assert (book.quantity("AAPL"), book.manual["AAPL"], scene.stopped()) == (39, 15, 39)


def test_a_sale_of_ours_by_hand_stays_one(scene):
    scene.pass_time(120)
    scene.settle(3)
    scene.exchange.cancel(next(order["id"] for order in scene.open() if order["type"] == "stop"))
    scene.pass_time(0.5)
    scene.pass_time(0.5)
    by_hand(scene, "sell", 5, "hand-sale")
    scene.settle(3)
    assert scene.positions.book.quantity("AAPL") == scene.held() == 44
