"""Lumibot's tearsheet: offline, with our figures and the benchmark; and the screen that ends a run."""

from __future__ import annotations

import logging
import re
import socket
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from backtests.reports.breakdowns import OpenPosition
from backtests.reports.html_report import write_html_report
from backtests.reports.metrics import metrics
from backtests.reports.outputs import write_figures, write_report
from backtests.reports.run_files import FILES, TEARSHEET
from backtests.reports.run_info import RunInfo
from backtests.reports.summary_screen import show_files, show_summary
from backtests.reports.tearsheet import beside, lean_quantstats
from backtests.reports.tearsheet.sheet import LABELS, custom_metrics, tearsheet_input, write_tearsheet
from brokers.record import RunRecord
from tests.backtests.sample import sample_info, sample_record, sample_table

ROOT = Path(__file__).parents[2]
TABLE = sample_table(120)
RECORD = sample_record(TABLE)
INFO = sample_info(TABLE)


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("a report must not use the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def tearsheet(folder: Path, record: RunRecord = RECORD, info: RunInfo = INFO) -> str:
    folder.mkdir(exist_ok=True)
    write_tearsheet(folder / TEARSHEET, tearsheet_input(record, info, metrics(record)))
    return (folder / TEARSHEET).read_text(encoding="utf-8")


def drawing_style() -> dict[str, object]:
    return {name: value for name, value in dict(matplotlib.rcParams).items() if not name.startswith("backend")}


def test_tearsheet(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    style, level = drawing_style(), logging.root.manager.disable
    page = tearsheet(tmp_path / "a")
    assert "Benchmark is SPY" in page and "Compared to SPY" in page
    assert "Profit factor" in page
    assert f"{metrics(RECORD)['profit_factor']:.2f}" in page
    # Thirteen pictures, but for the heat map and those that look back over half a year.
    assert page.count("<svg") == 8
    assert "shortcut icon" not in page
    assert capfd.readouterr() == ("", "")
    assert logging.root.manager.disable == level
    assert drawing_style() == style
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["tearsheet.html"]


@pytest.mark.parametrize("sessions", [120, pytest.param(400, marks=pytest.mark.slow)])
def test_the_page_is_that_of_quantstats_at_its_own_pace(
    sessions: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same bytes with all that it does in vain; 400 sessions have every row and picture that a page can have."""
    table = sample_table(sessions)
    record, info = sample_record(table), sample_info(table)
    page = tearsheet(tmp_path / "a", record, info)
    assert ("RoMaD" in page) is (page.count("<svg") == 12) is (sessions == 400)
    monkeypatch.setattr(lean_quantstats, "shortcuts", list)
    assert page == tearsheet(tmp_path / "b", record, info)


def test_what_a_page_does_not_need_is_not_imported(tmp_path: Path) -> None:
    """In a new process: SciPy, Yahoo's client and IPython take longer to import than the page to draw."""
    code = (
        "from backtests.reports.pictures.matplotlib_load import load_matplotlib; load_matplotlib();"
        "from matplotlib import artist, lines;"
        "assert 'drawstyle' in artist.kwdoc(lines.Line2D) and 'drawstyle' not in (lines.Line2D.set.__doc__ or '');"
        "Own = type('Own', (lines.Line2D,), {}); assert 'drawstyle' in Own.set.__doc__;"
        "assert lines.Line2D([], []).set(drawstyle='steps') and Own([], []).set(lw=2);"
        "import sys; assert not [name for name in sys.modules if name.startswith('fontTools')];"
        "from matplotlib import dviread; assert dviread.fontTools.agl.toUnicode('alpha') == 'α';"
        "import fontTools; assert fontTools.agl is sys.modules['fontTools.agl'];"
        "import sys; from backtests.reports.tearsheet.lean_quantstats import load_quantstats; load_quantstats();"
        "assert not {'scipy', 'yfinance', 'IPython', 'wcwidth'} & {name.split('.')[0] for name in sys.modules};"
        "from tabulate import tabulate; assert tabulate([['ab', 1]]).split()[:1] == ['--'];"
        "assert 'wcwidth' not in sys.modules and tabulate([['日本', 1]]).split()[:1] == ['----'];"
        "import wcwidth; assert wcwidth.wcswidth('日') == 2;"
        "from quantstats_lumi import stats; import pandas; assert 0 > stats.var(pandas.Series([-0.1, 0.2])) > -1;"
        "import scipy.stats; assert stats._norm.cdf(0) == 0.5"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, timeout=240)


def test_without_trades_the_figures_are_still_there(tmp_path: Path) -> None:
    flat = [replace(row, equity=100_000.0, cash=100_000.0, long_exposure=0.0, positions=0) for row in RECORD.equity]
    page = tearsheet(tmp_path, RunRecord(initial_equity=100_000.0, equity=flat))
    assert all(label in page for name, (label, _) in LABELS.items() if name != "cagr")


def test_growth_per_year_is_shown_from_a_year_on(tmp_path: Path) -> None:
    label = LABELS["cagr"][0]
    for days, shown in ((349, False), (350, True)):
        info = replace(INFO, end=INFO.start + timedelta(days=days))
        assert (label in custom_metrics(metrics(RECORD), info)) is shown
        console = Console(width=100, record=True, file=(tmp_path / "screen").open("w"))
        show_summary(console, RECORD, info, metrics(RECORD))
        assert (label in console.export_text()) is shown


def test_an_empty_run_without_benchmark_has_a_page(tmp_path: Path) -> None:
    info = replace(INFO, benchmark="", benchmark_closes=None)
    assert "Profit factor" in tearsheet(tmp_path, RunRecord(initial_equity=100.0), info)


def test_the_first_session_counts_for_the_benchmark_as_it_does_for_us(tmp_path: Path) -> None:
    closes = INFO.benchmark_closes
    assert closes is not None
    opening = pd.Series([closes.iloc[0] / 2], index=closes.index[:1] - pd.Timedelta(hours=6))
    info = replace(INFO, benchmark_closes=pd.concat([opening, closes]))
    told = info.benchmark_figures["total_return"]
    assert told is not None and told > 0.5
    page = tearsheet(tmp_path, RECORD, info)
    assert re.search(rf"Total Return</td><td>{told:,.0%}</td>", page)


def test_every_figure_has_a_label() -> None:
    assert list(LABELS) == list(metrics(RECORD))


def test_every_file_is_there_once_the_report_is(tmp_path: Path) -> None:
    figures = write_figures(tmp_path, RECORD, INFO)
    assert figures == metrics(RECORD)
    tables = {"summary.json", "orders.csv", "trades.csv", "decisions.jsonl", "equity.csv"}
    assert {path.name for path in tmp_path.iterdir()} == tables
    assert write_report(tmp_path, RECORD, INFO, TABLE, figures) == ""
    written = {path.name for path in tmp_path.iterdir()}
    assert written == tables | {"report.html", "tearsheet.html", "equity.png", "trades"}
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "https://" not in page and "http://" not in page
    assert all(f'src="{name}"' in page for name in ("equity.png", "trades/worst-and-best.png"))


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(28, "No space left on device", "some/tearsheet.html"), "some/tearsheet.html: No space left on device"),
        (ValueError("array must not\ncontain infs"), r"ValueError: array must not\ncontain infs"),
    ],
)
def test_a_tearsheet_that_cannot_be_written_is_a_sentence(
    error: Exception, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object) -> None:
        raise error

    monkeypatch.setattr(beside, "write_tearsheet", fail)
    failed = write_report(tmp_path, RunRecord(initial_equity=100.0), INFO, TABLE, metrics(RECORD))
    assert failed == f"tearsheet.html was not written: {told}"
    assert {path.name for path in tmp_path.iterdir()} == {"report.html", "equity.png", "summary.json"}


