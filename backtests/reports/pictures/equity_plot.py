"""The picture of a run's account: equity beside its benchmark, drawdown, and how much of it was invested."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from backtests.reports.metrics import session_closes
from backtests.reports.pictures.date_axis import show_dates
from backtests.reports.pictures.plot_style import BARS, BENCHMARK, DPI, EQUITY, GRID, LOSS, SAME_RISK, plain_axes, save
from backtests.reports.run_info import RunInfo
from brokers.record import RunRecord
from config.values.counting import signed

LOG_RATIO = 4.0
"""Where the highest curve stands this many times above the lowest, a linear scale would flatten the lower one."""
FEW_SESSIONS = 20
"""Runs of fewer sessions are drawn bar by bar."""
NOTE_COLUMNS = 150


@dataclass(frozen=True, slots=True)
class _Curve:
    """``values`` in USD, indexed by local time without a zone."""

    label: str
    values: pd.Series
    color: str
    width: float

    @property
    def drawdown(self) -> np.ndarray:
        numbers = self.values.to_numpy(dtype=float)
        return numbers / np.maximum.accumulate(numbers) - 1

    @property
    def total_return(self) -> float:
        return float(self.values.iloc[-1] / self.values.iloc[0] - 1)


# Matplotlib's own defaults, whatever a user's file or an imported library has set.
@style.context("default")
def plot_equity(path: Path, record: RunRecord, info: RunInfo) -> None:
    """Draw equity with the benchmark, the drawdown of both and the share of equity that was invested.

    The benchmark is drawn twice: bought and held with all of the account, and with the part of the account that
    makes its volatility the strategy's, the rest in cash. The scale is logarithmic where the curves differ much.

    Parameters
    ----------
    path : Path
        The PNG to write.
    record : RunRecord
    info : RunInfo
    """
    figure = Figure(figsize=(11, 7.2), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    top, below, invested = figure.subplots(3, 1, sharex=True, height_ratios=(3.2, 1, 0.7))
    closes = session_closes(record)
    zone = pd.DatetimeIndex(closes.index).tz
    own = closes if len(closes) >= FEW_SESSIONS or not record.equity else _by_bar(record)
    curves = [_Curve(info.strategy, _local(own, zone), EQUITY, 2.0)]
    curves += _benchmarks(record, info, closes, zone)
    for curve in reversed(curves):
        top.plot(curve.values.index, curve.values.to_numpy(dtype=float), color=curve.color, linewidth=curve.width)
        fall = curve.drawdown
        below.plot(curve.values.index, fall, color=curve.color, linewidth=curve.width * 0.6)
        if curve.color == EQUITY:
            below.fill_between(curve.values.index, fall, 0, color=EQUITY, alpha=0.20, linewidth=0)
    _scale(top, curves)
    _end_labels(top, [curve for curve in curves if len(curve.values)])
    top.axhline(record.initial_equity, color=BARS, linewidth=0.8, linestyle=":")
    bars = "by session" if len(closes) >= FEW_SESSIONS else "by bar"
    top.set_title(f"{info.strategy}, profile {info.profile}: equity in USD, {bars}", loc="left", fontweight="bold")
    below.set_title("Fall from the highest point so far", loc="left", fontsize=9)
    _draw_invested(invested, record, zone)
    for axes in (below, invested):
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value * 100:.3g}%"))
        axes.yaxis.set_major_locator(MaxNLocator(4))
    show_dates(invested.xaxis)
    for axes in (top, below, invested):
        plain_axes(axes)
    if info.notes:
        lines = [line for note in info.notes for line in textwrap.wrap(note, NOTE_COLUMNS)]
        figure.supxlabel("\n".join(lines), fontsize=8, color=LOSS, x=0.01, ha="left")
    save(figure, path)


def _by_bar(record: RunRecord) -> pd.Series:
    began = record.began or record.equity[0].time
    times = [began, *(row.time for row in record.equity)]
    return pd.Series([record.initial_equity, *(row.equity for row in record.equity)], index=pd.DatetimeIndex(times))


def _local(values: pd.Series, zone: tzinfo | None) -> pd.Series:
    times = pd.DatetimeIndex(values.index)
    plain = times if times.tz is None else times.tz_convert(zone).tz_localize(None)
    return pd.Series(values.to_numpy(dtype=float), index=plain)


def _benchmarks(record: RunRecord, info: RunInfo, closes: pd.Series, zone: tzinfo | None) -> list[_Curve]:
    benchmark = info.benchmark_closes
    if benchmark is None or not len(benchmark) or not len(closes):
        return []
    held = _local(benchmark, zone)
    curves = [_Curve(f"{info.benchmark}, held", held * (record.initial_equity / held.iloc[0]), BENCHMARK, 1.2)]
    part = risk_share(closes, benchmark)
    if part is not None:
        times = pd.DatetimeIndex(held.index)
        days = np.diff(times, prepend=times[:1]) / np.timedelta64(1, "D")
        cash = (1 - part) * info.cash_rate * days / 365
        same = record.initial_equity * (1 + part * held.pct_change().fillna(0) + cash).cumprod()
        curves.append(_Curve(f"{part:.0%} in {info.benchmark}, same risk", same, SAME_RISK, 1.2))
    return curves


def risk_share(closes: pd.Series, benchmark: pd.Series) -> float | None:
    """Which part of an account in the benchmark, the rest in cash, moves as much from session to session as the run.

    Parameters
    ----------
    closes, benchmark : Series of float
        Session closes of the run and of the benchmark.

    Returns
    -------
    float or None
        Ratio of the standard deviations of session returns; None where one of them does not move, or where the run
        moved more than the benchmark, so that the part would have to be borrowed.
    """
    own, other = closes.pct_change().std(), benchmark.pct_change().std()
    if not (np.isfinite(own) and np.isfinite(other) and own > 0 and other > 0):
        return None
    return float(own / other) if own < other else None


def _scale(axes: Axes, curves: list[_Curve]) -> None:
    values = np.concatenate([curve.values.to_numpy(dtype=float) for curve in curves])
    values = values[np.isfinite(values)]
    money = FuncFormatter(lambda value, _: f"{value:,.0f}")
    if len(values) and values.min() > 0 and values.max() / values.min() > LOG_RATIO:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(base=10, subs=(1.0, 2.0, 5.0)))
        axes.yaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(money)


def _end_labels(axes: Axes, curves: list[_Curve]) -> None:
    """Name and total return of each curve at its end, moved apart where they would overlap."""
    if not curves:
        return
    to_axes = axes.transData + axes.transAxes.inverted()
    heights = [
        float(to_axes.transform((0.0, curve.values.iloc[-1]))[1]) if np.isfinite(curve.values.iloc[-1]) else 0.0
        for curve in curves
    ]
    apart = 0.10  # two lines of text, as a fraction of the panel's height
    placed: list[float] = []
    for k in np.argsort(heights, kind="stable"):
        placed.append(max(heights[k], placed[-1] + apart) if placed else heights[k])
    for k, height in zip(np.argsort(heights, kind="stable"), placed, strict=True):
        curve = curves[k]
        axes.annotate(
            f"{curve.label}\n{signed(curve.total_return, ',.1%')}",
            (1.005, height),
            xycoords="axes fraction",
            fontsize=9,
            color=curve.color,
            va="center",
            fontweight="bold" if curve.color == EQUITY else "normal",
            annotation_clip=False,
        )


def _draw_invested(axes: Axes, record: RunRecord, zone: tzinfo | None) -> None:
    rows = [row for row in record.equity if row.equity > 0]
    axes.set_title("Share of equity invested", loc="left", fontsize=9)
    axes.set_ylim(0, 1)
    if not rows:
        return
    times = pd.DatetimeIndex([row.time for row in rows])
    moments = times if times.tz is None else times.tz_convert(zone).tz_localize(None)
    shares = np.array([(abs(row.long_exposure) + abs(row.inverse_exposure)) / row.equity for row in rows])
    axes.fill_between(moments, shares, 0, color=EQUITY, alpha=0.35, linewidth=0, step="post")
    axes.set_ylim(0, max(0.1, float(shares.max()) * 1.1))
    axes.grid(True, **GRID)
