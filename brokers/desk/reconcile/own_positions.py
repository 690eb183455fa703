"""What is ours: positions by our fills, how the venue's shares and orders stand to them, and what may be concluded."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from brokers.desk.reconcile.corporate_actions import unadjusted
from brokers.desk.reconcile.dust import separate_dust
from brokers.desk.reconcile.journal_sync import JournalSync
from brokers.desk.reconcile.order_ownership import OrderOwnership
from brokers.desk.reconcile.position_history import PositionHistory
from brokers.desk.reconcile.protection_status import ProtectionStatus, protection_status
from brokers.desk.reconcile.trade_table import TradeTable
from brokers.desk.venue_state import VenueState
from brokers.journal import FilledOrder, Journal, JournalOrder, Split, State
from brokers.journal.states import FINAL
from brokers.order_types import LEVEL_ROLES, OPENING_ROLES, OrderRole
from brokers.quantities import NOTHING
from brokers.venue_values import VenueOrder
from config.values.counting import unit_of
from market.trading_day import day_of
from risk.policy_gate import AccountState

OVER = FINAL - {State.LOST}
"""What the venue has told of an order's end; one that counts as lost may still sell, where a listing shows it."""
SEEN_LATE = timedelta(seconds=1)
"""How long before the account was asked for a fill may be that its cash does not know of yet."""


