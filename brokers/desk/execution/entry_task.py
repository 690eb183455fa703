"""One accepted proposal on its way into the market, and when the venue's hours let it go there."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from brokers.desk.execution.backoff import elapsed
from brokers.journal import JournalOrder
from risk.model import BracketTerms, Proposal


@dataclass(frozen=True, slots=True)
class EntryWindow:
    """What the venue's hours say of entries now: why they forbid them, and whether these are extended hours."""

    closed: str = ""
    extended: bool = False


class Stage(StrEnum):
    """What is done with the order under way."""

    WORKING = "it may wait for its fill"
    CANCELLING = "it is being cancelled"
    AWAITING_STOP = "it has ended, and the rest waits for the part that filled to be behind its stop"
    AWAITING_TIME = "it has ended, and the rest waits for its time"


@dataclass(slots=True)
class EntryTask:
    """One accepted proposal on its way into the market; quantities in shares.

    Parameters
    ----------
    proposal : Proposal
    time : datetime
        Of the decision.
    wanted, filled : float
    quote : float
        What slippage is measured against, NaN where there was none.
    stage : Stage
    order, counted : str
        Client order id of the order under way, and of the one whose fill is in ``filled`` last.
    began, sent, cancel_asked : datetime, optional
        When the first order was sent, when the one under way was, and when its cancel was asked for last.
    attempts : int
        Orders that were sent.
    extended : bool
        Whether the order under way was sent in extended hours.
    over : str
        Why nothing more is to be bought.
    unprotected_since : datetime, optional
        Since when the rest waits for the stop of its part.
    paused, pause : datetime and timedelta, optional
        Since when and how long the rest waits for its time.
    put_off : str
        Why the rest could not be sent yet, told once.
    """

    proposal: Proposal
    time: datetime
    wanted: float
    quote: float = math.nan
    stage: Stage = Stage.WORKING
    order: str = ""
    counted: str = ""
    began: datetime | None = None
    sent: datetime | None = None
    attempts: int = 0
    filled: float = 0.0
    cancel_asked: datetime | None = None
    extended: bool = False
    over: str = ""
    unprotected_since: datetime | None = None
    paused: datetime | None = None
    pause: timedelta = timedelta(0)
    put_off: str = ""

    def wait(self, now: datetime, pause: timedelta) -> None:
        """Send nothing for so long."""
        self.stage, self.paused, self.pause = Stage.AWAITING_TIME, now, pause

    def pauses(self, now: datetime) -> bool:
        """Whether the rest still waits for its time."""
        return (
            self.stage is Stage.AWAITING_TIME and self.paused is not None and not elapsed(now, self.paused, self.pause)
        )

    def pause_left_s(self, now: datetime) -> float:
        """Seconds until that time; endless where the rest does not wait for it."""
        if self.stage is not Stage.AWAITING_TIME or self.paused is None:
            return math.inf
        return (self.paused + self.pause - now).total_seconds()


def proposal_of(order: JournalOrder, rest: float, price: float) -> Proposal:
    """An entry without a proposal, from before a restart or sent by a subclass, as far as rules have to count it.

    ``price`` is what a share of it may cost, USD; where that is not known it counts as a position alone.
    """
    blank = Proposal(
        symbol=order.symbol,
        side="buy" if order.side == "buy" else "sell_short",
        signal="",
        score=math.nan,
        price=price if math.isfinite(price) else 0.0,
        atr=math.nan,
        stop=float(order.bracket_stop or math.nan),
        target=float(order.bracket_target or math.nan),
        terms=BracketTerms("buy"),
        quantity=rest,
        reason=order.reason,
    )
    return replace(blank, role="hedge") if order.role == "hedge" else blank


def together(wishes: Sequence[Proposal]) -> Proposal:
    """Several orders of a symbol as the one that rules count: so many shares, worth and at risk as much as all."""
    first = wishes[0]
    if len(wishes) == 1:
        return first
    total = sum(wish.quantity for wish in wishes)
    price, stop, target = (
        sum(wish.quantity * level for wish, level in zip(wishes, levels, strict=True)) / total
        for levels in zip(*((wish.price, wish.stop, wish.target) for wish in wishes), strict=True)
    )
    room = sum(wish.approved_usd for wish in wishes)
    return replace(first, quantity=total, price=price, stop=stop, target=target, room_usd=room)
