"""Where journal and venue disagree, by kind; nothing is changed on either side."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from brokers.desk.reconcile.protection_status import protection_status
from brokers.journal import JournalOrder, State
from brokers.operator.account import Outlook, look, silent
from brokers.operator.manual_positions import ManualPosition, manual_positions
from brokers.operator.unbooked_fills import ours_at_venue, unbooked_fills, unbooked_shares
from brokers.order_types import OrderRole, VenueReason
from brokers.ports import Venue
from brokers.quantities import DUST_USD, LOT_DIGITS, NOTHING, digits
from brokers.venue_errors import VenueError, VenueRefusal
from brokers.venue_values import OrderAck, VenuePosition
from config import Settings
from config.values.counting import COINS, unit_of

AGAIN_S = 2.0
"""What was under way while one side was read and the other not is settled after so long."""
ASKED = 20
"""So many orders that no listing shows are asked for one by one."""
NOT_KNOWN = "not known"


class Kind(StrEnum):
    """What disagrees."""

    POSITION = "position quantity"
    GONE = "order open here, not there"
    UNKNOWN = "order at the venue, unknown here"
    FILLS = "fills missing here"
    FEES = "fees differ"
    UNPROTECTED = "unprotected shares"
    OVERSIZED = "made by hand, too large"


@dataclass(frozen=True, slots=True)
class Difference:
    """One disagreement: what of, what the journal says, what the venue says, and what to make of it."""

    kind: Kind
    subject: str
    here: str
    there: str
    text: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Differences by kind, what was traded by hand, and how much was compared.

    ``remainders`` cannot be sold; ``not_asked`` counts orders, open here and in no listing, that were not asked for.
    """

    differences: tuple[Difference, ...]
    by_hand: tuple[ManualPosition, ...]
    positions: int
    orders: int
    remainders: tuple[VenuePosition, ...] = ()
    not_asked: int = 0

    @property
    def clean(self) -> bool:
        return not self.differences


def compare(venue: Venue, settings: Settings, wait: Callable[[float], None] = time.sleep) -> Comparison:
    """Compare both sides; what differs is looked at again, and counts if it still does.

    Parameters
    ----------
    venue : Venue
    settings : Settings
    wait : callable
        Waits for so many seconds.

    Raises
    ------
    Refusal
        One side cannot be read.
    """
    first = _compared(venue, settings)
    if first.clean:
        return first
    wait(AGAIN_S)
    again = _compared(venue, settings)
    seen = {(found.kind, found.subject) for found in first.differences}
    lasting = tuple(found for found in again.differences if (found.kind, found.subject) in seen)
    return replace(again, differences=lasting)


def _compared(venue: Venue, settings: Settings) -> Comparison:
    outlook = look(venue, settings)
    fills, unbooked = _missing_fills(outlook), unbooked_shares(outlook.view, outlook.journal)
    manual = manual_positions(outlook, settings, unbooked)
    try:
        gone, not_asked = _gone(venue, outlook)
    except VenueError as error:
        raise silent(venue, error) from None
    differences = [
        *_positions(outlook, unbooked),
        *gone,
        *_unknown(outlook),
        *fills,
        *_fees(outlook),
        *_unprotected(outlook, settings),
        *(
            Difference(Kind.OVERSIZED, held.symbol, f"{held.right:g} would be right", digits(held.held), held.text)
            for held in manual
            if held.too_large
        ),
    ]
    open_orders = sum(order.open for order in outlook.view.orders.values())
    view = outlook.view
    remainders = tuple(view.remainders)
    return Comparison(tuple(differences), tuple(manual), len(view.positions), open_orders, remainders, not_asked)


def _positions(outlook: Outlook, unbooked: dict[str, Decimal]) -> list[Difference]:
    found = []
    for symbol in sorted(outlook.view.positions.keys() | outlook.own.symbols):
        here, there = outlook.own.total(symbol), outlook.view.held(symbol)
        if here and not there and symbol in outlook.view.dust:
            # Too little to be a position at the venue, and not written off here yet; what is more was there before.
            there = min(here, outlook.view.dust[symbol].quantity)
        # What the missing fills explain is told by them; the books have nothing finer than the finest lot.
        rest = round(there - here - unbooked.get(symbol, Decimal(0)), LOT_DIGITS)
        if rest:
            moved = f"{digits(abs(rest))} {unit_of(symbol, abs(rest))} {'came' if rest > 0 else 'went'}"
            text = f"{moved} without an order of ours"
            found.append(Difference(Kind.POSITION, symbol, digits(here), digits(there), text))
    return found


