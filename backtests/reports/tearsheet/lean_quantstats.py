"""QuantStats as a tearsheet uses it, without imports, figures and renderings that nothing on the page comes from."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd

from backtests.reports.tearsheet.lean_svg import svg_shortcuts
from config.process.later import Later, standing_in
from market.calendar import nanoseconds

FIGURES_OF_NO_ROW = (
    "exposure",
    "probabilistic_sharpe_ratio",
    "smart_sharpe",
    "smart_sortino",
    "omega",
    "r_squared",
    "information_ratio",
    "calmar",
    "skew",
    "kurtosis",
    "expected_return",
    "var",
    "cvar",
    "recovery_factor",
    "ulcer_index",
    "serenity_index",
    "avg_win",
    "avg_loss",
    "win_rate",
    "treynor_ratio",
)
"""Statistics of QuantStats from which it makes nothing but rows that ``page.PageFacts.kept`` never names."""
READINGS_OF_NO_ROW = (
    "_annualized_return_on_risk_capital",
    "_worst_three_month_return",
    "_time_to_recovery_days",
    "_time_underwater_days",
    "_percent_positive_months",
)
"""The same among the functions of its reports."""


@contextmanager
def lean_quantstats(false_pictures: Sequence[str]) -> Iterator[None]:
    """QuantStats without what it does in vain, and without pictures that would say something false of the run.

    Parameters
    ----------
    false_pictures : sequence of str
        Names of plots of QuantStats.
    """
    load_quantstats()
    from quantstats_lumi import plots

    changes = [*shortcuts(), *((plots, name, _no_picture) for name in false_pictures)]
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in changes]
    try:
        for owner, name, value in changes:
            setattr(owner, name, value)
        yield
    finally:
        for owner, name, value in before:
            setattr(owner, name, value)


def shortcuts() -> list[tuple[Any, str, Any]]:
    """What to put where, so that QuantStats writes the same page in less time: owner, attribute and value.

    It asks for the whole call stack, source lines included, to learn its caller's name; it looks up every drawdown for
    each of a dozen figures; it renders each picture once for nothing before it saves it, and lays it out twice; and
    most of its figures stand in rows that are left out of the page.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.dates import AutoDateLocator
    from matplotlib.figure import Figure
    from quantstats_lumi import reports, stats, utils

    from backtests.reports.pictures.date_axis import located_once

    details, product, lay_out = stats.drawdown_details, stats.comp, Figure.tight_layout
    prepare = utils._prepare_benchmark
    locate: Any = AutoDateLocator.__call__
    known: dict[tuple[bytes, bytes], pd.DataFrame] = {}
    benchmarks: dict[tuple[Any, ...], pd.Series] = {}

    def drawdown_details(drawdown: Any) -> Any:
        if isinstance(drawdown, pd.DataFrame):
            return pd.concat({name: drawdown_details(drawdown[name]) for name in drawdown.columns}, axis=1)
        key = (drawdown.to_numpy().tobytes(), drawdown.index.to_numpy().tobytes())
        if key not in known:
            table = _drawdowns(drawdown)
            known[key] = details(drawdown) if table is None else table
        return known[key].copy()

    def prepared_benchmark(
        benchmark: Any = None, period: Any = "max", rf: float = 0.0, prepare_returns: bool = True
    ) -> Any:
        """For the same benchmark and period the same again; each time, it makes a timestamp of every day of both."""
        if not isinstance(benchmark, pd.Series) or not isinstance(period, pd.DatetimeIndex):
            return prepare(benchmark, period, rf, prepare_returns)
        times = [
            part
            for days in (pd.DatetimeIndex(benchmark.index), period)
            for part in (nanoseconds(days).tobytes(), days.dtype, days.freqstr)
        ]
        key = (benchmark.to_numpy().tobytes(), benchmark.dtype, benchmark.name, *times, rf, prepare_returns)
        if key not in benchmarks:
            benchmarks[key] = prepare(benchmark, period, rf, prepare_returns)
        return benchmarks[key].copy()

    def formatted(rows: Any) -> Any:
        cells = {
            name: [reports._format_metric_cell_for_display(*cell) for cell in rows[name].items()]
            for name in rows.columns
        }
        return pd.DataFrame(cells, index=rows.index, dtype=object)

    def compounded(returns: Any) -> Any:
        """The product of growth, by the same numpy call that pandas makes of it; once a week, month, quarter, year."""
        values = returns.to_numpy().T
        if values.dtype != np.float64 or np.isnan(values).any():
            return product(returns)
        growth = (values + 1).prod(axis=-1) - 1
        return growth if values.ndim == 1 else pd.Series(growth, index=returns.columns)

    def rolling_sortino(
        returns: Any, rf: float = 0, rolling_period: int = 126, annualize: bool = True, periods_per_year: int = 365
    ) -> Any:
        """QuantStats' own formula, the windows as arrays instead of a series each."""
        values = utils._prepare_returns(returns, rf, rolling_period)
        windows = values.rolling(rolling_period)
        downside = windows.apply(lambda window: (window[window < 0] ** 2).sum(), raw=True) / rolling_period
        ratio = windows.mean() / np.sqrt(downside)
        return ratio * np.sqrt(periods_per_year) if annualize else ratio

    def laid_out_once(figure: Figure, **named: Any) -> None:
        lay_out(figure, **named)
        # What tight_layout leaves behind does nothing but have the whole figure drawn once more when it is saved.
        figure.set_layout_engine(None)

    return [
        (stats, "drawdown_details", drawdown_details),
        (stats, "comp", compounded),
        (stats, "rolling_sortino", rolling_sortino),
        (reports, "_format_metrics_for_display", formatted),
        (utils, "_prepare_benchmark", prepared_benchmark),
        (utils, "inspect", _Stack(_caller_alone)),
        (AutoDateLocator, "__call__", located_once(locate)),
        (FigureCanvasAgg, "draw_idle", lambda *_args, **_named: None),
        (Figure, "tight_layout", laid_out_once),
        *svg_shortcuts(),
        *((stats, name, _not_counted) for name in FIGURES_OF_NO_ROW),
        *((reports, name, _not_counted) for name in READINGS_OF_NO_ROW),
    ]


