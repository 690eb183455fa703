"""A position on its way out: where its close stands, and what it waits for in words."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from brokers.desk.execution.backoff import Backoff
from brokers.desk.reconcile.own_positions import OwnPositions
from brokers.quantities import whole_lots

REFUSALS = 3
"""So often in a row a close is refused before its stop goes back."""
FIRST_REST_S, LONGEST_REST_S, LONGEST_UNPROTECTED_S = 15, 300, 60
"""Behind its stop; doubled from one fruitless round to the next, and no longer than the last one without a stop."""


class Stage(StrEnum):
    """Where a close stands between two orders, in the words in which it is told."""

    RELEASING = "its exits are cancelled for its sale"
    SELLING = "its shares are free for its sale"
    WAITING = "it is sold after others, and keeps its exits until then"
    BEHIND_STOP = "it cannot be sold now, and waits behind its stop"


@dataclass(slots=True)
class CloseTask:
    """A position, or a part of it, on its way out.

    Parameters
    ----------
    symbol, role, reason : str
    keep : Decimal
        Shares that stay.
    time : datetime
        Of the decision.
    stage : Stage
    releasing_since : datetime, optional
    order : str
        Client order id of the order under way, empty between two.
    sale : str
        That order in words.
    sent, cancel_asked, ended : datetime, optional
        When that was sent, when its cancel was asked for last, and when the order before it ended.
    orders : int
        Sent since one sold something.
    refused : Backoff
        Orders that were refused in a row.
    fruitless : Backoff
        Rounds of orders that sold nothing, in a row.
    over : bool
        Whether it was called off, so that an order of it which waits is cancelled.
    exposed : int
        Steps in a row for which it has had neither exits nor a sale at the venue.
    asked, tradable, blocked : datetime, bool and str
        When the venue said last whether it takes the sale, what, and why the account took no order then.
    awaits_opening : bool
        Whether it waits for the next session, behind its stop.
    """

    symbol: str
    keep: Decimal
    role: str
    reason: str
    time: datetime
    stage: Stage = Stage.RELEASING
    releasing_since: datetime | None = None
    order: str = ""
    sale: str = ""
    sent: datetime | None = None
    cancel_asked: datetime | None = None
    ended: datetime | None = None
    orders: int = 0
    refused: Backoff = field(default_factory=lambda: Backoff(1, 2**REFUSALS))
    fruitless: Backoff = field(default_factory=lambda: Backoff(FIRST_REST_S, LONGEST_REST_S))
    over: bool = False
    exposed: int = 0
    asked: datetime | None = None
    tradable: bool = True
    blocked: str = ""
    awaits_opening: bool = False


def is_exposed(task: CloseTask) -> bool:
    """Whether a close has cancelled what was at the venue for its position, and nothing else is there yet."""
    if task.order:
        return task.cancel_asked is not None
    return task.stage is Stage.SELLING or task.releasing_since is not None


def in_words(task: CloseTask, positions: OwnPositions, lot: float) -> str:
    """What a close waits for."""
    if task.order:
        return f"{task.sale} {'waits at the broker' if task.cancel_asked is None else 'is being cancelled'}"
    if not task.awaits_opening and task.stage is not Stage.BEHIND_STOP:
        return task.stage.value
    # A stop that the market has passed is refused when it is to go back.
    protected = positions.last_protection(task.symbol).protected
    whole = whole_lots(abs(positions.book.quantity(task.symbol)), lot)
    lacks = "a part of it has no stop" if protected else "it has no stop"
    if task.awaits_opening:
        until = "behind its stop until then" if protected >= whole else f"and {lacks} now"
        return f"it is sold from the next opening on, {until}"
    return task.stage.value if protected >= whole else f"it cannot be sold now, and {lacks}"
