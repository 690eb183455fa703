"""The JSON objects that Alpaca answers with: numbers as text, times in UTC with a Z."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from brokers.rehearsal.alpaca.us_hours import NEW_YORK_ZONE
from brokers.rehearsal.core.ledger import Holding, VenueLedger
from brokers.rehearsal.core.model import ZERO, Asset, Order, OrderEvent

Json = dict[str, object]

NOT_ON_STREAM = ("source", "subtag")
STAMPS = ("filled_at", "expired_at", "canceled_at", "failed_at", "replaced_at")
RATIO = Decimal("1e-10")
MILLIONTH = Decimal("1e-6")


def plain(number: Decimal) -> str:
    """A decimal as Alpaca writes it: no exponent, no trailing zeros."""
    text = format(number, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def maybe(number: Decimal | None) -> str | None:
    """The same for a field that may be null."""
    return None if number is None else plain(number)


def iso(time: datetime | None) -> str | None:
    """UTC with microseconds and Z; None stays None."""
    return None if time is None else time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def asset_json(asset: Asset) -> Json:
    """The Asset object."""
    return {
        "id": asset.id,
        "class": "us_equity",
        "exchange": asset.exchange,
        "symbol": asset.symbol,
        "name": asset.name,
        "status": "active",
        "tradable": asset.tradable,
        "marginable": True,
        "shortable": asset.shortable,
        "easy_to_borrow": asset.shortable,
        "borrow_status": "easy_to_borrow" if asset.shortable else "hard_to_borrow",
        "fractionable": asset.fractionable,
    }


def order_json(order: Order, nested: bool = True, legs: list[Order] | None = None) -> Json:
    """The Order object.

    Parameters
    ----------
    order : Order
    nested : bool
        Whether the order at the top of a group carries the others as ``legs``.
    legs : list of Order, optional
        Legs to show in place of the group's.
    """
    if legs is None and nested and order.group is not None and not order.is_leg:
        legs = [m for m in order.group.members if m is not order]
    average = order.filled_value / order.filled_qty if order.filled_qty else None
    body: Json = {
        "id": order.id,
        "client_order_id": order.client_order_id,
        "created_at": iso(order.created),
        "updated_at": iso(order.updated or order.created),
        "submitted_at": iso(order.created),
        **{key: iso(order.times.get(key)) for key in STAMPS},
        "replaced_by": order.replaced_by,
        "replaces": order.replaces,
        "asset_id": order.asset.id,
        "symbol": order.symbol,
        "asset_class": "us_equity",
        "notional": maybe(order.notional),
        "qty": maybe(order.qty),
        "filled_qty": plain(order.filled_qty),
        "filled_avg_price": None if average is None else plain(average.quantize(MILLIONTH)),
        "order_class": order.order_class,
        "order_type": order.type,
        "type": order.type,
        "side": order.side,
        "time_in_force": order.time_in_force,
        "limit_price": maybe(order.limit_price),
        "stop_price": maybe(order.stop_price),
        "status": order.status,
        "extended_hours": order.extended_hours,
        "legs": [order_json(leg, nested=False) for leg in legs] if legs else None,
        "trail_percent": maybe(order.trail_percent),
        "trail_price": maybe(order.trail_price),
        "hwm": maybe(order.hwm),
        "subtag": None,
        "source": None,
        "expires_at": iso(order.expires),
    }
    if order.intent:
        body["position_intent"] = f"{order.side}_to_{order.intent}"
    if order.group is not None:
        body |= {
            "group_id": order.group.id,
            "group_role": order.role,
            "position_intent": f"{order.side}_to_{'close' if order.exits else 'open'}",
        }
    return body


def update_json(event: OrderEvent) -> Json:
    """A trade update; its order never has legs, and is two keys short."""
    order = order_json(event.order, nested=False)
    for key in NOT_ON_STREAM:
        del order[key]
    fill = event.execution
    body: Json = {
        "event": event.kind,
        "timestamp": iso(event.at),
        "order": order,
        "execution_id": None if fill is None else fill.id,
    }
    if fill is not None:
        body |= {"price": plain(fill.price), "qty": plain(fill.qty), "position_qty": plain(fill.position)}
    return body


def position_json(ledger: VenueLedger, holding: Holding, held: Decimal, now: datetime) -> Json:
    """The Position object; ``held`` shares of it are bound by orders."""
    price = ledger.price_of(holding)
    lastday = ledger.lastday.get(holding.asset.symbol, price)
    value, cost = holding.qty * price, holding.qty * holding.average
    today = holding.opened.astimezone(NEW_YORK_ZONE).date() == now.astimezone(NEW_YORK_ZONE).date()
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
        "avg_entry_price": plain(holding.average.quantize(MILLIONTH)),
        "market_value": plain(value),
        "cost_basis": plain(cost.quantize(MILLIONTH)),
        "unrealized_pl": plain((value - cost).quantize(MILLIONTH)),
        "unrealized_plpc": plain(((value - cost) / abs(cost)).quantize(RATIO)),
        "unrealized_intraday_pl": plain((value - basis).quantize(MILLIONTH)),
        "unrealized_intraday_plpc": plain(((value - basis) / abs(basis)).quantize(RATIO)),
        "current_price": plain(price),
        "lastday_price": plain(lastday),
        "change_today": plain((price / lastday - 1).quantize(RATIO)),
    }


def account_json(ledger: VenueLedger, account_id: str, opened: datetime, reserved: Decimal, now: datetime) -> Json:
    """The Account object; ``reserved`` is the buying power that open entries take, USD."""
    settings = ledger.settings
    gross = ledger.long_value - ledger.short_value
    power = plain(ledger.buying_power(reserved))
    equity = plain(ledger.equity)
    maintenance = plain(gross * settings.maintenance_margin_frac)
    cash_power = plain(max(ledger.cash - reserved, ZERO))
    return {
        "id": account_id,
        "account_number": f"PA{account_id.replace('-', '')[:8].upper()}",
        "status": "ACTIVE",
        "crypto_status": "ACTIVE",
        "crypto_tier": 1,
        "currency": "USD",
        "cash": plain(ledger.cash),
        "equity": equity,
        "portfolio_value": equity,
        "last_equity": plain(ledger.last_equity),
        "long_market_value": plain(ledger.long_value),
        "short_market_value": plain(ledger.short_value),
        "position_market_value": plain(gross),
        "buying_power": power,
        "effective_buying_power": power,
        "regt_buying_power": power,
        "non_marginable_buying_power": cash_power,
        "options_buying_power": cash_power,
        "options_approved_level": 0,
        "options_trading_level": 0,
        "multiplier": plain(ledger.multiplier),
        "initial_margin": plain(gross * settings.initial_margin_frac),
        "maintenance_margin": maintenance,
        "last_maintenance_margin": maintenance,
        "sma": "0",
        "accrued_fees": "0",
        "intraday_adjustments": "0",
        "pending_reg_taf_fees": "0",
        "pending_transfer_in": "0",
        "pending_transfer_out": "0",
        "shorting_enabled": ledger.equity >= settings.margin_equity_usd,
        "trading_blocked": False,
        "transfers_blocked": False,
        "account_blocked": False,
        "trade_suspended_by_user": False,
        "balance_asof": now.astimezone(NEW_YORK_ZONE).date().isoformat(),
        "created_at": iso(opened),
        "admin_configurations": {},
        "user_configurations": None,
    }
