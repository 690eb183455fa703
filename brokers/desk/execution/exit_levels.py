"""Where the exits of a position belong, for as long as that position lasts."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal

from brokers.desk.reconcile.order_comparison import is_moved
from brokers.desk.reconcile.own_positions import OwnPositions
from brokers.desk.reconcile.protection_status import ProtectionStatus
from brokers.desk.venue_state import VenueState
from brokers.journal import JournalOrder
from brokers.journal.marks import NEAREST
from brokers.order_types import OrderRole
from brokers.quantities import down, nearest, up
from brokers.venue_values import VenueOrder
from config.schema import Protection
from risk.model import Position


@dataclass(slots=True)
class Levels:
    """Where a position's exits belong, USD."""

    stop: float
    target: float


class LevelKeeper:
    """Knows the levels of every position of ours.

    They belong to one position, from the order that opened it to its last share: the next position in the same
    symbol, however soon, has levels of its own. What stands in for an exit that the market had passed sets none.

    Parameters
    ----------
    state : VenueState
    positions : OwnPositions
    rule : Protection
        Where the exits of a position without any belong.
    """

    def __init__(self, state: VenueState, positions: OwnPositions, rule: Protection) -> None:
        self._state = state
        self._positions = positions
        self._rule = rule
        self._known: dict[str, tuple[str, Levels]] = {}
        self._nearest: dict[str, JournalOrder | None] = {}

    def of(self, position: Position) -> Levels:
        """Stop and target of a position as they are now or were last."""
        symbol = position.symbol
        episode = self._positions.book.entries[symbol].client_order_id
        known = self._known.get(symbol)
        if known is None or known[0] != episode:
            self._known[symbol] = known = (episode, self._read(position))
        return known[1]

    def forget(self, symbol: str) -> None:
        """Read a symbol's levels from the journal again when they are asked for next."""
        self._known.pop(symbol, None)

    def see(self, position: Position, protection: ProtectionStatus) -> None:
        """What works at the venue is where the levels are, also after somebody moved them by hand."""
        levels, long = self.of(position), position.quantity > 0
        stops = [float(o.stop_price) for o in protection.stops if o.stop_price and not self.stands_in(o)]
        targets = [
            float(order.limit_price)
            for order in protection.exits
            if order.limit_price
            and not order.cancel_pending
            and not self.stands_in(order)
            and self._positions.ownership.role(order) == OrderRole.TARGET
        ]
        if stops:
            levels.stop = min(stops) if long else max(stops)
        if targets:
            levels.target = max(targets) if long else min(targets)

    def stands_in(self, order: VenueOrder) -> bool:
        """Whether an exit is at the nearest price that the venue took, and not at a level of its position."""
        name = self._positions.sync.client_id(order.id)
        if name is None:
            return False
        if name not in self._nearest:
            # A reason is written once.
            known = self._positions.journal.order(name)
            self._nearest[name] = known if known.reason == NEAREST else None
        # A venue may let a hand move an order that stays the same one.
        return (sent := self._nearest[name]) is not None and not is_moved(sent, order)

    def _read(self, position: Position) -> Levels:
        """By the newest exits in the journal, by the bracket, or by the settings where there is neither."""
        symbol, rule = position.symbol, self._rule
        since = self._positions.book.entries[symbol].journaled_at
        sign = 1 if position.quantity > 0 else -1

        def level(role: OrderRole, bracket: float, frac: float) -> float:
            newest: Decimal | None = self._positions.journal.last_exit_price(symbol, str(role), since)
            by_rule = position.entry_price * (1 + sign * frac)
            tick = self._state.rules.tick(by_rule, symbol)
            # A stop never farther from the market than the rule says.
            grid = nearest if role is OrderRole.TARGET else up if sign > 0 else down
            return float(newest) if newest else grid(by_rule, tick) if math.isnan(bracket) else bracket

        return Levels(
            stop=level(OrderRole.STOP, position.stop, -rule.stop_frac),
            target=level(OrderRole.TARGET, position.target, rule.target_frac),
        )


def passed(levels: Levels, prices: Iterable[float], sign: int, gap: Callable[[float], float]) -> str:
    """What the market has left behind, in words; empty unless every one of ``prices`` is beyond stop or target.

    ``gap`` is how far from the market the venue wants an exit at a price to lie.
    """
    known = list(prices)
    words = " and ".join(f"{price:g}" for price in known)
    if known and all(sign * (price - levels.stop) < gap(levels.stop) for price in known):
        return f"STOP_PASSED: {words} is at or beyond the stop {levels.stop}"
    if known and all(sign * (levels.target - price) < gap(levels.target) for price in known):
        return f"TARGET_PASSED: {words} is at or beyond the target {levels.target}"
    return ""
