"""Orders that should be at the venue and were in no listing: asked for by their names, and given up in the end."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from brokers.journal import JournalOrder
from brokers.live.bookkeeper import OPENING_ROLES
from brokers.venue.errors import VenueRefusal

if TYPE_CHECKING:
    from brokers.live.floor import Floor

QUIET = timedelta(seconds=60)
"""How long an order that opens and that the venue doesn't know may still be on its way to it."""
QUIET_EXIT = timedelta(seconds=10)
"""The same of an exit: shares wait for the next one, and the venue never lets the same shares be sold twice."""
DENIALS, DENIED_FOR = 3, timedelta(seconds=30)
"""So often and so long the venue has to say of an order that it took that there is none."""
ASK_ONE_BY_ONE = 5
NOT_FOUND = 404

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Missing:
    """Asks for what the listings leave out, a few orders at a look.

    Parameters
    ----------
    floor : Floor
    """

    floor: Floor
    _asked: dict[str, int] = field(default_factory=dict)
    _denied: dict[str, list[datetime]] = field(default_factory=dict)

    def ask(self) -> None:
        """Look up orders that are open here and were not listed, those first that were asked for least."""
        there = self.floor.view.orders
        gone = {o.client_order_id: o for o in self.floor.journal.open_orders() if o.venue_id not in there}
        self._asked = {name: self._asked.get(name, 0) for name in gone}
        self._denied = {name: times for name, times in self._denied.items() if name in gone}
        for name in sorted(gone, key=self._asked.__getitem__)[:ASK_ONE_BY_ONE]:
            self._asked[name] += 1
            if gone[name].venue_id:
                self._by_venue_id(gone[name])
            else:
                self._by_name(gone[name])

    def _by_venue_id(self, order: JournalOrder) -> None:
        name, now = order.client_order_id, self.floor.now
        try:
            raw = self.floor.venue.order(order.venue_id)
        except VenueRefusal as refusal:
            log.warning("%s: the venue does not tell of it (%s %s)", name, refusal.status, refusal.message)
            if refusal.status != NOT_FOUND:
                return
            denied = self._denied.setdefault(name, [])
            denied.append(now)
            if len(denied) >= DENIALS and now - denied[0] >= DENIED_FOR:
                log.error("%s: the venue does not know its own order any more", name)
                self.floor.books.lose(name, f"gone at the venue: {refusal.message}")
            return
        self._denied.pop(name, None)
        self.floor.add(raw)

    def _by_name(self, order: JournalOrder) -> None:
        name = order.client_order_id
        raw = self.floor.venue.order_by_client_id(name)
        if raw is not None:
            self.floor.counter.accepted(name, raw)
            self.floor.add(raw)
        elif self.floor.now - order.journaled_at > (QUIET if order.role in OPENING_ROLES else QUIET_EXIT):
            log.warning("%s never reached the venue", name)
            self.floor.books.lose(name, "never reached the venue")
