"""What of Lumibot's tearsheet stays: its shape, and the lines that are true of the run.

QuantStats counts calendar days and whole months where a run has sessions and parts of months, calls the last day of an
unfinished drawdown its recovery, and annualises a window of days. Rows that it computes wrongly are left out, or stand
there as computed by us.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from backtests.reports.run_info import RunInfo
from config.values.counting import signed

ALWAYS = (
    "Risk-Free Rate",
    "Total Return",
    "Max Drawdown",
    "Longest DD Days",
    "Best Day",
    "Worst Day",
    "Corr to Benchmark",
)
FROM_A_QUARTER = ("Volatility (ann.)", "Beta", "Best Month", "Worst 1-Month Return", "Sharpe", "Sortino")
FROM_A_YEAR = ("RoMaD", "Best Year", "Worst Year")
"""QuantStats' rows that agree with an independent calculation, by how long a window has to be for them to mean
something. All others are left out: shares of days that count weekends, expectations, ratios of ratios, and its growth
per year, which counts whole days where ours counts from the first bar's opening."""
GROWTH = "Growth per year"
"""Label of our row, and what stands in QuantStats' tile of the annual return."""

HALF_A_YEAR, WHOLE_YEAR = 126, 252
"""Sessions that the rolling pictures look back over."""

_ROW = re.compile(r"<tr[^>]*>\s*<td[^>]*>(?P<label>.*?)</td>(?P<rest>.*?)</tr>", re.DOTALL)
_ICON = re.compile(r'<link rel="shortcut icon"[^>]*>')
_TILE = re.compile(
    r'<div class="metric-(?:main|sub)">\s*<div class="metric-title">(?P<label>[^<]*?)\s*<span.*?</div>\s*'
    r"</div>\s*(?=<div|</div>)",
    re.DOTALL,
)


# QuantStats' columns are narrower than some of its tables: these fit, and what is still too wide can be scrolled to.
_WHOLE_TABLES = """
#monthly_heatmap { overflow-x: auto !important; }
#eoy th, #eoy td, #monthly_heatmap th, #monthly_heatmap td {
    padding-left: 4px !important; padding-right: 4px !important; letter-spacing: 0; font-size: 11px;
}
"""


@dataclass(frozen=True, slots=True)
class PageFacts:
    """What the page has to be held against.

    ``recovered`` tells whether the curve ended at its highest point; ``last_day`` is the curve's last; ``months`` are
    the curve's returns by month.
    """

    sessions: int = 0
    days: int = 0
    dates: str = ""
    last_day: str = ""
    recovered: bool = True
    months: Sequence[tuple[int, int, float]] = ()

    @classmethod
    def of(cls, closes: pd.Series, info: RunInfo) -> PageFacts:
        """Facts of a curve of session closes over the window of a run."""
        if closes.empty:
            return cls(dates=f"{info.start:%Y-%m-%d} to {info.end:%Y-%m-%d}")
        values = closes.to_numpy(dtype=float)
        times = pd.DatetimeIndex(closes.index)
        return cls(
            sessions=len(values) - 1,
            days=(info.end - info.start).days,
            dates=f"{info.start:%Y-%m-%d} to {info.end:%Y-%m-%d}",
            last_day=f"{times[-1]:%Y-%m-%d}",
            recovered=bool(values[-1] >= np.nanmax(values)),
            months=monthly_returns(closes),
        )

    @property
    def kept(self) -> frozenset[str]:
        """Labels of QuantStats' rows that say something true of a window this long."""
        labels = [*ALWAYS]
        if self.days >= 90:
            labels += FROM_A_QUARTER
        if self.days >= 350:
            labels += FROM_A_YEAR
        return frozenset(labels)

    @property
    def false_pictures(self) -> tuple[str, ...]:
        """QuantStats' pictures that would show something else than the run.

        Its heat map gives 0.00 to months in which nothing was run: ours stands in its place. The rolling pictures
        need more sessions than they look back over.
        """
        rolling = ("rolling_volatility", "rolling_sharpe", "rolling_sortino") if self.sessions <= HALF_A_YEAR else ()
        beta = ("rolling_beta",) if self.sessions <= WHOLE_YEAR else ()
        return ("monthly_heatmap", *rolling, *beta)


