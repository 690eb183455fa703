"""What goes into the journal and what comes out of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

import numpy as np

from brokers.journal.fills import unsigned
from brokers.journal.states import FINAL
from brokers.order_types import State

Number = Decimal | float
OrderSide = Literal["buy", "sell"]


class JournalConflict(ValueError):
    """What is to be written contradicts what is written; nothing was changed, ask the venue."""


class AlreadyPlanned(JournalConflict):
    """The order is in the journal: it was or may have been sent. Look it up at the venue, never send it again."""

    def __init__(self, client_order_id: str, state: State) -> None:
        super().__init__(f"{client_order_id} is {state} already; look it up at the venue, never send it again")
        self.client_order_id = client_order_id
        self.state = state


@dataclass(frozen=True, slots=True)
class OrderIntent:
    """One order that is to be sent.

    Parameters
    ----------
    strategy, symbol, role : str
        ``role`` is one of entry, target, stop, trim, hedge, partial, close.
    side : {"buy", "sell"}
    quantity : Decimal or float
        Shares or coins, above 0.
    type : str
        market, limit, stop, stop_limit or trail.
    decision_time : datetime
        Of the plan that wants it, timezone-aware; with ``sequence`` it makes the client order id.
    sequence : int
        Tells several orders of one symbol and role apart that one decision needs.
    limit_price, stop_price, bracket_stop, bracket_target : Decimal or float, optional
        USD; the last two are the legs of a bracket.
    parent_id : str
        Client order id of the entry whose leg or replacement this is; empty without.
    reason : str
        Why, in words.
    """

    strategy: str
    symbol: str
    side: OrderSide
    quantity: Number
    type: str
    role: str
    decision_time: datetime
    sequence: int = 0
    limit_price: Number | None = None
    stop_price: Number | None = None
    bracket_stop: Number | None = None
    bracket_target: Number | None = None
    parent_id: str = ""
    reason: str = ""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.quantity) and self.quantity > 0):
            raise ValueError(f"quantity is {self.quantity}, an order needs one above 0")
        if self.side not in ("buy", "sell"):
            raise ValueError(f"side is {self.side!r}, it is buy or sell")


@dataclass(frozen=True, slots=True)
class JournalOrder:
    """One order as the journal knows it.

    ``filled_notional`` is in USD before fees, ``estimated`` if part of it is a guess; ``fees`` are USD, as far as the
    venue told them.
    """

    client_order_id: str
    parent_id: str
    venue_id: str
    strategy: str
    symbol: str
    side: str
    quantity: Decimal
    type: str
    role: str
    limit_price: Decimal | None
    stop_price: Decimal | None
    bracket_stop: Decimal | None
    bracket_target: Decimal | None
    decision_time: datetime
    sequence: int
    reason: str
    state: State
    filled_quantity: Decimal
    filled_notional: Decimal
    estimated: bool
    fees: Decimal
    journaled_at: datetime

    @property
    def remaining(self) -> Decimal:
        """What may still fill; 0 once the order is over."""
        return Decimal(0) if self.state in FINAL else self.quantity - self.filled_quantity

    @property
    def average_price(self) -> Decimal | None:
        """USD per share of what was filled; None before."""
        return self.filled_notional / self.filled_quantity if self.filled_quantity else None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> JournalOrder:
        values = {name: row[name] for name in cls.__slots__}
        values |= {"parent_id": row["parent_id"] or "", "venue_id": row["venue_id"] or ""}
        return cls(**values | {"state": State(row["state"])})


def known(number: float | Decimal | None) -> float | Decimal | None:
    """None for what is not a number, and a zero without its sign: databases disagree about both."""
    return None if number is None or not math.isfinite(number) else unsigned(number)


def plain(value: Any) -> Any:
    """What JSON can hold: times as text, arrays as lists, NaN and infinity as null."""
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, float | Decimal):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Sequence | set | frozenset) and not isinstance(value, str):
        return [plain(item) for item in (sorted(value, key=str) if isinstance(value, set | frozenset) else value)]
    if value is None or isinstance(value, bool | int | str):
        return value
    return value.isoformat() if isinstance(value, date) else str(value)
