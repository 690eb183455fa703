"""At what price a close is offered: through the market, and clear of an order by hand on the other side."""

from __future__ import annotations

from decimal import Decimal

from brokers.desk.execution.close_task import CloseTask
from brokers.desk.reconcile.order_ownership import self_trade_limit
from brokers.desk.reconcile.own_positions import OwnPositions
from brokers.desk.venue_state import VenueState
from brokers.quantities import down, up
from config.schema import Close


class ClosePrices:
    """Prices of closes.

    Parameters
    ----------
    state : VenueState
    positions : OwnPositions
    rule : Close
    """

    def __init__(self, state: VenueState, positions: OwnPositions, rule: Close) -> None:
        self._state, self._positions, self._rule = state, positions, rule

    def limit(self, task: CloseTask, long: bool) -> float | None:
        """Through the market, as often as it is chased; None is at market.

        A manual order on the other side keeps a market order from being taken, and a limit that would meet it: so it
        stays a limit, at the nearest price that keeps clear of the manual one's.
        """
        rule = self._rule
        keep_clear = self.self_trade_limit(task.symbol, buys=not long)
        if task.orders > rule.chases and keep_clear is None:
            return None
        price = self.price(task.symbol, long, at_all_costs=keep_clear is not None)
        if not price > 0:
            return None
        through = price * (1 - rule.through_frac) if long else price * (1 + rule.through_frac)
        tick = self._state.rules.tick(through, task.symbol)
        limit = down(through, tick) if long else up(through, tick)
        if keep_clear is None:
            return limit
        clear = self.clear_of(task.symbol, keep_clear, long)
        return max(limit, clear) if long else min(limit, clear)

    def price(self, symbol: str, long: bool, at_all_costs: bool) -> float:
        """What the shares would go for now, 0 if that is not known; ``at_all_costs`` by the position's worth."""
        quote = self._state.quote(symbol)
        if not quote.problem:
            return float(quote.prices[0 if long else 1])
        return float(self._state.view.price(symbol)) if at_all_costs else 0.0

    def self_trade_limit(self, symbol: str, buys: bool) -> Decimal | None:
        """The price that an order of ours must not meet, since an order by hand waits there; None without one."""
        return self_trade_limit(symbol, buys, self._state.view, self._positions.ownership)

    def clear_of(self, symbol: str, keep_clear: Decimal, long: bool) -> float:
        """The first price that does not meet an order by hand."""
        price = float(keep_clear)
        tick = self._state.rules.tick(price, symbol)
        return up(price + tick / 2, tick) if long else down(price - tick / 2, tick)
