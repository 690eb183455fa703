"""The command line's arguments: what is refused, how it is told, and what reaches the run."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import types
from datetime import date
from pathlib import Path

import pytest
import yaml

import live_trader

ROOT = Path(__file__).parents[1]
KEYS = {"ALPACA_API_KEY": "key-hunter2", "ALPACA_API_SECRET": "secret-hunter2"}


@pytest.fixture
def keys(monkeypatch):
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def requests(monkeypatch):
    """Requests that would have been run."""
    seen = []
    stand_in = types.ModuleType("backtests.cli_run")
    stand_in.run = lambda request, console: seen.append(request) or 0
    live = types.ModuleType("backtests.live.live_runs")
    live.run_live = stand_in.run
    monkeypatch.setitem(sys.modules, "backtests.cli_run", stand_in)
    monkeypatch.setitem(sys.modules, "backtests.live.live_runs", live)
    return seen


def refused(capsys, *argv: str) -> str:
    assert live_trader.main(argv) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "Traceback" not in told
    assert "hunter2" not in told
    return told.strip()


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        ("--backtest --strategy combinde", "--strategy: combinde is not a known strategy; did you mean combined?"),
        ("--profile swng", "--profile swng: there is no such profile; did you mean swing?"),
        ("--config none.yaml", "none.yaml: there is no such file"),
        ("--set sizing.risk_frac=15", "sizing.risk_frac is 15; it is a fraction of 1, write 0.15 for 15%"),
        ("--set sizing.risk_frac", "--set sizing.risk_frac: write --set KEY=VALUE"),
        ("--set risk.modules.sector_cap.max_share_frac=40", "is 40; it is a fraction of 1, write 0.4 for 40%"),
        ("--set risk.chain=[sector_cp] --show-config", "sector_cp is not a known risk module"),
        ("--backtest --start 2020-13-01", "'2020-13-01' is not a day; write YYYY-MM-DD"),
        ("--backtest --start 01.02.2020", "'01.02.2020' is not a day"),
        ("--backtest --start 20200102", "'20200102' is not a day"),
        ("--backtest --start 2021-01-02 --end 2021-01-01", "--end 2021-01-01 is before --start 2021-01-02"),
        ("--backtest --budget lots", "'lots' is not a number"),
        ("--backtest --budget -5", "--budget: account.budget_usd is -5.0; it must be at least 1"),
        ("--backtest --budget 1e-9", "--budget: account.budget_usd is 1e-09; it must be at least 1"),
        ("--backtest --budget nan", "--budget: account.budget_usd is NaN; write a finite number"),
        ("--backtest --budget inf", "--budget: account.budget_usd is Infinity; write a finite number"),
        ("--backtest --cap 0", "--cap: '0' is not a whole number from 1 up"),
        ("--backtest --cap=-1", "--cap: '-1' is not a whole number from 1 up"),
        ("--backtest --cap 1.5", "'1.5' is not a whole number"),
        ("--backtest --seed -1", "'-1' is not a whole number"),
        ("--backtest --symbols ,", "--symbols: universe.symbols is []; it must not be empty"),
        ("--backtest --symbols A,B,A", "--symbols: universe.symbols names A twice"),
        ("--backtest --symbols A --universe u.csv", "not allowed with argument"),
        ("--backtest --universe none.csv", "--universe none.csv: there is no such file"),
        ("--backtest --data yaho", "--data yaho: is no source and no .parquet or .csv file; did you mean yahoo?"),
        (
            "--backtest --data x.feather",
            "x.feather: is no source and no .parquet or .csv file; convert it: pandas.read",
        ),
        ("--backtest --data x.csv.gz", "x.csv.gz: is no source and no .parquet or .csv file; unpack it, and give the"),
        ("--backtest --data none.csv", "--data none.csv: there is no such file"),
        ("--backtest --data alpaca", "--data alpaca needs Alpaca keys: set ALPACA_API_KEY and ALPACA_API_SECRET"),
        ("--rehearse --sleeptime 5X", '--sleeptime: pace.sleeptime is "5X"'),
        ("--paper --alpaca-url http://example.com", "http:// is accepted for loopback hosts only"),
        ("--backtest --paper", "not allowed with argument"),
        ("--backtest --once --scan", "not allowed with argument"),
        ("--backtset", "--backtset is not an argument; did you mean --backtest?"),
        ("--back", "--back is not an argument"),
        ("extra", "extra is not an argument; see --help"),
        ("--start", "expected one argument"),
        ("--paper", "--paper needs Alpaca keys: set ALPACA_API_KEY and ALPACA_API_SECRET in the environment"),
        ("--live --yes", "--live needs Alpaca keys: set ALPACA_API_KEY and ALPACA_API_SECRET in the environment"),
        ("--backtest --lookahead 0", "--lookahead: '0' is not a whole number from 1 up"),
        ("--rehearse --speed 0.5", "--speed 0.5: give a number from 1 to 10000"),
        ("--rehearse --set pace.speed=60", "time passes faster only at a venue on loopback"),
    ],
)
def test_refused_in_one_sentence(capsys, monkeypatch, tmp_path, argv, told):
    monkeypatch.chdir(tmp_path)
    assert told in refused(capsys, *argv.split())


def test_data_that_are_no_file_are_told_for_what_they_are(capsys, tmp_path):
    (tmp_path / "folder.csv").mkdir()
    os.mkfifo(tmp_path / "pipe.csv")
    path = tmp_path / "pipe.csv"
    assert refused(capsys, "--backtest", "--data", str(path)).startswith(
        f"--data {path}: is no ordinary file; give the"
    )
    path = tmp_path / "folder.csv"
    assert refused(capsys, "--backtest", "--data", str(path)).startswith(f"{path}: is a folder without a .parquet or")


UNREAD = {
    "--backtest": ["--sleeptime 5M", "--speed 60", "--yes", "--alpaca-url http://127.0.0.1:1"],
    "--rehearse": ["--yes", "--alpaca-url http://127.0.0.1:1", "--lookahead 2", "--draw-all"],
    "--paper": [
        "--data embedded", "--start 2022-01-03", "--end 2022-01-03", "--budget 5000", "--lookahead 2", "--draw-all",
        "--speed 60", "--yes", "--labels end",
    ],
    "--live": ["--data yahoo", "--start 2022-01-03", "--end 2022-01-03", "--budget 5000", "--speed 60"],
    "--backtest --scan": ["--out x", "--overwrite", "--draw-all", "--scoreboard", "--lookahead 2"],
    "--backtest --once": ["--out x", "--overwrite", "--draw-all", "--scoreboard", "--lookahead 2"],
    "--backtest --lookahead 2": ["--out x", "--overwrite", "--draw-all", "--scoreboard"],
    "--paper --scan": ["--out x"],
}  # fmt: skip


@pytest.mark.parametrize(("mode", "argument"), [(mode, text) for mode, texts in UNREAD.items() for text in texts])
def test_an_argument_that_would_change_nothing_is_refused(capsys, keys, requests, mode, argument):
    told = refused(capsys, *mode.split(), *argument.split())
    name, last = argument.split()[0], mode.split()
    assert " is not read with " in told and name in told and last[0 if len(last) == 1 else 1] in told
    assert "leave" in told and not requests


def test_the_refusal_says_why_and_names_the_way_out(capsys, keys, requests):
    assert refused(capsys, "--backtest", "--sleeptime", "5M") == (
        "--sleeptime is not read with --backtest: a backtest decides once per bar; leave it out or give --rehearse or "
        "--paper or --live"
    )
    assert refused(capsys, "--start", "2022-01-03").startswith(
        "--start is not read with --paper, the mode that was taken as none was given: it begins now; leave it out"
    )
    assert refused(capsys, "--paper", "--overwrite").endswith("every start has a new folder; add --out")


@pytest.mark.parametrize(
    "argv",
    [
        "--strategy combined --paper --alpaca-url http://127.0.0.1:8080 --sleeptime 5S --set market=24/7",
        "--paper --out x --overwrite --benchmark SPY --cap 3 --seed 4 --quiet",
        "--live --yes --scan --seed 4",
        "--rehearse --profile intraday --speed 120 --start 2023-06-05 --end 2023-06-08 --budget 5000 --sleeptime 30S",
        "--rehearse --once --out x --overwrite",
        "--backtest --scan --start 2022-01-03 --end 2022-02-03 --budget 5000 --seed 4",
        "--backtest --draw-all --scoreboard --overwrite --data embedded",
        "--backtest --lookahead 5 --start 2022-01-03 --budget 5000",
    ],
)
def test_what_a_mode_reads_is_taken(keys, requests, argv):
    assert live_trader.main(argv.split()) == 0
    assert len(requests) == 1


@pytest.mark.parametrize(
    ("argv", "symbols"),
    [("", 29), ("--data embedded", 6), ("--backtest", 6), ("--backtest --data yahoo", 29), ("--rehearse", 6)],
)
def test_the_settings_alone_are_those_of_the_files(capsys, argv, symbols):
    assert live_trader.main(["--show-config", *argv.split()]) == 0
    assert len(yaml.safe_load(capsys.readouterr().out)["universe"]["symbols"]) == symbols


@pytest.mark.parametrize(
    ("argv", "mode"),
    [
        ("--paper", "paper"),
        ("--live --yes", "live"),
        ("--rehearse", "rehearse"),
        ("", "paper"),
        ("--paper --scan", "paper"),
    ],
)
def test_with_keys_every_mode_is_run(keys, requests, argv, mode):
    assert live_trader.main(argv.split()) == 0
    (request,) = requests
    assert request.mode == mode


def test_real_money_needs_a_typed_word(capsys, keys, requests, monkeypatch):
    assert live_trader.main(["--live"]) == 2
    assert "--live was not confirmed; type LIVE when asked, or add --yes" in capsys.readouterr().err
    for typed, status in (("live\n", 2), ("LIVE\n", 0)):
        stdin = io.StringIO(typed)
        stdin.isatty = lambda: True
        monkeypatch.setattr(sys, "stdin", stdin)
        assert live_trader.main(["--live"]) == status
    assert len(requests) == 1


def test_one_missing_key_is_named_alone(capsys, monkeypatch):
    monkeypatch.setenv("ALPACA_API_KEY", "key-hunter2")
    assert refused(capsys, "--paper") == "--paper needs Alpaca keys: set ALPACA_API_SECRET in the environment"


@pytest.mark.parametrize("change", ["--sleeptime 30S", "--set market=24/7", "--set pace.sleeptime=30S"])
def test_pace_is_not_changed_for_one_run_with_real_money(capsys, keys, change):
    assert "is not changed for one run with --live" in refused(capsys, "--live", *change.split())


def test_the_mode_taken_without_one_is_said(capsys, monkeypatch, requests):
    live_trader.main([])
    assert capsys.readouterr().out == "=== No mode was given and Alpaca keys are not set: REHEARSE ===\n"
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    live_trader.main([])
    assert capsys.readouterr().out == "=== No mode was given and Alpaca keys are set: PAPER ===\n"


def test_show_config_masks_secrets_and_can_be_loaded_again(capsys, keys, tmp_path):
    assert live_trader.main(["--show-config", "--profile", "swing", "--set", "sizing.risk_frac=0.01"]) == 0
    printed = capsys.readouterr().out
    assert "hunter2" not in printed
    shown = yaml.safe_load(printed)
    assert shown["secrets"]["ALPACA_API_KEY"] == "********"
    assert shown["secrets"]["KRAKEN_API_KEY"] is None
    assert (shown["sizing"]["risk_frac"], shown["exits"]["model"]) == (0.01, "atr")
    again = tmp_path / "shown.yaml"
    again.write_text(printed)
    assert live_trader.main(["--show-config", "--config", str(again)]) == 0
    assert capsys.readouterr().out == printed


def test_alpaca_url_stands_for_all_three(capsys):
    assert live_trader.main(["--show-config", "--alpaca-url", "http://127.0.0.1:8080/"]) == 0
    assert yaml.safe_load(capsys.readouterr().out)["broker"]["alpaca"] == {
        "trading_url": "http://127.0.0.1:8080",
        "data_url": "http://127.0.0.1:8080",
        "stream_url": "ws://127.0.0.1:8080/stream",
        "feed": "iex",
    }


def test_arguments_reach_the_run(requests, tmp_path):
    data = tmp_path / "bars.csv"
    data.write_text("symbol,datetime\n")
    argv = (
        f"--strategy combined --backtest --profile swing --data {data} --start 2020-01-02 --end 2020-12-31 "
        f"--symbols nvda,F --cap 1 --benchmark qqq --budget 5e4 --seed 7 --out {tmp_path / 'o'} --overwrite"
    )
    assert live_trader.main([*argv.split(), "--quiet"]) == 0
    (request,) = requests
    assert (request.strategy, request.profile, request.mode, request.data) == (
        "combined",
        "swing",
        "backtest",
        str(data),
    )
    assert (request.start, request.end) == (date(2020, 1, 2), date(2020, 12, 31))
    universe = request.settings.universe
    assert (universe.traded, universe.cap, universe.benchmark, request.budget) == (("NVDA",), 1, "QQQ", 50_000)
    assert (request.seed, request.out, request.overwrite) == (7, tmp_path / "o", True)
    assert (request.once, request.scan, request.quiet) == (False, False, True)
    assert request.settings.account.budget_usd == 50_000
    assert request.settings.source_of("account.budget_usd") == "--budget"


def test_a_universe_file_brings_symbols_and_labels(requests, tmp_path):
    path = tmp_path / "u.csv"
    path.write_text("symbol,sector\nXYZ,new\nF,\n")
    assert live_trader.main(["--backtest", "--data", "yahoo", "--universe", str(path)]) == 0
    (request,) = requests
    assert request.settings.universe.traded == ("XYZ", "F")
    assert request.settings.universe.sectors["XYZ"] == "new"
    assert request.settings.source_of("universe.symbols") == f"--universe {path}"


def test_embedded_data_bring_their_own_universe_below_the_users(requests):
    assert live_trader.main(["--backtest"]) == 0
    assert live_trader.main(["--backtest", "--symbols", "AAPL", "--benchmark", "NVDA"]) == 0
    assert live_trader.main(["--backtest", "--data", "yahoo"]) == 0
    own, chosen, other = (request.settings.universe for request in requests)
    assert set(own.traded) == {"AAPL", "AMZN", "GOOG", "META", "NFLX", "NVDA"}
    assert own.benchmark == "SYN_EW6"
    assert (chosen.traded, chosen.benchmark) == (("AAPL",), "NVDA")
    assert len(other.traded) == 29


def test_a_failed_run_is_told_by_its_status(requests, monkeypatch, capsys):
    monkeypatch.setattr(sys.modules["backtests.cli_run"], "run", lambda request, console: 1)
    assert live_trader.main(["--backtest"]) == 1

    def interrupted(request, console):
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.modules["backtests.cli_run"], "run", interrupted)
    assert live_trader.main(["--backtest"]) == 1
    assert capsys.readouterr().err == "Interrupted.\n"


def test_as_a_command_and_without_loading_lumibot():
    code = (
        "import sys, live_trader; status = live_trader.main(['--backtest', '--data', 'nowhere']); "
        "heavy = {'lumibot', 'pandas', 'matplotlib'} & set(sys.modules); "
        "sys.exit(9 if heavy else status)"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("--data nowhere: is no source")
    ran = subprocess.run(
        [sys.executable, "live_trader.py", "--strategy", "x"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 2
    assert ran.stderr == "--strategy: x is not a known strategy; known here: combined\n"
