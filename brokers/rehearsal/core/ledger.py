"""Cash, positions and prices."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from brokers.rehearsal.core.model import ZERO, Asset, Order, Release
from brokers.rehearsal.core.settings import VenueSettings

LOWEST_BID = Decimal("0.0001")


@dataclass(slots=True)
class Holding:
    """A position; ``qty`` is negative for a short, ``opened`` the time of the first fill."""

    asset: Asset
    qty: Decimal
    average: Decimal
    opened: datetime


@dataclass(slots=True)
class VenueLedger:
    """What the account owns and what everything last cost."""

    settings: VenueSettings
    cash: Decimal
    last_equity: Decimal
    holdings: dict[str, Holding] = field(default_factory=dict)
    prices: dict[str, Decimal] = field(default_factory=dict)
    priced_at: dict[str, datetime] = field(default_factory=dict)
    lastday: dict[str, Decimal] = field(default_factory=dict)
    releases: list[Release] = field(default_factory=list)

    def quantity(self, symbol: str) -> Decimal:
        """The position in a symbol, negative for a short."""
        holding = self.holdings.get(symbol)
        return holding.qty if holding else ZERO

    def half_spread(self, price: Decimal, asset: Asset | None = None) -> Decimal:
        """How far bid and ask lie from a last price."""
        if asset is not None and asset.half_spread is not None:
            return asset.half_spread
        frac = self.settings.half_spread_frac
        return price * frac if frac else self.settings.half_spread_usd

    def bid_ask(self, price: Decimal, asset: Asset | None = None) -> tuple[Decimal, Decimal]:
        """Best bid and ask around a last price."""
        half = self.half_spread(price, asset)
        if asset is not None and asset.half_spread is not None:
            return max(price - half, asset.tick_at(price)), price + half
        lowest = price - half if self.settings.half_spread_frac else min(price, LOWEST_BID)
        return max(price - half, lowest), price + half

    def book(self, asset: Asset, signed: Decimal, price: Decimal, now: datetime, fee: Decimal = ZERO) -> Decimal:
        """Book a fill of ``signed`` units; returns the position after it."""
        self.cash -= asset.money(signed * price) + fee
        holding = self.holdings.get(asset.symbol)
        if holding is None:
            self.holdings[asset.symbol] = Holding(asset, signed, price, now)
            return signed
        total = holding.qty + signed
        if total == 0:
            del self.holdings[asset.symbol]
            return ZERO
        if holding.qty * signed > 0:
            holding.average = (holding.qty * holding.average + signed * price) / total
        elif holding.qty * total < 0:
            holding.average = price
        holding.qty = total
        return total

    def take(self, asset: Asset, units: Decimal) -> Decimal:
        """Take units away that were not sold, as a fee; returns the position after it."""
        holding = self.holdings[asset.symbol]
        holding.qty -= units
        if holding.qty == 0:
            del self.holdings[asset.symbol]
        return self.quantity(asset.symbol)

    def new_day(self) -> None:
        """Yesterday's prices and equity become those that today is compared with."""
        self.last_equity = self.equity
        self.lastday.update(self.prices)

    def release(self, now: datetime) -> None:
        """Give back what has waited long enough."""
        self.releases = [r for r in self.releases if r.at > now]

    def hold_until(self, symbol: str, qty: Decimal, at: datetime) -> None:
        """Keep units unavailable that no order holds any more."""
        if qty > 0:
            self.releases.append(Release(symbol, qty, at))

    def held(self, symbol: str, orders: Iterable[Order], without: Order | None = None) -> Decimal:
        """Units of a position that open exits hold, or that have not come back yet.

        The exits of one group hold the same units; they hold none before their entry has filled.
        """
        position = self.quantity(symbol)
        total = sum((r.qty for r in self.releases if r.symbol == symbol), ZERO)
        groups: dict[str, Decimal] = {}
        for order in orders:
            if order.symbol != symbol or not order.open or order.buy == (position > 0):
                continue
            own = without is not None and (order is without or (order.group and order.group is without.group))
            # Until it is in force, a replacement holds nothing: what it replaces still does.
            if own or (order.status == "pending_new" and order.replaces is not None):
                continue
            if not self.settings.stops_hold and order.stop_price is not None and not order.triggered:
                continue
            units = order.remaining(self.prices.get(symbol, ZERO))
            if order.group is None:
                total += units
            elif order.exits and order.group.armed:
                groups[order.group.id] = max(groups.get(order.group.id, ZERO), units)
        return min(total + sum(groups.values(), ZERO), abs(position))

    @property
    def long_value(self) -> Decimal:
        return sum((h.qty * self.price_of(h) for h in self.holdings.values() if h.qty > 0), ZERO)

    @property
    def short_value(self) -> Decimal:
        return sum((h.qty * self.price_of(h) for h in self.holdings.values() if h.qty < 0), ZERO)

    @property
    def equity(self) -> Decimal:
        return self.cash + self.long_value + self.short_value

    @property
    def multiplier(self) -> Decimal:
        return self.settings.multiplier if self.equity >= self.settings.margin_equity_usd else Decimal(1)

    def price_of(self, holding: Holding) -> Decimal:
        """The last price of what is held; what it cost where there is none."""
        return self.prices.get(holding.asset.symbol, holding.average)

    def buying_power(self, reserved: Decimal) -> Decimal:
        """What new positions may cost; ``reserved`` is what open entries will take."""
        gross = self.long_value - self.short_value
        return max(self.multiplier * self.equity - gross - reserved, ZERO)
