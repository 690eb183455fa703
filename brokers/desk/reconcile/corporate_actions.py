"""Telling splits and new names from shares that came or went: what was paid for a position doesn't change with them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from brokers.desk.reconcile.position_book import PositionBook
from brokers.desk.venue_snapshot import VenueSnapshot
from brokers.journal import JournalOrder
from brokers.order_types import OrderRole
from brokers.venue_values import VenueOrder

ROUNDING = Decimal("0.005")
"""Venues round average prices: what was paid counts as the same within this fraction."""
LEAST = Decimal("0.01")
"""The smallest change of a quantity that can be a split, as a fraction; rounding hides smaller ones."""
MOST = 10
"""Splits give so many shares for so few: 3 for 2, 5 for 4, at most for so many."""
NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class Basis:
    """A position's quantity, signed, and its average price, USD."""

    quantity: Decimal
    price: Decimal

    @classmethod
    def at_venue(cls, view: VenueSnapshot, symbol: str) -> Basis:
        return cls(view.held(symbol), view.average_price(symbol))

    @classmethod
    def in_books(cls, own: PositionBook, symbol: str) -> Basis | None:
        """By the journal's fills, manual shares included; None if nothing is held."""
        position, theirs = own.ledger.positions.get(symbol), own.manual.get(symbol, NOTHING)
        ours, total = own.quantity(symbol), own.total(symbol)
        price = Decimal(str(position.entry_price)) if position else NOTHING
        return Basis(total, (ours * price + theirs * own.paid.get(symbol, NOTHING)) / total) if total else None


def split_of(before: Basis, after: Basis) -> tuple[Decimal, Decimal] | None:
    """How many shares became how many, if a split and nothing else leads from one to the other; else None.

    Whoever buys or sells moves what was paid with the quantity, a split doesn't. Where it paid a fraction of a share
    in cash, the price tells the ratio, and less than one share is missing.
    """
    if before.quantity * after.quantity <= 0 or before.price <= 0 or after.price <= 0:
        return None
    had, has = abs(before.quantity), abs(after.quantity)
    if _near(had * before.price, has * after.price):
        return (had, has) if abs(has / had - 1) >= LEAST else None
    if after.price > before.price:
        old, new = Decimal(round(after.price / before.price)), Decimal(1)
    else:
        new, old = map(Decimal, Fraction(before.price / after.price).limit_denominator(MOST).as_integer_ratio())
    exact = had * new / old
    # Bought shares cost more than was paid before: only a reverse split may round up.
    rounded = (int(exact), math.ceil(exact)) if old > new else (int(exact),)
    return (old, new) if old != new and has in rounded and _near(new / old, before.price / after.price) else None


def adjusted(planned: JournalOrder, order: VenueOrder) -> tuple[Decimal, Decimal] | None:
    """How many shares became how many, if the venue adjusted an order to a split; else None.

    Nothing else changes quantity and price of an order under its id: whoever moves one gets another in its place.
    """
    for was, now in ((planned.stop_price, order.stop_price), (planned.limit_price, order.limit_price)):
        if was and now and (ratio := split_of(Basis(planned.quantity, was), Basis(order.quantity, now))):
            return ratio
    return None


def unadjusted(order: VenueOrder, planned: JournalOrder) -> bool:
    """Whether an order of ours, older than a split, has the prices that it was sent with."""
    sent = planned.limit_price or NOTHING, planned.stop_price or NOTHING
    return planned.role != OrderRole.MANUAL and sent == (order.limit_price, order.stop_price)


def renamed(own: PositionBook, view: VenueSnapshot, known: Mapping[str, Basis]) -> Iterator[tuple[str, str]]:
    """Old and new name of positions that went under one and came under another, quantity and price the same."""
    came = [s for s in view.positions if view.held(s) and not own.total(s)]
    for old in sorted(own.symbols):
        before = known.get(old) or Basis.in_books(own, old)
        if before is None or not own.total(old) or view.held(old):
            continue
        for new in came:
            after = Basis.at_venue(view, new)
            if after.quantity == own.total(old) and _near(before.price, after.price):
                yield old, new


def _near(one: Decimal, other: Decimal) -> bool:
    return abs(one - other) <= ROUNDING * abs(one)
