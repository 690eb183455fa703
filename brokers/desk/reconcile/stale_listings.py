"""What is known of orders against listings that are of a moment before: a listing may come seconds late."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal

from brokers.desk.reconcile.journal_sync import JournalSync
from brokers.desk.venue_state import VenueState
from brokers.journal.states import FINAL
from brokers.network.clock import elapsed
from brokers.order_types import State
from brokers.venue_errors import VenueError, VenueRefusal, level_of
from brokers.venue_values import VenueOrder

LISTED_WITHIN = timedelta(seconds=2)
"""How long after an order was made or filled a listing may be of before it."""
STALE = timedelta(seconds=10)
"""How long a listing may contradict what is known of an order before it is asked for by itself."""
ASK_ONE_BY_ONE = 5
ASK_WITHIN_S = 2.0
"""Local seconds that all lookups of one look may take."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class StaleListings:
    """Keeps what streams, answers and earlier looks told of an order where a listing's row is older than that.

    Parameters
    ----------
    state : VenueState
    sync : JournalSync
    """

    state: VenueState
    sync: JournalSync
    _since: dict[str, datetime] = field(default_factory=dict)
    """By the venue's id, since when a listing has shown less of an order than is known."""
    _told: dict[str, VenueOrder] = field(default_factory=dict)
    """What the venue said of such an order when it was asked for by itself: as listed so, it is right."""

    def brought_up(self, rows: Iterable[VenueOrder]) -> list[VenueOrder]:
        """The rows of listings, those that are older than what is known of their orders as they are known.

        An order may be listed several times; a row that is as new as what is known settles it.
        """
        rows, known = list(rows), self.state.view.orders
        ended = self._ended_by_journal(rows, known)
        stale: set[str] = set()
        found = []
        for row in rows:
            there = ended.get(row.id) or known.get(row.id)
            if there is not None and self._is_older(row, there):
                stale.add(row.id)
                found.append(_as_listed(there, row))
            else:
                found.append(row)
        now = self.state.now
        listed = {row.id for row in rows}
        # What was sent a moment ago may be told by its answer or the stream, and listed later.
        young = (o for name, o in known.items() if o.open and name not in listed and self._is_young(o, now))
        found += young
        # A clock that was put back makes nobody wait longer.
        self._since = {name: min(self._since.get(name, now), now) for name in stale}
        self._told = {name: order for name, order in self._told.items() if name in listed}
        return found

    @staticmethod
    def _is_young(order: VenueOrder, now: datetime) -> bool:
        return order.created is not None and abs(now - order.created) < LISTED_WITHIN

    def ask(self) -> None:
        """Ask for orders that listings have shown otherwise for long; the answer counts, whatever was known."""
        now = self.state.now
        due = [name for name, since in self._since.items() if elapsed(now, since, STALE)]
        if not due:
            return
        with self.state.time_budget(ASK_WITHIN_S):
            for name in due[:ASK_ONE_BY_ONE]:
                self._since[name] = now
                try:
                    self._believe(name)
                except VenueRefusal as refusal:
                    log.warning("%s: the venue does not tell of it (%s)", name, refusal)
                except VenueError as error:
                    log.log(level_of(error), "%s: listed otherwise than it was told, not to be asked: %s", name, error)
                    return

    def _believe(self, name: str) -> None:
        ack = self.state.venue.order(name)
        told = next((order for order in ack.orders if order.id == name), None)
        if told is None:
            return
        self._told[name] = told
        view = self.state.view
        view.orders = {venue_id: order for venue_id, order in view.orders.items() if venue_id != name}
        self.state.show(ack.orders, self.sync.held_back(ack.unread))
        self.sync.take(self.state.view.orders)

    def _is_older(self, row: VenueOrder, known: VenueOrder) -> bool:
        """Whether more is known of an order than a row tells: its end, more of its fills, or a later change."""
        told = self._told.get(row.id)
        if told is not None and _figures(told) == _figures(row) == _figures(known):
            return False
        if row.filled >= known.filled and (row.filled > known.filled or (known.open and not row.open)):
            # It tells more than is known, whatever the times say: of an open order that may be when it was read.
            return False
        if not known.open and row.open:
            # No order comes back from its end.
            return True
        if row.updated is None or known.updated is None or row.updated == known.updated:
            return known.filled > row.filled
        return known.updated > row.updated

    def _ended_by_journal(self, rows: Iterable[VenueOrder], known: Mapping[str, VenueOrder]) -> dict[str, VenueOrder]:
        """Orders of ours that are listed as open, and whose end was booked before a look that did not show them."""
        listed = [(row, name) for row in rows if row.open and row.id not in known and (name := self._ours(row))]
        if not listed:
            return {}
        still = {order.client_order_id for order in self.sync.journal.open_orders()}
        found = {}
        for row, name in listed:
            if name in still:
                continue
            booked = self.sync.journal.order(name)
            if booked.state in FINAL and booked.state not in (State.LOST, State.REJECTED):
                found[row.id] = replace(
                    row,
                    status=str(booked.state),
                    state=booked.state,
                    filled=booked.filled_quantity,
                    average_price=booked.average_price or Decimal(0),
                    cancel_pending=False,
                )
        return found

    def _ours(self, row: VenueOrder) -> str:
        return self.sync.client_id(row.id) or ""


def _figures(order: VenueOrder) -> tuple[State, Decimal]:
    return order.state, order.filled


def _as_listed(known: VenueOrder, row: VenueOrder) -> VenueOrder:
    """What is known of an order, with what only a listing tells: which others it belongs to."""
    return replace(
        known,
        listed_under=row.listed_under or known.listed_under,
        opens_group=row.opens_group or known.opens_group,
        grouped=row.grouped or known.grouped,
        replaces=row.replaces or known.replaces,
        made_by=row.made_by or known.made_by,
    )
