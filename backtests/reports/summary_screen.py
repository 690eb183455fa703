"""The one screen that ends a run: what ran, what came out, what was refused and where the files are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from backtests.reports.breakdowns import Breakdown, by_signal
from backtests.reports.formatting import cell
from backtests.reports.metrics import Figure, figure_text, for_people, protected_text
from backtests.reports.run_files import TRADE_PAGES
from backtests.reports.run_info import RunInfo
from backtests.reports.size_limits import sizes_told
from brokers.record import RunRecord, TradeRecord
from config.values.counting import counted, signed
from monitoring.record_table import Column, RecordTable

WIDTH = 96
_SHOWN = (
    "report.html",
    "tearsheet.html",
    "equity.png",
    f"{TRADE_PAGES}/",
    "trades.csv",
    "orders.csv",
    "equity.csv",
    "decisions.jsonl",
    "summary.json",
    "settings.yaml",
    "run.json",
)
LISTED = 6
"""Exit reasons and rules shown; the rest is counted."""

# Figure, label and format, in the order of reading; the second list is of the run alone.
CURVE = (
    ("total_return", "Total return", "{:+z.2%}"),
    ("cagr", "Growth per year", "{:+z.2%}"),
    ("max_drawdown", "Maximum drawdown", "{:z.2%}"),
    ("sharpe", "Sharpe", "{:z.2f}"),
    ("sortino", "Sortino", "{:z.2f}"),
)
TRADING = (
    ("trades", "Closed trades", "{:,d}"),
    ("win_rate", "Win rate", "{:.1%}"),
    ("profit_factor", "Profit factor", "{:.2f}"),
    ("avg_r", "Average R", "{:+z.2f}"),
    ("avg_win", "Average win", "{:+,.2f} USD"),
    ("avg_loss", "Average loss", "{:+,.2f} USD"),
    ("exposure", "Mean exposure", "{:.1%}"),
    ("turnover", "Turnover per year", "{:.1f}×"),
    ("slippage_cost", "Slippage cost", "{:,.2f} USD"),
    ("fees", "Fees", "{:,.2f} USD"),
    ("protected_share", "Position time protected", "{:.2%}"),
)


def show_summary(console: Console, record: RunRecord, info: RunInfo, figures: Mapping[str, Figure]) -> None:
    """Print the summary.

    Parameters
    ----------
    console : Console
        On narrower ones than 80 columns the tables are below one another.
    record : RunRecord
    info : RunInfo
    figures : mapping
        What ``backtests.reports.metrics.metrics`` returns.
    """
    console.print(summary_screen(record, info, figures), width=min(console.width, WIDTH))


def show_files(console: Console, info: RunInfo, folder: Path) -> None:
    """Say where the files of the run are: the report's are there only once it is drawn."""
    console.print(_files(folder, info), width=min(console.width, WIDTH))


def summary_screen(record: RunRecord, info: RunInfo, figures: Mapping[str, Figure]) -> RenderableType:
    """The summary as something rich can print; tables stand beside one another where the console is wide enough."""
    parts: list[RenderableType] = [_heading(info), ""]
    if info.interrupted:
        parts += [Text(f"INTERRUPTED: {info.interrupted}", style="bold red"), ""]
    if info.warnings:
        parts += [*(Text(f"Warning: {warning}", style="bold red") for warning in info.warnings), ""]
    parts += [Beside(_curve_table(record, info, figures), _trading_table(info, figures)), ""]
    parts += [Beside(_exits(record.trades), _groups("signals", by_signal(record.trades))), ""]
    parts += [_refusals(record, figures), ""]
    if sizes := sizes_told(record):
        parts += [Text(sizes), ""]
    if info.open_positions:
        parts += [_open(info), ""]
    parts += [Text(f"Note: {note}", style="yellow") for note in info.notes]
    return Group(*parts, *([""] if info.notes else []))


class Beside:
    """Two tables next to each other, or one below the other where the console is too narrow to show them whole."""

    GAP = 4

    def __init__(self, left: Table, right: Table) -> None:
        self.left, self.right = left, right

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        widths = (Measurement.get(console, options, table).maximum for table in (self.left, self.right))
        if sum(widths) + self.GAP <= options.max_width:
            both = Table.grid(padding=(0, self.GAP))
            both.add_row(self.left, self.right)
            yield both
        else:
            yield from (self.left, "", self.right)


def _heading(info: RunInfo) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim")
    grid.add_column()
    fills = ", ".join(f"{name} {cell(value)}" for name, value in info.fill_assumptions.items() if value is not None)
    if info.interrupted:
        grid.add_row("INTERRUPTED", Text(f"by {info.interrupted}: not the whole run", style="bold red"))
    grid.add_row(info.mode, Text(f"{info.strategy}, profile {info.profile}", style="bold"))
    grid.add_row("evidence", Text(info.evidence, style="yellow"))
    grid.add_row("window", f"{info.days}, {counted(len(info.symbols), 'symbol')}")
    grid.add_row("data", Text(f"{info.data_source}  {info.data_hash[:12]}"))
    grid.add_row("fills", Text(fills or "as the market is, no costs"))
    return grid


def curve_values(
    record: RunRecord, info: RunInfo, figures: Mapping[str, Figure]
) -> tuple[dict[str, Figure], dict[str, Figure]]:
    """The figures of the run's curve and of the benchmark's, by the names in ``CURVE``."""
    final = record.equity[-1].equity if record.equity else record.initial_equity
    total = final / record.initial_equity - 1 if record.initial_equity > 0 else None
    other = info.benchmark_figures
    return for_people({**figures, "total_return": total}), for_people(other) if other else {}