def monthly_returns(closes: pd.Series) -> list[tuple[int, int, float]]:
    """Year, month and return of each month that the curve touches, the first and the last as far as they go.

    Parameters
    ----------
    closes : Series of float
        Session closes led by the value at the start.
    """
    if len(closes) < 2:
        return []
    times = pd.DatetimeIndex(closes.index)
    months = [(int(time.year), int(time.month)) for time in times[1:]]
    values = closes.to_numpy(dtype=float)
    last: dict[tuple[int, int], float] = {}
    for place, value in zip(months, values[1:], strict=True):
        last[place] = float(value)
    before, found = float(values[0]), []
    for (year, month), value in last.items():
        found.append((year, month, value / before - 1))
        before = value
    return found


def corrected(page: str, rows: Mapping[str, Any], facts: PageFacts) -> str:
    """The page without what is false of the run.

    Parameters
    ----------
    page : str
        As Lumibot wrote it.
    rows : mapping
        Our figures, which have to stand on it.
    facts : PageFacts
    """
    # The page's one link that a browser would follow by itself.
    page = _ICON.sub("", page)
    kept = facts.kept | {html.escape(label, quote=False) for label in rows}
    begin = page.find("Key Performance Metrics")
    end = page.find('<div id="eoy"')
    if 0 <= begin < end:
        table = _ROW.sub(lambda row: row[0] if _plain(row["label"]) in kept | {"Metric"} else "", page[begin:end])
        page = page[:begin] + table + page[end:]
    page = _TILE.sub(lambda tile: _tile(tile, rows, facts), page)
    page = page.replace("</style>", _WHOLE_TABLES + "</style>", 1)
    if facts.dates:
        page = re.sub(r"(<h1>[^<]*<dt>)[^<]*(</dt>)", rf"\g<1>{facts.dates}\g<2>", page, count=1)
    if not facts.recovered:
        page = re.sub(
            rf"(<td[^>]*>\d{{4}}-\d\d-\d\d</td>\s*<td[^>]*>){facts.last_day}(</td>)", r"\g<1>not yet\g<2>", page
        )
    page = re.sub(
        r'(<div id="monthly_heatmap">).*?(</div>)',
        lambda place: place[1] + _months_table(facts.months) + place[2],
        page,
        count=1,
        flags=re.DOTALL,
    )
    if any(html.escape(label, quote=False) not in page for label in rows):
        page = page.replace("</body>", _table(rows) + "</body>", 1)
    return page


def _plain(text: str) -> str:
    return re.sub(r"<[^>]*>", "", text).strip()


def _tile(tile: re.Match[str], rows: Mapping[str, Any], facts: PageFacts) -> str:
    """A tile that says what its row says; nothing where that row is left out."""
    label = tile["label"].strip()
    if label != "Annual Return":
        return tile[0] if label in facts.kept else ""
    if GROWTH not in rows:
        return ""
    value = rows[GROWTH]
    own = value["strategy"] if isinstance(value, Mapping) else value
    return re.sub(r"(<h[1-6]>)[^<]*(</h[1-6]>)", lambda shown: shown[1] + html.escape(own) + shown[2], tile[0], count=1)


def _months_table(months: Sequence[tuple[int, int, float]]) -> str:
    """Returns by month; a month that was not run is empty."""
    if not months:
        return ""
    by_year: dict[int, dict[int, float]] = {}
    for year, month, value in months:
        by_year.setdefault(year, {})[month] = value
    head = "".join(f"<th>{pd.Timestamp(2000, month, 1):%b}</th>" for month in range(1, 13))
    body = "".join(
        f"<tr><td>{year}</td>"
        + "".join(
            f'<td style="background:{_tint(found[month])}">{signed(found[month], ".2%")}</td>'
            if month in found
            else "<td></td>"
            for month in range(1, 13)
        )
        + "</tr>"
        for year, found in by_year.items()
    )
    return f"<h3>Returns by month</h3><table><thead><tr><th>Year</th>{head}</tr></thead><tbody>{body}</tbody></table>"


def _tint(value: float) -> str:
    """Blue for gains, orange for losses, fuller up to a tenth."""
    strength = min(abs(value) / 0.10, 1.0) * 0.55
    return f"rgba(0,114,178,{strength:.2f})" if value >= 0 else f"rgba(213,94,0,{strength:.2f})"


def _table(rows: Mapping[str, Any]) -> str:
    def cells(value: Any) -> str:
        texts = value.values() if isinstance(value, Mapping) else [value]
        return "".join(f"<td>{html.escape(text)}</td>" for text in texts)

    body = "\n".join(f"<tr><td>{html.escape(label)}</td>{cells(value)}</tr>" for label, value in rows.items())
    return f"<h2>Figures of the run</h2>\n<table>\n{body}\n</table>\n"
