"""What `reconcile` tells of coins: not what is less than the finest lot, nor dust that no stop is for."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from brokers.operator.differences import Kind, compare
from config import Settings, load
from monitoring.state import JOURNAL_FILE
from tests.brokers.kraken.scene import BTC, SETTINGS, KrakenScene
from tests.brokers.rehearsal.kraken.market import served


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[KrakenScene]:
    with served(account={"balances": {"XBT": "0.002"}}) as server:
        made = KrakenScene(server, tmp_path, journal=str(tmp_path / JOURNAL_FILE))
        made.settle(2)
        made.enter(BTC, 100)
        made.settle(3)
        assert made.positions.book.manual[BTC] == Decimal("0.002") and made.positions.book.quantity(BTC) > 0
        yield made
        made.close()


def kinds(scene: KrakenScene, settings: Settings) -> list[Kind]:
    return [found.kind for found in compare(scene.venue, settings, lambda seconds: None).differences]


@pytest.mark.parametrize(
    ("less", "told"),
    [("0.00000001", []), ("0.00000999", []), ("0.0002", [Kind.UNPROTECTED])],
)
def test_dust_of_ours_beside_its_stop_is_no_difference(scene: KrakenScene, tmp_path: Path, less: str, told: list[Kind]):
    settings = load("active", overrides=[*SETTINGS, f"live.state_dir={tmp_path}", "gate.max_order_notional_frac=1"])
    listed = scene.venue.client.open_orders

    def smaller(*args: Any) -> Any:
        rows = listed(*args)
        for row in rows.values():
            row["vol"] = str(Decimal(row["vol"]) - Decimal(less))
        return rows

    scene.venue.client.open_orders = smaller  # type: ignore[method-assign]  # in the place of the wire
    scene.pass_time(2)
    assert [kind for kind in kinds(scene, settings) if kind is not Kind.OVERSIZED] == told


def test_digits_that_the_books_do_not_have_are_no_difference(scene: KrakenScene, tmp_path: Path):
    settings = load("active", overrides=[*SETTINGS, f"live.state_dir={tmp_path}"])
    told = scene.venue.client.balances

    def finer() -> Any:
        rows = told()
        rows["XXBT"]["balance"] = str(Decimal(rows["XXBT"]["balance"]) + Decimal("0.0000000004"))
        return rows

    scene.venue.client.balances = finer  # type: ignore[method-assign]  # in the place of the wire
    scene.pass_time(2)
    assert [kind for kind in kinds(scene, settings) if kind is not Kind.OVERSIZED] == []
