"""The only door to the venue: every order passes the policy gate, then the journal, then the wire."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from brokers.journal import Journal, JournalOrder, OrderIntent, State
from brokers.live.bookkeeper import Bookkeeper
from brokers.live.payloads import Json
from brokers.venue.errors import NotSent, OutcomeUnknown, VenueRefusal
from config.schema import Gate
from risk.policy_gate import AccountState, OrderRequest, check

if TYPE_CHECKING:
    from collections.abc import Iterator

DUPLICATE_ID = 40010001

log = logging.getLogger(__name__)


class OrderRefused(Exception):
    """An order was not placed: the gate or the venue said no, or it could not be sent; ``code`` says why."""

    def __init__(self, code: str, venue: VenueRefusal | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.venue = venue


class Orders(Protocol):
    """What the counter needs of a venue's client."""

    def submit(self, payload: Mapping[str, Any]) -> Json: ...
    def replace(self, venue_id: str, patch: Mapping[str, Any]) -> Json: ...
    def cancel(self, venue_id: str) -> None: ...
    def order_by_client_id(self, client_order_id: str) -> Json | None: ...


@dataclass(slots=True)
class Limits:
    """What the gate measures orders with."""

    gate: Gate
    lot: float
    position_frac: float


class Counter:
    """Places, changes and cancels orders.

    Parameters
    ----------
    venue : Orders
    journal : Journal
    books : Bookkeeper
    limits : Limits
    standing : callable
        Gives the account's state for the gate, for a symbol.
    answered : callable
        Gets what the venue answered to a request, as it came.
    """

    def __init__(
        self,
        venue: Orders,
        journal: Journal,
        books: Bookkeeper,
        limits: Limits,
        standing: Callable[[str], AccountState],
        answered: Callable[[Mapping[str, Any]], None],
    ) -> None:
        self.venue = venue
        self.journal = journal
        self.books = books
        self.limits = limits
        self._standing = standing
        self._answered = answered
        self._admitted: set[str] = set()

    def admits(self, method: str, path: str, body: Mapping[str, Any] | None) -> bool:
        """Whether a request that changes orders is one of this counter's; the wire asks before it sends."""
        if method in ("POST", "PATCH"):
            return str((body or {}).get("client_order_id")) in self._admitted
        return method == "DELETE" and path.rpartition("/")[2] in self._admitted

    def submit(self, intent: OrderIntent, payload: Mapping[str, Any], request: OrderRequest) -> JournalOrder:
        """Place an order; returns it as it stands, which may be unknown.

        Raises
        ------
        OrderRefused
            It was not placed, for sure.
        AlreadyPlanned
            It was or may have been sent before.
        """
        limits = self.limits
        code = check(request, self._standing(intent.symbol), limits.gate, limits.lot, limits.position_frac)
        if code is not None:
            log.warning("refused by the gate: %s %s %s: %s", intent.side, intent.quantity, intent.symbol, code)
            raise OrderRefused(code)
        name = self.journal.plan_order(intent)
        return self._send(name, lambda: self.venue.submit({**payload, "client_order_id": name}))

    def replace(self, venue_id: str, intent: OrderIntent, patch: Mapping[str, Any]) -> JournalOrder:
        """Put another order in the place of one that rests; raises like ``submit``."""
        name = self.journal.plan_order(intent)
        return self._send(name, lambda: self.venue.replace(venue_id, {**patch, "client_order_id": name}))

    def cancel(self, venue_id: str) -> bool:
        """Ask for a cancel; False if the venue says that there is nothing to cancel any more."""
        with self._admission(venue_id):
            try:
                self.venue.cancel(venue_id)
            except VenueRefusal as refusal:
                log.info("cancel of %s refused: %s", venue_id, refusal.message)
                return False
            except OutcomeUnknown as error:
                # Asking twice for a cancel does no harm; the next look shows what came of it.
                log.warning("cancel of %s without an answer: %s", venue_id, error)
        return True

    def _send(self, name: str, request: Callable[[], Json]) -> JournalOrder:
        with self._admission(name):
            try:
                raw = request()
            except VenueRefusal as refusal:
                if refusal.code == DUPLICATE_ID:
                    return self._there_already(name)
                self.journal.event(name, State.REJECTED, reason=f"{refusal.status} {refusal.message}")
                raise OrderRefused(f"VENUE_REFUSED: {refusal.message}", refusal) from refusal
            except NotSent as error:
                self.journal.event(name, State.REJECTED, reason=f"not sent: {error}")
                raise OrderRefused(f"NOT_SENT: {error}") from error
            except OutcomeUnknown as error:
                log.warning("%s: outcome unknown (%s); it will be looked up by its id", name, error)
                return self.journal.unknown(name, str(error))
        return self.accepted(name, raw)

    def accepted(self, name: str, raw: Mapping[str, Any]) -> JournalOrder:
        """Book the venue's answer to a request for ``name``."""
        if raw.get("client_order_id") not in (None, "", name):
            # A venue that names replacements itself: ours was taken under that name, and is booked under it.
            self.journal.event(name, State.REJECTED, reason=f"the venue calls it {raw['client_order_id']}")
            order = self.books.take_raw(raw)
            self._answered(raw)
            return order or self.journal.order(name)
        self.journal.sent(name, str(raw["id"]))
        self.books.learn(str(raw["id"]), name)
        self.books.take_raw(raw)
        self._answered(raw)
        return self.journal.order(name)

    def _there_already(self, name: str) -> JournalOrder:
        """The venue knows the id: an earlier request of ours got through."""
        self.journal.unknown(name, "the venue knows this id already")
        raw = self.venue.order_by_client_id(name)
        return self.journal.order(name) if raw is None else self.accepted(name, raw)

    @contextmanager
    def _admission(self, name: str) -> Iterator[None]:
        self._admitted.add(name)
        try:
            yield
        finally:
            self._admitted.discard(name)
