"""Whole runs that are refused: one sentence, status 2, and nothing left behind."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

import live_trader
from tests.backtests.commands import ROOT, bars, quarters, refused, windowed


def cell(row: int, column: str, value: object):
    def plant(frame: pd.DataFrame) -> pd.DataFrame:
        frame.loc[row, column] = value
        return frame

    return plant


@pytest.mark.parametrize(
    ("plant", "told"),
    [
        (cell(40, "close", np.nan), "close of AAPL 2020-03-02 00:00 at row 41 is not a number"),
        (cell(40, "open", -3.0), "open of AAPL 2020-03-02 00:00 at row 41 is not above zero"),
        (lambda f: pd.concat([f, f.iloc[[7]]]), "AAPL 2020-01-13 00:00 at row 1001 is there twice"),
        (lambda f: f.drop(columns="volume"), "no column volume"),
        (lambda f: f.assign(symbol=f.symbol.astype(str) + " X"), "symbol 'AAPL X' at row 1 is no ticker"),
        (lambda f: f.assign(close=f.close * 2), "is below its close"),
        (lambda f: f.iloc[:0], "no rows"),
    ],
)
@pytest.mark.parametrize("once", [False, True])
def test_bad_bars_are_refused_before_anything_is_written(capsys, tmp_path, monkeypatch, plant, told, once):
    monkeypatch.chdir(tmp_path)
    plant(bars()).to_csv("bars.csv", index=False)
    sentence = refused(capsys, "--data", "bars.csv", *(["--once"] if once else []))
    assert sentence.startswith("bars.csv: ") and told in sentence
    assert [path.name for path in tmp_path.iterdir()] == ["bars.csv"]


@pytest.mark.parametrize("data", ["embedded", "bars.parquet"])
@pytest.mark.parametrize("mode", ["", "--once", "--lookahead 2"])
@pytest.mark.parametrize("window", ["--start 2031-01-01", "--start 2020-02-01 --end 2020-02-02", "--end 2001-05-05"])
def test_a_window_without_bars_is_refused_in_every_mode(capsys, tmp_path, monkeypatch, data, mode, window):
    monkeypatch.chdir(tmp_path)
    bars().to_parquet("bars.parquet")
    assert re.search("no bars? |has none of", refused(capsys, "--data", data, *mode.split(), *window.split()))
    assert [path.name for path in tmp_path.iterdir()] == ["bars.parquet"]


def test_an_end_before_the_start_is_refused_with_data_too(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    bars().to_parquet("bars.parquet")
    window = ("--start", "2020-03-02", "--end", "2020-03-01")
    assert "--end 2020-03-01 is before --start 2020-03-02" in refused(capsys, "--data", "bars.parquet", *window)


@pytest.mark.parametrize("mode", ["", "--once", "--lookahead 2"])
def test_symbols_of_which_none_is_there_are_refused(capsys, mode):
    """The benchmark and the hedge's gauges are in the data, but there is nothing to trade."""
    sentence = refused(capsys, "--symbols", "NOPE,ZILCH", *mode.split())
    assert sentence == "embedded: has no bars of NOPE, ZILCH, so there is nothing to trade; choose other --symbols"


def test_a_benchmark_that_was_named_and_is_not_there_is_refused(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    bars().to_parquet("bars.parquet")
    Path("mine.yaml").write_text("universe: {benchmark: ZILCH}\n")
    common = ("--data", "bars.parquet", "--symbols", "AAPL,NVDA")
    for source, argv in (
        ("--benchmark", ["--benchmark", "ZILCH"]),
        ("--set", ["--set", "universe.benchmark=ZILCH"]),
        ("mine.yaml", ["--config", "mine.yaml"]),
    ):
        told = refused(capsys, *common, *argv)
        assert told.startswith(f"{source}: bars.parquet has no bars of ZILCH to compare with; name a benchmark that it")
        assert "AAPL" in told and not (tmp_path / "runs").exists()


@pytest.mark.parametrize("argv", ["--once --end 2013-01-02", "--scan --start 2013-01-02 --end 2013-01-02"])
def test_a_first_bar_has_nothing_closed_before_it(capsys, argv):
    assert "no bar closes before 2013-01-02 09:30" in refused(capsys, *argv.split())


@pytest.mark.parametrize("mode", ["", "--scan", "--lookahead 2"])
@pytest.mark.parametrize(
    ("sets", "told"),
    [
        (
            ["signals.enabled=[vwap]"],
            "--set: signals.enabled: vwap needs intraday bars, the data are daily; enable another",
        ),
        (
            ["signals.enabled=[vwap,trend]", "signals.ensemble.quorum=2"],
            "--set: signals.ensemble.quorum: 2 votes can never come together, at most 1 of the signals that are on "
            "(trend) look for the same side; lower it or enable more; the data are daily, vwap needs intraday bars",
        ),
    ],
)
def test_signals_that_mean_nothing_on_these_bars_are_refused(capsys, tmp_path, monkeypatch, mode, sets, told):
    monkeypatch.chdir(tmp_path)
    bars().to_parquet("bars.parquet")
    overrides = [part for text in sets for part in ("--set", text)]
    assert refused(capsys, "--data", "bars.parquet", *mode.split(), *overrides) == told
    assert [path.name for path in tmp_path.iterdir()] == ["bars.parquet"]


def test_scan_windows_that_no_bar_reaches_are_refused(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    quarters().to_parquet("bars.parquet")
    for mode in ("", "--scan", "--lookahead 2"):
        told = refused(capsys, *windowed("15:50", "15:55"), *mode.split())
        assert told == (
            "--set: pace.windows: no bar opens at 15:50, 15:55 or soon after, so that nothing could ever be entered; "
            "the bars of 15 minutes open from 09:30 to 15:45 New York, choose times in between or shorter bars"
        )
    assert [path.name for path in tmp_path.iterdir()] == ["bars.parquet"]


def test_an_unusable_folder_is_refused_before_the_run(capsys, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("x")
    (tmp_path / "file").write_text("x")
    short = ("--start", "2020-01-02", "--end", "2020-01-31")
    assert "is not empty" in refused(capsys, *short, "--out", str(tmp_path / "full"))
    assert "is a file: --out needs a folder" in refused(capsys, *short, "--out", str(tmp_path / "file"))
    assert "can't be used as --out" in refused(capsys, *short, "--out", str(tmp_path / "file" / "below"))
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"sizing": {"risk_fraction": 0.02}}, "sizing.risk_fraction"),
        ({"sizing": {"risk_frac": "two percent"}}, "sizing.risk_frac"),
        ({"sizing": {"risk_frac": 2}}, "sizing.risk_frac is 2; it is a fraction of 1, write 0.02 for 2%"),
        ({"selection": {"execute": 2.5}}, "selection.execute"),
        ({"strategy": "combinde"}, "combinde is not a known strategy; did you mean combined?"),
        ({"risk": {"chain": ["sector_cap", "sectr_cap"]}}, "sectr_cap is not a known risk module"),
        ({"risk": {"modules": {"sector_cap": {"max_positions": "three"}}}}, "sector_cap.max_positions"),
        ({"risk": {"modules": {"rebalancer": {"max_weight_frac": 15}}}}, "write 0.15 for 15%"),
        ({"signals": {"enabled": ["momentun"]}}, "momentun is not a known signal; did you mean momentum?"),
        ({"exits": {"model": "trailing_stop"}}, "trailing_stop is not a known bracket model"),
    ],
)
def test_a_wrong_setting_in_a_file_is_refused_naming_file_and_key(capsys, tmp_path, settings, told):
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(settings))
    out = tmp_path / "out"
    sentence = refused(capsys, "--config", str(path), "--out", str(out))
    assert str(path) in sentence and told in sentence and not out.exists()


