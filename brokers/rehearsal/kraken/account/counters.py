"""Kraken's two counters: of REST calls for each key, and of the matching engine for each pair.

Source: docs.kraken.com, guides "Spot REST rate limits" and "Spot trading rate limits".
"""

from __future__ import annotations

from datetime import datetime

from brokers.rehearsal.kraken.errors import ORDERS_LIMIT, TOO_MANY_CALLS, TOO_MANY_ORDERS, KrakenError
from brokers.rehearsal.kraken.reference.listings import Limits

DEAR_CALLS = frozenset({"Ledgers", "QueryLedgers", "TradesHistory"})
UNCOUNTED_CALLS = frozenset({"AddOrder", "AddOrderBatch", "AmendOrder", "EditOrder", "CancelOrder", "CancelOrderBatch"})
ADD = 1.0
AMEND, EDIT, CANCEL = "amend", "edit", "cancel"
FIXED = {AMEND: 1.0, EDIT: 1.0, CANCEL: 0.0}
AGES_S = (5, 10, 15, 45, 90, 300)
"""Ages of an order in seconds below which what is done to it costs what :data:`BY_AGE` says."""
BY_AGE = {AMEND: (3, 2, 1, 0, 0, 0), EDIT: (6, 5, 4, 2, 1, 0), CANCEL: (8, 6, 5, 4, 2, 1)}


class Counter:
    """A number that rises with what is asked and falls with time.

    Attributes
    ----------
    peak : float
        The highest it has been.
    refused : int
        How often there was no room.
    """

    def __init__(self, limit: float, decay: float) -> None:
        self._limit, self._decay = limit, decay
        self._level = 0.0
        self._at: datetime | None = None
        self.peak, self.refused = 0.0, 0

    def level(self, now: datetime) -> float:
        """What it is at a moment."""
        if self._at is not None:
            self._level = max(self._level - (now - self._at).total_seconds() * self._decay, 0.0)
        self._at = now
        return self._level

    def fits(self, cost: float, now: datetime) -> bool:
        """Add to it; False where there is no room, so that nothing was added."""
        if self.level(now) + cost > self._limit:
            self.refused += 1
            return False
        self._level += cost
        self.peak = max(self.peak, self._level)
        return True


class Counters:
    """All counters of an account.

    Parameters
    ----------
    limits : Limits, optional
        None counts and refuses nothing.
    """

    def __init__(self, limits: Limits | None) -> None:
        self._limits = limits
        self.rest: dict[str, Counter] = {}
        self.engine: dict[str, Counter] = {}

    def call(self, key: str, method: str, now: datetime) -> None:
        """Count a private REST call; KrakenError where it is one too many."""
        if method in UNCOUNTED_CALLS:
            return
        counter = self.rest.setdefault(key, self._new(rest=True))
        if not counter.fits(2 if method in DEAR_CALLS else 1, now):
            raise KrakenError(TOO_MANY_CALLS)

    def order(self, pair: str, cost: float, now: datetime) -> None:
        """Count what an order costs the engine; KrakenError where it is too much."""
        if not self.engine.setdefault(pair, self._new(rest=False)).fits(cost, now):
            raise KrakenError(TOO_MANY_ORDERS)

    def room(self, open_orders: int) -> None:
        """KrakenError where so many orders of a pair are open that no other may be."""
        if self._limits is not None and open_orders >= self._limits.open_orders:
            raise KrakenError(ORDERS_LIMIT)

    def _new(self, rest: bool) -> Counter:
        if self._limits is None:
            return Counter(float("inf"), 1.0)
        if rest:
            return Counter(self._limits.rest, self._limits.rest_decay)
        return Counter(self._limits.engine, self._limits.engine_decay)


def cost(action: str, since: datetime, now: datetime) -> float:
    """What it costs to amend, edit or cancel an order that was created, or last amended, at ``since``."""
    age = (now - since).total_seconds()
    by_age = next((n for limit, n in zip(AGES_S, BY_AGE[action], strict=True) if age < limit), 0)
    return FIXED[action] + by_age
