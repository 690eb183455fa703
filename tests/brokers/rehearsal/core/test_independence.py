"""The core knows no protocol and no listener; what serves it knows no protocol."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import brokers.rehearsal

ROOT = Path(brokers.rehearsal.__file__).parent


def imports(folder: str) -> set[str]:
    """Every module that the files of a folder import."""
    found: set[str] = set()
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                found.add(node.module or "")
            elif isinstance(node, ast.Import):
                found |= {name.name for name in node.names}
    return found


@pytest.mark.parametrize(
    ("folder", "strange"),
    [
        (
            "core",
            ("brokers.rehearsal.alpaca", "brokers.rehearsal.kraken", "brokers.rehearsal.serving", "aiohttp", "json"),
        ),
        ("serving", ("brokers.rehearsal.alpaca", "brokers.rehearsal.kraken")),
        ("kraken", ("brokers.rehearsal.alpaca", "ccxt", "lumibot")),
        ("alpaca", ("brokers.rehearsal.kraken",)),
    ],
)
def test_what_it_does_not_know(folder: str, strange: tuple[str, ...]) -> None:
    known = imports(folder)
    assert any(name.startswith("brokers.rehearsal.core") for name in known)
    assert not {name for name in known for other in strange if name == other or name.startswith(f"{other}.")}


def test_no_folder_is_crowded() -> None:
    for folder in (ROOT, *(path for path in ROOT.rglob("*") if path.is_dir() and path.name != "__pycache__")):
        assert len(list(folder.glob("*.py"))) <= 14, folder
