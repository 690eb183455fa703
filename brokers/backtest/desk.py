"""The desk of a backtest: turns plans into orders and the broker's account into a book."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import date, timedelta
from typing import Any, Protocol

from brokers.backtest.fills import Kind, slipped
from brokers.backtest.order_life import OrderLife
from brokers.backtest.working_orders import venue_gap
from brokers.desk_rules import ADJUSTMENT_ROLES, Halts, entry_at, halting
from brokers.record import HaltRecord, not_sent
from risk.interface import RiskModule
from risk.model import Adjustment, Book, Plan, Position, Proposal, ReadOnlyDict, Side, floor_lot
from risk.policy_gate import round_to_tick, tick_down, tick_of, tick_up

NOTHING: ReadOnlyDict[Any, Any] = ReadOnlyDict()


def _fixed(values: Mapping[Any, Any]) -> ReadOnlyDict[Any, Any]:
    """A copy that a book may hold; mostly there is nothing to copy, at every bar."""
    return ReadOnlyDict(values) if values else NOTHING


class CashHolder(Protocol):
    """Who has the cash of a backtest in the end: Lumibot's strategy, or the broker of a replay."""

    @property
    def cash(self) -> float:
        """USD."""
        ...


class OrderMaker(Protocol):
    """Makes orders of the kind that the broker takes; quantities in shares, prices in USD."""

    def closing(self, symbol: str, quantity: float, long: bool) -> Any:
        """A market order for the day that reduces a long or a short position."""
        ...

    def bracket(
        self, symbol: str, side: Side, quantity: float, stop: float, target: float, limit: float | None = None
    ) -> Any:
        """An entry with a stop and a target that live until they are cancelled; at market without a limit."""
        ...


