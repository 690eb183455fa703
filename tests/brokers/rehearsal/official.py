"""The venue's published schemas and examples, and checks of a body against them."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

ALPACA = Path(__file__).parents[4] / "shared" / "alpaca"
needs_schemas = pytest.mark.skipif(not ALPACA.is_dir(), reason="needs the venue's schemas in ../shared/alpaca")

# A decimal in text form; ids, names and times don't match it.
DECIMAL = re.compile(r"-?\d+(\.\d+)?")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
STREAM_FRAME = "trade_update_binary_frame"
# In the schemas, and not in every example.
BESIDE_EXAMPLES = {"expires_at", "options_approved_level", "pending_transfer_out"}


@cache
def examples() -> dict[str, Any]:
    return json.loads((ALPACA / "trading-api.examples.json").read_text())


@cache
def components() -> dict[str, Any]:
    return json.loads((ALPACA / "trading-api.json").read_text())["components"]


@cache
def observed() -> list[dict[str, Any]]:
    return [json.loads(line) for line in (ALPACA / "observed.jsonl").read_text().splitlines()]


def valid(body: object, schema: str) -> None:
    document = {"$ref": f"#/components/schemas/{schema}", "components": components()}
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    jsonschema.Draft202012Validator(document, format_checker=checker).validate(body)


def same_shape(body: Any, example: Any, where: str = "") -> None:
    """Same keys all the way down; a decimal or a time is one in both, null stands for anything."""
    if isinstance(example, dict) and example:
        assert body.keys() - (BESIDE_EXAMPLES - example.keys()) == example.keys(), where
        for key in example:
            same_shape(body[key], example[key], f"{where}.{key}")
    elif isinstance(example, list) and example and isinstance(example[0], dict):
        assert len(body) == len(example), where
        for one, other in zip(body, example, strict=True):
            same_shape(one, other, where)
    elif body is not None and example is not None:
        assert type(body) is type(example), where
        if isinstance(example, str):
            for pattern in (DECIMAL, TIME):
                assert bool(pattern.fullmatch(body)) == bool(pattern.fullmatch(example)), f"{where}: {body}"
