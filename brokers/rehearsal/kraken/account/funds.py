"""What the account can still spend: balances less what open orders hold."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from brokers.rehearsal.core.model import ZERO, Order
from brokers.rehearsal.core.state import State


class Funds:
    """Free money and coins.

    Parameters
    ----------
    state : State
    fee_frac : callable
        The fee of a fill of an order, now, as a share of its value.
    """

    def __init__(self, state: State, fee_frac: Callable[[Order], Decimal]) -> None:
        self._state, self._fee_frac = state, fee_frac

    def cost(self, order: Order, price: Decimal | None = None) -> Decimal:
        """What the rest of a buy takes, its fee included: at ``price``, its limit, its trigger or the ask."""
        if price is None:
            waits = order.stop_price if not order.triggered else None
            price = order.limit_price or waits or self.ask(order)
        value = order.asset.money(order.remaining(price) * price)
        return value + (ZERO if order.fee_in_units else order.asset.money(value * self._fee_frac(order)))

    def ask(self, order: Order) -> Decimal:
        """What a buyer pays now; 0 before the first price."""
        last = self._state.ledger.prices.get(order.symbol)
        return ZERO if last is None else self._state.ledger.bid_ask(last, order.asset)[1]

    def cash_held(self, without: Order | None = None) -> Decimal:
        """What open buys hold; one that waits for its trigger only where the settings say so."""
        return sum((self.cost(o) for o in self._state.open_orders() if o is not without and self._holds(o)), ZERO)

    def _holds(self, order: Order) -> bool:
        waits = order.stop_price is not None and not order.triggered
        return order.buy and (self._state.settings.stops_hold or not waits)

    def free_cash(self, without: Order | None = None) -> Decimal:
        """Money that no order holds."""
        return self._state.ledger.cash - self.cash_held(without)

    def units_held(self, symbol: str, without: Order | None = None) -> Decimal:
        """Coins that open sells hold, or that have not come back yet."""
        return self._state.held(symbol, without)

    def free_units(self, symbol: str, without: Order | None = None) -> Decimal:
        """Coins that no order holds."""
        return self._state.ledger.quantity(symbol) - self.units_held(symbol, without)

    def suffice(self, order: Order, replaces: Order | None = None) -> bool:
        """Whether a new order can be paid; ``replaces`` is the one whose place it takes."""
        if order.buy:
            return self.cost(order) <= self.free_cash(without=replaces)
        return order.remaining(ZERO) <= self.free_units(order.symbol, without=replaces)
