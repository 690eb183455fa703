"""The examples in docs/writing-a-risk-module.md are run as they are printed."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from risk.model import Adjustment, Book, Position
from tests.risk.helpers import NOW, book, market, position

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "writing-a-risk-module.md"
BLOCKS = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)


def test_the_example_of_manage_exits_and_tightens():
    found: dict = {}
    exec(BLOCKS[0], found)
    rule = SimpleNamespace(name="break_even", config=SimpleNamespace(max_minutes=600, at_r=1.0))
    hours = [NOW + timedelta(hours=n) for n in range(1, 3)]
    held = book(position("A", 10), position("B", -10), position("C", 10), position("H", 10, role="hedge"))
    seen = market({"A": [100.0, 105.0], "B": [100.0, 94.0], "C": [100.0, 104.0], "H": 200.0}, closes=hours)
    first, second = found["manage"](rule, held, seen)
    assert (first.symbol, first.kind, first.stop, first.short) == ("A", "tighten", 100.0, False)
    assert (second.symbol, second.kind, second.stop, second.short) == ("B", "tighten", 100.0, True)
    rule.config.max_minutes = 1
    assert [(a.symbol, a.kind) for a in found["manage"](rule, held, seen)] == [(s, "exit") for s in "ABC"]


@pytest.mark.parametrize("kind", [Adjustment, Position, Book])
def test_every_field_of_what_a_rule_reads_and_gives_is_on_the_page(kind):
    begin = f"| field of `{kind.__name__}` | |"
    table = GUIDE.read_text(encoding="utf-8").partition(begin)[2].partition("\n\n")[0]
    assert begin and {field.name for field in dataclasses.fields(kind)} <= set(re.findall(r"`(\w+)", table))


def test_the_example_and_its_test_work(tmp_path):
    _, rule, test = BLOCKS
    package = tmp_path / "my_package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "volatility_cap.py").write_text(rule, encoding="utf-8")
    (package / "test_volatility_cap.py").write_text(test, encoding="utf-8")
    # A process of its own: the printed test is collected like a reader's, outside this repository.
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(package)],
        cwd=tmp_path,
        env={"PYTHONPATH": f"{ROOT}:{tmp_path}", "PATH": ""},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "8 passed" in run.stdout
