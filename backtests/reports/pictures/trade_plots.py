"""Contact sheets of trades: the bars around each trade, its levels, entry and exit.

All trades of a sheet are drawn into one pair of axes, each in a cell of its own: twelve pairs of axes, their ticks and
labels would take most of the time of a whole run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from backtests.reports.pictures.plot_style import BARS, DPI, ENTRY, GAIN, LOSS, save
from backtests.reports.pictures.shapes import LineLook, Shapes
from brokers.record import OrderRecord, RunRecord, TradeRecord
from config.values.counting import counted, signed
from market.bars import BarTable

COLUMNS, ROWS = 3, 4
PER_SHEET = COLUMNS * ROWS
# Sizes in inches; the axes of a sheet count in them.
WIDTH, CELL_HEIGHT, HEADER, FOOTER = 15.0, 3.1, 0.65, 0.55
LEFT, RIGHT, ABOVE, BELOW = 0.55, 0.15, 0.55, 0.28
BAR_LABELS = 4

ENTRY_PRICE = LineLook(ENTRY, 1.0, ":")
INITIAL_STOP, TARGET = LineLook(LOSS, 1.6), LineLook(GAIN, 1.6)
MOVED_STOP = LineLook(LOSS, 1.4, "--")


@dataclass(frozen=True, slots=True)
class Sheet:
    """``name`` is the file's, without its ending."""

    name: str
    title: str
    trades: Sequence[TradeRecord]


def plot_trades(folder: Path, record: RunRecord, table: BarTable, every: bool = False) -> list[Path]:
    """Draw trades on contact sheets of at most twelve.

    Parameters
    ----------
    folder : Path
        Made if there is a trade to draw.
    record : RunRecord
    table : BarTable
        Trades of symbols that it doesn't have are left out.
    every : bool, default=False
        Draw all trades in order of entry, however many sheets that takes. Otherwise one sheet: all trades if they
        fit on it, else the six worst and the six best by R.

    Returns
    -------
    list of Path
        The PNGs written.
    """
    known = set(table.symbols)
    trades = sorted((t for t in record.trades if t.symbol in known), key=lambda t: (t.entry_time, t.symbol))
    stops = _last_stops(record.orders)
    paths = []
    for sheet in sheets(trades, every):
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{sheet.name}.png"
        _draw(path, sheet, table, stops)
        paths.append(path)
    return paths


def sheets(trades: Sequence[TradeRecord], every: bool) -> list[Sheet]:
    """Which trades stand on which sheet, with the sheet's name and title."""
    if not trades:
        return []
    if every or len(trades) <= PER_SHEET:
        parts = [trades[start : start + PER_SHEET] for start in range(0, len(trades), PER_SHEET)]
        digits = len(str(len(parts)))
        return [
            Sheet(
                f"by-entry-{number:0{digits}d}" if len(parts) > 1 else "all-by-entry",
                f"Trades by entry, {part[0].entry_time:%d %b %Y} to {part[-1].entry_time:%d %b %Y}",
                part,
            )
            for number, part in enumerate(parts, start=1)
        ]
    ranked = sorted((t for t in trades if np.isfinite(t.r_multiple)), key=lambda t: t.r_multiple)
    half = PER_SHEET // 2
    shown = ranked if len(ranked) <= PER_SHEET else [*ranked[:half], *ranked[-half:]]
    return [Sheet("worst-and-best", f"The worst and the best of {counted(len(trades), 'trade')} by R", shown)]


def _last_stops(orders: Sequence[OrderRecord]) -> dict[tuple[str, datetime], float]:
    """Where the stop of a position stood when it was filled, by symbol and time of the fill."""
    return {
        (order.symbol, order.filled_time): order.stop_price
        for order in orders
        if order.role == "stop" and order.filled_time is not None and order.stop_price is not None
    }


class _Cell:
    """One trade's place on the sheet: bars and prices to inches."""

    def __init__(self, left: float, bottom: float, rows: np.ndarray, low: float, high: float) -> None:
        self.left, self.bottom = left + LEFT, bottom + BELOW
        self.width = WIDTH / COLUMNS - LEFT - RIGHT
        self.height = CELL_HEIGHT - ABOVE - BELOW
        margin = (high - low) * 0.06 or abs(high) * 0.01 or 1.0
        self.low, self.high = low - margin, high + margin
        self.first, self.count = int(rows[0]), int(rows[-1] - rows[0]) + 1

    def x(self, row: Any) -> Any:
        return self.left + (np.asarray(row, dtype=float) - self.first + 0.5) / self.count * self.width

    def y(self, price: Any) -> Any:
        return self.bottom + (np.asarray(price, dtype=float) - self.low) / (self.high - self.low) * self.height


