"""What the figures of a run do not show is told in its notes."""

from __future__ import annotations

import math
import re

import pandas as pd
import pytest

import live_trader
from market.bar_tables import to_table
from strategies.run_notes import without_benchmark
from tests.backtests.commands import Folder, bars, cut, quarters, verdicts_told, windowed


def test_one_symbol_that_is_there_is_enough(capsys, shown):
    assert live_trader.main(["--backtest", "--scan", "--symbols", "NOPE,AAPL"]) == 0
    told = capsys.readouterr().out
    assert "not in the data: NOPE" in told and "AAPL" in verdicts_told(told)


def test_what_only_rules_look_at_is_not_told_as_if_it_were_traded(capsys, tmp_path, shown):
    bars().to_parquet("bars.parquet")
    argv = [
        "--backtest",
        "--quiet",
        "--no-report",
        "--data",
        "bars.parquet",
        "--symbols",
        "AAPL,NOPE",
        "--benchmark",
        "NVDA",
    ]
    assert live_trader.main([*argv, "--out", "out"]) == 0
    told = capsys.readouterr().out
    unknown = "not known to the source: NOPE; traded: 1 of 2 symbols"
    assert "1 symbol\n" in re.sub(" +\n", "\n", told) and f"Note: {unknown}" in told
    helpers = "no bars of GOOGL, MSFT, QQQ, SH, SPXS and 3 more, which rules only watch or hedge with"
    assert f"Note: {helpers}" in " ".join(told.split())
    summary = Folder(tmp_path / "out").summary
    assert (summary["symbols"], summary["missing_symbols"]) == (["AAPL"], ["NOPE"])
    assert unknown in summary["notes"] and helpers in summary["notes"]
    assert live_trader.main([*(word for word in argv if word != "--no-report"), "--scan"]) == 0
    told = capsys.readouterr().out
    assert "not in the data: NOPE\n" in told and helpers in " ".join(told.split())


def test_a_default_benchmark_that_is_not_there_is_noted(capsys, tmp_path, shown):
    bars().to_parquet("bars.parquet")
    argv = ["--backtest", "--quiet", "--no-report", "--data", "bars.parquet", "--symbols", "AAPL", "--out", "out"]
    assert live_trader.main(argv) == 0
    note = "no benchmark: the data hold no bars of SPY; name one with --benchmark"
    told = capsys.readouterr().out
    assert f"Note: {note}" in told and "1 symbol\n" in re.sub(" +\n", "\n", told)
    summary = Folder(tmp_path / "out").summary
    assert note in summary["notes"] and summary["benchmark"]["symbol"] is None


def test_a_benchmark_whose_day_is_not_over_is_not_called_missing():
    table = to_table(bars(), ["AAPL"], "a trader on daily bars, in its first session")
    assert without_benchmark("AAPL", table) == "no benchmark: no bar of AAPL has ended in the window"
    assert "hold no bars of SPY" in without_benchmark("SPY", table)


EAGER = ["--set", "signals.modules.mean_reversion.oversold_rsi=60", "--set", "exits.models.fixed.stop_frac=0.5"]


def test_a_position_whose_bars_end_is_told_and_no_stop_counts_for_it(capsys, tmp_path, shown):
    cut("NVDA", "2020-01-01", "2020-03-31").to_parquet("bars.parquet")
    argv = [
        "--backtest",
        "--quiet",
        "--no-report",
        "--data",
        "bars.parquet",
        "--benchmark",
        "AAPL",
        "--symbols",
        "NVDA",
        *EAGER,
    ]
    # Without an end of its own a run would end with the last bar of what it trades.
    assert live_trader.main([*argv, "--end", "2020-06-29", "--out", "out"]) == 0
    folder = Folder(tmp_path / "out")
    held = folder.orders[(folder.orders.role == "entry") & (folder.orders.status == "filled")].filled_quantity.iloc[-1]
    closes = bars().query("symbol == 'NVDA'").set_index("datetime").close
    note = (
        "positions whose bars ended are valued at their last close, and no stop can act: "
        f"{held:.0f} NVDA at {closes.loc['2020-03-31']:.2f} since 2020-03-31"
    )
    assert note in folder.summary["notes"] and f"Note: {note}" in " ".join(capsys.readouterr().out.split())
    times = pd.to_datetime(folder.equity.time, utc=True)
    invested = folder.equity.positions > 0
    with_bars = invested & (times < "2020-04-01")
    assert folder.metrics["protected_share"] == pytest.approx(with_bars.sum() / invested.sum())
    assert 0 < with_bars.sum() < invested.sum()
    # A run that ends with the bars has nothing to tell.
    assert live_trader.main([*argv, "--end", "2020-03-31", "--out", "until"]) == 0
    until = Folder(tmp_path / "until")
    assert until.metrics["protected_share"] == 1 and not any("last close" in note for note in until.summary["notes"])


