"""Shares that came beside ours without an order, and are sold by hand before the books have them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.brokers.desk.scene import Scene, held
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


def test_soon_after_a_fill_the_books_are_right_once_the_difference_counts(scene):
    """Positions may be listed later than fills: so long nothing is concluded."""
    come(scene, 5)
    scene.settle(5)
    by_hand(scene, "sell", 5, "hand-sale")
    scene.settle(100)
    assert whole(scene)
    assert scene.agrees()


def test_a_sale_of_ours_by_hand_stays_one(scene):
    scene.pass_time(120)
    scene.settle(3)
    scene.exchange.cancel(next(order["id"] for order in scene.open() if order["type"] == "stop"))
    scene.pass_time(0.5)
    scene.pass_time(0.5)
    by_hand(scene, "sell", 5, "hand-sale")
    scene.settle(3)
    assert scene.positions.book.quantity("AAPL") == scene.held() == 44
