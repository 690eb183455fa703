"""From the venue's state and our positions to the book that rules read, and to the record of the run."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal

from brokers.desk.best_prices import BestPrices
from brokers.desk.reconcile.own_positions import OwnPositions
from brokers.desk.reconcile.position_book import PositionBook
from brokers.desk.venue_state import VenueState
from brokers.record import EquityRow, RunRecord
from config.values.closed_trades import CLOSED_TRADES_KEPT
from config.values.markets import NEW_YORK_ZONE
from market.bars import BarTable
from market.sectors import inverse_funds
from market.trading_day import day_of
from risk.model import MANUAL, Book, Position, Proposal


class BookBuilder:
    """Builds books.

    Parameters
    ----------
    state : VenueState
    positions : OwnPositions
    sectors : mapping of str to str
    levels : callable
        Stop and target of a position of ours, USD.
    bars : callable
        The complete bars known now, in present shares; None before the first.
    session_is_on : callable
        Whether a session is on, extended hours included where they count.
    """

    def __init__(
        self,
        state: VenueState,
        positions: OwnPositions,
        sectors: Mapping[str, str],
        levels: Callable[[Position], tuple[float, float]],
        bars: Callable[[], BarTable | None],
        session_is_on: Callable[[], bool],
    ) -> None:
        self._state = state
        self._positions = positions
        self._sectors = sectors
        self._levels = levels
        self._bars = bars
        self.session_is_on = session_is_on
        self.opening: tuple[date, Decimal] | None = None
        """The session that was opened last, and its equity then; safe to read in any thread."""
        self._best = BestPrices()
        self._kept: PositionBook | None = None

    def book(self, pending: Mapping[str, Proposal], sent: Iterable[tuple[datetime, str]] = ()) -> Book:
        """What is held, on its way and left, now; positions made by hand count like ours.

        ``sent`` is when the latest orders that open a position were sent, and which they were, symbol first.
        """
        latest = tuple(sent)
        state, own = self._state, self._positions.book
        now = state.now.astimezone(NEW_YORK_ZONE)
        positions = self.positions()
        budget = own.ledger.budget
        return Book(
            time=now,
            equity=state.equity,
            cash=float(self._positions.uncommitted_cash),
            positions=positions,
            pending=pending,
            opened_today_usd=self._positions.opened_today(),
            session_open_equity=float(self._opened_at(now)),
            closed_trades=own.ledger.closed[-CLOSED_TRADES_KEPT:],
            budget=None if budget is None else budget.deployed(max(day_of(now), budget.day)),
            entries_sent=tuple(time for time, _ in latest),
            sent_orders=tuple(name for _, name in latest),
        )

    def _opened_at(self, now: datetime) -> Decimal:
        """Equity at the session's opening; one that was known earlier, or is read while none is on, fixes none."""
        view = self._state.view
        if view.account_unreadable or not self.session_is_on():
            return self._positions.journal.session_open_equity(day_of(now)) or view.account.equity
        return self.open_session(now)

    def open_session(self, now: datetime) -> Decimal:
        """Fix the equity that a session opens with, as the venue shows it; returns what stands, the first that was."""
        today = day_of(now)
        stands = self._positions.journal.open_session(today, self._state.view.account.equity, now)
        self.opening = today, stands
        return stands

    def positions(self) -> dict[str, Position]:
        """What is held now, with its levels and what protects it."""
        own = self._positions.book
        self._best.keep(own.ledger.positions)
        positions = {symbol: self._ours(position) for symbol, position in own.ledger.positions.items()}
        for symbol, held in own.manual.items():
            if held and symbol not in positions:
                positions[symbol] = self._manual(symbol, held)
        return positions

    def equity_row(self, book: Book) -> EquityRow:
        """The account at one moment, positions at the venue's prices."""
        worth = {s: float(p.market_value or 0) for s, p in self._state.view.positions.items()}
        labelled = inverse_funds(self._sectors)
        hedges = labelled | {s for s, position in book.positions.items() if position.role == "hedge"}
        inverse = sum(usd for s, usd in worth.items() if s in hedges)
        parked = self._positions.parked & worth.keys()
        in_funds = sum(worth[s] for s in parked)
        ours = {s: p for s, p in self._positions.book.ledger.positions.items() if s not in parked}
        return EquityRow(
            time=book.time,
            equity=book.equity,
            cash=float(self._state.view.account.cash) + in_funds,
            long_exposure=sum(worth.values()) - inverse - in_funds,
            inverse_exposure=inverse,
            positions=len(worth) - len(parked),
            protected=sum(book.positions[s].protected_quantity >= abs(ours[s].quantity) for s in ours),
        )

    def keep_trades(self, record: RunRecord) -> None:
        """Enter what was closed in the record, and see that the journal has it too, as far as the book has changed."""
        own = self._positions.book
        if own is self._kept:
            return
        self._positions.trades.settle()
        record.trades = list(own.ledger.record.trades)
        self._kept = own

    def _ours(self, position: Position) -> Position:
        (stop, target), protection = self._levels(position), self._positions.protection(position.symbol)
        split = self._positions.split_since(position.symbol, position.entry_time)
        return replace(
            position,
            stop=stop,
            target=target,
            initial_stop=stop if math.isnan(position.initial_stop) else position.initial_stop,
            protected_quantity=float(protection.protected),
            best_price=self._best.of(position, self._bars(), split),
        )

    def _manual(self, symbol: str, held: Decimal) -> Position:
        price = float(self._state.view.average_price(symbol)) or math.nan
        return Position(
            symbol=symbol,
            quantity=float(held),
            entry_price=price,
            entry_time=self._state.now.astimezone(NEW_YORK_ZONE),
            stop=math.nan,
            target=math.nan,
            initial_stop=math.nan,
            signal=MANUAL,
            initial_quantity=float(held),
            best_price=price,
        )
