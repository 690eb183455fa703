"""Kraken's orders, read once: what it lists and what those words mean."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from brokers.kraken.answers.figures import moment
from brokers.kraken.answers.names import Names
from brokers.kraken.answers.pairs import Pairs
from brokers.network.figures import NOTHING, amount, required
from brokers.order_types import OrderType, State
from brokers.venue_values import UnreadOrder, VenueListing, VenueOrder

KINDS = {
    "market": OrderType.MARKET,
    "limit": OrderType.LIMIT,
    "stop-loss": OrderType.STOP,
    "stop-loss-limit": OrderType.STOP_LIMIT,
    "trailing-stop": OrderType.TRAILING_STOP,
}
"""What is not here (take-profit, iceberg, trailing-stop-limit, settle-position) is sent by hands only."""
STATES = {
    "pending": State.WORKING,
    "open": State.WORKING,
    "closed": State.FILLED,
    "canceled": State.CANCELLED,
    "expired": State.EXPIRED,
}
VOLUME_IN_QUOTE = "viqc"
GTC = "gtc"
DIGITS = Decimal("1e-12")

log = logging.getLogger(__name__)


def listing_of(orders: Mapping[str, Any], pairs: Pairs, names: Names, seen: datetime) -> VenueListing:
    """Orders by txid as Kraken lists them; ``seen`` is when it was asked."""
    read, unread = list[VenueOrder](), list[UnreadOrder]()
    for txid, row in orders.items():
        try:
            read.append(order_of(txid, row, pairs, names, seen))
        except (LookupError, ValueError, TypeError, AttributeError, ArithmeticError) as error:
            leave_out(txid, repr(error))
            unread.append(UnreadOrder(txid, _symbol(row, pairs), ((txid, _name(row, names)),)))
    return VenueListing(tuple(read), tuple(unread), native=tuple(read))


@lru_cache(maxsize=1_000)
def leave_out(txid: str, why: str) -> None:
    """Say of an order that it cannot be read; once."""
    log.warning("the order %s at Kraken is left out, it is none of a kind that is traded here: %s", txid, why)


def order_of(txid: str, row: Mapping[str, Any], pairs: Pairs, names: Names, seen: datetime) -> VenueOrder:
    """One order.

    Raises
    ------
    ValueError, KeyError
        It is of a kind, a status or a pair that nobody here knows, or its figures are no numbers.
    """
    words, status = row["descr"], str(row["status"])
    kind, pair = KINDS.get(str(words["ordertype"])), pairs.named(str(words["pair"]))
    if kind is None or status not in STATES or pair is None:
        raise ValueError(f"{words['ordertype']} of {words['pair']}, {status}")
    if str(words["type"]) not in ("buy", "sell"):
        raise ValueError(f"side {words['type']!r}")
    filled, quantity = required(row, "vol_exec"), required(row, "vol")
    if VOLUME_IN_QUOTE in str(row.get("oflags") or "").split(","):
        # Its volume is money: how many coins that buys is known once it has ended.
        if status not in ("closed", "canceled", "expired"):
            raise ValueError("its volume is in the currency of the price")
        quantity = filled
    opened, ended = moment(row.get("opentm")), moment(row.get("closetm"))
    state = STATES[status]
    if state is State.WORKING and filled > 0:
        state = State.PARTIALLY_FILLED
    limit, stop = _prices(row, kind)
    return VenueOrder(
        id=txid,
        client_order_id=_name(row, names) or txid,
        symbol=pair.symbol,
        side="buy" if words["type"] == "buy" else "sell",
        type=kind,
        status=status,
        state=state,
        quantity=quantity,
        filled=filled,
        average_price=_average(row, filled),
        limit_price=limit,
        stop_price=stop,
        time_in_force=GTC,
        group=txid,
        listed_under=txid,
        made_by=str(row.get("refid") or ""),
        fees=None if row.get("fee") in (None, "") else amount(row, "fee"),
        created=opened,
        submitted=opened,
        # Kraken does not say when an order changed last.
        updated=ended or seen,
        changed=ended or (seen if filled else opened),
        expires=moment(row.get("expiretm")),
    )


def _name(row: Any, names: Names) -> str:
    return names.of(str(row.get("cl_ord_id") or "")) if isinstance(row, Mapping) else ""


def pair_name(row: Any) -> str:
    """What an order calls its pair; empty where that cannot be read."""
    words = row.get("descr") if isinstance(row, Mapping) else None
    return str(words.get("pair") or "") if isinstance(words, Mapping) else ""


def _symbol(row: Any, pairs: Pairs) -> str:
    pair = pairs.named(pair_name(row))
    return "" if pair is None else pair.symbol


def _average(row: Mapping[str, Any], filled: Decimal) -> Decimal:
    """What was paid for a coin: by the cost, which is exact, where Kraken tells it."""
    if filled <= 0:
        return NOTHING
    cost = amount(row, "cost")
    return (cost / filled).quantize(DIGITS) if cost > 0 else amount(row, "price")


def _prices(row: Mapping[str, Any], kind: OrderType) -> tuple[Decimal, Decimal]:
    """Limit and trigger; a stop that trails tells its present trigger apart from its terms."""
    words = row["descr"]
    match kind:
        case OrderType.LIMIT:
            return required(words, "price"), NOTHING
        case OrderType.STOP:
            return NOTHING, required(words, "price")
        case OrderType.STOP_LIMIT:
            return required(words, "price2"), required(words, "price")
        case OrderType.TRAILING_STOP:
            return NOTHING, amount(row, "stopprice")
        case _:
            return NOTHING, NOTHING