def test_names_are_text_in_the_page(tmp_path: Path) -> None:
    info = replace(INFO, notes=("<script>alert(1)</script>",), symbols=("<b>X</b>",))
    write_html_report(tmp_path / "report.html", RECORD, info, metrics(RECORD), [])
    assert "<script>" not in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<script>alert(1)" not in tearsheet(tmp_path, info=info)


@pytest.mark.parametrize("width", [80, 100])
def test_screen_fits(width: int, tmp_path: Path) -> None:
    console = Console(width=width, record=True, file=(tmp_path / "screen").open("w"))
    show_summary(console, RECORD, INFO, metrics(RECORD))
    lines = console.export_text().splitlines()
    assert len(lines) <= 50 and max(map(len, lines)) <= width
    text = "\n".join(lines)
    for part in ("combined", "NO EDGE FOUND", "SPY", "Profit factor", "sector_cap", "synthetic", "signals"):
        assert part in text


def test_what_is_still_held_is_named_on_the_screen_and_in_the_report(tmp_path: Path) -> None:
    held = OpenPosition("NVDA", 25, INFO.start, 100.0, 112.5, 95.0, 312.5)
    info = replace(INFO, open_positions=(held,))
    console = Console(width=80, record=True, file=(tmp_path / "screen").open("w"))
    show_summary(console, RECORD, info, metrics(RECORD))
    (line,) = [line for line in console.export_text().splitlines() if "112.50" in line]
    assert line.split() == ["NVDA", "25", "100.00", "112.50", "95.00", "+312"]
    write_html_report(tmp_path / "report.html", RECORD, info, metrics(RECORD), [])
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "112.50" in page and "95.00" in page


