"""Cash, positions and prices, and the Account and Position objects made of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from brokers.rehearsal.hours import NEW_YORK_ZONE
from brokers.rehearsal.model import Asset, Json, Order, Release, iso, plain
from brokers.rehearsal.settings import VenueSettings

ZERO = Decimal(0)
RATIO = Decimal("1e-10")
CENT_FRACTION = Decimal("1e-6")


@dataclass(slots=True)
class Holding:
    """A position; ``qty`` is negative for a short, ``opened`` the New York date of the first fill."""

    asset: Asset
    qty: Decimal
    average: Decimal
    opened: date


@dataclass(slots=True)
class Ledger:
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
        holding = self.holdings.get(symbol)
        return holding.qty if holding else ZERO

    def bid_ask(self, price: Decimal) -> tuple[Decimal, Decimal]:
        half = self.settings.half_spread_usd
        return max(price - half, min(price, Decimal("0.0001"))), price + half

    def book(self, asset: Asset, signed: Decimal, price: Decimal, now: datetime) -> Decimal:
        """Book a fill of ``signed`` shares; returns the position after it."""
        self.cash -= signed * price
        holding = self.holdings.get(asset.symbol)
        if holding is None:
            self.holdings[asset.symbol] = Holding(asset, signed, price, now.astimezone(NEW_YORK_ZONE).date())
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

    def new_day(self) -> None:
        """Yesterday's prices and equity become those that today is compared with."""
        self.last_equity = self.equity
        self.lastday.update(self.prices)

    def release(self, now: datetime) -> None:
        """Give back what has waited long enough."""
        self.releases = [r for r in self.releases if r.at > now]

    def hold_until(self, symbol: str, qty: Decimal, at: datetime) -> None:
        """Keep shares unavailable that no order holds any more."""
        if qty > 0:
            self.releases.append(Release(symbol, qty, at))

    def held(self, symbol: str, orders: Iterable[Order], without: Order | None = None) -> Decimal:
        """Shares of a position that open exits hold, or that have not come back yet.

        The exits of one group hold the same shares; they hold none before their entry has filled.
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
            shares = order.remaining(self.prices.get(symbol, ZERO))
            if order.group is None:
                total += shares
            elif order.exits and order.group.armed:
                groups[order.group.id] = max(groups.get(order.group.id, ZERO), shares)
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
        return self.prices.get(holding.asset.symbol, holding.average)

    def buying_power(self, reserved: Decimal) -> Decimal:
        """What new positions may cost, USD; ``reserved`` is what open entries will take."""
        gross = self.long_value - self.short_value
        return max(self.multiplier * self.equity - gross - reserved, ZERO)

    def position_json(self, holding: Holding, held: Decimal, now: datetime) -> Json:
        price = self.price_of(holding)
        lastday = self.lastday.get(holding.asset.symbol, price)
        value, cost = holding.qty * price, holding.qty * holding.average
        today = holding.opened == now.astimezone(NEW_YORK_ZONE).date()
        basis = cost if today else holding.qty * lastday
        return {
            "asset_id": holding.asset.id,
            "symbol": holding.asset.symbol,
            "exchange": holding.asset.exchange,
            "asset_class": "us_equity",
            "asset_marginable": True,
            "qty": plain(holding.qty),
            "qty_available": plain((abs(holding.qty) - held).copy_sign(holding.qty)),
            "side": "long" if holding.qty > 0 else "short",
            "avg_entry_price": plain(holding.average.quantize(CENT_FRACTION)),
            "market_value": plain(value),
            "cost_basis": plain(cost.quantize(CENT_FRACTION)),
            "unrealized_pl": plain((value - cost).quantize(CENT_FRACTION)),
            "unrealized_plpc": plain(((value - cost) / abs(cost)).quantize(RATIO)),
            "unrealized_intraday_pl": plain((value - basis).quantize(CENT_FRACTION)),
            "unrealized_intraday_plpc": plain(((value - basis) / abs(basis)).quantize(RATIO)),
            "current_price": plain(price),
            "lastday_price": plain(lastday),
            "change_today": plain((price / lastday - 1).quantize(RATIO)),
        }

    def account_json(self, account_id: str, opened: datetime, reserved: Decimal, now: datetime) -> Json:
        gross = self.long_value - self.short_value
        power = plain(self.buying_power(reserved))
        equity = plain(self.equity)
        maintenance = plain(gross * self.settings.maintenance_margin_frac)
        cash_power = plain(max(self.cash - reserved, ZERO))
        return {
            "id": account_id,
            "account_number": f"PA{account_id.replace('-', '')[:8].upper()}",
            "status": "ACTIVE",
            "crypto_status": "ACTIVE",
            "crypto_tier": 1,
            "currency": "USD",
            "cash": plain(self.cash),
            "equity": equity,
            "portfolio_value": equity,
            "last_equity": plain(self.last_equity),
            "long_market_value": plain(self.long_value),
            "short_market_value": plain(self.short_value),
            "position_market_value": plain(gross),
            "buying_power": power,
            "effective_buying_power": power,
            "regt_buying_power": power,
            "non_marginable_buying_power": cash_power,
            "options_buying_power": cash_power,
            "options_trading_level": 0,
            "multiplier": plain(self.multiplier),
            "initial_margin": plain(gross * self.settings.initial_margin_frac),
            "maintenance_margin": maintenance,
            "last_maintenance_margin": maintenance,
            "sma": "0",
            "accrued_fees": "0",
            "intraday_adjustments": "0",
            "pending_reg_taf_fees": "0",
            "pending_transfer_in": "0",
            "shorting_enabled": self.equity >= self.settings.margin_equity_usd,
            "trading_blocked": False,
            "transfers_blocked": False,
            "account_blocked": False,
            "trade_suspended_by_user": False,
            "balance_asof": now.astimezone(NEW_YORK_ZONE).date().isoformat(),
            "created_at": iso(opened),
            "admin_configurations": {},
            "user_configurations": None,
        }
