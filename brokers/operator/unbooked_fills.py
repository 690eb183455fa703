"""Which orders at the venue are the journal's, and what of their fills is not booked yet."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from brokers.desk.venue_snapshot import VenueSnapshot
from brokers.journal import JournalOrder
from brokers.journal.snapshot import JournalSnapshot
from brokers.venue_values import VenueOrder


def ours_at_venue(view: VenueSnapshot, journaled: Iterable[JournalOrder]) -> set[str]:
    """Orders at the venue that are among those of the journal: by name, or as leg or successor of one."""
    ids, names = set[str](), set[str]()
    for order in journaled:
        ids |= {order.venue_id} if order.venue_id else set()
        names.add(order.client_order_id)
    shown = view.orders.values()
    known = {order.group for order in shown if order.id in ids or order.client_order_id in names}
    return {order.id for order in shown if order.group in known}


def unbooked_fills(view: VenueSnapshot, journal: JournalSnapshot) -> list[tuple[VenueOrder, Decimal]]:
    """Orders of ours of which more has filled than is booked, each with what is."""
    booked = {order.client_order_id: order.filled_quantity for order in journal.orders}
    by_id = {order.venue_id: order.client_order_id for order in journal.orders if order.venue_id}
    ours = ours_at_venue(view, journal.orders)
    listed = (
        (order, booked.get(by_id.get(order.id, order.client_order_id), Decimal(0)))
        for order in view.orders.values()
        if order.id in ours
    )
    return [(order, here) for order, here in listed if order.filled > here]


def unbooked_shares(view: VenueSnapshot, journal: JournalSnapshot) -> dict[str, Decimal]:
    """How many shares the fills are that are not booked, signed, by symbol."""
    found = dict[str, Decimal]()
    for order, here in unbooked_fills(view, journal):
        missing = order.filled - here if order.side == "buy" else here - order.filled
        found[order.symbol] = found.get(order.symbol, Decimal(0)) + missing
    return found
