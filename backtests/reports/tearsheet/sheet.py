"""Lumibot's own tearsheet, drawn from our equity curve, the run's own benchmark and our figures.

Nothing is fetched: Lumibot would ask Yahoo for the benchmark and for the risk-free rate, so it is handed both.
"""

from __future__ import annotations

import html
import importlib
import logging
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from backtests.reports.formatting import cell, write_text
from backtests.reports.metrics import Figure, figure_text, for_people, session_closes
from backtests.reports.run_info import RunInfo
from backtests.reports.tearsheet.lean_quantstats import lean_quantstats, load_quantstats
from backtests.reports.tearsheet.page import PageFacts, corrected
from brokers.record import RunRecord
from config.process.silence import without_log_lines
from config.values.printable import one_line

RISK_FREE_RATE = 0.0

# Label and format of each figure; the labels differ from QuantStats' own, which mean other things.
LABELS: dict[str, tuple[str, str]] = {
    "trades": ("Closed trades", "{:d}"),
    "win_rate": ("Win rate of trades", "{:z.1%}"),
    "avg_win": ("Average winning trade, USD", "{:z,.2f}"),
    "avg_loss": ("Average losing trade, USD", "{:z,.2f}"),
    "avg_r": ("Average R", "{:z.2f}"),
    "profit_factor": ("Profit factor of trades", "{:z.2f}"),
    "max_drawdown": ("Maximum drawdown, bar closes", "{:z.2%}"),
    "sharpe": ("Sharpe, by session", "{:z.2f}"),
    "sortino": ("Sortino, by session", "{:z.2f}"),
    "cagr": ("Growth per year", "{:z.2%}"),
    "exposure": ("Exposure, mean share of equity", "{:z.1%}"),
    "turnover": ("Turnover per year, times equity", "{:z.2f}"),
    "slippage_cost": ("Slippage cost, USD", "{:z,.2f}"),
    "fees": ("Fees, USD", "{:z,.2f}"),
    "rejected": ("Proposals refused", "{:d}"),
    "resized": ("Proposals resized", "{:d}"),
    "protected_share": ("Share of position time protected", "{:z.2%}"),
}
_ALSO_OF_BENCHMARK = ("max_drawdown", "sharpe", "sortino", "cagr")


@dataclass(frozen=True, slots=True)
class TearsheetInput:
    """All that a tearsheet is drawn from.

    ``closes`` and ``benchmark_closes`` are session closes in USD, indexed by time; ``start`` and ``end`` are the run's
    first and last day.
    """

    title: str
    closes: pd.Series
    benchmark: str
    benchmark_closes: pd.Series | None
    parameters: Mapping[str, str]
    rows: Mapping[str, Any]
    start: date
    end: date
    lumibot_version: str | None = None
    data_source: str = ""
    facts: PageFacts = field(default_factory=PageFacts)


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
    figures, benchmark = for_people(figures), info.benchmark_figures
    benchmark = for_people(benchmark) if benchmark else benchmark
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


def tearsheet_input(record: RunRecord, info: RunInfo, figures: Mapping[str, Figure]) -> TearsheetInput:
    """Gather what a run's tearsheet shows.

    Parameters
    ----------
    record : RunRecord
    info : RunInfo
    figures : mapping
        What ``backtests.reports.metrics.metrics`` returns.
    """
    closes = session_closes(record)
    return TearsheetInput(
        title=f"{info.strategy} ({info.profile})",
        closes=closes,
        benchmark=info.benchmark,
        benchmark_closes=info.benchmark_closes,
        parameters=_parameters(info),
        rows=custom_metrics(figures, info),
        start=_day(info.start),
        end=_day(info.end),
        lumibot_version=info.versions.get("lumibot"),
        data_source=info.data_source,
        facts=PageFacts.of(closes, info),
    )


def write_tearsheet(path: Path, given: TearsheetInput) -> None:
    """Write the page. Takes a second or two, needs no network.

    A curve that never moves has no tearsheet: Lumibot then writes a page that says so, to which our figures are added.

    Parameters
    ----------
    path : Path
        In an existing folder; where the file is, it is whole.
    given : TearsheetInput
    """
    unfinished = path.with_name(path.name + ".tmp")
    with _quiet(), lean_quantstats(given.facts.false_pictures):
        from lumibot.tools.indicators import create_tearsheet

        create_tearsheet(
            _by_session(given.closes, "portfolio_value"),
            _text(given.title),
            str(unfinished),
            _benchmark(given),
            _text(given.benchmark) or None,
            False,
            True,
            risk_free_rate=RISK_FREE_RATE,
            strategy_parameters={_text(name): _text(value) for name, value in given.parameters.items()},
            lumibot_version=given.lumibot_version,
            backtesting_data_sources=_text(given.data_source),
            custom_metrics=dict(given.rows),
        )
    page = unfinished.read_text(encoding="utf-8") if unfinished.exists() else "<html><body></body></html>"
    unfinished.unlink(missing_ok=True)
    write_text(path, corrected(page, given.rows, given.facts))


def _text(text: str) -> str:
    """A name or a note as text of a page: Lumibot and QuantStats put it there as it is."""
    return html.escape(one_line(text))


def _day(moment: date) -> date:
    return moment.date() if isinstance(moment, pd.Timestamp) else moment


def _by_session(closes: pd.Series, column: str) -> pd.DataFrame:
    # Lumibot turns times into UTC days; a session's own date must stay the date of its row.
    return pd.DataFrame({column: closes.to_numpy()}, index=pd.DatetimeIndex(closes.index).tz_localize(None))


def _benchmark(given: TearsheetInput) -> pd.DataFrame:
    closes = given.benchmark_closes
    if closes is None or closes.empty:
        return pd.DataFrame(index=pd.DatetimeIndex([]))
    curve = _by_session(closes / closes.iloc[0], "symbol_cumprod")
    times = list(curve.index)
    if len(times) > 1 and times[0].normalize() == times[1].normalize():
        # Lumibot keeps the last value of each day: of the first session, open and close, only the close would be left.
        times[0] = times[0].normalize() - pd.Timedelta(microseconds=1)
        curve.index = pd.DatetimeIndex(times)
    return curve


def _parameters(info: RunInfo) -> dict[str, str]:
    shown = {
        "mode": info.mode,
        "profile": info.profile,
        "evidence": info.evidence,
        "window": info.days,
        "symbols": " ".join(info.symbols),
        "missing symbols": " ".join(info.missing_symbols),
        "data": f"{info.data_source} {info.data_hash[:12]}",
        "config": info.config_hash[:12],
        "risk-free rate": "0",
        "sessions per year": str(info.sessions_per_year),
        "note": " ".join(info.notes),
    }
    return {**shown, **{name: cell(value) for name, value in sorted(info.fill_assumptions.items())}}


@contextmanager
def _quiet() -> Iterator[None]:
    """No log lines, no warnings, and drawings that are the same bytes each time."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    # The date and the element ids inside the drawings come from these two.
    os.environ["SOURCE_DATE_EPOCH"] = "0"
    try:
        with without_log_lines(logging.WARNING), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import matplotlib
            from matplotlib import style

            matplotlib.use("agg")
            with style.context(["default", {**_style(), "svg.hashsalt": "tearsheet"}]):
                yield
    finally:
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
    from matplotlib import rcParams, rcParamsDefault, style

    load_quantstats()
    with style.context("default"):
        importlib.reload(importlib.import_module("quantstats_lumi._plotting.core"))
        changed = {name for name, value in rcParams.items() if value != rcParamsDefault.get(name)}
        return {name: rcParams[name] for name in sorted(changed - {"backend"})}
