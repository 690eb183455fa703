"""One iteration on one screen: what was seen of every symbol, what was decided about it, and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from backtests.data.data_sets import DataSet
from backtests.engine import RunResult
from backtests.reports.formatting import counted
from brokers.record import OrderRecord
from market.features import FeatureTable
from market.market import Market
from risk.model import Book, Decision
from strategies.pipeline import ATR, Pipeline
from strategies.run_notes import absent_symbols, without_unknown

RSI = "rsi_14"


def show_scan(console: Console, result: RunResult, data: DataSet, *, scan: bool) -> None:
    """Print the only iteration of ``result``, a run of one iteration on ``data``; ``scan``: nothing was submitted."""
    strategy = result.strategy
    row = strategy.feed.features.bars.opens_at.get_loc(strategy.plan.time) - 1
    heading = f"{data.source} · equity {result.record.initial_equity:,.2f} USD"
    missing, _ = absent_symbols(data.missing, strategy.pipeline)
    notes = (*data.notes, *without_unknown(strategy.notes, missing))
    show_iteration(console, strategy, row, heading, result.record.orders, notes, missing, scan=scan)


def show_live_scan(console: Console, strategy: Any, *, scan: bool) -> None:
    """Print the only iteration of a live strategy: what it saw at the venue and what it decided."""
    features, record = strategy.feed.features, strategy.record
    row = features.bars.row_closed_at(strategy.plan.time)
    heading = f"equity {record.initial_equity:,.2f} USD"
    none = [symbol for symbol, source in strategy.feed.sources.items() if source == "none"]
    missing, notes = absent_symbols(none, strategy.pipeline)
    notes = (*strategy.notes, *notes)
    show_iteration(console, strategy, row, heading, record.orders, notes, missing, scan=scan)


def show_iteration(
    console: Console,
    strategy: Any,
    row: int,
    heading: str,
    orders: Sequence[OrderRecord],
    notes: Iterable[str],
    missing: Iterable[str],
    *,
    scan: bool,
) -> None:
    """Print one iteration.

    Parameters
    ----------
    console : Console
    strategy : CombinedStrategy
        After its iteration.
    row : int
        Of the newest bar that was complete.
    heading, notes, missing
        What to say above and below: the data, what must be known of them, symbols without any.
    orders : sequence of OrderRecord
    scan : bool
        Whether nothing was submitted.
    """
    features, pipeline, plan = strategy.feed.features, strategy.pipeline, strategy.plan
    market = features.market_at_row(row, plan.time)
    decisions = {decision.proposal.symbol: decision for decision in plan.decisions}
    console.print(f"[bold]{plan.time:%Y-%m-%d %H:%M %Z}[/] · {heading}")
    for note in notes:
        console.print(f"[yellow]{note}[/]")
    console.print(_seen(features, pipeline, market, row, decisions, strategy.book, scan))
    if absent := ", ".join(missing):
        console.print(f"not in the data: {absent}")
    for decision in plan.decisions:
        console.print(_why(decision), highlight=False, soft_wrap=True)
    for adjustment in plan.adjustments:
        console.print(f"{adjustment.kind} {adjustment.symbol}: {adjustment.code}")
    if scan:
        console.print(f"[bold]scan:[/] {counted(len(plan.entries), 'entry', 'entries')} accepted, nothing submitted")
    for order in orders:
        if order.parent_id:
            continue
        price = "" if order.filled_price is None else f" at {order.filled_price:,.4f}"
        why = f": {order.reason}" if order.status == "rejected" else ""
        name = f"order {order.client_order_id}" if order.client_order_id else "no order"
        told = f"{name}: {order.side} {order.quantity:g} {order.symbol}, {order.status}{price}{why}"
        console.print(told, soft_wrap=True)


def _seen(
    features: FeatureTable,
    pipeline: Pipeline,
    market: Market,
    row: int,
    decisions: dict[str, Decision],
    book: Book,
    scan: bool,
) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("symbol", "sector"):
        table.add_column(name)
    for name in ("close", "ATR", "RSI"):
        table.add_column(name, justify="right")
    table.add_column("signal")
    table.add_column("verdict", overflow="fold")
    best = {signal.name: signal.scores(market) for signal in pipeline.signals}
    for symbol in pipeline.symbols():
        k = market.index.get(symbol)
        if k is None:
            continue
        why = features.why_unusable(row, symbol)
        scores = {name: values[k] for name, values in best.items() if np.isfinite(values[k])}
        said = ", ".join(f"{name} {score:.0f}" for name, score in sorted(scores.items(), key=lambda item: -item[1]))
        decision = decisions.get(symbol)
        if decision is not None:
            verdict = _verdict(decision, scan)
        elif why:
            verdict = f"skipped: {why}"
        elif book.held(symbol):
            verdict = "held"
        elif symbol not in pipeline.universe:
            verdict = "watched, not traded"
        else:
            verdict = _undecided(pipeline, market, max(scores.values(), default=None))
        table.add_row(
            symbol,
            market.sector(symbol),
            *(f"{market.value(name, symbol):,.2f}" for name in ("close", ATR, RSI)),
            said or "–",
            verdict,
        )
    return table


def _undecided(pipeline: Pipeline, market: Market, score: float | None) -> str:
    """Why nothing was decided about a usable symbol of the universe."""
    if score is None:
        return "no signal"
    if score < pipeline.selection.min_score:
        return "below the threshold"
    if not pipeline.entries_now(market.time):
        return "outside the scan windows"
    return "no stop and target can be set"


def _verdict(decision: Decision, scan: bool) -> str:
    if decision.outcome == "refused":
        return f"[red]refused[/] {decision.verdicts[-1].code}"
    colour = "green" if decision.outcome == "sent" else "yellow"
    said = "would send" if scan else decision.outcome
    return f"[{colour}]{said}[/] {decision.final_quantity:g} of {decision.proposed_quantity:g}"


def _why(decision: Decision) -> str:
    p = decision.proposal
    chain = " → ".join(f"{v.module} {v.after:g} ({v.code})" for v in decision.verdicts)
    return f"[bold]{p.symbol}[/] {p.side} by {p.signal}, score {p.score:.0f}, {p.reason}: {chain}"
