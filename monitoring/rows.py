"""What was recorded, as the screens read it: decisions with their verdicts, orders with what became of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from risk.model import Verdict, binding_verdict, bound_by


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """One proposal with its chain; quantities in shares or coins, prices in USD, None where not recorded."""

    id: int
    time: datetime
    symbol: str
    side: str
    role: str
    signal: str
    score: float | None
    price: float | None
    stop: float | None
    target: float | None
    atr: float | None
    proposed: float
    final: float
    outcome: str
    reason: str
    verdicts: tuple[Verdict, ...] = ()

    @property
    def bound_by(self) -> str:
        """The rule that decided the quantity."""
        return bound_by(self.verdicts)

    @property
    def binding(self) -> Verdict | None:
        """Its verdict; None where no rule took anything off."""
        return binding_verdict(self.verdicts)


@dataclass(frozen=True, slots=True)
class EventRow:
    """What was reported of an order."""

    time: datetime
    status: str
    state: str
    reason: str


@dataclass(frozen=True, slots=True)
class FillRow:
    """Shares filled at a price; ``total`` tells that they are the sum so far, on average."""

    time: datetime
    quantity: float
    price: float
    total: bool = False
    order: str = ""
    symbol: str = ""
    side: str = ""
    role: str = ""


@dataclass(frozen=True, slots=True)
class OrderRow:
    """One order; ``time`` is when it was journaled, ``ended`` when it was over; ``fees`` in USD, as the venue told."""

    id: str
    parent: str
    symbol: str
    side: str
    quantity: float
    type: str
    role: str
    limit: float | None
    stop: float | None
    bracket_stop: float | None
    bracket_target: float | None
    decided: datetime
    time: datetime
    reason: str
    state: str
    filled: float
    average: float | None
    estimated: bool = False
    fees: float = 0.0
    ended: datetime | None = None
    events: tuple[EventRow, ...] = field(default=())
    fills: tuple[FillRow, ...] = field(default=())

    @property
    def steps(self) -> list[EventRow]:
        """The events in which something changed, without the journaling and what only repeats the one before."""
        found: list[EventRow] = []
        for event in sorted(self.events, key=lambda e: e.time):
            again = bool(found) and found[-1].status == event.status and event.reason in ("", found[-1].reason)
            if event.status != "journaled" and not again:
                found.append(event)
        return found


@dataclass(frozen=True, slots=True)
class TradeRow:
    """One closed trade; ``profit`` in USD after fees, ``r`` in multiples of the risk taken."""

    symbol: str
    side: str
    quantity: float
    entry_time: datetime
    entry_price: float
    exit_time: datetime
    exit_price: float
    profit: float
    r: float | None
    exit_reason: str
    signal: str


@dataclass(frozen=True, slots=True)
class EquityPoint:
    """The account at one moment, USD."""

    time: datetime
    equity: float
    cash: float
    long_exposure: float
    inverse_exposure: float


@dataclass(frozen=True, slots=True)
class ReadingRow:
    """``strategies.readings.Reading`` of one iteration, as it was kept."""

    time: datetime
    symbol: str
    close: float | None
    atr: float | None
    status: str
    text: str
    allowed: float | None = None
    bound_by: str = ""
    code: str = ""
