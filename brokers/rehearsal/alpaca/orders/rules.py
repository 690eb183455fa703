"""Whether a well-formed request is accepted, given the account, the market and the orders at rest."""

from __future__ import annotations

from decimal import Decimal

from brokers.rehearsal.alpaca.errors import DUPLICATE, forbidden, unprocessable
from brokers.rehearsal.alpaca.json_bodies import plain
from brokers.rehearsal.core.model import Group, Order
from brokers.rehearsal.core.state import State

MARGIN = Decimal("0.01")
ALWAYS_WASH = frozenset({"market", "stop"})
NOT_REPLACEABLE = frozenset({"accepted", "pending_new", "pending_cancel", "pending_replace"})


def check_new(state: State, order: Order) -> None:
    """Judge a new order (the top of its group); ApiError where the venue would refuse it."""
    check_client_id(state, order.client_order_id)
    check_intent(state, order)
    if order.group is not None:
        for base in (state.ledger.prices.get(order.symbol), order.limit_price if order.role == "entry" else None):
            if base is not None:
                check_exit_prices(order.group, base)
    check_available(state, order)
    check_wash_trade(state, order)
    check_buying_power(state, order)


def check_client_id(state: State, client_order_id: str) -> None:
    """An id is spent for ever, also by an order that was cancelled."""
    if client_order_id in state.by_client_id:
        raise unprocessable("client_order_id must be unique", code=DUPLICATE)


def reduces(state: State, order: Order) -> bool:
    """Whether an order trades against the position that is there."""
    position = state.ledger.quantity(order.symbol)
    return position != 0 and (position > 0) != order.buy


def check_intent(state: State, order: Order) -> None:
    """Brackets and OTOs open, OCOs close; what is left opens a short, which not every account may."""
    exit_order = reduces(state, order)
    if order.intent and (order.intent == "close") != exit_order:
        inferred = f"{order.side}_to_{'close' if exit_order else 'open'}"
        declared = f"{order.side}_to_{order.intent}"
        raise unprocessable(f"position intent mismatch, inferred: {inferred}, specified: {declared}")
    if order.order_class in ("bracket", "oto") and exit_order:
        raise unprocessable(f"{order.order_class} orders must be entry orders")
    if order.order_class == "oco" and not exit_order:
        raise unprocessable("oco orders must be exit orders")
    if order.buy or exit_order:
        return
    if order.notional is not None or (order.qty is not None and order.qty % 1):
        raise unprocessable("fractional orders cannot be sold short")
    if state.ledger.equity < state.settings.margin_equity_usd:
        raise forbidden("account is not allowed to short")
    if not order.asset.shortable:
        raise unprocessable(f'asset "{order.symbol}" cannot be sold short')


def check_exit_prices(group: Group, base: Decimal) -> None:
    """Target and stop of a group against ``base``, the price the position is or would be worth."""
    for exit_order, field in ((group.stop_loss, "stop_price"), (group.take_profit, "limit_price")):
        if exit_order is None:
            continue
        price = getattr(exit_order, field)
        above = exit_order.buy == (exit_order.role == "stop_loss")
        bound = base + MARGIN if above else base - MARGIN
        if price < bound if above else price > bound:
            relation = ">= base_price + 0.01" if above else "<= base_price - 0.01"
            raise unprocessable(f"{exit_order.role}.{field} must be {relation}", base_price=plain(base))


def check_available(state: State, order: Order, without: Order | None = None) -> None:
    """An exit needs shares that no other exit holds; ``without`` is an order about to be replaced."""
    if not reduces(state, order):
        return
    existing = abs(state.ledger.quantity(order.symbol))
    held = state.held(order.symbol, without)
    requested = order.remaining(state.ledger.prices.get(order.symbol, Decimal(0)))
    if requested > existing - held:
        raise insufficient(order.symbol, requested, existing, held)


def insufficient(symbol: str, requested: Decimal, existing: Decimal, held: Decimal) -> Exception:
    """The refusal to sell shares that are held or not there."""
    available = plain(existing - held)
    return forbidden(
        f"insufficient qty available for order (requested: {plain(requested)}, available: {available})",
        available=available,
        existing_qty=plain(existing),
        held_for_orders=plain(held),
        symbol=symbol,
    )


def check_wash_trade(state: State, order: Order, without: Order | None = None) -> None:
    """No order may meet the account's own on the other side; groups and trailing stops are exempt."""
    if not _simple(order):
        return
    for other in state.open_orders(order.symbol):
        if other is without or other.side == order.side or not _simple(other):
            continue
        if not {order.type, other.type} & ALWAYS_WASH:
            buy, sell = (order, other) if order.buy else (other, order)
            if buy.limit_price is None or sell.limit_price is None or buy.limit_price < sell.limit_price:
                continue
        kind = "market/stop" if other.type in ALWAYS_WASH else "limit"
        raise forbidden(
            "potential wash trade detected. use complex orders",
            existing_order_id=other.id,
            reject_reason=f"opposite side {kind} order exists",
        )


def _simple(order: Order) -> bool:
    return order.group is None and order.type != "trailing_stop"


def check_buying_power(state: State, order: Order, without: Order | None = None) -> None:
    """An entry must be affordable next to all open entries."""
    if reduces(state, order) or order.exits:
        return
    if order.limit_price is None and order.symbol not in state.ledger.prices:
        raise unprocessable(f"no market price for {order.symbol}")
    cost, power = state.order_value(order), state.buying_power(without)
    if cost > power:
        raise forbidden("insufficient buying power", buying_power=plain(power), cost_basis=plain(cost))


def check_replaceable(order: Order) -> None:
    """Whether an order may be replaced at all, whatever the new terms."""
    if order.status in NOT_REPLACEABLE or not order.open:
        raise unprocessable(f"cannot replace order in {order.status} status")
    if order.notional is not None or (order.qty is not None and order.qty % 1):
        raise unprocessable("fractional and notional orders cannot be replaced")


def check_replacement(state: State, old: Order, new: Order) -> None:
    """Judge the new terms of an order that rests."""
    if new.client_order_id != old.client_order_id:
        check_client_id(state, new.client_order_id)
    group = old.group
    if group is not None:
        trial = Group(group.id, group.order_class, group.entry, group.take_profit, group.stop_loss)
        trial.swap(old, new)
        base = state.ledger.prices.get(old.symbol)
        if old.exits and group.entry is not None and not group.armed:
            base = group.entry.limit_price or base
        if base is not None:
            check_exit_prices(trial, base)
    else:
        check_available(state, new, without=old)
    check_wash_trade(state, new, without=old)
    check_buying_power(state, new, without=old)