def _gone(venue: Venue, outlook: Outlook) -> tuple[list[Difference], int]:
    """Orders that the journal takes for open and that are not open at the venue, and how many were not asked for."""
    by_name = {order.client_order_id: order for order in outlook.view.orders.values()}
    found, asked, not_asked = [], 0, 0
    for order in outlook.journal.open:
        there = outlook.view.orders.get(order.venue_id) or by_name.get(order.client_order_id)
        if there is None:
            if asked == ASKED:
                not_asked += 1
                continue
            asked += 1
            status = _status(venue, order)
        elif there.open:
            continue
        else:
            status = there.status
        found.append(Difference(Kind.GONE, order.client_order_id, str(order.state), status, _told(order)))
    return found, not_asked


def _status(venue: Venue, order: JournalOrder) -> str:
    """What the venue says of an order that is in no listing."""
    if not order.venue_id:
        ack = venue.order_by_client_id(order.client_order_id)
        return NOT_KNOWN if ack is None else _status_in(ack)
    try:
        return _status_in(venue.order(order.venue_id))
    except VenueRefusal as refusal:
        if refusal.reason is not VenueReason.NOT_FOUND:
            raise
        return NOT_KNOWN


def _status_in(ack: OrderAck) -> str:
    return next((order.status for order in ack.orders if order.id == ack.id), NOT_KNOWN)


def _unknown(outlook: Outlook) -> list[Difference]:
    """Open orders at the venue that the journal does not know, or does not know to have arrived."""
    ours = ours_at_venue(outlook.view, outlook.journal.orders)
    lost = {order.client_order_id for order in outlook.journal.open if order.state in (State.UNKNOWN, State.JOURNALED)}
    found = []
    for order in outlook.view.orders.values():
        if not order.open or (order.id in ours and order.client_order_id not in lost):
            continue
        sender = "sent by us, its outcome is not booked" if order.client_order_id in lost else "sent by hand"
        text = f"{order.side} {digits(order.quantity)} {order.symbol} {order.type}, {sender}"
        found.append(Difference(Kind.UNKNOWN, order.client_order_id, "–", order.status, text))
    return found


def _missing_fills(outlook: Outlook) -> list[Difference]:
    """Fills of our orders that are not booked."""
    found: list[Difference] = []
    for order, here in unbooked_fills(outlook.view, outlook.journal):
        missing, price = digits(order.filled - here), digits(order.average_price)
        text = f"{order.side} {order.symbol}: {missing} at {price} to be booked"
        found.append(Difference(Kind.FILLS, order.client_order_id, digits(here), digits(order.filled), text))
    return found


def _fees(outlook: Outlook) -> list[Difference]:
    """Orders of ours for which the venue charged something else than is booked, where it tells that with an order."""
    booked = {order.client_order_id: order for order in outlook.journal.orders}
    by_id = {order.venue_id: order for order in outlook.journal.orders if order.venue_id}
    found = []
    for there in outlook.view.orders.values():
        here = by_id.get(there.id) or booked.get(there.client_order_id)
        if here is None or there.fees is None or there.filled != here.filled_quantity or there.fees == here.fees:
            continue
        text = f"{there.side} {digits(there.filled)} {there.symbol}: the venue charged {digits(there.fees)} USD"
        found.append(Difference(Kind.FEES, here.client_order_id, digits(here.fees), digits(there.fees), text))
    return found


def _unprotected(outlook: Outlook, settings: Settings) -> list[Difference]:
    # A manual stop protects manual shares, and whoever sent it may cancel it.
    ours_alone = ours_at_venue(
        outlook.view, (order for order in outlook.journal.orders if order.role != OrderRole.MANUAL)
    )
    counted = [o for o in outlook.view.orders.values() if o.id in ours_alone or o.symbol in settings.live.adopt]
    found = []
    for symbol in sorted(outlook.own.ledger.positions):
        ours, held = outlook.own.quantity(symbol), outlook.view.held(symbol)
        there = min(abs(ours), abs(held)) if ours * held > 0 else Decimal(0)
        protected = protection_status(counted, symbol, ours).protected
        if (bare := there - protected) > 0 and not _too_little(outlook, symbol, bare):
            text = f"{digits(bare)} {unit_of(symbol, bare)} of ours without a working stop"
            found.append(Difference(Kind.UNPROTECTED, symbol, digits(there), digits(protected), text))
    return found


def _too_little(outlook: Outlook, symbol: str, quantity: Decimal) -> bool:
    """Whether so many coins are dust, which is left beside a stop by digits that the lots of its orders do not have."""
    if unit_of(symbol) != COINS:
        return False
    lot = outlook.view.positions[symbol].lot or NOTHING
    return quantity < lot or NOTHING < quantity * outlook.view.price(symbol) < DUST_USD


def _told(order: JournalOrder) -> str:
    return f"{order.role}: {order.side} {digits(order.quantity)} {order.symbol} {order.type}"
