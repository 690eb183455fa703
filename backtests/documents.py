"""What a run has to say, for programs: one JSON document each, with the numbers of the screens and files."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from backtests.checks.lookahead import Report
from backtests.data.data_sets import DataSet
from backtests.iteration import account_view
from backtests.reports.formatting import to_json_indented
from backtests.reports.run_files import ORDER_COLUMNS
from backtests.run_result import RunResult
from brokers.record import OrderRecord
from risk.model import Decision
from strategies.run_notes import absent_symbols, without_unknown

ORDER_KEYS = tuple(c for c in ORDER_COLUMNS if c not in ("time", "filled_time", "sent_time", "slippage_usd"))
"""What is told of an order of a scan, which has not met the market."""


def show_document(document: Any) -> None:
    """Print one JSON document on standard output."""
    sys.stdout.write(f"{to_json_indented(document)}\n")
    sys.stdout.flush()


def run_document(folder: Path) -> dict[str, Any]:
    """The summary of a run that is over, and where its files are."""
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    return {"folder": str(folder), **summary}


def scan_document(result: RunResult, data: DataSet, *, scan: bool) -> dict[str, Any]:
    """The only iteration of a backtest; see ``iteration_document``."""
    strategy = result.strategy
    row = strategy.feed.features.bars.row_closed_at(strategy.plan.time)
    missing, _ = absent_symbols(data.missing, strategy.pipeline)
    notes = (*data.notes, *without_unknown(strategy.notes))
    return iteration_document(strategy, row, data.source, result.record.orders, notes, missing, scan=scan)


def live_scan_document(strategy: Any, *, scan: bool) -> dict[str, Any]:
    """The only iteration of a live strategy; see ``iteration_document``."""
    row = strategy.feed.features.bars.row_closed_at(strategy.plan.time)
    none = [symbol for symbol, source in strategy.feed.sources.items() if source == "none"]
    missing, notes = absent_symbols(none, strategy.pipeline)
    told = (*strategy.notes, *notes)
    return iteration_document(strategy, row, "alpaca", strategy.record.orders, told, missing, scan=scan)


def iteration_document(
    strategy: Any,
    row: int,
    source: str,
    orders: Sequence[OrderRecord],
    notes: Iterable[str],
    missing: Iterable[str],
    *,
    scan: bool,
) -> dict[str, Any]:
    """One iteration: account, each symbol with its readings and scores, each decision with its verdicts, orders.

    Parameters
    ----------
    strategy : CombinedStrategy
        After its iteration.
    row : int
        Of the newest bar that was complete.
    source : str
        Of the bars.
    orders : sequence of OrderRecord
    notes, missing : iterable of str
        What must be known of the data, and symbols without any.
    scan : bool
        Whether nothing was submitted.
    """
    features, pipeline, plan, book = strategy.feed.features, strategy.pipeline, strategy.plan, strategy.book
    market = features.market_at_row(row, plan.time)
    scores = {signal.name: signal.scores(market) for signal in pipeline.signals}
    symbols = {}
    for symbol in pipeline.symbols():
        if (column := market.index.get(symbol)) is None:
            continue
        symbols[symbol] = {
            "sector": market.sector(symbol),
            "close": market.value("close", symbol),
            "unusable": features.why_unusable(row, symbol) or None,
            "held": book.held(symbol),
            "scores": {name: float(values[column]) for name, values in scores.items()},
        }
    return {
        "time": plan.time,
        "submitted": not scan,
        "data_source": source,
        "equity": book.equity,
        "cash": book.cash,
        **account_view.document(book, market, pipeline.chain),
        "symbols": symbols,
        "missing_symbols": list(missing),
        "decisions": [_decision(decision) for decision in plan.decisions],
        "adjustments": [{"kind": a.kind, "symbol": a.symbol, "code": a.code} for a in plan.adjustments],
        "orders": [{key: getattr(order, key) for key in ORDER_KEYS} for order in orders],
        "notes": list(notes),
    }


def _decision(decision: Decision) -> dict[str, Any]:
    p = decision.proposal
    return {
        "symbol": p.symbol,
        "side": p.side,
        "signal": p.signal,
        "score": p.score,
        "price": p.price,
        "stop": p.stop,
        "target": p.target,
        "atr": p.atr,
        "reason": p.reason,
        "proposed_quantity": decision.proposed_quantity,
        "final_quantity": decision.final_quantity,
        "outcome": decision.outcome,
        "verdicts": [
            {"module": v.module, "code": v.code, "before": v.before, "after": v.after, "inputs": v.inputs}
            for v in decision.verdicts
        ],
    }


def lookahead_document(report: Report) -> dict[str, Any]:
    """What a check for look-ahead compared and found."""
    return {
        "clean": report.clean,
        "cuts": list(report.cuts),
        "bars": report.bars,
        "decisions": report.decisions,
        "features": report.features,
        "leaks": [str(leak) for leak in report.leaks],
    }
