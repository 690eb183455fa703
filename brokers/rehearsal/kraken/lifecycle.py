"""What happens to orders at Kraken after they were accepted, where it differs from any venue's."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from brokers.rehearsal.core.faults import FaultPlan
from brokers.rehearsal.core.lifecycle import Emit, Lifecycle, makes
from brokers.rehearsal.core.model import ZERO, Closing, Order
from brokers.rehearsal.core.state import State
from brokers.rehearsal.kraken.account.funds import Funds
from brokers.rehearsal.kraken.orders.terms import Terms
from brokers.rehearsal.kraken.reference.listings import FeeTier, Listings
from brokers.rehearsal.kraken.settings import KrakenSettings, fee_tier

PERCENT = Decimal(100)
NO_FUNDS = "Insufficient funds"


class KrakenLifecycle(Lifecycle):
    """Fees by volume, closing orders above the minimums, and what a triggered order finds in the account.

    Parameters
    ----------
    state, faults, new_id, emit
        See :class:`~brokers.rehearsal.core.lifecycle.Lifecycle`.
    settings : KrakenSettings
    listed : Listings
    terms : dict
        Of every order by its id.
    """

    def __init__(
        self,
        state: State,
        faults: FaultPlan,
        new_id: Callable[[], str],
        emit: Emit,
        settings: KrakenSettings,
        listed: Listings,
        terms: dict[str, Terms],
    ) -> None:
        super().__init__(state, faults, new_id, emit)
        self._settings, self._listed, self._terms = settings, listed, terms
        self.funds = Funds(state, self.fee_frac)
        self.volume = settings.volume_usd

    def tier(self) -> tuple[FeeTier, FeeTier | None]:
        """The account's fees, and the next lower ones."""
        return fee_tier(self._settings, self._listed, self.volume)

    def fee_frac(self, order: Order) -> Decimal:
        """By the volume traded so far; a limit order that has rested makes."""
        tier = self.tier()[0]
        return (tier.maker if makes(order) else tier.taker) / PERCENT

    def fill(self, order: Order, qty: Decimal, price: Decimal) -> None:
        """Execute a part, which counts for the volume."""
        super().fill(order, qty, price)
        self.volume += qty * price

    def fill_price(self, order: Order, quoted: Decimal) -> Decimal:
        """A limit that has rested is what others trade against: it fills at its own price, however far they go."""
        return order.limit_price if order.limit_price is not None and makes(order) else quoted

    def closable(self, order: Order, qty: Decimal) -> Decimal:
        """All of it where the account has what it takes: nobody can sell coins, or spend money, that are not free."""
        if order.buy:
            price = self.fill_price(order, self.funds.ask(order))
            enough = self.funds.cost(order, price) <= self.funds.free_cash(without=order)
        else:
            enough = qty <= self.funds.free_units(order.symbol, without=order)
        if enough:
            return qty
        self._terms[order.id].reason = NO_FUNDS
        return ZERO

    def trigger(self, stop: Order) -> None:
        """A trailing stop with a limit gets the limit now."""
        offset = self._terms[stop.id].offset
        if offset is not None and stop.stop_price is not None:
            distance = offset.distance if offset.percent is None else stop.stop_price * offset.percent / PERCENT
            limit = stop.stop_price + (distance or ZERO) * (1 if stop.buy else -1)
            stop.limit_price = limit.quantize(stop.asset.tick_at(limit))
        super().trigger(stop)

    def _close_the_fill(self, order: Order, qty: Decimal, closing: Closing) -> None:
        """The closing order of a fill, unless it would be below the minimums or what it closes is not there."""
        pair = self._terms[order.id].pair
        price = closing.stop_price or closing.limit_price or ZERO
        small = qty < pair.ordermin or qty * price < pair.costmin
        if small and not self._settings.small_closes:
            return
        if order.buy and qty > self.funds.free_units(order.symbol):
            return
        super()._close_the_fill(order, qty, closing)
        # The engine makes it with the fill, so that the same move of the price can execute it.
        self._open(next(reversed(self.state.orders.values())))