def test_a_process_of_its_own_says_one_sentence_and_leaves_with_2(tmp_path):
    """Lumibot, loaded by then, must not add a line of its own."""
    frame = bars()
    frame.loc[5, "close"] = np.nan
    frame.to_csv(tmp_path / "bars.csv", index=False)
    done = subprocess.run(
        [sys.executable, str(ROOT / "live_trader.py"), "--backtest", "--data", "bars.csv"],
        check=False, cwd=tmp_path, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("bars.csv: close of AAPL") and done.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["bars.csv"]


@pytest.mark.parametrize("mode", ["--backtest", "--rehearse"])
def test_bars_coarser_than_the_profiles_are_refused_by_backtest_and_rehearsal(capsys, tmp_path, monkeypatch, mode):
    monkeypatch.chdir(tmp_path)
    bars().to_parquet("bars.parquet")
    assert live_trader.main([mode, "--profile", "intraday", "--data", "bars.parquet"]) == 2
    wanted = (
        "bars.parquet: bars of a day, but config/profiles/intraday.yaml: pace.bars wants 5 minutes; give finer bars"
    )
    assert wanted in capsys.readouterr().err


@pytest.mark.parametrize("mode", ["", "--once", "--lookahead 2"])
@pytest.mark.parametrize("data", ["embedded", "bars.parquet"])
def test_a_symbol_that_was_mistyped_is_refused_with_the_one_that_is_meant(capsys, tmp_path, monkeypatch, data, mode):
    monkeypatch.chdir(tmp_path)
    bars().to_parquet("bars.parquet")
    common = ("--data", data, *mode.split())
    meant = f"{data} has no bars of NVDIA; did you mean NVDA? If not, leave NVDIA out"
    assert refused(capsys, *common, "--symbols", "AAPL,NVDIA") == f"--symbols: {meant}"
    assert refused(capsys, *common, "--set", "universe.symbols=[AAPL, NVDIA]") == f"--set: {meant}"


@pytest.mark.parametrize(
    ("symbols", "left"),
    [("AAPL,NVDA,NVDIA", ["NVDIA"]), ("AAPL,GOOGL", ["GOOGL"]), ("AAPL,ZILCH", ["ZILCH"]), ("file", ["NVDIA"])],
)
def test_other_symbols_that_are_not_there_are_left_out_and_told(tmp_path, monkeypatch, symbols, left):
    """Named beside the one that is meant, known by its sector, near to none, or one of a file of symbols."""
    monkeypatch.chdir(tmp_path)
    Path("names.csv").write_text("symbol\nAAPL\nNVDIA\n")
    chosen = ["--universe", "names.csv"] if symbols == "file" else ["--symbols", symbols]
    argv = [
        "--backtest",
        "--engine",
        "replay",
        "--quiet",
        "--no-report",
        "--start",
        "2020-01-02",
        "--end",
        "2020-01-31",
    ]
    assert live_trader.main([*argv, *chosen, "--out", "out"]) == 0
    summary = json.loads(Path("out/summary.json").read_text(encoding="utf-8"))
    assert summary["missing_symbols"] == left and not set(left) & set(summary["symbols"])
    count = len(summary["symbols"])
    note = f"not known to the source: {left[0]}; traded: {count} of {count + 1} symbols"
    assert note in summary["notes"]