@style.context("default")
def _draw(path: Path, sheet: Sheet, table: BarTable, stops: dict[tuple[str, datetime], float]) -> None:
    rows = -(-len(sheet.trades) // COLUMNS)
    height = HEADER + FOOTER + CELL_HEIGHT * rows
    figure = Figure(figsize=(WIDTH, height), dpi=DPI)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_axis_off()
    axes.set_xlim(0, WIDTH)
    axes.set_ylim(0, height)
    axes.text(0.15, height - 0.2, sheet.title, fontsize=13, fontweight="bold", va="top")
    shapes = Shapes()
    for number, trade in enumerate(sheet.trades):
        row, column = divmod(number, COLUMNS)
        left, bottom = column * WIDTH / COLUMNS, height - HEADER - (row + 1) * CELL_HEIGHT
        _trade(axes, shapes, left, bottom, trade, table, stops.get((trade.symbol, trade.exit_time)))
    shapes.draw(axes)
    figure.legend(handles=_legend(), loc="lower center", ncols=6, frameon=False)
    save(figure, path)


def _trade(
    axes: Axes,
    shapes: Shapes,
    left: float,
    bottom: float,
    trade: TradeRecord,
    table: BarTable,
    last_stop: float | None,
) -> None:
    column = table.symbols.index(trade.symbol)
    begun, ended = _bar_of(table, trade.entry_time), _bar_of(table, trade.exit_time)
    around = max(12, (ended - begun) // 3)
    rows = np.arange(max(0, begun - around), min(len(table), ended + around + 1))
    rows = rows[np.isfinite(table.close[rows, column])]
    if not len(rows):
        return
    open_, high, low, close = (field[rows, column] for field in (table.open, table.high, table.low, table.close))
    levels = [trade.entry_price, trade.exit_price, trade.stop, trade.target]
    known = [level for level in levels if np.isfinite(level)]
    cell = _Cell(left, bottom, rows, min(float(low.min()), *known), max(float(high.max()), *known))
    _grid(axes, shapes, cell, rows, table)
    _candles(shapes, cell, rows, open_, high, low, close)
    _levels(shapes, cell, trade, begun, ended, last_stop)
    _marks(shapes, cell, trade, (begun, ended), rows, low, high)
    _titles(axes, left, bottom, trade)


def _grid(axes: Axes, shapes: Shapes, cell: _Cell, rows: np.ndarray, table: BarTable) -> None:
    right, top = cell.left + cell.width, cell.bottom + cell.height
    prices = [p for p in MaxNLocator(5).tick_values(cell.low, cell.high) if cell.low < p < cell.high]
    places = rows[np.unique(np.linspace(0, len(rows) - 1, BAR_LABELS + 2).round().astype(int)[1:-1])]
    shapes.grid += [((cell.left, cell.y(price)), (right, cell.y(price))) for price in prices]
    shapes.grid += [((cell.x(row), cell.bottom), (cell.x(row), top)) for row in places]
    shapes.frame += [((cell.left, cell.bottom), (cell.left, top)), ((cell.left, cell.bottom), (right, cell.bottom))]
    for price in prices:
        axes.text(cell.left - 0.06, cell.y(price), f"{price:,.6g}", fontsize=8, ha="right", va="center")
    form = "%d %b %y" if table.daily else "%d %b %y %H:%M"
    for row in places:
        label = f"{table.opens_at[row]:{form}}"
        axes.text(cell.x(row), cell.bottom - 0.06, label, fontsize=7.5, ha="center", va="top")


def _candles(
    shapes: Shapes,
    cell: _Cell,
    rows: np.ndarray,
    open_: np.ndarray,
    high: np.ndarray,
    low: np.ndarray,
    close: np.ndarray,
) -> None:
    """Hollow bodies rise, filled ones fall."""
    x, half = cell.x(rows), 0.32 * cell.width / cell.count
    bottom, top = cell.y(np.minimum(open_, close)), cell.y(np.maximum(open_, close))
    shapes.wicks += [((i, a), (i, b)) for i, a, b in zip(x, cell.y(low), bottom, strict=True)]
    shapes.wicks += [((i, a), (i, b)) for i, a, b in zip(x, top, cell.y(high), strict=True)]
    shapes.bodies += [
        [(i - half, a), (i + half, a), (i + half, b), (i - half, b)] for i, a, b in zip(x, bottom, top, strict=True)
    ]
    shapes.body_faces += ["white" if b >= a else BARS for a, b in zip(open_, close, strict=True)]
    thin = 0.8 if len(rows) < 120 else 0.4
    shapes.wick_widths += [thin] * (2 * len(rows))
    shapes.body_widths += [thin] * len(rows)


def _levels(shapes: Shapes, cell: _Cell, trade: TradeRecord, begun: int, ended: int, last_stop: float | None) -> None:
    begins, ends = cell.x([begun, ended])
    shapes.level(ENTRY_PRICE, begins, ends, cell.y(trade.entry_price))
    for level, look in ((trade.stop, INITIAL_STOP), (trade.target, TARGET)):
        if np.isfinite(level):
            shapes.level(look, begins, ends, cell.y(level))
    if last_stop is not None and abs(last_stop - trade.stop) > 1e-9 * abs(trade.stop):
        # The record says where a moved stop stood in the end, not when it moved.
        width = 0.5 * cell.width / cell.count
        shapes.level(MOVED_STOP, ends - 3 * width, ends + width, cell.y(last_stop))


def _marks(
    shapes: Shapes,
    cell: _Cell,
    trade: TradeRecord,
    bars: tuple[int, int],
    rows: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
) -> None:
    """Arrows beside the candles, and a tick at the price of the fill: a mark on the candle would hide it."""
    buys = trade.side == "buy"
    won = GAIN if trade.pnl > 0 else LOSS
    for bar, price, below, color in (
        (bars[0], trade.entry_price, buys, ENTRY),
        (bars[1], trade.exit_price, not buys, won),
    ):
        at = int(np.clip(np.searchsorted(rows, bar), 0, len(rows) - 1))
        edge = min(float(low[at]), price) if below else max(float(high[at]), price)
        y = float(cell.y(edge)) + (-0.10 if below else 0.10)
        x, width = cell.x(bar), 0.5 * cell.width / cell.count
        shapes.arrow("^" if below else "v", color, x, y)
        shapes.level(LineLook(color, 2.0, zorder=6), x - width, x + width, cell.y(price))


def _titles(axes: Axes, left: float, bottom: float, trade: TradeRecord) -> None:
    color, top = GAIN if trade.pnl > 0 else LOSS, bottom + CELL_HEIGHT
    result = f"{signed(trade.pnl, ',.0f')} USD"
    if np.isfinite(trade.r_multiple):
        result = f"{signed(trade.r_multiple, '.2f')} R   {result}"
    title = f"{trade.symbol}  {trade.signal or 'no signal'} → {trade.exit_reason}"
    axes.text(left + LEFT, top - 0.12, title, fontsize=9.5, fontweight="bold", va="top")
    right = left + WIDTH / COLUMNS - RIGHT
    axes.text(right, top - 0.12, result, fontsize=9.5, fontweight="bold", color=color, ha="right", va="top")
    axes.text(left + LEFT, top - 0.32, " · ".join(_details(trade)), fontsize=8, color=BARS, va="top")


def _details(trade: TradeRecord) -> Iterator[str]:
    yield f"{trade.quantity:,.8g} {'bought' if trade.side == 'buy' else 'sold short'} at {trade.entry_price:,.6g}"
    yield f"out at {trade.exit_price:,.6g}"
    held = pd.Timestamp(trade.exit_time) - pd.Timestamp(trade.entry_time)
    yield counted(held.days, "day") if held.days else f"{held.total_seconds() / 3600:.1f} h"
    yield f"{trade.entry_time:%d %b %Y}"


def _bar_of(table: BarTable, moment: datetime) -> int:
    """The bar that a fill belongs to: fills carry the opening time of their bar or a moment within it."""
    return max(0, int(table.opens_at.searchsorted(pd.Timestamp(moment), side="right")) - 1)


def _legend() -> list[Line2D]:
    def mark(label: str, **look: Any) -> Line2D:
        return Line2D([], [], label=label, **look)

    return [
        mark("entry", color=ENTRY, marker="^", linestyle=":"),
        mark("exit with profit", color=GAIN, marker="v", linestyle=""),
        mark("exit with loss", color=LOSS, marker="v", linestyle=""),
        mark("target", color=GAIN, linewidth=1.6),
        mark("initial stop", color=LOSS, linewidth=1.6),
        mark("stop when it was filled, if moved", color=LOSS, linewidth=1.4, linestyle="--"),
    ]
