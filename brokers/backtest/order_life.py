"""The life of an order in a backtest, from the policy gate to its end, without Lumibot.

``BarFillBroker`` tells Lumibot what happens to its orders, the replay engine tells nobody; both hold the same rules.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from brokers.backtest.fills import Kind
from brokers.backtest.matching import BarMatching
from brokers.backtest.working_orders import GTC_DAYS, WorkingOrder
from brokers.order_types import RefusalCode
from risk.model import Proposal
from risk.policy_gate import AccountState, OrderRequest, check


class OrderLife(BarMatching):
    """Accepts, refuses, reprices and ends working orders. What is to be told of them is the subclass's.

    ``submit_order`` takes an order in: it works from then on, or its record says why not. ``modify_order`` moves
    the price of a working one.
    """

    submit_order: Callable[..., Any]
    modify_order: Callable[..., Any]

    def __init__(self) -> None:
        super().__init__()
        self.intents: dict[Any, tuple[str, Proposal | None, str]] = {}

    # ---- what is told -----------------------------------------------------------------------------------

    def _begin(self, w: WorkingOrder) -> None:
        """Let an accepted order work."""
        self._start(w)

    def _tell_rejected(self, w: WorkingOrder, why: str) -> None:
        """Tell that an order was refused; its exits are marked as cancelled before."""

    def _tell_cancelled(self, w: WorkingOrder) -> None:
        """Tell that an order ended without a fill."""

    def _tell_modified(self, w: WorkingOrder) -> None:
        """Tell that an order's price was moved."""

    def _mark_cancelled(self, leg: WorkingOrder) -> None:
        """Mark an exit that never worked, without telling."""

    # ---- in ---------------------------------------------------------------------------------------------

    def _accept(self, working: WorkingOrder) -> bool:
        """Note an order and its exits, and let it work if gate and venue have no objection."""
        now = self.datetime
        for w in working.family():
            w.record.sent_time = now
            self.record.orders.append(w.record)
        refusal = working.refusal or self._gate(working)
        if refusal:
            self._reject(working, refusal)
            return False
        self._begin(working)
        return True

    def stop_entries(self, halted: frozenset[str]) -> None:
        """Take no orders that open while ``halted`` names a rule, and end those that wait, whoever sent them."""
        self.halted = halted
        if halted:
            for w in self.entries():
                self._end(w, "cancelled", self._stopped())

    def give_up_entries(self) -> None:
        """End entries of the desk that have waited for a bar."""
        for w in self.entries():
            if w.intent is not None:
                self._end(w, "expired", "its limit was not reached within a bar")

    def _stopped(self) -> str:
        """What a live desk says to an order that opens while a rule has stopped entries; empty while none has."""
        told = "; ".join(f"halted for this session by {name}" for name in sorted(self.halted))
        return f"{RefusalCode.STOPPED}: {told}" if told else ""

    def _gate(self, w: WorkingOrder) -> str | None:
        # The desk's own proposals have been judged by the rule itself.
        if w.opens and w.intent is None and (stopped := self._stopped()):
            return stopped
        account, quote = self._account(w.symbol), self.quote(w.symbol)
        for x in w.family():
            request = self._request(w, x, quote)
            refusal = check(request, account, self.gate, self.lot, self._position_frac)
            if refusal is not None:
                return str(refusal)
            if x.opens:
                x.notional = request.notional
        return w.venue_refusal(quote, self.fill_model.exit_gap_usd)

    def _account(self, symbol: str, without: WorkingOrder | None = None) -> AccountState:
        positions, parked, entries = self.ledger.positions, self._parked, self.entries()
        held = {w.symbol for w in entries} | positions.keys()
        waiting = [w for w in entries if w is not without]
        position, budget = positions.get(symbol), self.ledger.budget
        # What was paid counts too: a position that has fallen leaves no room for more of it.
        price = max(position.entry_price, self.quote(symbol)) if position else 0.0
        worth = abs(position.quantity) * price if position else 0.0
        opened = 0 if budget is None else budget.deployed(max(self.today(), budget.day)).day_positions
        return AccountState(
            equity=self.equity(),
            cash=self.ledger.cash - sum(w.notional for w in waiting) + self._coming(),
            day_notional=self.day_notional(without),
            new_positions=opened + len({w.symbol for w in waiting} - positions.keys() - parked),
            open_positions=len(held - parked),
            holds_symbol=symbol in held,
            symbol_notional=worth + sum(w.notional for w in waiting if w.symbol == symbol),
        )

    def _coming(self) -> float:
        """USD that sales of parked cash bring at the open at which what is ordered now is filled, before it."""
        if not self._parked:
            return 0.0
        sales = (w for s in self._parked for w in self._of_symbol.get(s, ()) if w.exit and w.ticket.kind is Kind.MARKET)
        model = self.fill_model
        cost = model.market_slippage_bps / 1e4 + model.fee_frac
        return sum(w.quantity * (self.quote(w.symbol) * (1 - cost) - model.fee_per_share_usd) for w in sales)

    def _request(self, parent: WorkingOrder, w: WorkingOrder, quote: float) -> OrderRequest:
        return OrderRequest(
            symbol=w.symbol,
            opens=w.opens,
            quantity=w.quantity,
            quote=quote,
            reference=parent.intent.price if parent.intent is not None else None,
            limit_price=w.record.limit_price,
            stop_price=w.record.stop_price,
            buy=w.ticket.buy,
            # Only what opens is limited by what it may cost.
            beyond_frac=self._beyond(w) if w.opens else 0.0,
        )

    def _beyond(self, w: WorkingOrder) -> float:
        """How far beyond its price an order may be filled: at once by its slippage, later by what the market does."""
        model, row = self.fill_model, self._next_row
        at_once = w.ticket.kind is Kind.MARKET and row < len(self._opens) and self._opens[row] == self.datetime
        return (model.market_slippage_bps / 1e4 if at_once else self.gate.price_collar_frac) + model.fee_frac

    def _start(self, w: WorkingOrder) -> None:
        w.work_on(self._column.get(w.symbol, -1))
        if w.day:
            self._day_orders += 1
        else:
            w.expires = self.datetime + timedelta(days=GTC_DAYS)
            self._first_expiry = w.expires if self._first_expiry is None else min(self._first_expiry, w.expires)
        self._all[w.number] = w
        if w.opens:
            self._opening[w.number] = w
        self._of_symbol.setdefault(w.symbol, []).append(w)
        self._orders_changed(w.symbol)
        position = self.ledger.positions.get(w.symbol) if w.exit else None
        if position is None:
            return
        # A bracket's exits stand where the position that its entry has opened says.
        if w.ticket.kind is Kind.LIMIT:
            if position.target != w.ticket.limit:
                self.ledger.change(w.symbol, target=w.ticket.limit)
        elif w.ticket.kind is not Kind.MARKET and not math.isnan(w.ticket.stop) and position.stop != w.ticket.stop:
            self.ledger.change(w.symbol, stop=w.ticket.stop)

    # ---- out --------------------------------------------------------------------------------------------

    def _stop_working(self, w: WorkingOrder) -> bool:
        if self._all.pop(w.number, None) is None:
            return False
        self._opening.pop(w.number, None)
        self._day_orders -= w.day
        self._orders_changed(w.symbol)
        group = self._of_symbol[w.symbol]
        group.remove(w)
        if not group:
            del self._of_symbol[w.symbol]
        return True

    def _reject(self, w: WorkingOrder, why: str) -> None:
        self._stop_working(w)
        for x in w.family():
            x.record.status = "rejected"
            x.record.reason = why if x is w else f"{x.record.role} of a rejected order"
            if x is not w:
                self._mark_cancelled(x)
        self._tell_rejected(w, why)

    def _cancel(self, w: WorkingOrder) -> None:
        """Cancel a working order; at the venue cancelling one exit of a group cancels the group."""
        self._end(w, "cancelled")
        if (sibling := self._all.get(w.sibling)) is not None:
            self._end(sibling, "cancelled")

    def _end(self, w: WorkingOrder, status: str, reason: str = "") -> None:
        if not self._stop_working(w):
            return
        w.record.status = status
        if reason:
            w.record.reason = reason
        self._tell_cancelled(w)
        if not w.filled:
            for leg in w.legs:
                leg.record.status = "cancelled"
                self._mark_cancelled(leg)

    def _modify(self, w: WorkingOrder, limit_price: float | None = None, stop_price: float | None = None) -> None:
        request = self._request(w, w, self.quote(w.symbol))
        request = replace(
            request,
            limit_price=request.limit_price if limit_price is None else limit_price,
            stop_price=request.stop_price if stop_price is None else stop_price,
        )
        # What the order itself may open is replaced, not added to.
        refusal = check(request, self._account(w.symbol, without=w), self.gate, self.lot, self._position_frac)
        if refusal is not None:
            w.record.reason = str(refusal)
            return
        if w.opens:
            w.notional = request.notional
        w.reprice(limit_price, stop_price)
        if w.exit and w.symbol in self.ledger.positions:
            moved = {"stop": stop_price, "target": limit_price}
            self.ledger.change(w.symbol, **{name: price for name, price in moved.items() if price is not None})
        self._tell_modified(w)
