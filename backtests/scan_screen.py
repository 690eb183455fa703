"""One iteration on one screen: what was seen of every symbol, what was decided about it, and why."""

from __future__ import annotations

import numpy as np
from rich.console import Console
from rich.table import Table

from backtests.data_sets import DataSet
from backtests.engine import RunResult
from risk.model import Decision, Market
from strategies.features import FeatureTable
from strategies.pipeline import ATR, Pipeline

RSI = "rsi_14"


def show_scan(console: Console, result: RunResult, data: DataSet, *, scan: bool) -> None:
    """Print the only iteration of ``result``.

    Parameters
    ----------
    console : Console
    result : RunResult
        A run of one iteration.
    data : DataSet
        Its bars, for what is missing.
    scan : bool
        Whether nothing was submitted.
    """
    strategy = result.strategy
    features, pipeline, plan = strategy.feed.features, strategy.pipeline, strategy.plan
    row = features.bars.opens_at.get_loc(plan.time) - 1
    market = features.market_at_row(row, plan.time)
    decisions = {decision.proposal.symbol: decision for decision in plan.decisions}
    console.print(
        f"[bold]{plan.time:%Y-%m-%d %H:%M %Z}[/] · {data.source} · equity {result.record.initial_equity:,.2f} USD"
    )
    for note in data.notes:
        console.print(f"[yellow]{note}[/]")
    console.print(_seen(features, pipeline, market, row, decisions))
    if data.missing:
        console.print(f"not in the data: {', '.join(data.missing)}")
    for decision in plan.decisions:
        console.print(_why(decision), highlight=False, soft_wrap=True)
    for adjustment in plan.adjustments:
        console.print(f"{adjustment.kind} {adjustment.symbol}: {adjustment.code}")
    entries = [order for order in result.record.orders if not order.parent_id]
    if scan:
        console.print(f"[bold]scan:[/] {len(plan.entries)} entries accepted, nothing submitted")
    for order in entries:
        price = "" if order.filled_price is None else f" at {order.filled_price:,.4f}"
        console.print(
            f"order {order.client_order_id}: {order.side} {order.quantity:g} {order.symbol}, {order.status}{price}"
        )


def _seen(
    features: FeatureTable, pipeline: Pipeline, market: Market, row: int, decisions: dict[str, Decision]
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
            verdict = _verdict(decision)
        elif why:
            verdict = f"skipped: {why}"
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


def _verdict(decision: Decision) -> str:
    if decision.outcome == "refused":
        return f"[red]refused[/] {decision.verdicts[-1].code}"
    colour = "green" if decision.outcome == "sent" else "yellow"
    return f"[{colour}]{decision.outcome}[/] {decision.final_quantity:g} of {decision.proposed_quantity:g}"


def _why(decision: Decision) -> str:
    p = decision.proposal
    chain = " → ".join(f"{v.module} {v.after:g} ({v.code})" for v in decision.verdicts)
    return f"[bold]{p.symbol}[/] {p.side} by {p.signal}, score {p.score:.0f}, {p.reason}: {chain}"
