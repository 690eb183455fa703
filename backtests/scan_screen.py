"""One iteration on one screen: what was seen of every symbol, what was decided about it, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from backtests.data.data_sets import DataSet
from backtests.iteration import account_view
from backtests.iteration.account_view import PositionView
from backtests.run_result import RunResult
from brokers.record import OrderRecord
from config.values.counting import counted
from market.features import FeatureTable
from market.market import Market
from risk.interface import RiskModule
from risk.model import Book, Decision
from strategies.pipeline import ATR, Pipeline
from strategies.readings import blocked
from strategies.run_notes import absent_symbols, without_unknown
from strategies.selection_words import code_in_words

RSI = "rsi_14"
HEADINGS = {ATR: "ATR", RSI: "RSI"}
NARROW, WIDE = 80, 100
"""Columns of the screen below which tables leave out what can be spared."""


def show_scan(console: Console, result: RunResult, data: DataSet, *, scan: bool) -> None:
    """Print the only iteration of ``result``, a run of one iteration on ``data``; ``scan``: nothing was submitted."""
    strategy = result.strategy
    row = strategy.feed.features.bars.row_closed_at(strategy.plan.time)
    heading = f"{data.source} · equity {result.record.initial_equity:,.2f} USD"
    missing, _ = absent_symbols(data.missing, strategy.pipeline)
    notes = (*data.notes, *without_unknown(strategy.notes))
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
    book = strategy.book
    console.print(Text.assemble((f"{plan.time:%Y-%m-%d %H:%M %Z}", "bold"), f" · {heading}"))
    for note in notes:
        console.print(note, style="yellow")
    show_account(console, pipeline.chain, book, market)
    _title(console, "opportunities")
    console.print(_seen(features, pipeline, market, row, decisions, book, scan, console.width))
    if absent := ", ".join(missing):
        console.print(f"not in the data: {absent}")
    for decision in plan.decisions:
        console.print(_why(decision), highlight=False, soft_wrap=True)
        if decision.outcome != "refused":
            console.print(f"  {account_view.terms(decision, book)}", highlight=False, soft_wrap=True)
    for adjustment in plan.adjustments:
        quantity = f" {adjustment.quantity:g}" if adjustment.quantity else ""
        told = f"{adjustment.kind}{quantity} {adjustment.symbol}: {adjustment.code}"
        console.print(told, highlight=False, soft_wrap=True)
    if not (plan.decisions or plan.adjustments):
        console.print("nothing to decide: no signal, and nothing that is held needs a change", soft_wrap=True)
    if scan:
        accepted = counted(len(plan.entries), "entry", "entries")
        console.print(Text.assemble(("scan:", "bold"), f" {accepted} accepted, nothing submitted"))
    for order in orders:
        if order.parent_id:
            continue
        price = "" if order.filled_price is None else f" at {order.filled_price:,.4f}"
        why = f": {order.reason}" if order.status == "rejected" else ""
        name = f"order {order.client_order_id}" if order.client_order_id else "no order"
        told = f"{name}: {order.side} {order.quantity:g} {order.symbol}, {order.status}{price}{why}"
        console.print(told, soft_wrap=True)
    if not scan:
        sent = sum(not order.parent_id and bool(order.client_order_id) for order in orders)
        told = f" {counted(sent, 'order')} of this iteration, stops and targets go with them"
        console.print(Text.assemble(("complete:", "bold"), told))


def _title(console: Console, text: str) -> None:
    console.print(f"\n{text}", style="bold")


def show_account(console: Console, chain: Sequence[RiskModule], book: Book, market: Market) -> None:
    """What there is, what protects it, and what each rule reads."""
    _title(console, "account")
    console.print(account_view.money(book), highlight=False, soft_wrap=True)
    found = account_view.positions(book, market)
    if found:
        console.print(_held(found, console.width))
    for line in account_view.protection(found):
        console.print(line, highlight=False, soft_wrap=True)
    told = account_view.statuses(chain, book, market)
    if told:
        _title(console, "rules")
        grid = Table(box=None, pad_edge=False, show_header=False)
        grid.add_column(style="dim", no_wrap=True)
        grid.add_column(overflow="fold")
        for name, text in told.items():
            grid.add_row(name, text)
        console.print(grid, highlight=False)


def _held(found: Sequence[PositionView], width: int) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("held", no_wrap=True)
    columns: dict[str, Callable[[PositionView], str]] = {
        "shares": lambda one: f"{one.quantity:g}",
        "entry": lambda one: f"{one.entry:,.2f}",
        "last": lambda one: f"{one.last:,.2f}",
        "R": lambda one: _known(one.profit_r, "+.2f"),
        "weight": lambda one: f"{one.weight_frac:.1%}",
        "stop": lambda one: _known(one.stop, ",.2f"),
        "to it": lambda one: _known(one.to_stop_frac, ".1%"),
        "target": lambda one: _known(one.target, ",.2f"),
        "to that": lambda one: _known(one.to_target_frac, ".1%"),
        "behind a stop": lambda one: f"{one.protected:g} of {abs(one.quantity):g}",
    }
    if width < NARROW:
        columns = {name: columns[name] for name in ("shares", "last", "weight", "stop", "target")}
    elif width < WIDE:
        columns.pop("to that")
        columns.pop("entry")
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    for one in found:
        table.add_row(one.symbol, *(tell(one) for tell in columns.values()))
    return table


def _known(value: float, form: str) -> str:
    return format(value, form) if np.isfinite(value) else "–"


def _seen(
    features: FeatureTable,
    pipeline: Pipeline,
    market: Market,
    row: int,
    decisions: dict[str, Decision],
    book: Book,
    scan: bool,
    width: int,
) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("symbol", no_wrap=True)
    readings = ("close", ATR, RSI) if width >= NARROW else ("close", RSI)
    if width >= NARROW:
        table.add_column("sector")
    for name in readings:
        table.add_column(HEADINGS.get(name, name), justify="right", no_wrap=True)
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
            verdict: Text | str = _verdict(decision, scan)
        elif why:
            verdict = f"skipped: {why}"
        elif book.held(symbol):
            verdict = "held"
        elif symbol not in pipeline.universe:
            verdict = "watched, not traded"
        else:
            verdict = _undecided(pipeline, market, symbol, scores)
        table.add_row(
            symbol,
            *((market.sector(symbol),) if width >= NARROW else ()),
            *(_known(market.value(name, symbol), ",.2f") for name in readings),
            said or "–",
            verdict,
        )
    return table


def _undecided(pipeline: Pipeline, market: Market, symbol: str, scores: Mapping[str, float]) -> str:
    """Why nothing was decided about a usable symbol of the universe."""
    if not scores:
        return "no signal"
    best = max(scores, key=lambda name: scores[name])
    if scores[best] < pipeline.selection.min_score:
        return "below the threshold"
    if not pipeline.entries_now(market.time):
        return "outside the scan windows"
    return blocked(pipeline, market, symbol, best)


def _verdict(decision: Decision, scan: bool) -> Text:
    if decision.outcome == "refused":
        return Text.assemble(("refused", "red"), f" {code_in_words(decision.verdicts[-1].code)}")
    colour = "green" if decision.outcome == "sent" else "yellow"
    said = "would send" if scan else decision.outcome
    return Text.assemble((said, colour), f" {decision.final_quantity:g} of {decision.proposed_quantity:g}")


def _why(decision: Decision) -> Text:
    p = decision.proposal
    chain = " → ".join(f"{v.module} {v.after:g} ({code_in_words(v.code)})" for v in decision.verdicts)
    return Text.assemble((p.symbol, "bold"), f" {p.side} by {p.signal}, score {p.score:.0f}, {p.reason}: {chain}")