@pytest.mark.parametrize(
    ("first", "last", "told"),
    [
        ("2020-01-01", "2020-04-01", "from 2020-02-03 to 2020-04-01"),
        ("2020-03-02", "2020-12-31", "from 2020-03-02 to 2020-06-30"),
        ("2020-03-02", "2020-03-02", "from 2020-03-02 to 2020-03-02"),
        ("2020-02-03", "2020-12-31", ""),
    ],
)
def test_a_benchmark_without_the_whole_window_is_told_with_its_span(tmp_path, shown, first, last, told):
    cut("NVDA", first, last).to_parquet("bars.parquet")
    argv = [
        "--backtest",
        "--quiet",
        "--no-report",
        "--data",
        "bars.parquet",
        "--symbols",
        "AAPL",
        "--benchmark",
        "NVDA",
    ]
    assert live_trader.main([*argv, "--start", "2020-02-01", "--out", "out"]) == 0
    notes = [note for note in Folder(tmp_path / "out").summary["notes"] if "benchmark" in note]
    expected = f"the benchmark NVDA has bars {told} only: its figures are of this span, not of the whole run"
    assert notes == ([expected] if told else [])


@pytest.mark.parametrize("engine", ["lumibot", "replay"])
def test_what_changes_nothing_and_what_rules_leave_of_a_universe_is_told(capsys, tmp_path, shown, engine):
    argv = ["--backtest", "--quiet", "--no-report", "--start", "2020-01-02", "--end", "2020-01-31", "--engine", engine]
    assert live_trader.main([*argv, "--set", "risk.modules.trailing_stop.arm_r=2.0", "--out", "out"]) == 0
    notes, told = Folder(tmp_path / "out").summary["notes"], " ".join(capsys.readouterr().out.split())
    for part in ("risk.modules.trailing_stop.arm_r changes nothing", "can hold 2 positions at a time"):
        assert any(part in note for note in notes)
        assert part in told


@pytest.mark.parametrize(("more", "told"), [([], True), (["--profile", "swing"], False)])
def test_a_run_on_days_tells_that_a_trader_decides_more_often(tmp_path, shown, more, told):
    argv = ["--backtest", "--quiet", "--no-report", "--start", "2020-01-02", "--end", "2020-01-31", "--out", "out"]
    assert live_trader.main([*argv, "--engine", "replay", *more]) == 0
    note = "decided on days, as the data are; a trader decides on bars of 60 minutes (config/base.yaml: pace.bars)"
    assert (note in Folder(tmp_path / "out").summary["notes"]) == told


def test_a_period_longer_than_the_data_is_noted(capsys, tmp_path, shown):
    argv = ["--backtest", "--quiet", "--no-report", "--start", "2020-01-02", "--end", "2020-01-31", "--out", "out"]
    assert live_trader.main([*argv, "--set", "signals.modules.mean_reversion.rsi_bars=100000"]) == 0
    note = "no symbol has enough history for rsi_100000; give earlier bars or a shorter period"
    summary = Folder(tmp_path / "out").summary
    told = capsys.readouterr().out
    assert note in summary["notes"] and f"Note: {note}" in told
    (files,) = (line for line in told.splitlines() if line.startswith("Files in "))
    assert summary["metrics"]["trades"] == 0 and "trades/" not in files and "trades.csv" in files


@pytest.mark.slow
def test_a_market_that_never_closes_is_annualised_with_its_own_days(tmp_path, shown):
    frame = bars()
    days = dict(
        zip(frame.datetime.unique(), pd.date_range("2020-01-01", periods=frame.datetime.nunique()), strict=True)
    )
    frame.assign(datetime=frame.datetime.map(days)).to_parquet("always.parquet")
    frame.to_parquet("weekdays.parquet")
    common = ["--backtest", "--quiet", "--symbols", "AAPL,NVDA", "--benchmark", "NVDA"]
    common += ["--set", "selection.min_confidence=0.5"]
    for name in ("always", "weekdays"):
        assert live_trader.main([*common, "--data", f"{name}.parquet", "--out", name]) == 0
    for name, sessions in (("always", 365), ("weekdays", 252)):
        folder = Folder(tmp_path / name)
        curve = pd.concat([pd.Series([folder.summary["initial_equity"]]), folder.equity.equity], ignore_index=True)
        returns = curve.pct_change().dropna()
        expected = returns.mean() / returns.std() * math.sqrt(sessions)
        assert folder.metrics["sharpe"] == pytest.approx(expected, rel=1e-6)
        page = (folder.path / "tearsheet.html").read_text()
        assert f"{folder.metrics['sharpe']:.2f}" in page and re.search(
            rf"sessions per year.{{0,200}}{sessions}", page, re.S
        )


def test_a_scan_window_that_no_bar_reaches_is_noted_beside_one_that_is(capsys, tmp_path, shown):
    quarters().to_parquet("bars.parquet")
    note = (
        "scan windows in which no bar opens, so that nothing is entered: 15:55; the bars of 15 minutes open from "
        "09:30 to 15:45 New York"
    )
    assert live_trader.main(["--backtest", "--no-report", *windowed("10:25", "15:55"), "--out", "out"]) == 0
    assert note in Folder(tmp_path / "out").summary["notes"]
    capsys.readouterr()
    assert live_trader.main(["--backtest", "--scan", *windowed("10:25", "15:55")]) == 0
    assert note in " ".join(capsys.readouterr().out.split())
    assert live_trader.main(["--backtest", "--no-report", *windowed("10:25", "15:45"), "--out", "both"]) == 0
    assert not any("scan window" in note for note in Folder(tmp_path / "both").summary["notes"])
