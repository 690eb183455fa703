"""What is bought on beside a part keeps to every stop of that part, the farthest of them above all."""

from __future__ import annotations

import itertools
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from brokers.desk.reconcile.protection_status import ProtectionStatus
from risk.model import BracketTerms
from tests.brokers.desk.scene import Scene, fill


class SeveralStops:
    """Positions whose shares stand behind several stops, at these prices."""

    def __init__(self, positions: Any, prices: tuple[float, ...]) -> None:
        self._positions, self._prices = positions, prices

    def __getattr__(self, name: str) -> Any:
        return getattr(self._positions, name)

    def protection(self, symbol: str) -> ProtectionStatus:
        status: ProtectionStatus = self._positions.protection(symbol)
        stops = [
            replace(order, id=f"{order.id}-{k}", group=f"{order.group}-{k}", stop_price=Decimal(str(price)))
            for order in status.stops
            for k, price in enumerate(self._prices)
        ]
        return replace(status, exits=tuple(stops))


def bought_on(scene: Scene, prices: tuple[float, ...], price: float) -> list[Decimal]:
    """The rest of an entry is bought at another price, while its part stands behind these stops."""
    scene.desk.entries._orders._positions = SeveralStops(scene.positions, prices)
    scene.wire.calls.clear()
    scene.desk.tick()
    scene.step(1, AAPL=price)
    scene.settle(12)
    return [
        Decimal(payload["stop_loss"]["stop_price"])
        for name, payload in scene.wire.calls
        if name == "submit" and payload.get("order_class") == "bracket"
    ]


@pytest.mark.parametrize("prices", list(itertools.permutations((94.0, 95.01, 96.0))))
def test_the_stop_of_the_rest_is_no_farther_than_the_farthest_of_its_part(
    scene: Scene, prices: tuple[float, ...]
) -> None:
    scene.exchange.on_quote(scene.exchange.now, {"AAPL": Decimal(101)})
    scene.enter("AAPL", 15)
    fill(scene, 8)
    # Its own 5% would be 92.16, and the nearer stops of the part are for their own shares.
    assert bought_on(scene, prices, 97) == [94]


@pytest.mark.parametrize("prices", list(itertools.permutations((104.98, 106.0, 104.0))))
def test_so_is_that_of_a_short(scene: Scene, prices: tuple[float, ...]) -> None:
    scene.exchange.on_quote(scene.exchange.now, {"AAPL": Decimal(99)})
    terms = BracketTerms("sell_short", 0.05, 0.15)
    scene.enter("AAPL", 15, side="sell_short", stop=105.0, target=85.0, terms=terms)
    (entry,) = (order for order in scene.exchange._state.open_orders("AAPL") if not order.buy)
    scene.exchange._life.fill(entry, Decimal(8), Decimal("99.99"))
    scene.hand_on()
    assert bought_on(scene, prices, 103) == [106]
