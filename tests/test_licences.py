"""Every package of the lock goes with GPL-3.0-or-later, and what does not is imported by nothing here."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
OWN = ("config", "market", "risk", "strategies", "monitoring", "brokers", "backtests", "dashboard", "commands")


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("licences", ROOT / "tools" / "licences.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    import sys

    sys.modules["licences"] = module
    spec.loader.exec_module(module)
    return module


def test_every_licence_of_the_lock_is_known(tool):
    found = [tool.look(*pin) for pin in tool.pins(ROOT / "requirements.lock")]
    assert len(found) > 250
    # Another version is another test's to tell; what the slim lock leaves out is not here to ask.
    wrong = [package for package in found if package.wrong and "installed" not in package.wrong]
    assert wrong == []
    asked = [package for package in found if package.wrong != "not installed"]
    assert len(asked) > 100
    assert {package.name for package in asked if not package.family} <= set(tool.NOTED)


@pytest.mark.parametrize(
    ("said", "family"),
    [
        ("MIT License", "MIT"), ("BSD-3-Clause", "BSD"), ("Apache Software License", "Apache-2.0"),
        ("GNU Lesser General Public License v3 (LGPLv3)", "LGPL"), ("GPL-2.0-only", "GPL-2.0-only"),
        ("GNU General Public License v3 (GPLv3)", "GPL-3.0"), ("Other/Proprietary License", "proprietary"), ("", ""),
    ],
)  # fmt: skip
def test_families(tool, said, family):
    assert tool.family_of(said) == family
    assert ("GPL-2.0-only" in tool.COMPATIBLE, "proprietary" in tool.COMPATIBLE) == (False, False)


def test_nothing_here_imports_what_is_proprietary():
    texts = [path.read_text(encoding="utf-8") for name in OWN for path in (ROOT / name).rglob("*.py")]
    assert any("import lumibot" in text for text in texts) or any("from lumibot" in text for text in texts)
    assert not any("ibapi" in text for text in texts)
