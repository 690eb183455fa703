"""Looks at the venue and books what it shows: listings, lookups of what they leave out, and trade updates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from brokers.desk.reconcile.inflight_orders import InflightOrders
from brokers.desk.reconcile.journal_sync import JournalSync
from brokers.desk.reconcile.own_positions import OwnPositions
from brokers.desk.reconcile.stale_listings import StaleListings
from brokers.desk.venue_snapshot import VenueSnapshot, grouped, in_words, not_believed
from brokers.desk.venue_state import VenueState
from brokers.venue_values import TradeUpdate, VenueOrder, VenuePosition, VenuePositions
from config.errors import Refusal
from config.values.symbols import in_other_money


class VenueObserver:
    """Takes the venue's word into the state and the journal.

    Parameters
    ----------
    state : VenueState
    sync : JournalSync
    inflight : InflightOrders
    positions : OwnPositions
    """

    def __init__(self, state: VenueState, sync: JournalSync, inflight: InflightOrders, positions: OwnPositions) -> None:
        self._state = state
        self._sync = sync
        self._inflight = inflight
        self._positions = positions
        self._stale = StaleListings(state, sync)
        self._looked: datetime | None = None

    def look(self, account: bool = True, clock: bool = True) -> None:
        """Ask the venue how things stand, and book it; without ``account`` equity and cash stay as they were.

        Without ``clock`` the venue's clock is read where it is due, and need not answer.

        They also do where the venue tells none that can be read: orders and positions go on without them.

        Raises
        ------
        VenueError
            It could not be asked.
        Refusal
            The journal cannot be used. The view shows the venue all the same, so that an alarm can tell of it.
        """
        state, venue = self._state, self._state.venue
        state.read_clock(required=clock)
        began = state.now
        try:
            names = [order.client_order_id for order in self._inflight.journal.open_orders()]
            venue.expect(names, held=self._positions.book.ours)
            # Orders before positions: a fill in between shows as a position whose order is seen a moment later.
            sent, opened = self._inflight.listed(self._looked)
        except Refusal:
            self._show_unbooked(began, venue.open_orders().orders, venue.positions())
            raise
        held = venue.positions()
        before = state.view
        # By the balances that the positions were just read from.
        dust = venue.dust().by_symbol if account else _without(before.dust, held)
        figures, figures_time, unreadable = before.account, before.account_time, before.account_unreadable
        if account or not before.account.id:
            figures, figures_time, unreadable = state.ask_account()
        # The entry by which exits are recognised may have been sent too long ago to be listed again.
        listed = self._stale.brought_up([*sent.orders, *opened.orders])
        orders = grouped(listed, before.orders.values())
        self._sync.contradictions.clear()
        unread = [row for row in (*sent.unread, *opened.unread) if row.id not in orders]
        try:
            manual = self._sync.take(orders)
            # What the venue shows as something else than what was sent is no order to count, cancel or replace.
            unread += not_believed(listed, self._sync.disbelieved)
            held_back = self._sync.held_back(unread)
        except Refusal:
            self._show_unbooked(began, listed, held)
            raise
        state.view = VenueSnapshot(
            time=began,
            account=figures,
            positions=held.by_symbol,
            orders=state.believed(orders),
            # What a hand trades against other money moves the coins of the pair against USD, at a price in that money.
            manual=[order for order in manual if not in_other_money(order.symbol)],
            listing=opened.native,
            complete=held.complete,
            unread={row.symbol: in_words(row) for row in unread if row.symbol},
            held_back=held_back,
            account_time=figures_time,
            account_unreadable=unreadable,
            dust=dust,
        )
        self._looked = began
        self._inflight.ask()
        self._stale.ask()
        self._positions.refresh()

    def have_told(self, venue_ids: Iterable[str]) -> bool:
        """Whether the venue has told, asked one by one and without a look, what cancelled orders had filled."""
        told = self._inflight.have_told(venue_ids)
        self._positions.refresh()
        return told

    def _show_unbooked(self, began: datetime, listed: Iterable[VenueOrder], held: VenuePositions) -> None:
        """Put what the venue shows into the view without booking it; nothing is sent by it before a look has."""
        before = self._state.view
        self._state.view = replace(
            before,
            time=began,
            positions=held.by_symbol,
            orders=self._state.believed(grouped(listed, before.orders.values())),
            complete=held.complete,
            dust=_without(before.dust, held),
            ended={},
        )
        self._positions.separate_dust()

    def hear(self, update: TradeUpdate) -> bool:
        """Take in a trade update; False if it is of an order that is not ours."""
        if not self._sync.take_update(update):
            return False
        self._state.show(update.orders)
        self._positions.refresh()
        self._positions.seen_anew(update.symbol)
        return True


def _without(dust: Mapping[str, VenuePosition], held: VenuePositions) -> dict[str, VenuePosition]:
    """Dust of an earlier look without that of positions, which is taken out of them anew."""
    return {symbol: there for symbol, there in dust.items() if symbol not in held.by_symbol}
