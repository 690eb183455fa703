"""The garbage collector of a process: seldom in our commands, not at all while modules are loaded."""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path

import pytest

from config.process.collector import loading

ROOT = Path(__file__).parents[2]


def test_nothing_is_collected_while_modules_are_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    frozen: list[bool] = []
    monkeypatch.setattr(gc, "freeze", lambda: frozen.append(True))
    with pytest.raises(ImportError), loading():
        assert not gc.isenabled()
        raise ImportError
    assert gc.isenabled() and not frozen
    with loading():
        monkeypatch.setitem(sys.modules, "made_up_module", sys)
    assert gc.isenabled() and frozen == [True]
    gc.disable()
    try:
        with loading():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_the_command_line_is_loaded_with_few_collections() -> None:
    """In a new process: typer and the options make tens of thousands of values that stay."""
    code = (
        "import typer, gc; before = sum(one['collections'] for one in gc.get_stats());"
        "from config.process.collector import COLLECT_AFTER; import live_trader;"
        "assert gc.get_threshold() == COLLECT_AFTER;"
        "import config.settings; from pydantic.plugin import _loader; assert not _loader._plugins;"
        "assert sum(one['collections'] for one in gc.get_stats()) - before < 5"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, timeout=240)
