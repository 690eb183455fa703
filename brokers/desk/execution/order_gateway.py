"""The only door to the venue: every order passes the policy gate, then the journal, then the wire."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from brokers.alpaca.errors import NotSent, OutcomeUnknown, VenueRefusal
from brokers.alpaca.listings import read
from brokers.alpaca.payloads import Json
from brokers.desk.reconcile.journal_sync import Contradiction, JournalSync, differs
from brokers.desk.reconcile.position_book import EXIT_ROLES
from brokers.journal import Journal, JournalOrder, OrderIntent, State
from config.schema import Gate
from risk.policy_gate import AccountState, OrderRequest, check

if TYPE_CHECKING:
    from collections.abc import Iterator

DUPLICATE_ID = 40010001
PROTECTIVE = ("stop", "target")

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


class OrderGateway:
    """Places, changes and cancels orders.

    Parameters
    ----------
    venue : Orders
    journal : Journal
    books : JournalSync
    limits : Limits
    standing : callable
        Gives the account's state for the gate, for a symbol and without the order that is to be replaced.
    answered : callable
        Gets what the venue answered to a request, as it came.
    """

    def __init__(
        self,
        venue: Orders,
        journal: Journal,
        books: JournalSync,
        limits: Limits,
        standing: Callable[[str, str], AccountState],
        answered: Callable[[Mapping[str, Any]], None],
    ) -> None:
        self.venue = venue
        self.journal = journal
        self.books = books
        self.limits = limits
        self._standing = standing
        self._answered = answered
        self.leaving = False
        """Whether the process is ending."""
        self._admitted: dict[str, bool] = {}
        """Requests under way, by the order's name or id, and whether each is urgent."""

    def admits(self, method: str, path: str, body: Mapping[str, Any] | None) -> bool:
        """Whether a request that changes orders is one of this counter's; the wire asks before it sends."""
        return _named(method, path, body) in self._admitted

    def urgent(self, method: str, path: str, body: Mapping[str, Any] | None) -> bool:
        """Whether a request of this counter is about leaving or protecting a position, or a cancel."""
        return self._admitted.get(_named(method, path, body), False)

    def submit(self, intent: OrderIntent, payload: Mapping[str, Any], request: OrderRequest) -> JournalOrder:
        """Place an order; returns it as it stands, which may be unknown.

        Raises
        ------
        OrderRefused
            It was not placed, for sure; while the process ends, whatever does not protect.
        AlreadyPlanned
            It was or may have been sent before.
        """
        if self.leaving and intent.role not in PROTECTIVE:
            raise OrderRefused("DESK_LEAVING: the process is ending, nothing is sent but stops and targets")
        self._pass_the_gate(request, "")
        name = self.journal.plan_order(intent)
        # The venue refuses an order to close that would open, so a sale that it takes late cannot make a short.
        purpose = f"{intent.side}_to_{'open' if request.opens else 'close'}"
        sent = {**payload, "position_intent": purpose, "client_order_id": name}
        return self._send(name, lambda: self.venue.submit(sent), urgent=not request.opens)

    def replace(
        self, venue_id: str, intent: OrderIntent, patch: Mapping[str, Any], quote: float = math.nan
    ) -> JournalOrder:
        """Put another order in the place of one that rests; raises like ``submit``.

        ``quote`` is the price it would trade against now, which only an order that opens a position needs.
        """
        opens = intent.role not in EXIT_ROLES
        limit, stop = (None if p is None else float(p) for p in (intent.limit_price, intent.stop_price))
        request = OrderRequest(
            intent.symbol, opens, float(intent.quantity), quote, None, limit, stop, buy=intent.side == "buy"
        )
        self._pass_the_gate(request, self.books.client_id(venue_id) or "")
        name = self.journal.plan_order(intent)
        return self._send(
            name, lambda: self.venue.replace(venue_id, {**patch, "client_order_id": name}), urgent=not opens
        )

    def cancel(self, venue_id: str) -> bool:
        """Ask for a cancel; False if the venue says that there is nothing to cancel any more."""
        with self._admission(venue_id, urgent=True):
            try:
                self.venue.cancel(venue_id)
            except VenueRefusal as refusal:
                log.info("cancel of %s refused: %s", venue_id, refusal.message)
                return False
            except OutcomeUnknown as error:
                # Asking twice for a cancel does no harm; the next look shows what came of it.
                log.warning("cancel of %s without an answer: %s", venue_id, error)
        return True

    def _pass_the_gate(self, request: OrderRequest, replaced: str) -> None:
        limits = self.limits
        standing = self._standing(request.symbol, replaced)
        refusal = check(request, standing, limits.gate, limits.lot, limits.position_frac)
        if refusal is not None:
            raise OrderRefused(str(refusal))

    def _send(self, name: str, request: Callable[[], Json], *, urgent: bool) -> JournalOrder:
        with self._admission(name, urgent):
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
        answered = read(raw)
        if answered is not None and (wrong := differs(self.journal.order(name), answered)):
            log.error("%s: the venue answered with %s; nothing is booked, it will be looked up", name, wrong)
            self.books.alarms.append(Contradiction(self.journal.order(name).symbol, f"{name} was answered as {wrong}"))
            return self.journal.unknown(name, wrong)
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
    def _admission(self, name: str, urgent: bool) -> Iterator[None]:
        self._admitted[name] = urgent
        try:
            yield
        finally:
            self._admitted.pop(name, None)


def _named(method: str, path: str, body: Mapping[str, Any] | None) -> str:
    """What the request calls its order; empty where that is nothing a counter sends."""
    if method in ("POST", "PATCH"):
        return str((body or {}).get("client_order_id") or "")
    return path.rpartition("/")[2] if method == "DELETE" else ""
