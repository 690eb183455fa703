"""``risk-first``: what it says of itself, and what every command has in common."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

import live_trader
from commands.app import COMMANDS, available, load, main
from config.reading.former_names import FORMER_COMMANDS, FORMER_SETTINGS, former_setting
from config.reading.loader import load as settings

ROOT = Path(__file__).parents[2]
OURS = [name for name in available() if name not in ("data", "new")]


def run(*argv: str, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "commands", *argv]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False, **options)


def test_the_help_comes_at_once_and_without_anything_heavy():
    code = (
        "import sys; from commands.app import main; status = main(['--help']); "
        "heavy = {'lumibot', 'pandas', 'numpy', 'pydantic', 'rich', 'yaml'} & set(sys.modules); "
        "sys.exit(9 if heavy else status)"
    )
    began = time.process_time()
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert time.process_time() - began < 1
    for name in available():
        assert re.search(rf"^  {name} ", ran.stdout, re.MULTILINE)


def test_no_command_hides_what_it_is(capsys):
    assert main([]) == 0
    assert "Usage: risk-first" in capsys.readouterr().out
    assert main(["--version"]) == 0
    assert re.fullmatch(r"risk-first \d+\.\d+\.\d+.*\n", capsys.readouterr().out)


@pytest.mark.parametrize("name", OURS)
def test_each_command_explains_itself_with_examples(name, capsys):
    assert main([name, "--help"]) == 0
    said = capsys.readouterr().out
    assert f"Usage: risk-first {name}" in said
    # The line in the list of commands is the first line of the command's own help.
    assert COMMANDS[name][1] in " ".join(said.split())
    assert "Examples:\n" in said
    assert "--json" in said and "--quiet" in said and "--verbose" in said
    for line in re.findall(r"^    risk-first (.*)$", said, re.MULTILINE):
        assert line.split()[0] == name


def test_an_example_names_no_option_that_is_not_there(capsys):
    seen = 0
    for name in OURS:
        known = {option for parameter in load(name).params for option in parameter.opts} | {"--help"}
        main([name, "--help"])
        examples = capsys.readouterr().out.partition("Examples:")[2]
        for option in re.findall(r"(--[a-z-]+)", examples):
            assert option in known, (name, option)
            seen += 1
    assert seen > 20


def test_one_option_means_the_same_everywhere():
    texts: dict[str, set[str]] = {}
    for name in OURS:
        for parameter in load(name).params:
            if name == "data" or parameter.param_type_name != "option":
                continue
            for option in (
                "--profile",
                "--config",
                "--set",
                "--state-dir",
                "--json",
                "--quiet",
                "--verbose",
                "--dotenv",
            ):
                if option in parameter.opts:
                    texts.setdefault(option, set()).add(str(parameter.help))
    assert len(texts) == 8
    assert all(len(said) == 1 for said in texts.values()), texts


def test_json_is_the_only_thing_on_standard_output(tmp_path):
    (tmp_path / "state").mkdir()
    for argv in (
        ["kill", "stop", "--state-dir", str(tmp_path / "state")],
        ["size", "--entry", "170", "--stop", "163", "--equity", "105000", "--verbose"],
        ["show-config", "--profile", "swing"],
    ):
        ran = run(*argv, "--json")
        assert ran.returncode == 0, ran.stderr
        json.loads(ran.stdout)


def test_the_size_of_the_example(capsys):
    assert main(["size", "--entry", "170", "--stop", "163", "--equity", "105000", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["shares"], told["notional"], told["risk_dollars"]) == (61, 10_370, 427)
    assert (told["capped"], told["cap_reason"], told["by_risk"]) == (True, "notional", 300)
    half = ["size", "--entry", "170", "--stop", "163", "--equity", "105000", "--cognitive_multiplier", "0.5"]
    assert main([*half, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["shares"] == 30
    small = ["size", "--profile", "micro_cap", "--entry", "100", "--stop", "95", "--equity"]
    for equity, shares, cap in (("500", 0.2, "20.00 USD"), ("10", 0.04, "100.0%")):
        assert main([*small, equity, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["shares"] == shares
        assert main([*small, equity]) == 0
        assert f"by notional ({cap})" in capsys.readouterr().out
    for wrong, named in (
        (["--stop", "170"], "--stop equals --entry"),
        (["--stop", "190"], "--stop 190 lies above --entry 170: the stop of a purchase lies below it"),
        (["--equity", "-1"], "--equity must be"),
    ):
        assert main(["size", "--entry", "170", "--stop", "163", "--equity", "105000", *wrong]) == 2
        assert named in capsys.readouterr().err


def test_a_price_of_three_decimals_is_a_price(capsys):
    assert main(["size", "--entry", "2.345", "--stop", "2.125", "--equity", "10000", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["shares"] > 0


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        ("kil", "kil is not a command; did you mean kill?"),
        ("banana", "banana is not a command; see --help"),
        ("profit_trader.py --mode scan", "profit_trader.py is not a command; write scan, once or trade"),
        ("kill banana", "'banana' is not one of 'stop', 'flatten', 'off', 'status'"),
        ("kill", "is missing; see --help"),
        ("data", "data needs a command: show or get; see --help"),
        ("new", "new needs a command: risk-module; see --help"),
        ("data shw", "shw is not a command of data; did you mean show?"),
        ("new banana", "banana is not a command of new; see --help"),
        ("size --entry 170", "--stop is missing"),
        ("backtest --mode scan", "each mode is an argument of its own"),
        ("backtest --banana", "--banana is not an argument; see --help"),
        ("backtest extra", "extra is not an argument"),
        ("reconcile --symbols A,B", "--symbols is not an argument of this command; write --set universe.symbols=[A,B]"),
        ("positions --universe=u.csv", "of this command; write --set universe.symbols=[A,B]"),
        (
            "parity --state-dir x",
            "--state-dir is not an argument of this command; write the folder alone, where PLACE stands",
        ),
        ("export --out x", "--out is not an argument of this command; write the folder alone, where FOLDER stands"),
        ("backtest --budget 4.000", "argument --budget: '4.000' may be 4.00 or 4000; write 4.00 or 4000; see --help"),
        ("data show --out x", "--out is not an argument; see --help"),
        ("cleanup --cap 3", "--cap is not an argument of this command; write --set universe.cap=N"),
        ("positions --benchmark SPY", "write --set universe.benchmark=SYM"),
        ("reconcile --speed 60", "write --set pace.speed=N"),
        ("monitor --symbols A", "--symbols is not an argument"),
        ("trade --paper --live", "not allowed with argument --paper"),
        ("trade", "--paper needs Alpaca keys"),
        ("cleanup --broker kraken", "Kraken has no paper accounts"),
        ("cleanup --broker kraken --dry-run", "Kraken keys are missing"),
        ("cleanup --broker bank", "is not known here; write alpaca or kraken"),
        ("explain AAPL --run none", "is not the complete folder of a run"),
        ("backtest --set STOP_LOSS_PCT=0.02", "here it is exits.models.fixed.stop_frac"),
    ],
)
def test_refused_in_one_sentence(capsys, monkeypatch, tmp_path, argv, told):
    monkeypatch.chdir(tmp_path)
    assert main(argv.split()) == 2
    said = capsys.readouterr()
    assert told in said.err and said.err.count("\n") == 1 and said.out == ""


def test_a_hint_of_a_former_name_stays_in_the_section_that_was_written(capsys):
    assert main(["show-config", "--set", "risk.modules.inverse_hedge.rsi_period=14"]) == 2
    assert "here it is risk.modules.inverse_hedge.rsi_bars" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command", ["status", "explain", "whatif", "scoreboard", "kill status", "positions", "reconcile", "monitor"]
)
def test_what_only_looks_takes_the_speed_of_the_trader(command, capsys, monkeypatch, tmp_path):
    """It has no venue of its own that could be too slow; a trader without one on this machine is refused."""
    monkeypatch.chdir(tmp_path)
    main([*command.split(), "--set", "pace.speed=20"])
    assert "pace.speed" not in capsys.readouterr().err
    assert main(["cleanup", "--broker", "alpaca", "--set", "pace.speed=20"]) == 2
    assert "pace.speed is 20" in capsys.readouterr().err


def test_former_names_lead_to_what_is_there():
    shipped = settings().as_dict()
    for name, hint in FORMER_SETTINGS.items():
        assert former_setting(name.upper()) == hint
        key, found = hint.split(",")[0], shipped
        if key.startswith("--"):
            continue
        for part in key.split("."):
            assert part in found, (name, key)
            found = found[part]
    for hint in FORMER_COMMANDS.values():
        first = hint.removeprefix("write ").split(",")[0].split()[0]
        assert first in available(), hint


def test_the_script_of_all_modes_has_the_same_options(capsys):
    one = {option for parameter in live_trader.live_trader.click.params for option in parameter.opts}
    several = {option for name in ("backtest", "rehearse", "trade") for p in load(name).params for option in p.opts}
    assert several <= one