class BacktestDesk:
    """The only place of a backtest that sends, changes or cancels orders.

    Parameters
    ----------
    broker : OrderLife
        With an open account.
    cash_holder : CashHolder
        Lumibot's strategy books some cash by itself, so that the ledger's is not all of it.
    orders : OrderMaker
        Makes the orders that ``broker`` takes.
    lot : float
        Smallest tradeable quantity.
    halters : sequence of RiskModule, optional
        Modules that may end a session for new positions.
    submit : bool
        False records decisions and sends nothing (a scan).
    renew_days : int
        Good-till-cancelled exits are renewed so many days before the venue drops them.
    market : str
        Whose calendar says when a halt of several sessions ends.
    """

    def __init__(
        self,
        broker: OrderLife,
        cash_holder: CashHolder,
        orders: OrderMaker,
        lot: float = 1,
        halters: Sequence[RiskModule] = (),
        submit: bool = True,
        renew_days: int = 10,
        market: str = "NYSE",
    ) -> None:
        self.broker = broker
        self.cash_holder = cash_holder
        self.orders = orders
        self.lot = lot
        self.halters = halters
        self.submit = submit
        self.market = market
        self._renew_ahead = timedelta(days=renew_days)
        self._session_day: date | None = None
        self._opening_equity = math.nan
        self._halts = Halts()
        self._book = Book(broker.datetime, math.nan, math.nan)

    def iteration(self) -> AbstractContextManager[None]:
        """Around one iteration: in a backtest an error ends the run."""
        return nullcontext()

    def reconcile(self) -> Book:
        """What is held and what protects it, now.

        Lumibot books financing and deposits in its own cash; the ledger takes them over here.
        """
        broker, ledger = self.broker, self.broker.ledger
        now = broker.datetime
        if broker.fill_model.entry_rests:
            broker.give_up_entries()
        cash = float(self.cash_holder.cash)
        if abs(cash - ledger.cash) > 0.01:
            ledger.cash = round(cash, 6)
        day = broker.today()
        if day != self._session_day:
            self._session_day = day
            self._opening_equity = broker.equity()
            if ledger.budget is not None:
                ledger.budget = ledger.budget.rolled(max(day, ledger.budget.day))
            self._halts.open_session(self.halters, self._opening_equity)
            broker.renew_exits(now + self._renew_ahead)
        broker.note_best_prices()
        broker.note_protection()
        equity, entries, halts = broker.equity(), broker.entries(), self._halts
        book = self._book = self._book.changed(
            time=now,
            equity=equity,
            cash=ledger.cash,
            positions=ReadOnlyDict(ledger.positions),
            pending=_fixed({w.symbol: w.intent for w in entries if w.intent is not None}),
            opened_today_usd=broker.opened_today(),
            session_open_equity=self._opening_equity,
            equity_peak=halts.see(equity),
            closed_trades=ledger.latest,
            last_halts=_fixed(halts.began),
            budget=None if ledger.budget is None else ledger.budget.deployed(max(day, ledger.budget.day)),
            halted=frozenset(halts.left),
            halted_until=_fixed(halts.until),
        )
        for module in list(halting(self.halters, book, halts.left)) if self.halters else ():
            halts.begin(module, now, self.market)
            broker.record.halts.append(HaltRecord(now, module.name, halts.until[module.name]))
        halted = frozenset(halts.left)
        broker.stop_entries(halted)
        if halted == book.halted:
            return book
        return book.changed(halted=halted, halted_until=_fixed(halts.until))

    def execute(self, plan: Plan) -> None:
        """Send the plan: what reduces risk first, then entries."""
        self.broker.record.decisions.extend(plan.decisions)
        if not self.submit:
            return
        for adjustment in plan.adjustments:
            self._adjust(adjustment)
        for proposal in plan.entries:
            self._enter(proposal)

    def _adjust(self, adjustment: Adjustment) -> None:
        broker = self.broker
        position = broker.ledger.positions.get(adjustment.symbol)
        if position is None:
            return
        held = abs(position.quantity)
        if adjustment.kind == "tighten":
            self._tighten(adjustment, position)
        elif adjustment.kind == "exit":
            self._sell(adjustment, position, held, ADJUSTMENT_ROLES["exit"])
        else:
            quantity = min(held, floor_lot(adjustment.quantity, self.lot))
            self._sell(adjustment, position, quantity, ADJUSTMENT_ROLES[adjustment.kind])

    def _sell(self, adjustment: Adjustment, position: Position, quantity: float, role: str) -> None:
        if quantity > 0:
            order = self.orders.closing(adjustment.symbol, quantity, position.quantity > 0)
            self._send(order, role, None, adjustment.code)

    def _tighten(self, adjustment: Adjustment, position: Position) -> None:
        sign = 1 if position.quantity > 0 else -1
        # Towards the market, as live: never farther from it than decided.
        stop = (tick_up if sign > 0 else tick_down)(adjustment.stop or 0)
        if not sign * (stop - position.stop) > 0:
            return
        quote = self.broker.quote(adjustment.symbol)
        if sign * (quote - stop) < venue_gap(quote, self.broker.fill_model.exit_gap_usd):
            # The venue refuses a stop that the market has passed: it would have triggered, so it does.
            self._sell(adjustment, position, abs(position.quantity), ADJUSTMENT_ROLES["exit"])
            return
        for w in list(self.broker.working(adjustment.symbol)):
            if w.exit and w.ticket.kind is Kind.STOP:
                self.broker.modify_order(w.order, stop_price=stop)

    def _enter(self, proposal: Proposal) -> None:
        """Bracket at the quote: the levels move with it, and it costs at most what was approved."""
        quote = self.broker.quote(proposal.symbol)
        model = self.broker.fill_model
        if not self.broker.quoted(proposal.symbol):
            self._skip(proposal, f"DESK_QUOTE: {proposal.symbol} has no price now, its last one is {quote:.4f}")
            return
        buys = proposal.side == "buy"
        limit = None
        if model.entry_rests:
            # The side of the market that makes liquidity; a bar has no spread, so a step from its open.
            limit = quote = round_to_tick(quote - tick_of(quote) if buys else quote + tick_of(quote))
        filled = slipped(quote, buys, model.market_slippage_bps) if limit is None else limit
        worst = filled * (1 + model.fee_frac) + model.fee_per_share_usd
        entry = entry_at(proposal, quote, worst, self.lot)
        if not entry.possible:
            self._skip(proposal, f"DESK_SIZE: nothing is left of it at the quote {quote:.4f}; {proposal.reason}")
            return
        order = self.orders.bracket(
            proposal.symbol, proposal.side, entry.quantity, entry.stop, round_to_tick(entry.target), limit
        )
        self._send(order, proposal.role, proposal, entry.reason)

    def _skip(self, proposal: Proposal, why: str) -> None:
        """Leave a trace of an entry that was approved and could not be sent."""
        name = self.broker.order_id(proposal.symbol, proposal.role)
        self.broker.record.orders.append(not_sent(self.broker.datetime, name, proposal, why))

    def _send(self, order: Any, role: str, intent: Proposal | None, reason: str) -> None:
        self.broker.intents[order.identifier] = (role, intent, reason)
        self.broker.submit_order(order)
