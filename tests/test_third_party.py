"""A risk module of another package: installed with pip, named in YAML, and run by the command line."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = Path(__file__).parent / "third_party" / "friday_rule"
FRIDAY = 4
WINDOW = ("--start", "2018-01-02", "--end", "2020-12-31")
PLUG = """
selection: {min_confidence: 0.5} # what is just met may enter: many entries to judge
risk:
  chain: [friday_rule, allocation, sector_cap, cash_buffer, inverse_hedge]
  modules:
    friday_rule: {settings}
"""


def missing() -> str:
    """What keeps pip from building here; it may not download a backend and takes the one that the locks name."""
    try:
        version("pip")
        if int(version("setuptools").split(".")[0]) >= 77:
            return ""
    except PackageNotFoundError:
        pass
    return "needs pip, and setuptools 77 as requirements-dev.lock has it"


pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())


def execute(*command: str, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHONPATH"))}
    if path is not None:
        environment["PYTHONPATH"] = str(path)
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=240, check=False
    )


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """Folder that the package was installed into; built from a copy, since a build leaves files beside its source."""
    source, target = (tmp_path_factory.mktemp("friday") / name for name in ("source", "installed"))
    shutil.copytree(PACKAGE, source, ignore=shutil.ignore_patterns("__pycache__"))
    offline = ("--isolated", "--no-index", "--no-build-isolation", "--no-deps", "--no-input", "--no-cache-dir")
    done = execute(
        "-m", "pip", "--disable-pip-version-check", "install", *offline, "--target", str(target), str(source)
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return target


@pytest.fixture
def plug(tmp_path):
    """Writes the user's YAML with the given settings of the module; returns its path."""

    def write(settings: str = "{from_hour: 0}") -> Path:
        path = tmp_path / "plug.yaml"
        path.write_text(PLUG.replace("{settings}", settings), encoding="utf-8")
        return path

    return write


def trade(config: Path, *arguments: str, path: Path | None) -> subprocess.CompletedProcess[str]:
    command = ("live_trader.py", "--strategy", "combined", "--backtest", "--quiet", "--config", str(config))
    return execute(*command, *arguments, path=path)


def backtest(config: Path, out: Path, installed: Path) -> tuple[pd.DataFrame, list[dict]]:
    """Orders and decisions of a run."""
    done = trade(config, *WINDOW, "--out", str(out), path=installed)
    assert done.returncode == 0, done.stderr
    decisions = [json.loads(line) for line in (out / "decisions.jsonl").read_text(encoding="utf-8").splitlines()]
    return pd.read_csv(out / "orders.csv"), decisions


def weekdays(orders: pd.DataFrame, role: str) -> Counter[int]:
    return Counter(datetime.fromisoformat(time).weekday() for time in orders[orders.role == role].time)


def verdicts(decisions: list[dict]) -> list[tuple[dict, dict]]:
    return [(d, v) for d in decisions for v in d["verdicts"] if v["module"] == "friday_rule"]


def refused(config: Path, *arguments: str, path: Path | None) -> str:
    """The sentence of a refusal."""
    done = trade(config, *arguments, path=path)
    assert done.returncode == 2, done.stdout + done.stderr
    assert not done.stdout
    assert len(done.stderr.splitlines()) == 1
    return done.stderr


@pytest.mark.slow
def test_it_decides_about_entries_on_fridays(installed, plug, tmp_path):
    orders, decisions = backtest(plug(), tmp_path / "run", installed)
    entries = weekdays(orders, "entry")
    assert entries[FRIDAY] == 0 and min(entries[day] for day in range(FRIDAY)) > 0
    assert weekdays(orders, "hedge")[FRIDAY] > 0

    judged = verdicts(decisions)
    assert len(judged) > 50
    said_no = [(d, v) for d, v in judged if v["code"] != "OK"]
    assert said_no
    for d, v in said_no:
        time = datetime.fromisoformat(d["time"])
        assert v["code"] == f"FRIDAY_RULE: {time:%Y-%m-%d} is a Friday" and time.weekday() == FRIDAY
        assert v["before"] > 0 and v["after"] == 0 and v["inputs"] == {"hour": 9}
        assert d["outcome"] == "refused" and d["final_quantity"] == 0 and d["verdicts"][-1] == v
    assert all(datetime.fromisoformat(d["time"]).weekday() != FRIDAY or d["signal"] == "inverse_hedge"
               for d, v in judged if v["code"] == "OK")  # fmt: skip


@pytest.mark.slow
def test_its_settings_count(installed, plug, tmp_path):
    """Decisions on daily bars fall on 9:30: from ten o'clock on there is nothing to refuse."""
    orders, decisions = backtest(plug("{from_hour: 10}"), tmp_path / "late", installed)
    assert weekdays(orders, "entry")[FRIDAY] > 0
    assert {v["code"] for _, v in verdicts(decisions)} == {"OK"}


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ("{from_hour: 24}", "risk.modules.friday_rule.from_hour is 24; it must be at most 23"),
        ("{from_hour: noon}", 'risk.modules.friday_rule.from_hour is "noon"; write a whole number'),
        (
            "{from_hours: 10}",
            "risk.modules.friday_rule.from_hours is not a setting; did you mean risk.modules.friday_rule.from_hour?",
        ),
    ],
)
def test_a_wrong_setting_is_refused_with_file_and_key(installed, plug, settings, told):
    config = plug(settings)
    assert f"{config}: {told}" in refused(config, path=installed)


def test_the_value_of_an_argument_is_checked_likewise(installed, plug):
    told = refused(plug(), "--set", "risk.modules.friday_rule.from_hour=-1", path=installed)
    assert "--set: risk.modules.friday_rule.from_hour is -1; it must be at least 0" in told


def test_a_name_of_a_built_in_is_not_given_away(installed, plug, tmp_path):
    """Whoever installs such a package hears of it, whether its module is used or not."""
    clash = tmp_path / "clash"
    shutil.copytree(installed, clash)
    (entries,) = clash.glob("*.dist-info/entry_points.txt")
    entries.write_text(entries.read_text().replace("friday_rule =", "sector_cap =", 1), encoding="utf-8")
    config = tmp_path / "plain.yaml"
    config.write_text("risk: {chain: [cash_buffer]}\n", encoding="utf-8")
    told = refused(config, path=clash)
    assert "risk.sector_cap:SectorCap and friday_rule:FridayRule (friday-rule) are both named sector_cap" in told
    assert "rename or uninstall one" in told


def test_uninstalled_it_is_unknown(plug):
    config = plug()
    told = refused(config, path=None)
    assert f"{config}: risk.chain: friday_rule is not a known risk module; known here: allocation, " in told
    assert "sector_cap" in told and "trailing_stop" in told


def test_a_misspelt_name_finds_it(installed, plug):
    config = plug()
    config.write_text(config.read_text().replace("[friday_rule", "[fridayrule"), encoding="utf-8")
    assert "fridayrule is not a known risk module; did you mean friday_rule?" in refused(config, path=installed)