def _drawdowns(drawdown: pd.Series) -> pd.DataFrame | None:
    """QuantStats' table of a curve's drawdowns, each from its first to its last day below the highest point so far.

    Its column of the drawdowns without their worst hundredth, which is not shown, is that of the drawdowns. None for
    what QuantStats makes a case of its own: no drawdown that begins after the first day, or days without a value.
    """
    values, times = drawdown.to_numpy(dtype=float), pd.DatetimeIndex(drawdown.index)
    below = np.concatenate([[False], values != 0, [False]])
    starts, ends = np.flatnonzero(below[1:] & ~below[:-1]), np.flatnonzero(below[:-1] & ~below[1:]) - 1
    if not starts.any() or np.isnan(values).any():
        return None
    valleys = np.array([a + np.argmin(values[a : b + 1]) for a, b in zip(starts, ends, strict=True)], dtype=np.intp)
    deepest = values[valleys] * 100
    dates = times.strftime("%Y-%m-%d")
    return pd.DataFrame(
        {
            "start": dates[starts],
            "valley": dates[valleys],
            "end": dates[ends],
            "days": (times[ends] - times[starts]).days + 1,
            "max drawdown": deepest,
            "99% max drawdown": deepest,
        }
    )


def load_quantstats() -> None:
    """Import QuantStats without SciPy, Yahoo's client and IPython, half of its imports' time, and without its style.

    A page written to a file uses neither downloads nor notebooks; SciPy's part is in rows that are left out, and in a
    density that seaborn draws the same without it. Whoever imports these packages later gets the real ones.
    """
    from matplotlib import style

    scipy, statistics = ModuleType("scipy"), ModuleType("scipy.stats")
    vars(statistics).update(linregress=_OfSciPy("linregress"), norm=_OfSciPy("norm"))
    notebook, display = ModuleType("IPython"), ModuleType("IPython.display")
    vars(notebook).update(get_ipython=lambda: None, version_info=(8, 0), display=display)
    vars(display).update(HTML=None, display=None)
    widths = ModuleType("wcwidth")
    vars(widths).update(wcswidth=_columns)
    stand_ins = (
        {"scipy": scipy, "scipy.stats": statistics},
        {"IPython": notebook, "IPython.display": display},
        {"yfinance": Later("yfinance")},
        {"wcwidth": widths},
    )
    with style.context({}), standing_in(*stand_ins):
        importlib.import_module("quantstats_lumi")


def _columns(text: str) -> Any:
    """How many columns a text takes on a screen: of letters that nobody has to look up, as many as it has."""
    if text.isascii() and text.isprintable():
        return len(text)
    return importlib.import_module("wcwidth").wcswidth(text)


@dataclass(frozen=True, slots=True)
class _OfSciPy:
    """Something of ``scipy.stats``, which is imported at its first use."""

    name: str

    def __call__(self, *args: Any, **named: Any) -> Any:
        return self._real()(*args, **named)

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self._real(), attribute)

    def _real(self) -> Any:
        return getattr(importlib.import_module("scipy.stats"), self.name)


@dataclass(frozen=True, slots=True)
class _Stack:
    """Stands for the module ``inspect`` where QuantStats asks for the stack."""

    stack: Any


def _caller_alone() -> list[tuple[None, None, None, str]]:
    frame = inspect.currentframe()
    above = frame.f_back if frame else None
    caller = above.f_back if above else None
    return [(None, None, None, ""), (None, None, None, caller.f_code.co_name if caller else "")]


def _not_counted(*_args: object, **_named: object) -> float:
    return float("nan")


def _no_picture(*_args: object, savefig: Mapping[str, Any], **_named: object) -> None:
    savefig["fname"].write(b"")
