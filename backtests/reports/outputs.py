"""The files of a run: summary, orders, trades, decisions, equity, and the pictures beside them.

Other tools rely on these formats. Times are ISO 8601 with offset, numbers plain decimals (eight
places, no exponents), fractions are of 1, what is undefined is empty in CSV and null in JSON. The
same run writes the same bytes, the ``seconds`` of the summary aside.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from backtests.reports.breakdowns import OpenPosition
from backtests.reports.formatting import (
    csv_text,
    moment,
    number,
    quoted,
    to_json,
    to_json_indented,
    write_lines,
    write_text,
)  # fmt: skip
from backtests.reports.metrics import Figure, curve_metrics, metrics
from brokers.record import RunRecord
from config.errors import Refusal
from market.bars import BarTable
from risk.model import Decision, Verdict

if TYPE_CHECKING:
    from backtests.reports.tearsheet_process import TearsheetProcess

ORDER_COLUMNS = (
    "time", "client_order_id", "parent_id", "symbol", "side", "quantity", "type", "limit_price", "stop_price",
    "role", "status", "filled_quantity", "filled_price", "filled_time", "reason", "sent_time", "slippage_usd",
)  # fmt: skip
TRADE_COLUMNS = (
    "symbol", "side", "quantity", "entry_time", "entry_price", "exit_time", "exit_price", "stop", "target", "atr",
    "stop_multiple", "pnl", "r_multiple", "exit_reason", "signal", "score",
)  # fmt: skip
EQUITY_COLUMNS = ("time", "equity", "cash", "long_exposure", "inverse_exposure", "positions")

TEARSHEET = "tearsheet.html"
FILES = (
    "summary.json", "orders.csv", "trades.csv", "decisions.jsonl", "equity.csv", TEARSHEET, "report.html", "equity.png",
    "settings.yaml", "run.json",
)  # fmt: skip
TRADE_PAGES = "trades"
"""Folder of the trade pictures inside a run's folder."""
INTERRUPTED = "interrupted"
"""Key of the summary, and of the last line of the decisions, in a run that did not come to its end."""
COMMENT = "#"
"""Begins the last line of each csv file of such a run: ``# interrupted by …``."""
SHORTEST_YEAR = 350
"""Days of the shortest window whose growth is shown per year."""


@dataclass(frozen=True, slots=True)
class RunInfo:
    """What a run was asked to do and with what; the record says what came of it.

    Parameters
    ----------
    mode, strategy, profile : str
        ``backtest`` or another mode, the strategy's name, the profile's name.
    data_source, data_hash, config_hash : str
        Where the bars came from and what identifies them and the merged settings.
    start, end : datetime or date
        The window that was run.
    symbols, missing_symbols : sequence of str
        What was traded, and what was asked for but unknown to the source.
    fill_assumptions : mapping
        Slippage, fees and the rules for ambiguous bars, as applied.
    benchmark : str
        Symbol of the benchmark, empty if there is none.
    benchmark_closes : Series of float or None
        Its session closes over the window, indexed by time.
    sessions_per_year : int
        Annualises Sharpe and Sortino, the tearsheet's rows of them too; 365 for a market that never closes.
    seconds : mapping of str to float
        Time spent on ``data`` and ``engine``; the report measures itself.
    versions : mapping of str to str
        Of this package, Lumibot and Python.
    notes : sequence of str
        What a reader must know before believing the figures, e.g. that the data is synthetic.
    seed : int or None
    open_positions : sequence of OpenPosition
        What was still held at the end: equity counts it, no trade does.
    interrupted : str
        The signal that ended the run before its window did; empty for a complete run.
    """

    mode: str
    strategy: str
    profile: str
    data_source: str
    data_hash: str
    config_hash: str
    start: date
    end: date
    symbols: Sequence[str]
    missing_symbols: Sequence[str] = ()
    fill_assumptions: Mapping[str, Any] = field(default_factory=dict)
    benchmark: str = ""
    benchmark_closes: pd.Series | None = None
    sessions_per_year: int = 252
    seconds: Mapping[str, float] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()
    seed: int | None = None
    open_positions: Sequence[OpenPosition] = ()
    interrupted: str = ""

    @property
    def benchmark_figures(self) -> dict[str, Figure]:
        """The benchmark's own figures over the window; empty without a benchmark."""
        if self.benchmark_closes is None:
            return {}
        return curve_metrics(self.benchmark_closes, self.sessions_per_year)

    @property
    def shows_growth_per_year(self) -> bool:
        """Whether the window is long enough for a yearly rate to say anything: a good week would read as a fortune.

        A calendar year from its first session to its last is a little less than 365 days.
        """
        return (self.end - self.start).days >= SHORTEST_YEAR


