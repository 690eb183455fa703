"""The page of a run: figures beside the benchmark, what was assumed, trades by group, what was refused and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from backtests.reports.breakdowns import by_exit, by_month, by_signal, by_symbol, streaks
from backtests.reports.formatting import cell, write_text
from backtests.reports.metrics import Figure, figure_text
from backtests.reports.run_info import RunInfo
from backtests.reports.size_limits import sizes_told
from backtests.reports.summary_screen import CURVE, curve_values, trading_values
from brokers.record import RunRecord
from config.values.counting import counted, signed
from config.values.printable import shown


def write_html_report(
    path: Path, record: RunRecord, info: RunInfo, figures: Mapping[str, Figure], pictures: list[Path]
) -> None:
    """Write ``report.html``; it needs no network, and its pictures are the files beside it.

    Parameters
    ----------
    path : Path
    record : RunRecord
    info : RunInfo
    figures : mapping
        What ``backtests.reports.metrics.metrics`` returns.
    pictures : list of Path
        In the folder of ``path`` or below it.
    """
    page = _environment().get_template("report.html.j2")
    own, other = curve_values(record, info, figures)
    refused = Counter(
        decision.verdicts[-1].module
        for decision in record.decisions
        if decision.verdicts and decision.verdicts[-1].refused
    )
    text = page.render(
        info=info,
        window=f"{info.start:%Y-%m-%d} to {info.end:%Y-%m-%d}",
        symbols=counted(len(info.symbols), "symbol"),
        fills={name.replace("_", " "): cell(v) for name, v in info.fill_assumptions.items() if v is not None},
        curve=[
            (label, figure_text(own.get(name), form), figure_text(other.get(name), form) if other else "")
            for name, label, form in CURVE
            if name != "cagr" or info.shows_growth_per_year
        ],
        trading=trading_values(info, figures),
        streaks=streaks(record.trades),
        groups=[
            ("By signal", by_signal(record.trades)),
            ("By exit", by_exit(record.trades)),
            ("By symbol", by_symbol(record.trades)),
            ("By month of the exit", by_month(record.trades)),
        ],
        best=sorted(record.trades, key=lambda trade: -trade.pnl)[:5],
        worst=sorted(record.trades, key=lambda trade: trade.pnl)[:5],
        refused=refused.most_common(),
        decisions=len(record.decisions),
        sizes=sizes_told(record),
        open_positions=info.open_positions,
        pictures=[picture.relative_to(path.parent).as_posix() for picture in pictures],
    )
    write_text(path, text)


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("backtests.reports", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["money"] = lambda value: signed(value, ",.2f")
    environment.filters["share"] = lambda value: f"{value:.1%}"
    environment.filters["two"] = lambda value: "–" if value is None else f"{value:,.2f}"
    environment.filters["day"] = lambda value: f"{value:%Y-%m-%d %H:%M}"
    return environment
