"""Judges a new order, or the new terms of one that rests, against minimums, funds and market."""

from __future__ import annotations

from decimal import Decimal

from brokers.rehearsal.core.model import ZERO, Order
from brokers.rehearsal.kraken.account.funds import Funds
from brokers.rehearsal.kraken.errors import (
    COST_MINIMUM,
    INSUFFICIENT_FUNDS,
    NOT_UNIQUE,
    ORDER_MINIMUM,
    POST_ONLY,
    UNAVAILABLE,
    KrakenError,
    invalid,
)
from brokers.rehearsal.kraken.reference.listings import Pair


def check_minimums(pair: Pair, order: Order, ask: Decimal) -> None:
    """The pair's smallest volume and smallest cost; a market order counts at the ask, ``ask``."""
    qty = order.qty or ZERO
    price = order.limit_price or order.stop_price or ask
    if qty < pair.ordermin:
        raise KrakenError(ORDER_MINIMUM)
    if qty * price < pair.costmin:
        raise KrakenError(COST_MINIMUM)


def check_market(order: Order, last: Decimal | None) -> None:
    """An order that goes by the market needs one."""
    if last is None and order.limit_price is None:
        raise KrakenError(UNAVAILABLE)


def check_post_only(order: Order, bid: Decimal, ask: Decimal) -> None:
    """A post-only order must not execute at once."""
    limit = order.limit_price
    if limit is not None and (limit >= ask if order.buy else limit <= bid):
        raise KrakenError(POST_ONLY)


def check_funds(funds: Funds, order: Order, replaces: Order | None = None) -> None:
    """The account must have what the order would spend, its fee included."""
    if not funds.suffice(order, replaces):
        raise KrakenError(INSUFFICIENT_FUNDS)


def check_unique(cl_ord_id: str | None, of_open_orders: set[str | None]) -> None:
    """An id of the client may be used again, but not while an order with it is open."""
    if cl_ord_id is not None and cl_ord_id in of_open_orders:
        raise invalid(NOT_UNIQUE)
