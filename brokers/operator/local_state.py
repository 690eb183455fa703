"""Symbols in the local state that the venue does not know: found, and marked as gone. History is never deleted."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

from brokers.desk.core import DeskCore
from brokers.desk.reconcile.budget_keeper import BudgetKeeper
from brokers.desk.reconcile.position_book import PositionBook
from brokers.journal import FilledOrder, JournalOrder, State
from brokers.journal.snapshot import JournalSnapshot
from brokers.operator.account import own_book
from brokers.ports import Venue
from config import Settings
from config.errors import Refusal


@dataclass(frozen=True, slots=True)
class LocalState:
    """What the journal has of the present: positions, orders that are not over, and the fills behind them."""

    own: PositionBook
    open: list[JournalOrder]
    filled: list[FilledOrder]

    @classmethod
    def of_core(cls, core: DeskCore) -> LocalState:
        return cls(core.positions.book, core.journal.open_orders(), core.journal.filled_orders())

    @classmethod
    def of_snapshot(cls, journal: JournalSnapshot, settings: Settings) -> LocalState:
        return cls(own_book(journal, settings), journal.open, list(journal.filled))

    @property
    def symbols(self) -> set[str]:
        return self.own.symbols | {order.symbol for order in self.open}

    def orders(self, symbol: str) -> list[JournalOrder]:
        return [order for order in self.open if order.symbol == symbol]


def unknown_symbols(venue: Venue, state: LocalState, at_venue: Iterable[str]) -> list[str]:
    """Symbols of the local state that are no assets of the venue, apart from those it has positions or orders of."""
    return [symbol for symbol in sorted(state.symbols - set(at_venue)) if not venue.lists(symbol)]


def purge(core: DeskCore, state: LocalState, symbol: str, reason: str) -> None:
    """End a symbol's orders and bring its position to nothing, by entries of their own in the journal."""
    for order in state.orders(symbol):
        core.journal.event(order.client_order_id, State.CANCELLED, reason=reason)
    held = state.own.total(symbol)
    if held:
        # At the price of its last fill: what it is worth now, nobody can say.
        last = next(item.order for item in reversed(state.filled) if item.order.symbol == symbol)
        core.sync.note_difference(symbol, -held, last.average_price or Decimal("0.01"), core.state.now, reason)
    core.positions.refresh()


def budget_keeper(
    folder: Path, account_id: str, filled: Collection[FilledOrder], today: date
) -> tuple[BudgetKeeper | None, str]:
    """The budget file that has to follow what is booked; None and why where it cannot be trusted, then it is left."""
    try:
        keeper = BudgetKeeper.open(folder, account_id, today)
        keeper.compare(filled, today)
    except Refusal as refusal:
        return None, str(refusal)
    return keeper, ""
