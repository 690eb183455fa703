"""A run again from its own folder."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from backtests import embedded
from backtests.run_inputs import read_inputs
from commands.app import main
from config import load

SWING = ["backtest", "--quiet", "--no-report", "--profile", "swing", "--start", "2020-03-02", "--end", "2020-04-30"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "mine"
    changed = ["--set", "sizing.risk_frac=0.01", "--symbols", "AAPL,NVDA", "--budget", "50000", "--seed", "3"]
    assert main([*SWING, *changed, "--out", str(path)]) == 0
    return path


def test_a_run_holds_its_settings_and_repeats_itself(folder, capsys):
    settings = load("swing", [folder / "settings.yaml"])
    summary = json.loads((folder / "summary.json").read_text())
    assert (settings.sizing.risk_frac, settings.account.budget_usd) == (0.01, 50_000)
    assert settings.config_hash == summary["config_hash"]
    assert main(["rerun", str(folder)]) == 0
    assert "every file is the same" in capsys.readouterr().out
    assert main(["rerun", str(folder), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["identical"] and told["again"].endswith("mine-rerun-2") and told["differing"] == []


@pytest.mark.parametrize("engine", ["lumibot", "replay"])
def test_a_run_tells_its_engine(tmp_path, engine):
    path = tmp_path / "run"
    assert main([*SWING, "--no-report", "--engine", engine, "--out", str(path)]) == 0
    assert read_inputs(path).engine == engine


def daily_file(path, names=("AMD", "INTC", "NVDA", "ORCL", "SPY")):
    days, chance = pd.bdate_range("2021-01-04", periods=90), np.random.default_rng(3)
    frames = []
    for name in names:
        closes = 100 * np.cumprod(1 + chance.normal(0, 0.02, 90))
        frames.append(pd.DataFrame({"symbol": name, "date": days, "open": closes, "high": closes * 1.01,
                                    "low": closes * 0.99, "close": closes, "volume": 1e6}))  # fmt: skip
    bars = pd.concat(frames)
    (bars.drop(columns="symbol") if len(names) == 1 else bars).to_csv(path, index=False)
    return str(path)


WAYS = {
    "all symbols of the file": [],
    "some symbols of the file": ["--symbols", "AMD,NVDA"],
    "a universe with sectors": ["--universe", "universe.csv"],
    "a symbol with a point": ["--universe", "points.csv"],
    "the first symbols": ["--universe", "universe.csv", "--cap", "2"],
    "symbols in a setting": ["--set", "universe.symbols=[ORCL, INTC]", "--benchmark", "SPY"],
    "a rule taken out": ["--set", "risk.chain-=sector_cap"],
    "a setting without effect": ["--config", "mine.yaml"],
}


@pytest.mark.parametrize("options", WAYS.values(), ids=list(WAYS))
def test_a_run_on_a_file_is_repeated_however_its_settings_were_chosen(tmp_path, monkeypatch, capsys, options):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "universe.csv").write_text("symbol,sector\nNVDA,chips\nAMD,chips\nORCL,software\n")
    (tmp_path / "points.csv").write_text("symbol,sector\nNVDA,chips\nBRK.B,finance\n")
    (tmp_path / "mine.yaml").write_text("exits:\n  model: atr\n  models:\n    fixed:\n      stop_frac: 0.05\n")
    file = daily_file(tmp_path / "bars.csv")
    assert (
        main(["backtest", "--json", "--data", file, "--engine", "replay", "--no-report", *options, "--out", "a"]) == 0
    )
    told = json.loads(capsys.readouterr().out)
    assert main(["rerun", "a", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["identical"]
    # What the settings say by where they come from was among it, where there is something to say.
    if options[:1] == ["--set"] and "sector_cap" in options[1]:
        assert any(note.startswith("--set: risk.chain leaves out sector_cap") for note in told["notes"])
    if options[:1] == ["--config"]:
        assert any(note.startswith("mine.yaml: exits.models.fixed.stop_frac") for note in told["notes"])
    if options[:1] == ["--symbols"]:
        assert told["symbols"] == ["AMD", "NVDA"]


def test_a_run_on_a_file_that_names_no_symbol_is_repeated(tmp_path, capsys):
    file = daily_file(tmp_path / "bars.csv", ["AMD"])
    wanted = ["--data", file, "--symbols", "AMD", "--engine", "replay", "--no-report", "--out", str(tmp_path / "a")]
    assert main(["backtest", "--json", *wanted]) == 0
    capsys.readouterr()
    assert main(["rerun", str(tmp_path / "a"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["identical"]


def test_a_run_on_bars_labelled_by_their_ends_is_repeated(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    days = pd.bdate_range("2023-08-01", "2023-08-18")
    times = [at for day in days for at in pd.date_range(f"{day:%Y-%m-%d} 10:00", f"{day:%Y-%m-%d} 16:00", freq="30min")]
    rows = [f"AMD,{at:%Y-%m-%d %H:%M},{10 + k % 7},18,9,{10 + k % 5},1000" for k, at in enumerate(times)]
    Path("bars.csv").write_text("\n".join(["symbol,datetime,open,high,low,close,volume", *rows, ""]))
    asked = ["--data", "bars.csv", "--engine", "replay", "--no-report", "--benchmark", "AMD", "--set", "pace.bars=30"]
    assert main(["backtest", "--json", *asked, "--out", "a"]) == 2
    assert "say --labels end" in capsys.readouterr().err
    assert main(["backtest", "--json", *asked, "--labels", "end", "--out", "a"]) == 0
    capsys.readouterr()
    assert main(["rerun", "a", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["identical"]
    words = interrupted(Path("a"), capsys)
    assert words[words.index("--labels") + 1] == "end"
    # A folder of a version without the option is read as before.
    inputs = json.loads(Path("a/run.json").read_text())
    del inputs["labels"]
    Path("a/run.json").write_text(json.dumps(inputs))
    assert read_inputs(Path("a")).labels is None


def test_the_symbol_of_a_file_is_asked_for_by_the_option_of_the_command(tmp_path, capsys):
    file = daily_file(tmp_path / "my-own-prices.csv", ["AMD"])
    assert main(["backtest", "--data", file]) == 2
    assert capsys.readouterr().err.rstrip().endswith("or say --symbols AAPL")


def test_inputs_of_an_earlier_version_are_refused_by_name(folder, tmp_path, capsys):
    shutil.copytree(folder, tmp_path / "old")
    inputs = json.loads((tmp_path / "old" / "run.json").read_text())
    del inputs["chosen"]
    (tmp_path / "old" / "run.json").write_text(json.dumps(inputs))
    assert main(["rerun", str(tmp_path / "old")]) == 2
    assert "run.json lacks chosen, as an earlier version's does" in capsys.readouterr().err


def test_a_run_on_longer_bars_than_its_settings_name_repeats_itself(tmp_path, capsys):
    # The default of 60 minutes stands back for a file of days, and is in the run's own settings as if it were chosen.
    daily_file(tmp_path / "bars.csv", ["AMD", "SPY"])
    wanted = ["--data", str(tmp_path / "bars.csv"), "--engine", "replay", "--no-report", "--out", str(tmp_path / "run")]
    assert main(["backtest", "--json", *wanted]) == 0
    capsys.readouterr()
    assert main(["rerun", str(tmp_path / "run"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["identical"]


@pytest.fixture
def copied(folder, tmp_path):
    """A copy of the run, with a way to change its summary."""
    shutil.copytree(folder, copy := tmp_path / "copy")

    def change(**values):
        path = copy / "summary.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **values}))

    return copy, change


def test_of_a_file_that_differs_the_line_or_the_key_is_told(copied, tmp_path, capsys):
    run, change = copied
    equity = (run / "equity.csv").read_text().splitlines(keepends=True)
    (run / "equity.csv").write_text("".join([*equity[:2], equity[2].replace(",", ",0", 1), *equity[3:]]))
    (run / "decisions.jsonl").write_text((run / "decisions.jsonl").read_text() + "{}\n")
    fills = json.loads((run / "summary.json").read_text())["fill_assumptions"]
    change(notes=["another"], fill_assumptions={**fills, "gaps": "elsewhere"})
    (run / "mine.txt").write_text("mine")
    assert main(["rerun", str(run), "--out", str(tmp_path / "again")]) == 1
    told = capsys.readouterr().out.partition("other than in ")[2].partition(": ")[2].strip()
    decisions = len((run / "decisions.jsonl").read_text().splitlines())
    keys = dict(part.split(": ") for part in told.split("; "))
    assert keys == {
        "decisions.jsonl": f"line {decisions}",
        "equity.csv": "line 3",
        "mine.txt": f"only in {run}",
        "summary.json": keys["summary.json"],
    }
    assert sorted(keys["summary.json"].split(", ")) == ["fill_assumptions.gaps", "notes"]


def test_other_versions_are_told_in_words_and_are_no_difference(copied, tmp_path, capsys):
    run, change = copied
    versions = json.loads((run / "summary.json").read_text())["versions"]
    change(versions={**versions, "package": "0.0.9 (source tree)"})
    assert main(["rerun", str(run), "--out", str(tmp_path / "again")]) == 0
    same, told = capsys.readouterr().out.strip().splitlines()
    assert same.endswith("byte for byte")
    assert told == (
        "repeated by other versions, which are not compared: "
        f"package {versions['package']} instead of 0.0.9 (source tree)"
    )
    assert main(["rerun", str(run), "--out", str(tmp_path / "again-2"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["identical"] and told["differences"] == {}
    assert told["versions"] == {"package": {"run": "0.0.9 (source tree)", "again": versions["package"]}}


def test_other_data_and_no_run_are_refused(tmp_path, capsys):
    data = tmp_path / "bars.csv"
    frame = embedded.daily()
    frame = frame[(frame.datetime >= "2019-11-01") & (frame.datetime < "2020-05-01")]
    frame.to_csv(data, index=False)
    run = tmp_path / "run"
    assert main([*SWING, "--data", str(data), "--symbols", "AAPL,NVDA", "--benchmark", "AAPL", "--out", str(run)]) == 0
    capsys.readouterr()
    data.write_text(data.read_text().replace("\n", "\n", 1) + " ")
    assert main(["rerun", str(run)]) == 2
    assert "is not the file that the run was made of" in capsys.readouterr().err
    assert main(["rerun", str(tmp_path)]) == 2
    assert "does not hold what a run was made of" in capsys.readouterr().err
    summary = json.loads((run / "summary.json").read_text())
    (run / "summary.json").write_text(json.dumps({**summary, "interrupted": "SIGINT"}))
    assert main(["rerun", str(run)]) == 2
    assert "was interrupted" in capsys.readouterr().err


def interrupted(run, capsys, **inputs):
    """The command that the refusal of an interrupted run names, as words."""
    summary = json.loads((run / "summary.json").read_text())
    (run / "summary.json").write_text(json.dumps({**summary, "interrupted": "SIGINT"}))
    (run / "run.json").write_text(json.dumps({**json.loads((run / "run.json").read_text()), **inputs}))
    assert main(["rerun", str(run)]) == 2
    program, *words = shlex.split(capsys.readouterr().err.partition("; start it with ")[2])
    assert program == "risk-first"
    return words


@pytest.mark.parametrize("options", WAYS.values(), ids=list(WAYS))
def test_an_interrupted_run_is_started_by_the_command_that_is_told(tmp_path, monkeypatch, capsys, options):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "universe.csv").write_text("symbol,sector\nNVDA,chips\nAMD,chips\nORCL,software\n")
    (tmp_path / "points.csv").write_text("symbol,sector\nNVDA,chips\nBRK.B,finance\n")
    (tmp_path / "mine.yaml").write_text("exits:\n  model: atr\n  models:\n    fixed:\n      stop_frac: 0.05\n")
    file = daily_file(tmp_path / "bars.csv")
    asked = ["--data", file, "--start", "2021-03-01", "--seed", "3", "--engine", "replay", "--no-report", *options]
    assert main(["backtest", "--json", *asked, "--out", "a"]) == 0
    first = json.loads(capsys.readouterr().out)
    assert main([*interrupted(tmp_path / "a", capsys), "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert all(again[name] == first[name] for name in ("config_hash", "data_hash", "start", "end", "seed", "metrics"))


def test_an_interrupted_rehearsal_is_started_on_its_data_and_days(folder, tmp_path, monkeypatch, capsys):
    shutil.copytree(folder, tmp_path / "run")
    words = interrupted(tmp_path / "run", capsys, mode="rehearse", speed=600.0)
    asked = []
    monkeypatch.setattr("commands.runs.request.carry_out", lambda request: asked.append(request) or 0)
    assert main(words) == 0
    told = asked[0]
    assert (told.mode, told.data, str(told.start), str(told.end)) == (
        "rehearse",
        "embedded",
        "2020-03-02",
        "2020-04-30",
    )
    assert (told.speed, told.seed, told.profile) == (600, 3, "swing")
    assert told.settings.universe.traded == ("AAPL", "NVDA")
    assert told.settings.config_hash == load("swing", [folder / "settings.yaml"]).config_hash


def test_settings_too_many_for_a_sentence_are_named_by_their_file(folder, tmp_path, capsys):
    shutil.copytree(folder, tmp_path / "run")
    names = [f"A{chr(65 + n // 26)}{chr(65 + n % 26)}" for n in range(300)]
    settings = (tmp_path / "run" / "settings.yaml").read_text()
    (tmp_path / "run" / "settings.yaml").write_text(settings.replace("- AAPL", f"- {', '.join(names)}"))
    words = interrupted(tmp_path / "run", capsys)
    assert words[-2:] == ["--config", str(tmp_path / "run" / "settings.yaml")] and "--set" not in words


def test_a_run_on_a_daily_file_is_repeated_under_the_default_length_of_bars(tmp_path, capsys):
    """Its settings name all of them, also the length of bars that nobody chose and a daily file stands back from."""
    data, run = tmp_path / "bars.csv", tmp_path / "run"
    frame = embedded.daily()
    frame[(frame.datetime >= "2019-11-01") & (frame.datetime < "2020-03-01")].to_csv(data, index=False)
    wanted = ["backtest", "--quiet", "--no-report", "--data", str(data), "--benchmark", "AAPL", "--engine", "replay"]
    assert main([*wanted, "--out", str(run)]) == 0
    assert main(["rerun", str(run)]) == 0
    assert "every file is the same" in capsys.readouterr().out


def test_a_command_can_be_run_twice(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(SWING) == main(SWING) == 0
    names = sorted(path.name for path in (tmp_path / "runs").iterdir())
    assert names == ["backtest-swing-2020-03-02", "backtest-swing-2020-03-02-2"]
