"""What Kraken knows of an order beyond what the venue's core does, and its fills."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from brokers.rehearsal.core.model import Closing, Order
from brokers.rehearsal.kraken.orders.request import KINDS, OrderRequest, Trail
from brokers.rehearsal.kraken.reference.listings import Pair

BY_KIND = {kind: ordertype for ordertype, kind in KINDS.items() if ordertype != "iceberg"}


@dataclass(slots=True)
class Terms:
    """One order's terms.

    Parameters
    ----------
    pair : Pair
    ordertype : str
        As Kraken names it.
    created : datetime
        When it was created or last amended; what an amend or a cancel costs depends on it.
    flags : tuple of str
    reference : str
        ``last`` or ``index`` for what waits for a price, else empty.
    userref, cl_ord_id : optional
    offset : Trail, optional
        How far from its trigger the limit of a trailing stop lies.
    close_type, closing : optional
        Of the orders that its fills make.
    cost : Decimal, optional
        The volume of an order by cost, quote currency.
    given : mapping
        The parameters that it was sent with; empty where a fill made it.
    reason : str, optional
        Why it ended.
    fills : list of str
        Ids of its trades.
    """

    pair: Pair
    ordertype: str
    created: datetime
    flags: tuple[str, ...] = ()
    reference: str = ""
    userref: int | None = None
    cl_ord_id: str | None = None
    offset: Trail | None = None
    close_type: str = ""
    closing: Closing | None = None
    cost: Decimal | None = None
    given: Mapping[str, object] = field(default_factory=dict)
    reason: str | None = None
    fills: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Trade:
    """One fill."""

    id: str
    number: int
    order: Order
    at: datetime
    price: Decimal
    qty: Decimal
    cost: Decimal
    fee: Decimal
    maker: bool


def of_request(request: OrderRequest, now: datetime, given: Mapping[str, object]) -> Terms:
    """The terms of a new order."""
    return Terms(
        request.pair,
        request.ordertype,
        now,
        request.flags,
        request.reference if request.ordertype not in ("market", "limit", "iceberg") else "",
        request.userref,
        request.cl_ord_id,
        request.offset,
        request.close_type,
        request.closing,
        request.volume if request.by_cost else None,
        dict(given),
    )


def of_closing(order: Order, parent: Terms, now: datetime) -> Terms:
    """The terms of an order that a fill made; it has no id of the client."""
    reference = "last" if order.stop_price is not None else ""
    return Terms(parent.pair, BY_KIND[order.type], now, reference=reference, userref=parent.userref)
