"""Matches bars against working orders: what fills, at which price, in which order, and what follows from it."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime
from typing import Any

from brokers.backtest.account_state import AccountState
from brokers.backtest.fills import Kind, at_open, fee, within
from brokers.backtest.working_orders import GTC_DAYS, WorkingOrder, reached
from brokers.ledger import Fill
from brokers.record import EquityRow
from market.trading_day import day_of

DAYS_A_YEAR = 365


class BarMatching(AccountState):
    """The matching side of ``BarFillBroker``; how an order begins and ends is told to Lumibot by the subclass."""

    on_bar: Callable[[int], Any] | None = None

    def _stop_working(self, w: WorkingOrder) -> bool:
        """Take an order out of the working ones; False if it wasn't among them."""
        raise NotImplementedError

    def _end(self, w: WorkingOrder, status: str, reason: str = "") -> None:
        """End an order without a fill."""
        raise NotImplementedError

    def _reject(self, w: WorkingOrder, why: str) -> None:
        """Refuse an order, its exits too."""
        raise NotImplementedError

    def _booked(self, w: WorkingOrder, price: float, quantity: float, cost: float) -> None:
        """Tell of a fill."""
        raise NotImplementedError

    def _credited(self, kind: str, symbol: str, amount: float) -> None:
        """Tell of a dividend of a symbol, or of interest on cash."""
        raise NotImplementedError

    def _activate(self, leg: WorkingOrder) -> None:
        """Let an exit work whose entry has filled."""
        raise NotImplementedError

    def _process_bar(self, row: int) -> None:
        self._next_row = row + 1
        self._earn(row)
        due = self._due(row) if self._dividends else {}
        if self._all:
            self._match(row)
            last_of_day = row + 1 >= len(self._days) or self._days[row + 1] != self._days[row]
            if last_of_day:
                self._expire(self._closes[row])
        for symbol, amount in due.items():
            self.ledger.credit(amount)
            self._credited("dividend", symbol, amount)
        self._value(row)
        if self.on_bar is not None:
            self.on_bar(1)

    def _earn(self, row: int) -> None:
        """Credit the interest on cash for the days since the last one, with the first bar of the next.

        Cash that a short sale brought in earns none: it secures the shares that are owed. Neither do the days before
        the account began, in data that begin earlier.
        """
        rate = self.fill_model.cash_interest_frac
        if not rate or row == 0 or self._days[row] == self._days[row - 1]:
            return
        if self._opens[row] == self.record.began:
            return
        short = sum(-p.quantity * p.entry_price for p in self.ledger.positions.values() if p.quantity < 0)
        days = (day_of(self._opens[row]) - day_of(self._opens[row - 1])).days
        if (idle := self.ledger.cash - short) > 0:
            interest = round(idle * rate * days / DAYS_A_YEAR, 6)
            self.ledger.earn(interest)
            self._credited("interest", "", interest)

    def _due(self, row: int) -> dict[str, float]:
        """Dividends in USD for what is held when the ex-date begins; who is short owes them.

        They are credited at its close: until then equity counts the price of the day before, which holds them.
        """
        positions = self.ledger.positions
        paid = self._dividends.get(row, {})
        return {symbol: positions[symbol].quantity * paid[symbol] for symbol in paid if symbol in positions}

    def _match(self, row: int) -> None:
        opens, highs, lows, closes = self._prices_at(row)
        model, time = self.fill_model, self._opens[row]
        touched = reached(self._all.values(), highs, lows)
        for w in touched:
            if w.number in self._all:
                price = at_open(w.ticket, opens[w.column], model)
                if price == price:
                    touched += reached(self._fill(w, price, opens[w.column], time), highs, lows)
        # Inside the bar the order of prices is unknown: stops go first, limits after them.
        for stops in (True, False):
            for w in touched:
                if w.number in self._all and (w.ticket.kind >= Kind.STOP) is stops:
                    k = w.column
                    price = within(w.ticket, highs[k], lows[k], closes[k], model)
                    if price == price:
                        if w.opens:
                            self._entered_inside[w.symbol] = time
                        for leg in self._fill(w, price, w.raw_price(), time):
                            self._stop_at_once(leg, highs, lows, closes, time)

    def _stop_at_once(
        self, leg: WorkingOrder, highs: list[float], lows: list[float], closes: list[float], time: datetime
    ) -> None:
        """An entry filled inside a bar may have been stopped in the rest of it: the bar can't tell, so it was."""
        if leg.ticket.kind < Kind.STOP:
            return
        k = leg.column
        price = within(leg.ticket, highs[k], lows[k], closes[k], self.fill_model)
        if price == price:
            self._fill(leg, price, leg.raw_price(), time)

    def _fill(self, w: WorkingOrder, price: float, raw: float, time: datetime) -> list[WorkingOrder]:
        """Book one complete fill; returns exits that became active by it."""
        held = self.ledger.quantity(w.symbol)
        quantity = min(w.quantity, abs(held)) if w.exit else w.quantity
        if quantity <= 0 or (w.exit and (held > 0) == w.ticket.buy):
            self._end(w, "cancelled", "nothing left to close")
            return []
        if w.opens and held and (held > 0) is not w.ticket.buy:
            self._reject(w, f"VENUE_SIDE: {held:g} {w.symbol} must be closed before the other side is opened")
            return []
        # A limit that was filled at its own price had rested; one filled better was marketable.
        rested = w.ticket.kind is Kind.LIMIT and price == w.ticket.limit
        cost = fee(self.fill_model, quantity, price, rested=rested)
        needed = quantity * price + cost
        if w.opens and needed > self.ledger.cash + 0.005:
            self._reject(w, f"CASH: {needed:.2f} needed, {self.ledger.cash:.2f} there")
            return []
        self._stop_working(w)
        w.filled = True
        record = w.record
        record.status, record.filled_quantity, record.filled_price, record.filled_time = "filled", quantity, price, time
        record.slippage_usd = abs(price - raw) * quantity
        self.record.slippage_cost += record.slippage_usd
        if w.opens and w.symbol not in self._parked:
            self._count_opened(quantity * price)
        signed = quantity if w.ticket.buy else -quantity
        stop, target = w.levels() if w.legs else (math.nan, math.nan)
        self.ledger.apply(Fill(w.symbol, signed, price, cost, time, record.role), w.intent, stop, target)
        self._booked(w, price, quantity, cost)
        if w.exit:
            self._exits_follow(w)
            return []
        for leg in w.legs:
            self._activate(leg)
        return w.legs

    def _exits_follow(self, w: WorkingOrder) -> None:
        """Other exits of the position keep its quantity, and end with it."""
        remaining = abs(self.ledger.quantity(w.symbol))
        for other in list(self.working(w.symbol)):
            if not other.exit:
                continue
            if remaining == 0 or other.number == w.sibling:
                self._end(other, "cancelled", "position closed" if remaining == 0 else "other exit filled")
            elif other.quantity > remaining:
                other.resize(remaining)
                self._orders_changed(other.symbol)

    def _expire(self, at: datetime) -> None:
        if not self._day_orders and (self._first_expiry is None or self._first_expiry > at):
            return
        for w in list(self._all.values()):
            if w.day or (w.expires is not None and w.expires <= at):
                self._end(w, "expired", "day order" if w.day else f"{GTC_DAYS} days at the venue")

    def _value(self, row: int) -> None:
        marks, columns, has_bars, covered = self.marks_at(row), self._column, self._has_bars[row], self._covered
        parked, inverse = self._parked, self.inverse
        long_value = inverse_value = parked_value = gross = 0.0
        protected = count = 0
        for symbol, position in self.ledger.positions.items():
            k = columns[symbol]
            value = position.quantity * marks[k]
            if symbol in parked:
                parked_value += value
                continue
            count += 1
            gross += abs(value)
            if position.role == "hedge" or symbol in inverse:
                inverse_value += value
            else:
                long_value += value
            # In a session without a bar, and where a symbol's bars have ended, no stop can be triggered: none protects.
            if has_bars[k]:
                shares = covered[symbol] if symbol in covered else self.protected_quantity(symbol)
                protected += shares >= abs(position.quantity) - 1e-9
        self.record.position_bars += count
        self.record.protected_bars += protected
        self.record.equity.append(
            EquityRow(
                time=self._closes[row],
                equity=self.ledger.cash + parked_value + long_value + inverse_value,
                cash=self.ledger.cash + parked_value,
                long_exposure=long_value,
                inverse_exposure=inverse_value,
                positions=count,
                protected=protected,
                gross_exposure=gross,
            )
        )
