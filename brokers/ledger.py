"""Cash, positions and closed trades of one account, from its fills. No Lumibot, no clock."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from brokers.record import RunRecord, TradeRecord
from config.values.closed_trades import CLOSED_TRADES_KEPT
from market.trading_day import day_of
from risk.model import ClosedTrade, Position, Proposal
from risk.weekly_budget import WeeklyBudget


@dataclass(slots=True)
class Fill:
    """One execution: ``quantity`` is signed (negative sells), ``fee`` in USD, ``reason`` the order's role."""

    symbol: str
    quantity: float
    price: float
    fee: float
    time: datetime
    reason: str


@dataclass(slots=True)
class Ledger:
    """The account.

    ``entry_fees`` holds what opening each position cost, until its trades carry it; ``realised`` what its
    closed portions brought so far; ``budget`` what was deployed; ``closed``
    every position that is closed completely. ``parked`` are funds that count as cash: they are charged to no budget and
    are no trades; what they brought is in the record's ``parked``. ``fills`` counts what was booked.
    """

    cash: float
    record: RunRecord
    positions: dict[str, Position] = field(default_factory=dict)
    entry_fees: dict[str, float] = field(default_factory=dict)
    realised: dict[str, float] = field(default_factory=dict)
    budget: WeeklyBudget | None = None
    closed: list[ClosedTrade] = field(default_factory=list)
    parked: frozenset[str] = frozenset()
    fills: int = 0
    _latest: tuple[ClosedTrade, ...] = field(default=(), init=False, repr=False, compare=False)

    @property
    def latest(self) -> tuple[ClosedTrade, ...]:
        """The newest positions that are closed, as many as a book holds; every book of one time holds the same."""
        newest = self.closed[-1] if self.closed else None
        if newest is not (self._latest[-1] if self._latest else None):
            self._latest = tuple(self.closed[-CLOSED_TRADES_KEPT:])
        return self._latest

    def quantity(self, symbol: str) -> float:
        position = self.positions.get(symbol)
        return 0 if position is None else position.quantity

    def apply(self, fill: Fill, intent: Proposal | None, stop: float, target: float) -> None:
        """Book a fill; ``intent``, ``stop`` and ``target`` describe the position if this fill opens one."""
        self.fills += 1
        self.cash = round(self.cash - fill.quantity * fill.price - fill.fee, 6)
        self.record.fees += fill.fee
        if self.budget is not None and fill.symbol not in self.parked:
            self.budget = self._charged(self.budget, fill)
        self.record.turnover += abs(fill.quantity) * fill.price
        position = self.positions.get(fill.symbol)
        if position is None:
            self.positions[fill.symbol] = _opened(fill, intent, stop, target)
            self.entry_fees[fill.symbol] = fill.fee
        elif position.quantity * fill.quantity > 0:
            total = position.quantity + fill.quantity
            paid = (position.entry_price * position.quantity + fill.price * fill.quantity) / total
            self.change(fill.symbol, entry_price=paid, quantity=total)
            self.entry_fees[fill.symbol] += fill.fee
        else:
            self._close(position, fill)

    def change(self, symbol: str, **values: Any) -> Position:
        """Put a changed position in the place of the one held; books that were handed out keep theirs."""
        position = self.positions[symbol] = self.positions[symbol].changed(**values)
        return position

    def credit(self, dividend: float) -> None:
        """Book a dividend, USD; negative where a short position owes it."""
        self.cash = round(self.cash + dividend, 6)
        self.record.dividends += dividend

    def earn(self, interest: float) -> None:
        """Book interest on idle cash, USD."""
        self.cash = round(self.cash + interest, 6)
        self.record.interest += interest

    def _charged(self, budget: WeeklyBudget, fill: Fill) -> WeeklyBudget:
        day, position = day_of(fill.time), self.positions.get(fill.symbol)
        if position is None or position.quantity * fill.quantity > 0:
            return budget.opened(fill.symbol, abs(fill.quantity) * fill.price, day)
        if _flat(position.quantity + fill.quantity, fill.quantity):
            return budget.closed(fill.symbol, day)
        return budget.reduced(fill.symbol, abs(fill.quantity) * position.entry_price, day)

    def _close(self, position: Position, fill: Fill) -> None:
        closed = abs(fill.quantity)
        share = closed / abs(position.quantity)
        entry_fee = self.entry_fees[fill.symbol] * share
        self.entry_fees[fill.symbol] -= entry_fee
        direction = 1 if position.quantity > 0 else -1
        pnl = direction * (fill.price - position.entry_price) * closed - fill.fee - entry_fee
        risk = position.risk_per_share
        if fill.symbol in self.parked:
            self.record.parked += pnl
            self._unpark(position, fill)
            return
        self.record.trades.append(
            TradeRecord(
                symbol=fill.symbol,
                side=position.side,
                quantity=closed,
                entry_time=position.entry_time,
                entry_price=position.entry_price,
                exit_time=fill.time,
                exit_price=fill.price,
                stop=position.initial_stop,
                target=position.target,
                atr=position.atr,
                stop_multiple=position.stop_multiple_atr,
                pnl=round(pnl, 4),
                r_multiple=pnl / closed / risk if risk > 0 else math.nan,
                exit_reason=fill.reason,
                signal=position.signal,
                score=position.score,
            )
        )
        self.realised[fill.symbol] = self.realised.get(fill.symbol, 0.0) + pnl
        left = position.quantity + fill.quantity
        if _flat(left, fill.quantity):
            del self.positions[fill.symbol], self.entry_fees[fill.symbol]
            total = self.realised.pop(fill.symbol)
            at_risk = risk * abs(position.initial_quantity)
            self.closed.append(
                ClosedTrade(
                    symbol=fill.symbol,
                    opened=position.entry_time,
                    closed=fill.time,
                    pnl=round(total, 4),
                    r_multiple=total / at_risk if at_risk > 0 else math.nan,
                    role=position.role,
                )
            )
        else:
            partial = position.partial_taken or fill.reason == "partial"
            self.change(fill.symbol, quantity=left, partial_taken=partial)

    def _unpark(self, position: Position, fill: Fill) -> None:
        left = position.quantity + fill.quantity
        if _flat(left, fill.quantity):
            del self.positions[fill.symbol], self.entry_fees[fill.symbol]
        else:
            self.change(fill.symbol, quantity=left)


def _flat(left: float, sold: float) -> bool:
    """Whether nothing is left but the noise of binary numbers, which grows with what was sold."""
    return abs(left) < 1e-9 or abs(left) <= 4 * math.ulp(sold)


def _opened(fill: Fill, intent: Proposal | None, stop: float, target: float) -> Position:
    told: dict[str, Any] = {}
    if intent is not None:
        told = {name: getattr(intent, name) for name in ("atr", "signal", "score", "role")}
        told["stop_multiple_atr"] = intent.terms.stop_multiple_atr
    return Position(
        symbol=fill.symbol,
        quantity=fill.quantity,
        entry_price=fill.price,
        entry_time=fill.time,
        stop=stop,
        target=target,
        initial_stop=stop,
        initial_quantity=fill.quantity,
        best_price=fill.price,
        **told,
    )
