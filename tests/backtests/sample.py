"""A made-up but plausible run for the tests of what a run leaves behind."""

from __future__ import annotations

import math
from datetime import datetime

import numpy as np
import pandas as pd

from backtests.reports.run_info import RunInfo
from brokers.record import EquityRow, OrderRecord, RunRecord, TradeRecord
from market.bars import BarTable
from risk.model import BracketTerms, Decision, Proposal, Verdict

SYMBOLS = ("AAPL", "AMD", "MARA", "NVDA", "SPY", "TSLA")
SIGNALS = ("mean_reversion", "momentum", "trend")
INITIAL = 100_000.0
QUANTITY_USD = 8_000.0


def sample_table(bars: int = 260, symbols: tuple[str, ...] = SYMBOLS, seed: int = 7) -> BarTable:
    """Daily random walks, calm for the index and wild for the rest."""
    rng = np.random.default_rng(seed)
    days = pd.bdate_range("2023-01-03", periods=bars, tz="America/New_York")
    volatility = np.array([0.010 if symbol == "SPY" else 0.025 for symbol in symbols])
    close = 100 * np.exp(np.cumsum(rng.normal(0.0006, volatility, (bars, len(symbols))), axis=0))
    before = np.vstack([np.full(len(symbols), 100.0), close[:-1]])
    open_ = before * np.exp(rng.normal(0, volatility / 4))
    reach = np.abs(rng.normal(0, volatility / 2, close.shape))
    return BarTable(
        symbols=symbols,
        opens_at=days + pd.Timedelta(hours=9, minutes=30),
        closes_at=days + pd.Timedelta(hours=16),
        session=np.arange(bars),
        minutes=1440,
        open=open_,
        high=np.maximum(open_, close) * (1 + reach),
        low=np.minimum(open_, close) * (1 - reach),
        close=close,
        volume=np.full(close.shape, 1e6),
        source="synthetic random walk",
    )


def sample_record(table: BarTable, every: int = 4, seed: int = 11) -> RunRecord:
    """Enter something every few bars, leave at stop or target or after 15 bars, refuse some, shrink some."""
    rng = np.random.default_rng(seed)
    record = RunRecord(initial_equity=INITIAL)
    for row in range(20, len(table) - 1, every):
        column = int(rng.integers(len(table.symbols)))
        _proposal(record, table, row, column, draw=float(rng.random()), signal=SIGNALS[row % 3])
    record.trades.sort(key=lambda trade: trade.exit_time)
    record.orders.sort(key=lambda order: order.time)
    _equity(record, table)
    record.slippage_cost, record.fees = 412.5, 0.0
    record.position_bars, record.protected_bars = 1000, 998
    return record


def sample_info(table: BarTable) -> RunInfo:
    return RunInfo(
        mode="backtest",
        strategy="combined",
        profile="active",
        evidence="profile active: NO EDGE FOUND; made up",
        data_source=table.source,
        data_hash="5f1d0c9e6a2b",
        config_hash="a81c77e0b3d4",
        start=table.opens_at[0].to_pydatetime(),
        end=table.closes_at[-1].to_pydatetime(),
        symbols=table.symbols,
        missing_symbols=("ARM",),
        fill_assumptions={"market_slippage_bps": 5, "stop_slippage_bps": 5, "fee_frac": 0.00001, "ambiguous": "stop"},
        benchmark="SPY",
        benchmark_closes=pd.Series(table.close[:, table.symbols.index("SPY")], index=table.closes_at),
        seconds={"data": 0.41, "engine": 2.2},
        versions={"lumibot": "4.6.30", "python": "3.11.7"},
        notes=("The prices are synthetic: they say nothing about any market.",),
        seed=7,
    )


