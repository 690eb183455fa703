"""The venue's present state: what the last look showed, quotes, and its time."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from brokers.desk.account_figures import AccountFigures
from brokers.desk.data.quotes import Quote, unavailable
from brokers.desk.venue_snapshot import VenueSnapshot, grouped
from brokers.ports import Venue
from brokers.reporting.repeated_reasons import RepeatedReasons
from brokers.venue_errors import AccountUnreadable, VenueError
from brokers.venue_values import VenueAccount, VenueOrder, VenueTime

QUOTE_S = 2.0
"""Local seconds that one quote is worth to what can be done without it."""

log = logging.getLogger(__name__)


class VenueState:
    """What is known of the venue now.

    Parameters
    ----------
    venue : Venue
    quotes : callable
        Present quotes of some symbols, one request.
    disbelieved : set of str
        The venue's ids of orders that are shown as something else than what was sent: none to count or cancel.

    Attributes
    ----------
    view : VenueSnapshot
        What the last look showed, brought up to date by trade updates and answers to orders.
    """

    def __init__(
        self,
        venue: Venue,
        quotes: Callable[[Iterable[str]], Mapping[str, Quote]],
        disbelieved: Collection[str] = (),
    ) -> None:
        self.venue = venue
        self.clock = venue.clock
        self.rules = venue.rules
        self.quotes = quotes
        self.time_budget: Callable[[float], AbstractContextManager[None]] = venue.budget
        self.room: Callable[[int], bool] = venue.room
        self.drop_waiting: Callable[[], None] = venue.drop_waiting
        self._disbelieved = disbelieved
        self.view = VenueSnapshot(self.now, VenueAccount(), {}, {})
        self._hours: VenueTime | None = None
        self._reasons = RepeatedReasons()
        self.figures = AccountFigures(self.clock.local)

    @property
    def now(self) -> datetime:
        return self.clock.now()

    @property
    def equity(self) -> float:
        """USD."""
        return float(self.view.account.equity)

    @property
    def in_session(self) -> bool:
        """Whether the regular session is on, by the venue's clock: only then are stops triggered."""
        return self.rules.always_open or (self._hours is not None and self._hours.open_at(self.now))

    def closes_within(self, span: timedelta) -> bool:
        """Whether the regular session is not on, or ends within a span; never at a market that does not close."""
        if self.rules.always_open:
            return False
        return not self.in_session or self._hours is None or not self._hours.open_at(self.now + span)

    def read_clock(self, required: bool) -> None:
        """Read the venue's clock; where it is not ``required``, once it is due, and what protects goes on without it.

        Raises
        ------
        VenueError
            It is required and cannot be read.
        """
        if required or self._hours is None:
            self._hours = self.venue.venue_clock()
        elif self.clock.due:
            try:
                with self.time_budget(QUOTE_S):
                    self._hours = self.venue.venue_clock()
                self._reasons.over()
            except VenueError as error:
                log.log(self._reasons.level(error), "the venue's clock was not heard: %s", error)

    def see_account(self) -> None:
        """Ask for the account alone, and show it.

        Raises
        ------
        VenueError
            It could not be asked.
        """
        view = self.view
        view.account, view.account_time, view.account_unreadable = self.ask_account()

    def ask_account(self) -> tuple[VenueAccount, datetime | None, str]:
        """The account, when its figures were asked for, and why those of now cannot be read, in words.

        Equity and cash stay as they were where the venue tells none that can be read, or one reading that is far from
        them; whether it takes orders does not.

        Raises
        ------
        VenueError
            It could not be asked, or nothing was ever known of it and nothing is told now.
        """
        before, seen = self.view.account, self.now
        try:
            known = None if self.view.account_time is None else before.equity
            return self.figures.believed(self.venue.account(), known), seen, ""
        except AccountUnreadable as error:
            told = error.account
            if not before.id:
                if told is None:
                    raise
                # Orders and positions need no figures; until the first are read nothing is decided.
                return told, self.view.account_time, str(error)
            stays = before if told is None else replace(before, blocked=told.blocked)
            return stays, self.view.account_time, str(error)

    def show(self, orders: Iterable[VenueOrder], held_back: Mapping[str, str] | None = None) -> None:
        """Bring orders of the view up to date, before the venue's next listing does."""
        known = self.view.orders
        # A stream tells of an entry without the exits that wait for it.
        news = [replace(o, opens_group=True) if _opened(known.get(o.id)) else o for o in orders]
        self.view.note_ends(news)
        self.view.orders = self.believed(grouped([*known.values(), *news], known.values()))
        self.view.held_back |= held_back or {}

    def cancel_confirmed(self, venue_id: str) -> None:
        """The venue's answer to a cancel said that the order has ended; of an exit that counts before the next look."""
        if (order := self._working_exit(venue_id)) is not None:
            self.view.confirm_cancel(order, self.now)

    def cancel_unanswered(self, venue_id: str) -> None:
        """The answer to a cancel was lost; of an exit that counts where no look tells what came of it."""
        if (order := self._working_exit(venue_id)) is not None:
            self.view.note_unanswered(order, self.now)

    def _working_exit(self, venue_id: str) -> VenueOrder | None:
        order = self.view.orders.get(venue_id)
        if order is None or not order.open or (order.cancel_pending and not self.view.in_doubt(order)):
            return None
        held = self.view.held(order.symbol)
        return order if held and (order.side == "sell") == (held > 0) else None

    def believed(self, orders: Mapping[str, VenueOrder]) -> dict[str, VenueOrder]:
        """The orders without those that are shown as something else than what was sent."""
        return {name: order for name, order in orders.items() if name not in self._disbelieved}

    def seen(self) -> Collection[VenueOrder]:
        """Every order that the venue showed."""
        return self.view.orders.values()

    def least(self, symbol: str, price: Decimal | None = None) -> Decimal:
        """The smallest quantity of an order, by the position's price if no other; 0 where the venue does not know it.

        So nothing of ours is taken for too little there: it is measured as without a stop, and its orders are tried.
        """
        try:
            return self.rules.least(symbol, self.view.price(symbol) if price is None else price)
        except VenueError:
            return Decimal(0)

    def is_quoted(self, symbol: str) -> bool:
        """Whether a stream has the present quote, so that none is asked for."""
        stream = self.venue.quote_stream
        return stream is not None and stream.latest(symbol) is not None

    def quote(self, symbol: str) -> Quote:
        """The present quote; where none can be had one that says so, as nothing that leaves may depend on it."""
        try:
            with self.time_budget(QUOTE_S):
                return self.quotes([symbol])[symbol]
        except VenueError as error:
            return unavailable(symbol, error)


def _opened(order: VenueOrder | None) -> bool:
    return order is not None and order.opens_group
