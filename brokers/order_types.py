"""One vocabulary of orders: what they are for, which side, which kind, how long they hold, and why one is refused."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

Side = Literal["buy", "sell"]


class OrderRole(StrEnum):
    """What an order is for; ``MANUAL`` was sent by somebody else than this program."""

    ENTRY = "entry"
    HEDGE = "hedge"
    STOP = "stop"
    TARGET = "target"
    TRIM = "trim"
    PARTIAL = "partial"
    CLOSE = "close"
    MANUAL = "manual"


OPENING_ROLES = (OrderRole.ENTRY, OrderRole.HEDGE)
LEVEL_ROLES = (OrderRole.STOP, OrderRole.TARGET)
"""Orders that rest at a position's exit levels."""
SALE_ROLES = (OrderRole.TRIM, OrderRole.PARTIAL, OrderRole.CLOSE)
"""Orders that take a position, or a part of it, out of the market."""
EXIT_ROLES = (*LEVEL_ROLES, *SALE_ROLES)


class OrderType(StrEnum):
    """What triggers or bounds an order's price."""

    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"
    TRAILING_STOP = "trailing_stop"


STOP_TYPES = (OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP)


class TimeInForce(StrEnum):
    """How long an order holds: for the session, until it is cancelled, at an auction, or at once."""

    DAY = "day"
    GTC = "gtc"
    OPENING = "opg"
    CLOSING = "cls"
    IMMEDIATE = "ioc"
    ALL_OR_NONE = "fok"


class Resting(StrEnum):
    """What a venue lets rest without this process.

    ``BRACKET``: an entry with a stop and a target that come into force once it has filled completely. ``OCO``: a stop
    and a target for the same shares, of which one cancels the other. ``STOP``: a stop by itself, which holds its
    shares. ``ENTRY_STOP``: an entry with a stop alone, of which each part that fills gets its own at once.
    """

    BRACKET = "bracket"
    OCO = "oco"
    STOP = "stop"
    ENTRY_STOP = "entry_stop"


class RefusalCode(StrEnum):
    """Why an order was not placed, by its code; what stands after the colon is for readers."""

    VENUE = "VENUE_REFUSED"
    REJECTED = "VENUE_REJECTED"
    NOT_SENT = "NOT_SENT"
    NO_ROUTER = "NO_ROUTER"
    SCAN = "DESK_SCAN"
    SHUTDOWN = "DESK_LEAVING"
    STOPPED = "DESK_STOPPED"
    DOUBT = "DESK_DOUBT"
    PENDING = "DESK_PENDING"
    HELD = "DESK_HELD"
    CLOSED = "DESK_CLOSED"
    UNKNOWN = "DESK_UNKNOWN"


class VenueReason(StrEnum):
    """Why a venue said no, as far as anything depends on it."""

    OTHER = "other"
    DUPLICATE_ID = "duplicate client order id"
    NOT_FOUND = "no such order"
    PRICE_PASSED = "the market has passed the price"
    SHARES_HELD = "something holds the shares"
    CLOSED = "the market takes no such order now, whatever its terms"
    LASTING = "no repetition changes it: too little, or a symbol that is not traded"


class State(StrEnum):
    """Where an order stands; ``UNKNOWN`` means sent without an answer, to be looked up by its client order id."""

    PLANNED = "planned"
    JOURNALED = "journaled"
    SENT = "sent"
    UNKNOWN = "unknown"
    WORKING = "working"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    REPLACED = "replaced"
    EXPIRED = "expired"
    LOST = "lost"