def test_the_last_line_names_every_file_that_was_written(tmp_path: Path) -> None:
    for name in FILES:
        (tmp_path / name).write_text("x")
    console = Console(width=80, record=True, file=(tmp_path / "screen").open("w"))
    show_files(console, INFO, tmp_path)
    told = console.export_text()
    assert all(name in told for name in FILES)


def test_the_report_has_no_empty_row_and_every_table_can_be_scrolled(tmp_path: Path) -> None:
    info = replace(INFO, fill_assumptions={"fee_frac": 0.0, "maker_fee_frac": None})
    write_html_report(tmp_path / "report.html", RECORD, info, metrics(RECORD), [])
    page = (tmp_path / "report.html").read_text()
    assert "fee frac" in page and "maker fee frac" not in page
    assert page.count("<table") == page.count('<div class="wide"><table') == page.count("</table></div>")


def test_a_screen_heads_each_column_once_and_knows_no_minus_zero(tmp_path: Path) -> None:
    console = Console(width=80, record=True, file=(tmp_path / "screen").open("w"))
    show_summary(console, RunRecord(initial_equity=100_000), INFO, metrics(RunRecord(initial_equity=100_000)))
    told = console.export_text()
    (heading,) = [line.split() for line in told.splitlines() if "trading" in line.split()]
    assert heading.count("run") == 1
    assert "-0.00%" not in told


def test_screen_of_an_empty_run(tmp_path: Path) -> None:
    empty = RunRecord(initial_equity=100.0)
    info = replace(INFO, benchmark="", benchmark_closes=None, notes=(), missing_symbols=(), fill_assumptions={})
    console = Console(width=80, record=True, file=(tmp_path / "screen").open("w"))
    show_summary(console, empty, info, metrics(empty))
    assert "nan" not in console.export_text()


def test_drawdowns_are_those_of_quantstats(monkeypatch: pytest.MonkeyPatch) -> None:
    lean_quantstats.load_quantstats()
    from quantstats_lumi import stats

    # Its column of 99% of a drawdown is not shown.
    monkeypatch.setattr(stats, "remove_outliers", lambda returns, *_: returns)
    random, told = np.random.default_rng(7), 0
    for days in range(2, 40):
        below = random.random(days) < random.choice([0.1, 0.5, 0.9])
        curve = pd.Series(np.where(below, -random.random(days), 0.0), index=pd.date_range("2020-01-01", periods=days))
        theirs, ours = stats.drawdown_details(curve), lean_quantstats._drawdowns(curve)
        if ours is None:
            assert theirs.empty
        else:
            pd.testing.assert_frame_equal(ours, theirs)
            told += len(ours)
    assert told > 100
