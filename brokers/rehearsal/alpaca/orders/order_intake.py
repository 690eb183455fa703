"""Turns a well-formed request or patch into orders with ids, lifetimes and groups."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, time, timedelta
from decimal import Decimal

from brokers.rehearsal.alpaca.errors import unprocessable
from brokers.rehearsal.alpaca.orders.request_schema import (
    AUCTIONS,
    PRICES,
    TYPES,
    Request,
    choice,
    client_id,
    number,
    price,
)
from brokers.rehearsal.core.model import Asset, Group, Order
from brokers.rehearsal.core.state import State

NewId = Callable[[], str]
OPENING_CALL, CLOSING_CALL = timedelta(minutes=2), timedelta(minutes=10)
"""How long before an auction its last orders are taken."""
NEXT_DAY = time(19)
"""From when on orders for the next day's auctions are taken."""


def lifetime(state: State, time_in_force: str, extended: bool) -> tuple[datetime, datetime]:
    """When an order entered now begins to work and when it ends."""
    if time_in_force in AUCTIONS:
        return _auction(state, AUCTIONS[time_in_force])
    session = state.hours.session_ahead(state.now, extended)
    ends = session.post_close if extended else session.close
    return max(state.now, session.pre_open), state.now + state.settings.gtc_life if time_in_force == "gtc" else ends


def _auction(state: State, which: str) -> tuple[datetime, datetime]:
    """From when to when an order for an auction waits for it; ApiError 422 where it comes too late or too early."""
    session = state.hours.session_ahead(state.now)
    today = state.hours.session_on(state.hours.day_of(state.now))
    last_call = session.open - OPENING_CALL if which == "open" else session.close - CLOSING_CALL
    # Between today's close and the evening there is no auction to wait for.
    over = today is not None and today.day != session.day
    evening = state.now.astimezone(state.hours.zone).time() >= NEXT_DAY
    if state.now >= last_call or (over and not evening):
        name = "opening" if which == "open" else "closing"
        raise unprocessable(f"too late for today's {name} auction; the next one takes orders from 19:00 New York time")
    return max(state.now, session.open), session.close


def build(state: State, request: Request, asset: Asset, new_id: NewId) -> Order:
    """The order of a request, the top of its group where it is a bracket, OCO or OTO."""
    starts, expires = lifetime(state, request.time_in_force, request.extended_hours)
    order = Order(
        id=new_id(),
        client_order_id=request.client_order_id or new_id(),
        sequence=len(state.orders),
        asset=asset,
        side=request.side,
        type=request.type,
        time_in_force=request.time_in_force,
        qty=request.qty,
        notional=request.notional,
        created=state.now,
        starts=starts,
        expires=expires,
        order_class=request.order_class,
        limit_price=request.limit_price,
        stop_price=request.stop_price,
        trail_price=request.trail_price,
        trail_percent=request.trail_percent,
        extended_hours=request.extended_hours,
        intent=request.intent,
        auction=AUCTIONS.get(request.time_in_force, ""),
    )
    if request.order_class:
        _group(order, request, new_id)
    return order


def _group(order: Order, request: Request, new_id: NewId) -> None:
    group = Group(new_id(), request.order_class)
    order.group = group
    side = "sell" if request.side == "buy" else "buy"
    if request.order_class == "oco":
        order.role, order.limit_price = "take_profit", request.take_profit
        group.take_profit = order
        side = request.side
    else:
        order.role = "entry"
        group.entry = order
        if request.take_profit is not None:
            group.take_profit = _leg(order, new_id, 1, side, "take_profit", request.take_profit, None)
    if request.stop_loss is not None:
        group.stop_loss = _leg(order, new_id, 2, side, "stop_loss", request.stop_loss_limit, request.stop_loss)


def _leg(
    top: Order, new_id: NewId, place: int, side: str, role: str, limit: Decimal | None, stop: Decimal | None
) -> Order:
    kind = "limit" if stop is None else "stop" if limit is None else "stop_limit"
    return replace(
        top,
        id=new_id(),
        client_order_id=new_id(),
        sequence=top.sequence + place,
        side=side,
        type=kind,
        limit_price=limit,
        stop_price=stop,
        role=role,
        # An OCO's stop closes like its target; what a bracket declares is its entry's.
        intent=top.intent if side == top.side else "close" if top.intent else "",
        times={},
    )


def build_replacement(state: State, old: Order, patch: Mapping[str, object], new_id: NewId) -> Order:
    """The order that would take the place of ``old``; ApiError 422 for terms that don't go with its type.

    It replaces what is left of ``old``, and keeps its end: a replace doesn't renew a good-till-cancelled order.
    """
    qty = number(patch.get("qty"), "qty")
    prices = {name: price(patch.get(name), name) for name in PRICES}
    trail = number(patch.get("trail"), "trail")
    for name, given in prices.items():
        if given is not None and name not in TYPES[old.type]:
            raise unprocessable(f"{old.type} orders must not have {name}")
    if trail is not None and old.type != "trailing_stop":
        raise unprocessable(f"{old.type} orders must not have trail")
    if old.group is not None and (qty is not None or patch.get("time_in_force")):
        raise unprocessable(f"only the prices of {old.order_class} orders can be replaced")
    if qty is not None and qty % 1:
        raise unprocessable("qty must be a whole number")
    for name in ("notional", "advanced_instructions"):
        if patch.get(name):
            raise unprocessable(f"{name} cannot be replaced")
    time_in_force = choice(patch, "time_in_force", ("day", "gtc")) if patch.get("time_in_force") else old.time_in_force
    changed = time_in_force != old.time_in_force
    if not patch.get("client_order_id"):
        _check_changes(old, qty, prices, trail, changed)
    if changed and old.extended_hours:
        raise unprocessable("extended hours order must be DAY limit orders")
    by_percent = old.trail_percent is not None
    return replace(
        old,
        id=new_id(),
        client_order_id=client_id(patch.get("client_order_id")) or new_id(),
        sequence=len(state.orders),
        time_in_force=time_in_force,
        qty=qty if qty is not None else old.remaining(Decimal(0)),
        created=state.now,
        starts=state.now,
        expires=lifetime(state, time_in_force, old.extended_hours)[1] if changed else old.expires,
        limit_price=prices["limit_price"] or old.limit_price,
        stop_price=prices["stop_price"] or old.stop_price,
        trail_price=old.trail_price if by_percent or trail is None else trail,
        trail_percent=trail if by_percent and trail is not None else old.trail_percent,
        status="pending_new",
        before="pending_new",
        filled_qty=Decimal(0),
        filled_value=Decimal(0),
        updated=None,
        times={},
        replaces=old.id,
        replaced_by=None,
    )


def _check_changes(
    old: Order, qty: Decimal | None, prices: Mapping[str, Decimal | None], trail: Decimal | None, changed: bool
) -> None:
    """A replacement that changes nothing is no replacement."""
    trails = old.trail_percent if old.trail_percent is not None else old.trail_price
    pairs = [
        (qty, old.remaining(Decimal(0))),
        (trail, trails),
        (prices["limit_price"], old.limit_price),
        (prices["stop_price"], old.stop_price),
    ]
    if not changed and all(new is None or new == known for new, known in pairs):
        raise unprocessable("order parameters are not changed")
