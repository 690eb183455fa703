"""A Lumibot backtesting broker whose fills can be believed.

``BarFillBroker`` keeps Lumibot's order life cycle (trackers, events, callbacks, cash) and replaces its
matching: orders fill from the bar arrays by ``fills``, exits live from the entry bar on and die with
their position, nothing is bought beyond cash, and every order passes the policy gate.
"""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from lumibot.backtesting import BacktestingBroker
from lumibot.entities import Order
from lumibot.trading_builtins import CustomStream

from brokers.backtest.fills import Kind
from brokers.backtest.matching import BarMatching
from brokers.backtest.source import causal
from brokers.backtest.working_orders import GTC_DAYS, WorkingOrder, build_working_order
from risk.model import Proposal
from risk.policy_gate import AccountState, OrderRequest, check


class OrderRefused(Exception):
    """The gate or the venue's rules refused an order; carried on the order as its error."""


class BarFillBroker(BarMatching, BacktestingBroker):
    """Backtesting broker that fills from a ``BarTable``.

    Parameters
    ----------
    data_source : DataSourceBacktesting
        Lumibot's clock and history; prices for fills come from ``bars``.

    Notes
    -----
    ``open_account`` must be called (the strategy's desk does) before orders are sent.
    """

    def __init__(self, data_source: Any, **kwargs: Any) -> None:
        self._by_id: dict[str, Order] = {}
        self._by_order: dict[int, WorkingOrder] = {}
        self.intents: dict[str, tuple[str, Proposal | None, str]] = {}
        self._before_iteration = False
        BarMatching.__init__(self)
        BacktestingBroker.__init__(self, data_source, **kwargs)

    @classmethod
    def replacing(cls, broker: BacktestingBroker) -> BarFillBroker:
        """An honest broker on the bars of a stock one, which is told to stop."""
        broker.stream.stop()
        return cls(causal(broker.data_source))

    # ---- Lumibot's life cycle -------------------------------------------------------------------------

    def _launch_stream(self) -> None:
        # Events are dispatched in the caller's thread; the stock thread would only keep the run's data alive.
        self._register_stream_events()
        self._stream_established()

    def _register_stream_events(self) -> None:
        def bind(event: str) -> None:
            def act(order: Order, price: float | None = None, filled_quantity: float | None = None, **_: Any) -> None:
                self._process_trade_event(order, event, price=price, filled_quantity=filled_quantity)

            self.stream.add_action(event)(act)

        for event in (self.NEW_ORDER, self.PLACEHOLDER_ORDER, self.CANCELED_ORDER, self.MODIFIED_ORDER):
            bind(event)

    def _get_stream_object(self) -> CustomStream:
        return CustomStream()

    def get_tracked_order(self, identifier: str, use_placeholders: bool = False) -> Order | None:
        return self._by_id.get(identifier)

    def _cancel_open_orders_for_asset(self, *args: Any, **kwargs: Any) -> None:
        """Nothing to do: exits are cancelled with their position by the matching itself."""

    def process_pending_orders(self, strategy: Any = None) -> None:
        """Match every bar that has begun by now against the working orders."""
        if not self._opened or self._before_iteration:
            return
        now = self.datetime
        while self._next_row < len(self._opens) and self._opens[self._next_row] <= now:
            self._process_bar(self._next_row)

    def _await_market_to_open(self, timedelta: Any = None, strategy: Any = None) -> None:
        # Lumibot matches orders here too; the bar that begins now must wait for the decision made at its opening.
        self._before_iteration = True
        try:
            super()._await_market_to_open(timedelta, strategy)
        finally:
            self._before_iteration = False

    def _update_datetime(self, update_dt: Any, **kwargs: Any) -> None:
        if self._opened:
            self._catch_up(update_dt)
        super()._update_datetime(update_dt, **kwargs)

    def _catch_up(self, update_dt: Any) -> None:
        """Match bars that pass unseen between two iterations: resting orders don't sleep with the strategy."""
        if isinstance(update_dt, datetime):
            then = update_dt
        elif isinstance(update_dt, timedelta):
            then = self.datetime + update_dt
        else:
            then = self.datetime + timedelta(seconds=float(update_dt))
        while self._next_row < len(self._opens) and self._opens[self._next_row] < then:
            self._process_bar(self._next_row)

    # ---- orders in ------------------------------------------------------------------------------------

    def _submit_order(self, order: Order) -> Order:
        if not self._opened:
            raise RuntimeError("orders are sent from on_trading_iteration on, not before the account is open")
        role, intent, reason = self.intents.pop(order.identifier, ("", None, ""))
        order.identifier = self.order_id(order.asset.symbol, role or str(order.side))
        self._by_id[order.identifier] = order
        working = build_working_order(
            order, role, intent, reason, self.datetime, self.ledger.quantity(order.asset.symbol)
        )
        self.record.orders.extend(w.record for w in working.family())
        refusal = working.refusal or self._gate(working)
        if refusal:
            self._reject(working, refusal)
            return order
        if working.opens:
            working.notional = self._request(working, working).notional
        order.update_raw(order)
        if order.order_class is Order.OrderClass.OCO:
            self._process_trade_event(order, self.PLACEHOLDER_ORDER)
            for leg in working.legs:
                self._by_id[leg.order.identifier] = leg.order
                self._process_trade_event(leg.order, self.NEW_ORDER)
                self._start(leg)
        else:
            self._process_trade_event(order, self.NEW_ORDER)
            self._start(working)
        return order

    def _submit_orders(self, orders: list[Order], is_multileg: bool = False, **kwargs: Any) -> list[Order]:
        if is_multileg:
            raise NotImplementedError("multi-leg packages are not simulated")
        return [self._submit_order(order) for order in orders]

    def _gate(self, w: WorkingOrder) -> str | None:
        account = self._account(w.symbol)
        for x in w.family():
            refusal = check(self._request(w, x), account, self.gate, self.lot, self._position_frac)
            if refusal is not None:
                return str(refusal)
        return w.venue_refusal(self.quote(w.symbol))

    def _account(self, symbol: str, without: WorkingOrder | None = None) -> AccountState:
        held = {s for s, group in self._of_symbol.items() if any(x.opens for x in group)} | self.ledger.positions.keys()
        positions = self.ledger.positions
        waiting = [w for w in self.entries() if w is not without]
        position, budget = positions.get(symbol), self.ledger.budget
        # What was paid counts too: a position that has fallen leaves no room for more of it.
        price = max(position.entry_price, self.quote(symbol)) if position else 0.0
        worth = abs(position.quantity) * price if position else 0.0
        opened = 0 if budget is None else budget.deployed(max(self.datetime.date(), budget.day)).day_positions
        return AccountState(
            equity=self.equity(),
            cash=self.ledger.cash - sum(w.notional for w in waiting),
            day_notional=self.day_notional(without),
            new_positions=opened + len({w.symbol for w in waiting} - positions.keys()),
            open_positions=len(held),
            holds_symbol=symbol in held,
            symbol_notional=worth + sum(w.notional for w in waiting if w.symbol == symbol),
        )

    def _request(self, parent: WorkingOrder, w: WorkingOrder) -> OrderRequest:
        return OrderRequest(
            symbol=w.symbol,
            opens=w.opens,
            quantity=w.quantity,
            quote=self.quote(w.symbol),
            reference=parent.intent.price if parent.intent is not None else None,
            limit_price=w.record.limit_price,
            stop_price=w.record.stop_price,
            buy=w.ticket.buy,
            beyond_frac=self._beyond(w),
        )

    def _beyond(self, w: WorkingOrder) -> float:
        """How far beyond its price an order may be filled: at once by its slippage, later by what the market does."""
        model, row = self.fill_model, self._next_row
        at_once = w.ticket.kind is Kind.MARKET and row < len(self._opens) and self._opens[row] == self.datetime
        return (model.market_slippage_bps / 1e4 if at_once else self.gate.price_collar_frac) + model.fee_frac

    def _activate(self, leg: WorkingOrder) -> None:
        self._by_id[leg.order.identifier] = leg.order
        self._new_orders.append(leg.order)
        self._start(leg)

    def _start(self, w: WorkingOrder) -> None:
        w.column = self._column.get(w.symbol, -1)
        w.session = self._sessions[min(self._next_row, len(self._sessions) - 1)]
        if not w.day:
            w.expires = self.datetime + timedelta(days=GTC_DAYS)
        self._all[w.number] = w
        self._by_order[id(w.order)] = w
        self._of_symbol.setdefault(w.symbol, []).append(w)
        if w.exit and w.symbol in self.ledger.positions:
            if w.ticket.kind is Kind.LIMIT:
                self.ledger.change(w.symbol, target=w.ticket.limit)
            elif w.ticket.kind is not Kind.MARKET and not math.isnan(w.ticket.stop):
                self.ledger.change(w.symbol, stop=w.ticket.stop)

    # ---- orders out -----------------------------------------------------------------------------------

    def _stop_working(self, w: WorkingOrder) -> bool:
        if self._all.pop(w.number, None) is None:
            return False
        del self._by_order[id(w.order)]
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
                x.order.status = self.CANCELED_ORDER
        self._process_trade_event(w.order, self.ERROR_ORDER, error=OrderRefused(why))

    def cancel_order(self, order: Order) -> None:
        """Cancel a working order; at the venue cancelling one exit of a group cancels the group."""
        w = self._by_order.get(id(order))
        if w is None:
            # Of an OCO only the exits work; any other order that doesn't work can't be cancelled any more.
            if order.order_class is Order.OrderClass.OCO:
                for child in order.child_orders:
                    self.cancel_order(child)
            return
        self._end(w, "cancelled")
        if w.sibling is not None:
            self._end(w.sibling, "cancelled")

    def _end(self, w: WorkingOrder, status: str, reason: str = "") -> None:
        if not self._stop_working(w):
            return
        w.record.status = status
        if reason:
            w.record.reason = reason
        self._process_trade_event(w.order, self.CANCELED_ORDER)
        if not w.filled:
            for leg in w.legs:
                leg.record.status = "cancelled"
                leg.order.status = self.CANCELED_ORDER

    def _modify_order(self, order: Order, limit_price: float | None = None, stop_price: float | None = None) -> None:
        w = self._by_order.get(id(order))
        if w is None:
            return
        request = self._request(w, w)
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
        self._process_trade_event(order, self.MODIFIED_ORDER)

    # ---- matching ---------------------------------------------------------------------------------------

    def _booked(self, w: WorkingOrder, price: float, quantity: float, cost: float) -> None:
        w.order.trade_cost = cost
        self._process_trade_event(w.order, self.FILLED_ORDER, price=price, filled_quantity=float(quantity))
        if cost and (strategy := self.strategy_of(w.order.strategy)) is not None:
            self._apply_trade_cost(strategy, cost)

    def _credited(self, symbol: str, amount: float) -> None:
        for subscriber in self._subscribers:
            strategy = subscriber.strategy
            strategy._set_cash_position(float(strategy.cash) + amount)
            strategy._record_backtest_cash_event(
                event_type="dividend", amount=amount, reason="dividend", raw_type="dividend", raw_subtype=symbol
            )

    def strategy_of(self, name: str) -> Any:
        subscriber = self._get_subscriber(name)
        return None if subscriber is None else subscriber.strategy
