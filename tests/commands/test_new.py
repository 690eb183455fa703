"""A rule that is made by the command is complete: registered, with defaults, tests and an example, and green."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from commands.developer.new import DEFAULTS, REGISTRY, SCENES, add_risk_module
from config.errors import Refusal

ROOT = Path(__file__).parents[2]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for place in (REGISTRY, DEFAULTS, SCENES):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / place, tmp_path / place)
    (tmp_path / "risk").mkdir()
    (tmp_path / "tests" / "risk").mkdir(parents=True)
    return tmp_path


def test_files_and_lines_of_a_new_rule(checkout):
    places = add_risk_module(checkout, "share_price_cap")
    assert places == ["risk/share_price_cap.py", "tests/risk/test_share_price_cap.py", REGISTRY, DEFAULTS, SCENES]
    assert '"share_price_cap": "risk.share_price_cap:SharePriceCap",\n    },' in (checkout / REGISTRY).read_text()
    before, after = (yaml.safe_load((root / DEFAULTS).read_text()) for root in (ROOT, checkout))
    assert after["risk"]["modules"].pop("share_price_cap") == {"max_share_price_frac": 0.05}
    assert after == before
    for place in places[:2]:
        compile((checkout / place).read_text(), place, "exec")


def test_a_second_rule_follows_the_first(checkout):
    add_risk_module(checkout, "one")
    add_risk_module(checkout, "two")
    text = (checkout / REGISTRY).read_text()
    assert text.index('"trailing_stop"') < text.index('"one"') < text.index('"two"') < text.index("SIGNALS")


@pytest.mark.parametrize(
    ("name", "why"),
    [("Bad-Name", "cannot name a rule"), ("class", "cannot name a rule"), ("cash_buffer", "is registered")],
)
def test_a_name_that_cannot_be_used(checkout, name, why):
    with pytest.raises(Refusal, match=why):
        add_risk_module(checkout, name)
    assert list((checkout / "risk").iterdir()) == []


def test_elsewhere_than_in_a_checkout(tmp_path):
    with pytest.raises(Refusal, match="is no checkout of this project"):
        add_risk_module(tmp_path, "share_price_cap")


@pytest.mark.slow
def test_the_new_rule_and_its_neighbours_pass(tmp_path):
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    for place in filter(None, listed):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / place, tmp_path / place)

    def run(*arguments: str) -> None:
        done = subprocess.run([sys.executable, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-2_000:] + done.stderr[-2_000:]

    run("-m", "commands", "new", "risk-module", "share_price_cap")
    run("tools/document_risk_modules.py")
    run("-m", "ruff", "check")
    run("-m", "ruff", "format", "--check")
    neighbours = [
        "tests/risk",
        "tests/config",
        "tests/strategies",
        "tests/test_docs.py",
        "tests/backtests/test_golden.py",
    ]
    run("-m", "pytest", "-q", "-p", "no:cacheprovider", *neighbours)
