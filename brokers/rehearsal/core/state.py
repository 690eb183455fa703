"""What the venue knows at one moment: the time, the account, every order ever sent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import islice

from brokers.rehearsal.core.hours import Phase, TradingHours
from brokers.rehearsal.core.ledger import VenueLedger
from brokers.rehearsal.core.model import ZERO, Asset, Order
from brokers.rehearsal.core.settings import VenueSettings


@dataclass(slots=True)
class State:
    """Shared by the rules, the order life cycle and the queries; nothing here decides."""

    settings: VenueSettings
    hours: TradingHours
    now: datetime
    ledger: VenueLedger
    assets: dict[str, Asset]
    orders: dict[str, Order] = field(default_factory=dict)
    by_client_id: dict[str, Order] = field(default_factory=dict)
    _live: list[Order] = field(default_factory=list, init=False, repr=False)
    _looked_at: int = field(default=0, init=False, repr=False)

    @property
    def phase(self) -> Phase:
        """The phase of the day that the venue is in."""
        return self.hours.phase_at(self.now)

    def open_orders(self, symbol: str | None = None) -> Iterator[Order]:
        """Every order that isn't terminal, in order of entry."""
        # What has ended stays ended, so that a long session need not look at all its orders again and again.
        new = islice(self.orders.values(), self._looked_at, None) if len(self.orders) > self._looked_at else ()
        self._live, self._looked_at = [o for o in (*self._live, *new) if o.open], len(self.orders)
        return (o for o in self._live if o.open and symbol in (None, o.symbol))

    def held(self, symbol: str, without: Order | None = None) -> Decimal:
        """Units of the position that orders hold; see :meth:`VenueLedger.held`."""
        return self.ledger.held(symbol, self.open_orders(symbol), without)

    def live_price(self, symbol: str) -> Decimal | None:
        """The last price, if it is one of the present phase of the day."""
        at = self.ledger.priced_at.get(symbol)
        return self.ledger.prices[symbol] if at is not None and self.hours.same_phase(at, self.now) else None

    def order_value(self, order: Order) -> Decimal:
        """Buying power that an open order takes; nothing for exits and for legs.

        A short is valued above the ask, since its price can run away upwards.
        """
        position = self.ledger.quantity(order.symbol)
        if order.exits or (position != 0 and (position > 0) != order.buy):
            return ZERO
        if order.notional is not None:
            return order.notional - order.filled_value
        last = self.ledger.prices.get(order.symbol, ZERO)
        ask = self.ledger.bid_ask(last, order.asset)[1] if last else ZERO
        price = order.limit_price or max(order.stop_price or ZERO, ask)
        if not order.buy:
            price = max(order.limit_price or ZERO, ask * (1 + self.settings.short_collar_frac))
        return order.remaining(price) * price

    def reserved(self, without: Order | None = None) -> Decimal:
        """Buying power that all open entries take; of an order and its replacement the larger."""
        waiting = {o.replaces: o for o in self.open_orders() if o.status == "pending_new" and o.replaces}
        total = ZERO
        for order in self.open_orders():
            if order is without or order in waiting.values():
                continue
            successor = waiting.get(order.id)
            total += max(self.order_value(order), self.order_value(successor) if successor else ZERO)
        return total

    def buying_power(self, without: Order | None = None) -> Decimal:
        """What new positions may cost beside the open entries."""
        return self.ledger.buying_power(self.reserved(without))
