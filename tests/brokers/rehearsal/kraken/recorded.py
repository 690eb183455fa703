"""Requests that real clients sent and bodies that Kraken's documentation gives, kept beside the market data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[5] / "shared" / "kraken"
needs_recordings = [
    pytest.mark.shared,
    pytest.mark.skipif(not FOLDER.is_dir(), reason="needs ../shared/kraken"),
]


def examples() -> dict[str, Any]:
    body: dict[str, Any] = json.loads((FOLDER / "examples.json").read_text())
    return body


def requests() -> list[dict[str, Any]]:
    return [json.loads(line) for line in (FOLDER / "requests.jsonl").read_text().splitlines()]


def shape(value: Any) -> Any:
    """Keys and types of a body; what may be empty is told apart from nothing."""
    if isinstance(value, dict):
        return {key: shape(part) for key, part in value.items()}
    if isinstance(value, list):
        return [shape(part) for part in value[:1]]
    return type(value).__name__
