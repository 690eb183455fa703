"""Lumibot's tearsheet: offline, with our figures and the benchmark; and the screen that ends a run."""

from __future__ import annotations

import logging
import socket
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import matplotlib
import pytest
from rich.console import Console

from backtests.reports.metrics import metrics
from backtests.reports.outputs import RunInfo, write_all
from backtests.reports.summary_screen import show_summary
from backtests.reports.tearsheet import LABELS, custom_metrics, write_tearsheet
from brokers.record import RunRecord
from tests.backtests.sample import sample_info, sample_record, sample_table

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
    return write_tearsheet(folder, record, info, metrics(record)).read_text(encoding="utf-8")


def drawing_style() -> dict[str, object]:
    return {name: value for name, value in dict(matplotlib.rcParams).items() if not name.startswith("backend")}


def test_tearsheet(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    style, level = drawing_style(), logging.root.manager.disable
    page = tearsheet(tmp_path / "a")
    assert "Benchmark is SPY" in page and "Compared to SPY" in page
    assert "Profit factor" in page
    assert f"{metrics(RECORD)['profit_factor']:.2f}" in page
    assert page.count("<svg") > 8
    assert "shortcut icon" not in page
    assert capfd.readouterr() == ("", "")
    assert logging.root.manager.disable == level
    assert drawing_style() == style
    assert page == tearsheet(tmp_path / "b")
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["tearsheet.html"]


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
        show_summary(console, RECORD, info, metrics(RECORD), Path("runs/one"))
        assert (label in console.export_text()) is shown


def test_an_empty_run_without_benchmark_has_a_page(tmp_path: Path) -> None:
    info = replace(INFO, benchmark="", benchmark_closes=None)
    assert "Profit factor" in tearsheet(tmp_path, RunRecord(initial_equity=100.0), info)


def test_every_figure_has_a_label() -> None:
    assert list(LABELS) == list(metrics(RECORD))


def test_write_all_leaves_every_file(tmp_path: Path) -> None:
    assert write_all(tmp_path, RECORD, INFO, TABLE) == metrics(RECORD)
    assert {path.name for path in tmp_path.iterdir()} == {
        "summary.json", "orders.csv", "trades.csv", "decisions.jsonl", "equity.csv", "tearsheet.html", "equity.png",
        "trades",
    }  # fmt: skip


@pytest.mark.parametrize("width", [80, 100])
def test_screen_fits(width: int, tmp_path: Path) -> None:
    console = Console(width=width, record=True, file=(tmp_path / "screen").open("w"))
    show_summary(console, RECORD, INFO, metrics(RECORD), Path("runs/one"))
    lines = console.export_text().splitlines()
    assert len(lines) <= 40 and max(map(len, lines)) <= width
    text = "\n".join(lines)
    for part in ("combined", "SPY", "ARM", "Profit factor", "sector_cap", "synthetic", "runs/one/"):
        assert part in text


def test_screen_of_an_empty_run(tmp_path: Path) -> None:
    empty = RunRecord(initial_equity=100.0)
    info = replace(INFO, benchmark="", benchmark_closes=None, notes=(), missing_symbols=(), fill_assumptions={})
    console = Console(width=80, record=True, file=(tmp_path / "screen").open("w"))
    show_summary(console, empty, info, metrics(empty), Path("runs/one"))
    assert "nan" not in console.export_text()
