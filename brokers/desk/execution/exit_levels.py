"""Where the exits of a position belong, for as long as that position lasts."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from brokers.alpaca.payloads import price_text
from brokers.desk.execution.protection_status import ProtectionStatus
from brokers.desk.venue_state import Floor
from risk.model import Position

VENUE_GAP = 0.01
"""The venue wants an exit at least so far from the market, USD."""


@dataclass(slots=True)
class Levels:
    """Where a position's exits belong, USD."""

    stop: float
    target: float


class LevelKeeper:
    """Knows the levels of every position of ours.

    They belong to one position, from the order that opened it to its last share: the next position in the same
    symbol, however soon, has levels of its own.

    Parameters
    ----------
    floor : Floor
    """

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._known: dict[str, tuple[str, Levels]] = {}

    def of(self, position: Position) -> Levels:
        """Stop and target of a position as they are now or were last."""
        symbol = position.symbol
        episode = self._floor.own.entries[symbol].client_order_id
        known = self._known.get(symbol)
        if known is None or known[0] != episode:
            self._known[symbol] = known = (episode, self._read(position))
        return known[1]

    def forget(self, symbol: str) -> None:
        """Read a symbol's levels from the journal again when they are asked for next."""
        self._known.pop(symbol, None)

    def see(self, position: Position, cover: ProtectionStatus) -> None:
        """What works at the venue is where the levels are, also after a hand moved them."""
        levels, long = self.of(position), position.quantity > 0
        stops = [float(order.stop_price) for order in cover.stops if order.stop_price]
        targets = [
            float(order.limit_price)
            for order in cover.exits
            if order.limit_price and not order.leaving and self._floor.whose.role(order) == "target"
        ]
        if stops:
            levels.stop = min(stops) if long else max(stops)
        if targets:
            levels.target = max(targets) if long else min(targets)

    def _read(self, position: Position) -> Levels:
        """By the newest exits in the journal, by the bracket, or by the settings where there is neither."""
        floor, symbol = self._floor, position.symbol
        since = floor.own.entries[symbol].journaled_at
        rule, sign = floor.settings.live.protection, 1 if position.quantity > 0 else -1

        def level(role: str, bracket: float, frac: float) -> float:
            newest: Decimal | None = floor.journal.last_exit_price(symbol, role, since)
            otherwise = float(price_text(position.entry_price * (1 + sign * frac))) if math.isnan(bracket) else bracket
            return float(newest) if newest else otherwise

        return Levels(
            stop=level("stop", position.stop, -rule.stop_frac),
            target=level("target", position.target, rule.target_frac),
        )


def passed(levels: Levels, prices: Iterable[float], sign: int) -> str:
    """What the market has left behind, in words; empty unless every one of ``prices`` is beyond stop or target."""
    known = list(prices)
    told = " and ".join(f"{price:g}" for price in known)
    if known and all(sign * (price - levels.stop) < VENUE_GAP for price in known):
        return f"STOP_PASSED: {told} is at or beyond the stop {levels.stop}"
    if known and all(sign * (levels.target - price) < VENUE_GAP for price in known):
        return f"TARGET_PASSED: {told} is at or beyond the target {levels.target}"
    return ""