def default_folder(mode: str, profile: str, start: date) -> Path:
    """``runs/<mode>-<profile>-<start>``, the start as a date."""
    return Path("runs") / f"{mode}-{profile}-{start:%Y-%m-%d}"


def unused(path: Path) -> Path:
    """The folder itself if nothing is there yet, else the first of ``-2``, ``-3`` and so on that is not there."""
    later = (path.with_name(f"{path.name}-{number}") for number in count(2))
    return next(candidate for candidate in chain([path], later) if not candidate.exists())


def check_folder(path: Path, overwrite: bool) -> None:
    """Refuse a folder that a run can't write into, and leave it as it is; see ``prepare_folder``."""
    try:
        if path.is_dir():
            if not overwrite and any(path.iterdir()):
                raise Refusal(f"{path} is not empty: choose another --out or add --overwrite")
        elif path.exists():
            raise Refusal(f"{path} is a file: --out needs a folder")
    except OSError as error:
        raise Refusal(f"{path} can't be used as --out: {error.strerror}") from error


def prepare_folder(path: Path, overwrite: bool) -> Path:
    """Make the folder of a run, empty of an earlier run's files.

    Parameters
    ----------
    path : Path
        Made with its parents if it isn't there.
    overwrite : bool
        Allow a folder that is not empty. Only files that a run writes are removed from it.

    Raises
    ------
    Refusal
        If the folder is not empty and ``overwrite`` is false, or if it can't be made.
    """
    check_folder(path, overwrite)
    try:
        path.mkdir(parents=True, exist_ok=True)
        for known in [path / name for name in FILES] + _trade_pictures(path):
            known.unlink(missing_ok=True)
    except OSError as error:
        raise Refusal(f"{path} can't be used as --out: {error.strerror}") from error
    return path


def _trade_pictures(folder: Path) -> list[Path]:
    """The pictures of trades that a run left, one of an earlier version too; other files in the folder are not."""
    named = ("all-by-entry.png", "by-entry-*.png", "worst-and-best.png", "page-*.png")
    return sorted(path for pattern in named for path in (folder / TRADE_PAGES).glob(pattern))


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
    figures = metrics(record, info.sessions_per_year)
    write_records(folder, record, info.interrupted)
    _write_summary(folder, record, info, figures, info.seconds)
    return figures


def write_report(
    folder: Path,
    record: RunRecord,
    info: RunInfo,
    table: BarTable,
    figures: Mapping[str, Figure],
    tearsheet: TearsheetProcess,
    every_trade: bool = False,
) -> str:
    """Write what people look at: pictures, the report's page and, in a process beside them, Lumibot's tearsheet.

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
    tearsheet : TearsheetProcess
        Waits for what it has to draw.
    every_trade : bool, default=False
        Draw every trade instead of the worst and the best.

    Returns
    -------
    str
        Empty, or in a sentence what could not be drawn.
    """
    # Imported here: optimisation runs use the writers without paying for matplotlib.
    from backtests.reports.html_report import write_html_report
    from backtests.reports.pictures.equity_plot import plot_equity
    from backtests.reports.pictures.trade_plots import plot_trades
    from backtests.reports.tearsheet import tearsheet_input

    began = time.perf_counter()
    tearsheet.draw(tearsheet_input(record, info, figures))
    equity = folder / "equity.png"
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
        "benchmark": {"symbol": info.benchmark or None, **info.benchmark_figures},
        "seconds": {name: round(float(seconds.get(name, 0)), 3) for name in ("data", "engine", "report")},
        "versions": dict(sorted(info.versions.items())),
        "notes": list(info.notes),
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
