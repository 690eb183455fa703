"""A Lumibot backtesting broker whose fills can be believed.

``BarFillBroker`` keeps Lumibot's order life cycle (trackers, events, callbacks, cash) and replaces its
matching: orders fill from the bar arrays by ``fills``, exits live from the entry bar on and die with
their position, nothing is bought beyond cash, and every order passes the policy gate.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any

from lumibot.entities import Order
from lumibot.trading_builtins import CustomStream

from brokers.backtest.lumibot_orders import build_working_order
from brokers.backtest.order_life import OrderLife
from brokers.backtest.source import causal
from brokers.backtest.working_orders import WorkingOrder
from brokers.lumibot.backtesting import BacktestingBroker


class OrderRefused(Exception):
    """The gate or the venue's rules refused an order; carried on the order as its error."""


class BarFillBroker(OrderLife, BacktestingBroker):
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
        self._before_iteration = False
        self._session_ends: tuple[Any, float, float] = (None, math.inf, -math.inf)
        OrderLife.__init__(self)
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

    @property
    def ended(self) -> bool:
        """Whether the run's last bar has been matched, so that what it closed at is known."""
        row = self._next_row
        return row > 0 and (row == len(self._opens) or self._opens[row] > self.data_source.datetime_end)

    def _await_market_to_open(self, timedelta: Any = None, strategy: Any = None) -> None:
        # Lumibot matches orders here too; the bar that begins now must wait for the decision made at its opening.
        self._before_iteration = True
        try:
            super()._await_market_to_open(timedelta, strategy)
        finally:
            self._before_iteration = False

    def get_time_to_close(self) -> float | None:
        """Seconds to the end of the session; None after the last one.

        Lumibot looks its table of sessions through at every bar; until the end that it found, the clock tells.
        """
        now = self.datetime.timestamp()
        days, since, until = self._session_ends
        if since <= now < until and days is self._trading_days:
            return float(until - now)
        seconds: float | None = super().get_time_to_close()
        if seconds:
            self._session_ends = (self._trading_days, now, now + seconds)
        return seconds

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
        self._accept(working)
        return order

    def _submit_orders(self, orders: list[Order], is_multileg: bool = False, **kwargs: Any) -> list[Order]:
        if is_multileg:
            raise NotImplementedError("multi-leg packages are not simulated")
        return [self._submit_order(order) for order in orders]

    def _activate(self, leg: WorkingOrder) -> None:
        self._by_id[leg.order.identifier] = leg.order
        self._new_orders.append(leg.order)
        self._start(leg)

    def _start(self, w: WorkingOrder) -> None:
        super()._start(w)
        self._by_order[id(w.order)] = w

    # ---- orders out -----------------------------------------------------------------------------------

    def _stop_working(self, w: WorkingOrder) -> bool:
        if not super()._stop_working(w):
            return False
        del self._by_order[id(w.order)]
        return True

    def cancel_order(self, order: Order) -> None:
        """Cancel a working order; at the venue cancelling one exit of a group cancels the group."""
        w = self._by_order.get(id(order))
        if w is None:
            # Of an OCO only the exits work; any other order that doesn't work can't be cancelled any more.
            if order.order_class is Order.OrderClass.OCO:
                for child in order.child_orders:
                    self.cancel_order(child)
            return
        self._cancel(w)

    def _modify_order(self, order: Order, limit_price: float | None = None, stop_price: float | None = None) -> None:
        w = self._by_order.get(id(order))
        if w is not None:
            self._modify(w, limit_price, stop_price)

    # ---- told to Lumibot ----------------------------------------------------------------------------------

    def _begin(self, w: WorkingOrder) -> None:
        order = w.order
        order.update_raw(order)
        if order.order_class is Order.OrderClass.OCO:
            self._process_trade_event(order, self.PLACEHOLDER_ORDER)
            for leg in w.legs:
                self._by_id[leg.order.identifier] = leg.order
                self._process_trade_event(leg.order, self.NEW_ORDER)
                self._start(leg)
        else:
            self._process_trade_event(order, self.NEW_ORDER)
            self._start(w)

    def _tell_rejected(self, w: WorkingOrder, why: str) -> None:
        self._process_trade_event(w.order, self.ERROR_ORDER, error=OrderRefused(why))

    def _tell_cancelled(self, w: WorkingOrder) -> None:
        self._process_trade_event(w.order, self.CANCELED_ORDER)

    def _tell_modified(self, w: WorkingOrder) -> None:
        self._process_trade_event(w.order, self.MODIFIED_ORDER)

    def _mark_cancelled(self, leg: WorkingOrder) -> None:
        leg.order.status = self.CANCELED_ORDER

    def _booked(self, w: WorkingOrder, price: float, quantity: float, cost: float) -> None:
        w.order.trade_cost = cost
        self._process_trade_event(w.order, self.FILLED_ORDER, price=price, filled_quantity=float(quantity))
        if cost and (strategy := self.strategy_of(w.order.strategy)) is not None:
            self._apply_trade_cost(strategy, cost)

    def _credited(self, kind: str, symbol: str, amount: float) -> None:
        for subscriber in self._subscribers:
            strategy = subscriber.strategy
            strategy._set_cash_position(float(strategy.cash) + amount)
            strategy._record_backtest_cash_event(
                event_type=kind, amount=amount, reason=kind, raw_type=kind, raw_subtype=symbol or None
            )

    def strategy_of(self, name: str) -> Any:
        subscriber = self._get_subscriber(name)
        return None if subscriber is None else subscriber.strategy
