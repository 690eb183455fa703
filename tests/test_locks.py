"""The locks hold the same versions, and the slim one leaves out nothing that this program needs."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import requires
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==(\S+)", re.MULTILINE)
WITHOUT = """
import sys
from importlib.abc import MetaPathFinder
from importlib.metadata import packages_distributions
from pathlib import Path
import pkgutil, importlib, re

left_out, out = set(sys.argv[1].split(",")), sys.argv[2]
names = packages_distributions().items()
modules = {top for top, of in names if {re.sub("[-_.]+", "-", d).lower() for d in of} <= left_out}

class Absent(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in modules:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
sys.path.insert(0, ".")
from commands.app import main
imported = 0
for package in "config market risk strategies monitoring brokers backtests dashboard commands".split():
    for found in pkgutil.walk_packages([package], package + "."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)
            imported += 1
assert imported > 300, imported
main(["backtest", "--quiet", "--no-report", "--start", "2022-01-03", "--end", "2022-03-01", "--out", out])
"""


def pins(name: str) -> dict[str, str]:
    found = PIN.findall((ROOT / name).read_text(encoding="utf-8"))
    assert len(found) > 100
    return {spelled(package): version for package, version in found}


def spelled(package: str) -> str:
    return re.sub(r"[-_.]+", "-", package).lower()


def left_out() -> list[str]:
    lines = (ROOT / "scripts/slim-excludes.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


FULL, SLIM, DEV = pins("requirements.lock"), pins("requirements-slim.lock"), pins("requirements-dev.lock")


def test_the_slim_lock_is_a_part_of_the_full_one_and_what_the_tests_run_on():
    assert SLIM.items() <= FULL.items()
    assert SLIM.items() <= DEV.items()
    assert len(SLIM) < len(FULL) / 2


def test_what_is_left_out_is_lumibot_s_and_is_in_no_lock_but_the_full_one():
    wanted = {spelled(re.split(r"[ \[<>=!;(~]", text)[0]) for text in requires("lumibot") or ()}
    for name in left_out():
        assert name in wanted and name in FULL, name
        assert name not in SLIM and name not in DEV, name


def test_what_this_program_names_itself_is_in_the_slim_lock():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    named = re.findall(
        r'^  "([A-Za-z0-9-]+)', text.partition("\ndependencies = [")[2].partition("\n]")[0], re.MULTILINE
    )
    assert len(named) > 25
    assert {re.sub(r"[-_.]+", "-", name).lower() for name in named} <= SLIM.keys()


@pytest.mark.slow
def test_everything_works_without_what_is_left_out(tmp_path):
    """Slow: a process of its own imports all of the program, in any environment; about six seconds."""
    absent = ",".join(FULL.keys() - SLIM.keys())
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, absent, str(tmp_path / "run")],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2_000:] + done.stderr[-2_000:]
    assert (tmp_path / "run/trades.csv").stat().st_size > 500
