"""The broker of the replay engine: the order life and matching of a backtest, with orders of its own."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from brokers.backtest.fills import Kind, Ticket
from brokers.backtest.order_life import OrderLife
from brokers.backtest.working_orders import WorkingOrder
from brokers.record import OrderRecord
from risk.model import Side


@dataclass(slots=True, eq=False)
class ReplayOrder:
    """An order as the desk asks for it: at market without a limit, with exits if ``stop`` and ``target`` are given.

    ``quantity`` in shares, prices in USD. ``closes`` tells an exit from an entry. ``number`` is that of the working
    order, -1 before it is sent: a number and no reference, so that what has ended leaves memory at once.
    """

    symbol: str
    buy: bool
    quantity: float
    closes: bool
    stop: float = 0.0
    target: float = 0.0
    limit_price: float | None = None
    stop_price: float | None = None
    identifier: int = field(default_factory=itertools.count().__next__)
    number: int = -1


class ReplayOrders:
    """Makes the desk's orders."""

    def closing(self, symbol: str, quantity: float, long: bool) -> ReplayOrder:
        """A market order for the day that reduces a long or a short position."""
        return ReplayOrder(symbol, not long, quantity, closes=True)

    def bracket(
        self, symbol: str, side: Side, quantity: float, stop: float, target: float, limit: float | None = None
    ) -> ReplayOrder:
        """An entry with a stop and a target that live until they are cancelled; at market without a limit; USD."""
        return ReplayOrder(symbol, side == "buy", quantity, closes=False, stop=stop, target=target, limit_price=limit)


class ReplayBroker(OrderLife):
    """An account on a bar table whose clock is set by the engine."""

    datetime: Any

    def __init__(self, begins: datetime, cash: float = 0.0) -> None:
        super().__init__()
        self.datetime = begins
        self._first_cash = cash

    @property
    def cash(self) -> float:
        """Cash of the account, USD."""
        return self.ledger.cash if self.account_open else self._first_cash

    def submit_order(self, order: ReplayOrder) -> ReplayOrder:
        """Take an order in: it works from now on, or its record says why not."""
        role, intent, reason = self.intents.pop(order.identifier)
        name = self.order_id(order.symbol, role)
        kind = Kind.MARKET if order.limit_price is None else Kind.LIMIT
        working = self._one(order, name, "", role, kind, order.buy, order.closes, reason, order.limit_price)
        working.intent = intent
        working.day = order.closes
        if not order.closes:
            target = self._leg(order, working, 0, Kind.LIMIT, order.target)
            stop = self._leg(order, working, 1, Kind.STOP, order.stop)
            target.sibling, stop.sibling = stop.number, target.number
            working.legs = [target, stop]
        self._accept(working)
        return order

    def modify_order(
        self, order: ReplayOrder, limit_price: float | None = None, stop_price: float | None = None
    ) -> None:
        """Move the price of an order that works."""
        working = self._all.get(order.number)
        if working is not None:
            self._modify(working, limit_price, stop_price)

    def match_before(self, moment: datetime) -> None:
        """Match every bar that begins before ``moment``."""
        while self._next_row < len(self._opens) and self._opens[self._next_row] < moment:
            self._process_bar(self._next_row)

    def match_now(self) -> None:
        """Match every bar that has begun by now."""
        while self._next_row < len(self._opens) and self._opens[self._next_row] <= self.datetime:
            self._process_bar(self._next_row)

    def _activate(self, leg: WorkingOrder) -> None:
        self._start(leg)

    def _booked(self, w: WorkingOrder, price: float, quantity: float, cost: float) -> None:
        """Nobody else keeps books here."""

    def _credited(self, kind: str, symbol: str, amount: float) -> None:
        """Nobody else keeps books here."""

    def _leg(self, order: ReplayOrder, parent: WorkingOrder, place: int, kind: Kind, price: float) -> WorkingOrder:
        role = "target" if kind is Kind.LIMIT else "stop"
        name = f"{parent.record.client_order_id}-{role}{place}"
        return self._one(order, name, parent.record.client_order_id, role, kind, not order.buy, True, "", price)

    def _one(
        self,
        order: ReplayOrder,
        name: str,
        parent: str,
        role: str,
        kind: Kind,
        buy: bool,
        exit_: bool,
        reason: str,
        price: float | None = None,
    ) -> WorkingOrder:
        quantity = float(order.quantity)
        ticket, limit, stop = Ticket(kind, buy), None, None
        if kind is Kind.LIMIT and price is not None:
            ticket.limit = limit = price
        elif kind is Kind.STOP and price is not None:
            ticket.stop = stop = price
        record = OrderRecord(
            time=self.datetime,
            client_order_id=name,
            parent_id=parent,
            symbol=order.symbol,
            side="buy" if buy else "sell",
            quantity=int(quantity) if quantity.is_integer() else quantity,
            type=kind.name.lower(),
            limit_price=limit,
            stop_price=stop,
            role=role,
            reason=reason,
        )
        mine = order if not parent else ReplayOrder(order.symbol, buy, quantity, True)
        working = WorkingOrder(mine, ticket, order.symbol, quantity, not exit_, exit_, False, record)
        mine.number = working.number
        return working
