"""An empty folder for each test, and runs of the engine that scripts are compared with."""

from __future__ import annotations

import webbrowser
from typing import Any

import pytest

from tests.lumibot_usage.scripts import MANY, engine


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    """Lumibot writes ./logs whatever it is told, and would show what it wrote."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(webbrowser, "open", lambda *_: pytest.fail("a browser was opened"))
    return tmp_path


@pytest.fixture(scope="package")
def ours() -> Any:
    return engine({})


@pytest.fixture(scope="package")
def many() -> Any:
    return engine(MANY)
