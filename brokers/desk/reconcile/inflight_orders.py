"""What is listed of orders, and those that no listing shows: asked for by their names, and given up in the end."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from brokers.desk.reconcile.journal_sync import JournalSync
from brokers.desk.reconcile.order_comparison import Contradiction
from brokers.desk.venue_state import VenueState
from brokers.journal import Journal, JournalOrder
from brokers.order_types import LEVEL_ROLES, VenueReason
from brokers.venue_errors import VenueError, VenueRefusal, level_of
from brokers.venue_values import OrderAck, VenueListing

FIRST_LOOK_BACK = timedelta(days=7)
OVERLAP = timedelta(minutes=2)
QUIET = timedelta(seconds=60)
"""How long an order to buy or sell that the venue doesn't know may still be on its way to it."""
QUIET_EXIT = timedelta(seconds=10)
"""The same of a stop or target: shares wait for the next one, and both of them hold shares, so one is refused."""
DENIALS, DENIED_FOR = 3, timedelta(seconds=30)
"""So often and so long the venue has to say of an order that it took that there is none."""
ASK_ONE_BY_ONE = 5
NOTHING, PAUSES = timedelta(0), (timedelta(seconds=1), timedelta(seconds=2), timedelta(seconds=4))
"""An order is asked for at once, then after these, the last one for ever, in the venue's time."""
ASK_WITHIN_S = 2.0
"""Local seconds that all lookups of one look may take: everything else waits for them."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class InflightOrders:
    """Asks for what the listings leave out, a few orders at a look.

    Parameters
    ----------
    state : VenueState
    journal : Journal
    sync : JournalSync
    """

    state: VenueState
    journal: Journal
    sync: JournalSync
    _asked: dict[str, int] = field(default_factory=dict)
    _due: dict[str, datetime] = field(default_factory=dict)
    _denied: dict[str, list[datetime]] = field(default_factory=dict)
    _quiet: dict[str, datetime] = field(default_factory=dict)
    """Since when an order without an answer may be on its way; no later than it was asked for."""

    def listed(self, last_look: datetime | None) -> tuple[VenueListing, VenueListing]:
        """Orders sent since the last look, and open ones; further back where one that was open is in neither.

        Listings go by the time of sending, so that what was sent long ago and has ended is in none of the short ones.
        """
        state, venue = self.state, self.state.venue
        sent = {order.client_order_id: order.decision_time for order in self.journal.open_orders()}
        # The first look learns from the entries of old positions which exits belong together.
        since = min(last_look, state.now) if last_look else min([state.now - FIRST_LOOK_BACK, *sent.values()])
        recent, opened = venue.orders_since(since - OVERLAP), venue.open_orders()
        there = {order.client_order_id for order in (*recent.orders, *opened.orders)}
        for order in state.view.orders.values():
            # Those sent by hand as well: what filled of one is a fact only as long as it is seen.
            if order.open and order.client_order_id not in sent and order.submitted is not None:
                sent[order.client_order_id] = order.submitted
        # Whatever was sent since then would be listed already.
        gone = [time for name, time in sent.items() if name not in there and time < since - OVERLAP]
        if gone:
            longer = venue.orders_since(min(gone) - OVERLAP)
            recent = VenueListing((*longer.orders, *recent.orders), (*longer.unread, *recent.unread))
        return recent, opened

    def ask(self) -> None:
        """Look up orders that are open here and were not listed, those first that were asked for least.

        Each for itself: one that cannot be looked up keeps its own symbol waiting and no other.
        """
        there = self.state.view.orders
        gone = {o.client_order_id: o for o in self.journal.open_orders() if o.venue_id not in there}
        self._asked = {name: self._asked.get(name, 0) for name in gone}
        self._due = {name: time for name, time in self._due.items() if name in gone}
        self._denied = {name: times for name, times in self._denied.items() if name in gone}
        self._quiet = {name: since for name, since in self._quiet.items() if name in gone}
        now = self.state.now
        # A clock that was put back makes nobody wait longer.
        due = [name for name in gone if not NOTHING < self._due.get(name, now) - now <= PAUSES[-1]]
        with self.state.time_budget(ASK_WITHIN_S):
            for name in sorted(due, key=self._asked.__getitem__)[:ASK_ONE_BY_ONE]:
                self._due[name] = now + PAUSES[min(self._asked[name], len(PAUSES) - 1)]
                self._asked[name] += 1
                if not self._answered(gone[name]):
                    # The next look begins with the others.
                    return

    def have_told(self, venue_ids: Iterable[str]) -> bool:
        """Ask for orders whose cancel was confirmed, and book them; whether the venue has told what each had filled."""
        ended = tuple(venue_ids)
        try:
            with self.state.time_budget(ASK_WITHIN_S):
                for venue_id in ended:
                    if any(order.open for order in self.state.view.known([venue_id])):
                        self._take(self.state.venue.order(venue_id))
        except VenueError as error:
            log.log(level_of(error), "what a cancelled order had filled cannot be asked: %s", error)
        there = self.state.view.known(ended)
        return len(there) == len(ended) and not any(order.open for order in there)

    def _answered(self, order: JournalOrder) -> bool:
        """Look one order up; False if there was no answer."""
        name = order.client_order_id
        try:
            if order.venue_id:
                self._by_venue_id(order)
            else:
                self._by_name(order)
        except VenueRefusal as refusal:
            log.warning("%s: the venue does not tell of it (%s)", name, refusal)
        except VenueError as error:
            log.warning("%s: cannot be looked up: %s", name, error)
            return False
        except ValueError as error:
            self.sync.contradictions[order.venue_id or name] = Contradiction(order.symbol, str(error))
        return True

    def _by_venue_id(self, order: JournalOrder) -> None:
        name, now = order.client_order_id, self.state.now
        try:
            ack = self.state.venue.order(order.venue_id)
        except VenueRefusal as refusal:
            if refusal.reason is not VenueReason.NOT_FOUND:
                raise
            log.warning("%s: the venue does not know it (%s)", name, refusal.message)
            # Of a clock that was put back since, what was said by it counts for nothing.
            denied = self._denied[name] = [time for time in self._denied.get(name, ()) if time <= now]
            denied.append(now)
            if len(denied) >= DENIALS and now - denied[0] >= DENIED_FOR:
                log.error("%s: the venue does not know its own order any more", name)
                self.sync.lose(name, f"gone at the venue: {refusal.message}")
            return
        self._denied.pop(name, None)
        self._take(ack)

    def _by_name(self, order: JournalOrder) -> None:
        name, now = order.client_order_id, self.state.now
        ack = self.state.venue.order_by_client_id(name)
        if ack is not None:
            self.sync.accept(name, ack)
            self._take(ack)
            return
        if name in self.sync.refused:
            self.sync.refuse(name, self.sync.refused[name])
            return
        # One that was journaled by a clock far ahead has its time from when that was put back.
        since = self._quiet[name] = min(self._quiet.get(name, order.journaled_at), now)
        if now - since > (QUIET_EXIT if order.role in LEVEL_ROLES else QUIET):
            log.warning("%s never reached the venue", name)
            self.sync.lose(name, "never reached the venue")

    def _take(self, ack: OrderAck) -> None:
        self.state.show(ack.orders, self.sync.held_back(ack.unread))
        self.sync.take(self.state.view.orders)
