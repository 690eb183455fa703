"""Lumibot's own tearsheet, drawn from our equity curve, the run's own benchmark and our figures.

Nothing is fetched: Lumibot would ask Yahoo for the benchmark and for the risk-free rate, so it is
handed both. Its ratios count calendar days (365 a year, weekends flat), ours sessions.
"""

from __future__ import annotations

import html
import importlib
import logging
import os
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib
import pandas as pd
from matplotlib import rcParams, rcParamsDefault, style

from backtests.reports.formatting import cell, write_text
from backtests.reports.metrics import Figure, figure_text, session_closes
from backtests.reports.outputs import RunInfo
from brokers.record import RunRecord

RISK_FREE_RATE = 0.0

# Label and format of each figure; the labels differ from QuantStats' own, which mean other things.
LABELS: dict[str, tuple[str, str]] = {
    "trades": ("Closed trades", "{:d}"),
    "win_rate": ("Win rate of trades", "{:.1%}"),
    "avg_win": ("Average winning trade, USD", "{:,.2f}"),
    "avg_loss": ("Average losing trade, USD", "{:,.2f}"),
    "avg_r": ("Average R", "{:.2f}"),
    "profit_factor": ("Profit factor of trades", "{:.2f}"),
    "max_drawdown": ("Maximum drawdown, bar closes", "{:.2%}"),
    "sharpe": ("Sharpe, by session", "{:.2f}"),
    "sortino": ("Sortino, by session", "{:.2f}"),
    "cagr": ("Growth per year", "{:.2%}"),
    "exposure": ("Exposure, mean share of equity", "{:.1%}"),
    "turnover": ("Turnover per year, times equity", "{:.2f}"),
    "slippage_cost": ("Slippage cost, USD", "{:,.2f}"),
    "rejected": ("Proposals refused", "{:d}"),
    "resized": ("Proposals resized", "{:d}"),
    "protected_share": ("Share of position time protected", "{:.2%}"),
}
_ICON = re.compile(r'<link rel="shortcut icon"[^>]*>')
_ALSO_OF_BENCHMARK = ("max_drawdown", "sharpe", "sortino", "cagr")


def custom_metrics(figures: Mapping[str, Figure], info: RunInfo) -> dict[str, Any]:
    """Our figures as rows of a tearsheet, as Lumibot's hook ``tearsheet_custom_metrics`` returns them.

    Parameters
    ----------
    figures : mapping
        What ``backtests.reports.metrics.metrics`` returns.
    info : RunInfo

    Returns
    -------
    dict of str to str or dict
        Label to text, or to the texts of strategy and benchmark.
    """
    benchmark = info.benchmark_figures
    rows: dict[str, Any] = {}
    for name, (label, form) in LABELS.items():
        if name == "cagr" and not info.shows_growth_per_year:
            continue
        own = figure_text(figures.get(name), form)
        if benchmark and name in _ALSO_OF_BENCHMARK:
            rows[label] = {"strategy": own, "benchmark": figure_text(benchmark.get(name), form)}
        else:
            rows[label] = own
    return rows


def write_tearsheet(folder: Path, record: RunRecord, info: RunInfo, figures: Mapping[str, Figure]) -> Path:
    """Write ``tearsheet.html``. Takes a few seconds, needs no network.

    A curve that never moves has no tearsheet: Lumibot then writes a page that says so, to which
    our figures are added.

    Parameters
    ----------
    folder : Path
        An existing folder.
    record : RunRecord
    info : RunInfo
    figures : mapping
        What ``backtests.reports.metrics.metrics`` returns.

    Returns
    -------
    Path
    """
    path = folder / "tearsheet.html"
    unfinished = folder / "tearsheet.html.tmp"
    rows = custom_metrics(figures, info)
    with _quiet():
        from lumibot.tools.indicators import create_tearsheet

        create_tearsheet(
            _by_session(session_closes(record), "portfolio_value"),
            f"{info.strategy} ({info.profile})",
            str(unfinished),
            _benchmark(info),
            info.benchmark or None,
            False,
            True,
            risk_free_rate=RISK_FREE_RATE,
            strategy_parameters=_parameters(info),
            lumibot_version=info.versions.get("lumibot"),
            backtesting_data_sources=info.data_source,
            custom_metrics=rows,
        )
    page = unfinished.read_text(encoding="utf-8") if unfinished.exists() else "<html><body></body></html>"
    unfinished.unlink(missing_ok=True)
    # The page's one link that a browser would follow by itself.
    page = _ICON.sub("", page)
    if any(html.escape(label, quote=False) not in page for label in rows):
        page = page.replace("</body>", _table(rows) + "</body>", 1)
    write_text(path, page)
    return path


def _by_session(closes: pd.Series, column: str) -> pd.DataFrame:
    # Lumibot turns times into UTC days; a session's own date must stay the date of its row.
    return pd.DataFrame({column: closes.to_numpy()}, index=pd.DatetimeIndex(closes.index).tz_localize(None))


def _benchmark(info: RunInfo) -> pd.DataFrame:
    closes = info.benchmark_closes
    if closes is None or closes.empty:
        return pd.DataFrame(index=pd.DatetimeIndex([]))
    return _by_session(closes / closes.iloc[0], "symbol_cumprod")


def _parameters(info: RunInfo) -> dict[str, str]:
    shown = {
        "mode": info.mode,
        "profile": info.profile,
        "window": f"{info.start:%Y-%m-%d} to {info.end:%Y-%m-%d}",
        "symbols": " ".join(info.symbols),
        "missing symbols": " ".join(info.missing_symbols),
        "data": f"{info.data_source} {info.data_hash}",
        "config": info.config_hash,
        "risk-free rate": "0",
        "sessions per year": str(info.sessions_per_year),
        "note": " ".join(info.notes),
    }
    return {**shown, **{name: cell(value) for name, value in sorted(info.fill_assumptions.items())}}


def _table(rows: Mapping[str, Any]) -> str:
    def cells(value: Any) -> str:
        texts = value.values() if isinstance(value, Mapping) else [value]
        return "".join(f"<td>{html.escape(text)}</td>" for text in texts)

    body = "\n".join(f"<tr><td>{html.escape(label)}</td>{cells(value)}</tr>" for label, value in rows.items())
    return f"<h2>Figures of the run</h2>\n<table>\n{body}\n</table>\n"


@contextmanager
def _quiet() -> Iterator[None]:
    """No log lines, no warnings, and drawings that are the same bytes each time."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    disabled = logging.root.manager.disable
    # The date and the element ids inside the drawings come from these two.
    os.environ["SOURCE_DATE_EPOCH"] = "0"
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            matplotlib.use("agg")
            with style.context(["default", {**_style(), "svg.hashsalt": "tearsheet"}]):
                yield
    finally:
        logging.disable(disabled)
        if epoch is None:
            del os.environ["SOURCE_DATE_EPOCH"]
        else:
            os.environ["SOURCE_DATE_EPOCH"] = epoch


@cache
def _style() -> dict[str, Any]:
    """The drawing style that QuantStats sets for the whole process while it is imported.

    Taken by itself, so that a tearsheet looks the same whoever imported QuantStats first, and so
    that nobody else's drawings get its style.
    """
    with style.context("default"):
        importlib.reload(importlib.import_module("quantstats_lumi._plotting.core"))
        changed = {name for name, value in rcParams.items() if value != rcParamsDefault.get(name)}
        return {name: rcParams[name] for name in sorted(changed - {"backend"})}