def _proposal(record: RunRecord, table: BarTable, row: int, column: int, draw: float, signal: str) -> None:
    symbol, price = table.symbols[column], float(table.open[row + 1, column])
    stop, target, wanted = price * 0.95, price * 1.15, math.floor(QUANTITY_USD / price)
    proposal = Proposal(
        symbol, "buy", signal, 60 + 40 * draw, price, price * 0.02, stop, target,
        BracketTerms("buy", stop_frac=0.05, target_frac=0.15), wanted, f"RSI {10 + 20 * draw:.1f}",
    )  # fmt: skip
    verdicts = [Verdict("allocation", "OK", wanted, wanted, {"batch": 1, "share_frac": 0.10})]
    if draw < 0.3:
        verdicts.append(Verdict("sector_cap", "SECTOR_CAP: semis 3/3", wanted, 0, {"sector": "semis", "open": 3}))
    elif draw < 0.45:
        verdicts.append(Verdict("cash_buffer", "CASH_BUFFER: 15%", wanted, wanted // 2, {"free_cash": 9120.5}))
    moment = table.closes_at[row].to_pydatetime()
    decision = Decision(moment, proposal, wanted, tuple(verdicts))
    record.decisions.append(decision)
    if decision.final_quantity > 0:
        _round_trip(record, table, row + 1, column, proposal.resized(decision.final_quantity))


def _round_trip(record: RunRecord, table: BarTable, entered: int, column: int, proposal: Proposal) -> None:
    leave, price, reason = _exit(table, entered, column, proposal)
    start, end = table.opens_at[entered].to_pydatetime(), table.closes_at[leave].to_pydatetime()
    quantity, entry = proposal.quantity, proposal.price
    parent = f"cs-{proposal.symbol}-{entered}"
    record.orders += [
        _order(start, parent, "", proposal, "buy", "limit", "entry", entry, start, entry),
        _order(start, f"{parent}-t", parent, proposal, "sell", "limit", "target", proposal.target,
               end if reason == "target" else None, price),
        _order(start, f"{parent}-s", parent, proposal, "sell", "stop", "stop", proposal.stop,
               end if reason == "stop" else None, price),
    ]  # fmt: skip
    pnl = (price - entry) * quantity
    record.turnover += (price + entry) * quantity
    record.trades.append(
        TradeRecord(
            proposal.symbol,
            "buy",
            quantity,
            start,
            entry,
            end,
            price,
            proposal.stop,
            proposal.target,
            proposal.atr,
            None,
            pnl,
            pnl / quantity / proposal.risk_per_share,
            reason,
            proposal.signal,
            proposal.score,
        )
    )


def _exit(table: BarTable, entered: int, column: int, proposal: Proposal) -> tuple[int, float, str]:
    last = min(entered + 15, len(table) - 1)
    for row in range(entered, last + 1):
        if table.low[row, column] <= proposal.stop:
            return row, min(proposal.stop, float(table.open[row, column])), "stop"
        if table.high[row, column] >= proposal.target:
            return row, max(proposal.target, float(table.open[row, column])), "target"
    return last, float(table.close[last, column]), "close"


def _order(
    time: datetime, name: str, parent: str, proposal: Proposal, side: str, kind: str, role: str, level: float,
    filled: datetime | None, price: float,
) -> OrderRecord:  # fmt: skip
    return OrderRecord(
        time=time,
        client_order_id=name,
        parent_id=parent,
        symbol=proposal.symbol,
        side=side,
        quantity=proposal.quantity,
        type=kind,
        limit_price=level if kind == "limit" else None,
        stop_price=level if kind == "stop" else None,
        role=role,
        status="filled" if filled else "cancelled",
        filled_quantity=proposal.quantity if filled else 0,
        filled_price=price if filled else None,
        filled_time=filled,
        reason=proposal.reason if role == "entry" else "",
    )


def _equity(record: RunRecord, table: BarTable) -> None:
    """Mark every trade at each close between its entry and its exit."""
    cash, held = np.full(len(table), INITIAL), np.zeros(len(table))
    count = np.zeros(len(table), dtype=int)
    for trade in record.trades:
        inside = (table.closes_at >= trade.entry_time) & (table.closes_at < trade.exit_time)
        marks = table.close[:, table.symbols.index(trade.symbol)]
        cash[inside] -= trade.entry_price * trade.quantity
        held[inside] += marks[inside] * trade.quantity
        count[inside] += 1
        cash[table.closes_at >= trade.exit_time] += trade.pnl
    record.equity = [
        EquityRow(moment.to_pydatetime(), float(c + h), float(c), float(h), 0.0, int(n))
        for moment, c, h, n in zip(table.closes_at, cash, held, count, strict=True)
    ]
