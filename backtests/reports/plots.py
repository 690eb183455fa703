"""Pictures of a run: the equity curve over its drawdown, and pages of trades with their levels."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from backtests.reports.metrics import session_closes
from backtests.reports.outputs import RunInfo
from brokers.record import RunRecord, TradeRecord
from market.bars import BarTable

COLUMNS, ROWS = 3, 4
PER_PAGE = COLUMNS * ROWS

# Told apart in grey and by colour-blind readers (Okabe-Ito).
EQUITY, BENCHMARK, LOSS, GAIN, ENTRY, BARS = "#0072B2", "#8C8C8C", "#D55E00", "#009E73", "#0072B2", "#4D4D4D"
GRID: dict[str, Any] = {"color": "#E6E6E6", "linewidth": 0.8}
DPI = 110


# Matplotlib's own defaults, whatever a user's file or an imported library has set.
@style.context("default")
def plot_equity(path: Path, record: RunRecord, info: RunInfo) -> None:
    """Draw equity with the benchmark, scaled to the same start, and the drawdown of both below.

    Parameters
    ----------
    path : Path
        The PNG to write.
    record : RunRecord
    info : RunInfo
    """
    figure = Figure(figsize=(11, 6.5), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    top, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    curve = session_closes(record)
    curves = [(info.strategy, curve, EQUITY, 1.8)]
    benchmark = info.benchmark_closes
    if benchmark is not None and len(benchmark) and len(curve):
        scaled = benchmark * (record.initial_equity / benchmark.iloc[0])
        curves.append((f"{info.benchmark}, bought and held", scaled, BENCHMARK, 1.2))
    zone = pd.DatetimeIndex(curve.index).tz
    for label, values, color, width in reversed(curves):
        times, numbers = pd.DatetimeIndex(values.index), values.to_numpy(dtype=float)
        moments = times.tz_localize(None) if times.tz is None else times.tz_convert(zone).tz_localize(None)
        fall = numbers / np.maximum.accumulate(numbers) - 1
        top.plot(moments, numbers, color=color, linewidth=width, label=label)
        if color == EQUITY:
            below.fill_between(moments, fall, 0, color=LOSS, alpha=0.30, linewidth=0)
            below.plot(moments, fall, color=LOSS, linewidth=1.0)
        else:
            below.plot(moments, fall, color=color, linewidth=0.9)
    top.axhline(record.initial_equity, color=BARS, linewidth=0.8, linestyle=":")
    top.set_title(f"{info.strategy}, profile {info.profile}: equity in USD, by session", loc="left", fontweight="bold")
    top.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    below.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value * 100:.3g}%"))
    below.yaxis.set_major_locator(MaxNLocator(4))
    below.set_title("Fall from the highest point so far", loc="left", fontsize=9)
    handles, labels = top.get_legend_handles_labels()
    top.legend(handles[::-1], labels[::-1], loc="best", frameon=False)
    locator = AutoDateLocator()  # type: ignore[no-untyped-call]  # matplotlib.dates is untyped
    below.xaxis.set_major_locator(locator)
    below.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]  # as above
    for axes in (top, below):
        _bare(axes)
    if info.notes:
        figure.supxlabel("\n".join(info.notes), fontsize=8, color=LOSS)
    _save(figure, path)


def plot_trades(folder: Path, record: RunRecord, table: BarTable, pages: int | None = 4) -> list[Path]:
    """Draw trades on contact sheets of twelve: bars around the trade, its levels, entry and exit.

    All trades if they fit on ``pages``; otherwise the first, the worst, the best and the last
    twelve, in that order, as many of these sheets as ``pages`` allows.

    Parameters
    ----------
    folder : Path
        Made if there is a trade to draw.
    record : RunRecord
    table : BarTable
        Trades of symbols that it doesn't have are left out.
    pages : int or None, default=4
        None draws every trade, however many pages that takes.

    Returns
    -------
    list of Path
        The PNGs written.
    """
    known = set(table.symbols)
    trades = sorted((t for t in record.trades if t.symbol in known), key=lambda t: (t.entry_time, t.symbol))
    paths = []
    for number, (title, some) in enumerate(_sheets(trades, pages), start=1):
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"page-{number}.png"
        _sheet(path, title, some, table)
        paths.append(path)
    return paths


def _sheets(trades: Sequence[TradeRecord], pages: int | None) -> list[tuple[str, Sequence[TradeRecord]]]:
    if pages is None or len(trades) <= pages * PER_PAGE:
        parts = [trades[start : start + PER_PAGE] for start in range(0, len(trades), PER_PAGE)]
        return [(f"Trades in order of entry, {i} of {len(parts)}", part) for i, part in enumerate(parts, start=1)]
    ranked = sorted((t for t in trades if np.isfinite(t.r_multiple)), key=lambda t: t.r_multiple)
    sheets = [
        ("The first trades", trades[:PER_PAGE]),
        ("The worst trades by R", ranked[:PER_PAGE]),
        ("The best trades by R", ranked[: -PER_PAGE - 1 : -1]),
        ("The last trades", trades[-PER_PAGE:]),
    ]
    return [(f"{title} (of {len(trades)})", some) for title, some in sheets[:pages] if some]


@style.context("default")
def _sheet(path: Path, title: str, trades: Sequence[TradeRecord], table: BarTable) -> None:
    rows = -(-len(trades) // COLUMNS)
    width, height = 15.0, 1.1 + 3.1 * rows
    figure = Figure(figsize=(width, height), dpi=DPI)
    FigureCanvasAgg(figure)
    figure.suptitle(title, x=0.01, y=1 - 0.12 / height, ha="left", va="top", fontweight="bold")
    panels = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    # Margins in inches: a layout engine would draw every panel twice to find the same.
    figure.subplots_adjust(
        left=0.5 / width, right=1 - 0.15 / width, top=1 - 0.65 / height, bottom=0.75 / height, wspace=0.13, hspace=0.26
    )
    for axes, trade in zip(panels, trades, strict=False):
        _trade(axes, trade, table)
    for axes in panels[len(trades) :]:
        axes.set_axis_off()
    figure.legend(handles=_legend(), loc="lower center", ncols=5, frameon=False)
    _save(figure, path)


def _trade(axes: Axes, trade: TradeRecord, table: BarTable) -> None:
    column = table.symbols.index(trade.symbol)
    begun, left = _bar_of(table, trade.entry_time), _bar_of(table, trade.exit_time)
    around = max(12, (left - begun) // 3)
    rows = np.arange(max(0, begun - around), min(len(table), left + around + 1))
    rows = rows[np.isfinite(table.close[rows, column])]
    _candles(axes, rows, *(field[rows, column] for field in (table.open, table.high, table.low, table.close)))

    won = trade.pnl > 0
    axes.hlines(trade.entry_price, begun, left, color=ENTRY, linewidth=1.0, linestyle=":")
    axes.hlines(trade.stop, begun, left, color=LOSS, linewidth=1.6)
    axes.hlines(trade.target, begun, left, color=GAIN, linewidth=1.6)
    entry_marker, exit_marker = ("^", "v") if trade.side == "buy" else ("v", "^")
    marks: dict[str, Any] = {"s": 75, "edgecolors": "white", "linewidths": 0.9, "zorder": 5}
    axes.scatter(begun, trade.entry_price, marker=entry_marker, color=ENTRY, **marks)
    axes.scatter(left, trade.exit_price, marker=exit_marker, color=GAIN if won else LOSS, **marks)

    result = f"{trade.r_multiple:+.2f}R" if np.isfinite(trade.r_multiple) else f"{trade.pnl:+,.0f} USD"
    axes.set_title(f"{trade.symbol}  {trade.signal or 'no signal'} → {trade.exit_reason}", loc="left", fontsize=9)
    axes.set_title(result, loc="right", fontsize=10, fontweight="bold", color=GAIN if won else LOSS)
    axes.margins(x=0.02, y=0.08)
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda position, _: _label(table, position)))
    axes.tick_params(labelsize=8)
    _bare(axes)


def _candles(
    axes: Axes, x: np.ndarray, open_: np.ndarray, high: np.ndarray, low: np.ndarray, close: np.ndarray
) -> None:
    """Hollow bodies rise, filled ones fall; as two collections, since a patch per bar is slow."""
    bottom, top = np.minimum(open_, close), np.maximum(open_, close)
    wicks = [((i, a), (i, b)) for i, lo, hi, bot, up in zip(x, low, high, bottom, top, strict=True)
             for a, b in ((lo, bot), (up, hi))]  # fmt: skip
    bodies = [
        [(i - 0.32, a), (i + 0.32, a), (i + 0.32, b), (i - 0.32, b)] for i, a, b in zip(x, bottom, top, strict=True)
    ]
    faces = ["white" if b >= a else BARS for a, b in zip(open_, close, strict=True)]
    thin = 0.8 if len(x) < 120 else 0.4
    axes.add_collection(LineCollection(wicks, colors=BARS, linewidths=thin))
    axes.add_collection(PolyCollection(bodies, facecolors=faces, edgecolors=BARS, linewidths=thin))
    axes.autoscale_view()


def _bar_of(table: BarTable, moment: datetime) -> int:
    """The bar that a fill belongs to: fills carry the opening time of their bar or a moment within it."""
    return max(0, int(table.opens_at.searchsorted(pd.Timestamp(moment), side="right")) - 1)


def _label(table: BarTable, position: float) -> str:
    row = round(position)
    if not 0 <= row < len(table):
        return ""
    return f"{table.opens_at[row]:{'%d %b %y' if table.daily else '%d %b %H:%M'}}"


def _legend() -> list[Line2D]:
    def mark(label: str, **look: Any) -> Line2D:
        return Line2D([], [], label=label, **look)

    return [
        mark("entry", color=ENTRY, marker="^", linestyle=":"),
        mark("exit with profit", color=GAIN, marker="v", linestyle=""),
        mark("exit with loss", color=LOSS, marker="v", linestyle=""),
        mark("target", color=GAIN, linewidth=1.6),
        mark("initial stop", color=LOSS, linewidth=1.6),
    ]


def _bare(axes: Axes) -> None:
    axes.grid(True, **GRID)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _save(figure: Figure, path: Path) -> None:
    unfinished = path.with_name(path.name + ".tmp")
    figure.savefig(unfinished, format="png")
    unfinished.replace(path)
