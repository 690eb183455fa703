"""What the parts of the desk share: the venue's present state, our books, and how an order is placed."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

from brokers.alpaca.clock import VenueClock, VenueTime
from brokers.alpaca.errors import VenueError
from brokers.alpaca.listing_validation import legible, position_of, unread, unread_of_ours
from brokers.alpaca.listings import VenueOrder, flat
from brokers.alpaca.payloads import Json, amount, price_text, terms
from brokers.desk.data.quotes import Quote, unavailable
from brokers.desk.execution.order_gateway import Limits, OrderGateway
from brokers.desk.execution.protection_status import ProtectionStatus, protection_status
from brokers.desk.reconcile.corporate_actions import unadjusted
from brokers.desk.reconcile.inflight_orders import InflightOrders
from brokers.desk.reconcile.journal_sync import OPENING_ROLES, JournalSync
from brokers.desk.reconcile.order_ownership import OrderOwnership
from brokers.desk.reconcile.position_adjustments import MANUAL
from brokers.desk.reconcile.position_book import NEW_YORK
from brokers.desk.reconcile.position_history import PositionHistory
from brokers.desk.venue_snapshot import Venue, VenueSnapshot
from brokers.journal import Journal, JournalOrder, OrderIntent
from config import Settings
from risk.policy_gate import AccountState, OrderRequest

ASK_AGAIN = timedelta(seconds=3)
SEEN_LATE = timedelta(seconds=1)
"""How long before the account was asked for a fill may be that its cash does not know of yet."""
QUOTE_S = 2.0
"""Local seconds that one quote is worth to what can be done without it."""

log = logging.getLogger(__name__)


class Floor:
    """The trading floor.

    Parameters
    ----------
    venue : Venue
    journal : Journal
    settings : Settings
    clock : VenueClock
    quotes : callable
        Present quotes of some symbols, one request.
    strategy : str
    time_budget : callable, optional
        Bounds the seconds that the venue may take for everything asked inside.
    drop_waiting : callable, optional
        Drops the requests that wait for the rate limit.
    room : callable, optional
        Whether the rate limit has room for so many requests of an iteration beside those of the watch.
    """

    def __init__(
        self,
        venue: Venue,
        journal: Journal,
        settings: Settings,
        clock: VenueClock,
        quotes: Callable[[Iterable[str]], Mapping[str, Quote]],
        strategy: str,
        time_budget: Callable[[float], AbstractContextManager[None]] = lambda seconds: nullcontext(),
        drop_waiting: Callable[[], None] = lambda: None,
        room: Callable[[int], bool] = lambda requests: True,
    ) -> None:
        self.venue = venue
        self.journal = journal
        self.settings = settings
        self.clock = clock
        self.quotes = quotes
        self.strategy = strategy
        self.time_budget = time_budget
        self.drop_waiting = drop_waiting
        self.room = room
        self.books = JournalSync(journal, strategy, clock.now)
        self.whose = OrderOwnership(self.books, journal, settings.live.adopt, self._seen)
        self.missing = InflightOrders(self)
        self.renamed: dict[str, str] = {}
        """Symbols that seem to have another name now, or to be the new name of another, in words."""
        limits = Limits(settings.gate, settings.sizing.lot, settings.sizing.max_notional_frac)
        self.counter = OrderGateway(venue, journal, self.books, limits, self.standing, self._show)
        self.view = VenueSnapshot(clock.now(), {}, {}, {})
        self.history = PositionHistory(journal, settings.live.adopt)
        self.own = self.history.book
        self._booked = -1
        self._looked: datetime | None = None
        self._account_seen = clock.now()
        self._asked: dict[str, float] = {}
        """Price that an order was measured at when it was sent, by its name."""
        self._hours: VenueTime | None = None

    @property
    def now(self) -> datetime:
        return self.clock.now()

    @property
    def lot(self) -> float:
        return self.settings.sizing.lot

    @property
    def equity(self) -> float:
        return float(amount(self.view.account, "equity"))

    @property
    def in_session(self) -> bool:
        """Whether the regular session is on, by the venue's clock: only then stops are triggered."""
        return self._hours is not None and self._hours.open_at(self.now)

    # Looking.

    def look(self, account: bool = True) -> None:
        """Ask the venue how things stand, and book it.

        Raises
        ------
        VenueError
            It could not be asked.
        """
        if account or self._hours is None:
            self._hours = self.venue.venue_clock()
        elif self.clock.due:
            self._read_clock()
        began = self.now
        # Orders before positions: a fill in between shows as a position whose order is told a moment later.
        raws, opened = self.missing.listed(self._looked)
        rows = self.venue.positions()
        positions = {str(raw["symbol"]): raw for raw in map(position_of, rows) if raw is not None}
        state = self.view.account
        if account or not state:
            seen, state = self.now, self.venue.account()
            self._account_seen = seen
        # The entry that its exits are told by may have been sent too long ago to be listed again.
        orders = flat([*raws, *opened], self.view.orders.values())
        self.books.contradictions.clear()
        strangers = self.books.take(orders)
        # What the venue shows as something else than what was sent is no order to count, cancel or replace.
        orders = {name: order for name, order in orders.items() if name not in self.books.disbelieved}
        listed = [*raws, *opened]
        whole, illegible = len(positions) == len(rows), unread(listed, orders)
        held_back = unread_of_ours(listed, orders, self.books.symbol_of)
        self.view = VenueSnapshot(
            began, state, positions, orders, strangers, legible(opened), whole, illegible, held_back
        )
        self._looked = began
        self.missing.ask()
        self.add_up()

    def _read_clock(self) -> None:
        """Read the venue's clock where nothing is decided: without it, what protects goes on."""
        try:
            with self.time_budget(QUOTE_S):
                self._hours = self.venue.venue_clock()
        except VenueError as error:
            log.warning("the venue's clock was not heard: %s", error)

    def hear(self, event: Mapping[str, Any]) -> bool:
        """Take in a trade update; False if it is of an order that is not ours."""
        if not self.books.take_event(event):
            return False
        raw = dict(event["order"])
        there = self.view.orders.get(str(raw["id"]))
        if there is not None and not raw.get("legs"):
            # The stream tells of orders without their legs.
            raw["legs"] = there.raw.get("legs")
        self._show(raw)
        self.add_up()
        return True

    def add_up(self) -> None:
        """Add our fills up if there are new ones."""
        if self._booked == self.books.fills:
            return
        self.own = self.history.update(self.now.astimezone(NEW_YORK).date())
        self._booked = self.books.fills

    def cover(self, symbol: str) -> ProtectionStatus:
        """What protects our shares of a symbol: orders of ours alone, hands cancel theirs as they like.

        Exits from before a split that still have their old prices protect nothing, whatever shares they hold.
        """
        there = (order for order in self.view.orders.values() if order.symbol == symbol and self.whose.ours(order))
        ours = (order for order in there if not (order.open and self.stale(order)))
        held = self.own.quantity(symbol)
        cover = protection_status(ours, symbol, held, self._opens)
        if symbol in self.view.held_back:
            # What was sent and has not ended, as far as anybody knows, protects as long as it cannot be read.
            sent = [o for o in self.journal.open_orders() if o.symbol == symbol and o.role in ("stop", "target")]
            stops = [o.remaining for o in sent if o.role == "stop"] or [o.remaining for o in sent]
            return replace(cover, protected=max(cover.protected, min(abs(held), sum(stops, Decimal(0)))))
        return cover

    def stale(self, order: VenueOrder) -> bool:
        """Whether an order of ours is from before a split, and the venue did not adjust it."""
        split, name = self.own.splits.get(order.symbol), self.books.client_id(order.id)
        if split is None or name is None:
            return False
        planned = self.journal.order(name)
        return planned.journaled_at < split and unadjusted(order, planned)

    def _opens(self, order: VenueOrder) -> bool | None:
        role = self.whose.role(order)
        return None if role == MANUAL else role in OPENING_ROLES

    def doubt(self, symbol: str) -> str:
        """Why nothing may be entered in a symbol now, empty if nothing is wrong with its books."""
        more = self.opposed(symbol), self.view.unread.get(symbol, "")
        return "; ".join([*self.unsure(symbol), *(why for why in more if why)])

    def opposed(self, symbol: str) -> str:
        """Words for the venue holding the opposite of ours, so that an exit would add to what it holds; else empty."""
        ours, there = self.own.quantity(symbol), self.view.held(symbol)
        return f"{ours} shares are ours by the fills, and the venue holds {there}" if ours * there < 0 else ""

    def unsure(self, symbol: str) -> list[str]:
        """Why nothing may be concluded from a difference of a symbol's shares now."""
        told = [c.what for c in self.books.contradictions.values() if c.symbol == symbol]
        return [*told, *([self.renamed[symbol]] if symbol in self.renamed else [])]

    def unresolved(self, symbol: str) -> list[JournalOrder]:
        """Orders of a symbol whose outcome is not known."""
        return [order for order in self.journal.unresolved() if order.symbol == symbol and not order.venue_id]

    def cancels_again(self, venue_id: str, asked: datetime) -> datetime:
        """Ask once more for a cancel that has come to nothing; returns when it was asked for last.

        A cancel whose answer was lost may never have arrived.
        """
        there, now = self.view.orders.get(venue_id), self.now
        if there is None or not there.open or there.leaving or now - asked < ASK_AGAIN:
            return asked
        self.counter.cancel(venue_id)
        return now

    def quote(self, symbol: str) -> Quote:
        """The present quote; where none can be had one that says so, as nothing that leaves may depend on it."""
        try:
            with self.time_budget(QUOTE_S):
                return self.quotes([symbol])[symbol]
        except VenueError as error:
            return unavailable(symbol, error)

    def standing(self, symbol: str, without: str = "") -> AccountState:
        """What the gate measures an order of ``symbol`` against, ``without`` the order whose place it takes."""
        held = set(self.own.symbols) | {s for s, raw in self.view.positions.items() if amount(raw, "qty")}
        waiting = [o for o in self.journal.open_orders() if o.role in OPENING_ROLES and o.client_order_id != without]
        promised = sum(float(o.remaining) * self._worth(o) for o in waiting)
        budget = self.own.ledger.budget
        today = self.now.astimezone(NEW_YORK).date()
        opened = 0 if budget is None else budget.deployed(max(today, budget.day)).day_positions
        row = self.view.positions.get(symbol, {})
        # What was paid counts too: a position that has fallen leaves no room for more of it.
        paid = abs(float(amount(row, "qty") * amount(row, "avg_entry_price")))
        worth = max(paid, abs(float(amount(row, "market_value"))))
        ordered = sum(float(o.remaining) * self._worth(o) for o in waiting if o.symbol == symbol)
        return AccountState(
            equity=self.equity,
            cash=float(amount(self.view.account, "cash")) - promised - self._bought_since_the_account_was_seen(),
            day_notional=self.opened_today() + promised,
            new_positions=opened + len({o.symbol for o in waiting} - held),
            open_positions=len(held | {o.symbol for o in waiting}),
            holds_symbol=symbol in held or any(o.symbol == symbol for o in waiting),
            symbol_notional=worth + ordered,
        )

    def _bought_since_the_account_was_seen(self) -> float:
        """USD of entries whose fills the cash of the account, as last seen, may not know of."""
        return sum(
            float(f.order.filled_notional)
            for f in self.history.filled_after(self._account_seen - SEEN_LATE)
            if f.order.role in OPENING_ROLES
        )

    def _worth(self, order: JournalOrder) -> float:
        """What a share of a waiting order may cost, USD; NaN, at which the gate refuses, where nothing tells it."""
        known = order.limit_price or self._asked.get(order.client_order_id) or order.bracket_stop
        return math.nan if known is None else float(known)

    def opened_today(self) -> float:
        """USD that fills of this session opened, hands' included."""
        today = self.now.astimezone(NEW_YORK).date()
        # By the journal's fills of now, which the parts of the desk may not have been shown yet.
        return self.history.update(today).opened.get(today, 0.0)

    # Placing.

    def place(
        self,
        payload: Json,
        role: str,
        time: datetime,
        *,
        opens: bool = False,
        quote: float = math.nan,
        reference: float | None = None,
        bracket: tuple[float, float] | None = None,
        parent: str = "",
        reason: str = "",
    ) -> JournalOrder:
        """Send one order through the counter; raises like ``OrderGateway.submit``.

        ``time`` is the decision's, ``bracket`` stop and target where the order has or will have them.
        """
        limit, stop = payload.get("limit_price"), payload.get("stop_price")
        legs = payload.get("take_profit", {}).get("limit_price"), payload.get("stop_loss", {}).get("stop_price")
        oco = payload.get("order_class") == "oco"
        stops = (legs[1], legs[0]) if bracket is None else (_grid(bracket[0]), _grid(bracket[1]))
        intent = self.intent(
            payload["symbol"], payload["side"], Decimal(payload["qty"]), payload["type"], role, time,
            limit=legs[0] if oco else limit, stop=stop, bracket=stops, parent=parent, reason=reason,
        )  # fmt: skip
        request = OrderRequest(
            symbol=intent.symbol,
            opens=opens,
            quantity=float(intent.quantity),
            quote=quote,
            reference=reference,
            limit_price=None if intent.limit_price is None else float(intent.limit_price),
            stop_price=None if intent.stop_price is None else float(intent.stop_price),
            buy=intent.side == "buy",
        )
        payload = {**payload, "position_intent": f"{intent.side}_to_{'open' if opens else 'close'}"}
        log.info("%s: %s %s %s %s; %s", role, intent.side, payload["qty"], intent.symbol, terms(payload), reason)
        placed = self.counter.submit(intent, payload, request)
        if opens:
            self._asked[placed.client_order_id] = request.price
        return placed

    def intent(
        self,
        symbol: str,
        side: str,
        quantity: Decimal,
        kind: str,
        role: str,
        time: datetime,
        *,
        limit: str | float | None = None,
        stop: str | float | None = None,
        bracket: tuple[str | None, str | None] = (None, None),
        parent: str = "",
        reason: str = "",
    ) -> OrderIntent:
        """What the journal is to know of an order; its number is the next free one of the decision."""
        direction: Literal["buy", "sell"] = "buy" if side == "buy" else "sell"
        return OrderIntent(
            strategy=self.strategy,
            symbol=symbol,
            side=direction,
            quantity=quantity,
            type=kind,
            role=role,
            decision_time=time,
            sequence=self.journal.next_sequence(symbol, role, time),
            limit_price=_exact(limit),
            stop_price=_exact(stop),
            bracket_stop=_exact(bracket[0]),
            bracket_target=_exact(bracket[1]),
            parent_id=parent,
            reason=reason,
        )

    def add(self, raw: Mapping[str, Any]) -> None:
        """Take in one order that was asked for by itself."""
        self._show(raw)
        self.books.take(self.view.orders)

    def _seen(self) -> Collection[VenueOrder]:
        return self.view.orders.values()

    def _show(self, raw: Mapping[str, Any]) -> None:
        """Bring one order of the view up to date, before the venue's next listing does."""
        known = self.view.orders.values()
        shown = flat([*(order.raw for order in known), raw], known)
        self.view.orders = {name: order for name, order in shown.items() if name not in self.books.disbelieved}
        self.view.held_back |= unread_of_ours([raw], shown, self.books.symbol_of)


def _exact(price: str | float | None) -> Decimal | None:
    return None if price is None else Decimal(str(price))


def _grid(price: float) -> str | None:
    return None if math.isnan(price) else price_text(price)
