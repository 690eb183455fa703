"""The written documentation is what the code says now."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import cast

import numpy as np
import pytest
from pydantic import BaseModel, Field

from market.features import FeatureTable
from risk.brackets import BRACKETS
from risk.interface import ModuleConfig, RiskModule
from strategies.registry import RISK_MODULES, SIGNALS, installed
from strategies.signals.base import Signal
from tests.backtests.market import market

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "tools" / "document_risk_modules.py"
TEXT = (ROOT / "docs" / "risk-modules.md").read_text(encoding="utf-8")
SECTIONS = {part.partition("\n")[0]: part for part in re.split(r"^### ", TEXT, flags=re.MULTILINE)[1:]}
CLASSES = {
    name: registry.get(name, "the docs")
    for registry in (RISK_MODULES, SIGNALS)
    for name in registry.places().keys() - {entry.name for entry in installed(registry.group)}
} | BRACKETS


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("document_risk_modules", SCRIPT)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    before = list(sys.path)
    spec.loader.exec_module(module)
    sys.path[:] = before
    return module


def test_the_file_is_what_the_code_says():
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--check"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_a_stale_or_missing_file_is_found(generator, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(generator, "OUT", tmp_path / "risk-modules.md")
    assert generator.main(["--check"]) == 1
    assert generator.main([]) == 0
    assert generator.main(["--check"]) == 0
    generator.OUT.write_text(TEXT.replace("| `3` |", "| `4` |", 1), encoding="utf-8")
    assert generator.main(["--check"]) == 1
    assert "tools/document_risk_modules.py" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["--help"], ["--write"]])
def test_help_and_unknown_words_write_nothing(generator, monkeypatch, tmp_path, words):
    monkeypatch.setattr(generator, "OUT", tmp_path / "risk-modules.md")
    with pytest.raises(SystemExit):
        generator.main(words)
    assert list(tmp_path.iterdir()) == []


def leaves(config: BaseModel) -> list[str]:
    nested = [(name, getattr(config, name)) for name in type(config).model_fields]
    return [
        f"{name}.{below}" if below else name
        for name, value in nested
        for below in (leaves(value) if isinstance(value, BaseModel) else [""])
    ]


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_every_rule_has_its_settings_and_an_example(name):
    cls, section = CLASSES[name], SECTIONS[name]
    rows = {row[1].strip(" `"): row[2:6] for row in (line.split("|") for line in section.splitlines()) if len(row) == 7}
    assert list(rows)[2:] == leaves(cls.Config())
    for unit, default, bounds, description in list(rows.values())[2:]:
        assert len(unit.strip()) and default.strip(" `") and bounds.strip() and len(description.strip()) > 10
    examples = section.partition("For example:\n\n")[2]
    assert examples.startswith("- ") and "nothing on any" not in examples
    assert "nan" not in examples


def test_only_choices_have_no_unit():
    bare = [line for line in TEXT.splitlines() if line.startswith("| `") and line.split("|")[2].strip() == "–"]
    assert [line.split("|")[1].strip() for line in bare] == ["`target_by`"]


def test_a_module_that_no_scene_fits_is_told(generator):
    class Idle(RiskModule):
        """Does nothing.

        At length.

        Parameters
        ----------
        quiet_frac, loud_frac : float
            How it keeps quiet. And more.
        """

        name = "idle"

        class Config(ModuleConfig):
            quiet_frac: float = Field(default=0.5, ge=0, lt=1)
            loud_frac: float = Field(default=0.25, gt=0, description="how loud it is")

    text = generator.section(Idle, "risk.modules.idle", {}, generator.said_by_module(Idle))
    assert text.splitlines()[2] == "Does nothing. Settings: `risk.modules.idle`."
    assert "| `quiet_frac` | fraction of 1 | `0.5` | ≥ 0, < 1 | How it keeps quiet |" in text
    assert "| `loud_frac` | fraction of 1 | `0.25` | > 0 | How loud it is |" in text
    assert text.endswith("- nothing on any of the example scenes")


def test_the_signal_of_the_page_finds_entries_and_says_why_not():
    page = (ROOT / "docs" / "writing-a-signal.md").read_text(encoding="utf-8")
    written: dict[str, object] = {}
    exec(re.findall(r"```python\n(.*?)```", page, re.DOTALL)[0], written)
    kind = cast("type[Signal]", written["Pullback"])
    signal = kind(kind.Config())
    bars = market(3, 0.012, jumps=0.0, gaps=0.0)
    features = FeatureTable(bars, signal.needs(), {})
    fired = silences = 0
    for row in range(100, len(bars.opens_at)):
        now = features.market_at(bars.closes_at[row])
        scores = signal.scores(now)
        for symbol, score in zip(now.symbols, scores, strict=True):
            if np.isfinite(score):
                assert 50 <= score <= 100 and "below" in signal.reason(now, symbol)
                fired += 1
            elif now.usable(symbol):
                assert "needs below" in signal.lacks(now, symbol)
                silences += 1
    assert fired > 20 and silences > 20
