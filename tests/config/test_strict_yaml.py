"""YAML 1.2 scalars only, no duplicate keys, no anchors and aliases."""

from __future__ import annotations

import math

import pytest

from config import Refusal
from config.reading.strict_yaml import parse


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("ON", "ON"),
        ("NO", "NO"),
        ("Y", "Y"),
        ("true", True),
        ("false", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("10:30", "10:30"),
        ("24/7", "24/7"),
        ("2024-01-02", "2024-01-02"),
        ("60M", "60M"),
        ("5", 5),
        ("-5", -5),
        ("010", 10),
        ("0.15", 0.15),
        (".5", 0.5),
        ("1e-3", 0.001),
        (".inf", math.inf),
        ("15%", "15%"),
        ('"5"', "5"),
        ("[ON, 1]", ["ON", 1]),
        ("{a: {b: 1}}", {"a": {"b": 1}}),
    ],
)
def test_scalars_are_what_they_look_like(text, value):
    found = parse(text, "file.yaml")
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: 1\nb: 2\na: 3\n", "file.yaml, line 3: not valid YAML, the key 'a' is written twice"),
        ("s:\n  x: 1\n  x: 1\n", "file.yaml, line 3: not valid YAML, the key 'x' is written twice"),
        ("a: [1, 2\n", "file.yaml, line 2: not valid YAML"),
        ("a: 1\n b: 2\n", "file.yaml, line 2: not valid YAML"),
        ("a:\n\t- 1\n", "file.yaml, line 2: not valid YAML"),
        ("1: x\n", "file.yaml, line 1: not valid YAML, the key '1' is not text"),
        ("a: !!python/object:os.system {}\n", "file.yaml, line 1: not valid YAML"),
        ("a: 1\n---\nb: 2\n", "file.yaml, line 2: not valid YAML"),
        ("a: \x01\n", "file.yaml: not valid YAML"),
        ("sizing: &a {x: *a}\n", "file.yaml, line 1: not valid YAML, 'a' is an anchor or alias: write the value out"),
        ("a: 1\nb: &two 2\n", "file.yaml, line 2: not valid YAML, 'two' is an anchor or alias"),
        ("a: &x [1]\nb: [*x, *x]\n", "file.yaml, line 1: not valid YAML, 'x' is an anchor or alias"),
    ],
)
def test_refusals_name_file_and_line(text, told):
    with pytest.raises(Refusal) as refusal:
        parse(text, "file.yaml")
    assert str(refusal.value).startswith(told)
