"""Reads the parameters of AddOrder into what they ask for; refuses what no order can be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from brokers.rehearsal.core.model import Closing
from brokers.rehearsal.kraken.errors import UNKNOWN_PAIR, KrakenError, invalid
from brokers.rehearsal.kraken.orders.arguments import (
    amount,
    check_deadline,
    client_id,
    flag,
    moment,
    on_the_grid,
    price,
    text,
    user_reference,
    volume,
)
from brokers.rehearsal.kraken.reference.listings import Listings, Pair

KINDS = {
    "market": "market",
    "limit": "limit",
    "iceberg": "limit",
    "stop-loss": "stop",
    "stop-loss-limit": "stop_limit",
    "take-profit": "take_profit",
    "take-profit-limit": "take_profit_limit",
    "trailing-stop": "trailing_stop",
    "trailing-stop-limit": "trailing_stop_limit",
}
"""Kraken's order types, and what the venue's core calls them."""
LIMITS = frozenset({"limit", "iceberg"})
TRIGGERS = frozenset(KINDS) - LIMITS - {"market"}
TRAILING = frozenset({"trailing-stop", "trailing-stop-limit"})
CLOSES = frozenset(KINDS) - TRAILING - {"market"}
FLAGS = frozenset({"post", "fcib", "fciq", "nompp", "viqc"})
LONGEST_PERCENT = 2


@dataclass(frozen=True, slots=True)
class Trail:
    """A distance: so many per cent or so much of the quote currency."""

    percent: Decimal | None = None
    distance: Decimal | None = None


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """What an AddOrder asks for. ``volume`` is in the quote currency where the flag ``viqc`` is set."""

    pair: Pair
    side: str
    ordertype: str
    volume: Decimal
    limit: Decimal | None
    trigger_price: Decimal | None
    trail: Trail | None
    offset: Trail | None
    time_in_force: str
    starts: datetime | None
    expires: datetime | None
    flags: tuple[str, ...]
    reference: str
    userref: int | None
    cl_ord_id: str | None
    close_type: str
    closing: Closing | None
    validate: bool

    @property
    def post_only(self) -> bool:
        return "post" in self.flags

    @property
    def by_cost(self) -> bool:
        """Whether the volume is an amount of money."""
        return "viqc" in self.flags


def find_pair(given: Mapping[str, object], listed: Listings) -> Pair:
    """The pair that a request names."""
    if not text(given, "pair"):
        raise invalid("pair")
    pair = listed.pair(text(given, "pair"))
    if pair is None:
        raise KrakenError(UNKNOWN_PAIR)
    return pair


def read_order(given: Mapping[str, object], listed: Listings, now: datetime) -> OrderRequest:
    """What the parameters ask for.

    Parameters
    ----------
    given : mapping
        The parameters of the form, a close as ``close[ordertype]`` and so on.
    listed : Listings
    now : datetime
        The venue's time.

    Raises
    ------
    KrakenError
        ``EGeneral:Invalid arguments:…``, or the text for a pair, a price or a deadline.
    """
    pair = find_pair(given, listed)
    side, ordertype = text(given, "type"), text(given, "ordertype")
    if side not in ("buy", "sell"):
        raise invalid("type")
    if ordertype not in KINDS:
        raise invalid("ordertype")
    check_deadline(given, now)
    flags = _flags(given, side, ordertype)
    limit, trigger_price, trail, offset = _prices(given, pair, ordertype)
    time_in_force = text(given, "timeinforce").upper() or "GTC"
    expires = moment(given, "expiretm", now)
    if time_in_force not in ("GTC", "IOC", "GTD"):
        raise invalid("timeinforce")
    if (time_in_force == "GTD" and expires is None) or (expires is not None and expires <= now):
        raise invalid("expiretm")
    if text(given, "leverage") not in ("", "none", "0", "1"):
        raise invalid("leverage")
    if flag(given, "reduce_only"):
        raise invalid("reduce_only")
    if text(given, "userref") and text(given, "cl_ord_id"):
        raise invalid("userref")
    close_type = text(given, "close[ordertype]")
    return OrderRequest(
        pair,
        side,
        ordertype,
        volume(given),
        limit,
        trigger_price,
        trail,
        offset,
        time_in_force,
        moment(given, "starttm", now),
        expires,
        flags,
        _reference(given),
        user_reference(given),
        client_id(given),
        close_type,
        _closing(given, pair, close_type),
        flag(given, "validate"),
    )


def _flags(given: Mapping[str, object], side: str, ordertype: str) -> tuple[str, ...]:
    flags = tuple(name.strip() for name in text(given, "oflags").split(",") if name.strip())
    both = "fcib" in flags and "fciq" in flags
    if not FLAGS.issuperset(flags) or both or ("post" in flags and ordertype not in LIMITS):
        raise invalid("oflags")
    if "viqc" in flags and (side, ordertype) != ("buy", "market"):
        raise invalid("viqc")
    return flags


def _reference(given: Mapping[str, object]) -> str:
    """What triggers: the last price; an index is taken for it."""
    reference = text(given, "trigger") or "last"
    if reference not in ("last", "index"):
        raise invalid("trigger")
    return reference


def _prices(
    given: Mapping[str, object], pair: Pair, ordertype: str
) -> tuple[Decimal | None, Decimal | None, Trail | None, Trail | None]:
    """Limit, trigger price, trailing distance and distance of the limit, where the type has them."""
    if ordertype == "market":
        return None, None, None, None
    if ordertype in TRAILING:
        offset = read_trail(text(given, "price2"), "price2", pair) if ordertype.endswith("limit") else None
        return None, None, read_trail(text(given, "price"), "price", pair), offset
    first = price(given, "price", pair)
    if first is None:
        raise invalid("price")
    if ordertype in LIMITS:
        return first, None, None, None
    if not ordertype.endswith("-limit"):
        return None, first, None, None
    second = price(given, "price2", pair)
    if second is None:
        raise invalid("price2")
    return second, first, None, None


def read_trail(value: str, name: str, pair: Pair) -> Trail:
    """A distance such as ``+1%`` or ``+250.5``; the sign says nothing that the side does not."""
    bare = value.lstrip("+-")
    if bare == value:
        raise invalid(name)
    number = amount({name: bare.removesuffix("%")}, name)
    if number is None:
        raise invalid(name)
    if bare.endswith("%"):
        if number >= 100 or number != number.quantize(Decimal(1).scaleb(-LONGEST_PERCENT)):
            raise invalid(name)
        return Trail(percent=number)
    on_the_grid(number, pair)
    return Trail(distance=number)


def _closing(given: Mapping[str, object], pair: Pair, ordertype: str) -> Closing | None:
    if not ordertype:
        if text(given, "close[price]"):
            raise invalid("close[ordertype]")
        return None
    if ordertype not in CLOSES:
        raise invalid("close[ordertype]")
    first, second = price(given, "close[price]", pair), price(given, "close[price2]", pair)
    if first is None:
        raise invalid("close[price]")
    if ordertype in LIMITS:
        return Closing(KINDS[ordertype], limit_price=first)
    if ordertype.endswith("-limit") and second is None:
        raise invalid("close[price2]")
    return Closing(KINDS[ordertype], first, second if ordertype.endswith("-limit") else None)