def _curve_table(record: RunRecord, info: RunInfo, figures: Mapping[str, Figure]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("")
    table.add_column("run", justify="right", style="bold")
    final = record.equity[-1].equity if record.equity else record.initial_equity
    own, other = curve_values(record, info, figures)
    if other:
        table.add_column(info.benchmark, justify="right")
    for name, label, form in CURVE:
        if name == "cagr" and not info.shows_growth_per_year:
            continue
        values = [own.get(name), other.get(name)] if other else [own.get(name)]
        table.add_row(label, *(figure_text(value, form) for value in values))
    table.add_row("Equity at start", f"{record.initial_equity:,.0f}")
    table.add_row("Equity at end", f"{final:,.0f}")
    return table


def trading_values(info: RunInfo, figures: Mapping[str, Figure]) -> list[tuple[str, str]]:
    """Label and text of each figure in ``TRADING``."""
    return [
        (
            label,
            protected_text(figures.get(name), form, info.bare_s)
            if name == "protected_share"
            else figure_text(figures.get(name), form),
        )
        for name, label, form in TRADING
    ]


def _trading_table(info: RunInfo, figures: Mapping[str, Figure]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("trading")
    table.add_column("", justify="right", style="bold")
    for label, text in trading_values(info, figures):
        table.add_row(label, text)
    return table


def _exits(trades: list[TradeRecord]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("exits")
    table.add_column("trades", justify="right")
    table.add_column("profit, USD", justify="right")
    for reason, count in _ranked(Counter(trade.exit_reason or "no reason" for trade in trades)):
        profit = sum(trade.pnl for trade in trades if (trade.exit_reason or "no reason") == reason)
        table.add_row(reason, f"{count:,d}", signed(profit, ",.0f"), style="red" if profit < 0 else "")
    _rest(table, len({trade.exit_reason for trade in trades}), "reasons")
    return table


def _groups(noun: str, groups: list[Breakdown]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column(noun)
    for column in ("trades", "won", "R", "profit, USD"):
        table.add_column(column, justify="right")
    for group in groups[:LISTED]:
        table.add_row(
            group.name,
            f"{group.trades:,d}",
            f"{group.win_rate:.0%}",
            figure_text(group.avg_r, "{:+.2f}"),
            signed(group.pnl, ",.0f"),
            style="red" if group.pnl < 0 else "",
        )
    _rest(table, len(groups), noun)
    return table


def _open(info: RunInfo) -> RecordTable:
    headings = ("quantity", "entry", "last", "stop", "unrealised, USD")
    table = RecordTable([Column("open at the end"), *(Column(heading, right=True) for heading in headings)])
    for held in info.open_positions[:LISTED]:
        table.add(
            held.symbol,
            f"{held.quantity:,.8g}",
            f"{held.entry_price:,.2f}",
            f"{held.price:,.2f}",
            f"{held.stop:,.2f}",
            signed(held.unrealised, ",.0f"),
        )
    if len(info.open_positions) > LISTED:
        rest = info.open_positions[LISTED:]
        table.add(f"and {len(rest)} more", "", "", "", "", signed(sum(held.unrealised for held in rest), ",.0f"))
    return table


def _refusals(record: RunRecord, figures: Mapping[str, Figure]) -> Table:
    """Which rules stood in the way, by module and the fixed word of their code; sizing is no refusal.

    The refusals add up to the last row; a proposal that several rules shrank is one there.
    """
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("proposals, by rule")
    table.add_column("refused", justify="right")
    table.add_column("shrunk", justify="right")
    refused, shrunk = Counter[str](), Counter[str]()
    for decision in record.decisions:
        for verdict in decision.verdicts:
            if verdict.module == "equity_sizer" and not verdict.refused:
                continue
            if verdict.refused and verdict is decision.verdicts[-1]:
                refused[_rule(verdict.module, verdict.code)] += 1
            elif verdict.shrunk:
                shrunk[_rule(verdict.module, verdict.code)] += 1
    ranked = (refused + shrunk).most_common()
    shown = ranked if len(ranked) <= LISTED else ranked[: LISTED - 1]
    for rule, _ in shown:
        table.add_row(rule, f"{refused[rule]:,d}", f"{shrunk[rule]:,d}")
    if rest := [rule for rule, _ in ranked[len(shown) :]]:
        counts = (f"{sum(found[rule] for rule in rest):,d}" for found in (refused, shrunk))
        table.add_row(f"{len(rest)} more rules", *counts, style="dim")
    table.add_row(
        f"all {len(record.decisions):,d}", f"{figures['rejected']:,d}", f"{figures['resized']:,d}", style="bold"
    )
    return table


def _rule(module: str, code: str) -> str:
    word = code.split(":", 1)[0]
    return module if word.lower() == module else f"{module} {word}"


def _ranked(counts: Counter[str]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:LISTED]


def _rest(table: Table, kinds: int, noun: str) -> None:
    if kinds > LISTED:
        table.add_row(f"and {kinds - LISTED} more {noun}", style="dim")
    elif not kinds:
        table.add_row("none", style="dim")


def _files(folder: Path, info: RunInfo) -> Text:
    seconds = sum(info.seconds.values())
    text = Text("Files in ")
    text.append(f"{folder}/", style="bold")
    text.append(f": {', '.join(name for name in _SHOWN if _written(folder, name))}")
    return text.append(f"  ({seconds:.1f} s for data and run)", style="dim") if seconds else text


def _written(folder: Path, name: str) -> bool:
    """Whether a run left it; of a folder there has to be a picture in it."""
    return any((folder / name).glob("*.png")) if name.endswith("/") else (folder / name).exists()