class OwnPositions:
    """Our positions as the journal's fills have them, beside what the venue shows.

    Parameters
    ----------
    state : VenueState
    journal : Journal
    sync : JournalSync
    ownership : OrderOwnership
    adopted : collection of str
        Symbols whose positions made by hand are managed like our own.
    parked : collection of str, optional
        Funds that count as cash: no entries, no positions of a limit and no trades.

    Attributes
    ----------
    book : PositionBook
    renamed : dict of str to str
        Symbols that seem to have another name now, or to be the new name of another, in words.
    trades : TradeTable
        What was closed, as the journal keeps it.
    """

    def __init__(
        self,
        state: VenueState,
        journal: Journal,
        sync: JournalSync,
        ownership: OrderOwnership,
        adopted: Collection[str],
        parked: Collection[str] = (),
    ) -> None:
        self.state = state
        self.journal = journal
        self.sync = sync
        self.ownership = ownership
        self.adopted = adopted
        self.parked = frozenset(parked)
        self.renamed: dict[str, str] = {}
        self._history = PositionHistory(journal, adopted, self.parked)
        self._fills = -1
        self._began = state.now
        self._measured_at: dict[str, float] = {}
        self._protections: dict[str, ProtectionStatus] = {}
        self.book = self._history.book
        self.refresh()
        self.trades = journal.derived = TradeTable(journal, self._history, lambda: day_of(state.now))

    def refresh(self) -> None:
        """Add our fills up if there are new ones, or news of their times."""
        if self._fills == self.sync.fills and self.book is self._history.book:
            return
        today = day_of(self.state.now)
        self.book = self._history.update(today)
        self._fills = self.sync.fills
        for symbol in self._protections.keys() - self.book.ledger.positions.keys():
            self._protections.pop(symbol, None)

    def splits(self) -> Collection[Split]:
        """Every split of what was ever ours; asks neither journal nor venue, and is safe in any thread."""
        return self._history.splits

    def separate_dust(self) -> None:
        """Take coins that are dust beside those of the books out of the view's positions."""
        book = self.book
        separate_dust(
            self.state.view, book.total, self.state.rules, self.adopted, lambda symbol: book.manual.get(symbol, NOTHING)
        )

    def split_since(self, symbol: str, time: datetime) -> bool:
        """Whether the shares of a symbol were split after a moment."""
        latest = self.book.splits.get(symbol)
        return latest is not None and latest > time

    def present_price(self, symbol: str) -> float:
        """What a symbol that is held trades at now, USD; where the venue tells none, what was paid; else 0."""
        view = self.state.view
        return float(view.price(symbol) or view.average_price(symbol))

    def protection(self, symbol: str) -> ProtectionStatus:
        """What protects our shares of a symbol: orders of ours alone, whoever trades by hand may cancel theirs.

        Exits from before a split that still have their old prices protect nothing, whatever shares they hold.
        """
        status = self._protections[symbol] = self._protection(symbol)
        return status

    def seen_anew(self, symbol: str) -> None:
        """An order of a symbol is told of between two looks: screens show what protects the symbol by that."""
        if symbol in self.book.ledger.positions:
            self.protection(symbol)

    def newer_than(self, moment: datetime) -> bool:
        """Whether positions are known as of later than a moment, by a look or by a fill that was told since.

        Asks neither journal nor venue, and is safe in any thread.
        """
        return self.state.view.time > moment or bool(self._history.filled_after(moment))

    def last_protection(self, symbol: str) -> ProtectionStatus:
        """What ``protection`` found last; asks neither journal nor venue, and is safe in any thread.

        Before the desk has worked once, every order that has a name of ours counts.
        """
        if (status := self._protections.get(symbol)) is not None:
            return status
        orders = list(self.state.view.orders.values())
        named = (order for order in orders if self.sync.client_id(order.id) is not None)
        return protection_status(named, symbol, self.book.quantity(symbol))

    def _protection(self, symbol: str) -> ProtectionStatus:
        orders = self.state.view.orders.values()
        there = (order for order in orders if order.symbol == symbol and self.ownership.ours(order))
        ours = (order for order in there if not (order.open and self.stale(order)))
        held = self.book.quantity(symbol)
        status = protection_status(ours, symbol, held, self._opens)
        if symbol not in self.state.view.held_back:
            return status
        # What was sent and has not ended, as far as anybody knows, protects as long as it cannot be read.
        sent = [o for o in self.journal.open_orders() if o.symbol == symbol and o.role in LEVEL_ROLES]
        stops = [o.remaining for o in sent if o.role == OrderRole.STOP] or [o.remaining for o in sent]
        return replace(status, protected=max(status.protected, min(abs(held), sum(stops, Decimal(0)))))

    def stale(self, order: VenueOrder) -> bool:
        """Whether an order of ours is from before a split, and the venue did not adjust it."""
        split, name = self.book.splits.get(order.symbol), self.sync.client_id(order.id)
        if split is None or name is None:
            return False
        planned = self.journal.order(name)
        return planned.journaled_at < split and unadjusted(order, planned)

    def doubt(self, symbol: str) -> str:
        """Why nothing may be entered in a symbol now, empty if nothing is wrong with its books."""
        more = self.opposed(symbol), self.state.view.unread.get(symbol, "")
        return "; ".join([*self.unsure(symbol), *(why for why in more if why)])

    def opposed(self, symbol: str) -> str:
        """Words for the venue holding the opposite of ours, so that an exit would add to what it holds; else empty."""
        ours, there = self.book.quantity(symbol), self.state.view.held(symbol)
        unit = unit_of(symbol)
        return f"{ours} {unit} are ours by the fills, and the venue holds {there}" if ours * there < 0 else ""

    def unsure(self, symbol: str) -> list[str]:
        """Why nothing may be concluded from a difference of a symbol's shares now."""
        contradictions = [c.what for c in self.sync.contradictions.values() if c.symbol == symbol]
        return [*contradictions, *([self.renamed[symbol]] if symbol in self.renamed else [])]

    def last_fill(self, order: VenueOrder) -> datetime | None:
        """When an order itself filled last, by the journal; not every venue tells it."""
        name = self.sync.client_id(order.id)
        return None if name is None else self._history.last_fill(name)

    def first_fill(self, name: str) -> datetime | None:
        """When the order of this name filled first, by the journal."""
        return self._history.first_fill(name)

    def filled_after(self, moment: datetime) -> list[FilledOrder]:
        """Orders with a fill after a moment of the last minutes."""
        return self._history.filled_after(moment)

    def free(self, symbol: str) -> Decimal:
        """Shares of ours that an order may be for, as far as the venue shows so many as free."""
        return min(self.state.view.available(symbol), self.untaken(symbol))

    def untaken(self, symbol: str, ended: Collection[VenueOrder] = ()) -> Decimal:
        """Shares of ours that no exit of ours is for, one from before a split included.

        What the account holds beside ours is somebody else's: however much of it is free, nothing of ours is by that.
        Exits known to have ``ended`` are for none, nor are the others of their groups, which end with them.
        """
        protection = self.protection(symbol)
        taken = protection.protected + self._taken(protection, ended) + self._taken_by_stale(symbol)
        return max(Decimal(0), abs(self.book.quantity(symbol)) - taken)

    def _taken(self, protection: ProtectionStatus, ended: Collection[VenueOrder]) -> Decimal:
        """Shares that exits without a working stop are for."""
        without, taken = {order.group for order in (*protection.stops, *ended)}, dict[str, Decimal]()
        for order in protection.exits:
            if order.group not in without and not self._has_ended(order):
                taken[order.group] = max(taken.get(order.group, Decimal(0)), order.remaining)
        return sum(taken.values(), Decimal(0))

    def _taken_by_stale(self, symbol: str) -> Decimal:
        """Shares that exits of ours from before a split hold until their cancel is through."""
        against, left = "sell" if self.book.quantity(symbol) > 0 else "buy", dict[str, Decimal]()
        for order in self.state.view.orders.values() if symbol in self.book.splits else ():
            exits = order.symbol == symbol and order.open and order.side == against
            if exits and self.stale(order) and self.ownership.ours(order):
                # Of a pair whose one leg has sold, the other sells no more than that one has left.
                left[order.group] = min(left.get(order.group, order.remaining), order.remaining)
        return sum(left.values(), Decimal(0))

    def _has_ended(self, order: VenueOrder) -> bool:
        """Whether the venue has told the end of an exit that a listing of its shows still."""
        name = self.sync.client_id(order.id)
        return name is not None and self.journal.order(name).state in OVER

    def unresolved(self, symbol: str) -> list[JournalOrder]:
        """Orders of a symbol whose outcome is not known."""
        return [order for order in self.journal.unresolved() if order.symbol == symbol and not order.venue_id]

    def waiting(self) -> list[JournalOrder]:
        """Orders that open a position and may still fill, those without an answer too, with their present prices."""
        return [self._at_present(o) for o in self.journal.open_orders() if o.role in OPENING_ROLES]

    def _at_present(self, order: JournalOrder) -> JournalOrder:
        """An order with the prices that it has now: as the venue shows it, or as the journal was told last."""
        if not order.venue_id:
            return order
        shown = self.state.view.orders.get(order.venue_id)
        if shown is None or not shown.open:
            return self.journal.present_terms(order)
        return replace(order, limit_price=shown.limit_price or None, stop_price=shown.stop_price or None)

    def account_state(self, symbol: str, without: str = "") -> AccountState:
        """What the gate measures an order of ``symbol`` against, ``without`` the order whose place it takes."""
        positions = self.state.view.positions
        held = set(self.book.symbols) | {s for s, position in positions.items() if position.quantity}
        waiting = [order for order in self.waiting() if order.client_order_id != without]
        promised = sum(float(o.remaining) * self.worth(o) for o in waiting)
        entries = [o for o in waiting if o.symbol not in self.parked]
        counted = sum(float(o.remaining) * self.worth(o) for o in entries) if self.parked else promised
        opened = self.opened_today()
        budget, today = self.book.ledger.budget, day_of(self.state.now)
        positions_today = 0 if budget is None else budget.deployed(max(today, budget.day)).day_positions
        there = positions.get(symbol)
        # What was paid counts too: a position that has fallen leaves no room for more of it.
        paid = 0.0 if there is None else abs(float(there.quantity * there.average_price))
        worth = max(paid, 0.0 if there is None else abs(float(there.market_value or 0)))
        ordered = sum(float(o.remaining) * self.worth(o) for o in waiting if o.symbol == symbol)
        return AccountState(
            equity=self.state.equity,
            cash=float(self.uncommitted_cash) - promised - self._bought_since_the_account_was_seen(),
            day_notional=opened + counted,
            new_positions=positions_today + len({o.symbol for o in entries} - held),
            open_positions=len((held | {o.symbol for o in waiting}) - self.parked),
            holds_symbol=symbol in held or any(o.symbol == symbol for o in waiting),
            symbol_notional=worth + ordered + float(self.state.view.worth_ordered_by_hand(symbol)),
        )

    @property
    def uncommitted_cash(self) -> Decimal:
        """Cash that entries may spend, USD: neither set aside for orders by hand nor owed for what hands sold short."""
        return self.state.view.uncommitted_cash - self.book.short_proceeds

    def measured(self, client_order_id: str, price: float) -> None:
        """Remember the price that an order was measured at when it was sent."""
        self._measured_at[client_order_id] = price

    def _bought_since_the_account_was_seen(self) -> float:
        """USD of entries whose fills the cash of the account, as last seen, may not know of."""
        seen = self.state.view.account_time or self._began
        recent = self._history.filled_after(seen - SEEN_LATE)
        return sum(float(f.order.filled_notional) for f in recent if f.order.role in OPENING_ROLES)

    def worth(self, order: JournalOrder) -> float:
        """What a share of a waiting order may cost, USD; NaN, at which the gate refuses, where nothing tells it."""
        known = order.limit_price or self._measured_at.get(order.client_order_id) or order.bracket_stop
        return math.nan if known is None else float(known)

    def opened_today(self) -> float:
        """USD that fills of this session opened, those by hand included."""
        today = day_of(self.state.now)
        # By the journal's fills of now, which the parts of the desk may not have been shown yet.
        return self._history.update(today).opened.get(today, 0.0)

    def _opens(self, order: VenueOrder) -> bool | None:
        role = self.ownership.role(order)
        return None if role == OrderRole.MANUAL else role in OPENING_ROLES
