"""The files of a run: summary, orders, trades, decisions, equity, and the pictures beside them.

Other tools rely on these formats. Times are ISO 8601 with offset, numbers plain decimals (eight
places, no exponents), fractions are of 1, what is undefined is empty in CSV and null in JSON. The
same run writes the same bytes, the ``seconds`` of the summary aside.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from backtests.reports.formatting import (
    csv_text,
    moment,
    number,
    quoted,
    to_json,
    to_json_indented,
    write_lines,
    write_text,
)
from backtests.reports.metrics import Figure, metrics
from backtests.reports.run_files import (
    COMMENT,
    EQUITY_COLUMNS,
    INTERRUPTED,
    ORDER_COLUMNS,
    TEARSHEET,
    TRADE_COLUMNS,
    TRADE_PAGES,
)
from backtests.reports.run_info import RunInfo
from backtests.reports.size_limits import bound_by, cut_at_the_quote
from brokers.record import RunRecord
from config.process.collector import loading
from market.bars import BarTable
from risk.model import Decision, Verdict


def write_figures(folder: Path, record: RunRecord, info: RunInfo) -> dict[str, Figure]:
    """Write the tables and the summary of a run: all that other tools rely on, in a fraction of a second.

    Parameters
    ----------
    folder : Path
        An existing folder, see ``prepare_folder``.
    record : RunRecord
    info : RunInfo

    Returns
    -------
    dict
        The metrics, as in the summary.
    """
    figures = metrics(record, info.sessions_per_year, info.cash_rate)
    write_records(folder, record, info.interrupted)
    _write_summary(folder, record, info, figures, info.seconds)
    return figures


def write_report(
    folder: Path,
    record: RunRecord,
    info: RunInfo,
    table: BarTable,
    figures: Mapping[str, Figure],
    every_trade: bool = False,
) -> str:
    """Write what people look at: pictures, the report's page and, beside them, Lumibot's tearsheet.

    Parameters
    ----------
    folder : Path
        Where ``write_figures`` wrote.
    record : RunRecord
    info : RunInfo
    table : BarTable
        The bars that the trade pictures are drawn from.
    figures : mapping
        What ``write_figures`` returned.
    every_trade : bool, default=False
        Draw every trade instead of the worst and the best.

    Returns
    -------
    str
        Empty, or in a sentence what could not be drawn.
    """
    # Imported here: optimisation runs use the writers without paying for matplotlib.
    with loading():
        from backtests.reports.pictures.matplotlib_load import load_matplotlib

        load_matplotlib()
        from backtests.reports.html_report import write_html_report
        from backtests.reports.pictures.equity_plot import plot_equity
        from backtests.reports.pictures.fonts import fonts_in_memory
        from backtests.reports.pictures.trade_plots import plot_trades
        from backtests.reports.tearsheet.beside import drawing
        from backtests.reports.tearsheet.sheet import tearsheet_input

    began = time.perf_counter()
    equity = folder / "equity.png"
    with fonts_in_memory(), drawing(folder / TEARSHEET, tearsheet_input(record, info, figures)) as tearsheet:
        plot_equity(equity, record, info)
        pictures = [equity, *plot_trades(folder / TRADE_PAGES, record, table, every_trade)]
        write_html_report(folder / "report.html", record, info, figures, pictures)
        failed = tearsheet.finish()
    spent = {**info.seconds, "report": time.perf_counter() - began}
    _write_summary(folder, record, info, figures, spent)
    return failed


def _write_summary(
    folder: Path, record: RunRecord, info: RunInfo, figures: Mapping[str, Figure], seconds: Mapping[str, float]
) -> None:
    write_text(folder / "summary.json", to_json_indented(summary(record, info, figures, seconds)) + "\n")


def write_records(folder: Path, record: RunRecord, interrupted: str = "") -> None:
    """Write orders, trades, decisions and equity; each file of an interrupted run ends with a line that says so."""
    mark = f"{COMMENT} {INTERRUPTED} by {interrupted}, not the whole run\n" if interrupted else ""
    last = (f"{to_json({INTERRUPTED: interrupted})}\n",) if interrupted else ()
    write_text(folder / "orders.csv", csv_text(ORDER_COLUMNS, record.orders) + mark)
    write_text(folder / "trades.csv", csv_text(TRADE_COLUMNS, record.trades) + mark)
    write_text(folder / "equity.csv", csv_text(EQUITY_COLUMNS, record.equity) + mark)
    write_lines(folder / "decisions.jsonl", chain((_decision(d) for d in record.decisions), last))


def summary(
    record: RunRecord, info: RunInfo, figures: Mapping[str, Figure], seconds: Mapping[str, float]
) -> dict[str, Any]:
    """The content of the summary file."""
    final = record.equity[-1].equity if record.equity else record.initial_equity
    return {
        **({INTERRUPTED: info.interrupted} if info.interrupted else {}),
        "mode": info.mode,
        "strategy": info.strategy,
        "profile": info.profile,
        "evidence": info.evidence,
        "data_source": info.data_source,
        "data_hash": info.data_hash,
        "config_hash": info.config_hash,
        "start": info.start,
        "end": info.end,
        "seed": info.seed,
        "symbols": list(info.symbols),
        "missing_symbols": list(info.missing_symbols),
        "fill_assumptions": dict(sorted(info.fill_assumptions.items())),
        "initial_equity": record.initial_equity,
        "final_equity": final,
        "metrics": dict(figures),
        "bound_by": bound_by(record),
        "cut_at_the_quote": cut_at_the_quote(record),
        "benchmark": {"symbol": info.benchmark or None, **info.benchmark_figures},
        "seconds": {name: round(float(seconds.get(name, 0)), 3) for name in ("data", "engine", "report")},
        "versions": dict(sorted(info.versions.items())),
        "notes": [*info.warnings, *info.notes],
        **({INTERRUPTED: info.interrupted} if info.interrupted else {}),
        "open_positions": [
            {
                "symbol": held.symbol,
                "quantity": held.quantity,
                "entry_time": held.entry_time,
                "entry_price": held.entry_price,
                "price": held.price,
                "stop": held.stop,
                "unrealised": held.unrealised,
            }
            for held in info.open_positions
        ],
    }


def _decision(decision: Decision) -> str:
    """One line; written out by hand, since long runs make hundreds of thousands."""
    p = decision.proposal
    return (
        f'{{"time":"{moment(decision.time)}","symbol":{quoted(p.symbol)},"side":{quoted(p.side)},'
        f'"signal":{quoted(p.signal)},"score":{number(p.score)},"price":{number(p.price)},'
        f'"stop":{number(p.stop)},"target":{number(p.target)},"atr":{number(p.atr)},'
        f'"proposed_quantity":{number(decision.proposed_quantity)},'
        f'"final_quantity":{number(decision.final_quantity)},"outcome":"{decision.outcome}",'
        f'"verdicts":[{",".join([_verdict(verdict) for verdict in decision.verdicts])}]}}\n'
    )


def _verdict(verdict: Verdict) -> str:
    inputs = verdict.inputs if verdict.until is None else {**verdict.inputs, "until": verdict.until}
    return (
        f'{{"module":{quoted(verdict.module)},"code":{quoted(verdict.code)},'
        f'"before":{number(verdict.before)},"after":{number(verdict.after)},"inputs":{to_json(inputs)}}}'
    )
