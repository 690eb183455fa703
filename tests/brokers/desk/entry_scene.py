"""An entry that waits."""

from __future__ import annotations

from decimal import Decimal

from tests.brokers.desk.scene import Scene


def sent(scene: Scene) -> list[dict[str, object]]:
    return [what for name, what in scene.wire.calls if name == "submit"]


def buys(scene: Scene) -> list[tuple[str, str]]:
    return [(order["type"], order["qty"]) for order in sent(scene) if order["side"] == "buy"]


def leave_behind(scene: Scene) -> None:
    """Send an entry that the market has just run away from."""
    scene.exchange.on_quote(scene.exchange.now, {"AAPL": Decimal(101)})
    scene.enter("AAPL", 40)
    scene.prices["AAPL"] = Decimal(101)
