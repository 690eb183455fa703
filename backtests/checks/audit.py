"""Independent audit of a finished run: were the limits that the settings promise kept at every bar?

The audit knows the orders that filled, the bars and the settings. It repeats none of the risk modules' code:
positions are rebuilt from the fills, correlations and weights are computed anew with pandas.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from backtests.checks.audit_budget import BudgetAudit
from backtests.checks.audit_gate import GATE_RULES, GateAudit
from brokers.record import EquityRow, OrderRecord, RunRecord
from config import Settings
from market.bars import BarTable
from market.sectors import INVERSE, UNCLASSIFIED
from risk.model import OPENING_ROLES
from strategies.registry import build_risk_chain

CENT = 0.01
SLACK = 1e-9
STOPS = ("stop", "stop_limit", "trail")


@dataclass(frozen=True, slots=True)
class Violation:
    """A promise broken at one moment; ``reading`` says by how much."""

    time: datetime
    rule: str
    symbol: str
    reading: str


@dataclass(frozen=True, slots=True)
class Audit:
    """``checked`` counts by rule how often it was put to the test: a rule never tested proves nothing."""

    violations: tuple[Violation, ...]
    checked: Mapping[str, int]


def audit(record: RunRecord, table: BarTable, settings: Settings) -> Audit:
    """Check a backtest's record.

    Parameters
    ----------
    record : RunRecord
    table : BarTable
        The bars it ran on.
    settings : Settings
        What it promised. Rules whose module is not in the chain are not checked.
    """
    return _Auditor(record, table, settings).run()


class _Auditor:
    def __init__(self, record: RunRecord, table: BarTable, settings: Settings) -> None:
        self.record, self.table, self.settings = record, table, settings
        self.rules = {module.name: module.config for module in build_risk_chain(settings)}
        self.column = {symbol: k for k, symbol in enumerate(table.symbols)}
        closes = pd.DataFrame(table.close, columns=list(table.symbols))
        self.has_bars = closes.notna().groupby(table.session).transform("any").to_numpy()
        self.marks = closes.ffill()
        self.returns = self.marks.pct_change(fill_method=None)
        limits = self.rules.get("exposure_budget")
        self.budget = None if limits is None else BudgetAudit(limits)
        self.gate, self.days = GateAudit(settings.policy_gate), table.session
        self.held: dict[str, float] = {}
        self.roles: dict[str, str] = {}
        self.entries_of: dict[str, list[str]] = defaultdict(list)
        self.stops = {order.parent_id: order for order in record.orders if order.type in STOPS}
        self.violations: list[Violation] = []
        self.checked: dict[str, int] = defaultdict(int)
        self.without_bars = 0

    def run(self) -> Audit:
        fills: dict[int, list[OrderRecord]] = defaultdict(list)
        for order in self.record.orders:
            if order.status == "filled" and order.filled_time is not None:
                fills[self._row_opening(order.filled_time)].append(order)
            elif order.status == "rejected" and order.role in OPENING_ROLES:
                fills[self._row_opening(order.time)].append(order)
        cash = self.record.initial_equity
        before = EquityRow(self.table.opens_at[0], cash, cash, 0, 0, 0)
        for after in self.record.equity:
            row = int(self.table.closes_at.searchsorted(pd.Timestamp(after.time)))
            entries = [o for o in fills[row] if o.role in OPENING_ROLES]
            sales = [o for o in fills[row] if o.role not in OPENING_ROLES]
            self._entries(row, entries, before)
            self._weights(row, sales, before)
            self._inverse(row, sales, before)
            self._book(entries, sales)
            self._state(row, after)
            before = after
        self._stops()
        return Audit(tuple(self.violations), dict(self.checked))

    def _row_opening(self, moment: datetime) -> int:
        return int(self.table.opens_at.searchsorted(pd.Timestamp(moment)))

    def _mark(self, row: int, symbol: str) -> float:
        return float(self.marks[symbol].iloc[row])

    def _broken(self, time: Any, rule: str, symbol: str, reading: str) -> None:
        self.violations.append(Violation(time, rule, symbol, reading))

    def _entries(self, row: int, entries: list[OrderRecord], before: EquityRow) -> None:
        cash = before.cash
        open_now = dict(self.roles)
        for order in entries:
            time, price = order.filled_time, order.filled_price
            if time is None or price is None:
                # Refused at the last moment: until then it had been accepted and counted like a position.
                open_now[order.symbol] = order.role
                continue
            cost = order.filled_quantity * price
            cash -= cost
            self.checked["notional"] += 1
            if cost > self.settings.sizing.max_notional_frac * before.equity + CENT:
                self._broken(time, "notional", order.symbol, f"{cost / before.equity:.4f} of equity")
            for module, check in (
                ("cash_buffer", self._cash),
                ("sector_cap", self._sector),
                ("correlation_cap", self._correlation),
            ):
                config = self.rules.get(module)
                if config is not None and (module == "cash_buffer" or order.role == "entry"):
                    self.checked[module] += 1
                    for reading in check(config, row, order.symbol, open_now, cash, before.equity):
                        self._broken(time, module, order.symbol, reading)
            if self.budget is not None:
                self.checked["exposure_budget"] += 1
                for reading in self.budget.entry(order, before.equity):
                    self._broken(time, "exposure_budget", order.symbol, reading)
            for rule in GATE_RULES:
                self.checked[rule] += 1
            for rule, reading in self.gate.entry(order, before.equity, int(self.days[row]), order.symbol in open_now):
                self._broken(time, rule, order.symbol, reading)
            open_now[order.symbol] = order.role
            self.checked["positions"] += 1
            if len(open_now) > self.settings.gate.max_open_positions:
                self._broken(time, "positions", order.symbol, f"{len(open_now)} open")

    def _cash(
        self, config: Any, row: int, symbol: str, held: dict[str, str], cash: float, equity: float
    ) -> Iterator[str]:
        if cash < config.buffer_frac * equity - CENT:
            yield f"cash {cash / equity:.4f} of equity"

    def _sector(
        self, config: Any, row: int, symbol: str, held: dict[str, str], cash: float, equity: float
    ) -> Iterator[str]:
        sectors = self.settings.universe.sectors
        mine = sectors.get(symbol, UNCLASSIFIED)
        entries = [s for s, role in held.items() if role == "entry"]
        same = sum(sectors.get(s, UNCLASSIFIED) == mine for s in entries) + 1
        total = len(entries) + 1
        if same > config.max_positions:
            yield f"{mine} {same} positions"
        if total >= config.share_from_positions and same / total > config.max_share_frac + SLACK:
            yield f"{mine} {same} of {total} positions"

    def _correlation(
        self, config: Any, row: int, symbol: str, held: dict[str, str], cash: float, equity: float
    ) -> Iterator[str]:
        others = [s for s, role in held.items() if role == "entry" and s != symbol]
        window = self.returns[[symbol, *others]].iloc[max(0, row - config.bars) : row]
        close = int((window.corr(min_periods=config.min_bars)[symbol][others] > config.max_correlation).sum())
        if close >= config.max_positions:
            yield f"{close} positions move with it"

    def _weights(self, row: int, sales: list[OrderRecord], before: EquityRow) -> None:
        config = self.rules.get("rebalancer")
        if config is None:
            return
        time = self.table.opens_at[row]
        for symbol, quantity in self.held.items():
            # A symbol without a new bar waits for one, and the last lot is never trimmed.
            if np.isnan(self.table.close[row - 1, self.column[symbol]]) or quantity <= config.lot:
                continue
            mark = self._mark(row - 1, symbol)
            self.checked["weight"] += 1
            sold = sum(o.filled_quantity for o in sales if o.symbol == symbol)
            if quantity * mark > (config.max_weight_frac + config.band_frac) * before.equity + CENT and not sold:
                self._broken(time, "weight", symbol, f"{quantity * mark / before.equity:.4f} of equity, not trimmed")
            trimmed = sum(
                o.filled_quantity for o in sales if o.symbol == symbol and o.role == "trim" and "REBALANCER" in o.reason
            )
            if trimmed:
                self.checked["trim"] += 1
                left = (quantity - trimmed) * mark / before.equity
                if left > config.max_weight_frac + SLACK and quantity - trimmed > config.lot:
                    self._broken(time, "trim", symbol, f"{left:.4f} of equity left")

    def _inverse(self, row: int, sales: list[OrderRecord], before: EquityRow) -> None:
        """What the market lifted above the total by the last close must be below it after this bar's sales."""
        config = self.rules.get("inverse_hedge")
        hedges = {s: q for s, q in self.held.items() if self._is_inverse(s)}
        if config is None or not hedges:
            return
        self.checked["inverse"] += 1
        left = sum(
            (q - sum(o.filled_quantity for o in sales if o.symbol == s)) * self._mark(row - 1, s)
            for s, q in hedges.items()
            if q > config.lot and not np.isnan(self.table.close[row - 1, self.column[s]])
        )
        if left > config.max_total_frac * before.equity + CENT:
            reading = f"{left / before.equity:.4f} of equity in inverse funds, not trimmed"
            self._broken(self.table.opens_at[row], "inverse", "*", reading)

    def _book(self, entries: list[OrderRecord], sales: list[OrderRecord]) -> None:
        for order in entries:
            if order.status == "filled":
                self.held[order.symbol] = self.held.get(order.symbol, 0) + order.filled_quantity
                self.roles[order.symbol] = order.role
                self.entries_of[order.symbol].append(order.client_order_id)
        for order in sales:
            if self.budget is not None:
                self.budget.sale(order)
            left = self.held.get(order.symbol, 0) - order.filled_quantity
            if left < -SLACK:
                self._broken(order.filled_time, "book", order.symbol, f"{-left:g} more sold than held")
            if left < SLACK:
                for known in (self.held, self.roles, self.entries_of):
                    known.pop(order.symbol, None)
            else:
                self.held[order.symbol] = left

    def _state(self, row: int, after: EquityRow) -> None:
        self.checked["cash"] += 1
        if after.cash < -CENT:
            self._broken(after.time, "cash", "*", f"cash {after.cash:.2f}")
        values = [0.0, 0.0]
        for symbol, quantity in self.held.items():
            values[self._is_inverse(symbol)] += quantity * self._mark(row, symbol)
            self.checked["stop"] += 1
            self.without_bars += not self.has_bars[row, self.column[symbol]]
            if not any(entry in self.stops for entry in self.entries_of[symbol]):
                self._broken(after.time, "stop", symbol, "no stop was ever sent for it")
        self.checked["book"] += 1
        told = (after.equity, after.long_exposure, after.inverse_exposure, after.positions)
        found = (after.cash + sum(values), *values, len(self.held))
        if any(abs(a - b) > CENT for a, b in zip(told, found, strict=True)):
            written, filled = (", ".join(f"{value:.2f}" for value in side) for side in (told, found))
            self._broken(after.time, "book", "*", f"equity, long, inverse, positions {written}; by fills {filled}")

    def _is_inverse(self, symbol: str) -> bool:
        return self.roles[symbol] == "hedge" or self.settings.universe.sectors.get(symbol) == INVERSE

    def _stops(self) -> None:
        """The broker's own count, levels that were passed while the position stayed, and what is open at the end."""
        record, last = self.record, self.table.closes_at[-1]
        # What is held in a session without a bar has a stop that none can reach: a lack of the data, not of the run.
        bare = record.position_bars - self.without_bars - record.protected_bars
        if bare:
            self._broken(last, "stop", "*", f"{bare} position-bars without a full stop")
        if record.position_bars != self.checked["stop"]:
            self._broken(last, "stop", "*", f"{record.position_bars} position-bars, fills {self.checked['stop']}")
        for trade in record.trades:
            inside = slice(self._row_opening(trade.entry_time), self._row_opening(trade.exit_time))
            self.checked["stop_level"] += 1
            passed = np.flatnonzero(self.table.low[inside, self.column[trade.symbol]] <= trade.stop)
            if len(passed):
                at = self.table.opens_at[inside][passed[0]]
                self._broken(at, "stop_level", trade.symbol, f"stop {trade.stop:.4f} was passed, the position stayed")
        for symbol, quantity in self.held.items():
            stops = [self.stops[entry] for entry in self.entries_of[symbol] if entry in self.stops]
            covered = sum(stop.quantity for stop in stops if stop.status == "working")
            if covered < quantity - SLACK:
                self._broken(last, "stop", symbol, f"{quantity:g} held at the end, stops for {covered:g}")
