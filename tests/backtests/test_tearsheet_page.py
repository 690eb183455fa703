"""What of QuantStats' page is false of a run is left out, or stands there as computed here."""

from __future__ import annotations

import re

import pandas as pd
import pytest

from backtests.reports.tearsheet.page import PageFacts, corrected, monthly_returns

PAGE = """<html><head><link rel="shortcut icon" href="https://elsewhere"></head><body>
<h1>combined <dt>1 Jan, 2020 - 31 Jan, 2020</dt></h1>
<div class="metric-main">
 <div class="metric-title">Annual Return <span class="info-icon" title="x">i</span></div>
 <div class="metric-value"><h1>900%</h1>
</div></div>
<div class="metric-sub">
 <div class="metric-title">Total Return <span class="info-icon" title="x">i</span></div>
 <div class="metric-value"><h2>3%</h2>
</div></div>
</div>
<h3>Key Performance Metrics</h3><table><tr><th>Metric</th><th>Strategy</th></tr>
<tr><td>Total Return</td><td>3%</td></tr>
<tr><td>Win Days</td><td>2,203.29</td></tr>
<tr><td>Sharpe</td><td>-22.79</td></tr>
<tr><td>CAGR% (Annual Return)</td><td>900%</td></tr>
<tr><td>Closed trades</td><td>3</td></tr>
</table>
<div id="eoy"></div>
<table><tr><td>2020-01-10</td><td>2020-01-31</td><td>-2.0</td></tr>
<tr><td>2020-01-03</td><td>2020-01-07</td><td>-1.0</td></tr></table>
<div id="monthly_heatmap"><svg>0.00</svg></div>
</body></html>"""
ROWS = {"Closed trades": "3"}


def facts(days: int, recovered: bool = True) -> PageFacts:
    return PageFacts(sessions=days, days=days, dates="2020-01-02 to 2020-01-31", last_day="2020-01-31",
                     recovered=recovered, months=[(2020, 1, 0.03)])  # fmt: skip


@pytest.mark.parametrize(
    ("days", "shown", "left_out"),
    [
        (30, ["Total Return", "Closed trades"], ["Win Days", "Sharpe", "CAGR", "Annual Return", "900%"]),
        (100, ["Total Return", "Sharpe"], ["Win Days", "CAGR", "Annual Return"]),
        (400, ["Total Return", "Sharpe"], ["Win Days", "CAGR", "900%"]),
    ],
)
def test_rows_stay_by_the_length_of_the_window(days: int, shown: list[str], left_out: list[str]) -> None:
    page = corrected(PAGE, ROWS, facts(days))
    assert all(text in page for text in (*shown, "Metric"))
    assert not any(text in page for text in left_out)


def test_the_growth_of_a_year_is_told_once_and_it_is_ours() -> None:
    rows = {**ROWS, "Growth per year": {"strategy": "1.23%", "benchmark": "35.07%"}}
    page = corrected(PAGE.replace("</body>", "<p>Growth per year</p></body>"), rows, facts(400))
    assert re.search(r"Annual Return.*?<h1>1\.23%</h1>", page, re.DOTALL) and "900%" not in page
    assert "CAGR" not in page


def test_a_drawdown_that_lasts_has_not_recovered() -> None:
    assert "<td>2020-01-10</td><td>not yet</td>" in corrected(PAGE, ROWS, facts(30, recovered=False))
    assert "<td>2020-01-10</td><td>2020-01-31</td>" in corrected(PAGE, ROWS, facts(30))
    assert "<td>2020-01-03</td><td>2020-01-07</td>" in corrected(PAGE, ROWS, facts(30, recovered=False))


def test_dates_months_and_links() -> None:
    page = corrected(PAGE, ROWS, facts(30))
    assert "<dt>2020-01-02 to 2020-01-31</dt>" in page
    assert "shortcut icon" not in page
    assert "+3.00%" in page and "0.00</svg>" not in page
    # Eleven months of that year were not run.
    assert page.count("<td></td>") == 11


def test_our_figures_are_added_where_the_page_has_none() -> None:
    assert "<td>Closed trades</td><td>3</td>" in corrected("<html><body></body></html>", ROWS, PageFacts())


def test_months_of_a_curve() -> None:
    days = pd.DatetimeIndex(["2020-01-02", "2020-01-15", "2020-01-31", "2020-03-02"], tz="UTC")
    months = monthly_returns(pd.Series([100.0, 105.0, 110.0, 99.0], index=days))
    assert [(year, month) for year, month, _ in months] == [(2020, 1), (2020, 3)]
    assert [value for *_, value in months] == pytest.approx([0.10, -0.10])
    assert monthly_returns(pd.Series([100.0], index=days[:1])) == []


def test_short_windows_have_no_rolling_pictures() -> None:
    assert {"rolling_sharpe", "rolling_beta", "monthly_heatmap"} <= set(facts(100).false_pictures)
    assert facts(400).false_pictures == ("monthly_heatmap",)
